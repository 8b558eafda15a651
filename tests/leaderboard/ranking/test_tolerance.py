"""Counts of runs by tolerance, before and after repair, by hand."""

from __future__ import annotations

import json

import pytest

from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.tables.render import Format, render


@pytest.fixture
def several(ledger):
    """Runs of three settings. highs: two exact counterexamples; one 5e-8 outside that repair loses; one 1e-5 outside
    that repair keeps; and one 2e-3 outside that only repair turns into a counterexample. scip: nothing. gurobi: an
    older run."""
    sha = ledger.instance("a")
    for seed, (as_given, repaired) in enumerate(
        [(0.0, 0.0), (0.0, 0.0), (5e-8, None), (1e-5, 1e-5), (None, 2e-3), (None, None)]
    ):
        ledger.run(f"h{seed}", sha, seed=seed)
        ledger.judge(f"h{seed}", primal_steps="[]", as_given_violation=as_given, repaired_violation=repaired)
    ledger.run("s", sha, solver="scip")
    ledger.judge("s", primal_steps="[]")
    return ledger


def test_counts_by_hand(several):
    highs, scip = build_leaderboard(several.runs()).sensitivity
    assert (highs.setting.label, highs.runs, highs.unmeasured, highs.depends) == ("highs", 6, 0, True)
    assert highs.as_given == {"0": 2, "1e-9": 2, "1e-7": 3, "1e-6": 3, "1e-4": 4}
    assert highs.repaired == {"0": 2, "1e-9": 2, "1e-7": 2, "1e-6": 2, "1e-4": 3}
    assert (scip.setting.label, scip.runs, scip.depends) == ("scip", 1, False)


def test_the_table_has_two_lines_per_setting(several):
    text = render(build_leaderboard(several.runs()), Format.MARKDOWN)
    lines = text[text.index("### Effect of tolerance") :].splitlines()
    assert "| highs | as given | 6 | 2 | 2 | 3 | 3 | 4 |" in lines
    assert "| highs | repaired | 6 | 2 | 2 | 2 | 2 | 3 |" in lines
    assert "Tolerance changes nothing" not in text
    assert "Effect of tolerance" in render(build_leaderboard(several.runs()), Format.TABLE)  # where it is shown
    markdown = render(build_leaderboard(several.runs(), ["depth"]), Format.MARKDOWN)
    assert "| depth | setting | candidates | runs | 0 | 1e-9 | 1e-7 | 1e-6 | 1e-4 |" in markdown
    assert "| – | highs | as given | 6 | 2 | 2 | 3 | 3 | 4 |" in markdown


def test_json_has_the_counts_by_tolerance(several):
    document = json.loads(render(build_leaderboard(several.runs(), ["depth"]), Format.JSON))
    assert document["sensitivity"][0] == {
        "setting": "highs", "depth": None, "runs": 6, "unmeasured": 0,
        "as_given": {"0": 2, "1e-9": 2, "1e-7": 3, "1e-6": 3, "1e-4": 4},
        "repaired": {"0": 2, "1e-9": 2, "1e-7": 2, "1e-6": 2, "1e-4": 3},
    }  # fmt: skip


def test_one_line_where_tolerance_changes_nothing(ledger):
    sha = ledger.instance("a")
    ledger.run("r", sha)
    ledger.judge("r", primal_steps="[]", as_given_violation=0.0, repaired_violation=0.0)
    text = render(build_leaderboard(ledger.runs()), Format.TABLE)
    assert "Tolerance changes nothing" in text and "Effect of tolerance" not in text


def test_runs_of_an_earlier_version_are_mentioned_and_not_counted(several):
    several.found("old", "sha-a", 1.0, solver="gurobi")
    board = build_leaderboard(several.runs())
    gurobi = board.sensitivity[0]
    assert (gurobi.setting.label, gurobi.runs, gurobi.unmeasured, gurobi.as_given["0"]) == ("gurobi", 1, 1, 0)
    text = " ".join(render(board, Format.TABLE).split())
    assert "The effect of tolerance was not measured in 1 run, judged by an earlier version: `vnnbench confirm`" in text


def test_tolerance_is_not_mentioned_where_no_problem_has_a_threshold(ledger):
    ledger.run("r", ledger.instance("a", threshold=None), goal="optimize")
    board = build_leaderboard(ledger.runs())
    assert board.sensitivity == ()
    assert "tolerance" not in render(board, Format.TABLE).lower()


@pytest.mark.parametrize(
    ("wall", "first", "steps", "as_given", "repaired"),
    [  # limit 100 s; the candidate that is nearest to the set lies exactly in it
        (100.0, 99.0, [[99.0, 0.5]], 1, 1),
        (103.0, 99.0, [[99.0, 0.5]], 1, 1),  # in time, the rest was late
        (103.0, 103.0, [[103.0, 0.5]], 0, 0),
        (103.0, 103.0, [[1.0, -0.5], [103.0, 0.5]], 1, 0),  # the one that came in time may be an answer as given
        (103.0, 103.0, [[1.0, 0.25], [103.0, 0.5]], 1, 1),  # an answer that needed more repair came in time
        (100.0, 103.0, [[103.0, 0.5]], 0, 0),
        (103.0, None, [], 0, 0),
    ],
)
def test_measures_of_an_older_version_count_where_an_answer_came_within_the_limit(
    ledger, wall, first, steps, as_given, repaired
):
    ledger.run("r", ledger.instance("a"), wall_seconds=wall)
    ledger.judge(
        "r", confirmed=1, evidence="exact", best_exact_value=0.5, first_success_seconds=first,
        primal_steps=json.dumps(steps), as_given_violation=0.0, repaired_violation=0.0,
    )  # fmt: skip
    board = build_leaderboard(ledger.runs())
    (row,) = board.sensitivity
    assert (row.runs, row.unmeasured) == (1, 0)
    assert ({*row.as_given.values()}, {*row.repaired.values()}) == ({as_given}, {repaired})


def test_table_agrees_with_the_counterexamples_of_the_other_tables_where_one_came_late(ledger):
    sha = ledger.instance("a")
    for seed, seconds in enumerate((50.0, 101.0)):
        ledger.run(f"r{seed}", sha, seed=seed, wall_seconds=max(seconds, 100.0))
        ledger.judge(
            f"r{seed}", confirmed=1, evidence="exact", best_exact_value=0.5, first_success_seconds=seconds,
            primal_steps=json.dumps([[seconds, 0.5]]), as_given_violation=0.0, repaired_violation=0.0,
        )  # fmt: skip
    board = build_leaderboard(ledger.runs())
    (row,), (setting,) = board.sensitivity, board.settings
    assert setting.counterexamples == row.repaired["1e-6"] == row.as_given["0"] == 1
    assert "Effect of tolerance" not in render(board, Format.TABLE)
