"""The effect of tolerances on a leaderboard: the same candidates, accepted at several distances from the input set.

A solver's candidate may lie outside the input set by the solver's own tolerance. The judge measures the distance (the
raw violation) exactly. This module counts the runs with a candidate that answers the problem and is outside by at most
the tolerance:

as given     by the exact value of the dense network at the candidate as it is, in the set or not
repaired     by the exact value at the point of the set that it was repaired to; elsewhere, a counterexample is one in
             this sense, within `views.REPAIR_TOLERANCE`

Only problems with a threshold count and, as in every table, only candidates that arrived within the time limit. The
judge measures only these. A judgement of an older version may be of a later candidate; it then counts only if the run
has an answer in time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from vnnbench.leaderboard.ranking.outcomes import JudgedRuns
from vnnbench.leaderboard.records.settings import Setting
from vnnbench.leaderboard.records.steps import best_in_time, has_early_success, is_late

TOLERANCES = {"0": 0.0, "1e-9": 1e-9, "1e-7": 1e-7, "1e-6": 1e-6, "1e-4": 1e-4}
"""Distances from the input set, in the units of the problem's norm and box."""


@dataclass(frozen=True, slots=True)
class SensitivityRow:
    """One setting in one group, with the number of runs that count at each tolerance.

    as_given, repaired: runs that count at each of `TOLERANCES`, by its name. runs: all on problems with a threshold.
    unmeasured: runs judged by a version that did not measure this, which are not counted.
    """

    group: tuple[object, ...]
    setting: Setting
    runs: int
    unmeasured: int
    as_given: dict[str, int]
    repaired: dict[str, int]

    @property
    def depends(self) -> bool:
        """Return whether the counts differ between tolerances, or before and after repair."""
        return len({*self.as_given.values(), *self.repaired.values()}) > 1


def measure_sensitivity(judged: JudgedRuns) -> tuple[SensitivityRow, ...]:
    """Return all rows, sorted by group and setting."""
    runs = judged.runs
    relevant = runs["threshold"].notna().to_numpy(bool)
    asked = violations_in_time(runs).loc[relevant].join(runs["primal_steps"])
    group_of, setting_of = (judged.outcomes.loc[relevant, name].to_numpy() for name in ("group", "setting"))
    rows = []
    for group, setting in sorted(set(zip(group_of.tolist(), setting_of.tolist(), strict=True))):
        own = asked[(group_of == group) & (setting_of == setting)]
        rows.append(
            SensitivityRow(
                group=judged.groups[group],
                setting=judged.settings[setting],
                runs=len(own),
                unmeasured=int(own["primal_steps"].isna().sum()),
                as_given=_counts(own["as_given"]),
                repaired=_counts(own["repaired"]),
            )
        )
    return tuple(rows)


def violations_in_time(runs: pd.DataFrame) -> pd.DataFrame:
    """Return columns `as_given` and `repaired` of every run (`reader.read_runs`), in the order of `runs`.

    They hold the distance from the input set of the nearest candidate that answers the problem in time; NaN if none
    does. Raises `LedgerError`.
    """
    violations = pd.DataFrame({kind: runs[f"{kind}_violation"].astype(float) for kind in ("as_given", "repaired")})
    doubtful = is_late(runs) & ~has_early_success(runs) & violations.notna().any(axis=1).to_numpy(bool)
    best, threshold = best_in_time(runs, doubtful), runs["threshold"].to_numpy(float)
    answers = (best > threshold) | ((best == threshold) & (runs["strict"].to_numpy(float) == 0))
    violations["as_given"] = violations["as_given"].mask(doubtful & np.isnan(best))
    violations["repaired"] = violations["repaired"].mask(doubtful & ~answers)
    return violations


def _counts(violations: pd.Series) -> dict[str, int]:
    found = violations.to_numpy(float)  # NaN (no candidate) is within no tolerance
    return {name: int(np.sum(found <= tolerance)) for name, tolerance in TOLERANCES.items()}
