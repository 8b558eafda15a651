"""Whether the rows of a run are such as a run can leave: each field (`fields`), and what they say together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from vnnbench.isolation.machine import machine_name
from vnnbench.judging.candidates import (
    Trajectory,
    parse_steps,
)
from vnnbench.leaderboard.records.schema import (
    JUDGEMENT_COLUMNS,
    MACHINE_COLUMNS,
    RESULT_COLUMNS,
    SUBMITTED,
    is_submitted,
)
from vnnbench.leaderboard.words import EndedBy
from vnnbench.ledger.fields import row_defect
from vnnbench.ledger.run_identity import attempt_name, run_name
from vnnbench.solvers.base import Termination

STATED_COLUMNS = {name: kind for name, kind in JUDGEMENT_COLUMNS.items() if name != "judgement"}
"""Of the judgement that a run comes with; `judgement` only numbers the rows of a ledger."""


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


def miscounted(record: Mapping[str, Any], trajectory: Trajectory) -> Iterator[tuple[str, object, object]]:
    """Whether a result has as many incumbents as its candidates: (field, what is stored, what was found)."""
    count = len(trajectory.candidates) + trajectory.dropped
    if not record["incumbents"] <= count <= record["incumbents"] + 1:  # the final one may not have been streamed
        yield "incumbents", record["incumbents"], count


def impossible(record: Mapping[str, Any]) -> Iterator[tuple[str, object, str]]:
    """Facts of a result that no run can have: (field, what is stored, what would be possible)."""
    termination, ended_by = record["termination"], record["ended_by"]
    if termination not in (None, *Termination):
        yield "termination", termination, "a word of the solvers'"
    if ended_by not in list(EndedBy):
        yield "ended_by", ended_by, "a word of the harness's"
    if termination is None and ended_by == EndedBy.SOLVER:
        yield "termination", termination, "a word, for the solver ended the run"
    for field in ("claimed_value", "dual_bound", "wall_seconds"):
        if record[field] is not None and not math.isfinite(record[field]):
            yield field, record[field], "a finite number"
    if record["dual_steps"] is not None and not _falling(record["dual_steps"], record["dual_bound"]):
        yield "dual_steps", record["dual_steps"][:80], "falling bounds in order of time, none below the final one"


def _falling(text: str, dual_bound: float | None) -> bool:
    """Whether these are steps [[seconds, bound], ...] that only improve, and the dual bound is no better."""
    steps = parse_steps(text)
    if steps is None:
        return False
    ordered = all(earlier[1] > later[1] for earlier, later in pairwise(steps))
    return ordered and (not steps or (dual_bound is not None and dual_bound >= steps[-1][1]))
