"""One run as somebody submits it, and whether its facts are such as a run can leave. Nothing in it is trusted.

Its candidates are judged again where it is merged; the judgement that it comes with only serves to tell differences.
Times, terminations and bounds are the submitter's word: they are held to be possible, not to be true.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.confirm import impossible, miscounted
from bench.errors import ResultsError
from bench.machine import machine_name
from bench.plan import Goal, attempt_name, run_name
from bench.trajectory import Trajectory, parse_candidates
from instances.files import sha256
from instances.network import Float64Array
from leaderboard.records import Counted, Enforcement
from leaderboard.schema import JUDGEMENT_COLUMNS, MACHINE_COLUMNS, RESULT_COLUMNS, SUBMITTED, is_submitted

MAX_TEXT = 1_000
_LONG_TEXTS = ("settings", "packages", "dual_steps", "primal_steps")
"""Bounded by the size of their file only: a program's own TOML is among its settings."""
STATED_COLUMNS = {name: kind for name, kind in JUDGEMENT_COLUMNS.items() if name != "judgement"}
"""Of the judgement that a run comes with; `judgement` only numbers the rows of a ledger."""
_POSITIVE = ("threads", "attempt", "time_limit_seconds", "memory_limit_bytes")
_NOT_NEGATIVE = (
    "seed", "permutation", "wall_seconds", "read_seconds", "cpu_seconds", "peak_memory_bytes", "nodes", "incumbents",
    "foreign_seconds", "swapped_bytes", "stalled_seconds",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SubmittedRun:
    """result, judgement: rows of these tables as they were stored elsewhere. candidates, log: the bytes of its files;
    a log may be missing."""

    instance: str
    result: dict[str, Any]
    judgement: dict[str, Any]
    candidates: bytes
    log: bytes | None

    @property
    def run(self) -> str:
        return str(self.result["run"])

    def trajectory(self, source: str) -> tuple[Trajectory, Float64Array | None, list[str]]:
        """Its candidates, as `parse_candidates` has them. Raises `ResultsError`: they are none, or not those that the
        result tells of."""
        if self.result["candidates_sha256"] not in (None, sha256(self.candidates)):
            raise ResultsError(f"{source}: is not the file that its run left (sha256)")
        found = parse_candidates(self.candidates, source)
        for _, stored, count in miscounted(self.result, found[0]):
            raise ResultsError(f"{source}: holds {count} candidates, its run had {stored} incumbents")
        if any(candidate.seconds < 0 for candidate in found[0].candidates):
            raise ResultsError(f"{source}: holds a candidate from before the run")
        return found


def machine_defect(row: object) -> str | None:
    """What is wrong with a row of table `machines`, None when nothing is."""
    if (wrong := _type_defect(row, MACHINE_COLUMNS)) is not None:
        return wrong
    assert isinstance(row, dict)  # noqa: S101 - by its type
    facts = {name: value for name, value in row.items() if name != "machine"}
    if row["machine"].removeprefix(SUBMITTED) != machine_name(facts):
        return "machine is not the name that follows from its facts"
    return None


def result_defect(result: object) -> str | None:
    """What no row of table `results` can be, None when it can be one."""
    if (wrong := _type_defect(result, RESULT_COLUMNS)) is not None:
        return wrong
    assert isinstance(result, dict)  # noqa: S101 - by its type
    return next(_impossible_facts(result), None)


def judgement_defect(judgement: object) -> str | None:
    """What no row of table `judgements` can be, its number aside; None when it can be one."""
    return _type_defect(judgement, STATED_COLUMNS)


def own_name(result: Mapping[str, Any]) -> str:
    """The name of a run where it is made, from its row of table `results`."""
    return attempt_name(run_name(result), result["attempt"])


def submitted_name(result: Mapping[str, Any]) -> str:
    """The name of a submitted run where it is merged, from the row of table `results` with its machine's name there."""
    return attempt_name(run_name(result, result["machine"]), result["attempt"])


def _type_defect(row: object, columns: Mapping[str, str]) -> str | None:
    """Types as the ledger's STRICT tables have them, all numbers finite."""
    if not isinstance(row, dict) or row.keys() != columns.keys():
        return "it does not have the columns of the ledger"
    for name, kind in columns.items():
        value = row[name]
        word = kind.split()[0]
        if value is None:
            if "NOT NULL" in kind or "PRIMARY KEY" in kind:
                return f"{name} is missing"
        elif word == "TEXT":
            if not isinstance(value, str) or "\0" in value:
                return f"{name} is no text"
            if name not in _LONG_TEXTS and len(value) > MAX_TEXT:
                return f"{name} is longer than {MAX_TEXT} characters"
        elif word == "INTEGER":
            if type(value) is not int or not -(2**63) <= value < 2**63:
                return f"{name} is no whole number"
        elif type(value) is not float or not math.isfinite(value):
            return f"{name} is no finite number"
    return None


def _impossible_facts(result: dict[str, Any]) -> Iterator[str]:
    for field, _, possible in impossible(result):
        yield f"{field} must be {possible}"
    for name in (*_POSITIVE, *_NOT_NEGATIVE):
        if result[name] is not None and result[name] < (name in _POSITIVE):
            yield f"{name} is {result[name]}"
    if result["goal"] not in list(Goal):
        yield "goal is none of find, decide, optimize"
    if result["enforcement"] not in list(Enforcement):
        yield "enforcement is no word of the harness's"
    if result["counted"] not in (None, *Counted):
        yield "counted is no word of the harness's"
    if not _is_canonical(result["settings"]):
        yield "settings are no JSON object with sorted keys"
    if not re.fullmatch(r"(\d+(,\d+)*)?", result["cores"] or ""):
        yield "cores are no numbers with commas"
    try:
        datetime.fromisoformat(result["started_at"])
    except ValueError:
        yield "started_at is no time"
    yield from _misnamed(result)


def _is_canonical(settings: str) -> bool:
    try:
        document = json.loads(settings)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and json.dumps(document, sort_keys=True) == settings


def _misnamed(result: dict[str, Any]) -> Iterator[str]:
    """A name that does not follow from the plan could keep another run out, or stand for it."""
    name = submitted_name(result) if is_submitted(result["machine"]) else own_name(result)
    if result["run"] != name:
        yield "its name is not the one that follows from its plan"
