"""How much of a leaderboard is tolerance: the same candidates, accepted at several distances from the input set.

A solver's candidate may lie outside the input set by the solver's own tolerance. The judge measures by how much (the
raw violation, exactly); counted here are the runs with a candidate that answers the problem and is outside by at most
the tolerance:

as given     by the exact value of the dense network at the candidate as it is, in the set or not
repaired     by the exact value at the point of the set that it was repaired to; what counts as a counterexample
             elsewhere is this, within `views.REPAIR_TOLERANCE`

Only problems with a threshold, whenever the candidate came.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from leaderboard.settings import Setting

TOLERANCES = {"0": 0.0, "1e-9": 1e-9, "1e-7": 1e-7, "1e-6": 1e-6, "1e-4": 1e-4}
"""Distances from the input set, in the units of the problem's norm and box."""


@dataclass(frozen=True, slots=True)
class SensitivityRow:
    """One setting in one group. as_given, repaired: runs that count at each of `TOLERANCES`, by its name.

    runs: those on problems with a threshold; unmeasured: judged by a version that did not measure this, not counted.
    """

    group: tuple[object, ...]
    setting: Setting
    runs: int
    unmeasured: int
    as_given: dict[str, int]
    repaired: dict[str, int]

    @property
    def depends(self) -> bool:
        """Whether any count differs from another."""
        return len({*self.as_given.values(), *self.repaired.values()}) > 1


def measure_sensitivity(
    runs: pd.DataFrame, settings: list[Setting], outcomes: pd.DataFrame, groups: list[tuple[object, ...]]
) -> tuple[SensitivityRow, ...]:
    """All rows, sorted by group and setting. Arguments as `outcomes.judge_outcomes` returns them."""
    relevant = runs["threshold"].notna().to_numpy(bool)
    asked = runs.loc[relevant, ["primal_steps", "as_given_violation", "repaired_violation"]]
    group_of, setting_of = (outcomes.loc[relevant, name].to_numpy() for name in ("group", "setting"))
    rows = []
    for group, setting in sorted(set(zip(group_of.tolist(), setting_of.tolist(), strict=True))):
        own = asked[(group_of == group) & (setting_of == setting)]
        rows.append(
            SensitivityRow(
                group=groups[group],
                setting=settings[setting],
                runs=len(own),
                unmeasured=int(own["primal_steps"].isna().sum()),
                as_given=_counts(own["as_given_violation"]),
                repaired=_counts(own["repaired_violation"]),
            )
        )
    return tuple(rows)


def _counts(violations: pd.Series) -> dict[str, int]:
    found = violations.to_numpy(float)  # NaN, none, is within no tolerance
    return {name: int(np.sum(found <= tolerance)) for name, tolerance in TOLERANCES.items()}
