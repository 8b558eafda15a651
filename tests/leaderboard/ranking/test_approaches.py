"""Approaches on problems: counted and timed by hand."""

from __future__ import annotations

import json

import pytest

from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.tables.render import Format, render

HALF, MOST = 0.5, 0.9


@pytest.fixture
def approaches(ledger):
    """Two problems on the dense network and on surrogates of two rates: highs finds one on the dense network in 4 s,
    and one or the other on the surrogates, in 1 s and 2 s; bounding takes 0.5 s, pruning 0.25 s."""
    for problem, found in (("a", {None: 4.0, HALF: 1.0}), ("b", {MOST: 2.0})):
        for rate in (None, HALF, MOST):
            sha = add_instance(ledger, problem, rate)
            if rate in found:
                ledger.found(f"{problem}-{rate}", sha, found[rate])
            else:
                ledger.run(f"{problem}-{rate}", sha)
    return ledger


def add_instance(ledger, problem, rate, **columns):
    times = {"bounds_seconds": 0.5}
    if rate is None:
        return ledger.instance(problem, problem=problem, **times | columns)
    kind = {"pruning": "magnitude", "structure": "unstructured", "rate": rate, "prune_seconds": 0.25}
    return ledger.instance(f"{problem}-{rate}", problem=problem, network=f"net-{rate}", **times | kind | columns)


def shown(ledger, *by):
    """Return the facts of all rows, in their order."""
    return [
        (row.setting.solver, row.rate, row.is_oracle, row.rank, row.found, row.problems)
        for row in build_leaderboard(ledger.runs(), by).approaches
    ]


def sgm1(*seconds):
    product = 1.0
    for own in seconds:
        product *= 1 + own
    return pytest.approx(product ** (1 / len(seconds)) - 1)


def test_share_found_comes_first_then_the_time_with_preparation(approaches):
    assert shown(approaches) == [
        ("highs", None, True, None, 2, 2),
        ("highs", HALF, False, 1, 1, 2),
        ("highs", MOST, False, 2, 1, 2),
        ("highs", None, False, 3, 1, 2),
    ]
    oracle, half, most, dense = build_leaderboard(approaches.runs()).approaches
    assert (half.sgm1_seconds, most.sgm1_seconds) == (sgm1(1.75, 100), sgm1(100, 2.75))
    assert (dense.sgm1_seconds, oracle.sgm1_seconds) == (sgm1(4.5, 100), sgm1(1.75, 2.75))
    assert {row.unprepared for row in (oracle, half, most, dense)} == {0}


def test_problems_that_are_claimed_robust_are_counted_and_said(approaches):
    """A refuted claim is none, and a claim about a problem that not all ran does not count."""
    approaches.robust("refuted", "sha-a", 1.0, solver="scip", goal="optimize")
    assert {row.robust for row in build_leaderboard(approaches.runs()).approaches} == {0}
    for name, rates in (("robust", (None, HALF, MOST)), ("other", (None,))):
        for rate in rates:
            approaches.run(f"{name}-{rate}", add_instance(approaches, name, rate))
        approaches.robust(f"{name}-claim", f"sha-{name}", 1.0, solver="scip", goal="optimize")
    board = build_leaderboard(approaches.runs())
    assert {(row.robust, row.problems) for row in board.approaches} == {(1, 3)}
    said = "By a solver's claim or a proof, 1 of the 3 problems has no counterexample."
    assert said in " ".join(render(board, Format.TABLE).split())


def test_what_takes_longer_than_the_limit_with_its_preparation_is_not_found(ledger):
    for rate, seconds in ((None, 4.0), (HALF, 1.0)):
        sha = add_instance(ledger, "a", rate, **({} if rate is None else {"prune_seconds": 99.0}))
        ledger.found(f"r-{rate}", sha, seconds)
    assert shown(ledger) == [("highs", None, False, 1, 1, 1), ("highs", HALF, False, 2, 0, 1)]


def test_unknown_preparation_counts_as_none_and_is_counted(ledger):
    for rate in (None, HALF):
        ledger.found(f"r-{rate}", add_instance(ledger, "a", rate, bounds_seconds=None), 1.0)
    assert [row.unprepared for row in build_leaderboard(ledger.runs()).approaches] == [1, 1]


def test_approaches_that_share_found_and_time_share_a_rank(approaches):
    for problem in "ab":
        for rate in (None, HALF, MOST):
            own = {("a", None): 4.0, ("a", HALF): 1.0, ("b", MOST): 2.0}.get((problem, rate))
            sha = f"sha-{problem}" if rate is None else f"sha-{problem}-{rate}"
            if own is None:
                approaches.run(f"s{problem}-{rate}", sha, solver="scip")
            else:
                approaches.found(f"s{problem}-{rate}", sha, own, solver="scip")
    ranks = [row.rank for row in build_leaderboard(approaches.runs()).approaches]
    assert ranks == [None, None, 1, 1, 3, 3, 5, 5]


def test_only_what_every_ranked_approach_ran_counts(approaches):
    approaches.found("s", "sha-a", 1.0, solver="scip")
    assert {row.problems for row in build_leaderboard(approaches.runs()).approaches} == {1}
    assert shown(approaches)[0] == ("scip", None, False, 1, 1, 1)


