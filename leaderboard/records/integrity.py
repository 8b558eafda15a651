"""Checks that a database has the schema of a ledger, without broken pages; a ledger may come from anyone."""

from __future__ import annotations

import sqlite3
from contextlib import closing

UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""The errors of reading a broken database. If SQLite's message quotes bytes of the file that are not UTF-8, Python
raises the second one in place of SQLite's error."""


def described(error: Exception) -> str:
    """Return the message of one of `UNREADABLE`, with bytes that are not UTF-8 as escapes such as \\xff."""
    if isinstance(error, UnicodeDecodeError):
        return error.object.decode("utf-8", "backslashreplace")
    return str(error)


def defect(connection: sqlite3.Connection, schema: str) -> str | None:
    """Return what is wrong with a database that should have this schema, or None.

    It may be a foreign object, a broken page, or a dangling row. Raises one of `UNREADABLE` if the file cannot be read.
    """
    return foreign_object(connection, schema) or broken_page(connection) or dangling_row(connection)


def foreign_object(connection: sqlite3.Connection, schema: str) -> str | None:
    """Return how a database differs from this schema, or None.

    Every table must have the schema's columns. Indices must be those of the schema, word by word, and so must every
    trigger. Views may be those of another version: readers use their own instead, and a writer replaces them.
    Raises one of `UNREADABLE` if the file cannot be read.
    """
    with closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(schema)
        expected = _objects(fresh)
    found = _objects(connection)
    for kind, name in sorted(expected.keys() | found.keys()):
        if kind == "view":
            continue
        if kind == "trigger":
            fits = found.get((kind, name)) in (None, expected.get((kind, name)))
        else:  # further tables, views and indices are not read
            fits = (kind, name) not in expected or found.get((kind, name)) == expected[kind, name]
        if not fits:
            return f"its {kind} {name} is not that of vnnbench"
    return None


def broken_page(connection: sqlite3.Connection) -> str | None:
    """Return what is wrong with the file's pages or with the type of a value, or None. Raises sqlite3.Error."""
    ((finding,),) = connection.execute("PRAGMA quick_check(1)")
    return None if finding == "ok" else " ".join(str(finding).split())


def dangling_row(connection: sqlite3.Connection, table: str | None = None) -> str | None:
    """Return a row, of one table or of all, that refers to a missing row, or None. Raises sqlite3.Error."""
    dangling = connection.execute("SELECT * FROM pragma_foreign_key_check(?)", (table,))
    for name, row, parent, _ in dangling:
        return f"row {row} of {name} refers to a row that {parent} lacks"
    return None


def _objects(connection: sqlite3.Connection) -> dict[tuple[str, str], object]:
    """Return the objects by kind and name: of tables the columns in any order, of others the SQL.

    The order of columns may differ, because those of later schemas come last.
    """
    strict = {name: is_strict for _, name, _, _, _, is_strict in connection.execute("PRAGMA table_list")}
    objects: dict[tuple[str, str], object] = {}
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master"):
        if kind == "table":
            columns = connection.execute('SELECT name, type, "notnull", pk FROM pragma_table_info(?)', (name,))
            objects[kind, name] = (strict.get(name), frozenset(columns))
        else:
            objects[kind, name] = sql
    return objects
