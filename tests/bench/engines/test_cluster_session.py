"""The guide's session on SLURM, from the installation to the published page, runs as printed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.guides import BENCH, blocks, commands, read_guide, run_as_printed
from support.sources import copy_sources
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.ledger.writer import LEDGER_NAME

pytestmark = pytest.mark.alone


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of the sources; skipped by name where pip reaches no index of packages."""
    asked = ["pip", "download", "--quiet", "--no-deps", "--dest", str(tmp_path / "packages"), "click"]
    if os.environ.get("VNNBENCH_TEST_SLURM") != "required" and subprocess.run(asked, check=False).returncode:
        pytest.skip("pip reaches no index of packages")
    return copy_sources(tmp_path / "vnnbench")


def test_the_session_on_slurm_runs_as_printed(use_slurm, sources):
    (session,) = blocks(read_guide(BENCH), "console slurm")
    assert "pip install" in session and commands(session)[-1].startswith(".venv/bin/vnnbench publish")
    run_as_printed(session, sources)
    runs = read_runs(sources / "results" / LEDGER_NAME)
    assert len(runs) == 96 and set(runs["ended_by"]) == {"solver", "judge"}
    assert (sources / "site" / "index.html").is_file()