def test_problems_left_out_are_counted_and_said(approaches):
    """One problem was refused to a ranked approach, one it did not run. Who was refused everything counts nowhere."""
    for problem in "cd":
        approaches.run(f"h{problem}", add_instance(approaches, problem, None))
    for problem in "ab":
        approaches.run(f"g{problem}", f"sha-{problem}", solver="gurobi")
    approaches.run("gc", "sha-c", solver="gurobi", termination="license_limit", wall_seconds=0.1)
    for rate in (HALF, MOST):
        approaches.run(f"g{rate}", f"sha-a-{rate}", solver="gurobi", termination="license_limit", wall_seconds=0.1)
    board = build_leaderboard(approaches.runs())
    assert {(row.problems, row.refused, row.not_run_by_all) for row in board.approaches} == {(2, 1, 1)}
    assert "Left out: 2 of 4 problems (1 refused or interrupted, 1 not run by all)." in " ".join(
        render(board, Format.TABLE).split()
    )


def test_a_setting_that_was_refused_everything_empties_nothing(approaches):
    for problem in "ab":
        approaches.run(f"g{problem}", f"sha-{problem}", solver="gurobi", termination="license_limit", wall_seconds=0.1)
    assert {solver for solver, *_ in shown(approaches)} == {"highs"}
    assert {problems for *_, problems in shown(approaches)} == {2}


def test_an_approach_that_has_only_begun_is_left_out_and_empties_nothing(approaches):
    """Half of the problems are enough, a third is not."""
    approaches.found("s", "sha-a", 1.0, solver="scip")
    assert {problems for *_, problems in shown(approaches)} == {1}
    for rate in (None, HALF, MOST):
        approaches.run(f"c-{rate}", add_instance(approaches, "c", rate))
    assert {(solver, problems) for solver, *_, problems in shown(approaches)} == {("highs", 3)}


def test_different_limits_are_cut_at_the_shortest(approaches):
    for problem in "ab":
        approaches.run(
            f"s{problem}", f"sha-{problem}", solver="scip", time_limit_seconds=2.0, wall_seconds=2.0
        )  # fmt: skip
    found = {row.rate: row for row in build_leaderboard(approaches.runs()).approaches if row.setting.solver == "highs"}
    assert found[None].found == 0 and found[None].sgm1_seconds == pytest.approx(2.0)
    assert (found[HALF].found, found[MOST].found) == (1, 0)  # 1.75 s, and 2.75 s


def test_references_stand_beside_on_the_dense_network_alone(approaches):
    for problem in "ab":
        approaches.found(f"p{problem}", f"sha-{problem}", 0.1, solver="pgd")
        approaches.found(f"p{problem}-pruned", f"sha-{problem}-{HALF}", 0.1, solver="pgd")
    first = build_leaderboard(approaches.runs()).approaches[0]
    assert (first.setting.solver, first.is_reference, first.rank, first.found) == ("pgd", True, None, 2)
    assert (first.formulation, first.sgm1_seconds) == (None, sgm1(0.1, 0.1))
    assert shown(approaches)[2][3] == 1
    approaches.found("late", add_instance(approaches, "c", None), 1.0)
    for rate in (HALF, MOST):
        approaches.run(f"c-{rate}", add_instance(approaches, "c", rate))
    assert "pgd" not in {solver for solver, *_ in shown(approaches)}  # it did not run c


def test_suites_are_apart_and_wrong_settings_below_the_line(approaches):
    for rate in (None, HALF):
        approaches.found(f"o-{rate}", add_instance(approaches, "o", rate, suite="other"), 1.0)
        approaches.found(f"w-{rate}", f"sha-o{'' if rate is None else f'-{rate}'}", 0.5, solver="scip")
    approaches.robust("liar", "sha-o", 0.1, solver="scip", seed=1)
    board = build_leaderboard(approaches.runs())
    assert board.approaches_by == ("suite",)
    other = [row for row in board.approaches if row.group == ("other",)]
    assert [(row.setting.solver, row.rank, row.below_line) for row in other] == [
        ("highs", 1, False), ("highs", 2, False), ("scip", None, True), ("scip", None, True),
    ]  # fmt: skip


def test_an_oracle_that_is_no_better_than_one_rate_is_left_out(ledger):
    for problem in "ab":
        for rate, seconds in ((None, 9.0), (HALF, 1.0), (MOST, 2.0)):
            ledger.found(f"{problem}-{rate}", add_instance(ledger, problem, rate), seconds)
    assert [row.rate for row in build_leaderboard(ledger.runs()).approaches] == [HALF, MOST, None]
    assert not any(row.is_oracle for row in build_leaderboard(ledger.runs()).approaches)


def test_problems_without_a_threshold_and_runs_for_the_optimum_do_not_count(ledger):
    for rate in (None, HALF):
        ledger.run(f"t-{rate}", add_instance(ledger, "t", rate, threshold=None), goal="optimize")
        ledger.found(f"o-{rate}", add_instance(ledger, "o", rate), 1.0, goal="optimize")
    assert build_leaderboard(ledger.runs()).approaches == ()


def test_a_terminal_shows_the_first_and_json_all(ledger):
    rates = [rate / 20 for rate in range(1, 19)]
    for rate in (None, *rates):
        ledger.found(f"r-{rate}", add_instance(ledger, "a", rate), 1.0 + (rate or 0.0))
    board = build_leaderboard(ledger.runs())
    text = render(board, Format.TABLE)
    assert "and 7 more; see `--format markdown`" in text
    assert text.count("highs tight, magnitude unstructured 0.") == 12 - 1 and "highs tight, dense" in text
    records = json.loads(render(board, Format.JSON))["approaches"]
    assert len(records) == 19
    assert render(board, Format.MARKDOWN).count("| highs tight, magnitude unstructured 0.") == 18
