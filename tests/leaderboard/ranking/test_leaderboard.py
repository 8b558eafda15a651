"""The ranking, on ledgers small enough to rank by hand."""

from __future__ import annotations

import json
from itertools import product

import pandas as pd
import pytest

from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard, needed_columns
from vnnbench.leaderboard.ranking.outcomes import UnknownColumnError, judge_outcomes
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.leaderboard.tables.notes import notes_on
from vnnbench.leaderboard.words import EndedBy, Fault, LedgerError
from vnnbench.solvers.base import Termination


def rows(ledger, *by):
    return {(*row.group, row.setting.label): row for row in build_leaderboard(ledger.runs(), by).settings}


@pytest.fixture
def small(ledger):
    """highs and scip on three problems: highs finds a in 3 s and proves b in 8 s; scip finds a in 1 s."""
    a, b, c = (ledger.instance(name, problem=name) for name in "abc")
    ledger.found("ha", a, 3.0)
    ledger.robust("hb", b, 8.0)
    ledger.run("hc", c, ended_by="time")
    ledger.found("sa", a, 1.0, solver="scip")
    ledger.run("sb", b, solver="scip")
    ledger.run("sc", c, solver="scip", termination=None, ended_by="crash", wall_seconds=0.5)
    return ledger


def test_counts_and_times_by_hand(small):
    highs = rows(small)["highs",]
    assert (highs.runs, highs.solved, highs.counterexamples, highs.robust_claimed) == (3, 2, 1, 1)
    assert (highs.timeouts, highs.memory, highs.errors, highs.license_limit, highs.wrong) == (1, 0, 0, 0, 0)
    # times 3, 8, 100 (limit). shift 1: (4 * 9 * 101)^(1/3) - 1; shift 10: (13 * 18 * 110)^(1/3) - 10
    assert highs.sgm1_seconds == pytest.approx(3636 ** (1 / 3) - 1, abs=1e-9)
    assert highs.sgm10_seconds == pytest.approx(25740 ** (1 / 3) - 10, abs=1e-9)
    assert highs.par10_seconds == pytest.approx((3 + 8 + 1000) / 3, abs=1e-9)
    assert highs.median_first_counterexample_seconds == 3.0

    scip = rows(small)["scip",]
    assert (scip.solved, scip.timeouts, scip.errors) == (1, 1, 1)
    # A crash after 0.5 s is unsolved: times 1, 100, 100.
    assert scip.par10_seconds == pytest.approx((1 + 1000 + 1000) / 3, abs=1e-9)
    assert scip.sgm1_seconds == pytest.approx((2 * 101 * 101) ** (1 / 3) - 1, abs=1e-9)


def test_further_numbers_by_hand(small):
    highs, scip = rows(small)["highs",], rows(small)["scip",]
    # times 3, 8, 100 and 1, 100, 100
    assert highs.sgm100_seconds == pytest.approx((103 * 108 * 200) ** (1 / 3) - 100, abs=1e-9)
    assert highs.par2_seconds == pytest.approx((3 + 8 + 200) / 3, abs=1e-9)
    assert (highs.rank, highs.sgm10_ratio, scip.rank) == (1, 1.0, 2)
    assert scip.sgm10_ratio == pytest.approx(scip.sgm10_seconds / highs.sgm10_seconds, abs=1e-12)
    # the best of each: 1, 8, 100
    (best,) = build_leaderboard(small.runs()).virtual_best
    assert (best.common_runs, best.common_solved) == (3, 2)
    assert best.sgm10_seconds == pytest.approx((11 * 18 * 110) ** (1 / 3) - 10, abs=1e-9)
    assert best.par10_seconds == pytest.approx((1 + 8 + 1000) / 3, abs=1e-9)
    assert best.sgm10_ratio == pytest.approx(best.sgm10_seconds / highs.sgm10_seconds, abs=1e-12)
    assert (highs.alone, scip.alone) == (1, 0)
    assert scip.contribution == pytest.approx(1 - best.sgm10_seconds / highs.sgm10_seconds, abs=1e-12)
    assert highs.contribution == pytest.approx(1 - best.sgm10_seconds / scip.sgm10_seconds, abs=1e-12)


def test_gap_and_nodes_are_of_what_the_solver_said(ledger):
    a, b = ledger.instance("a"), ledger.instance("b", problem="q")
    ledger.run("ha", a, claimed_value=3.0, dual_bound=4.0, nodes=0)
    ledger.run("hb", b, dual_bound=4.0, nodes=300)
    ledger.run("sa", a, solver="scip", nodes=5)
    ledger.run("sb", b, solver="scip")
    highs, scip = rows(ledger)["highs",], rows(ledger)["scip",]
    assert highs.gap == pytest.approx((0.25 + 1.0) / 2, abs=1e-12)
    assert highs.nodes == pytest.approx((100 * 400) ** 0.5 - 100, abs=1e-9)
    assert (highs.nodes_runs, highs.common_runs) == (2, 2)
    assert (scip.gap, scip.nodes_runs, scip.common_runs) == (1.0, 1, 2)  # its other run did not tell
    assert scip.nodes == pytest.approx(5, abs=1e-9)


def test_nodes_of_which_no_run_tells_are_none(ledger):
    ledger.run("r", ledger.instance("a"))
    row = rows(ledger)["highs",]
    assert (row.nodes, row.nodes_runs, row.common_runs) == (None, 0, 1)


