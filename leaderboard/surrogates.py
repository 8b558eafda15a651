"""Dense against surrogate: does solving the pruned network find counterexamples of the dense one sooner?

Measured as in [P] (Pham et al., arXiv:2505.01985): one pair is the same problem, seed, setting and formulation, once
on the dense network and once on a surrogate. A run's time is the arrival of its first confirmed counterexample, else
its time limit, whatever else it proved; all pairs are in the denominator, and ties count for neither side.

Only runs with the goal find or decide on problems with a threshold; pairs with one side missing or refused by a
licence are left out, and counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from leaderboard import metrics
from leaderboard.outcomes import catalogue_value
from leaderboard.settings import Setting

KIND_COLUMNS = ["formulation", "pruning", "structure", "rate", "finetuned"]
_DENSE_KEY = ["setting", "problem", "dense_network", "formulation", "seed"]


@dataclass(frozen=True, slots=True)
class SurrogateRow:
    """One setting on one kind of surrogate, beside the same problems on the dense network.

    problems: pairs compared (problem x seed, and x surrogate where a problem has several of this kind).
    left_out: pairs where one side was not run or was refused by a licence.
    surrogate_faster, dense_faster: shares (0 to 1) of `problems`; the rest are ties.
    time_ratio: geometric mean of dense time / surrogate time.
    group: values of the surrogate instance's catalogue columns, in the order of `Leaderboard.by`.
    """

    group: tuple[object, ...]
    setting: Setting
    formulation: str | None
    pruning: str | None
    structure: str | None
    rate: float | None
    finetuned: int | None
    problems: int
    left_out: int
    dense_counterexamples: int
    surrogate_counterexamples: int
    surrogate_faster: float | None
    dense_faster: float | None
    time_ratio: float | None


def compare_surrogates(
    runs: pd.DataFrame, settings: list[Setting], outcomes: pd.DataFrame, groups: list[tuple[object, ...]]
) -> tuple[SurrogateRow, ...]:
    """All rows, sorted by group, setting, formulation and kind. Arguments as `outcomes.judge_outcomes` returns them."""
    pairs = pair_runs(runs, outcomes)
    pairs["cell"] = pairs.groupby(["group", "setting", *KIND_COLUMNS], dropna=False).ngroup()
    return tuple(
        _row(pairs.iloc[positions], settings, groups)
        for _, positions in sorted(pairs.groupby("cell", sort=True).indices.items())
        if pairs["surrogate_seconds"].iloc[positions].notna().any()  # else this setting ran no such surrogate
    )


def pair_runs(runs: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Every pair of which a setting ran at least one side, one row each; the columns of a side not run are null.

    Columns: setting, instance_sha256 (of the surrogate's instance), seed, problem, dense_network, group, the
    `KIND_COLUMNS`, and for each side, with the prefix dense_ or surrogate_: run, seconds (to the first confirmed
    counterexample, else the time limit), found, refused.
    """
    sides = _sides(runs, outcomes)
    is_dense = (sides["network"] == sides["dense_network"]).to_numpy(bool)
    return _pair(sides[is_dense], sides[~is_dense])


def usable(pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs of which both sides were run and neither was refused."""
    return pairs[(pairs["dense_refused"] == False) & (pairs["surrogate_refused"] == False)]  # noqa: E712 (null: not run)


def _sides(runs: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """The runs that can be one side of a pair, with the time as [P] counts it."""
    relevant = (runs["goal"].isin(["find", "decide"]) & runs["threshold"].notna()).to_numpy(bool)
    names = ["run", "instance_sha256", "seed", "problem", "network", "dense_network", *KIND_COLUMNS]
    sides = runs.loc[relevant, names].join(outcomes.loc[relevant, ["setting", "group", "refused", "limit"]])
    found = outcomes.loc[relevant, "first_success_seconds"]
    return sides.assign(found=found.notna(), seconds=found.fillna(sides["limit"]))


def _pair(dense: pd.DataFrame, surrogates: pd.DataFrame) -> pd.DataFrame:
    measured = ["run", "seconds", "found", "refused"]
    instances = surrogates.drop_duplicates("instance_sha256")[
        ["instance_sha256", "problem", "dense_network", "group", *KIND_COLUMNS]
    ]
    # A ledger may hold two versions of one library: of two dense instances of one name the later run counts.
    dense = dense.drop_duplicates(_DENSE_KEY, keep="last")[_DENSE_KEY + measured]
    dense = dense.merge(instances[["instance_sha256", "problem", "dense_network", "formulation"]])
    side = ["setting", "instance_sha256", "seed"]
    return (
        surrogates[side + measured]
        .rename(columns={name: f"surrogate_{name}" for name in measured})
        .merge(dense[side + measured].rename(columns={name: f"dense_{name}" for name in measured}), "outer", on=side)
        .merge(instances, on="instance_sha256", validate="many_to_one")
    )


def _row(pairs: pd.DataFrame, settings: list[Setting], groups: list[tuple[object, ...]]) -> SurrogateRow:
    first = pairs.iloc[0]
    compared = usable(pairs)
    dense = compared["dense_seconds"].to_numpy(float)
    surrogate = compared["surrogate_seconds"].to_numpy(float)
    return SurrogateRow(
        group=groups[first["group"]],
        setting=settings[first["setting"]],
        **{name: catalogue_value(first[name], name) for name in KIND_COLUMNS},  # type: ignore[arg-type]
        problems=len(compared),
        left_out=len(pairs) - len(compared),
        dense_counterexamples=int(np.sum(compared["dense_found"].to_numpy(bool))),
        surrogate_counterexamples=int(np.sum(compared["surrogate_found"].to_numpy(bool))),
        surrogate_faster=metrics.share_faster(surrogate, dense),
        dense_faster=metrics.share_faster(dense, surrogate),
        time_ratio=metrics.geometric_mean_ratio(dense, surrogate),
    )
