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
    violations = violations_in_time(runs)
    facts = {"runs": np.ones(len(runs), bool), "unmeasured": runs["primal_steps"].isna()}
    facts |= {  # NaN (no candidate) is within no tolerance
        f"{kind} {name}": violations[kind].to_numpy(float) <= tolerance
        for kind in violations
        for name, tolerance in TOLERANCES.items()
    }
    counts = (
        pd.DataFrame(facts).join(judged.outcomes[["group", "setting"]])[relevant].groupby(["group", "setting"]).sum()
    )
    return tuple(
        SensitivityRow(
            group=judged.groups[group],
            setting=judged.settings[setting],
            runs=int(own["runs"]),
            unmeasured=int(own["unmeasured"]),
            as_given={name: int(own[f"as_given {name}"]) for name in TOLERANCES},
            repaired={name: int(own[f"repaired {name}"]) for name in TOLERANCES},
        )
        for (group, setting), own in zip(counts.index.tolist(), counts.to_dict("records"), strict=True)
    )


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
