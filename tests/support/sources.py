"""A copy of what an installation is made from: a build writes into its sources."""

from __future__ import annotations

import shutil
from pathlib import Path

from support.guides import ROOT

FOLDERS = ("bench", "instances", "leaderboard", "solvers")


def copy_sources(place: Path) -> Path:
    """Copy the packages' folders and the files that an installation needs into a folder, and return it."""
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, place / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "constraints.txt"):
        shutil.copy(ROOT / name, place / name)
    return place
