"""The formulas, against arithmetic by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard import metrics

times = st.lists(st.floats(0.0, 1e6), min_size=1, max_size=20).map(np.array)


def test_shifted_geometric_mean_by_hand():
    # shift 1: sqrt((0 + 1)(8 + 1)) - 1 = 3 - 1 = 2
    assert metrics.shifted_geometric_mean(np.array([0.0, 8.0]), 1.0) == pytest.approx(2.0, abs=1e-12)
    # shift 10: sqrt((0 + 10)(30 + 10)) - 10 = 20 - 10 = 10
    assert metrics.shifted_geometric_mean(np.array([0.0, 30.0]), 10.0) == pytest.approx(10.0, abs=1e-12)


def test_a_small_shift_tells_short_times_apart():
    # shift 0.1: sqrt((0.3 + 0.1)(0.8 + 0.1)) - 0.1 = sqrt(0.36) - 0.1 = 0.5; Mittelmann's max(1, .) would give 0.9.
    assert metrics.shifted_geometric_mean(np.array([0.3, 0.8]), 0.1) == pytest.approx(0.5, abs=1e-12)


@given(times, st.sampled_from([1.0, 10.0, 100.0]))
def test_shifted_geometric_mean_lies_between_extremes_and_below_the_mean(seconds, shift):
    mean = metrics.shifted_geometric_mean(seconds, shift)
    slack = 1e-9 * (shift + float(seconds.max()))
    assert seconds.min() - slack <= mean <= seconds.mean() + slack


def test_par10_by_hand():
    # (2 + 4 + 10 * 100) / 3 = 1006 / 3
    value = metrics.penalized_average(np.array([2.0, 4.0, 7.0]), np.array([True, True, False]), np.full(3, 100.0))
    assert value == pytest.approx(1006 / 3, rel=1e-12)


def test_par_ignores_the_time_of_an_unsolved_run():
    value = metrics.penalized_average(np.array([math.nan]), np.array([False]), np.array([60.0]), factor=2.0)
    assert value == 120.0


def test_median_first_success_is_among_those_found():
    assert metrics.median_first_success(np.array([4.0, math.nan, 1.0])) == 2.5
    assert metrics.median_first_success(np.array([math.nan])) is None


def test_share_faster_keeps_ties_in_the_denominator():
    dense, surrogate = np.array([100.0, 5.0, 3.0, 100.0]), np.array([2.0, 100.0, 3.0, 100.0])
    assert metrics.share_faster(surrogate, dense) == 0.25
    assert metrics.share_faster(dense, surrogate) == 0.25


def test_geometric_mean_ratio_by_hand():
    # ratios 100/1 and 1/4: sqrt(100 * 0.25) = 5
    assert metrics.geometric_mean_ratio(np.array([100.0, 1.0]), np.array([1.0, 4.0])) == pytest.approx(5.0)


def test_geometric_mean_ratio_does_not_divide_by_a_time_of_zero():
    assert metrics.geometric_mean_ratio(np.array([0.01]), np.array([0.0])) == pytest.approx(10.0)


@pytest.mark.parametrize("seconds", [np.array([]), np.array([1.0, math.nan])])
def test_nothing_or_a_gap_has_no_number(seconds):
    assert metrics.shifted_geometric_mean(seconds, 1.0) is None
    assert metrics.penalized_average(seconds, np.ones(len(seconds), bool), np.full(len(seconds), 9.0)) is None
    assert metrics.share_faster(seconds, seconds) is None
    assert metrics.share_faster(np.zeros(len(seconds)), seconds) is None
    assert metrics.geometric_mean_ratio(seconds, seconds) is None


def test_share_larger_by_hand():
    nan = float("nan")
    v = np.array([1.0, 2.0, 1.0, nan, 1.0, nan, 1e6 + 2.0, 1e6 + 0.5])
    w = np.array([2.0, 1.0, 1.0 - 1e-7, 1.0, nan, nan, 1e6, 1e6])
    assert metrics.share_larger(v, w, 1e-6) == 3 / 8  # the second, the fifth, the seventh
    assert metrics.share_larger(w, v, 1e-6) == 2 / 8
    assert metrics.share_larger(v[:0], w[:0], 1e-6) is None
