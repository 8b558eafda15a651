"""The runs that count as solved, and the column of every run."""

from __future__ import annotations

from itertools import product

import pandas as pd
import pytest

from support.rankings import rows
from vnnbench.leaderboard.ranking.outcomes import judge_outcomes
from vnnbench.leaderboard.words import EndedBy, Fault, LedgerError
from vnnbench.solvers.base import Termination


def solved(ledger):
    (row,) = rows(ledger).values()
    return row.solved, row.counterexamples


def test_repaired_counterexample_is_not_a_success(ledger):
    ledger.run("r", ledger.instance("a"), wall_seconds=5.0)
    ledger.judge("r", confirmed=1, evidence="repaired", best_exact_value=0.5, raw_violation=1e-3)
    assert solved(ledger) == (0, 0)


def test_success_in_time_counts_though_stopping_took_longer(ledger):
    ledger.found("r", ledger.instance("a"), 99.9, wall_seconds=100.4)
    assert solved(ledger) == (1, 1)
    assert rows(ledger)["highs",].par10_seconds == 100.0


def test_answers_after_the_time_limit_do_not_count(ledger):
    ledger.found("late", ledger.instance("a"), 100.1)
    ledger.robust("late2", ledger.instance("b", problem="q"), 100.1)
    row = rows(ledger)["highs",]
    counts = (row.solved, row.counterexamples, row.robust_claimed, row.timeouts, row.other)
    assert counts == (0, 0, 0, 2, 0)


@pytest.mark.parametrize(
    ("termination", "goal", "column"),
    [
        ("optimal", "optimize", "timeouts"),
        ("infeasible", "decide", "timeouts"),  # on a surrogate it would have been spent
        ("node_limit", "decide", "other"),
        ("memory_limit", "decide", "memory"),
    ],
)
def test_run_that_ends_late_with_an_answer_is_a_timeout(ledger, termination, goal, column):
    surrogate = ledger.instance("a", network="net-mag")
    ledger.run("r", surrogate, goal=goal, termination=termination, wall_seconds=100.5)
    row = rows(ledger)["highs",]
    counts = {name: getattr(row, name) for name in ("timeouts", "other", "memory", "spent", "solved")}
    assert counts == {name: int(name == column) for name in counts}


def test_success_in_time_is_not_a_timeout_though_the_optimum_came_late(ledger):
    ledger.found("r", ledger.instance("a"), 99.9, termination="optimal", wall_seconds=100.4)
    row = rows(ledger)["highs",]
    assert (row.solved, row.timeouts) == (1, 0)


def test_optimum_that_came_late_is_a_timeout_though_a_counterexample_was_in_time(ledger):
    sha = ledger.instance("a")
    ledger.found("r", sha, 1.0, goal="optimize", termination="optimal", ended_by="solver", wall_seconds=100.4)
    row = rows(ledger)["highs",]
    assert (row.solved, row.counterexamples, row.timeouts, row.other) == (0, 1, 1, 0)


def test_goal_optimize_is_solved_by_the_optimum_only(ledger):
    sha = ledger.instance("a")
    ledger.found("incumbent", sha, 1.0, goal="optimize", termination="time_limit", ended_by="solver", wall_seconds=99.0)
    assert solved(ledger) == (0, 1)
    ledger.found("optimum", sha, 1.0, goal="optimize", termination="optimal", wall_seconds=20.0, seed=1)
    assert solved(ledger) == (1, 2)


@pytest.mark.parametrize(
    ("bound", "settings", "is_solved"),
    [
        (0.5, '{"mip_gap": 1.0}', True),  # a gap allowed it to stop earlier, but it did not
        (0.5 + 0.9e-4, '{"mip_gap": 1.0}', True),
        (0.75, '{"mip_gap": 1.0}', False),
        (0.75, "{}", False),
        (None, '{"mip_gap": 1.0}', False),
        (None, "{}", True),  # some programs print no bound
    ],
)
def test_optimum_within_a_gap_is_neither_solved_nor_spent(ledger, bound, settings, is_solved):
    sha = ledger.instance("a", family="maximize", threshold=None)
    ledger.run(
        "r", sha, goal="optimize", termination="optimal", wall_seconds=10.0, settings=settings, claimed_value=0.5,
        dual_bound=bound,
    )  # fmt: skip
    ledger.judge("r", best_exact_value=0.5, own_value=0.5, evidence="exact")
    (row,) = rows(ledger).values()
    assert (row.solved, row.spent, row.other) == ((1, 0, 0) if is_solved else (0, 0, 1))


