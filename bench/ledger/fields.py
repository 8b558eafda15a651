"""The values that a field of a submitted row may have: those that `vnnbench run` itself could have written.

A ledger is append-only, so what is merged stays there: every later command would have to cope with a number that
overflows in a mean, a text of a megabyte or a thousand brackets.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from vnnbench.common.numbers import MAX_INTEGER, MAX_REAL
from vnnbench.judging.candidates import parse_steps
from vnnbench.leaderboard.ranges import (
    MAX_ATTEMPTS,
    MAX_MEBIBYTES,
    MAX_PERMUTATIONS,
    MAX_RECORDED_SECONDS,
    MAX_SECONDS,
    MAX_SEED,
    MAX_TEXT,
    MAX_THREADS,
    MIN_MEBIBYTES,
)
from vnnbench.leaderboard.records.measures import parse_measures
from vnnbench.leaderboard.words import Counted, Enforcement, Evidence
from vnnbench.ledger.run_identity import MAX_SETTINGS, StopGoal

MAX_PACKAGES, MAX_CORES = 100, 1 << 20
_INTEGERS = {
    "seed": (0, MAX_SEED),
    "threads": (1, MAX_THREADS),
    "memory_limit_bytes": (MIN_MEBIBYTES << 20, MAX_MEBIBYTES << 20),
    "attempt": (1, MAX_ATTEMPTS),
    "permutation": (0, MAX_PERMUTATIONS),
    "ranked": (0, 1),
    "reads_model": (0, 1),
    "confirmed": (0, 1),
    "float32_beats_all": (0, 1),
    "memory_bytes": (1, MAX_INTEGER),
}
"""The least and the largest value of whole numbers. All others count something and are from 0 to MAX_INTEGER."""
_CORES = r"(?:[0-9]{1,7}(?:,[0-9]{1,7}){0,8191})?"
_TIME = r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.(?:[0-9]{3}|[0-9]{6}))?\+00:00"


def row_defect(row: object, columns: Mapping[str, str]) -> str | None:
    """Return what is wrong with a row of a table, or None. columns: the SQL types of the table's columns by name."""
    if not isinstance(row, dict) or row.keys() != columns.keys():
        return "it does not have the columns of the ledger"
    return next(filter(None, (_defect(name, kind, row[name]) for name, kind in columns.items())), None)


def _defect(name: str, kind: str, value: object) -> str | None:
    if value is None:
        return f"{name} is missing" if "NOT NULL" in kind or "PRIMARY KEY" in kind else None
    return {"TEXT": _text_defect, "INTEGER": _integer_defect, "REAL": _real_defect}[kind.split()[0]](name, value)


def _integer_defect(name: str, value: object) -> str | None:
    least, most = (1, MAX_CORES) if name == "cores" else _INTEGERS.get(name, (0, MAX_INTEGER))
    if type(value) is not int:
        return f"{name} is not a whole number"
    return None if least <= value <= most else f"{name} is not from {least} to {most}"


def _real_defect(name: str, value: object) -> str | None:
    if type(value) is not float or not math.isfinite(value):
        return f"{name} is not a finite number"
    if name == "time_limit_seconds":
        return None if 0 < value <= MAX_SECONDS else f"{name} is not above 0 and at most {MAX_SECONDS}"
    least = 0.0 if name.endswith(("_seconds", "_violation")) else -MAX_REAL
    most = MAX_RECORDED_SECONDS if name.endswith("_seconds") else MAX_REAL
    return None if least <= value <= most else f"{name} is not from {least:g} to {most:g}"


def _text_defect(name: str, value: object) -> str | None:
    if not isinstance(value, str) or "\0" in value or not _is_utf8(value):
        return f"{name} is not a text"
    if name in _FORMS:
        fits, wanted = _FORMS[name]
        return None if fits(value) else f"{name} must be {wanted}"
    return None if len(value) <= MAX_TEXT else f"{name} is longer than {MAX_TEXT} characters"


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# -- texts with a format of their own ------------------------------------------------------------------------------


def _is_time(text: str) -> bool:
    try:
        return bool(re.fullmatch(_TIME, text)) and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _is_settings(text: str) -> bool:
    """Return whether these are a solver's own options as `SolverSetting.settings_json` writes them."""
    document = _canonical(text, MAX_SETTINGS)
    return document is not None and all(map(_is_option, document.values())) and all(map(_is_utf8, document))


def _is_option(value: object) -> bool:
    if isinstance(value, str):
        return _is_utf8(value)
    if isinstance(value, float):
        return not math.isnan(value)  # some options may be infinite
    return isinstance(value, bool) or (isinstance(value, int) and abs(value) <= MAX_INTEGER)


def _is_packages(text: str) -> bool:
    """Return whether these are names and versions as `machine.machine_facts` writes them."""
    document = _canonical(text, 2 * MAX_PACKAGES * MAX_TEXT)
    if document is None or len(document) > MAX_PACKAGES:
        return False
    texts = [*document, *document.values()]
    return all(isinstance(text, str) and len(text) <= MAX_TEXT and _is_utf8(text) for text in texts)


def _canonical(text: str, longest: int) -> dict[str, Any] | None:
    """Return the JSON object of a text that Python wrote with sorted keys; None for any other text or a longer one."""
    if len(text) > longest:
        return None
    try:
        document = json.loads(text)
        return document if isinstance(document, dict) and json.dumps(document, sort_keys=True) == text else None
    except (ValueError, RecursionError):
        return None


def _one_of(
    words: type[StopGoal] | type[Enforcement] | type[Evidence] | type[Counted],
) -> tuple[Callable[[str], bool], str]:
    return (lambda text: text in list(words)), f"one of {', '.join(words)}"


def _matching(pattern: str, wanted: str) -> tuple[Callable[[str], bool], str]:
    return (lambda text: re.fullmatch(pattern, text) is not None), wanted


_TIMES = (_is_time, "a time such as 2026-01-31T12:00:00.000+00:00")
_FORMS: dict[str, tuple[Callable[[str], bool], str]] = {
    "settings": (_is_settings, f"a JSON object of options with sorted keys, of at most {MAX_SETTINGS} characters"),
    "packages": (_is_packages, f"a JSON object of at most {MAX_PACKAGES} names and versions with sorted keys"),
    "goal": _one_of(StopGoal),
    "enforcement": _one_of(Enforcement),
    "counted": _one_of(Counted),
    "evidence": _one_of(Evidence),
    "cores": _matching(_CORES, "numbers with commas"),
    "candidates_sha256": _matching("[0-9a-f]{64}", "64 hexadecimal digits"),
    "started_at": _TIMES,
    "judged_at": _TIMES,
    "dual_steps": (lambda text: parse_steps(text) is not None, "pairs of seconds and bounds as a run writes them"),
    "primal_steps": (lambda text: parse_steps(text) is not None, "pairs of seconds and values as a run writes them"),
    "measures": (lambda text: parse_measures(text) is not None, "a JSON object of numbers as the judge writes it"),
}
