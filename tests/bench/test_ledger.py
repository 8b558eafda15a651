from __future__ import annotations

import os
import sqlite3
import subprocess
import sys

import pandas as pd
import pytest

from bench.errors import ResultsError
from bench.harness import instance_row
from bench.ledger import LEDGER_NAME, Ledger
from leaderboard.records import INSTANCE_COLUMNS, SCHEMA_VERSION, LedgerError, read_runs


@pytest.fixture
def written(play):
    """A ledger with one run."""
    play("rob--tight", [])
    return play.results


@pytest.mark.parametrize("table", ["results", "judgements", "instances", "machines"])
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
        with pytest.raises(ResultsError, match=f"run {done.result['run']} could not be stored"):
            ledger.append(done.result, done.judgement)
        assert ledger.finished_runs() == {done.result["run"]}
        assert ledger.has(done.result["run"]) and not ledger.has("0" * 16)
    connection = sqlite3.connect(written / LEDGER_NAME)
    assert connection.execute("SELECT count(*) FROM judgements").fetchone() == (1,)  # result and judgement, or neither
    connection.close()


def test_result_without_its_instance_is_refused_whole(written, play):
    (done,) = play.finished
    with Ledger(written) as ledger, pytest.raises(ResultsError, match="FOREIGN KEY"):
        ledger.append({**done.result, "run": "f" * 16, "instance_sha256": "0"}, {**done.judgement, "run": "f" * 16})
    assert len(read_runs(written / LEDGER_NAME)) == 1


def test_instance_is_known_by_its_hash(written, library):
    row = library.row("rob--tight")
    known = instance_row(library, row)
    with Ledger(written) as ledger:
        ledger.add_instances([known, {**known, "instance": "renamed"}, {**known, "instance": "again"}])
    runs = read_runs(written / LEDGER_NAME)
    assert runs.instance.tolist() == ["rob--tight"]


def test_later_judgement_counts(written, play):
    (done,) = play.finished
    with Ledger(written) as ledger:
        ledger.append_judgement({**done.judgement, "float32_value": 7.0})
    assert play.row(done.result["run"])["float32_value"] == 7.0


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
def test_file_that_is_no_ledger_is_kept_and_refused(tmp_path, content):
    (tmp_path / LEDGER_NAME).write_bytes(content)
    if not content:  # an empty file is an empty database
        with Ledger(tmp_path) as ledger:
            assert ledger.finished_runs() == set()
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
    with pytest.raises(ResultsError, match=f"schema {SCHEMA_VERSION + 1}; this version writes {SCHEMA_VERSION}"):
        Ledger(tmp_path)


@pytest.mark.parametrize(("version", "missing"), [(1, 6), (2, 4)])
def test_ledger_of_an_older_schema_is_brought_up_to_date(version, missing, written):
    with Ledger(written) as ledger:
        schema = ledger._connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    before = read_runs(written / LEDGER_NAME)
    connection = sqlite3.connect(written / LEDGER_NAME)
    for view in ("latest_judgements", "witnesses", "faults", "runs"):
        connection.execute(f"DROP VIEW {view}")
    for column in list(INSTANCE_COLUMNS)[-missing:]:
        connection.execute(f"ALTER TABLE instances DROP COLUMN {column}")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    with pytest.raises(LedgerError, match=f"schema {version}; this version reads schema 3; the next `vnnbench run`"):
        read_runs(written / LEDGER_NAME)
    with Ledger(written) as ledger:
        assert [name for name, _ in schema] == [
            name for (name,) in ledger._connection.execute("SELECT name FROM sqlite_master ORDER BY name")
        ]
    assert len(before) > 0
    pd.testing.assert_frame_equal(read_runs(written / LEDGER_NAME), before)


def test_database_of_someone_else_is_refused(tmp_path):
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


def test_wal_and_full_synchronization(written):
    with Ledger(written) as ledger:
        pragma = {
            name: ledger._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
        }
    assert pragma == {"journal_mode": "wal", "synchronous": 2}
