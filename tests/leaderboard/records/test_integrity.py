"""A ledger that would mislead its reader, or keep it busy, is refused when it is opened."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from vnnbench.errors import ResultsError
from vnnbench.leaderboard.records.integrity import defect
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.leaderboard.records.schema import SCHEMA
from vnnbench.leaderboard.records.views import VIEWS
from vnnbench.leaderboard.words import LedgerError
from vnnbench.ledger.writer import Ledger


@pytest.fixture
def filled(ledger):
    ledger.run("r1", ledger.instance("a"))
    return ledger


def reason(ledger) -> str:
    """Return why reader and writer refuse the ledger."""
    ledger.connection.commit()
    with pytest.raises(LedgerError, match=r"ledger\.sqlite: is not a readable ledger") as caught:
        read_runs(ledger.path)
    with pytest.raises(ResultsError, match=r"ledger\.sqlite: cannot be written"):
        Ledger(ledger.path.parent)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def loosened(ledger, table: str, *statements: str) -> None:
    """Change a table as only an editor of the file can: types are not enforced meanwhile."""
    for action in ("update", "delete"):
        ledger.connection.execute(f"DROP TRIGGER {table}_no_{action}")
    ledger.connection.commit()
    (sql,) = ledger.connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    for text, changes in ((sql.replace(") STRICT", ")").replace(" NOT NULL", ""), statements), (sql, ())):
        with sqlite3.connect(ledger.path) as connection:
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (text, table))
        connection.close()
        with sqlite3.connect(ledger.path) as connection:
            for statement in changes:
                connection.execute(statement)
        connection.close()


def test_our_own_ledger_is_accepted(filled):
    filled.connection.execute("CREATE VIEW mine AS SELECT run FROM runs")
    filled.connection.execute("CREATE INDEX mine_by ON results (solver)")
    assert defect(filled.connection, SCHEMA) is None
    assert len(read_runs(filled.path)) == 1


def test_a_foreign_view_is_not_run_and_the_next_writer_replaces_it(filled):
    filled.connection.executescript(
        "DROP VIEW runs; CREATE VIEW runs AS WITH RECURSIVE c(run) AS (SELECT 'a' UNION ALL SELECT run FROM c)"
        "SELECT run, 'r' AS started_at, 'sha-a' AS instance_sha256 FROM c"
    )
    filled.connection.commit()
    assert len(read_runs(filled.path)) == 1
    with Ledger(filled.path.parent):
        pass
    with closing(sqlite3.connect(filled.path)) as connection:
        assert connection.execute("SELECT count(*), min(verdict) FROM runs").fetchone() == (1, "unknown")


def test_a_foreign_trigger_is_refused(filled):
    filled.connection.execute(
        "CREATE TRIGGER more AFTER INSERT ON judgements BEGIN INSERT INTO machines SELECT * FROM machines; END"
    )
    assert "its trigger more is not that of vnnbench" in reason(filled)


def test_a_table_that_lacks_a_column_is_refused(filled):
    filled.connection.executescript("".join(f"DROP VIEW {name};" for name in VIEWS))
    filled.connection.execute("ALTER TABLE results DROP COLUMN message")
    assert "its table results is not that of vnnbench" in reason(filled)


@pytest.mark.parametrize("value", ["'much'", "NULL", "x'00'"])
def test_a_value_of_another_type_is_refused(filled, value):
    loosened(filled, "results", f"UPDATE results SET wall_seconds = {value}")  # noqa: S608
    assert "results.wall_seconds" in reason(filled)


def test_a_run_without_its_instance_is_refused(filled):
    loosened(filled, "instances", "DELETE FROM instances")
    assert "row 1 of results refers to a row that instances lacks" in reason(filled)
