"""Sign-flip tests: by hand, exact against drawn, and false alarms where there is no difference."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from vnnbench.leaderboard.ranking import sign_flips
from vnnbench.leaderboard.ranking.ranks import SIGNIFICANCE, holm
from vnnbench.leaderboard.ranking.sign_flips import FEWEST, flip_tests, least_p

REPETITIONS = 2_000
MOST_ALARMS = 0.05 + 2 * np.sqrt(0.05 * 0.95 / REPETITIONS)


def pair(differences):
    """Return p of two settings with these differences."""
    return flip_tests(np.stack([differences, np.zeros(len(differences))], axis=1))[0, 1]


def test_p_by_hand():
    assert pair([1.0, 2.0, 3.0, 4.0, 5.0]) == 2 / 32
    # 1 + 2 - 4 = -1: of the eight sums only those of 1, 2, 4 with |sum| >= 1 count, and that is all of them
    assert pair([1.0, 2.0, -4.0]) == 1.0
    # 6 + 3 - 1 = 8: 10, 8 and their negatives
    assert pair([6.0, 3.0, -1.0]) == 4 / 8
    assert pair(np.zeros(4)) == 1.0


def test_problems_without_a_difference_change_nothing():
    assert pair([3.0, 4.0, -1.0, 0.0, 0.0]) == pair([3.0, 4.0, -1.0])
    assert pair([1.0, 2.0, 3.0, *[1e-15] * 40]) == 2 / 8


def test_pairs_of_settings_are_tested_apart_and_a_common_shift_of_a_problem_is_none():
    random = np.random.default_rng(3)
    sums = random.normal(size=(9, 3))
    found = flip_tests(sums + 100 * random.normal(size=(9, 1)))
    assert list(found) == [(0, 1), (0, 2), (1, 2)]
    for (i, j), p in found.items():
        assert p == pair(sums[:, i] - sums[:, j])


def test_p_of_many_problems_is_near_the_exact_one_and_always_the_same(monkeypatch):
    random = np.random.default_rng(1)
    exact = [random.normal(0.4, 1, 12) for _ in range(10)]
    drawn = []
    monkeypatch.setattr(sign_flips, "_EXACTLY", 11)
    for differences in exact:
        drawn.append(pair(differences))
        with monkeypatch.context() as patch:
            patch.setattr(sign_flips, "_AT_ONCE", 100)
            assert pair(differences) == pytest.approx(drawn[-1], abs=0.02)
        assert pair(differences) == drawn[-1]
    monkeypatch.undo()
    assert drawn == pytest.approx([pair(differences) for differences in exact], abs=0.02)


def test_drawn_p_is_never_0():
    assert pair(np.ones(30)) == 1 / (1 + sign_flips.DRAWS)


@pytest.mark.parametrize("problems", range(1, 9))
def test_no_p_is_below_the_least_possible_one(problems):
    assert least_p(problems, 1) == pytest.approx(min(1.0, pair(np.arange(1.0, problems + 1))))
    assert least_p(problems, 3) == min(1.0, 3 * least_p(problems, 1))
    assert (least_p(problems, 1) < SIGNIFICANCE) == (problems >= FEWEST)


def swapped(random, images, settings):
    """Times that depend on the image, with a clear difference in each, but labels that are permuted by image."""
    sums = random.gamma(2, 1, (images, 1)) + random.gamma(1, 1, (images, settings)) ** 2
    return random.permuted(sums, axis=1)


def unequal(random, images, settings):
    """Equal means; each setting has a variance of its own, and some images have several problems."""
    problems = random.integers(1, 5, images)
    spread = 4.0 ** np.arange(settings)
    return np.stack([random.normal(0, spread, (n, settings)).sum(axis=0) for n in problems])


@pytest.mark.parametrize("null", [swapped, unequal])
@pytest.mark.parametrize(("images", "settings"), [(8, 2), (12, 3), (40, 2)])
def test_false_alarms_are_at_most_five_per_cent(null, images, settings, monkeypatch):
    """The share of 2,000 draws in which any pair seems to differ, after Holm's correction."""
    monkeypatch.setattr(sign_flips, "DRAWS", 1_000)  # a test with fewer draws has the same level
    random = np.random.default_rng(images)
    alarms = 0
    for _ in range(REPETITIONS):
        p = flip_tests(null(random, images, settings))
        alarms += min(holm(list(p.values()))) < SIGNIFICANCE
    assert alarms / REPETITIONS <= MOST_ALARMS


def test_a_clear_difference_is_found():
    random = np.random.default_rng(5)
    found = [pair(random.normal(1.0, 1.0, 12)) < SIGNIFICANCE for _ in range(200)]
    assert np.mean(found) > 0.8


def test_all_combinations_of_signs_are_taken():
    differences = np.array([0.3, 1.7, 2.9, 0.8])
    sums = [abs(np.dot(signs, differences)) for signs in itertools.product([-1, 1], repeat=4)]
    flipped = np.array([0.3, -1.7, 2.9, 0.8])
    assert pair(flipped) == np.mean([own >= abs(flipped.sum()) - 1e-12 for own in sums])
