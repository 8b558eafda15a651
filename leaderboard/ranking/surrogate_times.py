"""The comparison by time: does solving the pruned network find counterexamples to the dense one sooner?

Measured as in [P] (Pham et al., arXiv:2505.01985): one pair is the same problem, seed, permutation, setting and
formulation, once on the dense network and once on a surrogate. A run's time is the arrival of its first confirmed
counterexample, else its time limit, whatever else it proved; all pairs are in the denominator, and a tie counts for
neither side.

transfer: of the candidates that answer the problem on the surrogate, the share that answer it on the dense network too,
both in exact arithmetic, pooled over runs i:

    sum_i(transferred_answers_i) / sum_i(own_answers_i)

so a run with many candidates weighs more than one with few. A repeated candidate counts once, one that arrives after
the time limit does not count. All other candidates are judged too, and may be counterexamples to the dense network
alone: a run that found one may have no transferred candidate. A run with the goal find or decide ends with its first
counterexample to the dense network, so later candidates are not among these. Runs whose candidates were not counted are
left out of the share, and their number is given.

With preparation: the seconds of bounding its network are added to each side's time, and the pruning or the finetuning
to a surrogate's (the time of finetuning this network alone, if several were finetuned together and that was measured).
A time past the limit counts as the limit, and as not found. The training of the dense network counts on neither side.
Steps that an instance does not have are left out: a finetuned surrogate is pruned during finetuning, and the networks
of FORMULATIONS_WITHOUT_BOUNDING are not bounded. Pairs that lack the record of a time are left out of these numbers.

Only runs with the goal find or decide on problems with a threshold are compared. Pairs with one side missing or refused
by a licence are left out, and their number is given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from vnnbench.leaderboard.ranking import aggregates
from vnnbench.leaderboard.ranking.aggregates import Numbers, Seconds
from vnnbench.leaderboard.ranking.outcomes import JudgedRuns
from vnnbench.leaderboard.ranking.surrogate_pairs import OfKind, PairsOfKind, pair_runs, pairs_by_kind
from vnnbench.leaderboard.records.query_columns import is_dense

PREPARATION_COLUMNS = ("alone_finetune_seconds", "finetune_seconds", "prune_seconds", "bounds_seconds")
FORMULATIONS_WITHOUT_BOUNDING = ("surrogatelib",)
"""PySCIPOpt-ML computes its bounds while it builds the model."""


@dataclass(frozen=True, slots=True)
class SurrogateRow(OfKind):
    """One setting on one kind of surrogate, beside the same problems on the dense network.

    pairs: number of compared pairs (problem x seed x permutation, and x surrogate where a problem has several of this
    kind). left_out: pairs where one side was not run or was refused by a licence.
    surrogate_faster, dense_faster: shares (0 to 1) of `pairs`; the rest are ties.
    time_ratio: geometric mean of dense time / surrogate time. best_rate: whether this rate has the largest time_ratio
    of several rates of this kind in this group, and saves time: it is above 1.
    candidates, transferred: the surrogate runs' candidates that answer the problem on the surrogate, and those of them
    that answer it on the dense network too. uncounted: surrogate runs whose candidates were not counted.
    prepared: pairs with all times recorded, None if no pair of `pairs` has them; prepared_*: the same numbers over
    these, with preparation.
    """

    pairs: int
    left_out: int
    dense_counterexamples: int
    surrogate_counterexamples: int
    surrogate_faster: float | None
    dense_faster: float | None
    time_ratio: float | None
    candidates: int
    transferred: int
    transfer_share: float | None
    uncounted: int
    prepared: int | None
    prepared_surrogate_faster: float | None
    prepared_dense_faster: float | None
    prepared_time_ratio: float | None
    best_rate: bool = False


@dataclass(frozen=True, slots=True)
class Race:
    """The comparison of the two sides of pairs by their times, as in `SurrogateRow`."""

    surrogate_faster: float | None
    dense_faster: float | None
    time_ratio: float | None

    @classmethod
    def of(cls, dense: Seconds, surrogate: Seconds) -> Race:
        """Compare the times of the two sides of pairs (n_pairs,), in seconds."""
        return cls(
            surrogate_faster=aggregates.share_faster(surrogate, dense),
            dense_faster=aggregates.share_faster(dense, surrogate),
            time_ratio=aggregates.geometric_mean_ratio(dense, surrogate),
        )


@dataclass(frozen=True, slots=True)
class Transfer:
    """The candidates that answer the problem on the surrogate, and those of them that do so on the dense network.

    They are pooled over runs, as in the module's docstring.
    """

    candidates: int
    transferred: int
    uncounted: int

    @classmethod
    def of(cls, own: Numbers, transferred: Numbers) -> Transfer:
        """Count over surrogate runs (n_runs,) their own_answers and transferred_answers; NaN: not counted."""
        counted = ~np.isnan(own + transferred)
        return cls(int(own[counted].sum()), int(transferred[counted].sum()), int(np.sum(~counted)))

    @property
    def share(self) -> float | None:
        return self.transferred / self.candidates if self.candidates else None


def compare_surrogates(judged: JudgedRuns) -> tuple[SurrogateRow, ...]:
    """Return all rows, sorted by group, setting, formulation and kind."""
    rows = [_row(pairs) for pairs in pairs_by_kind(time_pairs(judged), judged)]
    ratios: dict[tuple[object, ...], list[float]] = {}
    for row in rows:
        if row.time_ratio is not None and row.rate is not None:
            ratios.setdefault(_kind(row), []).append(row.time_ratio)
    best = {kind: max(own) for kind, own in ratios.items() if len(own) > 1 and max(own) > 1.0}
    return tuple(
        replace(row, best_rate=row.rate is not None and row.time_ratio == best.get(_kind(row), -1.0)) for row in rows
    )


def _kind(row: SurrogateRow) -> tuple[object, ...]:
    """Return everything of a row's kind except the rate."""
    return row.group, row.setting, row.formulation, row.pruning, row.structure, row.finetuned


