"""Ranks, their intervals and tests: by hand, against simulation, and the same at every call."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.ranking.ranks import MEASURES, cluster_logs, holm, ranks_of


def by_label(ledger):
    return {row.setting.label: row for row in build_leaderboard(ledger.runs()).ranks}


def measured(ledger, run, seconds, as_given=0.0, repaired=0.0):
    """Add the newest judgement of a run, with the tolerance that its counterexample needs."""
    ledger.judge(run, confirmed=1, evidence="exact", best_exact_value=0.5, first_success_seconds=seconds,
                 primal_steps="[]", as_given_violation=as_given, repaired_violation=repaired)  # fmt: skip


def test_ranks_of_ties_are_shared():
    assert ranks_of(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [3, 1, 3, 2]
    assert ranks_of(np.array([[1.0, 1.0], [2.0, 1.0]])).tolist() == [[1, 1], [2, 1]]


def test_cluster_logs_by_hand():
    seconds = np.array([[0.0, 90.0], [10.0, 0.0], [5.0, 5.0]])
    logs = cluster_logs(seconds, np.array([1, 1, 0]))
    assert np.exp(logs) == pytest.approx(np.array([[15, 15], [10 * 20, 100 * 10]]))


def test_holm_by_hand():
    # in order 0.01, 0.03, 0.04: times 3, 2, 1, never falling
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_lowers_a_p_and_keeps_their_order(p):
    found = holm(p)
    assert all(corrected >= own for own, corrected in zip(p, found, strict=True))
    order = np.argsort(p, kind="stable")
    assert np.all(np.diff(np.array(found)[order]) >= 0)


def test_same_times_in_another_order_do_not_differ(ledger):
    for number in range(40):
        sha = ledger.instance(f"i{number}", problem=f"p{number}")
        times = 0.1 + number, 0.2, 0.3
        for seed in range(3):
            ledger.robust(f"h{number}-{seed}", sha, times[seed], seed=seed)
            ledger.robust(f"s{number}-{seed}", sha, times[seed - 1], seed=seed, solver="scip")
    (pair,) = build_leaderboard(ledger.runs()).pairs
    assert (pair.p, pair.differ) == (1.0, False)


def add_pair(ledger, name, highs, scip, **columns):
    sha = ledger.instance(name, **columns)
    ledger.found(f"h-{name}", sha, highs)
    ledger.found(f"s-{name}", sha, scip, solver="scip")


@pytest.mark.parametrize(("problems", "ends"), [(5, [(None, None)] * 2), (6, [(1, 1), (2, 2)])])
def test_the_interval_is_a_single_rank_where_all_problems_agree_and_there_are_six(ledger, problems, ends):
    for number in range(problems):
        add_pair(ledger, f"i{number}", 20.0 + number, 5.0, problem=f"p{number}")
    ranks = by_label(ledger)
    assert {label: row.rank for label, row in ranks.items()} == {"scip": 1, "highs": 2}
    assert [(ranks[label].rank_low, ranks[label].rank_high) for label in ("scip", "highs")] == ends
    (pair,) = build_leaderboard(ledger.runs()).pairs
    assert (pair.problems, pair.p) == (problems, 2 / 2**problems)


def test_the_interval_is_wide_where_problems_disagree(ledger):
    for number in range(8):
        add_pair(ledger, f"i{number}", 20.0, 5.0 if number % 2 else 60.0, problem=f"p{number}")
    assert {(row.rank_low, row.rank_high) for row in by_label(ledger).values()} == {(1, 2)}


def test_problems_that_share_an_image_are_one(ledger):
    """Ten problems about five images, of two architectures; then five about images without a data set's number."""
    for number in range(10):
        columns = {"dataset": "mnist", "sample": number // 2}
        add_pair(ledger, f"i{number}", 20.0 + number, 5.0, problem=f"p{number}", **columns)
    (pair,) = build_leaderboard(ledger.runs()).pairs
    assert (pair.problems, pair.p, pair.differ) == (5, 2 / 2**5, False)
    for number in range(5):
        add_pair(ledger, f"o{number}", 20.0, 5.0, problem=f"o{number}", dataset="mnist", sample=None)
    (pair,) = build_leaderboard(ledger.runs()).pairs
    assert (pair.problems, pair.differ) == (10, True)


def test_problems_weigh_by_their_triples(ledger):
    """Of seven problems one has nine seeds: where it alone goes the other way, nothing is left of the difference."""
    for number in range(7):
        sha = ledger.instance(f"i{number}", problem=f"p{number}")
        for seed in range(9 if number == 0 else 1):
            ledger.found(f"h{number}-{seed}", sha, 5.0 if number else 20.0, seed=seed)
            ledger.found(f"s{number}-{seed}", sha, 20.0 if number else 5.0, seed=seed, solver="scip")
    board = build_leaderboard(ledger.runs())
    assert [(row.setting.label, row.rank) for row in board.ranks] == [("scip", 1), ("highs", 2)]
    assert board.pairs[0].p > 0.5


def test_one_problem_alone_has_no_interval(ledger):
    ledger.found("h", ledger.instance("a"), 1.0)
    ledger.found("s", "sha-a", 2.0, solver="scip")
    ranks = by_label(ledger)
    assert [(row.rank, row.rank_low, row.rank_high) for row in ranks.values()] == [(1, None, None), (2, None, None)]


def test_wrong_setting_has_no_rank_and_makes_no_other_worse(ledger):
    sha = ledger.instance("a")
    ledger.found("liar", sha, 0.1, solver="cbc", dual_bound=-1.0)
    ledger.found("h", sha, 5.0)
    ledger.found("s", sha, 2.0, solver="scip")
    board = build_leaderboard(ledger.runs())
    assert [(row.setting.label, row.rank, row.sgm10_ratio) for row in board.settings] == [
        ("scip", 1, 1.0), ("highs", 2, pytest.approx(2.5)), ("cbc", None, pytest.approx(50.0)),
    ]  # fmt: skip
    assert {row.setting.label for row in board.ranks} == {"highs", "scip"}
    assert len(board.pairs) == 1
    assert board.settings[2].alone is None
    (best,) = board.virtual_best
    assert best.sgm10_seconds == pytest.approx(2.0)


def test_equal_settings_share_a_rank(ledger):
    for name in "ab":
        sha = ledger.instance(name, problem=name)
        for solver in ("highs", "scip"):
            ledger.found(f"{solver}{name}", sha, 3.0, solver=solver)
        ledger.found(f"cbc{name}", sha, 4.0, solver="cbc")
    ranks = by_label(ledger)
    assert {label: (row.rank, row.rank_low, row.rank_high) for label, row in ranks.items()} == {
        "highs": (1, None, None), "scip": (1, None, None), "cbc": (3, None, None),
    }  # fmt: skip
    first = build_leaderboard(ledger.runs()).pairs[0]
    assert (first.faster.label, first.slower.label, first.p) == ("highs", "scip", 1.0)


def test_measures_by_hand(ledger):
    # highs: 20, 20, 100 (limit); scip: 0.1, 100, 100; of 100 s each.
    for name, highs, scip in (("a", 20.0, 0.1), ("b", 20.0, None), ("c", None, None)):
        sha = ledger.instance(name, problem=name)
        for solver, seconds in (("highs", highs), ("scip", scip)):
            if seconds is None:
                ledger.run(solver + name, sha, solver=solver)
            else:
                ledger.found(solver + name, sha, seconds, solver=solver)
    highs, scip = by_label(ledger)["highs"], by_label(ledger)["scip"]
    # sgm10: 30 * 30 < 10.1 * 110; sgm1: 21 * 21 > 1.1 * 101; sgm100: 120 * 120 < 100.1 * 200
    assert (highs.by_measure["sgm10"], highs.by_measure["sgm1"], highs.by_measure["sgm100"]) == (1, 2, 1)
    # PAR2: 20 + 20 + 200, 0.1 + 200 + 200; solved 2, 1; by all: a alone
    names = ("par2", "par10", "solved", "solved_by_all", "repaired_0")
    assert [highs.by_measure[name] for name in names] == [1, 1, 1, 2, 1]
    assert highs.flips == ("sgm1", "solved_by_all") == scip.flips
    assert set(highs.by_measure) == set(MEASURES)


def test_spent_files_count_as_solved_and_as_unanswered_by_a_measure_of_their_own(ledger):
    """One surrogate's file has an answer, after 5 s by highs and 6 s by scip; the other has none: 40 and 2 s to its
    end."""
    answered, spent = ledger.surrogate("a"), ledger.surrogate("s")
    for solver, first, whole in (("highs", 5.0, 40.0), ("scip", 6.0, 2.0)):
        ledger.found(f"{solver}-a", answered, first, solver=solver)
        ledger.run(f"{solver}-s", spent, solver=solver, termination="optimal", wall_seconds=whole, dual_bound=0.5)
    ranks = by_label(ledger)
    assert {label: (row.rank, row.by_measure["answered"], row.flips) for label, row in ranks.items()} == {
        "scip": (1, 2, ("answered",)), "highs": (2, 1, ("answered",)),
    }  # fmt: skip
    rows = build_leaderboard(ledger.runs()).settings
    assert [(row.runs, row.solved, row.spent, row.common_solved) for row in rows] == [(2, 1, 1, 2)] * 2
    assert rows[0].par10_seconds == (6.0 + 2.0) / 2


def test_dense_and_surrogate_files_and_formulations_are_ranked_apart(ledger):
    """highs is faster on the dense network, scip on its surrogate, and both are alike in the other formulation."""
    dense, pruned = ledger.instance("d"), ledger.surrogate("s")
    other = ledger.instance("o", formulation="surrogatelib")
    for solver, seconds in (("highs", (1.0, 9.0, 5.0)), ("scip", (2.0, 3.0, 5.0))):
        for sha, own in zip((dense, pruned, other), seconds, strict=True):
            ledger.found(f"{solver}-{sha}", sha, own, solver=solver)
    board = build_leaderboard(ledger.runs())
    assert board.by == ("role", "formulation") and board.problems_by == ()
    found = {(*row.group, row.setting.label): row.rank for row in board.ranks}
    assert found == {
        ("dense", "tight", "highs"): 1, ("dense", "tight", "scip"): 2,
        ("surrogate", "tight", "scip"): 1, ("surrogate", "tight", "highs"): 2,
        ("dense", "surrogatelib", "highs"): 1, ("dense", "surrogatelib", "scip"): 1,
    }  # fmt: skip


def test_counterexamples_beyond_a_tolerance_do_not_count_at_it(ledger):
    # scip is faster, by a candidate 1e-8 outside the set; cbc has one only 5e-5 outside, found in a run of 90 s.
    sha = ledger.instance("a")
    ledger.found("h", sha, 5.0)
    measured(ledger, "h", 5.0)
    ledger.found("s", sha, 2.0, solver="scip")
    measured(ledger, "s", 2.0, as_given=1e-8, repaired=1e-8)
    ledger.run("c", sha, solver="cbc", wall_seconds=90.0)
    ledger.judge("c", primal_steps="[]", as_given_violation=None, repaired_violation=5e-5)
    ranks = by_label(ledger)
    assert {label: row.rank for label, row in ranks.items()} == {"scip": 1, "highs": 2, "cbc": 3}
    at = {name: [ranks[label].by_measure[name] for label in ("highs", "scip", "cbc")] for name in MEASURES}
    assert at["as_given_0"] == at["repaired_1e-9"] == [1, 2, 2]  # both at the limit
    assert at["as_given_1e-7"] == at["repaired_1e-6"] == [2, 1, 3]
    assert at["repaired_1e-4"] == [2, 1, 3]
    assert [name for name in ranks["cbc"].flips if "_" in name] == [
        "as_given_0", "as_given_1e-9", "repaired_0", "repaired_1e-9",
    ]  # fmt: skip


def test_runs_without_measured_tolerance_stay_as_they_are(ledger):
    sha = ledger.instance("a")
    ledger.found("h", sha, 5.0)
    ledger.found("s", sha, 2.0, solver="scip")
    assert set(by_label(ledger)["scip"].by_measure.values()) == {1}
