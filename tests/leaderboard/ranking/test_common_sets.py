"""Times are over the runs that every setting made and none was refused, within each group."""

from __future__ import annotations

import pytest

from support.rankings import add_own_and_given_limits, add_several_limits, rows
from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard


def test_times_are_over_what_every_setting_ran_and_none_was_refused(two_solvers):
    # gurobi: runs a, is refused b, does not run c: only a is common.
    two_solvers.found("ga", "sha-a", 2.0, solver="gurobi")
    two_solvers.run("gb", "sha-b", solver="gurobi", termination="license_limit", wall_seconds=0.1)
    board = build_leaderboard(two_solvers.runs())
    (common,) = board.common
    assert (common.triples, common.common, common.refused, common.not_run_by_all) == (3, 1, 1, 1)
    assert [row.setting.label for row in board.settings] == ["scip", "gurobi", "highs"]  # 1, 2, 3 s on a
    highs = board.settings[-1]
    assert (highs.runs, highs.solved, highs.common_runs, highs.common_solved) == (3, 2, 1, 1)
    assert highs.sgm1_seconds == pytest.approx(3.0, abs=1e-9)
    assert highs.par10_seconds == 3.0


def test_a_longer_limit_is_no_advantage(ledger):
    """The other setting solves everything in 20 s, of which 1 s counts; one answer comes within that."""
    add_several_limits(ledger)
    sha = ledger.instance("easy", problem="easy")
    ledger.run("short", sha, time_limit_seconds=1.0, wall_seconds=1.0)
    ledger.judge("short", primal_steps="[]")
    ledger.robust("long", sha, 0.5, time_limit_seconds=300.0)
    ledger.judge("long", primal_steps="[]")
    board = build_leaderboard(ledger.runs())
    found = {row.setting.label: row for row in board.settings}
    long, short = found["highs 300 s"], found["highs 1 s"]
    assert (long.solved, long.common_runs, long.common_solved, short.common_solved) == (5, 5, 1, 0)
    assert (long.rank, short.rank) == (1, 2)
    assert (long.par10_seconds, short.par10_seconds) == (pytest.approx((4 * 10 + 0.5) / 5), 10.0)
    assert (long.primal_integral_seconds, short.primal_integral_seconds) == (pytest.approx(0.9), 1.0)
    assert board.virtual_best[0].common_solved == 1


def test_what_came_after_the_shortest_limit_counts_as_not_reached(ledger):
    """A counterexample after 20 s, and a file that ends after 30 s, where the other setting stops after 10 s."""
    found, ended = ledger.surrogate("a"), ledger.surrogate("b")
    ledger.found("h", found, 20.0, wall_seconds=20.0)
    ledger.run("e", ended, termination="optimal", wall_seconds=30.0, dual_bound=0.5)
    for name, sha in (("sa", found), ("sb", ended)):
        ledger.run(name, sha, solver="scip", time_limit_seconds=10.0, wall_seconds=10.0)
    board = build_leaderboard(ledger.runs())
    highs = next(row for row in board.settings if row.setting.solver == "highs")
    assert (highs.solved, highs.spent, highs.common_solved) == (1, 1, 0)
    assert highs.median_first_counterexample_seconds is None
    assert {row.rank for row in board.ranks} == {1}
    assert {rank for row in board.ranks for rank in row.by_measure.values()} <= {1, None}


def test_limit_of_a_setting_that_is_not_compared_is_ignored(ledger):
    add_several_limits(ledger)
    ledger.run("refused", "sha-i0", time_limit_seconds=0.1, termination="license_limit", solver="gurobi")
    assert rows(ledger)["highs 300 s",].sgm10_seconds == pytest.approx(1.0)


def test_refused_by_all_is_refused(ledger):
    ledger.run("r", ledger.instance("a"), termination="license_limit")
    (common,) = build_leaderboard(ledger.runs()).common
    assert (common.refused, common.not_run_by_all) == (1, 0)


def test_setting_that_was_refused_everything_does_not_empty_the_common_set(two_solvers):
    for name in "abc":
        two_solvers.run(f"g{name}", f"sha-{name}", solver="gurobi", termination="license_limit", wall_seconds=0.1)
    board = build_leaderboard(two_solvers.runs())
    (common,) = board.common
    assert (common.common, common.refused, common.not_compared) == (3, 0, ("gurobi",))
    gurobi = board.settings[-1]
    assert (gurobi.setting.label, gurobi.license_limit, gurobi.common_runs) == ("gurobi", 3, 0)
    assert gurobi.sgm1_seconds is None and gurobi.par10_seconds is None


def test_run_stopped_by_the_operator_says_nothing_about_the_solver(two_solvers):
    two_solvers.run("h2", "sha-a", seed=1, termination="interrupted", ended_by="operator", wall_seconds=2.0)
    two_solvers.found("s2", "sha-a", 2.0, seed=1, solver="scip")
    (common,) = build_leaderboard(two_solvers.runs()).common
    assert (common.triples, common.common, common.refused) == (4, 3, 1)


