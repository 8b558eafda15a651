from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vnnbench.instances.rationals import difference_above, float_above, float_below, from_text, to_json, to_text

finite = st.floats(allow_nan=False, allow_infinity=False)
rationals = st.fractions() | st.decimals(allow_nan=False, allow_infinity=False, places=20).map(Fraction)


@given(rationals)
@example(Fraction(1, 10**400))
@example(Fraction(-1, 3))
def test_rounding_in_a_direction_is_to_the_next_float64(exact):
    above, below = float_above(exact), float_below(exact)
    assert Fraction(np.nextafter(above, -np.inf)) < exact <= Fraction(above)
    assert Fraction(below) <= exact < Fraction(np.nextafter(below, np.inf))


@given(st.floats(-8e307, 8e307), st.floats(-8e307, 8e307))
def test_a_difference_is_rounded_up_to_the_next_float64(a, b):
    above = difference_above(np.array([a]), np.array([b])).item()
    assert Fraction(np.nextafter(above, -np.inf)) < Fraction(a) - Fraction(b) <= Fraction(above)


def test_a_difference_beyond_float64_is_infinite():
    assert difference_above(np.array([1.7e308, -1.7e308]), np.array([-1.7e308, 1.7e308])).tolist() == [np.inf, -np.inf]


@given(rationals)
def test_every_rational_is_read_back_from_json(exact):
    written = to_json(exact)
    assert exact == (from_text(written) if isinstance(written, str) else Fraction(written))


@given(finite)
def test_a_float64_is_a_number_in_json_and_not_a_text(value):
    assert to_json(Fraction(value)) == value
    with pytest.raises(ValueError, match="float64"):
        from_text(to_text(Fraction(value)))


@pytest.mark.parametrize(
    ("exact", "text"),
    [
        (Fraction(1, 10), "0.1"),
        (Fraction(-1, 3), "-1/3"),
        (Fraction(-1234567, 1000), "-1234.567"),
        (Fraction(1, 2), "0.5"),
        (Fraction(7), "7"),
        (Fraction("1e-5"), "0.00001"),
    ],
)
def test_decimals_that_end_are_written_as_such(exact, text):
    assert to_text(exact) == text and Fraction(text) == exact


@pytest.mark.parametrize(
    "text", ["", "x", "1/0", "0.5", "2", "nan", "inf", "1e999", "1e99999999", "0.1e-99999999", "1_0.1", " 0.1", "0.1/3"]
)
def test_values_that_are_not_rationals_beside_float64_are_refused(text):
    with pytest.raises(ValueError, match=r"decimal|float64"):
        from_text(text)
