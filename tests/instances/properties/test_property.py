from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vnnbench.instances.errors import PropertyError
from vnnbench.instances.properties.input_set import InputSet, Norm, box_set
from vnnbench.instances.properties.property import ClosestProperty, VerifyProperty

unit = st.floats(0, 1)
finite = st.floats(allow_nan=False, allow_infinity=False)


def make(centre, radius, lower=0.0, upper=1.0):
    centre = np.array(centre, dtype=np.float64)
    return InputSet(Norm.L1, centre, radius, np.full_like(centre, lower), np.full_like(centre, upper))


def reference_violation(s, x):
    numbers = [[Fraction(v) for v in a.tolist()] for a in (x, s.centre, s.lower, s.upper)]
    box = max(max(lo - v, v - hi) for v, _, lo, hi in zip(*numbers, strict=True))
    ball = sum(abs(v - c) for v, c, _, _ in zip(*numbers, strict=True)) - Fraction(s.radius)
    return max(box, ball, Fraction(0))


# -- membership ----------------------------------------------------------------------------------------------------


@given(st.data(), st.integers(1, 6), st.floats(5e-324, 1e300))
@settings(max_examples=200, deadline=None)
def test_violation_is_that_of_fractions(data, n, radius):
    vector = st.lists(finite, min_size=n, max_size=n).map(np.array)
    x, *ends = data.draw(st.tuples(*[vector] * 4))
    lower, centre, upper = np.sort(np.array(ends), axis=0)
    if (lower == upper).all():
        return
    s = InputSet(Norm.L1, centre, radius, lower, upper)
    assert s.violation(x) == reference_violation(s, x)


@pytest.mark.parametrize(
    ("x", "violation"),
    [
        ([0.5, 0.5], 0),
        ([0.75, 0.25], 0),
        ([1.0, 0.5], 0),
        ([0.75, 0.25 - 2**-54], Fraction(1, 2**54)),
        ([0.5, -5e-324], Fraction(1, 2**1074)),
        ([0.0, 1.0], Fraction(1, 2)),
        ([3.0, 0.5], 2),
    ],
)
def test_violation_by_hand(x, violation):
    assert make([0.5, 0.5], 0.5).violation(np.array(x)) == violation


@pytest.mark.parametrize(
    "x",
    [[0.5, np.nan], [np.inf, 0.5], [-np.inf, 0.5], [0.5], [0.5, 0.5, 0.5], [[0.5, 0.5]], 0.5, []],
)
def test_a_value_that_is_not_a_finite_vector_of_the_right_length_is_refused(x):
    s = make([0.5, 0.5], 0.5)
    for question in (s.violation, s.repair):
        with pytest.raises(PropertyError, match="vector of 2 finite numbers"):
            question(np.array(x, dtype=np.float64))


# -- repair --------------------------------------------------------------------------------------------------------


@given(
    centre=st.lists(unit, min_size=1, max_size=6),
    radius=st.one_of(st.floats(5e-324, 1e-300), st.floats(1e-17, 8)),
    shift=st.lists(
        st.one_of(st.floats(-10, 10), st.floats(-1e-16, 1e-16), st.floats(-1e-300, 1e-300)), min_size=6, max_size=6
    ),
)
@example(centre=[0.5], radius=5e-324, shift=[1.0] * 6)
@example(centre=[1.0, 0.0], radius=0.1, shift=[0.1, -5e-324, 0, 0, 0, 0])
@settings(max_examples=400, deadline=None)
def test_repair_returns_a_point_exactly_inside_and_near(centre, radius, shift):
    s = make(centre, radius)
    x = s.centre + shift[: len(centre)]
    repaired = s.repair(x)
    assert repaired is not None and repaired.dtype == np.float64
    assert reference_violation(s, repaired) == 0
    outside = s.violation(x)
    if outside == 0:
        assert repaired is x
    else:
        # Nearer to the centre by no more than a little over what was outside, in every pixel.
        assert np.abs(repaired - x).max() <= len(centre) * float(outside) + 1e-8 * min(radius, 8) + 1e-15


@pytest.mark.parametrize("excess", [1e-16, 1e-12, 1e-9, 1e-4, 1.0, 1e300])
def test_a_point_beyond_the_ball_or_the_box_is_repaired(excess):
    s = make(np.full(784, 0.5), 5.0)
    for x in (s.centre + (5.0 + excess) / 784, s.centre - (5.0 + excess) / 784, np.eye(784)[3] * excess + s.centre):
        repaired = s.repair(x)
        assert repaired is not None and s.violation(repaired) == 0


def test_clipping_alone_is_enough_where_only_the_box_is_left():
    s = make([0.5, 0.5], 9.0)
    assert s.repair(np.array([1.25, -3.0])).tolist() == [1.0, 0.0]


def test_repair_leaves_its_argument_as_it_was():
    x = np.array([2.0, -1.0])
    make([0.5, 0.5], 0.1).repair(x)
    assert x.tolist() == [2.0, -1.0]


# -- what is a property --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [0.0, -1.0, np.nan, np.inf])
def test_radius_must_be_positive_and_finite(radius):
    with pytest.raises(PropertyError, match="radius"):
        make([0.5], radius)


@pytest.mark.parametrize(
    ("centre", "lower", "upper", "message"),
    [
        ([1.5], [0], [1], "between lower and upper"),
        ([np.nan], [0], [1], "between lower and upper"),
        ([0.5], [-np.inf], [1], "finite"),
        ([0.5], [0], [np.inf], "finite"),
        ([0.5, 0.5], [0], [1], "one length"),
        ([[0.5]], [[0]], [[1]], "one length"),
        ([], [], [], "at least one input"),
    ],
)
def test_impossible_sets_are_refused_in_one_line(centre, lower, upper, message):
    with pytest.raises(PropertyError, match=message) as caught:
        InputSet(Norm.L1, *(np.array(centre, dtype=float),), 1.0, np.array(lower, float), np.array(upper, float))
    assert "\n" not in str(caught.value)


def test_float32_vectors_are_refused():
    single = np.array([0.5], dtype=np.float32)
    with pytest.raises(TypeError, match="float64"):
        InputSet(Norm.L1, single, 1.0, np.zeros(1), np.ones(1))


@pytest.mark.parametrize(("source", "targets"), [(0, (0,)), (0, ()), (0, (1, 1)), (0, (1, 0)), (-1, (1,)), (1, (-1,))])
def test_classes_without_a_question_are_refused(source, targets):
    with pytest.raises(PropertyError, match="target"):
        VerifyProperty(make([0.5], 1.0), source, targets, True, None, None)


@pytest.mark.parametrize("margin_asked", [Fraction(0), Fraction(-1)])
def test_closest_needs_a_positive_margin_and_a_ball(margin_asked):
    with pytest.raises(PropertyError, match="margin"):
        ClosestProperty(make([0.5], 1.0), 0, (1,), margin_asked, None, None)
    with pytest.raises(PropertyError, match="ball"):
        ClosestProperty(box_set(np.zeros(1), np.ones(1)), 0, (1,), Fraction(1), None, None)
