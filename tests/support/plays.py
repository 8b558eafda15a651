"""Scripts that are run and judged, and what the results folder then says of them."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.scripts import LIMITS, scripted_plan
from support.silent import Silent
from vnnbench.harness import run_plan
from vnnbench.instances.library.library import Library
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.ledger.run_identity import StopGoal
from vnnbench.runs.execution import FinishedRun


class Play:
    """Runs scripts on one library into one results folder.

    finished: what the last call ran.
    """

    def __init__(self, library: Library, results: Path) -> None:
        self.library, self.results = library, results
        self.finished: list[FinishedRun] = []

    def __call__(self, instance: str, script: Sequence[Any], goal: str = "decide", **limits: Any) -> dict[str, Any]:
        """Run the script on the instance and return the run's row as the leaderboard reads it.

        limits: fields of `RunLimits` that differ from `LIMITS`.
        """
        chosen = replace(LIMITS, goal=StopGoal(goal), **limits)
        plan = scripted_plan(self.library, instance, script, chosen)
        self.finished = run_plan(plan, self.library, self.results, 1, Silent())
        return self.row(plan[0].run)

    def once(self, kept: Path, plays: Callable[[], None]) -> Path:
        """Return the results folder after these plays, or a copy of `kept`, where the first test has put it."""
        if kept.exists():
            shutil.copytree(kept, self.results)
        else:
            plays()
            shutil.copytree(self.results, kept)
        return self.results

    def row(self, run: str) -> dict[str, Any]:
        """Return the row of a run as the leaderboard reads it, None for what is unknown."""
        runs = read_runs(self.results / "ledger.sqlite").set_index("run", drop=False)
        return {str(key): None if value != value else value for key, value in runs.loc[run].to_dict().items()}


def log_of(results: Path, run: str) -> str:
    """Return the stored log of a run."""
    return gzip.decompress((results / "logs" / f"{run}.log.gz").read_bytes()).decode()
