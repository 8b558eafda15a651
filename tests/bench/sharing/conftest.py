"""A bundle of real runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.bundles import Members, members_of
from vnnbench.cli import run_command


@pytest.fixture(scope="session")
def tiny_bundle(tiny_results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of `tiny_results`."""
    path = tmp_path_factory.mktemp("bundle") / "mine.zip"
    assert run_command(["bundle", str(tiny_results), "--out", str(path)]) == 0
    return path


@pytest.fixture(scope="session")
def members(tiny_bundle: Path) -> Members:
    """The members of that bundle. Copy them before changing anything."""
    return members_of(tiny_bundle)
