"""Dense against surrogate: does solving the pruned network find counterexamples of the dense one sooner?

Measured as in [P] (Pham et al., arXiv:2505.01985): one pair is the same problem, seed, permutation, setting and
formulation, once on the dense network and once on a surrogate. A run's time is the arrival of its first confirmed
counterexample, else its time limit, whatever else it proved; all pairs are in the denominator, and ties count for
neither side.

Only runs with the goal find or decide on problems with a threshold; pairs with one side missing or refused by a
licence are left out, and counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from leaderboard import metrics
from leaderboard.pairs import kind_fields, pair_runs, pairs_by_kind, usable_pairs
from leaderboard.settings import Setting


@dataclass(frozen=True, slots=True)
class SurrogateRow:
    """One setting on one kind of surrogate, beside the same problems on the dense network.

    problems: pairs compared (problem x seed x permutation, and x surrogate where a problem has several of this kind).
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
    return tuple(_row(pairs, settings, groups) for pairs in pairs_by_kind(time_pairs(runs, outcomes)))


def time_pairs(runs: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """`pairs.pair_runs` with what [P] compares: run, seconds (to the first confirmed counterexample, else the time
    limit) and found."""
    relevant = (runs["goal"].isin(["find", "decide"]) & runs["threshold"].notna()).to_numpy(bool)
    found = outcomes.loc[relevant, "first_success_seconds"]
    seconds = found.fillna(outcomes.loc[relevant, "limit"])
    measured = pd.DataFrame({"run": runs.loc[relevant, "run"], "seconds": seconds, "found": found.notna()})
    return pair_runs(runs, outcomes, measured)


def _row(pairs: pd.DataFrame, settings: list[Setting], groups: list[tuple[object, ...]]) -> SurrogateRow:
    usable = usable_pairs(pairs)
    dense = usable["dense_seconds"].to_numpy(float)
    surrogate = usable["surrogate_seconds"].to_numpy(float)
    return SurrogateRow(
        **kind_fields(pairs, settings, groups),  # type: ignore[arg-type]
        problems=len(usable),
        left_out=len(pairs) - len(usable),
        dense_counterexamples=int(np.sum(usable["dense_found"].to_numpy(bool))),
        surrogate_counterexamples=int(np.sum(usable["surrogate_found"].to_numpy(bool))),
        surrogate_faster=metrics.share_faster(surrogate, dense),
        dense_faster=metrics.share_faster(dense, surrogate),
        time_ratio=metrics.geometric_mean_ratio(dense, surrogate),
    )
