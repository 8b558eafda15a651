from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import pandas as pd
import pytest

from support.older_ledgers import make_older
from vnnbench.errors import ResultsError
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.leaderboard.records.rows import LiftingRow
from vnnbench.leaderboard.records.schema import FAMILY_COLUMNS, SCHEMA_VERSION, TABLES
from vnnbench.leaderboard.records.upgrade import columns_of, upgrade
from vnnbench.ledger import writer
from vnnbench.ledger.writer import LEDGER_NAME, Attempt, Ledger, instance_row
from vnnbench.output.run_outcomes import report_runs


@pytest.fixture
def written(play):
    """A ledger with one run and one lifting."""
    play("rob--tight", [])
    with Ledger(play.results) as ledger:
        sha = play.library.row("rob--tight").instance_sha256
        ledger.append_lifting(LiftingRow(sha, "w", 0.0, "now", 0.0, 0.0))
    return play.results


@pytest.mark.parametrize("table", ["results", "judgements", "instances", "machines", "liftings"])
@pytest.mark.parametrize("change", ["UPDATE {} SET rowid = rowid + 1", "DELETE FROM {}"])
def test_nothing_is_ever_rewritten(written, table, change):
    connection = sqlite3.connect(written / LEDGER_NAME)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(change.format(table))
    assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)  # noqa: S608
    connection.close()


@pytest.mark.parametrize("table", ["results", "instances"])
def test_replacing_is_rewriting(written, table):
    with Ledger(written) as ledger, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        ledger._connection.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")  # noqa: S608


def test_same_run_cannot_be_stored_twice(written, play):
    (done,) = play.finished
    with Ledger(written) as ledger:
        with pytest.raises(ResultsError, match=f"run {done.result.run} could not be stored"):
            ledger.append(done.result, done.judgement)
        assert set(ledger.attempts()) == {done.result.run}
        assert ledger.has(done.result.run) and not ledger.has("0" * 16)
    connection = sqlite3.connect(written / LEDGER_NAME)
    assert connection.execute("SELECT count(*) FROM judgements").fetchone() == (1,)  # result and judgement, or neither
    connection.close()


@pytest.fixture
def again(written, play):
    """A function that adds a further attempt at the run, equal to its first one but for these columns."""
    (done,) = play.finished

    def add(number, **changes):
        name = f"{done.result.run}-{number}"
        with Ledger(written) as ledger:
            result = replace(done.result, run=name, attempt=number, **changes)
            ledger.append(result, replace(done.judgement, run=name))
            return ledger.attempts()[done.result.run]

    return add


def test_newest_attempt_is_the_one_to_repeat_or_not(written, again):
    quiet = {"cores": "0,1", "foreign_seconds": 0.0, "swapped_bytes": 0, "stalled_seconds": 0.0}
    assert again(2, termination="error", **quiet) == Attempt(2, error=True, crash=False, disturbed=False)
    assert again(3, ended_by="crash", **quiet) == Attempt(3, error=False, crash=True, disturbed=False)
    assert again(4, **(quiet | {"swapped_bytes": 1})) == Attempt(4, error=False, crash=False, disturbed=True)
    assert again(5, **(quiet | {"cores": ""})).disturbed
    assert again(10, **quiet) == Attempt(10, error=False, crash=False, disturbed=False)
    with Ledger(written) as ledger:
        assert len(ledger.attempts()) == 1


def test_attempts_are_one_run_of_the_leaderboard(written, again):
    again(2, message="second")
    again(3, message="third", cores=None, foreign_seconds=None, swapped_bytes=None, stalled_seconds=None)
    (run,) = read_runs(written / LEDGER_NAME).itertuples()
    assert (run.run[16:], run.message, run.attempt, run.attempts) == ("-3", "third", 3, 3) and pd.isna(run.disturbed)