def time_pairs(judged: JudgedRuns) -> pd.DataFrame:
    """Return the pairs of `surrogate_pairs` with the columns that [P] compares.

    They are run, seconds (to the first confirmed counterexample, else the time limit), found, prepared (seconds with
    preparation, at most the limit), and as floats own_answers and transferred_answers.
    """
    runs, outcomes = judged.runs, judged.outcomes
    relevant = (runs["goal"].isin(["find", "decide"]) & runs["threshold"].notna()).to_numpy(bool)
    found = outcomes.loc[relevant, "first_success_seconds"]
    seconds = found.fillna(outcomes.loc[relevant, "limit"])
    asked = runs.loc[relevant]
    prepared = np.minimum(seconds + preparation_seconds(asked), outcomes.loc[relevant, "limit"])
    measured = pd.DataFrame(
        {
            "run": asked["run"], "seconds": seconds, "found": found.notna(), "prepared": prepared,
            "own_answers": asked["own_answers"].astype(float),
            "transferred_answers": asked["transferred_answers"].astype(float),
        }
    )  # fmt: skip
    return pair_runs(judged, measured)


def preparation_seconds(runs: pd.DataFrame) -> pd.Series[float]:
    """Return the seconds of bounding, pruning and finetuning that an instance has; NaN where one is not known."""
    alone, shared, pruning, bounding = (runs[name].astype(float) for name in PREPARATION_COLUMNS)
    is_finetuned = runs["finetuned"] == 1
    without_bounding = runs["formulation"].isin(FORMULATIONS_WITHOUT_BOUNDING)
    bounding = bounding.mask(bounding.isna() & without_bounding, 0.0)
    pruning = pruning.mask(pruning.isna() & is_finetuned, 0.0)
    own = pruning + alone.fillna(shared).where(is_finetuned, 0.0)
    return bounding + own.where(~is_dense(runs), 0.0)


def _row(pairs: PairsOfKind) -> SurrogateRow:
    times = np.stack(pairs.of_sides("prepared"))
    timed = times[:, ~np.isnan(times).any(axis=0)]
    race, prepared = Race.of(*pairs.of_sides("seconds")), Race.of(*timed)
    dense_found, surrogate_found = pairs.of_sides("found")
    transfer = Transfer.of(pairs.of_sides("own_answers")[1], pairs.of_sides("transferred_answers")[1])
    return SurrogateRow(
        **pairs.fields,
        pairs=pairs.usable,
        left_out=pairs.left_out,
        dense_counterexamples=int(dense_found.sum()),
        surrogate_counterexamples=int(surrogate_found.sum()),
        surrogate_faster=race.surrogate_faster,
        dense_faster=race.dense_faster,
        time_ratio=race.time_ratio,
        candidates=transfer.candidates,
        transferred=transfer.transferred,
        transfer_share=transfer.share,
        uncounted=transfer.uncounted,
        prepared=timed.shape[1] if timed.size or not pairs.usable else None,
        prepared_surrogate_faster=prepared.surrogate_faster,
        prepared_dense_faster=prepared.dense_faster,
        prepared_time_ratio=prepared.time_ratio,
    )
