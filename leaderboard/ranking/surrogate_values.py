"""The comparison by value, where there is no threshold: which side gets the larger value of the dense network?

A pair is as in `surrogate_times`. The value of a run is the largest exact value of the *dense* network at any of its
candidates that arrived within the time limit, whatever the value of the surrogate's own network there. A run without
such a candidate counts as worse than every value.
Both sides have the same time limit, as in [P] (Pham et al., arXiv:2505.01985v3), which asks whether pruned networks
lead to better solutions within it.

Only runs on problems without a threshold are compared; their goal is always optimize. Pairs with one side missing or
refused by a licence are left out, and their number is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from vnnbench.common.tolerances import BOUND_TOLERANCE
from vnnbench.leaderboard.ranking import aggregates
from vnnbench.leaderboard.ranking.outcomes import JudgedRuns
from vnnbench.leaderboard.ranking.surrogate_pairs import OfKind, PairsOfKind, pair_runs, pairs_by_kind


@dataclass(frozen=True, slots=True)
class SurrogateValueRow(OfKind):
    """One setting on one kind of surrogate, beside the same problems on the dense network.

    pairs, left_out: as in `SurrogateRow`. dense_values, surrogate_values: runs that have a value.
    surrogate_better, dense_better: shares (0 to 1) of `pairs`; the rest are ties (`aggregates.share_larger`).
    """

    pairs: int
    left_out: int
    dense_values: int
    surrogate_values: int
    surrogate_better: float | None
    dense_better: float | None


def compare_values(judged: JudgedRuns) -> tuple[SurrogateValueRow, ...]:
    """Return all rows, sorted by group, setting, formulation and kind."""
    relevant = judged.runs["threshold"].isna().to_numpy(bool)
    measured = pd.DataFrame({"value": judged.outcomes.loc[relevant, "value"]})
    return tuple(map(_row, pairs_by_kind(pair_runs(judged, measured), judged)))


def _row(pairs: PairsOfKind) -> SurrogateValueRow:
    dense, surrogate = pairs.of_sides("value")
    return SurrogateValueRow(
        **pairs.fields,
        pairs=pairs.usable,
        left_out=pairs.left_out,
        dense_values=int(np.sum(~np.isnan(dense))),
        surrogate_values=int(np.sum(~np.isnan(surrogate))),
        surrogate_better=aggregates.share_larger(surrogate, dense, BOUND_TOLERANCE),
        dense_better=aggregates.share_larger(dense, surrogate, BOUND_TOLERANCE),
    )
