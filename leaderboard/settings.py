"""Settings: what is ranked. A setting is everything of a run's plan that is not its instance, seed and permutation.

Two runs of one setting differ in these only, so a setting has at most one run per (instance, seed, permutation).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count

SETTING_COLUMNS = (
    "solver",
    "solver_version",
    "settings",
    "threads",
    "time_limit_seconds",
    "memory_limit_bytes",
    "goal",
)


@dataclass(frozen=True, slots=True)
class Setting:
    """One contestant. `settings` is the JSON text of the solver's own options; `label` tells it from the others, `name`
    from those with its goal: for where the goal stands above it."""

    solver: str
    solver_version: str
    settings: str
    threads: int
    time_limit_seconds: float
    memory_limit_bytes: int
    goal: str
    label: str = ""
    name: str = ""

    @property
    def unlabelled(self) -> Setting:
        """What it is in every ledger and every part of one, where it may have other labels."""
        return replace(self, label="", name="")


def options_of(setting: Setting) -> dict[str, object]:
    """The solver's own options, by name; a text that is no JSON object is kept whole under the name "settings"."""
    try:
        options = json.loads(setting.settings)
    except ValueError:
        options = None
    return options if isinstance(options, dict) else {"settings": setting.settings}


def label_settings(settings: Sequence[Setting]) -> list[Setting]:
    """Give each setting the shortest label that tells it apart, unique in this list.

    The solver's name, then its options as given; its version where this solver comes in several; threads, limits and
    goal where the ledger holds several, whoever ran them: "highs" alone, else "highs 1.11 presolve=off 4 threads".
    """
    several_goals = _several(setting.goal for setting in settings)
    taken: set[tuple[str, str]] = set()
    labelled = []
    for setting in settings:
        name = alike = _name(setting, settings)
        # Options such as 1 and "1" look alike: number what is still ambiguous.
        numbers = count(2)
        while (name, setting.goal) in taken:
            name = f"{alike} #{next(numbers)}"
        taken.add((name, setting.goal))
        labelled.append(replace(setting, name=name, label=f"{name} {setting.goal}" if several_goals else name))
    return labelled


def _name(setting: Setting, settings: Sequence[Setting]) -> str:
    parts = [setting.solver]
    if _several(s.solver_version for s in settings if s.solver == setting.solver):
        parts.append(setting.solver_version)
    parts += [f"{name}={_option_text(value)}" for name, value in sorted(options_of(setting).items())]
    if _several(s.threads for s in settings):
        parts.append(f"{setting.threads} thread" + ("s" if setting.threads != 1 else ""))
    if _several(s.time_limit_seconds for s in settings):
        parts.append(f"{setting.time_limit_seconds:g} s")
    if _several(s.memory_limit_bytes for s in settings):
        parts.append(f"{setting.memory_limit_bytes / 2**20:g} MiB")
    return " ".join(parts)


def _option_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _several(values: Iterable[object]) -> bool:
    return len(set(values)) > 1