def test_seeds_are_pairs_of_their_own(two_solvers):
    two_solvers.found("h2", "sha-a", 1.0, seed=1)
    (common,) = build_leaderboard(two_solvers.runs()).common
    assert (common.triples, common.common, common.not_run_by_all) == (4, 3, 1)


def test_permutations_are_triples_of_their_own(two_solvers):
    two_solvers.found("h2", "sha-a", 1.0, permutation=1)
    two_solvers.found("s2", "sha-a", 1.5, permutation=1, solver="scip")
    two_solvers.found("s3", "sha-a", 1.5, permutation=2, solver="scip")
    (common,) = build_leaderboard(two_solvers.runs()).common
    assert (common.triples, common.common, common.not_run_by_all) == (5, 4, 1)
    assert rows(two_solvers)["highs",].common_solved == 3


def test_no_triple_in_common_means_no_times(ledger):
    ledger.found("h", ledger.instance("a"), 1.0)
    ledger.found("s", ledger.instance("b", problem="q"), 1.0, solver="scip")
    for row in rows(ledger).values():
        assert (row.solved, row.common_runs, row.sgm1_seconds) == (1, 0, None)


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


def test_a_setting_of_own_limits_is_ranked_by_the_limit_of_each_instance(ledger):
    """highs solves a in 10 s and not b; scip the other way; unsolved: 30 s on a, 60 s on b."""
    a, b = (ledger.instance(name, problem=name, time_limit_seconds=own) for name, own in (("a", 30.0), ("b", 60.0)))
    ledger.robust("ha", a, 10.0, time_limit_seconds=30.0)
    ledger.run("hb", b, time_limit_seconds=60.0, wall_seconds=60.0)
    ledger.run("sa", a, solver="scip", time_limit_seconds=30.0, wall_seconds=30.0)
    ledger.robust("sb", b, 10.0, solver="scip", time_limit_seconds=60.0)
    board = build_leaderboard(ledger.runs())
    found = {row.setting.label: row for row in board.settings}
    assert found.keys() == {"highs", "scip"}
    assert {row.setting.time_limit_seconds for row in board.settings} == {None}
    assert (found["highs"].runs, found["highs"].common_runs, found["highs"].solved) == (2, 2, 1)
    assert (found["highs"].par2_seconds, found["highs"].par10_seconds) == (65.0, 305.0)
    assert (found["scip"].par2_seconds, found["scip"].par10_seconds) == (35.0, 155.0)
    assert board.conditions.time_limits == (30.0, 60.0)


def test_own_limits_of_catalogue_can_be_grouped_by(ledger):
    for name, own in (("a", 30.0), ("b", 60.0)):
        ledger.robust(name, ledger.instance(name, problem=name, time_limit_seconds=own), 5.0, time_limit_seconds=own)
    assert [group for group, _ in rows(ledger, "time_limit_seconds")] == [30.0, 60.0]


def test_a_run_at_its_own_limit_is_common_to_own_limits_and_to_those_given(ledger):
    """At 10 s, highs does not solve c and d; with their own limit of 20 s it does in 15 s, of which 10 s count."""
    add_own_and_given_limits(ledger)
    board = build_leaderboard(ledger.runs())
    (common,) = board.common
    assert (common.triples, common.common, common.not_run_by_all) == (4, 4, 0)
    assert board.conditions.lacking == ()
    assert board.conditions.runs == 10
    found = {row.setting.label: (row.rank, row.runs, row.solved, row.par2_seconds) for row in board.settings}
    assert found == {
        "scip own limits": (1, 4, 4, 5.0),
        "highs own limits": (2, 4, 4, (4.0 + 4.0 + 20.0 + 20.0) / 4),
        "highs 10 s": (2, 4, 2, (4.0 + 4.0 + 20.0 + 20.0) / 4),
    }
    assert board.virtual_best[0].par2_seconds == (4.0 + 4.0 + 5.0 + 5.0) / 4


def test_a_wrong_run_of_two_settings_is_wrong_in_both_and_listed_once(ledger):
    add_own_and_given_limits(ledger)
    ledger.robust("wrong", "sha-a", 1.0, seed=1, time_limit_seconds=10.0)
    board = build_leaderboard(ledger.runs())
    found = {row.setting.label: (row.wrong, row.below_line) for row in board.settings}
    assert found == {"scip own limits": (0, False), "highs own limits": (1, True), "highs 10 s": (1, True)}
    assert [(fault.run, fault.setting) for fault in board.faults] == [("wrong", "highs own limits")]


def test_a_group_of_equal_own_limits_has_both_settings(ledger):
    add_own_and_given_limits(ledger)
    found = rows(ledger, "time_limit_seconds")
    assert {place: row.runs for place, row in found.items()} == dict.fromkeys(
        [(own, label) for own in (10.0, 20.0) for label in ("scip own limits", "highs own limits", "highs 10 s")], 2
    )
