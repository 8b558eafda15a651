"""Checks that the rows of a run are such as a run can leave: each field alone (`fields`), and all fields together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from vnnbench.errors import ResultsError
from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.files import sha256
from vnnbench.isolation.machine import machine_name
from vnnbench.judging.candidates import Trajectory, parse_candidates, parse_steps
from vnnbench.leaderboard.ranges import MAX_RECORDED_SECONDS
from vnnbench.leaderboard.records.rows import JudgementRow, MachineRow, ResultRow
from vnnbench.leaderboard.words import SUBMITTED, EndedBy, is_submitted
from vnnbench.ledger.fields import row_defect
from vnnbench.ledger.run_identity import PlanKey, attempt_name, run_name
from vnnbench.solvers.base import Termination


def machine_defect(row: object) -> str | None:
    """Return what is wrong with a row of table `machines`, given by column, or None when it can be a `MachineRow`."""
    if (wrong := row_defect(row, MachineRow.COLUMNS)) is not None:
        return wrong
    assert isinstance(row, dict)  # noqa: S101 - by its type
    facts = {name: value for name, value in row.items() if name != "machine"}
    if row["machine"].removeprefix(SUBMITTED) != machine_name(facts):
        return "the name of the machine does not follow from its facts"
    return None


def result_defect(result: object) -> str | None:
    """Return what is wrong with a row of table `results`, given by column, or None when it can be a `ResultRow`."""
    if (wrong := row_defect(result, ResultRow.COLUMNS)) is not None:
        return wrong
    assert isinstance(result, dict)  # noqa: S101 - by its type
    return next(_impossible_facts(ResultRow.of(result)), None)


def judgement_defect(judgement: object) -> str | None:
    """Return what is wrong with a row of table `judgements`, given by column; None when it can be a `JudgementRow`."""
    return row_defect(judgement, JudgementRow.COLUMNS)


def own_name(result: ResultRow) -> str:
    """Return the name of an attempt in the results folder in which it was made."""
    return attempt_name(run_name(PlanKey.of(result)), result.attempt)


def submitted_name(result: ResultRow) -> str:
    """Return the name of a submitted attempt in the results folder into which it is merged. Machine and submission of
    `result` must already have the names that they get there."""
    return attempt_name(run_name(PlanKey.of(result), result.submission or result.machine), result.attempt)


def _impossible_facts(result: ResultRow) -> Iterator[str]:
    for field, _, possible in impossible(result):
        yield f"{field} must be {possible}"
    if result.submission is not None and not (is_submitted(result.submission) and is_submitted(result.machine)):
        yield "it has a submission, but was not merged"
    yield from _misnamed(result)


def _misnamed(result: ResultRow) -> Iterator[str]:
    """Yield a defect when the name does not follow from the plan: it could keep another run out or take its place."""
    name = submitted_name(result) if is_submitted(result.machine) else own_name(result)
    if result.run != name:
        yield "its name does not follow from its plan"


def miscounted(result: ResultRow, trajectory: Trajectory) -> Iterator[tuple[str, object, object]]:
    """Yield (field, stored, found) when the incumbents of a result do not match the number of its candidates."""
    count = len(trajectory.candidates) + trajectory.dropped
    if not result.incumbents <= count <= result.incumbents + 1:  # the final one may not have been streamed
        yield "incumbents", result.incumbents, count


def checked_trajectory(
    result: ResultRow, candidates: bytes, source: str
) -> tuple[Trajectory, Float64Array | None, list[str]]:
    """Return the candidates of a run from the bytes of their file, as `parse_candidates` returns them.

    Raises `ResultsError` when the bytes are not a candidates file or do not match the result.
    """
    if result.candidates_sha256 not in (None, sha256(candidates)):
        raise ResultsError(f"{source}: is not the file that its run wrote (sha256 differs)")
    found = parse_candidates(candidates, source)
    for _, stored, count in miscounted(result, found[0]):
        raise ResultsError(f"{source}: contains {count} candidates, but its run had {stored} incumbents")
    if any(candidate.seconds < 0 for candidate in found[0].candidates):
        raise ResultsError(f"{source}: contains a candidate from before the run")
    if any(candidate.seconds > MAX_RECORDED_SECONDS for candidate in found[0].candidates):
        raise ResultsError(f"{source}: contains a candidate that came after more than {MAX_RECORDED_SECONDS:g} s")
    return found


def impossible(result: ResultRow) -> Iterator[tuple[str, object, str]]:
    """Yield the fields of a result that no run can have: (field, stored value, description of a possible value)."""
    termination, ended_by = result.termination, result.ended_by
    if termination not in (None, *Termination):
        yield "termination", termination, f"one of {', '.join(Termination)}"
    if ended_by not in list(EndedBy):
        yield "ended_by", ended_by, f"one of {', '.join(EndedBy)}"
    if termination is None and ended_by == EndedBy.SOLVER:
        yield "termination", termination, "stated, because the solver ended the run"
    for field in ("claimed_value", "dual_bound", "wall_seconds"):
        number = getattr(result, field)
        if number is not None and not math.isfinite(number):
            yield field, number, "a finite number"
    if result.dual_steps is not None and not _falling(result.dual_steps, result.dual_bound):
        yield "dual_steps", result.dual_steps[:80], "falling bounds in order of time, none below the final one"


def _falling(text: str, dual_bound: float | None) -> bool:
    """Return whether these are steps [[seconds, bound], ...] that only improve, and not beyond the dual bound."""
    steps = parse_steps(text)
    if steps is None:
        return False
    ordered = all(earlier[1] > later[1] for earlier, later in pairwise(steps))
    return ordered and (not steps or (dual_bound is not None and dual_bound >= steps[-1][1]))
