"""`vnnbench quickstart`, on a suite of a few instances: what a new user sees."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

import vnnbench.quickstart
from vnnbench.cli import run_command
from vnnbench.instances.suites.suite_toml import load_suite
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.quickstart import run_quickstart


def test_quickstart_ranks_solvers_shows_the_attack_beside_them_and_can_be_resumed(
    tiny_suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(vnnbench.quickstart, "load_suite", lambda _: load_suite(str(tiny_suite)))
    monkeypatch.setattr(vnnbench.quickstart, "installed_solvers", lambda: ("highs",))
    assert run_quickstart(tmp_path) == 0
    printed = capsys.readouterr()
    ranked, _, approaches = printed.out.partition("Approaches on problems")
    assert "highs" in ranked and "pgd" not in ranked and "pgd restarts=64 (not ranked)" in approaches
    assert "A counterexample, found by" in printed.out
    ending = printed.out[printed.out.index("\nLibrary: ") :].splitlines()
    assert f"Library: {tmp_path / 'library'}" in ending
    assert f"Results: {tmp_path / 'results'}" in ending
    assert f"Website: {tmp_path / 'site' / 'index.html'}" in ending
    (page,) = (tmp_path / "site" / "settings").glob("pgd*.html")
    assert "beside the ranking, not in it" in page.read_text()
    runs = read_runs(tmp_path / "results" / "ledger.sqlite")
    assert runs["solver"].value_counts().to_dict() == {"highs": 8, "pgd": 8}
    assert run_quickstart(tmp_path) == 0
    assert "16 steps, 16 already done" in capsys.readouterr().err


def test_command_that_makes_disturbed_runs_again_can_be_pasted(
    tiny_suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a first run without any free core, the command makes a second attempt at each of the 8 runs."""
    monkeypatch.setattr(vnnbench.quickstart, "load_suite", lambda _: load_suite(str(tiny_suite)))
    monkeypatch.setattr(vnnbench.quickstart, "installed_solvers", lambda: ())
    out = tmp_path / "it's a $HOME"
    with monkeypatch.context() as busy:
        busy.setattr("vnnbench.isolation.cores._by_distance", list)
        assert run_quickstart(out) == 0
    told = capsys.readouterr()
    printed = told.out
    assert "8 runs disturbed by other work on the machine." in printed
    assert "8 of 8 runs, including those of the reference, were disturbed" in printed
    assert "8 disturbed" in told.err
    assert "vnnbench run" not in told.err  # the command is printed once, at the end
    command, _, rest = printed[printed.index("  vnnbench run") :].partition("\n  vnnbench quickstart")
    assert shlex.split(rest) == ["--out", str(out)]
    assert run_command(shlex.split(command.replace("\\\n", ""))[1:]) == 0
    assert read_runs(out / "results" / "ledger.sqlite")["attempts"].tolist() == [2] * 8


def test_ending_fits_eighty_columns_in_the_folder_of_its_own(
    tiny_suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(vnnbench.quickstart, "load_suite", lambda _: load_suite(str(tiny_suite)))
    monkeypatch.setattr(vnnbench.quickstart, "installed_solvers", lambda: ())
    monkeypatch.setattr("vnnbench.isolation.cores._by_distance", list)
    monkeypatch.chdir(tmp_path)
    assert run_command(["quickstart"]) == 0
    printed = capsys.readouterr().out.splitlines()
    ending = printed[printed.index("Library: vnnbench-quickstart/library") :]
    assert any(line.startswith("  vnnbench run") for line in ending)
    assert max(map(len, ending)) <= 80


@pytest.mark.parametrize(
    ("name", "told"),
    [(None, "is not a folder"), ("library.json", "is a library"), ("ledger.sqlite", "is a results folder")],
)
def test_foreign_folder_as_out_is_refused_and_stays_as_it_is(
    name: str | None, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    if name is not None:
        out.mkdir()
    file = out if name is None else out / name
    file.write_text("mine")
    assert run_command(["quickstart", "--out", str(out)]) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith(f"Error: --out {out}: {told}")
    assert captured.out == ""
    assert [path.name for path in tmp_path.rglob("*")] == ["out"] + ([name] if name else [])
