"""Settings, which are ranked. A setting is all of a run's plan except its instance, seed and permutation.

Two runs of one setting differ only in these, so a setting has at most one run per (instance, seed, permutation). The
time limit of a setting is either one for all instances, or each instance's own (`setting_limits`). A run at the own
limit of its instance may be a run of one setting of each kind; `by_setting` lists it under both.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vnnbench.common.text import shortened
from vnnbench.leaderboard.ranges import DEFAULT_SECONDS

MAX_NAME = 10_000
"""The largest length of a name in characters; longer ones are cut in their middle. Every table and page holds names."""
SETTING_COLUMNS = (
    "solver",
    "solver_version",
    "settings",
    "threads",
    "time_limit_seconds",
    "memory_limit_bytes",
    "goal",
)
SETTING_LIMIT = "setting_limit_seconds"
"""The column of runs (`reader.read_runs`) with the time limit of their setting; NaN: each instance's own."""
ALSO_BY_LIMIT = "also_by_limit"
"""The column of runs that says which runs of a setting with own limits also stand in that with one limit, theirs."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    settings: the JSON text of the solver's own options. time_limit_seconds: None if each instance has its own limit.
    label: distinguishes it from all others. name: distinguishes it from those with its goal, for tables below the name
    of the goal.
    """

    solver: str
    solver_version: str
    settings: str
    threads: int
    time_limit_seconds: float | None
    memory_limit_bytes: int
    goal: str
    label: str = ""
    name: str = ""

    @property
    def unlabelled(self) -> Setting:
        """The setting without label and name, which may differ between ledgers and parts of a ledger."""
        return replace(self, label="", name="")


def setting_limits(runs: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the columns `SETTING_LIMIT` and `ALSO_BY_LIMIT`, over all runs of a ledger.

    A run is at its default limit if it has that of its instance, or `DEFAULT_SECONDS` if the instance has none. Runs of
    a solver with the same options, threads, memory limit and goal are alike. Those of them that are not at their
    default limits were given theirs: each of these limits is a setting of all alike runs that have it. Those at their
    default limits are a setting of their own unless `_are_explained` by these. So `--time-limit 60` is one setting,
    although it is the own limit of some instances, and takes no run away from the setting of own limits.
    """
    limits = runs["time_limit_seconds"].to_numpy(float)
    of_setting: NDArray[np.float64] = limits.copy()
    also_by_limit = np.zeros(len(runs), bool)
    own = runs["default_time_limit_seconds"].to_numpy(float)
    if np.isnan(own).all():
        return of_setting, also_by_limit
    at_default = limits == np.where(np.isnan(own), DEFAULT_SECONDS, own)
    alike = runs.groupby([name for name in SETTING_COLUMNS if name != "time_limit_seconds"], sort=False)
    instances = pd.factorize(runs["instance_sha256"])[0]
    for rows in alike.indices.values():
        defaults, given = rows[at_default[rows]], np.unique(limits[rows[~at_default[rows]]])
        if not _are_explained(limits[rows], at_default[rows], given, instances[rows]):
            of_setting[defaults] = np.nan
            also_by_limit[defaults] = np.isin(limits[defaults], given)
    return of_setting, also_by_limit


def _are_explained(
    limits: NDArray[np.float64],
    at_default: NDArray[np.bool_],
    given: NDArray[np.float64],
    instances: NDArray[np.int64],
) -> bool:
    """Return whether the runs at default limits, of some that are alike, belong to settings with one limit only.

    They do if they have a single limit. If all of their limits were given to other runs, they do too, unless they cover
    all instances and the runs at one of these limits do not.
    """
    several = np.unique(limits[at_default])
    if len(several) < 2 or not np.isin(several, given).all():
        return len(several) < 2
    all_instances = len(np.unique(instances))

    def covers_all(chosen: NDArray[np.bool_]) -> bool:
        return len(np.unique(instances[chosen])) == all_instances

    return not covers_all(at_default) or all(covers_all(limits == limit) for limit in several)


def by_setting(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs, followed by a second row for each that stands in two settings; then rows are numbered anew."""
    also = runs[ALSO_BY_LIMIT].to_numpy(bool)
    if not also.any():
        return runs
    rows = runs.iloc[np.concatenate([np.arange(len(runs)), np.flatnonzero(also)])].reset_index(drop=True)
    rows.loc[len(runs) :, SETTING_LIMIT] = rows.loc[len(runs) :, "time_limit_seconds"]
    return rows.assign(**{ALSO_BY_LIMIT: False})


def options_of(setting: Setting) -> dict[str, object]:
    """Return the solver's own options by name; a text that is not a JSON object is kept whole as "settings"."""
    try:
        options = json.loads(setting.settings)
    except (ValueError, RecursionError):
        options = None
    return options if isinstance(options, dict) else {"settings": setting.settings}


def label_settings(settings: Sequence[Setting]) -> list[Setting]:
    """Give each setting the shortest label that is unique in this list.

    A label holds the solver's name, its version if this solver has several, its options as given, and threads, limits
    and goal if the ledger holds several: "highs" alone, else "highs 1.11 presolve=off 4 threads".
    """
    versions = Counter(solver for solver, _ in {(setting.solver, setting.solver_version) for setting in settings})
    differ = {name for name in SETTING_COLUMNS if len({getattr(setting, name) for setting in settings}) > 1}
    taken: set[tuple[str, str]] = set()
    numbers: defaultdict[tuple[str, str], Iterator[int]] = defaultdict(lambda: count(2))
    labelled = []
    for setting in settings:
        name = alike = _name(setting, versions[setting.solver] > 1, differ)
        # Options such as 1 and "1" look alike, and so may long ones: labels that are still equal get a number.
        while (name, setting.goal) in taken:
            name = f"{alike} #{next(numbers[alike, setting.goal])}"
        taken.add((name, setting.goal))
        labelled.append(replace(setting, name=name, label=f"{name} {setting.goal}" if "goal" in differ else name))
    return labelled


def _name(setting: Setting, several_versions: bool, differ: Collection[str]) -> str:
    """Return the name of a setting; `differ`: the columns in which settings differ."""
    parts = [setting.solver]
    if several_versions:
        parts.append(setting.solver_version)
    parts += [f"{name}={_option_text(value)}" for name, value in sorted(options_of(setting).items())]
    if "threads" in differ:
        parts.append(f"{setting.threads} thread" + ("s" if setting.threads != 1 else ""))
    if "time_limit_seconds" in differ:
        limit = setting.time_limit_seconds
        parts.append("own limits" if limit is None else f"{limit:g} s")
    if "memory_limit_bytes" in differ:
        parts.append(f"{setting.memory_limit_bytes / 2**20:g} MiB")
    return shortened(" ".join(parts), MAX_NAME)


def _option_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
