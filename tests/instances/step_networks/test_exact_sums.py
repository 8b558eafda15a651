"""Exact sums against Fractions, number by number."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vnnbench.instances.step_networks.exact_sums import exact_sums, exact_total

ANY = st.floats(allow_nan=False, allow_infinity=False)


def slow_sums(X, grid, W, b):
    return [
        [sum(Fraction(x, grid) * Fraction(w) for x, w in zip(row, column, strict=True)) + Fraction(bias)
         for column, bias in zip(W.T.tolist(), b.tolist(), strict=True)]
        for row in X.tolist()
    ]  # fmt: skip


def found_sums(sums):
    return [[sums.fraction(numerator) for numerator in row] for row in sums.numerators.tolist()]


@given(st.data(), st.sampled_from([1, 2, 1024]))
def test_sums_equal_those_of_fractions(data, grid):
    n_samples, m, k = (data.draw(st.integers(low, 3)) for low in (0, 1, 1))
    numbers = data.draw(st.lists(st.integers(0, 1024 * 1024), min_size=n_samples * m, max_size=n_samples * m))
    weights = data.draw(st.lists(ANY, min_size=m * k + k, max_size=m * k + k))
    X = np.array(numbers, dtype=np.int64).reshape(n_samples, m)
    W, b = np.array(weights[: m * k]).reshape(m, k), np.array(weights[m * k :])
    assert found_sums(exact_sums(X, grid, W, b)) == slow_sums(X, grid, W, b)


def test_denormal_and_huge_weights_are_added_exactly():
    X = np.array([[1, 1024, 3], [0, 0, 0], [1024 * 1024] * 3])
    W, b = np.array([[5e-324, -1e300], [1e300, 1.0], [-1e300, 5e-324]]), np.array([-5e-324, 1e-300])
    assert found_sums(exact_sums(X, 1024, W, b)) == slow_sums(X, 1024, W, b)


def test_sums_of_the_most_inputs_stay_exact():
    """The sum of the inputs is almost 2**40, the largest that is allowed."""
    X = np.full((1, 500_000), 2**21, dtype=np.int64)
    W = np.full((500_000, 1), -(1 + 2.0**-52))
    (numerator,) = exact_sums(X, 1024, W, np.zeros(1)).numerators[0]
    assert Fraction(numerator, 2**62) == -500_000 * 2**11 * (1 + Fraction(1, 2**52))


@pytest.mark.parametrize("threshold", [Fraction(0), Fraction(1, 2), Fraction(-1, 3), Fraction(1, 3)])
def test_a_sum_at_a_threshold_reaches_it_but_is_not_above(threshold):
    values = np.array([0.0, 0.5, -1 / 3, 1 / 3, np.nextafter(0.5, 1), -5e-324, 5e-324])
    sums = exact_sums(np.zeros((1, 1), dtype=np.int64), 1, np.zeros((1, len(values))), values)
    exact = [Fraction(value) for value in values.tolist()]
    assert sums.above(threshold)[0].tolist() == [value > threshold for value in exact]
    assert sums.at_least(threshold)[0].tolist() == [value >= threshold for value in exact]


@given(st.lists(ANY, max_size=6))
def test_a_total_equals_that_of_fractions(values):
    assert exact_total(np.array(values)) == sum(map(Fraction, values), Fraction(0))
