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
    those claimed or proven robust. refused, not_run_by_all: those of the group that are not common, because a ranked
    approach was refused (or interrupted), else because one did not run them. unprepared: runs whose preparation was not
    recorded.
    """

    problems: int
    found: int
    robust: int
    refused: int
    not_run_by_all: int
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
    contests = (_contest(own, kinds) for own in groups)
    return tuple(row for contest in contests if contest is not None for row in _rows(contest, judged, wrong))


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


@dataclass(frozen=True, slots=True, eq=False)
class _Contest:
    """The approaches of one group that are compared, and their n common problems.

    kinds: of each approach a row of `_measured`. seconds (n, n_approaches): NaN where nothing was found within `limit`
    (n,), the shortest one. unprepared (n_approaches,), robust, refused, not_run_by_all: as in `ApproachRow`.
    """

    kinds: list[dict[Hashable, Any]]
    seconds: np.ndarray
    limit: np.ndarray
    unprepared: np.ndarray
    robust: int
    refused: int
    not_run_by_all: int


def _contest(own: dict[str, np.ndarray], kinds: Sequence[dict[Hashable, Any]]) -> _Contest | None:
    """Return the contest of one group; None if there are not two approaches with a common problem.

    own: its columns of `_measured`. kinds: by approach, a row of `_measured`.
    """
    approaches, approach = np.unique(own["approach"], return_inverse=True)
    triples, triple = np.unique(own["triple"], return_inverse=True)

    def matrix(name: str) -> np.ndarray:
        """Return a column by triple and approach, NaN where there is no run."""
        values = np.full((len(triples), len(approaches)), np.nan)
        values[triple, approach] = own[name]
        return values

    kinds = [kinds[number] for number in approaches.tolist()]
    of_solver = np.array([kind["ranked"] for kind in kinds], bool)
    refused = matrix("refused")
    ran = refused == 0
    runs_of = ran.sum(axis=0)
    ranked = of_solver & (2 * runs_of >= runs_of[of_solver].max(initial=1))
    common = ran[:, ranked].all(axis=1) & ranked.any()
    shown = np.flatnonzero((ranked | ~of_solver) & ran[common].all(axis=0))
    if len(shown) < 2 or not common.any():
        return None
    limit = matrix("limit")[common][:, shown].min(axis=1)
    seconds = matrix("seconds")[common][:, shown]
    left_out = ~common & (refused[:, of_solver] >= 0).any(axis=1)  # those of references alone are none of theirs
    was_refused = left_out & (refused[:, ranked] == 1).any(axis=1)
    return _Contest(
        kinds=[kinds[place] for place in shown],
        seconds=np.where(seconds <= limit[:, None], seconds, np.nan),
        limit=limit,
        unprepared=matrix("unprepared")[common][:, shown].sum(axis=0).astype(int),
        robust=int(matrix("robust")[common][:, shown[0]].sum()),  # the same for every approach
        refused=int(was_refused.sum()),
        not_run_by_all=int((left_out & ~was_refused).sum()),
    )


def _rows(contest: _Contest, judged: JudgedRuns, wrong: Collection[Setting]) -> Iterator[ApproachRow]:
    """Yield the rows of one group, ranked and in order."""

    def row(place: int, seconds: np.ndarray, unprepared: int) -> ApproachRow:
        """Return the row of the approach at `place`, with these seconds on each problem."""
        kind, is_found = contest.kinds[place], ~np.isnan(seconds)
        mean = aggregates.shifted_geometric_mean(np.where(is_found, seconds, contest.limit), 1.0)
        return ApproachRow(
            **kind_fields(kind, judged),
            problems=len(seconds),
            found=int(is_found.sum()),
            robust=contest.robust,
            refused=contest.refused,
            not_run_by_all=contest.not_run_by_all,
            sgm1_seconds=mean or 0.0,
            unprepared=unprepared,
            is_reference=not kind["ranked"],
            below_line=judged.settings[kind["setting"]].unlabelled in wrong,
        )

    rows = [row(i, contest.seconds[:, i], int(number)) for i, number in enumerate(contest.unprepared)]
    oracles = []
    for members in _of_rates(contest.kinds):
        if rows[members[0]].below_line:
            continue
        best = np.fmin.reduce(contest.seconds[:, members], axis=1)
        oracle = row(members[0], best, int(contest.unprepared[members].sum()))
        alone = min((rows[member] for member in members), key=_order)
        if oracle.found > alone.found or oracle.sgm1_seconds < _CLEARLY * alone.sgm1_seconds:
            oracles.append(replace(oracle, rate=None, is_oracle=True))
    shown = [*_ranked(rows), *oracles]
    yield from sorted(shown, key=lambda one: (one.below_line, *_order(one), one.is_oracle, one.setting.label))


def _of_rates(kinds: Sequence[dict[Hashable, Any]]) -> list[list[int]]:
    """Return the places of each set of kinds that differ in their rate alone."""
    places: dict[tuple[object, ...], list[int]] = {}
    for place, kind in enumerate(kinds):
        if kind["rate"] is not None:
            places.setdefault(tuple(kind[name] for name in _WITHOUT_RATE), []).append(place)
    return [members for members in places.values() if len(members) > 1]


def _ranked(rows: Sequence[ApproachRow]) -> Iterator[ApproachRow]:
    """Yield the rows, those of solvers without a wrong answer with their ranks."""
    orders = [_order(row) for row in rows if not (row.is_reference or row.below_line)]
    for row in rows:
        has_rank = not (row.is_reference or row.below_line)
        yield replace(row, rank=1 + sum(other < _order(row) for other in orders)) if has_rank else row


def _order(row: ApproachRow) -> tuple[int, float]:
    """Return what orders approaches: more counterexamples first, then smaller means, up to their last digits."""
    return -row.found, round(row.sgm1_seconds, 9)
