"""Commands about results: what they print, and one line for everything that is wrong."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from support.command_lines import one_error_line
from vnnbench.cli import run_command
from vnnbench.ledger.writer import LEDGER_NAME


def test_report_prints_the_beginning_of_what_it_writes_and_says_what_is_smaller(
    tiny_results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    assert run_command(["report", str(tiny_results), "--paper", "pham2025", "--out", str(out)]) == 0
    captured = capsys.readouterr()
    first = (out / "report.md").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("Smaller than the paper: of its 1,600 pairs")
    assert "data not in the paper: digits" in first
    printed = captured.out.split()
    assert printed[: len(first.split())] == first.split()
    assert len(captured.out.splitlines()) <= 80
    assert captured.err == f"{out / 'report.md'}: written, with 2 figures\n"
    assert {path.suffix for path in out.iterdir()} == {".md", ".png", ".svg"}


def test_report_goes_into_the_results_unless_out_is_given(tiny_results: Path, tmp_path: Path) -> None:
    results = Path(shutil.copytree(tiny_results, tmp_path / "results"))
    assert run_command(["report", str(results), "--paper", "pham2025"]) == 0
    assert (results / "report-pham2025" / "report.md").is_file()


def test_results_without_a_ledger_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no ledger" in one_error_line(capsys, ["leaderboard", str(tmp_path)])
    (tmp_path / "ledger.sqlite").write_bytes(b"no database")
    assert "ledger" in one_error_line(capsys, ["leaderboard", str(tmp_path)])


def test_report_on_a_paper_without_any_of_its_runs_is_one_line(
    tiny_results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["report", str(tiny_results), "--paper", "cacciola2024", "--out", str(tmp_path / "out")]
    assert "no problem of radius 5 or 20" in one_error_line(capsys, command)
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("not a folder")
    command = ["report", str(tiny_results), "--paper", "pham2025", "--out", str(tmp_path / "file")]
    assert "cannot be written" in one_error_line(capsys, command)
    assert "tong2024" in one_error_line(capsys, ["report", str(tiny_results), "--paper", "tong2024"])
    assert "no ledger" in one_error_line(capsys, ["report", str(tmp_path), "--paper", "pham2025"])


def test_unknown_column_to_group_by_is_one_line(tiny_results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--by colour" in one_error_line(capsys, ["leaderboard", str(tiny_results), "--by", "colour"])


def test_watching_needs_a_terminal_and_tables(tiny_results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "needs a terminal" in one_error_line(capsys, ["leaderboard", str(tiny_results), "--watch"])
    wrong = ["leaderboard", str(tiny_results), "--watch", "--format", "latex"]
    assert "leave out --format latex" in one_error_line(capsys, wrong)


@pytest.mark.parametrize("output", ["csv", "latex"])
def test_a_format_without_notes_says_on_stderr_that_runs_were_disturbed(
    tiny_results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    results = Path(shutil.copytree(tiny_results, tmp_path / "results"))
    for cores, said in (("", "8 of 8 runs were disturbed (8 without own cores): repeat with "), ("0", "")):
        with closing(sqlite3.connect(results / LEDGER_NAME)) as connection, connection:
            connection.execute("DROP TRIGGER IF EXISTS results_no_update")
            connection.execute(
                "UPDATE results SET cores = ?, foreign_seconds = 0, swapped_bytes = 0, stalled_seconds = 0", (cores,)
            )
        assert run_command(["leaderboard", str(results), "--format", output]) == 0
        captured = capsys.readouterr()
        assert said in captured.err and captured.err.count("\n") == bool(said)
        assert "disturbed" not in captured.out
