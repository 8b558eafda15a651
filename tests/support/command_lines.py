"""Command lines that tests run in their own process, and what they print."""

from __future__ import annotations

import re

import pytest

from vnnbench.cli import run_command

TINY_INSTANCE = "digits-8x8-2x8-s0-l1--tight"
"""An instance of the library `tiny_library`."""


def one_error_line(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """Run a command that must fail with exit code 2 and exactly one line on stderr; return the line."""
    assert run_command(arguments) == 2
    captured = capsys.readouterr()
    bar = re.compile(r"\w+: \d+ steps?\b")  # the first line of a progress bar
    lines = [line for line in captured.err.splitlines() if not bar.match(line)]
    assert len(lines) == 1, captured.err
    assert "Traceback" not in captured.err
    assert lines[0].startswith("Error: ")
    return lines[0]
