"""The counts of a setting over all groups are the sums of its rows."""

from __future__ import annotations

from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.tables.totals import total_rows


def test_totals_are_sums_and_settings_below_the_line_come_last(three_solvers):
    rows = build_leaderboard(three_solvers.runs()).settings
    totals = total_rows(rows)
    assert [(row.setting.label, row.runs, row.counterexamples, row.below_line) for row in totals] == [
        ("highs", 9, 8, False), ("gurobi", 4, 0, False), ("scip", 9, 8, True),
    ]  # fmt: skip
    assert sum(row.runs for row in totals) == sum(row.runs for row in rows) == 22
