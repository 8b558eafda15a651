"""The texts that are stored for a run: the output of the solver and its processes, and notes on changed files."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from vnnbench.instances.errors import LibraryError
from vnnbench.instances.files import read_plain
from vnnbench.isolation.supervisor import ChildOutcome
from vnnbench.leaderboard.ranges import MAX_TEXT
from vnnbench.leaderboard.records.reader import CHANGED
from vnnbench.limits import MAX_LOG_BYTES
from vnnbench.runs.run_folder import LOG_NAME, OUTPUT_NAME, RunFolder

MAX_OWN_LOG_BYTES = 16 << 20
"""The most bytes that are stored of the solver's log, and of what its processes print."""
LOG_BYTES_SHOWN = 1 << 16
"""The bytes that are shown of a long log's beginning, and of its end."""


def log_path(results: Path, run: str) -> Path:
    """Return the path of a run's log in a results folder."""
    return results / "logs" / f"{run}.log.gz"


def read_log(results: Path, run: str) -> str | None:
    """Return the log of a run, of a long one its beginning and end; None where it has no readable log."""
    path = log_path(results, run)
    if path.name != f"{run}.log.gz":  # the name, from a ledger of any origin, leads out of the folder
        return None
    try:
        log = read_plain(path, MAX_LOG_BYTES, LibraryError)
    except (LibraryError, ValueError):  # ValueError: the name cannot be that of a file
        return None
    left_out = len(log) - 2 * LOG_BYTES_SHOWN
    if left_out > 0:
        cut = f"\n\n[... {left_out} bytes are left out here ...]\n\n".encode()
        log = log[:LOG_BYTES_SHOWN] + cut + log[-LOG_BYTES_SHOWN:]
    return log.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class RunTexts:
    """The texts of a run, all of which are shared and published. raw_status: the solver's own word for how it ended, or
    None. message: its error text, or why the run failed, after the names of files that were changed. log: gzipped."""

    raw_status: str | None
    message: str
    log: bytes

    @classmethod
    def of(cls, outcome: ChildOutcome, folder: RunFolder, changed: Sequence[str]) -> Self:
        """Return the texts of a run that has ended. changed: the names of the files given to it that were changed."""
        header = outcome.result.header if outcome.result is not None else {}
        notes = [f"{name}: {CHANGED}" for name in changed]

        def text(value: object) -> str:
            return folder.without_paths(_text(value).encode()).decode()

        message = _last_line(outcome.failure) if outcome.result is None else header.get("message", "")
        return cls(
            text(header["raw_status"]) if "raw_status" in header else None,
            _text("; ".join(filter(None, [*notes, text(message)]))),
            _log(outcome, folder, notes),
        )


def _last_line(text: str) -> str:
    return "".join(text.strip().splitlines()[-1:])


def _log(outcome: ChildOutcome, folder: RunFolder, notes: Sequence[str]) -> bytes:
    """Return, gzipped, the solver's own log, what its processes printed, a traceback if the adapter raised one, and
    notes on files."""
    parts, notes = [], [*notes]
    for name, title in ((LOG_NAME, ""), (OUTPUT_NAME, "-- standard output and error of the child --\n")):
        if written := folder.written(name, MAX_OWN_LOG_BYTES):
            parts.append(title.encode() + written)
        if folder.was_replaced(name):
            notes.append(f"{name}: replaced or removed during the run; what is in its place is not stored")
    if outcome.failure:
        parts.append(f"-- the child's failure --\n{outcome.failure}\n".encode(errors="replace"))
    if notes:
        parts.append("\n".join(["-- the run's files --", *notes, ""]).encode())
    return gzip.compress(folder.without_paths(b"\n".join(parts)), mtime=0)


def _text(value: object) -> str:
    """Return a text of limited length without what UTF-8 cannot encode and without NUL, which bundles refuse because it
    ends a text for many programs."""
    return str(value)[:MAX_TEXT].encode(errors="replace").decode().replace("\0", "?")
