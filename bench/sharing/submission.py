"""One run as somebody submits it, and whether its facts are such as a run can leave. Nothing in it is trusted.

Its candidates are judged again where it is merged; the judgement that it comes with only serves to tell differences.
Times, terminations and bounds are the submitter's word: they are held to be possible, not to be true.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import ResultsError
from bench.isolation.machine import machine_name
from bench.judging.candidates import Trajectory, parse_candidates
from bench.ledger.confirm import impossible, miscounted
from bench.ledger.fields import row_defect
from bench.runs.plan import attempt_name, run_name
from instances.files import sha256
from instances.networks.network import Float64Array
from leaderboard.ranges import MAX_RECORDED_SECONDS
from leaderboard.records.schema import JUDGEMENT_COLUMNS, MACHINE_COLUMNS, RESULT_COLUMNS, SUBMITTED, is_submitted

STATED_COLUMNS = {name: kind for name, kind in JUDGEMENT_COLUMNS.items() if name != "judgement"}
"""Of the judgement that a run comes with; `judgement` only numbers the rows of a ledger."""


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
        if any(candidate.seconds > MAX_RECORDED_SECONDS for candidate in found[0].candidates):
            raise ResultsError(f"{source}: holds a candidate from after more than {MAX_RECORDED_SECONDS:g} s")
        return found


def machine_defect(row: object) -> str | None:
    """What is wrong with a row of table `machines`, None when nothing is."""
    if (wrong := row_defect(row, MACHINE_COLUMNS)) is not None:
        return wrong
    assert isinstance(row, dict)  # noqa: S101 - by its type
    facts = {name: value for name, value in row.items() if name != "machine"}
    if row["machine"].removeprefix(SUBMITTED) != machine_name(facts):
        return "machine is not the name that follows from its facts"
    return None


def result_defect(result: object) -> str | None:
    """What no row of table `results` can be, None when it can be one."""
    if (wrong := row_defect(result, RESULT_COLUMNS)) is not None:
        return wrong
    assert isinstance(result, dict)  # noqa: S101 - by its type
    return next(_impossible_facts(result), None)


def judgement_defect(judgement: object) -> str | None:
    """What no row of table `judgements` can be, its number aside; None when it can be one."""
    return row_defect(judgement, STATED_COLUMNS)


def own_name(result: Mapping[str, Any]) -> str:
    """The name of a run where it is made, from its row of table `results`."""
    return attempt_name(run_name(result), result["attempt"])


def submitted_name(result: Mapping[str, Any]) -> str:
    """The name of a submitted run where it is merged, from the row of table `results` with its machine's name there."""
    return attempt_name(run_name(result, result["machine"]), result["attempt"])


def _impossible_facts(result: dict[str, Any]) -> Iterator[str]:
    for field, _, possible in impossible(result):
        yield f"{field} must be {possible}"
    yield from _misnamed(result)


def _misnamed(result: dict[str, Any]) -> Iterator[str]:
    """A name that does not follow from the plan could keep another run out, or stand for it."""
    name = submitted_name(result) if is_submitted(result["machine"]) else own_name(result)
    if result["run"] != name:
        yield "its name is not the one that follows from its plan"