def test_integrals_are_over_the_runs_whose_steps_were_recorded_and_the_others_are_told(ledger):
    shas = [ledger.instance("a"), ledger.instance("b", problem="q"), surrogate_of(ledger, "p")]
    for number, sha in enumerate(shas):
        ledger.run(f"r{number}", sha, dual_steps=None if number == 0 else "[]")
        ledger.judge(f"r{number}", primal_steps=None if number == 0 else "[]")
    board = build_leaderboard(ledger.runs())
    (row,) = board.settings
    assert (row.primal_integral_seconds, row.primal_integral_runs) == (100.0, 2)
    assert (row.dual_integral_seconds, row.dual_integral_runs) == (100.0, 1)  # of two on dense networks
    note = "primal: over 2 of the 3 runs of highs; of the others an earlier version recorded no steps."
    assert note in notes_on(board)
    ledger.judge("r0", primal_steps="[]")
    assert not [note for note in notes_on(build_leaderboard(ledger.runs())) if note.startswith("primal")]


def test_the_smaller_mean_ranks_first(small):
    assert [key[0] for key in rows(small)] == ["highs", "scip"]
    small.found("ga", "sha-a", 0.1, solver="gurobi")
    small.robust("gb", "sha-b", 0.2, solver="gurobi")
    small.run("gc", "sha-c", solver="gurobi")
    assert [key[0] for key in rows(small)] == ["gurobi", "highs", "scip"]


def test_wrong_setting_goes_below_the_line_and_its_run_is_not_solved(small):
    small.found("w", "sha-b", 50.0, solver="gurobi", value=0.5)  # refutes the bound of highs on b
    board = build_leaderboard(small.runs())
    assert [row.setting.label for row in board.settings] == ["gurobi", "scip", "highs"]
    highs = board.settings[-1]
    assert (highs.below_line, highs.wrong, highs.solved, highs.robust_claimed) == (True, 1, 1, 0)
    assert not board.settings[0].below_line
    (fault,) = board.faults
    assert (fault.run, fault.instance, fault.solver, fault.setting, fault.fault) == (
        "hb",
        "b",
        "highs",
        "highs",
        "solver",
    )
    assert "from w" in fault.fault_reason


def test_wrong_in_one_group_puts_the_setting_below_the_line_in_every_group(ledger):
    a, b = ledger.instance("a", depth=2), ledger.instance("b", problem="q", depth=4)
    ledger.found("h1", a, 1.0, dual_bound=-1.0)
    ledger.found("h2", b, 1.0)
    ledger.run("s1", a, solver="scip")
    ledger.run("s2", b, solver="scip")
    order = list(rows(ledger, "depth"))
    assert order == [(2, "scip"), (2, "highs"), (4, "scip"), (4, "highs")]


def test_tolerance_is_counted_and_never_ranked_down(ledger):
    sha = ledger.instance("a")
    ledger.run("r", sha)
    ledger.judge("r", row_violation=5e-6)
    row = rows(ledger)["highs",]
    assert (row.tolerance, row.wrong, row.below_line) == (1, 0, False)
    assert build_leaderboard(ledger.runs()).faults == ()


# -- what counts as solved -------------------------------------------------------------------------------------------


def solved(ledger):
    (row,) = rows(ledger).values()
    return row.solved, row.counterexamples


def test_repaired_counterexample_is_no_success(ledger):
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
        ("infeasible", "decide", "timeouts"),  # of a surrogate it would have been spent
        ("node_limit", "decide", "other"),
        ("memory_limit", "decide", "memory"),
    ],
)
def test_what_ends_late_with_an_answer_is_a_timeout(ledger, termination, goal, column):
    surrogate = ledger.instance("a", network="net-mag")
    ledger.run("r", surrogate, goal=goal, termination=termination, wall_seconds=100.5)
    row = rows(ledger)["highs",]
    counts = {name: getattr(row, name) for name in ("timeouts", "other", "memory", "spent", "solved")}
    assert counts == {name: int(name == column) for name in counts}


def test_success_in_time_is_no_timeout_though_the_optimum_came_late(ledger):
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
        (0.5, '{"mip_gap": 1.0}', True),  # allowed to stop earlier, it did not
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


def test_what_was_solved_is_no_timeout_whatever_the_solver_said_in_the_end(ledger):
    """Its last words in time: a counterexample, and a bound that rules one out."""
    ledger.found("f", ledger.instance("a"), 99.9, termination="time_limit", ended_by="time", wall_seconds=100.4)
    ledger.robust("b", ledger.instance("b", problem="q"), 99.9, termination="time_limit")
    row = rows(ledger)["highs",]
    assert (row.runs, row.solved, row.timeouts) == (2, 2, 0)


def test_every_run_is_in_one_column(ledger):
    """Those of solved to other, whatever was found, claimed, said or wrong, in time or late, by whomever it ended."""
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
    outcomes = judge_outcomes(ledger.runs().drop(columns=[*facts]).merge(every, how="cross")).outcomes
    columns = ["solved", "spent", "timeouts", "memory", "errors", "license_limit", "other", "wrong"]
    assert len(outcomes) == 4 * len(every)
    assert (outcomes[columns].sum(axis=1) == 1).all()


# -- the common set --------------------------------------------------------------------------------------------------


def test_times_are_over_what_every_setting_ran_and_none_was_refused(small):
    # gurobi: runs a, is refused b, does not run c: only a is common.
    small.found("ga", "sha-a", 2.0, solver="gurobi")
    small.run("gb", "sha-b", solver="gurobi", termination="license_limit", wall_seconds=0.1)
    board = build_leaderboard(small.runs())
    (common,) = board.common
    assert (common.triples, common.common, common.refused, common.not_run_by_all) == (3, 1, 1, 1)
    assert [row.setting.label for row in board.settings] == ["scip", "gurobi", "highs"]  # 1, 2, 3 s on a
    highs = board.settings[-1]
    assert (highs.runs, highs.solved, highs.common_runs, highs.common_solved) == (3, 2, 1, 1)
    assert highs.sgm1_seconds == pytest.approx(3.0, abs=1e-9)
    assert highs.par10_seconds == 3.0


