"""Dense against surrogate by size, as a suite's page shows it."""

from __future__ import annotations

import numpy as np

from leaderboard.ranking.surrogate_sizes import SizeRow, compare_sizes
from leaderboard.site.content import Contents, SuitePage
from leaderboard.tables.build import NONE, Row, Sheet, format_number, format_percent

_COLUMNS = ("pairs", "faster", "slower", "ratio", "cand.", "transf")
_LEGEND = (
    "Over all settings, formulations and kinds of pruning. faster, slower: share of pairs where the surrogate run "
    "found its first counterexample sooner, later. ratio: dense over surrogate time, geometric mean. cand.: candidates "
    "that are counterexamples to the surrogate; transf: share of these that are to the dense network too (others may "
    "be)."
)


def size_sheets(contents: Contents, suite: SuitePage) -> list[Sheet]:
    """The table, where the suite's surrogates are of several architectures."""
    rows = compare_sizes(contents.source.runs.iloc[np.sort(np.concatenate([own.rows for own in suite.by_goal]))])
    if len({(row.input_side, row.depth, row.width) for row in rows}) < 2:
        return []
    shown = tuple(
        Row("", (_architecture(row),), NONE if row.rate is None else f"{row.rate:g}", _cells(row)) for row in rows
    )
    return [Sheet("By size", ("architecture",), "rate", _COLUMNS, shown, _LEGEND)]


def _architecture(row: SizeRow) -> str:
    """Such as 28x28 4x64: the inputs, and layers x neurons."""
    side = "" if row.input_side is None else f"{row.input_side}x{row.input_side} "
    return side + (NONE if row.depth is None or row.width is None else f"{row.depth}x{row.width}")


def _cells(row: SizeRow) -> tuple[str, ...]:
    candidates = NONE if row.uncounted == row.pairs else str(row.candidates)
    return (
        str(row.pairs), format_percent(row.surrogate_faster), format_percent(row.dense_faster),
        format_number(row.time_ratio), candidates, format_percent(row.transfer_share),
    )  # fmt: skip
