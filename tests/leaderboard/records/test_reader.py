"""The reader of ledgers."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from vnnbench.leaderboard.records import reader
from vnnbench.leaderboard.records.schema import SCHEMA_VERSION


def test_runs_carry_the_catalogue_and_keep_both_seeds(ledger):
    ledger.run("r", ledger.instance("a", seed=7, depth=4), seed=2)
    row = ledger.runs().iloc[0]
    assert (row["seed"], row["network_seed"], row["depth"], row["dataset"]) == (2, 7, 4, "digits")


def test_empty_ledger_reads_as_no_runs(ledger):
    assert len(ledger.runs()) == 0


def test_missing_ledger_is_named(tmp_path):
    with pytest.raises(reader.LedgerError, match=r"ledger\.sqlite: no ledger here"):
        reader.read_runs(tmp_path / "ledger.sqlite")


def test_a_library_in_place_of_its_results_is_named_as_such(tmp_path):
    (tmp_path / "library.json").write_text("{}")
    said = f"{tmp_path}: is a library, not a results folder; name the folder given to --results"
    with pytest.raises(reader.LedgerError, match=said):
        reader.read_runs(tmp_path / "ledger.sqlite")


def test_file_that_is_not_a_database_is_refused(tmp_path):
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(reader.LedgerError, match="not a readable ledger"):
        reader.read_runs(path)


def test_truncated_ledger_is_refused(ledger, tmp_path):
    ledger.run("r", ledger.instance("a"))
    path = tmp_path / "cut.sqlite"
    path.write_bytes(ledger.path.read_bytes()[:6000])
    with pytest.raises(reader.LedgerError, match="not a readable ledger"):
        reader.read_runs(path)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("CREATE TABLE other (x)", "not a ledger of vnnbench"),
        (f"CREATE TABLE other (x); PRAGMA user_version = {SCHEMA_VERSION}", "not a readable ledger"),
        (
            "PRAGMA user_version = 99",
            f"ledger schema 99; this version reads schema {SCHEMA_VERSION}; use a newer vnnbench",
        ),
    ],
)
def test_foreign_database_or_other_schema_is_refused(tmp_path: Path, script, message):
    path = tmp_path / "odd #1?.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()
    with pytest.raises(reader.LedgerError, match=message):
        reader.read_runs(path)


def test_resting_ledger_in_a_read_only_folder_is_read(ledger, monkeypatch):
    ledger.connection.execute("PRAGMA journal_mode = WAL")
    ledger.run("r", ledger.instance("a"))
    ledger.connection.close()
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    before = {path.name for path in ledger.path.parent.iterdir()}
    assert len(ledger.runs()) == 1
    assert {path.name for path in ledger.path.parent.iterdir()} == before == {"ledger.sqlite"}


def test_ledger_is_read_while_it_is_written(ledger):
    ledger.connection.execute("PRAGMA journal_mode = WAL")
    ledger.run("r", ledger.instance("a"))
    assert len(ledger.runs()) == 1


def test_reading_never_writes(ledger):
    connection = reader.open_ledger_for_reading(ledger.path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM results")
    connection.close()


def test_large_ledger_that_several_processes_read_has_the_same_runs(ledger, monkeypatch, tmp_path):
    for number in range(5):
        dense = ledger.instance(f"d{number}", problem=f"p{number}", network=f"n{number}", dense_network=f"n{number}")
        pruned = ledger.instance(f"s{number}", problem=f"p{number}", network=f"s{number}", dense_network=f"n{number}")
        ledger.found(f"found{number}", pruned, 3.0, value=0.5 + number)
        ledger.robust(f"liar{number}", dense, 2.0)
        ledger.run(f"late{number}", dense, attempt=1)
        ledger.run(f"late{number}-2", dense, attempt=2, started_at=f"2026-01-0{number + 1}")
    ledger.connection.commit()
    path = tmp_path / "copy" / "ledger.sqlite"  # this process has no connection to it
    path.parent.mkdir()
    path.write_bytes(ledger.path.read_bytes())
    whole = reader.read_runs(path)
    monkeypatch.setattr(reader, "_LARGE_BYTES", 0)
    monkeypatch.setattr(reader, "cores", lambda: 3)
    monkeypatch.setattr("vnnbench.leaderboard.records.parallel.cores", lambda: 3)
    pd.testing.assert_frame_equal(reader.read_runs(path), whole)
    assert (whole["fault"] == "solver").sum() == 5
    few = reader.read_runs(path, ["run", "instance_sha256", "started_at", "fault"])
    assert few["fault"].tolist() == whole["fault"].tolist()


def test_broken_large_ledger_is_refused_by_whichever_process_finds_it(ledger, monkeypatch, tmp_path):
    ledger.run("r", ledger.instance("a"))
    ledger.connection.commit()
    path = tmp_path / "copy.sqlite"
    path.write_bytes(ledger.path.read_bytes())
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(
            "INSERT INTO judgements (run, judged_at, confirmed, evidence, judge_seconds) "
            "VALUES ('none', 'now', 0, 'none', 0.0)"
        )
    connection.close()
    monkeypatch.setattr(reader, "_LARGE_BYTES", 0)
    monkeypatch.setattr("vnnbench.leaderboard.records.parallel.cores", lambda: 2)
    with pytest.raises(reader.LedgerError, match="row 1 of judgements refers to a row that results lacks"):
        reader.read_runs(path)
