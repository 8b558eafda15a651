"""A question without a threshold, from the plan to the leaderboard: the problem `top` of `values`."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from support.brute_force import brute_force
from support.scripts import Steps
from support.silent import Silent
from vnnbench.cli import run_command
from vnnbench.errors import UsageError
from vnnbench.harness import run_plan
from vnnbench.instances.library.checks import check_files, check_lifting, check_row
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.onnx_files.reader import read_perceptron
from vnnbench.instances.properties.property_file import read_property
from vnnbench.judging.judge import Judge
from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.leaderboard.words import Evidence
from vnnbench.ledger.confirm import confirm
from vnnbench.ledger.run_identity import StopGoal
from vnnbench.ledger.writer import LEDGER_NAME
from vnnbench.runs.plan import RunLimits, parse_setting, plan_runs
from vnnbench.solvers.registry import get_solver, installed_solvers

DENSE, PRUNED = "top--tight", "top-mag-u10--tight"
LIMITS = RunLimits(StopGoal.OPTIMIZE, time_limit_seconds=60.0)


@pytest.fixture
def most(values):
    """Return the largest value of an instance's own network."""

    def find(instance):
        row = values.row(instance)
        return brute_force(read_perceptron(values.network_path(row)), read_property(values.property_path(row)))

    return find


@pytest.fixture
def corner(values):
    """The best corner of the box, on the dense network, and its exact value as float64."""
    network = ExactNetwork(read_perceptron(values.dense_network_path(values.row(DENSE))))
    corners = [np.array([float(n >> i & 1) for i in range(3)]) for n in range(8)]
    best = max(corners, key=lambda x: network.outputs(x)[0])
    return best, float(network.outputs(best)[0])


# -- the library -----------------------------------------------------------------------------------------------------


def test_library_has_no_findings(values):
    assert list(check_files(values)) == []
    for row in values.rows:
        assert list(check_lifting(values, row)) == []


@pytest.mark.parametrize("column", ["norm", "radius", "source", "dataset", "threshold", "family", "centre_value"])
def test_a_catalogue_that_says_otherwise_is_found(values, column, tmp_path):
    row = values.row(DENSE)
    wrong = replace(row, **{column: "verify" if column in ("family", "norm", "dataset") else 1})
    object.__setattr__(copy := replace(values), "rows", (wrong,))
    assert any(f": {column} is " in finding.what for row in copy.rows for finding in check_row(copy, row))


def test_every_solver_reads_the_file_as_it_is(values, capsys):
    assert run_command(["check", str(values.folder)]) == 0
    assert "2 instances" in capsys.readouterr().out


def test_show_leaves_out_fields_that_a_maximization_lacks(values, capsys):
    assert run_command(["show", str(values.folder), DENSE]) == 0
    facts = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if len(line.split()) > 1)
    assert facts.keys().isdisjoint({"radius", "source", "target", "sample", "dataset", "threshold", "variant"})
    assert (facts["family"], facts["norm"]) == ("maximize", "box")
    assert run_command(["show", str(values.folder)]) == 0
    assert "top" in capsys.readouterr().out


# -- running ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("goal", [StopGoal.FIND, StopGoal.DECIDE])
def test_other_goals_than_the_optimum_are_refused_in_one_line(values, goal, tmp_path, capsys):
    with pytest.raises(UsageError, match=f"--goal {goal}: {DENSE} has no threshold; use --goal optimize"):
        plan_runs(values.rows, [parse_setting("highs")], [0], replace(LIMITS, goal=goal))
    command = ["run", str(values.folder), "--results", str(tmp_path / "r"), "--solver", "highs", "--goal", str(goal)]
    assert run_command(command) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("solver", ["highs", "scip", "gurobi", "cbc", "glpk"])
def test_optimum_is_that_of_brute_force_and_confirmed_on_the_dense_network(solver, values, most, tmp_path, capsys):
    if solver not in installed_solvers():
        pytest.skip(f"{solver} is not installed: {get_solver(solver).needs()}")
    plan = plan_runs(values.rows, [parse_setting(solver)], [0], LIMITS)
    run_plan(plan, values, tmp_path, 1, Silent())
    runs = read_runs(tmp_path / LEDGER_NAME).set_index("instance")
    if (runs.termination == "license_limit").any():
        pytest.skip(f"{solver}'s licence refuses the model")
    assert runs.termination.tolist() == ["optimal"] * 2
    assert runs.verdict.tolist() == ["value"] * 2
    assert runs.fault.tolist() == ["none"] * 2
    assert set(runs.evidence) <= {"exact", "repaired"}
    for instance, run in runs.iterrows():
        assert run.claimed_value == pytest.approx(most(instance), abs=1e-6)
        assert run.dual_bound == pytest.approx(most(instance), abs=1e-6)
        # A candidate within 1e-9 of the box is repaired; its value moves by no more than that times the slope.
        assert run.replayed_value == pytest.approx(run.claimed_value, abs=1e-6)
    # The dense network's value at the surrogate's best input, which is at most the dense optimum.
    assert runs.best_exact_value[DENSE] == pytest.approx(most(DENSE), abs=1e-6)
    assert runs.best_exact_value[PRUNED] <= runs.best_exact_value[DENSE] + 1e-6
    assert runs.best_exact_value[PRUNED] != pytest.approx(runs.claimed_value[PRUNED], abs=1e-6)
    assert runs.float32_beats_all.isna().all()
    assert runs.float32_value[DENSE] == pytest.approx(runs.best_exact_value[DENSE], abs=1e-6)
    assert confirm(tmp_path, LibrarySet((values,)), Silent()) == []
    board = build_leaderboard(read_runs(tmp_path / LEDGER_NAME))
    (pair,) = board.surrogate_values
    assert [
        (row.group, row.runs, row.solved, row.values, row.counterexamples, row.robust_claimed, row.wrong)
        for row in board.settings
    ] == [(("dense",), 1, 1, 1, 0, 0, 0), (("surrogate",), 1, 1, 1, 0, 0, 0)]
    assert (pair.pairs, pair.surrogate_better, pair.dense_values) == (1, 0.0, 1)
    for by in ("norm", "radius", "source", "dataset", "sample", "input_side", "threshold"):
        assert run_command(["leaderboard", str(tmp_path), "--by", by]) == 0
    assert "optimize" not in capsys.readouterr().err