def several_limits(ledger):
    """One setting gives up after 1 s, the other solves everything within 300 s."""
    for number in range(4):
        sha = ledger.instance(f"i{number}", problem=f"p{number}")
        ledger.run(f"short{number}", sha, time_limit_seconds=1.0, wall_seconds=1.0)
        ledger.judge(f"short{number}", primal_steps="[]")
        ledger.robust(f"long{number}", sha, 20.0, time_limit_seconds=300.0)
        ledger.judge(f"long{number}", primal_steps="[]")


def test_giving_up_early_is_not_fast(ledger):
    several_limits(ledger)
    board = build_leaderboard(ledger.runs())
    long, short = board.settings
    assert (long.setting.label, long.rank, long.sgm10_ratio) == ("highs 300 s", 1, pytest.approx(1.0))
    assert (short.rank, short.sgm10_seconds, short.par10_seconds) == (2, pytest.approx(300.0), pytest.approx(3000.0))
    assert (long.primal_integral_seconds, short.primal_integral_seconds) == (20.0, 300.0)
    assert {rank for row in board.ranks if row.rank == 2 for rank in row.by_measure.values()} == {2, None}
    assert board.virtual_best[0].sgm10_seconds == pytest.approx(20.0)


def test_limit_of_a_setting_that_is_not_compared_counts_for_nobody(ledger):
    several_limits(ledger)
    ledger.run("refused", "sha-i0", time_limit_seconds=5000.0, termination="license_limit", solver="gurobi")
    assert rows(ledger)["highs 1 s",].sgm10_seconds == pytest.approx(300.0)


def test_several_limits_and_goals_are_said(ledger):
    several_limits(ledger)
    assert not any("goals" in note for note in notes_on(build_leaderboard(ledger.runs())))
    ledger.found("f", "sha-i0", 1.0, goal="find")
    notes = notes_on(build_leaderboard(ledger.runs()))
    assert "Time limits differ (1 to 300 s): an unsolved run counts as the longest of those compared." in notes
    assert "The goals decide, find ask for different things: times and ranks are within each." in notes


def two_goals(ledger):
    """highs is first at finding, scip at deciding; nobody ran seed 1 to find."""
    for number in range(2):
        sha = ledger.instance(f"i{number}", problem=f"p{number}")
        for solver, find, decide in (("highs", 1.0, 9.0), ("scip", 2.0, 3.0)):
            ledger.found(f"{solver}-f{number}", sha, find, solver=solver, goal="find")
            ledger.found(f"{solver}-d{number}", sha, decide, solver=solver)
    for solver in ("highs", "scip"):
        ledger.found(f"{solver}-x", "sha-i0", 5.0, solver=solver, seed=1)


def test_goals_are_ranked_apart(ledger):
    two_goals(ledger)
    board = build_leaderboard(ledger.runs())
    assert board.by == ("goal",)
    assert [(*row.group, row.setting.label, row.rank) for row in board.settings] == [
        ("decide", "scip decide", 1),
        ("decide", "highs decide", 2),
        ("find", "highs find", 1),
        ("find", "scip find", 2),
    ]
    assert [(one.group, one.common, one.triples) for one in board.common] == [(("decide",), 3, 3), (("find",), 2, 2)]
    assert [best.sgm10_ratio for best in board.virtual_best] == [1.0, 1.0]
    assert board.conditions.lacking == ()
    assert build_leaderboard(ledger.runs(), ["problem", "goal"]).by == ("goal", "problem")


def test_surrogate_is_held_against_the_dense_run_of_its_goal(ledger):
    """Both settings on the same two instances: each pair stands in the group of its own goal."""
    given, pruned = ledger.instance("a"), ledger.instance("s", network="net-mag", pruning="magnitude")
    for goal, dense, surrogate in (("find", 8.0, 4.0), ("decide", 3.0, 6.0)):
        ledger.found(f"d{goal}", given, dense, goal=goal)
        ledger.found(f"s{goal}", pruned, surrogate, goal=goal)
    found = {row.group: (row.pairs, row.time_ratio) for row in build_leaderboard(ledger.runs()).surrogates}
    assert found == {("decide",): (1, pytest.approx(0.5)), ("find",): (1, pytest.approx(2.0))}


def test_pairs_are_told_by_their_group(ledger):
    two_goals(ledger)
    notes = notes_on(build_leaderboard(ledger.runs()))
    test = "(Wilcoxon signed-rank, Holm, 5 %)"
    assert notes[-3:-1] == [
        f"goal decide: 2 problems cannot tell 1 pair of settings apart {test}: the least possible p is 0.5.",
        "goal find: 2 problems cannot tell 1 pair of settings apart: the least possible p is 0.5.",
    ]
    one = notes_on(build_leaderboard(ledger.runs().query("goal == 'find'")))
    assert f"2 problems cannot tell 1 pair of settings apart {test}: the least possible p is 0.5." in one


