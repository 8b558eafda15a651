"""Boxes, L-infinity balls, and numbers beyond float64; test_property has the tests of L1 balls."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from vnnbench.instances.errors import PropertyError
from vnnbench.instances.properties.input_set import ExactNumbers, InputSet, Norm, box_set
from vnnbench.instances.properties.linear_constraints import LinearConstraint, normalized
from vnnbench.instances.properties.rational_set import rational_set

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


def test_a_box_of_one_point_is_a_set():
    s = box_set(np.ones(2), np.ones(2))
    assert s.repair(np.array([3.0, 0.0])).tolist() == s.centre.tolist() == [1.0, 1.0]
    assert not s.free.any()


def linf(centre, radius, lower=0.0, upper=1.0, exact_radius=None):
    centre = np.array(centre, dtype=np.float64)
    ends = np.full_like(centre, lower), np.full_like(centre, upper)
    return InputSet(Norm.LINF, centre, radius, *ends, ExactNumbers(exact_radius))


def linf_violation(s, x):
    radius = s.exact.radius or Fraction(s.radius)
    moved = max(abs(Fraction(v) - Fraction(c)) for v, c in zip(x.tolist(), s.centre.tolist(), strict=True))
    return max(reference_violation(s, x), moved - radius)


unit = st.floats(0, 1)


@given(
    centre=st.lists(unit, min_size=1, max_size=5),
    radius=st.one_of(st.floats(5e-324, 1e-300), st.floats(1e-17, 2)),
    steps=st.lists(st.one_of(st.floats(-3, 3), st.floats(-1e-16, 1e-16)), min_size=5, max_size=5),
)
@example(centre=[0.1, 0.7], radius=0.3, steps=[0.3, -0.3, 0, 0, 0])
@settings(max_examples=300, deadline=None)
def test_an_linf_ball_is_judged_and_repaired_exactly(centre, radius, steps):
    s = linf(centre, radius)
    x = s.centre + steps[: len(centre)]
    assert s.violation(x) == linf_violation(s, x)
    repaired = s.repair(x)
    assert linf_violation(s, repaired) == 0
    # Every pixel is where it was, or at the last float64 inside: the next one beyond would be outside.
    for i in np.flatnonzero(repaired != x):
        beyond = repaired.copy()
        beyond[i] = np.nextafter(repaired[i], x[i])
        assert linf_violation(s, beyond) > 0


@given(centre=st.lists(unit, min_size=1, max_size=5), radius=st.floats(1e-17, 2), norm=st.sampled_from(["l1", "linf"]))
@settings(deadline=None)
def test_the_hull_is_the_least_box_around_the_ball_and_the_box(centre, radius, norm):
    s = InputSet(Norm(norm), np.array(centre), radius, np.zeros(len(centre)), np.ones(len(centre)))
    for c, low, high in zip(centre, *(a.tolist() for a in s.hull), strict=True):
        lowest, highest = max(Fraction(c) - Fraction(radius), Fraction(0)), min(Fraction(c) + Fraction(radius), 1)
        assert low <= lowest < Fraction(np.nextafter(low, 2.0))
        assert high >= highest > Fraction(np.nextafter(high, -2.0))


@given(
    ends=st.lists(st.tuples(st.fractions(-2, 2), st.fractions(0, 1)), min_size=1, max_size=4),
    steps=st.lists(st.floats(-3, 3), min_size=4, max_size=4),
)
@settings(deadline=None)
def test_ends_that_no_float64_holds_are_meant_exactly(ends, steps):
    lower, upper = [lo for lo, _ in ends], [lo + width for lo, width in ends]
    floats = [(Fraction(np.nextafter(float(lo), 9)), hi) for lo, hi in zip(lower, upper, strict=True)]
    assume(all(a <= b and lo != hi for (a, b), lo, hi in zip(floats, lower, upper, strict=True)))
    s = rational_set(list(zip(lower, upper, strict=True)))
    x = s.centre + steps[: len(ends)]
    outside = [max(lo - Fraction(v), Fraction(v) - hi, 0) for v, lo, hi in zip(x.tolist(), lower, upper, strict=True)]
    assert s.violation(x) == max(outside)
    assert s.violation(s.centre) == s.violation(s.repair(x)) == 0
    for v, lo, hi in zip(s.repair(x).tolist(), lower, upper, strict=True):
        assert lo <= Fraction(v) <= hi
    assert all(Fraction(a) <= lo for a, lo in zip(s.lower.tolist(), lower, strict=True))
    assert all(Fraction(b) >= hi for b, hi in zip(s.upper.tolist(), upper, strict=True))


def test_a_decimal_bound_is_not_the_float64_beside_it():
    # 0.1 in float64 is a little more than 1/10: as an upper bound it is outside.
    s = rational_set([(Fraction(0), Fraction(1, 10))])
    assert s.upper.tolist() == [0.1]
    assert s.violation(np.array([0.1])) == Fraction(0.1) - Fraction(1, 10)
    assert s.repair(np.array([0.1])).tolist() == [np.nextafter(0.1, 0)]


def test_a_decimal_radius_is_not_the_float64_beside_it():
    s = linf([0.5], 0.1, exact_radius=Fraction(1, 10))
    assert s.violation(np.array([np.nextafter(0.6, 1)])) == Fraction(np.nextafter(0.6, 1)) - Fraction(6, 10)
    assert Fraction(s.repair(np.array([0.9])).item()) <= Fraction(6, 10)


def test_pixels_without_room_stay_where_they_are():
    s = box_set(np.array([0.25, 0.0]), np.array([0.25, 1.0]))
    assert s.repair(np.array([0.5, 0.5])).tolist() == [0.25, 0.5]
    assert s.violation(np.array([0.25, 0.5])) == 0


@pytest.mark.parametrize(
    ("lower", "upper", "message"),
    [
        ([Fraction(1, 10), 0], [Fraction(0.1) - Fraction(1, 10**20), 1], "no float64 lies between lower 0.1 and upper"),
        ([Fraction(10) ** 400], [Fraction(10) ** 400], "finite"),
        ([Fraction(1, 2)], [Fraction(1, 4)], "X_0 has the lower bound 0.5 above its upper bound 0.25"),
    ],
)
def test_rational_boxes_without_points_are_refused_in_one_line(lower, upper, message):
    with pytest.raises(PropertyError, match=message):
        rational_set([(Fraction(low), Fraction(high)) for low, high in zip(lower, upper, strict=True)])


def test_exact_numbers_must_belong_to_their_float64():
    with pytest.raises(ValueError, match="rounded down"):
        InputSet(Norm.BOX, np.array([0.5]), None, np.zeros(1), np.ones(1), ExactNumbers(lower={0: Fraction(1, 10)}))
    with pytest.raises(ValueError, match="radius"):
        linf([0.5], 0.25, exact_radius=Fraction(1, 4))


def test_the_distance_is_in_the_norm_of_the_set():
    x = np.array([0.5, 0.25])
    assert linf([0.0, 0.5], 1.0).distance(x) == Fraction(1, 2)
    assert InputSet(Norm.L1, np.array([0.0, 0.5]), 1.0, np.zeros(2), np.ones(2)).distance(x) == Fraction(3, 4)
    with pytest.raises(ValueError, match="no ball"):
        box_set(np.zeros(2), np.ones(2)).distance(x)


# -- inputs that the set determines


def test_an_input_fixed_at_a_decimal_is_that_rational_whatever_a_candidate_carries():
    s = rational_set([(Fraction(1, 10), Fraction(1, 10)), (Fraction(0), Fraction(1))])
    for carried in (0.1, 7.0, -1e300):
        x = np.array([carried, 0.5])
        assert s.violation(x) == 0
        assert s.point(x) == [Fraction(1, 10), Fraction(1, 2)]
        assert s.nearest(x).tolist() == [0.1, 0.5]
        assert s.repair(x) is x
    assert s.violation(np.array([0.1, 1.5])) == Fraction(1, 2)
    assert s.free.tolist() == [False, True]


@pytest.mark.parametrize("norm", [Norm.L1, Norm.LINF])
def test_a_ball_does_not_go_with_constraints_nor_with_inputs_at_decimals(norm):
    tenth, centre, box = Fraction(1, 10), np.array([0.1, 0.5]), (np.zeros(2), np.ones(2))
    row = LinearConstraint(((0, 1), (1, 1)), None, Fraction(1))
    with pytest.raises(PropertyError, match="need norm box"):
        InputSet(norm, centre, 0.5, *box, ExactNumbers(), (row,))
    ends = np.array([np.nextafter(0.1, 0), 0.0]), np.array([0.1, 1.0])
    with pytest.raises(PropertyError, match="need norm box"):
        InputSet(norm, centre, 0.5, *ends, ExactNumbers(lower={0: tenth}, upper={0: tenth}))


def test_an_equality_determines_an_input_exactly():
    # x_1 = (1 - 3 x_0) / 7, with the last of the largest coefficients: 7 is that of x_1.
    s = rational_set([(Fraction(0), Fraction(1))] * 2, (LinearConstraint(((0, 3), (1, 7)), Fraction(1), Fraction(1)),))
    assert s.point(np.array([0.25, 9.0])) == [Fraction(1, 4), Fraction(1, 28)]
    assert s.violation(np.array([0.25, 9.0])) == 0
    # At x_0 = 0.5 the determined input would be -1/14, below its bound.
    assert s.violation(np.array([0.5, 0.0])) == Fraction(1, 14)
    repaired = s.repair(np.array([0.5, 0.0]))
    assert s.violation(repaired) == 0
    assert 0.33 < repaired[0] <= 1 / 3  # the last float64 or so at which the determined input is not negative


def test_a_chain_of_equalities_is_in_free_inputs_alone():
    equal = [LinearConstraint(((i, 1), (i + 1, -2)), Fraction(0), Fraction(0)) for i in range(3)]
    s = rational_set([(Fraction(-1), Fraction(1))] * 4, tuple(equal))
    free = [i for i in range(4) if i not in s.determined]
    assert len(free) == 1
    x = np.zeros(4)
    x[free] = 0.0625
    point = s.point(x)
    assert all(point[i] == 2 * point[i + 1] for i in range(3))


def test_equalities_that_contradict_each_other_are_refused():
    with pytest.raises(PropertyError, match="no input satisfies"):
        rational_set(
            [(Fraction(0), Fraction(1))] * 3,
            (
                LinearConstraint(((0, 1), (1, 1)), Fraction(1), Fraction(1)),
                LinearConstraint(((1, 1), (2, 1)), Fraction(1), Fraction(1)),
                LinearConstraint(((0, 1), (2, -1)), Fraction(1, 2), Fraction(1, 2)),
            ),
        )


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ([(None, Fraction(-1))], "leave no input"),
        ([(Fraction(0), Fraction(0))], "meet in a face, edge or corner"),  # a corner of the box
    ],
)
def test_constraints_that_leave_no_room_are_refused(ranges, message):
    with pytest.raises(PropertyError, match=message):
        rational_set(
            [(Fraction(0), Fraction(1))] * 2, tuple(LinearConstraint(((0, 1), (1, 1)), *ends) for ends in ranges)
        )


@pytest.mark.parametrize("step", [1, -1])
def test_missing_bounds_follow_along_a_chain(step):
    n = 1_000
    rows = [LinearConstraint(((i, 1), (i + 1, -2)), Fraction(0), Fraction(0)) for i in range(n - 1)][::step]
    s = rational_set([(Fraction(0), Fraction(1)), *[(None, None)] * (n - 1)], tuple(rows))
    assert [s.bounds(i)[1] for i in (1, 2, 999)] == [Fraction(1, 2), Fraction(1, 4), Fraction(1, 2**999)]


def test_inputs_that_equalities_determine_by_themselves_need_no_room():
    equal = (
        LinearConstraint(((0, 1), (1, -1)), Fraction(0), Fraction(0)),
        LinearConstraint(((0, 1), (1, -2)), Fraction(0), Fraction(0)),
    )
    s = rational_set([(Fraction(0), Fraction(1))] * 3, equal)
    assert s.point(np.array([0.5, 0.5, 0.25])) == [0, 0, Fraction(1, 4)]
    assert s.free.tolist() == [False, False, True]
    with pytest.raises(PropertyError, match="its equalities make X_1 0, out of bounds"):
        rational_set([(Fraction(1, 2), Fraction(1))] * 3, equal)


def test_a_missing_bound_follows_from_the_constraints():
    equal = LinearConstraint(((0, 1), (1, 1), (2, -1)), Fraction(0), Fraction(0))
    s = rational_set([(Fraction(0), Fraction(1)), (Fraction(-1), Fraction(2)), (None, None)], (equal,))
    assert s.bounds(2) == (Fraction(-1), Fraction(3))
    with pytest.raises(PropertyError, match="X_1 has no lower bound"):
        rational_set([(Fraction(0), Fraction(1)), (None, None), (None, None)], (equal,))


@st.composite
def polytopes(draw):
    """A box around 0 with constraints that 0 satisfies with room, and equalities through 0."""
    n = draw(st.integers(2, 5))
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        drawn = draw(st.lists(st.fractions(-3, 3, max_denominator=7), min_size=n, max_size=n))
        drawn[:2] = Fraction(1), draw(st.sampled_from([Fraction(1, 3), Fraction(-2)]))
        terms, _ = normalized(dict(enumerate(drawn)))
        room = draw(st.fractions(Fraction(1, 9), 2, max_denominator=9))
        ends = draw(st.sampled_from([(-room, None), (None, room), (-room, room), (Fraction(0), Fraction(0))]))
        if terms not in [row.terms for row in rows]:
            rows.append(LinearConstraint(terms, *ends))
    widths = draw(st.lists(st.fractions(Fraction(1, 5), 3, max_denominator=11), min_size=n, max_size=n))
    try:
        return rational_set([(-w, w) for w in widths], tuple(rows))
    except PropertyError:  # equalities may leave 0 alone
        assume(False)


@given(polytopes(), st.lists(st.floats(-4, 4), min_size=5, max_size=5))
@settings(max_examples=200, deadline=None)
def test_constraints_are_judged_and_repaired_exactly(s, numbers):
    x = np.array(numbers[: s.n_inputs])
    point = s.point(x)
    rational = [v if isinstance(v, Fraction) else Fraction(v) for v in point]
    outside = [max(s.bounds(i)[0] - v, v - s.bounds(i)[1], Fraction(0)) for i, v in enumerate(rational)]
    for row in s.constraints:
        value = sum(c * rational[i] for i, c in row.terms)
        size = max(abs(c) for _, c in row.terms)
        outside += [(row.lower - value) / size] if row.lower is not None else []
        outside += [(value - row.upper) / size] if row.upper is not None else []
        if row.lower == row.upper:
            assert value == row.lower
    assert s.violation(x) == max(outside)
    repaired = s.repair(x)
    assert s.violation(repaired) == 0
    assert (repaired is x) is (s.violation(x) == 0)
