"""Tables 1 and 2 of [P] (Pham et al., arXiv:2505.01985) beside the same numbers of our runs.

A cell is the share of pairs in which the surrogate's run is strictly sooner, over all pairs of magnitude pruning on the
paper's data sets, input sides and architectures: Table 1 by structure and finetuning, Table 2 without finetuning by the
input's side, the depth or the width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from vnnbench.leaderboard.papers.pham2025 import in_grid
from vnnbench.leaderboard.papers.values import PHAM_RATES, PHAM_TABLES
from vnnbench.leaderboard.ranking.aggregates import share_faster
from vnnbench.leaderboard.ranking.surrogate_pairs import usable_pairs
from vnnbench.leaderboard.records.settings import Setting


@dataclass(frozen=True, slots=True)
class Cell:
    """How often the surrogate was sooner, in percent, and of how many pairs; None where there is none."""

    percent: float | None
    pairs: int


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of one of the paper's tables from the runs of a setting in a formulation: a cell for each rate, and
    the data sets of its pairs."""

    table: int
    name: str
    setting: Setting
    formulation: str
    cells: tuple[Cell, ...]
    datasets: frozenset[str]


def table_rows(pairs: pd.DataFrame, settings: Sequence[Setting]) -> tuple[TableRow, ...]:
    """Return all rows that have a pair (`pham2025.pairs_of`), by table, the paper's order of rows, setting and
    formulation."""
    if pairs.empty:
        return ()
    pairs = usable_pairs(pairs)
    pairs = pairs[in_grid(pairs) & (pairs["pruning"] == "magnitude")]
    return tuple(
        TableRow(table, name, settings[int(str(setting))], str(formulation), _cells(own), frozenset(own["dataset"]))
        for table, name, part in _parts(pairs)
        for (setting, formulation), own in part.groupby(["setting", "formulation"], sort=True)
    )


def _parts(pairs: pd.DataFrame) -> Iterator[tuple[int, str, pd.DataFrame]]:
    """Yield table, name and pairs of each row of the paper."""
    finetuned = pairs["finetuned"] == 1
    for name in PHAM_TABLES[1]:
        structure, *words = name.split()
        yield 1, name, pairs[(pairs["structure"] == structure) & (finetuned == (words == ["finetuned"]))]
    columns = {"input": "input_side", "depth": "depth", "width": "width"}
    for name in PHAM_TABLES[2]:
        what, value = name.split()
        yield 2, name, pairs[~finetuned & (pairs[columns[what]] == int(value.split("x")[0]))]


def _cells(pairs: pd.DataFrame) -> tuple[Cell, ...]:
    found = []
    for rate in PHAM_RATES:
        own = pairs[pairs["rate"] == rate]
        share = share_faster(*(own[f"{side}_seconds"].to_numpy(float) for side in ("surrogate", "dense")))
        found.append(Cell(None if share is None else 100 * share, len(own)))
    return tuple(found)
