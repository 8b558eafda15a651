"""Linear constraints among inputs, normalized, in float64 and in units."""

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vnnbench.instances.errors import PropertyError
from vnnbench.instances.properties.linear_constraints import (
    Dependence,
    LinearConstraint,
    determined_inputs,
    float_row,
    implied_range,
    normalized,
    roomiest_point,
)

coefficients = st.lists(st.fractions(-(10**20), 10**20, max_denominator=10**9), min_size=2, max_size=5)


@given(coefficients)
def test_normalized_terms_are_coprime_integers_and_times_the_scale_the_function(drawn):
    assume(any(drawn))
    terms, scale = normalized(dict(enumerate(drawn)))
    assert {i: scale * c for i, c in terms} == {i: c for i, c in enumerate(drawn) if c}
    assert terms[0][1] > 0 and np.gcd.reduce(np.array([c for _, c in terms], dtype=object)) == 1
    assert normalized({i: Fraction(c) for i, c in terms}) == (terms, 1)


@given(coefficients, st.data())
def test_no_point_of_the_set_violates_the_row_in_float64(drawn, data):
    assume(sum(map(bool, drawn)) >= 2)
    terms, _ = normalized(dict(enumerate(drawn)))
    x = [data.draw(st.floats(-1, 1)) for _ in drawn]
    value = sum(c * Fraction(x[i]) for i, c in terms)
    row = float_row(terms, (value, value), np.ones(len(drawn)))
    in_float = sum(Fraction(c) * Fraction(x[i]) for i, c in row.coefficients.items())
    assert row.lower <= in_float <= row.upper


def test_a_row_that_float64_holds_stays_an_equality():
    row = float_row(((0, 3), (2, -7)), (Fraction(1, 2), Fraction(1, 2)), np.full(3, 10.0))
    assert (row.coefficients, row.lower, row.upper) == ({0: 3.0, 2: -7.0}, 0.5, 0.5)
    tenth = float_row(((0, 3), (2, -7)), (Fraction(1, 10), None), np.full(3, 10.0))
    assert tenth.lower < Fraction(1, 10) < np.nextafter(tenth.lower, 1) and tenth.upper == np.inf


@given(coefficients, st.lists(st.integers(-20, 20), min_size=5, max_size=5), st.data())
def test_a_constraint_in_units_holds_at_the_same_points(drawn, exponents, data):
    assume(sum(map(bool, drawn)) >= 2)
    terms, _ = normalized(dict(enumerate(drawn)))
    row = LinearConstraint(terms, Fraction(-1, 3), Fraction(1, 7))
    x = [data.draw(st.fractions(-1, 1)) for _ in drawn]
    scaled = [v / Fraction(2) ** e for v, e in zip(x, exponents, strict=False)]
    assert (row.violation(x) == 0) is (row.in_units(exponents).violation(scaled) == 0)


def test_equalities_are_solved_for_the_largest_coefficient():
    rows = [LinearConstraint(((0, 2), (1, -5), (2, 5)), Fraction(1), Fraction(1))]
    found = determined_inputs({0: Fraction(1, 3)}, rows)
    assert set(found) == {0, 2}
    assert (found[2].terms, found[2].constant) == (((1, Fraction(1)),), Fraction(1, 15))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (LinearConstraint(((0, 1), (1, 2)), None, Fraction(3)), (None, Fraction(2))),
        (LinearConstraint(((0, 1), (1, -2)), None, Fraction(3)), (Fraction(-2), None)),
        (LinearConstraint(((0, 1), (1, -2)), Fraction(0), Fraction(0)), (Fraction(-1, 2), Fraction(1))),
        (LinearConstraint(((1, 1), (2, 1)), Fraction(0), Fraction(0)), (None, None)),
    ],
)
def test_a_constraint_implies_a_range_of_each_input(row, expected):
    assert implied_range(row, 1, {0: (Fraction(-1), Fraction(2)), 1: (None, None), 2: (None, None)}) == expected


@pytest.mark.parametrize(
    ("terms", "lower", "upper", "message"),
    [
        (((0, 1),), Fraction(0), None, "several inputs"),
        (((1, 1), (0, 1)), Fraction(0), None, "several inputs in order"),
        (((0, 2), (1, 4)), Fraction(0), None, "coprime"),
        (((0, -1), (1, 4)), Fraction(0), None, "coprime"),
        (((0, 1), (1, 4)), None, None, "a lower or an upper bound"),
        (((0, 1), (1, -4)), Fraction(1), Fraction(0), r"no input satisfies 1 <= x_0 - 4 x_1 <= 0"),
        (((0, 1), (1, 1 << 900)), Fraction(1), None, "differ by more than any float64"),
    ],
)
def test_a_bad_constraint_is_one_line(terms, lower, upper, message):
    with pytest.raises(PropertyError, match=message):
        LinearConstraint(terms, lower, upper)


def test_the_largest_coefficient_of_a_row_is_about_1_and_the_row_stays_exact():
    terms, ends = ((0, 123456789013), (1, 987654321099)), (None, Fraction(3 * 10**11))
    row = float_row(terms, ends, np.ones(2))
    assert 1 <= max(map(abs, row.coefficients.values())) < 2
    scale = Fraction(987654321099) / Fraction(row.coefficients[1])
    assert scale == 2**39
    assert Fraction(row.coefficients[0]) * scale == 123456789013 and Fraction(row.upper) * scale == 3 * 10**11


def test_a_coefficient_that_readers_would_drop_widens_the_row():
    row = float_row(((0, 1), (1, 10**12)), (Fraction(0), Fraction(10**11)), np.full(2, 5.0))
    assert set(row.coefficients) == {1}
    dropped = Fraction(5, 2**39)
    assert Fraction(row.lower) <= -dropped and Fraction(row.upper) >= Fraction(10**11, 2**39) + dropped


@pytest.mark.parametrize("step", [1, -1])
def test_a_long_chain_of_equalities_is_solved_in_one_pass(step):
    n = 3_000
    rows = [LinearConstraint(((i, 1), (i + 1, -1)), Fraction(0), Fraction(0)) for i in range(n - 1)][::step]
    found = determined_inputs({}, rows)
    (free,) = set(range(n)) - found.keys()
    assert all(dependence == Dependence(((free, Fraction(1)),), Fraction(0)) for dependence in found.values())


def test_equalities_that_take_too_long_are_refused():
    random = np.random.default_rng(0)
    rows = []
    for _ in range(150):
        terms, _ = normalized({i: Fraction(int(c), 10**6) for i, c in enumerate(random.integers(1, 10**6, size=200))})
        rows.append(LinearConstraint(terms, Fraction(1), Fraction(1)))
    with pytest.raises(PropertyError, match="take too much exact arithmetic"):
        determined_inputs({}, rows)


def test_the_roomiest_point_of_many_inputs_takes_little_memory():
    n = 12_288
    row = LinearConstraint(((0, 1), (1, 1)), None, Fraction(3, 2))
    tracemalloc.start()
    x = roomiest_point(np.zeros(n), np.ones(n), [row])
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1 << 26
    assert x[0] + x[1] < 1.5 and (x > 0).all() and (x < 1).all()
