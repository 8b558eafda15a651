"""The progress bar is shown where there is something to wait for."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from vnnbench.output import progress


@pytest.fixture
def terminal(monkeypatch):
    """The text that a bar writes to a terminal."""
    written = io.StringIO()
    monkeypatch.setattr(
        progress, "Console", lambda stderr: Console(file=written, force_terminal=True, width=80, color_system=None)
    )
    return written


def test_a_bar_counts_the_steps(terminal):
    with progress.ProgressBar("run") as bar:
        bar.start(3, 1)
        bar.advance("a")
        bar.advance("b")
    assert "run b" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()


@pytest.mark.parametrize("steps", [None, (0, 0), (3, 3)])
def test_without_any_step_no_bar_is_shown(terminal, steps):
    with progress.ProgressBar("generate") as bar:
        if steps is not None:
            bar.start(*steps)
    assert terminal.getvalue() == ""


def test_repaired_files_are_counted(terminal):
    with progress.ProgressBar("generate") as bar:
        bar.start(1, 0)
        bar.advance("a")
        bar.mended(3)
    assert "generate: restored 3 missing or altered files\n" in terminal.getvalue()


def test_a_status_is_shown_below_the_bar_in_one_line(terminal):
    with progress.ProgressBar("run") as bar:
        bar.start(3, 1)
        bar.status("10 jobs running\x1b[2J, " + 100 * "x")
        bar._progress.refresh()  # as the bar does ten times a second
    last = [line for line in terminal.getvalue().splitlines() if "10 jobs" in line][-1]
    assert last.endswith("x…")
    assert "1/3" in terminal.getvalue() and "\x1b[2J" not in terminal.getvalue()


def test_without_a_terminal_a_status_is_printed_now_and_then_with_the_steps(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.ProgressBar("run") as bar:
        bar.start(9, 1)
        for seconds in (0.0, progress.STATUS_SECONDS, 1.5 * progress.STATUS_SECONDS, 2 * progress.STATUS_SECONDS):
            now[0] = seconds
            bar.status(f"{seconds:g} s")
            bar.advance("a")
    assert capsys.readouterr().err.splitlines() == [
        "run: 9 steps, 1 already done", "run: 2 of 9 steps; 300 s", "run: 4 of 9 steps; 600 s"
    ]  # fmt: skip
