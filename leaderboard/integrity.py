"""Is a database what its schema says? A ledger may come from anybody."""

from __future__ import annotations

import sqlite3
from contextlib import closing


def defect(connection: sqlite3.Connection, schema: str) -> str | None:
    """What is wrong with a database that should have this schema, None when nothing is.

    Every table has the schema's columns, each value is of its column's type and refers to what is there; indices are
    those of the schema, word by word, and so is every trigger that is there. Its views may be those of another version:
    readers put their own before them, a writer makes them anew. Raises sqlite3.Error where the file cannot be read.
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
        else:  # further tables, views and indices are nobody's business: they are not read
            fits = (kind, name) not in expected or found.get((kind, name)) == expected[kind, name]
        if not fits:
            return f"its {kind} {name} is not that of vnnbench"
    ((finding,),) = connection.execute("PRAGMA quick_check(1)")
    if finding != "ok":
        return " ".join(str(finding).split())
    for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
        return f"row {row} of {table} refers to none of {parent}"
    return None


def _objects(connection: sqlite3.Connection) -> dict[tuple[str, str], object]:
    """By kind and name: of tables the columns in any order, for those that came later stand last; else the SQL."""
    strict = {name: is_strict for _, name, _, _, _, is_strict in connection.execute("PRAGMA table_list")}
    objects: dict[tuple[str, str], object] = {}
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master"):
        if kind == "table":
            columns = connection.execute('SELECT name, type, "notnull", pk FROM pragma_table_info(?)', (name,))
            objects[kind, name] = (strict.get(name), frozenset(columns))
        else:
            objects[kind, name] = sql
    return objects
