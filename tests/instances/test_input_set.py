"""Sets without a ball. What an L1 ball adds is tested in test_property."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instances.errors import PropertyError
from instances.input_set import InputSet, Norm, box_set

finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def boxes(draw):
    n = draw(st.integers(1, 6))
    ends = draw(st.lists(st.tuples(finite, finite), min_size=n, max_size=n).filter(lambda e: any(a != b for a, b in e)))
    return box_set(*np.array([sorted(pair) for pair in ends]).T.copy())


def reference_violation(s, x):
    sides = zip(x.tolist(), s.lower.tolist(), s.upper.tolist(), strict=True)
    return max(max(Fraction(lo) - Fraction(v), Fraction(v) - Fraction(hi), Fraction(0)) for v, lo, hi in sides)


@given(boxes(), st.data())
@settings(max_examples=150, deadline=None)
def test_violation_is_that_of_fractions_and_repair_clips(s, data):
    x = np.array(data.draw(st.lists(finite, min_size=s.n_inputs, max_size=s.n_inputs)))
    assert s.violation(x) == reference_violation(s, x)
    repaired = s.repair(x)
    assert s.violation(repaired) == 0
    assert repaired is x if s.violation(x) == 0 else repaired.tolist() == np.clip(x, s.lower, s.upper).tolist()


@given(boxes())
@settings(deadline=None)
def test_the_centre_of_a_box_is_in_it_and_in_its_middle(s):
    assert (s.norm, s.radius) == (Norm.BOX, None)
    assert s.violation(s.centre) == 0
    for c, lo, hi in zip(s.centre.tolist(), s.lower.tolist(), s.upper.tolist(), strict=True):
        middle = (Fraction(lo) + Fraction(hi)) / 2
        assert abs(Fraction(c) - middle) <= Fraction(np.spacing(max(abs(lo), abs(hi)) / 2)) + Fraction(5e-324)


def test_corners_are_inside_and_the_next_numbers_are_not():
    s = box_set(np.array([0.0, -1.0]), np.array([1.0, 0.1]))
    assert s.violation(np.array([1.0, -1.0])) == s.violation(np.array([0.0, 0.1])) == 0
    assert s.violation(np.array([1.0, np.nextafter(0.1, 1)])) == Fraction(np.nextafter(0.1, 1)) - Fraction(0.1)
    assert s.violation(np.array([-5e-324, 0.0])) == Fraction(5e-324)


def test_a_box_with_a_centre_of_its_own_is_a_set():
    s = InputSet(Norm.BOX, np.array([0.25, 1.0]), None, np.zeros(2), np.ones(2))
    assert s.centre.tolist() == [0.25, 1.0]


@pytest.mark.parametrize(("norm", "radius"), [(Norm.BOX, 1.0), (Norm.BOX, 0.0), (Norm.BOX, np.inf), (Norm.L1, None)])
def test_a_radius_belongs_to_a_ball_and_only_to_one(norm, radius):
    with pytest.raises(PropertyError, match="radius"):
        InputSet(norm, np.array([0.5]), radius, np.zeros(1), np.ones(1))


def test_a_box_of_one_point_is_refused():
    with pytest.raises(PropertyError, match="single point"):
        box_set(np.ones(2), np.ones(2))
