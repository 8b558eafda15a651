"""The closest counterexample, from the plan to the leaderboard: the problem `near` of `distances`."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from support.scripts import Steps
from support.silent import Silent
from vnnbench.cli import run_command
from vnnbench.errors import UsageError
from vnnbench.harness import run_plan
from vnnbench.instances.library.checks import check_files, check_lifting, check_row
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.judging.judge import Judge
from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.leaderboard.words import Evidence
from vnnbench.ledger.confirm import confirm
from vnnbench.ledger.run_identity import StopGoal
from vnnbench.ledger.writer import LEDGER_NAME
from vnnbench.runs.plan import RunLimits, parse_setting, plan_runs
from vnnbench.solvers.registry import get_solver, installed_solvers

DENSE, PRUNED = "near--tight", "near-mag-u10--tight"
LIMITS = RunLimits(StopGoal.OPTIMIZE, time_limit_seconds=60.0)
NEAREST = [1.0, 0.75, 0.5, 0.5]
"""A point at distance 1, where class 1 leads by exactly 1/4."""


@pytest.fixture
def judge(distances) -> Judge:
    return Judge.of_instance(distances, distances.row(DENSE))


# -- the library -----------------------------------------------------------------------------------------------------


def test_library_has_no_findings(distances):
    assert list(check_files(distances)) == []
    for row in distances.rows:
        assert list(check_row(distances, row)) == list(check_lifting(distances, row)) == []
    row = distances.row(DENSE)
    assert (row.family, row.threshold, row.centre_value, row.source, row.target) == ("closest", None, None, 0, 1)


def test_every_solver_reads_the_file_as_it_is(distances, capsys):
    assert run_command(["check", str(distances.folder)]) == 0
    assert "2 instances" in capsys.readouterr().out


# -- running ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("goal", [StopGoal.FIND, StopGoal.DECIDE])
def test_other_goals_than_the_optimum_are_refused_in_one_line(distances, goal):
    with pytest.raises(UsageError, match=f"--goal {goal}: {DENSE} has no threshold; use --goal optimize"):
        plan_runs(distances.rows, [parse_setting("highs")], [0], replace(LIMITS, goal=goal))


@pytest.mark.parametrize("solver", ["highs", "scip", "gurobi"])
def test_the_radius_is_found_and_confirmed(solver, distances, tmp_path):
    if solver not in installed_solvers():
        pytest.skip(f"{get_solver(solver).module} is not installed")
    plan = plan_runs(distances.rows, [parse_setting(solver)], [0], LIMITS)
    run_plan(plan, distances, tmp_path, 1, Silent())
    runs = read_runs(tmp_path / LEDGER_NAME).set_index("instance")
    if (runs.termination == "license_limit").any():
        pytest.skip(f"{solver}'s licence refuses the model")
    assert runs.termination.tolist() == ["optimal"] * 2
    assert set(runs.fault) <= {"none", "tolerance"}
    # At the surrogate's optimum the dense network is 1/2 short; an earlier, farther incumbent may reach the margin.
    assert runs.verdict[DENSE] == "value" and runs.verdict[PRUNED] in ("value", "unknown")
    for instance, value in ((DENSE, -1.0), (PRUNED, -0.5)):
        assert runs.claimed_value[instance] == pytest.approx(value, abs=2e-6)
        assert runs.dual_bound[instance] == pytest.approx(value, abs=2e-6)
        assert runs.replayed_value[instance] == pytest.approx(value, abs=2e-6)
    assert runs.best_exact_value[DENSE] == pytest.approx(-1.0, abs=2e-6)
    assert runs.best_exact_value[DENSE] <= -1.0
    assert runs.evidence[DENSE] in ("exact", "repaired")
    assert runs.raw_violation[DENSE] <= 1e-6
    assert confirm(tmp_path, LibrarySet((distances,)), Silent()) == []
    rows = build_leaderboard(read_runs(tmp_path / LEDGER_NAME)).settings
    assert [(row.runs, row.counterexamples, row.robust_claimed, row.wrong) for row in rows] == [(1, 0, 0, 0)] * 2
    found = (runs.verdict == "value").sum()
    assert sum(row.solved for row in rows) == sum(row.values for row in rows) == found


def test_a_bound_beyond_a_confirmed_distance_is_the_solvers_fault(distances, play_distances):
    steps = Steps(distances, distances.row(DENSE))
    row = play_distances(DENSE, [steps.incumbent(NEAREST), steps.result("optimal", NEAREST, -1.001)], "optimize")
    assert (row["verdict"], row["evidence"], row["fault"]) == ("value", "exact", "solver")
    assert "refuted by" in row["fault_reason"]


def test_infeasible_is_a_fault_only_where_a_distance_is_confirmed(distances, play_distances):
    infeasible = [["result", "infeasible", None, None, None]]
    row = play_distances(DENSE, infeasible, "optimize")
    assert (row["verdict"], row["fault"]) == ("unknown", "none")
    steps = Steps(distances, distances.row(DENSE))
    play_distances(DENSE, [steps.incumbent(NEAREST), steps.result("optimal", NEAREST, -1.0)], "optimize")
    assert play_distances.row(row["run"])["fault"] == "solver"


def test_a_point_that_misses_the_margin_has_no_value_and_its_claim_is_refuted(distances, play_distances):
    steps = Steps(distances, distances.row(DENSE))
    x = [0.75, 0.75, 0.5, 0.5]  # at distance 3/4 class 1 leads by 0
    row = play_distances(DENSE, [steps.incumbent(x), steps.result("optimal", x, -0.75)], "optimize")
    assert (row["verdict"], row["evidence"], row["best_exact_value"]) == ("unknown", "none", None)
    assert (row["fault"], row["replayed_value"]) == ("solver", -1.0)
    assert "violate the file by 0.25" in row["fault_reason"]


def test_a_surrogates_distance_counts_on_the_surrogate(distances, play_distances):
    steps = Steps(distances, distances.row(PRUNED))
    x = [0.75, 0.5, 0.5, 0.5]
    row = play_distances(PRUNED, [steps.incumbent(x), steps.result("optimal", x, -0.6)], "optimize")
    assert (row["verdict"], row["fault"]) == ("unknown", "solver")
    assert "refuted by -0.5" in row["fault_reason"]


# -- judging ---------------------------------------------------------------------------------------------------------


def test_a_point_that_reaches_the_margin_is_judged_as_given(judge):
    found = judge.judge(np.array(NEAREST))
    assert (found.value, found.own_value, found.raw_violation) == (-1, -1, 0)
    assert found.confirmed and found.success and found.evidence is Evidence.EXACT


@pytest.mark.parametrize(("short", "success"), [(1e-15, True), (1e-9, True), (1e-6, True), (1e-4, False)])
def test_a_point_that_is_a_little_short_is_pushed_out_along_its_ray(judge, short, success):
    x = np.array([0.875 - short, 0.875, 0.5, 0.5])
    assert judge._original.value(x) is None
    found = judge.judge(x)
    assert found.confirmed and found.success is success and found.evidence is Evidence.REPAIRED
    assert short <= found.raw_violation < 5 * short + 1e-15
    assert -1 - Fraction(5 * short) - Fraction(1, 10**15) < found.value <= -1
    assert judge.problem.violation(found.point) == 0
    # The point is on the ray, up to rounding.
    step, pushed = x - judge.problem.centre, found.point - judge.problem.centre
    assert pushed == pytest.approx(step * (np.abs(pushed).sum() / np.abs(step).sum()), abs=1e-12)


@pytest.mark.parametrize("x", [[0.875, 0.75, 0.5, 0.5], [0.5, 0.25, 0.5, 0.5], [0.99, 0.75, 0.5, 0.5]])
def test_a_point_that_is_far_short_is_not_confirmed(judge, x):
    found = judge.judge(np.array(x))
    assert (found.value, found.own_value, found.confirmed, found.evidence) == (None, None, False, Evidence.NONE)


def test_a_point_beyond_the_largest_radius_is_repaired_into_it(judge):
    found = judge.judge(np.array([3.0, 1.0, 1.0, 0.0]))  # clipped to distance 9/4, shrunk to 2
    assert found.confirmed and not found.success
    assert Fraction(-2) <= found.value < Fraction(-199, 100)


def test_the_pushed_point_is_what_is_deployed(judge):
    found = judge.judge(np.array(NEAREST))
    deployed = judge.deploy(found.point)
    assert (deployed.value, deployed.beats_all) == (-1.0, True)
    assert judge.deploy(np.array([0.75, 0.75, 0.5, 0.5])).value == -0.75 - 0.25


def test_judge_confirms_a_distance_and_says_the_value(distances, tmp_path, capsys):
    np.savez(tmp_path / "x.npz", inputs=np.array([[0.5, 0.25, 0.5, 0.5], NEAREST]))
    command = ["judge", str(distances.folder), DENSE, str(tmp_path / "x.npz")]
    assert run_command([*command, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["confirmed"], found["exact_value"]) == (True, -1.0)
    assert run_command(command) == 0
    assert "confirmed: a distance at which the margin is reached" in capsys.readouterr().out
    np.savez(tmp_path / "x.npz", inputs=np.array([[0.5, 0.25, 0.5, 0.5]]))
    assert run_command(command) == 1