@pytest.mark.parametrize(
    ("problems", "told"),
    [(5, "5 problems cannot tell 1 pair of settings apart"), (6, "0 of 1 pair of settings differ")],
)
def test_problems_too_few_for_the_test_are_called_so(ledger, problems, told):
    for number in range(problems):
        sha = ledger.instance(f"i{number}", problem=f"p{number}")
        ledger.found(f"h{number}", sha, 2.0 + number % 2, solver="highs")
        ledger.found(f"s{number}", sha, 2.5, solver="scip")
    assert [note for note in notes_on(build_leaderboard(ledger.runs())) if note.startswith(told)]


def test_pairs_of_many_groups_are_cut(ledger):
    for number in range(7):
        sha = ledger.instance(f"i{number}", problem=f"p{number}")
        for solver in ("highs", "scip"):
            ledger.found(f"{solver}{number}", sha, 1.0, solver=solver)
    notes = notes_on(build_leaderboard(ledger.runs(), ["problem"]))
    assert sum("1 problem cannot tell 1 pair" in note for note in notes) == 5
    assert "The pairs of 2 more groups: --format json." in notes


def test_who_was_refused_everything_is_told_with_the_group(small):
    """gurobi is refused all of depth 4 alone, cbc everything."""
    for number in range(2):
        sha = small.instance(f"deep{number}", problem=f"d{number}", depth=4)
        small.run(f"h{number}", sha)
        for solver in ("gurobi", "cbc"):
            small.run(f"{solver}{number}", sha, solver=solver, termination="license_limit", wall_seconds=0.1)
    board = build_leaderboard(small.runs(), ["depth"])
    refused = {group for one in board.common for group in [one.group] if "gurobi" in one.not_compared}
    assert refused == {(4,)}
    (note,) = [note for note in notes_on(board) if note.startswith("Times:")]
    assert "refused everything: cbc (depth 4), gurobi (depth 4)." in note
    (note,) = [note for note in notes_on(build_leaderboard(small.runs())) if note.startswith("Times:")]
    assert "refused everything: cbc, gurobi." in note


def test_of_tolerance_nothing_is_said_where_it_was_not_measured(ledger):
    for solver, seconds in (("highs", 1.0), ("scip", 20.0)):
        ledger.robust(solver, "sha-a" if solver == "scip" else ledger.instance("a"), seconds, solver=solver)
    same = "The ranks are the same by shifts of 1 and 100 s, PAR2, PAR10, the number solved, "
    assert f"{same}and with the time of spent runs." in notes_on(build_leaderboard(ledger.runs()))
    for solver in ("highs", "scip"):
        ledger.judge(solver, primal_steps="[]")
    notes = notes_on(build_leaderboard(ledger.runs()))
    assert f"{same}with the time of spent runs, and at every tolerance." in notes


def test_refused_by_all_is_refused(ledger):
    ledger.run("r", ledger.instance("a"), termination="license_limit")
    (common,) = build_leaderboard(ledger.runs()).common
    assert (common.refused, common.not_run_by_all) == (1, 0)


def test_setting_that_was_refused_everything_does_not_empty_the_common_set(small):
    for name in "abc":
        small.run(f"g{name}", f"sha-{name}", solver="gurobi", termination="license_limit", wall_seconds=0.1)
    board = build_leaderboard(small.runs())
    (common,) = board.common
    assert (common.common, common.refused, common.not_compared) == (3, 0, ("gurobi",))
    gurobi = board.settings[-1]
    assert (gurobi.setting.label, gurobi.license_limit, gurobi.common_runs) == ("gurobi", 3, 0)
    assert gurobi.sgm1_seconds is None and gurobi.par10_seconds is None


def test_run_stopped_by_the_operator_says_nothing_about_the_solver(small):
    small.run("h2", "sha-a", seed=1, termination="interrupted", ended_by="operator", wall_seconds=2.0)
    small.found("s2", "sha-a", 2.0, seed=1, solver="scip")
    (common,) = build_leaderboard(small.runs()).common
    assert (common.triples, common.common, common.refused) == (4, 3, 1)


def test_seeds_are_pairs_of_their_own(small):
    small.found("h2", "sha-a", 1.0, seed=1)
    (common,) = build_leaderboard(small.runs()).common
    assert (common.triples, common.common, common.not_run_by_all) == (4, 3, 1)


def test_permutations_are_triples_of_their_own(small):
    small.found("h2", "sha-a", 1.0, permutation=1)
    small.found("s2", "sha-a", 1.5, permutation=1, solver="scip")
    small.found("s3", "sha-a", 1.5, permutation=2, solver="scip")
    (common,) = build_leaderboard(small.runs()).common
    assert (common.triples, common.common, common.not_run_by_all) == (5, 4, 1)
    assert rows(small)["highs",].common_solved == 3


def test_no_triple_in_common_means_no_times(ledger):
    ledger.found("h", ledger.instance("a"), 1.0)
    ledger.found("s", ledger.instance("b", problem="q"), 1.0, solver="scip")
    for row in rows(ledger).values():
        assert (row.solved, row.common_runs, row.sgm1_seconds) == (1, 0, None)


# -- groups ----------------------------------------------------------------------------------------------------------


def test_groups_have_their_own_common_sets_and_sorted_values(ledger):
    for name, depth in [("a", 10), ("b", 2), ("c", None)]:
        ledger.found(f"h{name}", ledger.instance(name, problem=name, depth=depth), 2.0)
    ledger.found("sa", "sha-a", 1.0, solver="scip")
    board = build_leaderboard(ledger.runs(), ["depth", "dataset"])
    assert [(row.group, row.setting.label) for row in board.settings] == [
        ((2, "digits"), "highs"),
        ((10, "digits"), "scip"),
        ((10, "digits"), "highs"),
        ((None, "digits"), "highs"),
    ]
    assert [(common.group, common.common) for common in board.common] == [
        ((2, "digits"), 1),
        ((10, "digits"), 1),
        ((None, "digits"), 1),
    ]
    assert all(type(row.group[0]) in (int, type(None)) for row in board.settings)