def test_report_counts_the_attempt_that_counts_once(written, again, capsys, play):
    (done,) = play.finished
    again(2, termination="error")
    assert report_runs(written, [done.result.run]) == 1
    assert "1 run: 1 unknown; 1 failed, 0 wrong" in capsys.readouterr().err
    again(3)
    assert report_runs(written, [done.result.run]) == 0
    assert "1 run: 1 unknown; 0 failed, 0 wrong" in capsys.readouterr().err


def test_result_without_its_instance_is_refused_whole(written, play):
    (done,) = play.finished
    with Ledger(written) as ledger, pytest.raises(ResultsError, match="FOREIGN KEY"):
        result = replace(done.result, run="f" * 16, instance_sha256="0")
        ledger.append(result, replace(done.judgement, run="f" * 16))
    assert len(read_runs(written / LEDGER_NAME)) == 1


def test_instance_is_known_by_its_hash(written, library):
    row = library.row("rob--tight")
    known = instance_row(library, row)
    with Ledger(written) as ledger:
        ledger.add_instances([known, replace(known, instance="renamed"), replace(known, instance="again")])
    runs = read_runs(written / LEDGER_NAME)
    assert runs.instance.tolist() == ["rob--tight"]


def test_later_judgement_counts(written, play):
    (done,) = play.finished
    with Ledger(written) as ledger:
        ledger.append_judgement(replace(done.judgement, float32_value=7.0))
    assert play.row(done.result.run)["float32_value"] == 7.0


def test_second_writer_in_the_same_process_is_refused(tmp_path):
    with Ledger(tmp_path), pytest.raises(ResultsError, match=f"pid {os.getpid()}"):
        Ledger(tmp_path)
    with Ledger(tmp_path):  # free again
        pass


def test_lock_is_not_inherited_by_children(tmp_path):
    with Ledger(tmp_path):
        sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"], close_fds=False)
    try:
        with Ledger(tmp_path):
            pass
    finally:
        sleeper.kill()
        sleeper.wait()


@pytest.mark.parametrize("content", [b"", b"nonsense" * 1000])
def test_file_that_is_not_a_ledger_is_kept_and_refused(tmp_path, content):
    (tmp_path / LEDGER_NAME).write_bytes(content)
    if not content:  # an empty file is an empty database
        with Ledger(tmp_path) as ledger:
            assert ledger.attempts() == {}
        return
    with pytest.raises(ResultsError, match="cannot be written"):
        Ledger(tmp_path)
    assert (tmp_path / LEDGER_NAME).read_bytes() == content


def test_ledger_of_another_schema_is_refused(tmp_path):
    with Ledger(tmp_path):
        pass
    connection = sqlite3.connect(tmp_path / LEDGER_NAME)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    said = f"schema {SCHEMA_VERSION + 1}; this version writes {SCHEMA_VERSION}; use a newer vnnbench"
    with pytest.raises(ResultsError, match=said):
        Ledger(tmp_path)


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5, 6])
def test_ledger_of_an_older_schema_is_upgraded(version, written):
    names = "SELECT name FROM sqlite_master ORDER BY name"
    with Ledger(written) as ledger:
        schema = ledger._connection.execute(names).fetchall()
    before = read_runs(written / LEDGER_NAME)
    rows = make_older(written / LEDGER_NAME, version)
    with closing(sqlite3.connect(written / LEDGER_NAME)) as connection:
        connection.execute("CREATE VIEW proven AS SELECT 1")  # this view existed until schema 6
    as_it_is = read_runs(written / LEDGER_NAME)
    with Ledger(written) as ledger:
        assert ledger._connection.execute(names).fetchall() == schema
        for table, stored in rows.items():
            columns = ", ".join(stored[0])
            found = ledger._connection.execute(f"SELECT {columns} FROM {table}").fetchall()  # noqa: S608
            assert found == [tuple(row.values()) for row in stored]
    after = read_runs(written / LEDGER_NAME)
    pd.testing.assert_frame_equal(as_it_is, after)
    known = {column for table in TABLES for column in TABLES[table].keys() - columns_of(table, version).keys()}
    known = known - {"time_limit_seconds"} | {"default_time_limit_seconds"}  # of instances; results always had it
    unknown = (known | ({"disturbed"} if version < 4 else set())) - {"ranked", *FAMILY_COLUMNS}
    # The type of CPU is as it was, and the machine, a hash of the facts that the schema has, is its own host.
    unknown |= {"machine", "host"}
    kept = [column for column in before.columns if column not in unknown]
    assert list(after.columns) == list(before.columns) and len(before) > 0
    pd.testing.assert_frame_equal(after[kept], before[kept])
    assert after[["attempt", "attempts", "permutation"]].to_numpy().tolist() == [[1, 1, 0]]
    assert before[["own_answers", "transferred_answers"]].to_numpy().tolist() == [[0, 0]]
    assert (after["machine"] == after["host"]).all()
    known = {"attempt", "permutation", "machine", "host"}
    assert after[sorted(unknown.intersection(after.columns) - known)].isna().all(axis=None)


