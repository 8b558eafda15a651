"""Records and tables have the same columns, and what goes into SQL comes out as it was."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import fields

import pytest

from vnnbench.leaderboard.records.rows import InstanceRow, JudgementRow, LiftingRow, MachineRow, ResultRow, Row
from vnnbench.leaderboard.records.schema import SCHEMA

ROWS: tuple[type[Row], ...] = (MachineRow, InstanceRow, ResultRow, JudgementRow, LiftingRow)
TYPES = {"TEXT": "str", "INTEGER": "int", "REAL": "float"}


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.TABLE)
def test_fields_are_the_columns_of_the_table_and_of_their_types(kind):
    """The table is as SQLite has it, except for the number that it gives to each judgement."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        columns = connection.execute('SELECT name, type, "notnull" OR pk FROM pragma_table_info(?)', (kind.TABLE,))
        wanted = [
            (name, TYPES[type_] if given else f"{TYPES[type_]} | None")
            for name, type_, given in columns
            if (kind.TABLE, name) != ("judgements", "judgement")
        ]
    assert [(field.name, field.type) for field in fields(kind)] == wanted  # type: ignore[arg-type]
    assert list(kind.COLUMNS) == [name for name, _ in wanted]


def test_rows_that_go_into_a_table_come_out_as_they_were():
    lifting = LiftingRow("ab" * 32, "centre", -0.0, "2026-01-31T12:00:00.000+00:00", 5e-324, None)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute(f"CREATE TABLE liftings ({', '.join(LiftingRow.COLUMNS)})")
        connection.execute(f"INSERT INTO liftings VALUES ({', '.join('?' * 6)})", lifting.values)  # noqa: S608
        (row,) = connection.execute(f"SELECT {LiftingRow.selected()} FROM liftings")  # noqa: S608
        assert repr(LiftingRow.of(dict(row))) == repr(lifting)
        (row,) = connection.execute(f"SELECT 1 AS witness, {LiftingRow.selected('l')} FROM liftings l")  # noqa: S608
        assert repr(LiftingRow.of(dict(row), "l")) == repr(lifting)
    assert list(lifting.document) == list(LiftingRow.COLUMNS)
    assert tuple(lifting.document.values()) == lifting.values
