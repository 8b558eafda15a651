"""Training problems from library to verdict: the judge, and runs of a scripted solver, honest and lying.

The problem `xor` is the samples of XOR for two integer neurons. The network `XOR_SOLVED` has no error: its neurons are
on at (1, 1), and wherever an input is 1. Weights cost 4, activations 4 and neurons 2 times 0.1, so the value is -1, and
a solver proves that no other is better. Without weights each of four samples has one error, and the value is -4.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from support.plays import Play
from support.solving import optimum_of_file
from support.train_libraries import columns_at, write_train_library
from support.train_problems import XOR_SOLVED, problem
from vnnbench.instances.formulations.mps import read_mps
from vnnbench.judging.judge import Judge
from vnnbench.leaderboard.words import Evidence

XOR = problem("int")
FORMULATIONS = ["plain", "tight"]


@pytest.fixture(scope="module")
def trainings(tmp_path_factory):
    """The library of `xor`."""
    return write_train_library(tmp_path_factory.mktemp("trainings") / "library", {"xor": XOR})


@pytest.fixture
def play(trainings, tmp_path, scripted):
    """A function that runs scripts on that library to the optimum."""
    played = Play(trainings, tmp_path / "results")
    return lambda formulation, script: played(f"xor--{formulation}", script, goal="optimize")


def columns(library, formulation, candidate=XOR_SOLVED, **changes):
    """Return the columns of a network in the file, some of them changed."""
    row = library.row(f"xor--{formulation}")
    model = read_mps(library.model_path(row))
    held = library.read_problem(row).lifter(model).lift(candidate).candidate
    found = dict(zip(model.column_names, columns_at(XOR, model, held), strict=True))
    assert changes.keys() <= found.keys()
    return list({**found, **changes}.values())


# -- judge -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("formulation", FORMULATIONS)
def test_the_judge_rounds_integers_and_evaluates_exactly(trainings, formulation):
    judge = Judge.of_instance(trainings, trainings.row(f"xor--{formulation}"))
    found = judge.judge(XOR_SOLVED)
    assert (found.value, found.evidence, found.raw_violation) == (-10 * Fraction(0.1), Evidence.EXACT, 0.0)
    near = judge.judge(XOR_SOLVED + 1e-6)
    assert near.point is not None and near.point.tolist() == XOR_SOLVED.tolist()
    assert (near.value, near.evidence, near.success) == (found.value, Evidence.REPAIRED, True)
    assert judge.judge(XOR_SOLVED + 0.3).success is False
    assert judge.judge(XOR_SOLVED[:-1]).value is None
    assert judge.judge(np.full(len(XOR_SOLVED), np.nan)).value is None
    huge = judge.judge(np.full(len(XOR_SOLVED), 1e308))
    assert huge.value is not None and huge.raw_violation == 1e308 and not huge.success


@pytest.mark.parametrize("formulation", FORMULATIONS)
def test_an_honest_solution_is_the_same_in_file_and_network(trainings, formulation):
    judge = Judge.of_instance(trainings, trainings.row(f"xor--{formulation}"))
    check = judge.hold_against_file(np.array(columns(trainings, formulation)), judge.model.column_names)
    assert (check.file_value, check.row_violation, check.replayed_value) == (pytest.approx(-1.0), 0.0, -1.0)


# -- runs --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("formulation", FORMULATIONS)
def test_minus_1_is_the_optimum(trainings, formulation, tmp_path):
    path = trainings.model_path(trainings.row(f"xor--{formulation}"))
    assert optimum_of_file("highs", path, tmp_path) == pytest.approx(-1.0)


@pytest.mark.parametrize("formulation", FORMULATIONS)
def test_an_honest_optimum_has_no_fault(trainings, play, formulation):
    script = [
        ["incumbent", 4.0, columns(trainings, formulation, np.zeros(len(XOR_SOLVED)))],
        ["result", "optimal", 1.0, columns(trainings, formulation), 1.0],
    ]
    row = play(formulation, script)
    assert (row["fault"], row["verdict"], row["best_exact_value"]) == ("none", "value", -1.0)


@pytest.mark.parametrize("formulation", FORMULATIONS)
def test_switches_that_are_left_on_cost_the_solver_but_are_no_fault(trainings, play, formulation):
    """The claim is below what the network reaches: it is what the file gives these columns."""
    on = columns(trainings, formulation, np.zeros(len(XOR_SOLVED)), KS_0=1.0)
    row = play(formulation, [["result", "time_limit", 4.1, on, 0.0]])
    assert (row["fault"], row["best_exact_value"]) == ("none", -4.0), row["fault_reason"]


@pytest.mark.parametrize("formulation", FORMULATIONS)
def test_fractional_binaries_within_solvers_tolerances_are_at_most_tolerance(trainings, play, formulation):
    """A step and a weight of 1 are off by 9e-6, which makes the objective smaller by 1.8e-6."""
    off = columns(trainings, formulation, st_1_0=1 - 9e-6, w_0_0=1 - 9e-6)
    row = play(formulation, [["result", "optimal", 1 - 1.8e-6, off, 1 - 1.8e-6]])
    assert (row["fault"], row["best_exact_value"]) == ("tolerance", -1.0), row["fault_reason"]


@pytest.mark.parametrize("formulation", FORMULATIONS)
@pytest.mark.parametrize(
    ("termination", "claimed", "bound", "reason"),
    [
        ("optimal", 0.5, 0.5, "claims the value -0.5, but its columns give -1"),
        ("optimal", 1.0, 1.5, "refuted by"),
        ("infeasible", None, None, "claims infeasible, refuted by"),
    ],
)
def test_a_lie_is_the_solvers_fault(trainings, play, formulation, termination, claimed, bound, reason):
    found = columns(trainings, formulation)
    script = [["incumbent", 1.0, found], ["result", termination, claimed, found if claimed else None, bound]]
    row = play(formulation, script)
    assert row["fault"] == "solver" and reason in row["fault_reason"], row["fault_reason"]


@pytest.mark.parametrize("formulation", FORMULATIONS)
def test_a_bound_that_the_centre_refutes_is_the_solvers_fault(trainings, play, formulation):
    """It has no solution; the network without weights, whose value is -4, is feasible for every problem."""
    row = play(formulation, [["result", "time_limit", None, None, 4.5]])
    assert row["fault"] == "solver", row["fault_reason"]


@pytest.mark.parametrize("formulation", FORMULATIONS)
def test_a_bound_that_another_run_refutes_is_the_solvers_fault(trainings, play, formulation):
    """A run in one formulation finds -1; another in the other one claims that nothing above -2 is possible."""
    other = FORMULATIONS[1 - FORMULATIONS.index(formulation)]
    play(other, [["result", "optimal", 1.0, columns(trainings, other), 1.0]])
    zeros = columns(trainings, formulation, np.zeros(len(XOR_SOLVED)))
    row = play(formulation, [["result", "time_limit", 4.0, zeros, 2.0]])
    assert row["fault"] == "solver", row["fault_reason"]
