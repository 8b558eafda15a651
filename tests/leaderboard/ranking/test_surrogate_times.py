"""Surrogates against their dense networks by the time until a counterexample, by hand."""

from __future__ import annotations

import pytest

from support.rankings import on_another_machine
from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard


def test_surrogate_is_compared_with_the_dense_run_of_its_goal(ledger):
    """Both settings run on the same two instances; each pair counts in the group of its own goal."""
    given, pruned = ledger.instance("a"), ledger.instance("s", network="net-mag", pruning="magnitude")
    for goal, dense, surrogate in (("find", 8.0, 4.0), ("decide", 3.0, 6.0)):
        ledger.found(f"d{goal}", given, dense, goal=goal)
        ledger.found(f"s{goal}", pruned, surrogate, goal=goal)
    found = {row.group: (row.pairs, row.time_ratio) for row in build_leaderboard(ledger.runs()).surrogates}
    assert found == {("decide",): (1, pytest.approx(0.5)), ("find",): (1, pytest.approx(2.0))}


def test_surrogate_comparison_by_hand(ledger):
    # dense, surrogate: 10 and 1; none (limit 100) and 4; 5 and none (100); none and none.
    for problem, dense, pruned in [("a", 10.0, 1.0), ("b", None, 4.0), ("c", 5.0, None), ("d", None, None)]:
        for sha, seconds, run in [
            (ledger.instance(problem, problem=problem), dense, f"{problem}-dense"),
            (ledger.surrogate(problem), pruned, f"{problem}-pruned"),
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
    # none at all; one whose times were not recorded; and one whose candidates were not counted.
    cases = {
        "a": (5.0, 1.0, 3, 1), "b": (50.0, None, 4, 0), "c": (50.0, None, 0, 0), "d": (5.0, 1.0, 1, 1),
        "e": (50.0, None, None, None),
    }  # fmt: skip
    for problem, (dense, pruned, own, transferred) in cases.items():
        known = problem != "d"
        sha = ledger.instance(problem, problem=problem, bounds_seconds=2.0 if known else None)
        ledger.found(f"d{problem}", sha, dense)
        times = {"bounds_seconds": 0.5, "prune_seconds": 0.5, "finetune_seconds": 8.0, "finetuned": 1}
        sha = ledger.surrogate(problem, **(times if known else {"finetuned": 1}))
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
        # this part must have been there and was not recorded
        ("tight", (None, None, None), (0.5, 0.5, None), None),
        ("tight", (2.0, None, None), (None, 0.5, None), None),
        ("tight", (2.0, None, None), (0.5, None, None), None),
        ("tight ft", (2.0, None, None), (0.5, None, None), None),
        ("surrogatelib", (None, None, None), (None, None, None), None),
        ("surrogatelib ft", (None, None, None), (None, None, None), None),
    ],
)
def test_an_absent_part_of_the_preparation_takes_no_time_and_an_unrecorded_one_leaves_the_pair_out(
    ledger, kind, dense, pruned, ratio
):
    own = KINDS[kind]
    times = dict(zip(PARTS, dense, strict=True))
    ledger.found("d", ledger.instance("a", formulation=own["formulation"], **times), 8.0)
    ledger.found("s", ledger.surrogate("p", **own, **dict(zip(PARTS, pruned, strict=True))), 1.0)
    (row,) = build_leaderboard(ledger.runs()).surrogates
    assert (row.pairs, row.prepared) == (1, None if ratio is None else 1)
    assert row.prepared_time_ratio == (None if ratio is None else pytest.approx(ratio))
    shares = (row.prepared_surrogate_faster, row.prepared_dense_faster)
    assert shares == ((None, None) if ratio is None else (float(ratio > 1), float(ratio < 1)))


@pytest.mark.parametrize(("dense_seconds", "saves"), [(10.0, True), (1.5, False)])
def test_best_rate_is_that_with_the_largest_ratio_among_several_if_it_saves_time(ledger, dense_seconds, saves):
    ledger.found("d", ledger.instance("a"), dense_seconds)
    for rate, structure, seconds in ((0.5, "unstructured", 5.0), (0.9, "unstructured", 2.0), (0.9, "structured", 1.0)):
        name = f"{structure}{rate}"
        kind = {"pruning": "magnitude", "structure": structure, "rate": rate}
        ledger.found(f"s{name}", ledger.instance(name, network=f"net-{name}", **kind), seconds)
    found = {(row.structure, row.rate): row.best_rate for row in build_leaderboard(ledger.runs()).surrogates}
    assert found == {("unstructured", 0.5): False, ("unstructured", 0.9): saves, ("structured", 0.9): False}


def test_sides_of_one_pair_have_the_same_seed_and_permutation(ledger):
    dense, pruned = ledger.instance("a"), ledger.surrogate("p")
    for k, (slow, fast) in enumerate([(10.0, 1.0), (2.0, 4.0), (3.0, None)]):
        ledger.found(f"d{k}", dense, slow, permutation=k)
        if fast is not None:
            ledger.found(f"s{k}", pruned, fast, permutation=k)
    (row,) = build_leaderboard(ledger.runs()).surrogates
    assert (row.pairs, row.left_out, row.surrogate_faster, row.dense_faster) == (2, 1, 0.5, 0.5)
    assert row.time_ratio == pytest.approx((10 / 1 * 2 / 4) ** 0.5)


def test_sides_of_one_pair_are_of_one_type_of_cpu(ledger):
    """A dense run of one type of CPU and the surrogate's of another are two pairs with a side missing."""
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


def test_dense_proof_is_not_a_counterexample_and_counts_as_the_limit(ledger):
    ledger.robust("d", ledger.instance("a", problem="a"), 2.0)
    ledger.run("s", ledger.surrogate("a"), wall_seconds=1.0, termination="optimal")
    (row,) = build_leaderboard(ledger.runs()).surrogates
    assert (row.pairs, row.surrogate_faster, row.dense_faster, row.time_ratio) == (1, 0.0, 0.0, 1.0)


def test_missing_and_refused_sides_leave_the_pair_out_and_are_counted(ledger):
    for problem in "abcd":
        ledger.instance(problem, problem=problem)
        ledger.surrogate(problem)
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