def on_another_machine(ledger):
    ledger.machine("m2")
    return {"machine": "m2"}


def test_machines_are_ranked_apart(small):
    """On m2 scip alone ran a, faster than anybody: that moves nobody on m1, and its common set is its own."""
    before = rows(small)
    small.found("sa2", "sha-a", 0.1, solver="scip", **on_another_machine(small))
    board = build_leaderboard(small.runs())
    assert board.by == ("machine",)
    after = rows(small)
    assert list(after) == [("m1", "highs"), ("m1", "scip"), ("m2", "scip")]
    for label in ("highs", "scip"):
        times = [(row.sgm1_seconds, row.common_runs) for row in (before[(label,)], after["m1", label])]
        assert times[0] == times[1]
    assert (after["m2", "scip"].sgm1_seconds, after["m2", "scip"].common_runs) == (pytest.approx(0.1), 1)
    assert [(s.group, s.triples, s.common) for s in board.common] == [(("m1",), 3, 3), (("m2",), 1, 1)]


def test_machines_come_before_what_is_asked_for(small):
    small.found("sa2", "sha-a", 0.1, solver="scip", **on_another_machine(small))
    board = build_leaderboard(small.runs(), ["norm"])
    assert board.by == ("machine", "norm")
    assert {row.group for row in board.settings} == {("m1", None), ("m2", None)}
    assert build_leaderboard(small.runs(), ["norm", "machine"]).by == ("machine", "norm")


def test_one_machine_is_named_when_asked_for(small):
    assert build_leaderboard(small.runs()).by == ()
    assert set(rows(small, "machine")) == {("m1", "highs"), ("m1", "scip")}


def test_wrong_answer_on_another_machine_is_wrong_here_too(small):
    small.run("sb2", "sha-b", solver="scip", termination="unbounded", **on_another_machine(small))
    assert {key: row.below_line for key, row in rows(small).items()} == {
        ("m1", "highs"): False, ("m1", "scip"): True, ("m2", "scip"): True,
    }  # fmt: skip


@pytest.mark.parametrize("machine", ["submitted-m2", "m2"])
def test_wrong_answer_that_was_submitted_counts_on_its_machine_only(ledger, machine):
    # What a machine of ours saw is known of the setting; a bound in a bundle is the word of who sent it.
    ledger.machine(machine)
    sha = ledger.instance("a")
    for solver in ("highs", "scip"):
        ledger.found(f"ours-{solver}", sha, 2.0, solver=solver)
        ledger.found(f"theirs-{solver}", sha, 3.0, solver=solver, machine=machine, seed=1)
    ledger.robust("forged", sha, 1.0, bound=-100.0, machine=machine, seed=2)
    board = build_leaderboard(ledger.runs())
    below = {(row.group[0], row.setting.solver): row.below_line for row in board.settings}
    ours = machine == "m2"
    assert below == {("m1", "highs"): ours, ("m1", "scip"): False, (machine, "highs"): True, (machine, "scip"): False}
    ranked = {(row.group[0], row.setting.solver) for row in board.ranks}
    assert ranked == {key for key, is_below in below.items() if not is_below}
    assert [(row.solver, row.run) for row in board.faults] == [("highs", "forged")]
    highs = next(row.setting for row in board.settings if row.setting.solver == "highs")
    part = ledger.runs().query("machine == 'm1'").reset_index(drop=True)
    rows = build_leaderboard(part, (), {(machine, highs.unlabelled)}).settings
    assert {row.setting.solver: row.below_line for row in rows} == {"highs": ours, "scip": False}


def test_by_seed_means_the_seed_of_the_catalogue(ledger):
    ledger.run("r", ledger.instance("a", seed=7), seed=2)
    assert list(rows(ledger, "seed")) == [(7, "highs")]


def test_misspelt_column_is_refused_with_the_right_one():
    with pytest.raises(UnknownColumnError, match=r"^--by depht: no such catalogue column; did you mean depth\?$"):
        build_leaderboard(pd.DataFrame(), ["depht"])


def test_unknown_column_is_refused_with_the_known_ones():
    with pytest.raises(UnknownColumnError, match=r"^--by colour: no such catalogue column; known are .*\bdepth\b") as e:
        build_leaderboard(pd.DataFrame(), ["colour"])
    assert isinstance(e.value, LedgerError)
    assert "\n" not in str(e.value)


def test_the_leaderboard_is_the_same_from_the_columns_it_needs(small):
    small.found("w", "sha-b", 50.0, solver="gurobi", value=0.5)
    few = read_runs(small.path, needed_columns(["depth"]))
    assert len(few.columns) < len(small.runs().columns) - 30
    assert build_leaderboard(few, ["depth"]) == build_leaderboard(small.runs(), ["depth"])


def test_empty_ledger_has_an_empty_leaderboard(ledger):
    board = build_leaderboard(ledger.runs(), ["depth"])
    assert (board.settings, board.surrogates, board.faults, board.common, board.sensitivity) == ((), (), (), (), ())
    assert board.conditions.runs == 0


# -- dense against surrogate -----------------------------------------------------------------------------------------


def surrogate_of(ledger, problem, **columns):
    kind = {"pruning": "magnitude", "structure": "unstructured", "rate": 0.9} | columns
    return ledger.instance(f"{problem}-mag", problem=problem, network="net-mag", **kind)