def test_upgraded_ledger_can_only_grow(written):
    make_older(written / LEDGER_NAME, 6)
    with Ledger(written):
        pass
    for table in ("results", "instances", "judgements", "liftings"):
        for change in ("UPDATE {} SET rowid = rowid + 1", "DELETE FROM {}"):
            test_nothing_is_ever_rewritten(written, table, change)
    with Ledger(written) as ledger, pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        ledger._connection.execute("UPDATE liftings SET instance_sha256 = 'none' WHERE 0")
        ledger._connection.execute("INSERT INTO liftings VALUES ('none', 'w', 0.0, 'now', 0.0, 0.0)")


def test_older_ledger_with_foreign_parts_is_refused_before_it_is_touched(written):
    """The upgrade would run a foreign trigger, and lose a foreign column."""
    make_older(written / LEDGER_NAME, 6)
    before = (written / LEDGER_NAME).read_bytes()
    for change, told in (
        ("CREATE TRIGGER more AFTER UPDATE ON results BEGIN SELECT 1; END", "its trigger more is not"),
        ("ALTER TABLE instances ADD COLUMN more TEXT", "its table instances is not"),
    ):
        (written / LEDGER_NAME).write_bytes(before)
        with closing(sqlite3.connect(written / LEDGER_NAME)) as connection:
            connection.execute(change)
        with pytest.raises(ResultsError, match=told):
            Ledger(written)
        with closing(sqlite3.connect(written / LEDGER_NAME)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (6,)


def test_killed_upgrade_leaves_the_older_ledger(written, monkeypatch):
    rows = make_older(written / LEDGER_NAME, 6)
    monkeypatch.setattr(writer, "upgrade", lambda version: f"{upgrade(version)} SELECT broken;")
    with pytest.raises(ResultsError, match="no such column: broken"):
        Ledger(written)
    with closing(sqlite3.connect(written / LEDGER_NAME)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (6,)
        columns = ", ".join(rows["instances"][0])
        found = connection.execute(f"SELECT {columns} FROM instances").fetchall()  # noqa: S608
    assert found == [tuple(row.values()) for row in rows["instances"]]


def test_older_runs_and_those_of_today_share_a_ledger(written, play, library):
    """The first attempt keeps its older name; what is known of it counts for resume and retry."""
    make_older(written / LEDGER_NAME, 3)
    run = play("rob--tight", [])["run"]
    assert play.finished == []
    with Ledger(written) as ledger:
        assert set(ledger.attempts()) == {run}
        assert ledger.attempts()[run].number == 1
        assert not ledger.attempts()[run].disturbed


def test_foreign_database_is_refused(tmp_path):
    connection = sqlite3.connect(tmp_path / LEDGER_NAME)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(ResultsError, match="schema 0"):
        Ledger(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ResultsError, match="cannot be written"):
        Ledger(tmp_path / "results")


def test_ledger_uses_wal_and_full_synchronization(written):
    with Ledger(written) as ledger:
        pragma = {
            name: ledger._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
        }
    assert pragma == {"journal_mode": "wal", "synchronous": 2}
