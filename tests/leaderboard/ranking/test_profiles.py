"""Performance profiles, done over time, the virtual best: by hand, and what must hold of any times."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vnnbench.leaderboard.ranking.profiles import contributions, done_over_time, performance_profile, virtual_best

NAN = float("nan")
# Two settings on four problems: the second is twice as slow on the first, alone on the third; the fourth is unsolved.
SECONDS = np.array([[1.0, 2.0], [6.0, 3.0], [NAN, 5.0], [NAN, NAN]])

matrices = arrays(
    np.float64,
    st.tuples(st.integers(0, 8), st.integers(1, 4)),
    elements=st.one_of(st.floats(0.0, 1e4), st.just(NAN)),
)


def as_lists(curves):
    return [(places.tolist(), heights.tolist()) for places, heights in curves]


def test_performance_profile_by_hand():
    # ratios to the best: 1 and 2; 2 and 1; none and 1; none and none
    assert as_lists(performance_profile(SECONDS)) == [([1.0, 2.0], [0.25, 0.5]), ([1.0, 2.0], [0.5, 0.75])]


def test_done_over_time_by_hand():
    assert as_lists(done_over_time(SECONDS)) == [([1.0, 6.0], [1.0, 2.0]), ([2.0, 3.0, 5.0], [1.0, 2.0, 3.0])]


def test_times_below_a_millisecond_are_equal_in_a_profile():
    assert as_lists(performance_profile(np.array([[0.0, 1e-6]]))) == [([1.0], [1.0]), ([1.0], [1.0])]


def test_virtual_best_and_contributions_by_hand():
    np.testing.assert_array_equal(virtual_best(SECONDS), [1.0, 3.0, 5.0, NAN])
    first, second = contributions(SECONDS, np.full(4, 90.0), shift=10.0)
    assert (first.alone, second.alone) == (0, 1)
    # with all (11 13 15 100)^(1/4) - 10; without the first (12 13 15 100)^..., without the second (11 16 100 100)^...
    both = (11 * 13 * 15 * 100) ** 0.25 - 10
    assert first.sgm_share == pytest.approx(1 - both / ((12 * 13 * 15 * 100) ** 0.25 - 10), abs=1e-12)
    assert second.sgm_share == pytest.approx(1 - both / ((11 * 16 * 100 * 100) ** 0.25 - 10), abs=1e-12)


def test_profiles_of_an_empty_ledger_and_of_one_setting():
    empty = np.empty((0, 2))
    assert as_lists(performance_profile(empty)) == [([], []), ([], [])]
    assert virtual_best(empty).shape == (0,)
    assert contributions(empty, np.empty(0))[0].sgm_share is None
    (alone,) = contributions(np.array([[30.0], [NAN]]), np.full(2, 90.0))
    assert alone.alone == 1  # the other setting is done with none of these
    assert alone.sgm_share == pytest.approx(1 - ((40 * 100) ** 0.5 - 10) / 90, abs=1e-12)


@given(matrices)
def test_curves_only_rise_and_end_at_what_is_solved(seconds):
    solved = (~np.isnan(seconds)).sum(axis=0)
    profiles, cactus = performance_profile(seconds), done_over_time(seconds)
    for number, (tau, share), (time, count) in zip(solved, profiles, cactus, strict=True):
        assert np.all(np.diff(tau) > 0) and np.all(np.diff(share) > 0) and np.all(tau >= 1)
        assert np.all(np.diff(time) > 0) and np.all(np.diff(count) > 0)
        assert (count[-1] if number else 0) == number
        assert (share[-1] if number else 0) == pytest.approx(number / max(len(seconds), 1))


@given(matrices)
def test_the_virtual_best_is_never_slower_and_no_contribution_negative(seconds):
    limits = np.full(len(seconds), 1e4)
    best = virtual_best(seconds)
    assert not np.any(seconds < best[:, None])
    assert np.array_equal(np.isnan(best), np.isnan(seconds).all(axis=1))
    for contribution in contributions(seconds, limits):
        assert contribution.alone >= 0
        assert contribution.sgm_share is None or -1e-9 <= contribution.sgm_share <= 1 + 1e-9