def test_surrogate_comparison_by_hand(ledger):
    # dense, surrogate: 10 and 1; none (limit 100) and 4; 5 and none (100); none and none.
    for problem, dense, pruned in [("a", 10.0, 1.0), ("b", None, 4.0), ("c", 5.0, None), ("d", None, None)]:
        for sha, seconds, run in [
            (ledger.instance(problem, problem=problem), dense, f"{problem}-dense"),
            (surrogate_of(ledger, problem), pruned, f"{problem}-pruned"),
        ]:
            if seconds is None:
                ledger.run(run, sha, goal="find")
            else:
                ledger.found(run, sha, seconds, goal="find")
    (row,) = build_leaderboard(ledger.runs()).surrogates
    assert (row.formulation, row.pruning, row.structure, row.rate, row.finetuned) == (
        "tight", "magnitude", "unstructured", 0.9, 0,
    )  # fmt: skip
    assert (row.pairs, row.left_out, row.dense_counterexamples, row.surrogate_counterexamples) == (4, 0, 2, 2)
    assert (row.surrogate_faster, row.dense_faster) == (0.5, 0.25)  # a, b; c; d is a tie
    # (10/1 * 100/4 * 5/100 * 1)^(1/4) = 12.5^(1/4)
    assert row.time_ratio == pytest.approx(12.5**0.25, rel=1e-12)


def test_transfer_and_preparation_by_hand(ledger):
    # dense, surrogate, its candidates that answer there, and of these on the dense network: 1 of 3 in 1 s; none of 4;
    # none at all; one whose times were not recorded; and one that nobody counted.
    cases = {
        "a": (5.0, 1.0, 3, 1), "b": (50.0, None, 4, 0), "c": (50.0, None, 0, 0), "d": (5.0, 1.0, 1, 1),
        "e": (50.0, None, None, None),
    }  # fmt: skip
    for problem, (dense, pruned, own, transferred) in cases.items():
        known = problem != "d"
        sha = ledger.instance(problem, problem=problem, bounds_seconds=2.0 if known else None)
        ledger.found(f"d{problem}", sha, dense)
        times = {"bounds_seconds": 0.5, "prune_seconds": 0.5, "finetune_seconds": 8.0, "finetuned": 1}
        sha = surrogate_of(ledger, problem, **(times if known else {"finetuned": 1}))
        ledger.run(f"s{problem}", sha, wall_seconds=pruned or 100.0)
        success = {"confirmed": 1, "evidence": "exact", "best_exact_value": 0.5, "first_success_seconds": pruned}
        ledger.judge(f"s{problem}", **(success if pruned else {}), own_answers=own, transferred_answers=transferred)
    (row,) = build_leaderboard(ledger.runs()).surrogates
    # pooled: 1 + 0 + 0 + 1 of 3 + 4 + 0 + 1
    assert (row.pairs, row.candidates, row.transferred, row.transfer_share) == (5, 8, 2, 0.25)
    assert (row.uncounted, row.surrogate_counterexamples) == (1, 2)
    # with preparation: 7 against 10; 52 against the limit, three times
    assert (row.prepared, row.prepared_surrogate_faster, row.prepared_dense_faster) == (4, 0.0, 1.0)
    assert row.prepared_time_ratio == pytest.approx((0.7 * 0.52**3) ** (1 / 4))
    assert not row.best_rate


def test_finetuning_alone_counts_where_it_was_measured_and_not_without_finetuning(ledger):
    ledger.found("d", ledger.instance("a", bounds_seconds=0.0), 8.0)
    times = {"bounds_seconds": 0.0, "prune_seconds": 0.0, "finetune_seconds": 9.0}
    for name, columns in {"ft": {"finetuned": 1, "alone_finetune_seconds": 3.0}, "plain": {"finetuned": 0}}.items():
        kind = {"pruning": "magnitude", "structure": "unstructured", "rate": 0.9, **times, **columns}
        ledger.found(f"s{name}", ledger.instance(name, network=f"net-{name}", **kind), 1.0)
    found = {row.finetuned: row.prepared_time_ratio for row in build_leaderboard(ledger.runs()).surrogates}
    assert found == {0: pytest.approx(8.0), 1: pytest.approx(2.0)}


PARTS = ("bounds_seconds", "prune_seconds", "finetune_seconds")
KINDS = {
    "tight": {"formulation": "tight", "finetuned": 0},
    "tight ft": {"formulation": "tight", "finetuned": 1},
    "surrogatelib": {"formulation": "surrogatelib", "finetuned": 0},
    "surrogatelib ft": {"formulation": "surrogatelib", "finetuned": 1},
}


