"""The command line: help, bad usage, and what holds for every command."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.command_lines import one_error_line
from vnnbench.cli import cli, run_command


def test_every_command_has_a_help_with_an_example_in_eighty_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name in cli.commands:
        assert run_command([name, "--help"]) == 0
        out = capsys.readouterr().out
        assert f"Example:\n    vnnbench {name}" in out
        assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("function", "command", "said"),
    [
        (
            "vnnbench.harness.run_plan_on",
            ["run", "LIBRARY", "--results", "r", "--solver", "highs"],
            "continues from here",
        ),
        ("vnnbench.output.libraries.check_library", ["check", "LIBRARY"], "starts from the beginning"),
    ],
)
def test_stopped_command_says_what_it_does_when_given_again(
    function: str, command: list[str], said: str, tiny_library: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def stop(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(function, stop)
    assert run_command([str(tiny_library) if word == "LIBRARY" else word for word in command]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == f"Stopped. The same command {said}."


def test_suite_or_solver_that_is_a_pipe_is_refused_without_waiting(
    tiny_library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(pipe := tmp_path / "pipe.toml")
    for command in (
        ["suites", str(pipe)],
        ["generate", str(pipe), "--out", str(tmp_path / "x")],
        ["run", str(tiny_library), "--results", str(tmp_path / "r"), "--solver", str(pipe)],
    ):
        assert "pipe.toml: is not a file" in one_error_line(capsys, command)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe.toml"]


def test_empty_path_is_not_the_working_folder(
    tiny_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (["run", str(tiny_library), "--results", "", "--solver", "highs"], ["leaderboard", ""]):
        assert "it is empty; name a file or a folder" in one_error_line(capsys, command)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    os.geteuid() == 0 and not Path("/proc/version").exists(), reason="needs a folder that cannot be written"
)
def test_output_folder_that_cannot_be_written_is_one_line(
    tiny_suite: Path, tiny_library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "/proc" in one_error_line(capsys, ["generate", str(tiny_suite), "--out", "/proc/library"])
    command = ["run", str(tiny_library), "--results", "/proc/results", "--solver", "highs"]
    assert "/proc" in one_error_line(capsys, command)


def test_bad_usage_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--out" in one_error_line(capsys, ["generate", "quickstart"])
    assert "nonsense" in one_error_line(capsys, ["nonsense"])
