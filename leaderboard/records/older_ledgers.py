"""Upgraded copies of ledgers with older schemas, from which they are read: reading never changes a user's file."""

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
"""The state of a ledger when it was copied, and its copy, by the ledger's path."""


def upgraded(path: Path, connection: sqlite3.Connection, version: int) -> None:
    """Make an upgraded copy of a ledger of this older schema, which `file_of` then returns.

    The copy is reused as long as the ledger does not change. connection: to the ledger.
    Raises `sqlite3.Error`: it is not a ledger of that schema, or the disk is too full for a copy.
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
        today.execute("PRAGMA journal_mode = MEMORY")  # a copy can be lost without harm
        today.execute("PRAGMA synchronous = OFF")
        today.executescript(f"BEGIN; {upgrade(version)} COMMIT;")
    _copies[path] = (found, copy)


def forget(path: Path) -> None:
    """Remove the copy of a ledger that has changed, or that now has the present schema."""
    if path in _copies:
        _copies.pop(path)[1].unlink(missing_ok=True)


def file_of(path: Path) -> Path:
    """Return the file to read in place of a ledger: its copy if there is one, else the ledger itself."""
    return _copies[path][1] if path in _copies else path


@cache
def _folder() -> Path:
    """Return a folder for copies that is removed when this process ends.

    Forked readers find the copies there, and end without removing the folder.
    """
    folder = Path(tempfile.mkdtemp(prefix="vnnbench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _state(path: Path) -> object:
    """Return a state that changes with a ledger: every commit changes the file itself or the log beside it."""
    return [
        (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        for file in (path, path.with_name(f"{path.name}-wal"))
        if file.exists()
        for status in [file.stat()]
    ]
