"""The jobs of hours that the guides print run as printed, on small parts of their suites."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from shutil import copytree

import pytest

from support.guides import (
    CONTRIBUTING,
    GUIDES,
    INSTANCES,
    LEADERBOARD,
    blocks,
    read_guide,
    run_vnnbench,
    script_commands,
)


@pytest.fixture(scope="module")
def mnist() -> Path:
    """The folder of MNIST's four files; skipped by name where it is absent."""
    data = os.environ.get("VNNBENCH_TEST_DATA")
    if not data or not Path(data, "mnist").is_dir():
        pytest.skip("needs VNNBENCH_TEST_DATA with mnist")
    return Path(data)


SMALL = {
    "pham2025-smoke": "mnist-18x18-2x32-*--tight",
    "digits-goals": "*-s0-l1*",
    "quickstart": "*-s0-*--tight",
    "rosenhahn2023-smoke": "breast-cancer-2n-f0?0-s0--tight",
}
"""Of a suite, the part that stands for all of it in the test of long jobs."""


def run_scaled_down(script: Iterable[str], place: Path, data: Path, smoke: Path | None = None) -> None:
    """Run a script of long jobs on small parts of its suites, for 1 s a run. A suite without such a part is only
    planned, as printed; then the library `smoke` takes its place."""
    for command in script:
        _, name, first, *_ = shlex.split(command)
        command = command.replace("DIR", str(data))
        if name == "run":
            run_vnnbench(command, place, "--time-limit", "1")
        elif name == "generate" and first in SMALL:
            run_vnnbench(command, place, "--select", SMALL[first])
        elif name == "generate":
            run_vnnbench(command, place, "--dry-run")
            (library,) = re.findall(r"--out (\S+)", command)
            if smoke is not None:
                copytree(smoke, place / library)
        else:
            run_vnnbench(command, place)


def scripts(guide: str) -> list[list[str]]:
    """The `vnnbench` commands of each block of long jobs in a guide."""
    return [found for block in blocks(read_guide(guide), "sh") if (found := script_commands(block))]


def test_long_jobs_of_the_guides_run_on_small_libraries(tmp_path: Path, mnist: Path) -> None:
    smoke, planned, goals, training = scripts(INSTANCES)
    comparison, paper, _ = scripts(LEADERBOARD)
    run_scaled_down(comparison, tmp_path, mnist)
    assert smoke[0] in comparison  # which has run it
    run_scaled_down([*planned, *goals, *training], tmp_path, mnist)
    run_scaled_down(paper, tmp_path, mnist, smoke=tmp_path / "smoke")
    assert (tmp_path / "site" / "index.html").is_file()
    assert (tmp_path / "slice-report" / "report.md").is_file()
    assert (tmp_path / "train-report" / "report.md").is_file()


def test_published_runs_are_merged_and_reported_as_printed(tmp_path: Path) -> None:
    *_, published = scripts(LEADERBOARD)
    runs = Path("leaderboard", "runs")
    copytree(Path(__file__).parent.parent / runs, tmp_path / runs)
    for command in published:
        run_vnnbench(command, tmp_path)
    (report,) = tmp_path.glob("**/report.md")
    assert "| highs | tight | open (+23.4) |" in report.read_text()


def test_every_long_job_of_the_guides_has_a_test() -> None:
    assert {guide: len(scripts(guide)) for guide in (*GUIDES, CONTRIBUTING) if scripts(guide)} == {
        INSTANCES: 4,
        LEADERBOARD: 3,
    }
