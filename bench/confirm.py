"""`vnnbench confirm`: judges every stored candidate again, from the files alone, and says what differs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import ResultsError
from bench.judge import Judge
from bench.ledger import LEDGER_NAME, Ledger
from bench.trajectory import read_candidates, summarize
from instances.errors import LibraryError
from instances.generation import Progress
from instances.library import Library
from leaderboard.records import open_ledger_for_reading

COMPARED = (
    "confirmed",
    "evidence",
    "best_exact_value",
    "own_value",
    "replayed_value",
    "file_value",
    "row_violation",
    "raw_violation",
    "first_success_seconds",
)
"""What must come out the same again; exact numbers exactly. float32_value may differ between machines."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A judgement that did not come out as stored."""

    run: str
    instance: str
    field: str
    stored: object
    found: object


def confirm(results: Path, library: Library, progress: Progress) -> list[Difference]:
    """Judge every run of the ledger again, append the new judgements, and return what differs from the stored ones.

    Raises `ResultsError`, `LibraryError`: a run's instance is not in the library, or is another one.
    """
    stored = _stored(results / LEDGER_NAME)
    progress.start(len(stored), 0)
    found = []
    with Ledger(results) as ledger:
        for record in stored:
            judgement = _judge_again(record, results, library)
            ledger.append_judgement(judgement)
            found += list(_differences(record, judgement))
            progress.advance(record["instance"])
    return found


def _stored(path: Path) -> list[dict[str, Any]]:
    connection = open_ledger_for_reading(path)
    try:
        frame = pd.read_sql_query(
            "SELECT i.instance, i.instance_sha256, j.* FROM latest_judgements j JOIN results r USING (run) "
            "JOIN instances i USING (instance_sha256) ORDER BY r.started_at, r.run",
            connection,
        )
    finally:
        connection.close()
    return [
        {key: _null(value) for key, value in row.items() if isinstance(key, str)} for row in frame.to_dict("records")
    ]


def _null(value: Any) -> Any:
    return None if not isinstance(value, str) and pd.isna(value) else value


def _judge_again(record: dict[str, Any], results: Path, library: Library) -> dict[str, Any]:
    row = library.row(record["instance"])
    if row.instance_sha256 != record["instance_sha256"]:
        raise LibraryError(f"{library.folder}: its {row.instance} is not the one that these results are about")
    library.verify_row(row)
    path = results / "candidates" / f"{record['run']}.npz"
    if not path.is_file():
        raise ResultsError(f"{path}: missing; without it run {record['run']} cannot be judged again")
    trajectory, columns, names = read_candidates(path)
    judge = Judge.of_instance(library, row)
    start = time.perf_counter()
    for candidate in trajectory.candidates:
        trajectory.judged(candidate, judge.judge(candidate.point))
    check = judge.hold_against_file(columns, names) if columns is not None else None
    return {"run": record["run"], **summarize(trajectory, judge, check, time.perf_counter() - start)}


def _differences(record: dict[str, Any], judgement: dict[str, Any]) -> Iterator[Difference]:
    for field in COMPARED:
        if record[field] != judgement[field]:
            yield Difference(record["run"], record["instance"], field, record[field], judgement[field])
