"""The comparison of dense networks and surrogates by architecture and pruning rate.

It shows whether the time that a surrogate saves, and the share of transferred candidates, change with the size of the
network. The numbers are those of `surrogate_times`, over the pairs of all settings, formulations and kinds of pruning:
every pair is within one of each, and counts once.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from vnnbench.leaderboard.ranking.outcomes import judge_outcomes
from vnnbench.leaderboard.ranking.reference import without_reference
from vnnbench.leaderboard.ranking.surrogate_pairs import usable_pairs
from vnnbench.leaderboard.ranking.surrogate_times import Race, Transfer, time_pairs

SIZE_COLUMNS = ("input_side", "depth", "width", "rate")


@dataclass(frozen=True, slots=True)
class SizeRow:
    """One rate of one architecture, None where the catalogue has none. The numbers are as in `SurrogateRow`."""

    input_side: int | None
    depth: int | None
    width: int | None
    rate: float | None
    pairs: int
    surrogate_faster: float | None
    dense_faster: float | None
    time_ratio: float | None
    candidates: int
    transferred: int
    transfer_share: float | None
    uncounted: int


def compare_sizes(runs: pd.DataFrame) -> tuple[SizeRow, ...]:
    """Return a row for each architecture and rate of the surrogates in these runs (`reader.read_runs`), sorted.

    Runs of references are left out. A pair of runs that stands in two settings counts once.
    """
    judged = judge_outcomes(without_reference(runs), SIZE_COLUMNS)
    pairs = usable_pairs(time_pairs(judged)).drop_duplicates(["dense_run", "surrogate_run"])
    return tuple(_row(judged.groups[size], pairs[pairs["group"] == size]) for size in sorted(set(pairs["group"])))


def _row(size: tuple[object, ...], pairs: pd.DataFrame) -> SizeRow:
    columns = ("dense_seconds", "surrogate_seconds", "surrogate_own_answers", "surrogate_transferred_answers")
    dense, surrogate, own, transferred = (pairs[name].to_numpy(float) for name in columns)
    race, transfer = Race.of(dense, surrogate), Transfer.of(own, transferred)
    return SizeRow(
        **dict(zip(SIZE_COLUMNS, size, strict=True)),  # type: ignore[arg-type]
        pairs=len(pairs),
        surrogate_faster=race.surrogate_faster,
        dense_faster=race.dense_faster,
        time_ratio=race.time_ratio,
        candidates=transfer.candidates,
        transferred=transfer.transferred,
        transfer_share=transfer.share,
        uncounted=transfer.uncounted,
    )
