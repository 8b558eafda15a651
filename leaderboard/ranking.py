"""The leaderboard as data: one row per setting and group, the surrogate comparisons, the faults.

Counts are over all runs of a setting. Times are comparable over the same problems only, so they are taken over the
*common set* of the group: the (instance, seed, permutation) triples that every setting ran and none was refused. A
setting that was refused everything has no times and does not empty the set for the others.

Order: settings with a wrong answer anywhere in the ledger go below the line, after all others; then by the number
solved in the common set, then by the shifted geometric mean with shift 1 s, then by label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leaderboard import metrics
from leaderboard.integrals import integrals
from leaderboard.outcomes import FLAGS, catalogue_column, judge_outcomes
from leaderboard.planted import PlantedRow, count_planted
from leaderboard.sensitivity import SensitivityRow, measure_sensitivity
from leaderboard.settings import Setting
from leaderboard.surrogate_values import SurrogateValueRow, compare_values
from leaderboard.surrogates import SurrogateRow, compare_surrogates


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting in one group. What the counts mean is defined in `leaderboard.outcomes`.

    group: catalogue values in the order of `Leaderboard.by`. below_line: it was wrong somewhere in this ledger.
    common_runs, common_solved and the times (seconds) are of the common set; None where that is empty.
    median_first_counterexample_seconds is among those of its runs in the common set that have one. The integrals are
    means over the common set, the dual one over its runs on dense networks (`leaderboard.integrals`); None where the
    steps of a run were not recorded.
    """

    group: tuple[object, ...]
    setting: Setting
    runs: int
    solved: int
    counterexamples: int
    robust_claimed: int
    values: int
    timeouts: int
    memory: int
    errors: int
    license_limit: int
    wrong: int
    tolerance: int
    below_line: bool
    common_runs: int
    common_solved: int
    sgm1_seconds: float | None
    sgm10_seconds: float | None
    par10_seconds: float | None
    median_first_counterexample_seconds: float | None
    primal_integral_seconds: float | None
    dual_integral_seconds: float | None


@dataclass(frozen=True, slots=True)
class CommonSet:
    """How many (instance, seed, permutation) triples of a group the times are over, and why the others are left out.

    triples = common + refused + not_run_by_all. not_compared: labels of settings that were refused everything.
    """

    group: tuple[object, ...]
    triples: int
    common: int
    refused: int
    not_run_by_all: int
    not_compared: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FaultRow:
    """A wrong run: fault solver or formulation, with the reason."""

    run: str
    instance: str
    solver: str
    setting: str
    fault: str
    fault_reason: str


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under which conditions the runs were made: what a reader must know who compares them.

    machines: how many they come from. permutations: the largest number of one. enforcement: by what their limits were
    held, with how many runs each. disturbed: how many were. retried: how many have several attempts.
    """

    runs: int = 0
    machines: int = 0
    permutations: int = 0
    enforcement: tuple[tuple[str, int], ...] = ()
    disturbed: int = 0
    retried: int = 0


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Everything that is shown. by: the catalogue columns grouped by. planted: what became of planted answers, over all
    groups, a row for each setting that ran any; planted_problems: how many problems that were."""

    by: tuple[str, ...]
    settings: tuple[SettingRow, ...]
    surrogates: tuple[SurrogateRow, ...]
    surrogate_values: tuple[SurrogateValueRow, ...]
    faults: tuple[FaultRow, ...]
    common: tuple[CommonSet, ...]
    sensitivity: tuple[SensitivityRow, ...]
    conditions: Conditions
    planted: tuple[PlantedRow, ...] = ()
    planted_problems: int = 0


def build_leaderboard(runs: pd.DataFrame, by: Sequence[str] = ()) -> Leaderboard:
    """Rank the settings of a ledger (`records.read_runs`), overall or within each value of catalogue columns.

    Raises `UnknownColumnError` (a `LedgerError`) for a column that the catalogue lacks.
    """
    by = tuple(dict.fromkeys(by))
    for name in by:
        catalogue_column(name)
    if runs.empty:
        return Leaderboard(by, (), (), (), (), (), (), Conditions())
    settings, outcomes, groups = judge_outcomes(runs, by)
    common, common_sets = common_runs(outcomes, settings, groups)
    return Leaderboard(
        by=by,
        settings=_setting_rows(outcomes, integrals(runs, outcomes), common, settings, groups),
        surrogates=compare_surrogates(runs, settings, outcomes, groups),
        surrogate_values=compare_values(runs, settings, outcomes, groups),
        faults=_fault_rows(runs, outcomes, settings),
        common=common_sets,
        sensitivity=measure_sensitivity(runs, settings, outcomes, groups),
        conditions=_conditions(runs),
        planted=count_planted(runs, settings, outcomes),
        planted_problems=runs.loc[runs["planted"].notna(), "problem"].nunique(),
    )


