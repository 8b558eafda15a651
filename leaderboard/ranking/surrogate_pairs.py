"""Pairs of runs: the same problem, seed, permutation, setting and formulation on the dense network and on a surrogate.

The two files of a pair have different rows and columns, so one permutation number orders each of them by a seed of its
own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from vnnbench.leaderboard.ranking.outcomes import APART, JudgedRuns, catalogue_value
from vnnbench.leaderboard.records.query_columns import is_dense, split_columns
from vnnbench.leaderboard.records.settings import Setting

KIND_COLUMNS = ["formulation", "pruning", "structure", "rate", "finetuned"]
_DENSE_KEY = ["setting", "problem", "dense_network", "formulation", "seed", "permutation"]
_SIDE = ["setting", "instance_sha256", "seed", "permutation"]


@dataclass(frozen=True, slots=True)
class OfKind:
    """What a row about one kind of surrogate is about: a setting in one group, and `KIND_COLUMNS`.

    group: values of the surrogate instance's catalogue columns, in the order of `Leaderboard.problems_by`, or of
    `approaches_by`.
    """

    group: tuple[object, ...]
    setting: Setting
    formulation: str | None
    pruning: str | None
    structure: str | None
    rate: float | None
    finetuned: int | None


def pair_runs(judged: JudgedRuns, measured: pd.DataFrame) -> pd.DataFrame:
    """Return one row for every pair, within one type of CPU and goal, of which a setting ran at least one side.

    The columns of a side that was not run are null.
    measured: the compared columns of each run that can be one side of a pair, by the index of the runs. A pair has them
    twice, as dense_NAME and surrogate_NAME, with dense_refused and surrogate_refused. The other columns: setting, group
    (positions, as in the outcomes), instance_sha256 (of the surrogate's instance), seed, permutation, problem,
    dense_network and KIND_COLUMNS.
    """
    names = [*APART, "instance_sha256", "seed", "permutation", "problem", "network", "dense_network", *KIND_COLUMNS]
    outcomes = judged.outcomes.loc[measured.index, ["setting", "group", "refused"]]
    sides = judged.runs.loc[measured.index, names].join(outcomes).join(measured)
    names = [*measured.columns, "refused"]
    pairs = []
    for _, own in sides.groupby(list(APART)):
        dense = is_dense(own)
        pairs.append(_pair(own[dense], own[~dense], names))
    return pd.concat(pairs, ignore_index=True) if pairs else _pair(sides, sides, names)


@dataclass(frozen=True, slots=True)
class PairsOfKind:
    """The pairs of one setting and kind of surrogate.

    fields: those of `OfKind`. usable, left_out: the number of pairs of which both sides were run and not refused, and
    of the others. columns: those of the usable pairs, as arrays (usable,).
    """

    fields: dict[str, Any]
    usable: int
    left_out: int
    columns: dict[str, np.ndarray]

    def of_sides(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return a compared column of the dense and of the surrogate runs, as numbers (usable,)."""
        return self.columns[f"dense_{name}"].astype(float), self.columns[f"surrogate_{name}"].astype(float)


def pairs_by_kind(pairs: pd.DataFrame, judged: JudgedRuns) -> Iterator[PairsOfKind]:
    """Yield the pairs (`pair_runs`) of each setting and kind of surrogate that it ran, sorted by group, setting and
    kind."""
    if pairs.empty:
        return
    cell = pairs.groupby(["group", "setting", *KIND_COLUMNS], dropna=False).ngroup().to_numpy()
    _, first, total = np.unique(cell, return_index=True, return_counts=True)
    ran = np.bincount(cell, weights=pairs["surrogate_refused"].notna()) > 0
    usable = usable_pairs(pairs)
    kinds, columns_of = pairs.iloc[first].to_dict("records"), split_columns(usable, cell[usable.index], len(first))
    for number, (kind, columns) in enumerate(zip(kinds, columns_of, strict=True)):
        if ran[number]:
            size = len(columns["setting"])
            yield PairsOfKind(kind_fields(kind, judged), size, int(total[number]) - size, columns)


def _pair(dense: pd.DataFrame, surrogates: pd.DataFrame, measured: list[str]) -> pd.DataFrame:
    instances = surrogates.drop_duplicates("instance_sha256")[
        ["instance_sha256", "problem", "dense_network", "group", *KIND_COLUMNS]
    ]
    # A ledger may hold two versions of one library; if two dense instances have one name, the later run counts.
    dense = dense.drop_duplicates(_DENSE_KEY, keep="last")[_DENSE_KEY + measured]
    dense = dense.merge(instances[["instance_sha256", "problem", "dense_network", "formulation"]])
    return (
        surrogates[_SIDE + measured]
        .rename(columns={name: f"surrogate_{name}" for name in measured})
        .merge(dense[_SIDE + measured].rename(columns={name: f"dense_{name}" for name in measured}), "outer", on=_SIDE)
        .merge(instances, on="instance_sha256", validate="many_to_one")
    )


def usable_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs of which both sides were run and neither was refused."""
    return pairs[(pairs["dense_refused"] == False) & (pairs["surrogate_refused"] == False)]  # noqa: E712 (null: not run)


def kind_fields(row: Mapping[Any, Any], judged: JudgedRuns) -> dict[str, Any]:
    """Return the fields of `OfKind` of a row, from its columns of these names, as Python values."""
    kind = {name: catalogue_value(row[name], name) for name in KIND_COLUMNS}
    return {"group": judged.groups[row["group"]], "setting": judged.settings[row["setting"]], **kind}