@pytest.mark.parametrize(
    ("kind", "dense", "pruned", "ratio"),
    [  # bounding, pruning, finetuning, as `generate` records them; the dense run finds after 8 s, the other after 1 s
        ("tight", (2.0, None, None), (0.5, 0.5, None), (8 + 2) / (1 + 0.5 + 0.5)),
        ("tight ft", (2.0, None, None), (0.5, None, 3.5), (8 + 2) / (1 + 0.5 + 3.5)),
        ("surrogatelib", (None, None, None), (None, 3.0, None), 8 / (1 + 3)),
        ("surrogatelib ft", (None, None, None), (None, None, 15.0), 8 / (1 + 15)),
        # what there must have been and was not recorded
        ("tight", (None, None, None), (0.5, 0.5, None), None),
        ("tight", (2.0, None, None), (None, 0.5, None), None),
        ("tight", (2.0, None, None), (0.5, None, None), None),
        ("tight ft", (2.0, None, None), (0.5, None, None), None),
        ("surrogatelib", (None, None, None), (None, None, None), None),
        ("surrogatelib ft", (None, None, None), (None, None, None), None),
    ],
)
def test_a_part_of_the_preparation_that_there_is_not_takes_no_time_and_one_not_recorded_leaves_the_pair_out(
    ledger, kind, dense, pruned, ratio
):
    own = KINDS[kind]
    times = dict(zip(PARTS, dense, strict=True))
    ledger.found("d", ledger.instance("a", formulation=own["formulation"], **times), 8.0)
    ledger.found("s", surrogate_of(ledger, "p", **own, **dict(zip(PARTS, pruned, strict=True))), 1.0)
    (row,) = build_leaderboard(ledger.runs()).surrogates
    assert (row.pairs, row.prepared) == (1, None if ratio is None else 1)
    assert row.prepared_time_ratio == (None if ratio is None else pytest.approx(ratio))
    shares = (row.prepared_surrogate_faster, row.prepared_dense_faster)
    assert shares == ((None, None) if ratio is None else (float(ratio > 1), float(ratio < 1)))


def test_best_rate_is_that_with_the_largest_ratio_among_several(ledger):
    ledger.found("d", ledger.instance("a"), 10.0)
    for rate, structure, seconds in ((0.5, "unstructured", 5.0), (0.9, "unstructured", 2.0), (0.9, "structured", 1.0)):
        name = f"{structure}{rate}"
        kind = {"pruning": "magnitude", "structure": structure, "rate": rate}
        ledger.found(f"s{name}", ledger.instance(name, network=f"net-{name}", **kind), seconds)
    found = {(row.structure, row.rate): row.best_rate for row in build_leaderboard(ledger.runs()).surrogates}
    assert found == {("unstructured", 0.5): False, ("unstructured", 0.9): True, ("structured", 0.9): False}


def test_sides_of_one_pair_have_the_same_seed_and_permutation(ledger):
    dense, pruned = ledger.instance("a"), surrogate_of(ledger, "p")
    for k, (slow, fast) in enumerate([(10.0, 1.0), (2.0, 4.0), (3.0, None)]):
        ledger.found(f"d{k}", dense, slow, permutation=k)
        if fast is not None:
            ledger.found(f"s{k}", pruned, fast, permutation=k)
    (row,) = build_leaderboard(ledger.runs()).surrogates
    assert (row.pairs, row.left_out, row.surrogate_faster, row.dense_faster) == (2, 1, 0.5, 0.5)
    assert row.time_ratio == pytest.approx((10 / 1 * 2 / 4) ** 0.5)


def test_sides_of_one_pair_are_of_one_machine(ledger):
    """A dense run of one machine and the surrogate's of another are two pairs with a side missing."""
    dense = ledger.instance("d")
    surrogate = ledger.instance("s", network="pruned", pruning="magnitude", structure="unstructured", rate=0.5)
    ledger.found("d1", dense, 4.0)
    ledger.found("s2", surrogate, 1.0, **on_another_machine(ledger))
    (row,) = build_leaderboard(ledger.runs()).surrogates
    assert (row.group, row.pairs, row.left_out) == (("m2",), 0, 1)
    ledger.found("d2", dense, 2.0, machine="m2")
    ledger.found("s1", surrogate, 1.0)
    compared = build_leaderboard(ledger.runs()).surrogates
    assert [(row.group, row.pairs, row.time_ratio) for row in compared] == [
        (("m1",), 1, pytest.approx(4.0)), (("m2",), 1, pytest.approx(2.0)),
    ]  # fmt: skip


def test_dense_proof_is_no_counterexample_and_counts_as_the_limit(ledger):
    ledger.robust("d", ledger.instance("a", problem="a"), 2.0)
    ledger.run("s", surrogate_of(ledger, "a"), wall_seconds=1.0, termination="optimal")
    (row,) = build_leaderboard(ledger.runs()).surrogates
    assert (row.pairs, row.surrogate_faster, row.dense_faster, row.time_ratio) == (1, 0.0, 0.0, 1.0)


def test_missing_and_refused_sides_leave_the_pair_out_and_are_counted(ledger):
    for problem in "abcd":
        ledger.instance(problem, problem=problem)
        surrogate_of(ledger, problem)
    ledger.found("da", "sha-a", 2.0)
    ledger.found("sa", "sha-a-mag", 1.0)  # the one pair
    ledger.found("sb", "sha-b-mag", 1.0)  # dense not run
    ledger.run("dc", "sha-c", termination="license_limit", wall_seconds=0.1)
    ledger.found("sc", "sha-c-mag", 1.0)  # dense refused
    ledger.found("dd", "sha-d", 1.0)
    ledger.found("other", "sha-d-mag", 1.0, solver="scip")  # surrogate run by scip only
    board = build_leaderboard(ledger.runs())
    assert {row.setting.label: (row.pairs, row.left_out) for row in board.surrogates} == {
        "highs": (1, 3),
        "scip": (0, 1),
    }
    assert board.surrogates[1].surrogate_faster is None


def test_kinds_formulations_and_settings_are_not_mixed(ledger):
    ledger.found("d", ledger.instance("a"), 2.0)
    for name, columns in {
        "u50": {"rate": 0.5},
        "u90": {"rate": 0.9},
        "ft": {"rate": 0.9, "finetuned": 1},
        "other": {"rate": 0.9, "formulation": "surrogatelib"},
    }.items():
        kind = {"pruning": "magnitude", "structure": "unstructured"} | columns
        ledger.found(f"s{name}", ledger.instance(name, network=f"net-{name}", **kind), 1.0)
    found = build_leaderboard(ledger.runs()).surrogates
    assert [(r.formulation, r.rate, r.finetuned, r.pairs, r.left_out) for r in found] == [
        ("surrogatelib", 0.9, 0, 0, 1),
        ("tight", 0.5, 0, 1, 0),
        ("tight", 0.9, 0, 1, 0),
        ("tight", 0.9, 1, 1, 0),
    ]