def _conditions(runs: pd.DataFrame) -> Conditions:
    held = runs["enforcement"].value_counts()
    return Conditions(
        runs=len(runs),
        machines=int(runs["machine"].nunique()),
        permutations=int(runs["permutation"].max()),
        enforcement=tuple((str(level), int(count)) for level, count in held.items()),
        disturbed=int((runs["disturbed"] == 1).sum()),
        retried=int((runs["attempts"] > 1).sum()),
    )


def common_runs(
    outcomes: pd.DataFrame, settings: list[Setting], groups: list[tuple[object, ...]]
) -> tuple[np.ndarray, tuple[CommonSet, ...]]:
    """Which runs are in their group's common set, and each group's account. A setting has one run per triple."""
    group, triple, setting = (outcomes[name].to_numpy() for name in ("group", "triple", "setting"))
    refused = outcomes["refused"].to_numpy(bool)
    compared = np.zeros((len(groups), len(settings)), dtype=bool)
    compared[group[~refused], setting[~refused]] = True
    listed = np.zeros_like(compared)
    listed[group, setting] = True

    triples = int(triple.max()) + 1
    group_of_triple = np.zeros(triples, dtype=np.int64)
    group_of_triple[triple] = group
    ran = np.bincount(triple[~refused], minlength=triples)
    wanted = compared.sum(axis=1)[group_of_triple]
    is_common = (ran == wanted) & (ran > 0)
    refusals = np.bincount(triple[refused & compared[group, setting]], minlength=triples) > 0

    def count(flags: np.ndarray) -> np.ndarray:
        return np.bincount(group_of_triple[flags], minlength=len(groups))

    totals = zip(
        groups, count(is_common | True), count(is_common), count(~is_common & refusals), listed & ~compared, strict=True
    )
    sets = tuple(
        CommonSet(
            group=values,
            triples=int(total),
            common=int(inside),
            refused=int(out),
            not_run_by_all=int(total - inside - out),
            not_compared=tuple(settings[position].label for position in np.flatnonzero(absent)),
        )
        for values, total, inside, out, absent in totals
    )
    return is_common[triple] & ~refused, sets


def _setting_rows(
    outcomes: pd.DataFrame,
    steps: pd.DataFrame,
    common: np.ndarray,
    settings: list[Setting],
    groups: list[tuple[object, ...]],
) -> tuple[SettingRow, ...]:
    wrong_anywhere = set(outcomes.loc[outcomes["wrong"], "setting"])
    seconds, limit, first_success = (
        outcomes[name].to_numpy(float) for name in ("seconds", "limit", "first_success_seconds")
    )
    primal, dual = steps["primal"].to_numpy(float), steps["dual"].to_numpy(float)
    is_dense = steps["is_dense"].to_numpy(bool)
    flags = outcomes[FLAGS].to_numpy(bool)
    solved = flags[:, FLAGS.index("solved")]
    rows = []
    cells, cell = np.unique(
        outcomes["group"].to_numpy() * len(settings) + outcomes["setting"].to_numpy(), return_inverse=True
    )
    starts = np.cumsum(np.bincount(cell))[:-1]
    for (group, setting), positions in zip(
        (divmod(int(c), len(settings)) for c in cells), np.split(np.argsort(cell, kind="stable"), starts), strict=True
    ):
        inside = positions[common[positions]]
        row = SettingRow(
            group=groups[group],
            setting=settings[setting],
            runs=len(positions),
            **dict(zip(FLAGS, (int(n) for n in flags[positions].sum(axis=0)), strict=True)),
            below_line=setting in wrong_anywhere,
            common_runs=len(inside),
            common_solved=int(solved[inside].sum()),
            sgm1_seconds=metrics.shifted_geometric_mean(seconds[inside], 1.0),
            sgm10_seconds=metrics.shifted_geometric_mean(seconds[inside], 10.0),
            par10_seconds=metrics.penalized_average(seconds[inside], solved[inside], limit[inside], 10.0),
            median_first_counterexample_seconds=metrics.median_first_success(first_success[inside]),
            primal_integral_seconds=metrics.mean(primal[inside]),
            dual_integral_seconds=metrics.mean(dual[inside][is_dense[inside]]),
        )
        rows.append((group, row))
    return tuple(row for _, row in sorted(rows, key=lambda item: (item[0], _rank_key(item[1]))))


def _rank_key(row: SettingRow) -> tuple[bool, int, float, str]:
    seconds = float("inf") if row.sgm1_seconds is None else row.sgm1_seconds
    return row.below_line, -row.common_solved, seconds, row.setting.label


def _fault_rows(runs: pd.DataFrame, outcomes: pd.DataFrame, settings: list[Setting]) -> tuple[FaultRow, ...]:
    names = ["run", "instance", "solver", "fault", "fault_reason"]
    wrong = runs.loc[outcomes["wrong"], names].join(outcomes["setting"])
    rows = [
        FaultRow(
            run=row["run"],
            instance=row["instance"],
            solver=row["solver"],
            setting=settings[row["setting"]].label,
            fault=row["fault"],
            fault_reason=row["fault_reason"],
        )
        for row in wrong.to_dict("records")
    ]
    return tuple(sorted(rows, key=lambda row: (row.solver, row.setting, row.instance, row.run)))
