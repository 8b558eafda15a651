"""Surrogates against their dense networks by the value that was reached, on problems without a threshold."""

from __future__ import annotations

import json

import pytest

from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard


def reached(ledger, run, sha, value, **columns):
    """Add a run to the time limit, with that value of the dense network at its best candidate (None: no candidate)."""
    ledger.run(run, sha, goal="optimize", **columns)
    found = {"confirmed": 1, "evidence": "exact"} if value is not None else {}
    ledger.judge(run, best_exact_value=value, **found)


def ask(ledger, problem):
    """Add the problem's dense instance and a surrogate's, and return their hashes."""
    return (
        ledger.instance(problem, problem=problem, threshold=None, family="maximize"),
        ledger.surrogate(problem, threshold=None, family="maximize"),
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
    assert sum(own.values for own in board.settings) == 7
    assert {(own.solved, own.counterexamples, own.robust_claimed) for own in board.settings} == {(0, 0, 0)}


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
    (row,), (setting, on_surrogate) = board.surrogate_values, board.settings
    assert (setting.values, on_surrogate.values) == (value is not None, 1)
    assert (row.dense_values, row.surrogate_values) == (int(value is not None), 1)
    assert (row.dense_better, row.surrogate_better) == ((1.0, 0.0) if value == 4.0 else (0.0, 1.0))
    assert (setting.timeouts, setting.other) == ((0, 1) if value is not None else (1, 0))


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