@pytest.mark.parametrize("columns", [{"goal": "optimize"}, {"threshold": None}])
def test_only_searches_with_a_threshold_are_compared(ledger, columns):
    goal = columns.get("goal", "decide")
    threshold = columns.get("threshold", 0.0)
    ledger.found("d", ledger.instance("a", threshold=threshold), 2.0, goal=goal)
    ledger.found("s", ledger.instance("s", network="net-mag", threshold=threshold), 1.0, goal=goal)
    assert build_leaderboard(ledger.runs()).surrogates == ()


def test_surrogates_are_grouped_by_the_catalogue_of_the_surrogate(ledger):
    ledger.found("d", ledger.instance("a", width=32), 2.0)
    ledger.found("s", ledger.instance("s", network="net-mag", width=16), 1.0)
    (row,) = build_leaderboard(ledger.runs(), ["width"]).surrogates
    assert (row.group, row.pairs) == ((16,), 1)


# -- values, where there is no threshold -----------------------------------------------------------------------------


def reached(ledger, run, sha, value, **columns):
    """A run to the time limit, with that value of the dense network at its best candidate (None: no candidate)."""
    ledger.run(run, sha, goal="optimize", **columns)
    found = {"confirmed": 1, "evidence": "exact"} if value is not None else {}
    ledger.judge(run, best_exact_value=value, **found)


def ask(ledger, problem):
    """The problem's dense instance and a surrogate's."""
    return (
        ledger.instance(problem, problem=problem, threshold=None, family="maximize"),
        surrogate_of(ledger, problem, threshold=None, family="maximize"),
    )


def test_values_of_surrogates_by_hand(ledger):
    # dense, surrogate: worse, better, a tie, nothing on either side, nothing on one side
    values = {"a": (2.0, 1.0), "b": (-3.0, -2.0), "c": (5.0, 5.0 + 4e-6), "d": (None, None), "e": (None, -9.0)}
    for problem, (dense, pruned) in values.items():
        for sha, value in zip(ask(ledger, problem), (dense, pruned), strict=True):
            reached(ledger, f"run-{sha}", sha, value)
    board = build_leaderboard(ledger.runs())
    assert board.surrogates == ()
    (row,) = board.surrogate_values
    assert (row.pairs, row.left_out, row.dense_values, row.surrogate_values) == (5, 0, 3, 4)
    assert (row.surrogate_better, row.dense_better) == (0.4, 0.2)  # b and e; a
    assert (row.pruning, row.structure, row.rate, row.setting.label) == ("magnitude", "unstructured", 0.9, "highs")
    (setting,) = board.settings
    assert (setting.values, setting.solved, setting.counterexamples, setting.robust_claimed) == (7, 0, 0, 0)


@pytest.mark.parametrize(
    ("wall", "first", "steps", "value"),
    [  # limit 100 s, the best value 4
        (100.0, 1.0, [[1.0, 2.0], [100.0, 4.0]], 4.0),
        (103.0, 1.0, [[1.0, 2.0], [50.0, 3.0], [103.0, 4.0]], 3.0),
        (103.0, 103.0, [[103.0, 4.0]], None),
        (103.0, 1.0, None, 4.0),  # an older version, which kept no steps
        (103.0, 103.0, None, None),
        (103.0, None, [[103.0, 4.0]], None),
    ],
)
def test_a_value_counts_where_it_was_confirmed_within_the_limit(ledger, wall, first, steps, value):
    dense, pruned = ask(ledger, "a")
    ledger.run("d", dense, goal="optimize", wall_seconds=wall, termination="solution_found")
    ledger.judge(
        "d", confirmed=1, evidence="exact", best_exact_value=4.0, first_success_seconds=first,
        primal_steps=None if steps is None else json.dumps(steps),
    )  # fmt: skip
    reached(ledger, "s", pruned, 3.5)
    board = build_leaderboard(ledger.runs())
    (row,), (setting,) = board.surrogate_values, board.settings
    assert setting.values == 1 + (value is not None)
    assert (row.dense_values, row.surrogate_values) == (int(value is not None), 1)
    assert (row.dense_better, row.surrogate_better) == ((1.0, 0.0) if value == 4.0 else (0.0, 1.0))
    assert (setting.timeouts, setting.other) == ((1, 1) if value is not None else (2, 0))


def test_missing_and_refused_sides_of_values_are_left_out_and_counted(ledger):
    for problem in "abc":
        dense, pruned = ask(ledger, problem)
        reached(ledger, f"s{problem}", pruned, 1.0)
        if problem == "a":
            reached(ledger, "da", dense, 2.0)
        if problem == "b":
            ledger.run("db", dense, goal="optimize", termination="license_limit")
    (row,) = build_leaderboard(ledger.runs()).surrogate_values
    assert (row.pairs, row.left_out, row.dense_better) == (1, 2, 1.0)


def test_optimum_of_a_verification_is_not_compared_by_value(ledger):
    reached(ledger, "d", ledger.instance("a"), 1.0)
    reached(ledger, "s", ledger.instance("s", network="net-mag"), 2.0)
    assert build_leaderboard(ledger.runs()).surrogate_values == ()
