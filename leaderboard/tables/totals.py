"""The counts of every setting over all groups together."""

from __future__ import annotations

from collections.abc import Sequence

from vnnbench.leaderboard.ranking.leaderboard import SettingRow
from vnnbench.leaderboard.ranking.outcomes import FLAGS
from vnnbench.leaderboard.records.settings import Setting

_COUNTS = ("runs", *FLAGS)


def total_rows(rows: Sequence[SettingRow]) -> tuple[SettingRow, ...]:
    """Return one row for each setting with its counts over all of its rows, in their order; those that are below the
    line in any group come last. Ranks and measures, which hold within a group, are left out."""
    own: dict[Setting, list[SettingRow]] = {}
    for row in rows:
        own.setdefault(row.setting, []).append(row)
    totals = [
        SettingRow(
            setting=setting,
            **{name: sum(getattr(row, name) for row in found) for name in _COUNTS},
            below_line=any(row.below_line for row in found),
        )
        for setting, found in own.items()
    ]
    return tuple(sorted(totals, key=lambda row: row.below_line))
