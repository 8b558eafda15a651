"""Ledgers as older versions of vnnbench have left them."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from vnnbench.isolation.machine import machine_name
from vnnbench.leaderboard.records.schema import LIFTING_COLUMNS, TABLES
from vnnbench.leaderboard.records.upgrade import columns_of, tables_of

Rows = dict[str, list[dict[str, Any]]]
"""The rows of a ledger by table, each by column."""


def make_older(path: Path, version: int) -> Rows:
    """Rewrite a ledger of today as one of this older schema and return its rows, without what that schema lacks."""
    rows = _rows_of(path, version)
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"{tables_of(version)} PRAGMA user_version = {version};")
        for name, stored in rows.items():
            for row in stored:
                marks = ", ".join("?" for _ in row)
                connection.execute(f"INSERT INTO {name} ({', '.join(row)}) VALUES ({marks})", [*row.values()])  # noqa: S608
        connection.commit()
    return rows


def _rows_of(path: Path, version: int) -> Rows:
    tables = {**{name: columns_of(name, version) for name in TABLES}, "liftings": LIFTING_COLUMNS}
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        rows = {
            name: [dict(row) for row in connection.execute(f"SELECT {', '.join(columns)} FROM {name}")]  # noqa: S608
            for name, columns in tables.items()
            if name != "liftings" or version >= 4
        }
    names = {
        row["machine"]: machine_name({name: value for name, value in row.items() if name != "machine"})
        for row in rows["machines"]
    }
    for row in (*rows["machines"], *rows["results"]):
        row["machine"] = names[row["machine"]]  # a hash of the facts that the schema has
    return rows