def test_problem_without_threshold_is_solved_by_a_confirmed_optimum(ledger):
    sha = ledger.instance("a", family="maximize", threshold=None)
    for run, termination, confirmed in [("r0", "optimal", True), ("r1", "time_limit", True), ("r2", "optimal", False)]:
        ledger.run(run, sha, seed=int(run[1]), goal="optimize", termination=termination, wall_seconds=10.0)
        ledger.judge(run, best_exact_value=1.0 if confirmed else None, evidence="exact" if confirmed else "none")
    assert solved(ledger) == (1, 0)


@pytest.mark.parametrize(
    ("termination", "ended_by", "column"),
    [
        ("time_limit", "solver", "timeouts"),
        (None, "time", "timeouts"),
        (None, "cpu", "timeouts"),
        ("memory_limit", "solver", "memory"),
        (None, "memory", "memory"),
        ("error", "solver", "errors"),
        (None, "crash", "errors"),
        ("license_limit", "solver", "license_limit"),
        ("node_limit", "solver", "other"),
        ("interrupted", "operator", "other"),
        ("unresolved", "solver", "other"),
        (None, "solver", "other"),
        (None, "output", "other"),
    ],
)
def test_every_ending_has_its_column(ledger, termination, ended_by, column):
    ledger.run("r", ledger.instance("a"), termination=termination, ended_by=ended_by)
    row = rows(ledger)["highs",]
    columns = ("timeouts", "memory", "errors", "license_limit", "other", "solved", "spent", "wrong")
    assert {name: getattr(row, name) for name in columns} == {name: int(name == column) for name in columns}


def test_solved_run_is_not_a_timeout_whatever_the_solver_said_in_the_end(ledger):
    """The last reports came in time: a counterexample, and a bound that rules one out."""
    ledger.found("f", ledger.instance("a"), 99.9, termination="time_limit", ended_by="time", wall_seconds=100.4)
    ledger.robust("b", ledger.instance("b", problem="q"), 99.9, termination="time_limit")
    row = rows(ledger)["highs",]
    assert (row.runs, row.solved, row.timeouts) == (2, 2, 0)


def test_every_run_is_in_one_column(ledger):
    """One column holds a run, whatever was found, claimed, reported or wrong, in time or late, however it ended."""
    sha = ledger.instance("a")
    ledger.run("n", sha)
    ledger.robust("b", sha, 1.0)
    ledger.found("f", sha, 1.0)
    ledger.found("late", sha, 100.2)
    facts = {
        "termination": [*map(str, Termination), None],
        "ended_by": [*map(str, EndedBy)],
        "wall_seconds": [1.0, 100.4],
        "goal": ["decide", "optimize"],
        "fault": [*map(str, Fault)],
    }
    every = pd.DataFrame(product(*facts.values()), columns=[*facts])
    runs = ledger.runs().drop(columns=[*facts]).merge(every, how="cross")
    outcomes = judge_outcomes(runs.assign(seed=range(len(runs)))).outcomes
    columns = ["solved", "spent", "timeouts", "memory", "errors", "license_limit", "other", "wrong"]
    assert len(outcomes) == 4 * len(every)
    assert (outcomes[columns].sum(axis=1) == 1).all()


@pytest.mark.parametrize("other", [{}, {"seed": 1}, {"permutation": 1}, {"goal": "find"}, {"time_limit_seconds": 7.0}])
def test_a_run_has_one_name(ledger, other):
    """A ledger in which a plan has two names was edited; its common sets would be wrong."""
    sha = ledger.instance("a")
    ledger.run("a", sha)
    ledger.run("b", sha, **other)
    if other:
        assert len(judge_outcomes(ledger.runs()).outcomes) == 2
    else:
        with pytest.raises(LedgerError, match="run b: is in the ledger under a second name too"):
            judge_outcomes(ledger.runs())
