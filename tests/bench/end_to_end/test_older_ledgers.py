"""Ledgers of older schemas: every command that only reads takes them as they are, and changes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.folders import contents
from support.older_ledgers import make_older
from vnnbench.cli import run_command
from vnnbench.leaderboard.records import older_ledgers
from vnnbench.leaderboard.records.reader import read_rows, read_runs
from vnnbench.leaderboard.records.schema import SCHEMA_VERSION
from vnnbench.ledger.writer import LEDGER_NAME, Ledger


@pytest.fixture
def results(tiny_results: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_results, tmp_path / "results"))


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_older_ledger_has_the_same_contents_after_its_upgrade(results, version):
    path = results / LEDGER_NAME
    make_older(path, version)
    before = path.read_bytes()
    older = read_runs(path)
    assert path.read_bytes() == before
    with Ledger(results):  # opening it for writing upgrades it
        pass
    assert path.read_bytes() != before
    today = read_runs(path)
    assert older.equals(today) and len(today) > 0


@pytest.mark.parametrize(
    "command",
    [
        ["leaderboard", "RESULTS", "--format", "json"],
        ["report", "RESULTS", "--paper", "pham2025", "--out", "OUT"],
        ["answers", "RESULTS"],
        ["bundle", "RESULTS", "--out", "OUT.zip"],
        ["publish", "RESULTS", "--library", "LIBRARY", "--out", "OUT"],
    ],
    ids=lambda command: command[0],
)
def test_commands_that_read_take_an_older_ledger_and_change_nothing(results, tiny_library, tmp_path, command):
    make_older(results / LEDGER_NAME, SCHEMA_VERSION - 1)
    before = contents(results)
    places = {"RESULTS": results, "LIBRARY": tiny_library, "OUT": tmp_path / "out", "OUT.zip": tmp_path / "out.zip"}
    assert run_command([str(places.get(word, word)) for word in command]) == 0
    assert contents(results) == before


def test_rows_that_are_written_meanwhile_are_read(results):
    path = results / LEDGER_NAME
    make_older(path, SCHEMA_VERSION - 1)
    first = next(read_rows(path, "SELECT run FROM runs"))["run"]
    copy = older_ledgers.file_of(path)
    assert next(read_rows(path, "SELECT run FROM runs"))["run"] == first
    assert older_ledgers.file_of(path) == copy != path
    with Ledger(results):
        pass
    assert first in set(read_runs(path)["run"])
    assert older_ledgers.file_of(path) == path
    assert not copy.exists()
