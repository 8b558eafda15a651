"""Ledgers of older schemas are read from a copy that is brought up to date: reading changes no file of the user's."""

from __future__ import annotations

import atexit
import shutil
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

from vnnbench.leaderboard.records.integrity import foreign_object
from vnnbench.leaderboard.records.upgrade import tables_of, upgrade

_copies: dict[Path, tuple[object, Path]] = {}
"""What a ledger was like when it was copied, and its copy, by the ledger's path."""


def upgraded(path: Path, connection: sqlite3.Connection, version: int) -> None:
    """Have `file_of` name a copy of the ledger of this older schema, brought up to date; the same copy as long as the
    ledger does not change. connection: to the ledger.

    Raises `sqlite3.Error`: it is not a ledger of that schema, or there is no room for a copy.
    """
    found = _state(path)
    if path in _copies and _copies[path][0] == found:
        return
    forget(path)
    if (wrong := foreign_object(connection, tables_of(version))) is not None:
        raise sqlite3.DatabaseError(wrong)
    copy = Path(tempfile.mkstemp(suffix=".sqlite", dir=_folder())[1])
    with closing(sqlite3.connect(copy)) as today:
        connection.backup(today)
        today.execute("PRAGMA journal_mode = MEMORY")  # nothing is lost with a copy
        today.execute("PRAGMA synchronous = OFF")
        today.executescript(f"BEGIN; {upgrade(version)} COMMIT;")
    _copies[path] = (found, copy)


def forget(path: Path) -> None:
    """Remove the copy of a ledger that has changed, or has become one of today's."""
    if path in _copies:
        _copies.pop(path)[1].unlink(missing_ok=True)


def file_of(path: Path) -> Path:
    """Return the file to read in place of a ledger: its copy, where there is one, else itself."""
    return _copies[path][1] if path in _copies else path


@cache
def _folder() -> Path:
    """A folder for copies that goes with this process. Forked readers find the copies, and end without removing it."""
    folder = Path(tempfile.mkdtemp(prefix="vnnbench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _state(path: Path) -> object:
    """What changes with a ledger: whatever is committed goes to the file itself or to the log beside it."""
    return [
        (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        for file in (path, path.with_name(f"{path.name}-wal"))
        if file.exists()
        for status in [file.stat()]
    ]
