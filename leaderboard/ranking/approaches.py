"""Approaches on problems: what finds a counterexample to a dense network soonest.

An approach is a solver setting with a formulation, on the dense network itself or on one kind of surrogate. A reference
(`reference`) is an approach on the dense network, whatever the formulation of the file that it was run on.

seconds     on a problem: the preparation of the instance (bounding, pruning, finetuning; `surrogate_times`) and the
            time to the first confirmed counterexample, at most the limit, which counts where none was found.
            Preparation that was not recorded counts as 0, and is counted
common      the problems, seeds and permutations that every ranked approach ran, and that none was refused; runs with
            different limits are cut at the shortest. A reference that lacks one of these is left out, and so is an
            approach with fewer than half as many runs that were not refused as another one: else a plan that has only
            begun would leave hardly a problem to compare the others on
rank        1 + the number of approaches that found more, or as many with a smaller sgm1. References, oracles and
            settings with a wrong answer anywhere have none
robust      common problems for which the ledger has a run's claim, or a checked proof, that there is no counterexample,
            and that nothing refutes: no approach can find more than the others
oracle      for each problem the best of several pruning rates: what choosing the rate by its result would reach. It
            has a row where it is better than each of these rates alone: it finds more, or takes at least 1 % less

Only runs with the goal find or decide on problems with a threshold count. Suites are apart: their problems have other
surrogates. Of several surrogates of one kind of a problem the first by name counts.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from vnnbench.leaderboard.ranking import aggregates
from vnnbench.leaderboard.ranking.outcomes import JudgedRuns, judge_outcomes
from vnnbench.leaderboard.ranking.surrogate_pairs import KIND_COLUMNS, OfKind, kind_fields
from vnnbench.leaderboard.ranking.surrogate_times import preparation_seconds
from vnnbench.leaderboard.records.query_columns import is_dense, split_columns
from vnnbench.leaderboard.records.settings import Setting
from vnnbench.leaderboard.words import Verdict

SUITE = "suite"
_PROBLEM = ["problem", "dense_network"]
_TRIPLE = [*_PROBLEM, "seed", "permutation"]
_APPROACH = ["setting", *KIND_COLUMNS]
_CLEARLY = 0.99
_WITHOUT_RATE = [name for name in _APPROACH if name != "rate"]


@dataclass(frozen=True, slots=True)
class ApproachRow(OfKind):
    """An approach in one group (values in the order of `Leaderboard.approaches_by`).

    formulation: None for a reference. pruning to finetuned: None on the dense network; rate: None for an oracle too.
    problems: the number of common ones, with each seed and permutation. found: those with a counterexample. robust:
    those claimed or proven robust. unprepared: runs whose preparation was not recorded.
    """

    problems: int
    found: int
    robust: int
    sgm1_seconds: float
    unprepared: int
    rank: int | None = None
    is_reference: bool = False
    is_oracle: bool = False
    below_line: bool = False

    @property
    def share(self) -> float:
        return self.found / self.problems


def rank_approaches(runs: pd.DataFrame, by: Sequence[str], wrong: Collection[Setting] = ()) -> tuple[ApproachRow, ...]:
    """Return the approaches of every group with at least two, the best first; those below the line last.

    runs: of a ledger, references included. wrong: the settings, without their labels, that are below the line.
    """
    asked = runs[runs["goal"].isin(["find", "decide"]) & runs["threshold"].notna()].reset_index(drop=True)
    asked = asked[(asked["ranked"] == 1) | is_dense(asked)].reset_index(drop=True)
    if asked.empty:
        return ()
    judged = judge_outcomes(asked, by)
    measured = _measured(judged, _robust_problems(runs))
    kinds = measured.drop_duplicates("approach").to_dict("records")
    groups = split_columns(measured, measured["group"].to_numpy(), len(judged.groups))
    return tuple(row for own in groups for row in _rows(own, kinds, judged, wrong))


def _robust_problems(runs: pd.DataFrame) -> pd.MultiIndex:
    """Return the problems that are claimed or proven robust, each with its dense network."""
    return pd.MultiIndex.from_frame(runs.loc[runs["verdict"] == Verdict.ROBUST, _PROBLEM].drop_duplicates())


def _measured(judged: JudgedRuns, robust: pd.MultiIndex) -> pd.DataFrame:
    """Return one row for every run that counts: its group, setting, kind, seconds, limit, and what else counts.

    approach, triple: numbered by their first appearance, over all groups.
    """
    runs, outcomes = judged.runs, judged.outcomes
    ranked, dense = (runs["ranked"] == 1).to_numpy(bool), is_dense(runs)
    prepared = preparation_seconds(runs).where(ranked, 0.0)
    kinds = runs[KIND_COLUMNS].astype(object).where(runs[KIND_COLUMNS].notna(), None)
    kinds.loc[dense, KIND_COLUMNS[1:]] = None
    kinds.loc[~ranked, KIND_COLUMNS] = None
    measured = kinds.join(runs[[*_TRIPLE, "network"]]).assign(
        group=outcomes["group"], setting=outcomes["setting"], refused=outcomes["refused"], limit=outcomes["limit"],
        seconds=outcomes["first_success_seconds"] + prepared.fillna(0.0), unprepared=prepared.isna(), ranked=ranked,
        robust=pd.MultiIndex.from_frame(runs[_PROBLEM]).isin(robust),
    )  # fmt: skip
    measured = measured.sort_values("network", kind="stable")
    measured = measured.drop_duplicates(["group", *_APPROACH, *_TRIPLE, "ranked"])
    return measured.assign(
        triple=measured.groupby(["group", *_TRIPLE], dropna=False, sort=False).ngroup(),
        approach=measured.groupby(["group", *_APPROACH], dropna=False, sort=False).ngroup(),
    )


def _rows(
    own: dict[str, np.ndarray], kinds: Sequence[dict[Hashable, Any]], judged: JudgedRuns, wrong: Collection[Setting]
) -> Iterator[ApproachRow]:
    """Yield the rows of one group. own: its columns of `_measured`. kinds: by approach, a row of `_measured`."""
    approaches, approach = np.unique(own["approach"], return_inverse=True)
    triples, triple = np.unique(own["triple"], return_inverse=True)

    def matrix(name: str) -> np.ndarray:
        """Return a column by triple and approach, NaN where there is no run."""
        values = np.full((len(triples), len(approaches)), np.nan)
        values[triple, approach] = own[name]
        return values

    seconds, limit, refused, unprepared = map(matrix, ("seconds", "limit", "refused", "unprepared"))
    kinds = [kinds[number] for number in approaches.tolist()]
    ran = refused == 0  # NaN: was not run
    of_solver, runs_of = np.array([kind["ranked"] for kind in kinds], bool), ran.sum(axis=0)
    ranked = of_solver & (2 * runs_of >= runs_of[of_solver].max(initial=1))
    common = ran[:, ranked].all(axis=1) if ranked.any() else np.zeros(len(ran), bool)
    shown = np.flatnonzero((ranked | ~of_solver) & ran[common].all(axis=0)) if common.any() else np.empty(0, int)
    if len(shown) < 2:
        return
    shortest = limit[common][:, shown].min(axis=1, keepdims=True)
    times = seconds[common][:, shown]
    times = np.where(times <= shortest, times, np.nan)  # NaN: nothing was found in time
    robust = int(matrix("robust")[common][:, shown[0]].sum())  # it is the same for every approach

    def row(place: int, found: np.ndarray, unprepared_runs: int) -> ApproachRow:
        kind = kinds[place]
        return ApproachRow(
            **kind_fields(kind, judged),
            problems=len(found),
            found=int(np.count_nonzero(~np.isnan(found))),
            robust=robust,
            sgm1_seconds=aggregates.shifted_geometric_mean(np.where(np.isnan(found), shortest[:, 0], found), 1.0)
            or 0.0,
            unprepared=unprepared_runs,
            is_reference=not kind["ranked"],
            below_line=judged.settings[kind["setting"]].unlabelled in wrong,
        )

    lacking = unprepared[common][:, shown].sum(axis=0).astype(int)
    rows = [row(int(place), times[:, i], int(lacking[i])) for i, place in enumerate(shown)]
    better = [_order(one) for one in rows if not (one.is_reference or one.below_line)]
    rows = [
        one
        if one.is_reference or one.below_line
        else replace(one, rank=1 + sum(other < _order(one) for other in better))
        for one in rows
    ]
    of_rates: dict[tuple[object, ...], list[int]] = {}
    for i, place in enumerate(shown):
        if kinds[place]["rate"] is not None:
            of_rates.setdefault(tuple(kinds[place][name] for name in _WITHOUT_RATE), []).append(i)
    for members in of_rates.values():
        if len(members) > 1 and not rows[members[0]].below_line:
            best = np.fmin.reduce(times[:, members], axis=1)
            oracle = row(int(shown[members[0]]), best, int(lacking[members].sum()))
            alone = min((rows[member] for member in members), key=_order)
            if oracle.found > alone.found or oracle.sgm1_seconds < _CLEARLY * alone.sgm1_seconds:
                rows.append(replace(oracle, rate=None, is_oracle=True))
    yield from sorted(rows, key=lambda one: (one.below_line, *_order(one), one.is_oracle, one.setting.label))


def _order(row: ApproachRow) -> tuple[int, float]:
    """Return what orders approaches: more counterexamples first, then smaller means, up to their last digits."""
    return -row.found, round(row.sgm1_seconds, 9)
