"""Surrogates against their dense networks: as heat maps, which show all kinds at once, and as tables of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

import numpy as np

from vnnbench.leaderboard.ranking.column_form import Rows, Table
from vnnbench.leaderboard.ranking.columns import columns_of
from vnnbench.leaderboard.ranking.leaderboard import Leaderboard
from vnnbench.leaderboard.ranking.surrogate_sizes import SizeRow, compare_sizes
from vnnbench.leaderboard.ranking.surrogate_times import SurrogateRow
from vnnbench.leaderboard.ranking.surrogate_values import SurrogateValueRow
from vnnbench.leaderboard.site.content import Contents, SuitePage
from vnnbench.leaderboard.site.heads import Head
from vnnbench.leaderboard.site.setting_tables import cells, heads
from vnnbench.leaderboard.site.styles import Look
from vnnbench.leaderboard.tables.build import Row, Sheet, beside_label, legend_of
from vnnbench.leaderboard.text import NONE, count, format_number, format_percent, span

AnyRow: TypeAlias = SurrogateRow | SurrogateValueRow

HEAT_LEVELS = 10
"""The style sheet has grounds from heat-0, where the dense network is ahead in every pair, over heat-5, where each side
is ahead in as many, to heat-10, where the surrogate is ahead in every pair."""


@dataclass(frozen=True, slots=True)
class HeatCell:
    """The share of pairs in which the surrogate is ahead. text: in percent. level: of its ground (`_level`); None
    without pairs. about: what is behind it."""

    text: str
    level: int | None
    about: str


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The shares of one setting in one formulation: a row for each way of pruning, a column for each rate.

    pairs: in words, how many each cell is a share of."""

    label: str
    look: Look
    formulation: str
    pairs: str
    rates: tuple[str, ...]
    rows: tuple[tuple[str, tuple[HeatCell, ...]], ...]


def heat_maps(contents: Contents, leaderboard: Leaderboard) -> dict[str, list[HeatMap]]:
    """Return the maps of how often the surrogate was sooner, "by_time", and had the larger value, "by_value"."""
    return {
        "by_time": list(_maps(contents, leaderboard, leaderboard.surrogates)),
        "by_value": list(_maps(contents, leaderboard, leaderboard.surrogate_values)),
    }


def _maps(contents: Contents, leaderboard: Leaderboard, of: Sequence[AnyRow]) -> Iterator[HeatMap]:
    """Yield the maps of these rows, all with the same rates."""
    rates = sorted({row.rate for row in of}, key=lambda rate: (rate is None, rate))
    for (group, setting, formulation), own in groupby(of, key=lambda row: (row.group, row.setting, row.formulation)):
        rows = list(own)
        cell_of = {(_way_text(row), row.rate): row for row in rows}
        page = contents.page_of(setting)
        yield HeatMap(
            label=", ".join([page.setting.label, *map(str, beside_label(leaderboard.problems_by, group))]),
            look=page.look,
            formulation=formulation or NONE,
            pairs=f"{_pairs_text([row.pairs for row in rows])} a cell",
            rates=tuple(map(_rate_text, rates)),
            rows=tuple(
                (way, tuple(_heat_cell(cell_of.get((way, rate))) for rate in rates))
                for way in dict.fromkeys(map(_way_text, rows))
            ),
        )


def _pairs_text(pairs: list[int]) -> str:
    return count(pairs[0], "pair") if min(pairs) == max(pairs) else f"{span(pairs)} pairs"


def _heat_cell(row: AnyRow | None) -> HeatCell:
    if row is None:
        return HeatCell(NONE, None, "")
    if isinstance(row, SurrogateValueRow):
        share, other = row.surrogate_better, row.dense_better
        found = f"a value of {row.dense_values} dense and {row.surrogate_values} surrogate runs"
        more = f"larger {format_percent(share)}, smaller {format_percent(other)}"
    else:
        share, other = row.surrogate_faster, row.dense_faster
        found = f"found by {row.dense_counterexamples} dense and {row.surrogate_counterexamples} surrogate runs"
        more = (
            f"sooner {format_percent(share)}, later {format_percent(other)}; dense over surrogate time "
            f"{format_number(row.time_ratio)}"
        )
    if share is None or other is None:
        return HeatCell(NONE, None, "no pairs")
    return HeatCell(format_percent(share), _level(share - other), f"{count(row.pairs, 'pair')}; {found}; {more}")


def _level(ahead: float) -> int:
    """Return the level of a ground. ahead: the share of pairs in which the surrogate is ahead, less that in which the
    dense network is, -1 to 1; every share but 0 has a colour."""
    middle = HEAT_LEVELS // 2
    steps = min(middle, max(1, round(middle * abs(ahead)))) if ahead else 0
    return middle + steps if ahead > 0 else middle - steps


def _way_text(row: AnyRow) -> str:
    """Describe in words how a surrogate was pruned, without the rate."""
    words = " ".join(word for word in (row.pruning, row.structure) if word)
    return f"{words}, finetuned" if row.finetuned else words


def _rate_text(rate: float | None) -> str:
    return NONE if rate is None else f"{rate:g}"


@dataclass(frozen=True, slots=True)
class SurrogateTableRow:
    """A setting on one kind of surrogate."""

    label: str
    look: Look
    kind: str
    formulation: str
    cells: tuple[str, ...]


def surrogate_table(
    contents: Contents, leaderboard: Leaderboard, rows: Rows, table: Table
) -> tuple[list[Head], list[SurrogateTableRow]]:
    """Return the comparison of dense and surrogate, by time or by value, in the columns of a table."""
    of: Sequence[AnyRow] = getattr(leaderboard, rows)
    columns = columns_of(table, of)
    found = []
    for row in of:
        page = contents.page_of(row.setting)
        label = ", ".join([page.setting.label, *map(str, beside_label(leaderboard.problems_by, row.group))])
        shown = cells(columns, row)
        found.append(SurrogateTableRow(label, page.look, kind_text(row), row.formulation or NONE, shown))
    return heads(leaderboard, columns), found


def kind_text(row: AnyRow) -> str:
    """Describe a kind of surrogate in words."""
    rate = None if row.rate is None else f"{row.rate:g}"
    words: tuple[str | None, ...] = (row.pruning, row.structure, rate, "finetuned" if row.finetuned else None)
    return " ".join(word for word in words if word)


def size_sheets(contents: Contents, suite: SuitePage) -> list[Sheet]:
    """Return the table by size, where the suite's surrogates have several architectures."""
    rows = compare_sizes(contents.source.runs.iloc[np.sort(np.concatenate([own.rows for own in suite.rankings]))])
    if len({(row.input_side, row.depth, row.width) for row in rows}) < 2:
        return []
    columns = columns_of(Table.SITE_SIZES, rows)
    shown = tuple(Row("", (_architecture(row),), _rate_text(row.rate), cells(columns, row)) for row in rows)
    legend = f"Over all settings, formulations and kinds of pruning. {legend_of(suite.leaderboard, columns)}"
    return [Sheet(Table.SITE_SIZES, ("architecture",), "rate", [column.head for column in columns], shown, legend)]


def _architecture(row: SizeRow) -> str:
    """Return an architecture such as 28x28 4x64: the inputs, and layers x neurons."""
    side = "" if row.input_side is None else f"{row.input_side}x{row.input_side} "
    return side + (NONE if row.depth is None or row.width is None else f"{row.depth}x{row.width}")
