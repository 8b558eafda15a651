"""`vnnbench runs`, and `vnnbench show` of a run and of a library's names."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import sqlite3
from contextlib import closing

import pandas as pd
import pytest

from support.ledger_builder import LedgerBuilder
from support.trainings import Trainings
from vnnbench.cli import run_command
from vnnbench.instances.library.library import Library
from vnnbench.leaderboard.records.frames import runs_frame
from vnnbench.ledger.writer import LEDGER_NAME


@pytest.fixture
def results(tiny_results, tmp_path):
    return shutil.copytree(tiny_results, tmp_path / "results")


def test_runs_prints_every_run_with_every_field(tiny_results, capsys):
    runs = runs_frame(tiny_results / LEDGER_NAME)
    assert run_command(["runs", str(tiny_results)]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [*rows[0]] == [*runs] and [row["run"] for row in rows] == [*runs["run"]]
    assert run_command(["runs", str(tiny_results), "--format", "json"]) == 0
    documents = json.loads(capsys.readouterr().out)
    for row, document, (_, run) in zip(rows, documents, runs.iterrows(), strict=True):
        assert [*document] == [*runs]
        assert float(row["wall_seconds"]) == document["wall_seconds"] == run["wall_seconds"]
        assert row["nodes"] == str(document["nodes"]) == str(run["nodes"])
        assert document["disturbed"] in (True, False) and row["disturbed"] == str(int(document["disturbed"]))
        assert pd.Timestamp(document["started_at"]) == run["started_at"]
        assert (document["planted"], row["planted"]) == (None, "")


def test_a_file_has_what_is_printed(tiny_results, tmp_path, capsys):
    assert run_command(["runs", str(tiny_results)]) == 0
    printed = capsys.readouterr().out
    assert run_command(["runs", str(tiny_results), "--out", str(tmp_path / "runs.csv")]) == 0
    assert (tmp_path / "runs.csv").read_text() == printed
    assert capsys.readouterr().err == f"{tmp_path / 'runs.csv'}: 8 runs\n"


def test_parquet_has_the_dtypes_of_the_frame(tiny_results, tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    path = tmp_path / "runs.parquet"
    assert run_command(["runs", str(tiny_results), "--format", "parquet", "--out", str(path)]) == 0
    pd.testing.assert_frame_equal(pd.read_parquet(path), runs_frame(tiny_results / LEDGER_NAME), check_dtype=True)


def test_parquet_without_a_file_or_without_pyarrow_is_one_line(tiny_results, tmp_path, monkeypatch, capsys):
    command = ["runs", str(tiny_results), "--format", "parquet"]
    assert run_command(command) == 2
    assert "name a file with --out" in capsys.readouterr().err
    monkeypatch.setattr("vnnbench.output.stored_runs.find_spec", lambda name: None)
    assert run_command([*command, "--out", str(tmp_path / "runs.parquet")]) == 2
    assert capsys.readouterr().err == "Error: --format parquet: needs pyarrow; install it with `pip install pyarrow`\n"
    assert not (tmp_path / "runs.parquet").exists()


def test_show_a_run_has_its_facts_and_its_log(tiny_results, capsys):
    run = runs_frame(tiny_results / LEDGER_NAME).iloc[0]
    assert run_command(["show", str(tiny_results), run["run"]]) == 0
    out = capsys.readouterr().out
    facts = dict(line.split(maxsplit=1) for line in out.partition("\n\n")[0].splitlines() if not line.startswith(" "))
    assert (facts["run"], facts["verdict"], facts["evidence"]) == (run["run"], run["verdict"], run["evidence"])
    assert "HiGHS" in out.partition("\n\n")[2]
    assert run_command(["show", str(tiny_results), run["run"], "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == run["verdict"] and "HiGHS" in document["log"]


def test_a_run_whose_log_is_gone_says_so(results, capsys):
    run = runs_frame(results / LEDGER_NAME)["run"].iloc[0]
    (results / "logs" / f"{run}.log.gz").unlink()
    assert run_command(["show", str(results), run]) == 0
    assert "This run has no readable log." in capsys.readouterr().out


def test_control_characters_of_logs_and_ledgers_are_not_sent_to_a_terminal(results, capsys):
    run = runs_frame(results / LEDGER_NAME)["run"].iloc[0]
    with closing(sqlite3.connect(results / LEDGER_NAME)) as connection, connection:
        connection.execute("DROP TRIGGER results_no_update")
        connection.execute("UPDATE results SET message = ?", ("\x1b[2J=1+1",))
    (results / "logs" / f"{run}.log.gz").write_bytes(gzip.compress(b"\x1b]0;mine\x07\nnext"))
    assert run_command(["show", str(results), run]) == 0
    assert run_command(["runs", str(results)]) == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["nosuch", "../../etc/passwd", "\x1b[31m"])
def test_a_run_that_is_not_there_is_one_line(tiny_results, name, capsys):
    assert run_command(["show", str(tiny_results), name]) == 2
    err = capsys.readouterr().err
    assert "no run" in err and err.count("\n") == 1 and "\x1b" not in err


def test_results_without_a_run_list_every_run_in_short(tiny_results, capsys):
    runs = runs_frame(tiny_results / LEDGER_NAME)
    assert run_command(["show", str(tiny_results), "--format", "json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert [record["instance"] for record in records] == sorted(runs["instance"])
    stored = runs.set_index("run")
    for record in records:
        assert record["verdict"] == stored.loc[record["run"], "verdict"]
        assert record["wall_seconds"] == stored.loc[record["run"], "wall_seconds"]
    assert run_command(["show", str(tiny_results)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["run", "solver", "seed", "verdict", "s", "fault", "instance"]
    assert [line.split()[0] for line in lines if "highs" in line] == [record["run"] for record in records]


def test_the_list_of_runs_shows_the_value_of_a_problem_without_a_threshold(tmp_path, capsys):
    with closing(LedgerBuilder(tmp_path / LEDGER_NAME)) as ledger:
        trainings = Trainings(ledger)
        trainings.run("000", 0, 0.5, objective=1.25)
        trainings.run("000", 0, None, solver="scip")
        ledger.found("f", ledger.instance("with-threshold"), 1.0, value=0.75, solver="scip")
    assert run_command(["show", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [" ".join(line.split()[2:-3]) for line in lines[2:]] == ["0 value -1.25", "0 unknown", "0 adversarial"]
    assert run_command(["show", str(tmp_path), "--format", "json"]) == 0
    assert [record["verdict"] for record in json.loads(capsys.readouterr().out)] == ["value", "unknown", "adversarial"]


def test_names_in_the_list_of_runs_are_whole_except_in_a_narrow_terminal(tiny_results, monkeypatch, capsys):
    instances = sorted(runs_frame(tiny_results / LEDGER_NAME)["instance"])
    assert run_command(["show", str(tiny_results)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) > 80
    assert [line.split()[-1] for line in lines[2:]] == instances
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")  # without colour
    assert run_command(["show", str(tiny_results)]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_list_prints_every_instance(tiny_library, capsys):
    names = [row.instance for row in Library.open(tiny_library).rows]
    assert run_command(["show", str(tiny_library), "--list"]) == 0
    assert capsys.readouterr().out.splitlines() == names
    assert run_command(["show", str(tiny_library), "--list", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == names
    assert run_command(["show", str(tiny_library), names[0], "--list"]) == 2
    assert "--list prints the names" in capsys.readouterr().err
