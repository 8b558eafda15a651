"""The output of the commands that show stored runs: all for other programs or in short, or one with its log.

Each public function is one command's work and returns the command's exit code.
"""

from __future__ import annotations

import io
import sys
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from vnnbench.common.text import plain
from vnnbench.errors import ResultsError, UsageError
from vnnbench.instances.files import refuse_device, write_atomic
from vnnbench.leaderboard.records.frames import runs_frame
from vnnbench.leaderboard.serialization import csv_text, json_text
from vnnbench.leaderboard.text import count, format_number
from vnnbench.leaderboard.words import Verdict
from vnnbench.ledger.writer import LEDGER_NAME
from vnnbench.output import display
from vnnbench.runs.run_texts import read_log


class Export(StrEnum):
    """The formats in which `vnnbench runs` writes."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def export_runs(results: Path, form: Export, out: Path | None) -> int:
    """Write every run, one row each with every field, to a file or to stdout; return the exit code 0.

    Raises `UsageError` where Parquet has no file to go to or needs a package that is not installed.
    """
    if form is Export.PARQUET:
        if out is None:
            raise UsageError("--format parquet: Parquet is a binary format; name a file with --out")
        if find_spec("pyarrow") is None:
            raise UsageError("--format parquet: needs pyarrow; install it with `pip install pyarrow`")
    if out is not None:
        refuse_device(out)
    runs = runs_frame(results / LEDGER_NAME)
    if out is None:
        sys.stdout.write(_text(runs, form))
        return 0
    write_atomic(out, _parquet(runs) if form is Export.PARQUET else _text(runs, form).encode())
    sys.stderr.write(f"{out}: {count(len(runs), 'run')}\n")
    return 0


def _text(runs: pd.DataFrame, form: Export) -> str:
    records = [_stored(record) for record in runs.to_dict("records")]
    if form is Export.JSON:
        return json_text(records)
    return csv_text([*map(str, runs)], ([*record.values()] for record in records))


def _stored(record: dict[Any, Any]) -> dict[str, object]:
    """Return one run as CSV and JSON have it: no value where one is missing, ISO 8601 for a time."""
    return {str(name): _value(value) for name, value in record.items()}


def _value(value: Any) -> object:
    if pd.isna(value):
        return None
    return value.isoformat(timespec="milliseconds") if isinstance(value, pd.Timestamp) else value


def _parquet(runs: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    runs.to_parquet(buffer, engine="pyarrow", index=False)
    return buffer.getvalue()


_SHORT = ("run", "solver", "seed", "verdict", "wall_seconds", "fault", "instance")


def list_runs(results: Path, output: str) -> int:
    """Print every run in short, one line each; return the exit code 0.

    In the table a verdict `value` is followed by the value, for which a column of its own would leave too little room.
    """
    runs = runs_frame(results / LEDGER_NAME).sort_values(["instance", "solver", "seed", "run"])
    records = [_stored(record) for record in runs[[*_SHORT]].to_dict("records")]
    if output == "json":
        display.print_json(records)
        return 0
    heads = ("run", "solver", "seed", "verdict", "s", "fault", "instance")
    verdicts = [
        f"{verdict} {format_number(value)}" if verdict == Verdict.VALUE else verdict
        for verdict, value in zip(runs["verdict"], runs["best_exact_value"], strict=True)
    ]
    shown = [record | {"verdict": verdict} for record, verdict in zip(records, verdicts, strict=True)]
    display.print_table(heads, [tuple(record.values()) for record in shown], folded="instance")
    return 0


def show_run(results: Path, run: str, output: str) -> int:
    """Print one run: its fields, the verdict and its evidence among them, then its log; return the exit code 0.

    Raises `ResultsError` for a run that the ledger does not have.
    """
    runs = runs_frame(results / LEDGER_NAME)
    found = runs[runs["run"] == run]
    if found.empty:
        raise ResultsError(f"{results}: there is no run {plain(run[:40])}; `vnnbench show {results}` lists all runs")
    (facts,) = (_stored(record) for record in found.to_dict("records"))
    log = read_log(results, run)
    if output == "json":
        display.print_json({**facts, "log": log})
        return 0
    display.print_facts({name: value for name, value in facts.items() if value not in (None, "")})
    sys.stdout.write("\n")
    if log is None:
        display.print_text("This run has no readable log.")
    for line in (log or "").splitlines():
        sys.stdout.write(plain(line) + "\n")
    return 0
