"""The formulas, compared with arithmetic by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vnnbench.leaderboard.ranking import aggregates

times = st.lists(st.floats(0.0, 1e6), min_size=1, max_size=20).map(np.array)


def test_shifted_geometric_mean_by_hand():
    # shift 1: sqrt((0 + 1)(8 + 1)) - 1 = 3 - 1 = 2
    assert aggregates.shifted_geometric_mean(np.array([0.0, 8.0]), 1.0) == pytest.approx(2.0, abs=1e-12)
    # shift 10: sqrt((0 + 10)(30 + 10)) - 10 = 20 - 10 = 10
    assert aggregates.shifted_geometric_mean(np.array([0.0, 30.0]), 10.0) == pytest.approx(10.0, abs=1e-12)


def test_times_below_a_second_are_equal_without_a_shift_as_mittelmann_has_it():
    # sqrt(max(1, 0.3) max(1, 9)) = 3
    assert aggregates.shifted_geometric_mean(np.array([0.3, 9.0]), 0.0) == pytest.approx(3.0, abs=1e-12)


# Whole seconds of the convex continuous QPLIB benchmark of 18 January 2022, limit 7200 s, and the scaled shifted
# geometric means that H. Mittelmann printed below them (https://plato.asu.edu/ftp/cconvex.html), by the copy in
# github.com/mattmilten/mittelmann-plots, docs/cconvex-18-Jan-2022.html and docs/index.md.
CCONVEX = {
    "Gurobi-9.5.0": ([1] * 22 + [3, 3, 3, 3, 4, 8, 8, 15, 160, 7200], 1.00),
    "KNITRO-13.0.0": (
        [1, 16, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 2, 1, 2, 1, 1, 1, 1, 1, 1, 2, 5, 36, 3, 1, 8, 2, 50, 3, 120, 7200], 1.22,
    ),
    "MOSEK-9.3.11": (
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 7200, 2, 1, 6, 1, 1, 1, 1, 1, 1, 1, 3, 6, 6, 1, 6, 12, 13, 10, 62,
         4454], 1.57,
    ),
    "IPOPT-3.12.13": (
        [1, 7200, 1, 1, 1, 10, 1, 7200, 1, 2, 24, 1, 154, 1, 2, 1, 1, 1, 1, 2, 1, 5, 11, 7200, 23, 1, 33, 12, 351, 73,
         1896, 7200], 5.94,
    ),
}  # fmt: skip


def test_a_table_of_mittelmann_comes_out_as_printed():
    means = {
        name: aggregates.shifted_geometric_mean(np.array(seconds, float), 10.0)
        for name, (seconds, _) in CCONVEX.items()
    }
    best = aggregates.smallest(list(means.values()))
    assert {len(seconds) for seconds, _ in CCONVEX.values()} == {32}
    for name, (seconds, printed) in CCONVEX.items():
        # the 32nd root of the product, in exact integers up to the root
        by_root = math.exp(math.log(math.prod(t + 10 for t in seconds)) / 32) - 10
        assert means[name] == pytest.approx(by_root, abs=1e-9)
        assert round(aggregates.ratio(means[name], best), 2) == printed


def test_means_are_scaled_to_the_best():
    assert aggregates.smallest([4.0, None, 2.0]) == 2.0
    assert (aggregates.ratio(4.0, 2.0), aggregates.ratio(2.0, 2.0), aggregates.ratio(None, 2.0)) == (2.0, 1.0, None)
    assert (aggregates.smallest([None]), aggregates.ratio(4.0, None), aggregates.ratio(0.0, 0.0)) == (None, None, None)


def test_relative_gap_by_hand():
    nan = math.nan
    primal = np.array([8.0, -1.0, -2.0, 0.0, 0.0, 1e-10, -3.0, nan, 1.0, nan, 5.0])
    dual = np.array([10.0, 3.0, -1.0, 4.0, 0.0, -1e-10, -3.0, 2.0, nan, nan, 4.0])
    expected = [0.2, 1.0, 0.5, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.2]
    assert aggregates.relative_gap(primal, dual) == pytest.approx(expected, abs=1e-12)


numbers = arrays(np.float64, 5, elements=st.floats(-1e300, 1e300))


def test_a_value_is_reached_within_the_tolerance_of_a_claimed_optimum():
    values = np.array([1.0, 0.99991, 0.9998, -1999.9, 3.0, np.nan, 1.0])
    best = np.array([1.0, 1.0, 1.0, -1999.8, 2.0, 1.0, np.nan])
    assert aggregates.reached(values, best).tolist() == [True, True, False, True, True, False, False]


@given(numbers, numbers)
def test_relative_gap_is_symmetric_and_between_0_and_1(primal, dual):
    gaps = aggregates.relative_gap(primal, dual)
    assert ((gaps >= 0) & (gaps <= 1)).all()
    assert (gaps == aggregates.relative_gap(dual, primal)).all()


@given(times, st.sampled_from([1.0, 10.0, 100.0]))
def test_shifted_geometric_mean_lies_between_extremes_and_below_the_mean(seconds, shift):
    mean = aggregates.shifted_geometric_mean(seconds, shift)
    slack = 1e-9 * (shift + float(seconds.max()))
    assert seconds.min() - slack <= mean <= seconds.mean() + slack


def test_par10_by_hand():
    # (2 + 4 + 10 * 100) / 3 = 1006 / 3
    value = aggregates.penalized_average(np.array([2.0, 4.0, 7.0]), np.array([True, True, False]), np.full(3, 100.0))
    assert value == pytest.approx(1006 / 3, rel=1e-12)


def test_par_ignores_the_time_of_an_unsolved_run():
    value = aggregates.penalized_average(np.array([math.nan]), np.array([False]), np.array([60.0]), factor=2.0)
    assert value == 120.0


def test_median_first_success_is_among_those_found():
    assert aggregates.median_first_success(np.array([4.0, math.nan, 1.0])) == 2.5
    assert aggregates.median_first_success(np.array([math.nan])) is None


def test_share_faster_keeps_ties_in_the_denominator():
    dense, surrogate = np.array([100.0, 5.0, 3.0, 100.0]), np.array([2.0, 100.0, 3.0, 100.0])
    assert aggregates.share_faster(surrogate, dense) == 0.25
    assert aggregates.share_faster(dense, surrogate) == 0.25


def test_geometric_mean_ratio_by_hand():
    # ratios 100/1 and 1/4: sqrt(100 * 0.25) = 5
    assert aggregates.geometric_mean_ratio(np.array([100.0, 1.0]), np.array([1.0, 4.0])) == pytest.approx(5.0)


def test_geometric_mean_ratio_does_not_divide_by_a_time_of_zero():
    assert aggregates.geometric_mean_ratio(np.array([0.01]), np.array([0.0])) == pytest.approx(10.0)


@pytest.mark.parametrize("seconds", [np.array([]), np.array([1.0, math.nan])])
def test_empty_data_and_data_with_gaps_have_no_number(seconds):
    assert aggregates.shifted_geometric_mean(seconds, 1.0) is None
    assert aggregates.penalized_average(seconds, np.ones(len(seconds), bool), np.full(len(seconds), 9.0)) is None
    assert aggregates.share_faster(seconds, seconds) is None
    assert aggregates.share_faster(np.zeros(len(seconds)), seconds) is None
    assert aggregates.geometric_mean_ratio(seconds, seconds) is None


def test_share_larger_by_hand():
    nan = float("nan")
    v = np.array([1.0, 2.0, 1.0, nan, 1.0, nan, 1e6 + 2.0, 1e6 + 0.5])
    w = np.array([2.0, 1.0, 1.0 - 1e-7, 1.0, nan, nan, 1e6, 1e6])
    assert aggregates.share_larger(v, w, 1e-6) == 3 / 8  # the second, the fifth, the seventh
    assert aggregates.share_larger(w, v, 1e-6) == 2 / 8
    assert aggregates.share_larger(v[:0], w[:0], 1e-6) is None
