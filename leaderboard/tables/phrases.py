"""Sentences that several reports share, as plain text: escape them before they go into markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vnnbench.common.text import plain
from vnnbench.leaderboard.records.settings import Setting
from vnnbench.leaderboard.text import count, span


def describe_limits(settings: Sequence[Setting]) -> str:
    """Return the time limit and the number of threads of all settings, as a phrase."""
    threads = [setting.threads for setting in settings]
    limits = join_limits(setting.time_limit_seconds for setting in settings)
    return f"time limit {limits}, {span(threads)} thread{'' if max(threads) == 1 else 's'}"


def join_limits(limits: Iterable[float | None]) -> str:
    """Return time limits of settings as words: "60 s", "60 to 300 s and each instance's own"."""
    every = set(limits)
    known = [limit for limit in every if limit is not None]
    parts = [f"{span(known)} s"] if known else []
    return " and ".join([*parts, *(["each instance's own"] if None in every else [])])


def describe_solvers(settings: Iterable[Setting]) -> list[str]:
    """Return the solvers with their versions, each once, sorted."""
    return sorted({plain(f"{setting.solver} {setting.solver_version}") for setting in settings})


def describe_setting(setting: Setting) -> str:
    """Return a setting in full; its label alone leaves out what all settings share."""
    return (
        f"{plain(setting.solver)} {plain(setting.solver_version)}, options {plain(setting.settings)}, goal "
        f"{plain(setting.goal)}, {describe_limits([setting])}, {setting.memory_limit_bytes / 2**20:g} MiB"
    )


def describe_absent(refused: int, not_run_by_all: int) -> str:
    """Return why things are no common ones, with the number of each: "2 refused or interrupted, 1 not run by all"."""
    why = {"refused or interrupted": refused, "not run by all": not_run_by_all}
    return ", ".join(f"{number} {word}" for word, number in why.items() if number)


def describe_left_out(refused: int, missing: int, wrong: int, cpus: Sequence[str]) -> str:
    """Return a note on the pairs that are left out, on wrong answers, and on several types of CPU."""
    notes = ["No pair left out."] if not refused and not missing else []
    if refused:
        notes.append(f"Left out: {count(refused, 'pair')} with a side refused by its licence or interrupted.")
    if missing:
        notes.append(f"Left out: {count(missing, 'pair')} with a side not run.")
    if wrong:
        notes.append(f"Wrong (fault solver or formulation): {count(wrong, 'run')}, see the leaderboard.")
    if len(cpus) > 1:
        notes.append(f"The runs come from {len(cpus)} types of CPU; the two sides of a pair are from one.")
    return " ".join(notes)