def test_a_bound_below_what_an_input_reaches_is_the_solvers_fault(values, play_values, corner):
    x, value = corner
    steps = Steps(values, values.row(DENSE))
    row = play_values(DENSE, [steps.incumbent(x), steps.result("optimal", x, value - 1e-3)], "optimize")
    assert (row["verdict"], row["evidence"], row["fault"]) == ("value", "exact", "solver")
    assert row["best_exact_value"] == value
    assert "refuted by" in row["fault_reason"]


def test_a_bound_below_the_value_at_the_centre_is_refuted_without_any_candidate(values, play_values):
    bound = values.row(DENSE).centre_value - 1e-3
    row = play_values(DENSE, [["result", "optimal", None, None, -bound]], "optimize")
    assert (row["verdict"], row["evidence"], row["fault"]) == ("unknown", "none", "solver")
    assert "the centre of the set" in row["fault_reason"]


def test_a_value_that_no_input_has_is_the_solvers_fault(values, play_values, corner):
    x, value = corner
    steps = Steps(values, values.row(DENSE))
    columns = steps.columns(x)
    row = play_values(DENSE, [["result", "optimal", -(value + 0.5), columns, -(value + 0.5)]], "optimize")
    assert (row["verdict"], row["fault"], row["best_exact_value"]) == ("value", "solver", value)
    assert "its columns give" in row["fault_reason"]


def test_infeasible_is_the_solvers_fault(values, play_values):
    row = play_values(DENSE, [["result", "infeasible", None, None, None]], "optimize")
    assert (row["verdict"], row["fault"]) == ("unknown", "solver")


def test_a_surrogates_bound_is_not_refuted_by_a_value_of_the_dense_network(values, play_values, corner):
    x, value = corner
    surrogate = Steps(values, values.row(PRUNED))
    own = float(surrogate.judge.judge(x).own_value)
    assert own != value
    row = play_values(PRUNED, [surrogate.incumbent(x), surrogate.result("optimal", x, own)], "optimize")
    assert (row["verdict"], row["fault"], row["best_exact_value"]) == ("value", "none", value)


def test_the_goal_is_not_reached_by_a_first_candidate(values, play_values, corner):
    """Every candidate confirms a value, and yet the solver goes on."""
    x, value = corner
    steps = Steps(values, values.row(DENSE))
    centre = np.full(3, 0.5)
    row = play_values(DENSE, [steps.incumbent(centre), steps.incumbent(x), steps.result("optimal", x, 1.0)], "optimize")
    assert (row["ended_by"], row["incumbents"], row["best_exact_value"]) == ("solver", 2, value)


# -- judging ---------------------------------------------------------------------------------------------------------


def test_a_point_outside_is_clipped_into_the_box(values, corner):
    x, value = corner
    judge = Judge.of_instance(values, values.row(DENSE))
    outside = x + 1e-9 * (2 * x - 1)
    found = judge.judge(outside)
    assert (found.point.tolist(), found.evidence, found.success) == (x.tolist(), Evidence.REPAIRED, True)
    assert float(found.value) == value
    far = judge.judge(x + 100 * (2 * x - 1))
    assert (far.point.tolist(), far.confirmed, far.success, far.raw_violation) == (x.tolist(), True, False, 100.0)


def test_value_is_exact(values):
    judge = Judge.of_instance(values, values.row(DENSE))
    network = read_perceptron(values.dense_network_path(values.row(DENSE)))
    for x in np.random.default_rng(1).random((20, 3)):
        h = [Fraction(v) for v in x.tolist()]
        for k, (W, b) in enumerate(zip(network.weights, network.biases, strict=True)):
            z = [
                sum((Fraction(w) * v for w, v in zip(row, h, strict=True)), Fraction(c))
                for row, c in zip(W.tolist(), b.tolist(), strict=True)
            ]
            h = z if k else [max(v, Fraction(0)) for v in z]
        assert judge.judge(x).value == h[0]


def test_judge_confirms_a_solution_and_says_the_value(values, corner, tmp_path, capsys):
    x, value = corner
    np.savez(tmp_path / "x.npz", inputs=np.array([np.full(3, 0.5), x]))
    command = ["judge", str(values.folder), DENSE, str(tmp_path / "x.npz")]
    assert run_command([*command, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["confirmed"], found["exact_value"], found["float32_beats_all"]) == (True, value, None)
    assert run_command(command) == 0
    assert "confirmed: a value that is reached, in exact arithmetic" in capsys.readouterr().out
    (tmp_path / "x.sol").write_text(f"x_0 {x[0]}\nx_1 {x[1]}\nx_2 {x[2]}\n")
    assert run_command(["judge", str(values.folder), PRUNED, str(tmp_path / "x.sol"), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["exact_value"] == value
