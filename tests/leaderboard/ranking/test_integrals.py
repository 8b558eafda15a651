"""Integrals of step functions small enough to draw."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vnnbench.leaderboard.ranking import integrals as module
from vnnbench.leaderboard.ranking.integrals import gap_integrals, integrals
from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.ranking.outcomes import judge_outcomes

numbers = st.floats(-1e6, 1e6)


def gap(value, reference, scale):
    return float(module.gap(*(np.array([number]) for number in (value, reference, scale)))[0])


@pytest.mark.parametrize(
    ("value", "reference", "expected"),
    [(0.0, 0.0, 0.0), (1.0, 2.0, 0.5), (-2.0, -1.0, 0.5), (-1.0, 2.0, 1.0), (0.0, 3.0, 1.0), (8.0, 2.0, 0.75)],
)
def test_gap_without_a_scale_is_that_of_berthold(value, reference, expected):
    assert gap(value, reference, 0.0) == expected


@pytest.mark.parametrize(
    ("value", "reference", "scale", "expected"),
    [
        (-10.0, 0.5, 10.5, 1.0),  # at the centre itself
        (-4.75, 0.5, 10.5, 0.5),  # half way from there
        (5.75, 0.5, 10.5, 0.5),  # a bound as far above
        (-6.0, -4.0, 2.0, 2 / 6),  # far from zero the values themselves are larger
        (1e9, 0.5, 10.5, 1.0 - 0.5e-9),
    ],
)
def test_gap_of_margins_is_measured_against_the_way_from_the_centre(value, reference, scale, expected):
    assert gap(value, reference, scale) == pytest.approx(expected, rel=1e-12)


@given(numbers, numbers, st.floats(0, 1e6))
def test_gap_lies_between_0_and_1_and_is_0_at_the_best_value_alone(value, reference, scale):
    assert 0.0 <= gap(value, reference, scale) <= 1.0
    assert gap(reference, reference, scale) == 0.0


@pytest.mark.parametrize(
    ("steps", "answered", "expected"),
    [
        ([], 99.0, 10.0),  # no value at all: 1 throughout
        ([(1.0, 0.5), (3.0, 0.25)], 99.0, 1 + 2 * 0.5 + 7 * 0.25),
        ([(1.0, 0.5), (3.0, 0.25)], 4.0, 1 + 2 * 0.5 + 1 * 0.25),
        ([(1.0, 0.5), (3.0, 0.25)], 0.5, 0.5),
        ([(0.0, 0.0)], 99.0, 0.0),
        ([(2.0, 0.5), (2.0, 0.0)], 99.0, 2.0),  # two at once: the last counts
        ([(12.0, 0.0)], 99.0, 10.0),  # after the limit
    ],
)
def test_integral_by_hand(steps, answered, expected):
    # between two other runs, whose steps do not count here
    runs = [[(5.0, 0.5)], steps, [(1.0, 0.0)]]
    flat = np.array([(run, *step) for run, own in enumerate(runs) for step in own])
    ends = np.array([10.0, min(10.0, answered), 8.0])
    found = gap_integrals(flat[:, 0].astype(int), flat[:, 1], flat[:, 2], ends)
    assert found == pytest.approx([7.5, expected, 1.0], abs=1e-12)


def test_runs_without_any_steps_count_in_full():
    nothing = np.empty(0)
    assert gap_integrals(nothing.astype(int), nothing, nothing, np.array([3.0, 4.0])).tolist() == [3.0, 4.0]


def steps(*pairs):
    return json.dumps(list(pairs))


def measured(ledger):
    runs = ledger.runs()
    return integrals(judge_outcomes(runs)).set_index(runs["run"])


def test_primal_integral_is_measured_against_the_best_value_of_any_run_of_the_problem(ledger):
    sha = ledger.instance("a", centre_value=-3.0)
    other = ledger.instance("a-mag", network="net-mag", centre_value=7.0)  # not the problem's centre value
    ledger.run("r", sha, wall_seconds=100.0)
    ledger.judge("r", best_exact_value=-1.5, primal_steps=steps([10.0, -3.0], [50.0, -1.5]))
    ledger.run("best", other, solver="scip")
    ledger.judge("best", best_exact_value=-1.0, primal_steps=steps([20.0, -1.0]))
    # r = -1, |r - c| = 2: gap(-3) = 2 / max(1, 3, 2), gap(-1.5) = 0.5 / max(1, 1.5, 2)
    found = measured(ledger)
    assert found.primal["r"] == pytest.approx(10 + 40 * 2 / 3 + 50 * 0.25)
    assert found.primal["best"] == pytest.approx(20.0)


def test_a_solved_run_has_nothing_left_to_gain(ledger):
    sha = ledger.instance("a", centre_value=-1.0)
    ledger.found("quick", sha, 2.0, value=0.5, solver="scip")
    ledger.judge("quick", confirmed=1, evidence="exact", best_exact_value=0.5, first_success_seconds=2.0,
                 primal_steps=steps([1.0, -1.0], [2.0, 0.5]))  # fmt: skip
    ledger.run("better", sha, goal="optimize")
    ledger.judge("better", best_exact_value=1.0, primal_steps=steps([30.0, 1.0]))
    assert measured(ledger).primal.to_dict() == pytest.approx({"quick": 1 + 1 * 1.0, "better": 30.0})


def test_dual_integral_by_hand(ledger):
    sha = ledger.instance("a", centre_value=-3.0)
    ledger.run("r", sha, dual_bound=0.0, dual_steps=steps([5.0, 3.0], [20.0, 0.0]))
    ledger.judge("r", best_exact_value=-1.0, primal_steps=steps([1.0, -1.0]))
    # |r - c| = 2: gap(3) = min(1, 4 / 3) = 1, gap(0) = 1 / 2
    assert measured(ledger).dual["r"] == pytest.approx(20 + 80 * 0.5)


def test_refuted_bound_counts_as_missing(ledger):
    sha = ledger.instance("a", centre_value=-3.0)
    ledger.run("r", sha, dual_bound=-2.0, dual_steps=steps([10.0, 0.0], [20.0, -2.0]))
    ledger.judge("r", primal_steps="[]")
    ledger.run("witness", sha, solver="scip", dual_steps=steps([10.0, -1.0 - 1e-7]))
    ledger.judge("witness", best_exact_value=-1.0, primal_steps=steps([1.0, -1.0]))
    found = measured(ledger)
    assert found.dual["r"] == pytest.approx(10 + 90 * 0.5)
    assert found.dual["witness"] == pytest.approx(10 + 90 * 5e-8)  # off by less than any bound's tolerance


def test_bounds_of_a_surrogate_have_no_dual_integral(ledger):
    ledger.run("s", ledger.instance("s", network="net-mag"), dual_steps=steps([1.0, 0.0]))
    ledger.judge("s", primal_steps="[]")
    found = measured(ledger)
    assert found.dual.isna()["s"] and found.primal["s"] == 100.0
    (row,) = build_leaderboard(ledger.runs()).settings
    assert (row.primal_integral_seconds, row.dual_integral_seconds) == (100.0, None)


def test_problem_without_any_known_value_counts_in_full(ledger):
    ledger.run("r", ledger.instance("a"), dual_steps=steps([1.0, 5.0]))
    ledger.judge("r", primal_steps="[]")
    found = measured(ledger)
    assert (found.primal["r"], found.dual["r"]) == (100.0, 100.0)


def test_means_are_over_the_runs_of_the_common_set_whose_steps_were_recorded(ledger):
    a, b = (ledger.instance(name, problem=name, centre_value=-1.0) for name in "ab")
    for solver, seconds in (("highs", 10.0), ("scip", 30.0)):
        ledger.run(f"{solver}a", a, solver=solver, dual_steps=steps([2 * seconds, -1.0]))
        ledger.judge(f"{solver}a", best_exact_value=-1.0, primal_steps=steps([seconds, -1.0]))
    ledger.run("highsb", b, dual_steps="[]")
    ledger.judge("highsb", primal_steps="[]")
    means = {
        row.setting.label: (row.primal_integral_seconds, row.dual_integral_seconds)
        for row in build_leaderboard(ledger.runs()).settings
    }
    assert means == {"highs": (10.0, 20.0), "scip": (30.0, 60.0)}
    ledger.run("scipb", b, solver="scip")  # an earlier version kept no steps
    means = {
        row.setting.label: (row.primal_integral_seconds, row.dual_integral_seconds)
        for row in build_leaderboard(ledger.runs()).settings
    }
    assert means == {"highs": (55.0, 60.0), "scip": (30.0, 60.0)}
    known = {row.setting.label: row.primal_integral_runs for row in build_leaderboard(ledger.runs()).settings}
    assert known == {"highs": 2, "scip": 1}


@pytest.mark.parametrize(
    "text",
    ["nonsense", "[1, 2]", "[[1, 2, 3]]", '[[1, "x"]]', "{}x", "[[1, null]]", "[[1, 2]],[[1, 2]]", "[" * 100_000,
     '{"12": 0}', "[[0, 1e999]]"],
)  # fmt: skip
def test_malformed_steps_count_as_not_recorded(ledger, text):
    """One such run must not keep all others from being ranked."""
    sha = ledger.instance("a")
    for run, own in (("q", "[[1, 2]]"), ("r", text), ("s", "[]")):
        ledger.run(run, sha, solver=run)
        ledger.judge(run, primal_steps=own, best_exact_value=2.0)
    found = {row.setting.label: row.primal_integral_seconds for row in build_leaderboard(ledger.runs()).settings}
    assert found == {"q": 1.0, "r": None, "s": 100.0}
