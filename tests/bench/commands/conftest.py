"""A library that commands may break."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def copied_library(tiny_library: Path, tmp_path: Path) -> Path:
    """A copy of `tiny_library` that a test may break."""
    return Path(shutil.copytree(tiny_library, tmp_path / "library"))
