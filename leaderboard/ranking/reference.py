"""The rows of the references, which stand beside the MILP solvers and are not ranked (`vnnbench.references`).

A solver is not ranked if its `Solver.ranked` is false. A heuristic proves nothing, so a rank by solved runs would say
little about it, and its times would shrink or fill the common set. The prover is made for one family, and does not read
the MILP. What they report is judged like all else, and refutes claims like all else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from vnnbench.leaderboard.ranking.aggregates import mean, median_first_success, reached, relative_gap
from vnnbench.leaderboard.ranking.integrals import references
from vnnbench.leaderboard.ranking.outcomes import judge_outcomes
from vnnbench.leaderboard.records.settings import Setting

SOLVERS = ("solvers_ran", "solvers_found")


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """One setting of a reference in one group (catalogue values in the order of `Leaderboard.problems_by`).

    counterexamples, values: runs that found one, confirmed exactly on the dense network within the time limit. alone:
    runs with a counterexample on an instance that solvers ran without finding one. robust_certified, robust_claimed: as
    in a `SettingRow`; a heuristic has none. missed: runs without one on an
    instance where a solver found one. better: runs with a value that the best one of ranked solvers on the problem does
    not reach (`aggregates.reached`). gap: mean of `aggregates.relative_gap` of these two values, negative where the
    run's is the larger one, over the runs with both. The median is over the runs that have a counterexample; None if
    none has.
    """

    group: tuple[object, ...]
    setting: Setting
    runs: int
    counterexamples: int
    robust_certified: int
    robust_claimed: int
    values: int
    better: int
    gap: float | None
    alone: int
    missed: int
    errors: int
    median_first_counterexample_seconds: float | None


def without_reference(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that are ranked."""
    return runs[runs["ranked"] == 1].reset_index(drop=True)


def reference_rows(runs: pd.DataFrame, by: Sequence[str] = ()) -> tuple[ReferenceRow, ...]:
    """Return the references' rows over the runs of a ledger (`reader.read_runs`), by group, then by label."""
    is_reference = (runs["ranked"] != 1).to_numpy(bool)
    if not is_reference.any():
        return ()
    told = told_by_solvers(runs).join(references(runs))
    judged = judge_outcomes(runs.assign(**{str(name): told[name] for name in told})[is_reference], by)
    ran, found = judged.runs[[*SOLVERS]].to_numpy(bool).T
    success = judged.outcomes["counterexamples"]
    value, best = judged.outcomes["value"].to_numpy(float), judged.runs["reference_value"].to_numpy(float)
    both = ~np.isnan(value - best)
    gap = np.where(both, np.where(value > best, -1.0, 1.0) * relative_gap(value, best), np.nan)
    outcomes = judged.outcomes.assign(
        alone=success & ran & ~found, missed=~success & found, better=both & ~reached(best, value), gap=gap
    )
    rows = []
    by_label = sorted(enumerate(judged.settings), key=lambda one: one[1].label)
    for (g, values), (s, setting) in product(enumerate(judged.groups), by_label):
        own = outcomes[(outcomes["group"] == g) & (outcomes["setting"] == s)]
        if own.empty:
            continue
        row = ReferenceRow(
            group=values,
            setting=setting,
            runs=len(own),
            counterexamples=int(own["counterexamples"].sum()),
            robust_certified=int(own["robust_certified"].sum()),
            robust_claimed=int(own["robust_claimed"].sum()),
            values=int(own["values"].sum()),
            better=int(own["better"].sum()),
            gap=mean(own["gap"].dropna().to_numpy(float)),
            alone=int(own["alone"].sum()),
            missed=int(own["missed"].sum()),
            errors=int(own["errors"].sum()),
            median_first_counterexample_seconds=median_first_success(own["first_success_seconds"].to_numpy(float)),
        )
        rows.append(row)
    return tuple(rows)


def told_by_solvers(runs: pd.DataFrame) -> pd.DataFrame:
    """Return columns `SOLVERS` of every run: whether a ranked setting ran its instance, and whether one found a
    counterexample there.

    If the runs already have these columns, these are returned: so a part of a ledger counts as in the whole.
    """
    if set(SOLVERS) <= set(runs.columns):
        return runs[[*SOLVERS]]
    instance, ranked = runs["instance_sha256"], without_reference(runs)
    ran: set[str] = set()
    found: set[str] = set()
    if not ranked.empty:
        judged = judge_outcomes(ranked)
        ran = set(judged.runs["instance_sha256"][~judged.outcomes["refused"]])
        found = set(judged.runs["instance_sha256"][judged.outcomes["counterexamples"]])
    return pd.DataFrame(dict(zip(SOLVERS, (instance.isin(ran), instance.isin(found)), strict=True)))
