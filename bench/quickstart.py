"""`vnnbench quickstart`: the whole path on embedded digits, as a user would call it step by step."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import display
from bench.counterexample import find_counterexample
from bench.harness import run_plan
from bench.ledger import LEDGER_NAME
from bench.plan import Retry, RunLimits, parse_setting, plan_runs
from bench.progress import ProgressBar
from bench.publishing import publish
from bench.reporting import print_leaderboard, report_runs
from instances.generation import generate
from instances.shelf import Shelf
from instances.suite_files import load_suite
from leaderboard.prose import count
from leaderboard.records import read_runs
from solvers.base import ATTACK
from solvers.registry import installed_solvers

TIME_LIMIT_SECONDS = 20.0
SHORT_ATTACK = f"{ATTACK}:restarts=64"
"""On these digits it finds what all its restarts find, in a tenth of the time."""


def run_quickstart(out: Path) -> int:
    """Generate, run, judge, rank, show one counterexample, and publish; goes on where it was stopped."""
    folder, results = out / "library", out / "results"
    jobs = min(2, len(os.sched_getaffinity(0)))
    with ProgressBar("generate") as progress:
        library = generate(load_suite("quickstart"), folder, jobs=jobs, progress=progress)
    names = (*installed_solvers(), SHORT_ATTACK)
    settings = [parse_setting(name) for name in names]
    plan = plan_runs(library.rows, settings, [0], RunLimits(time_limit_seconds=TIME_LIMIT_SECONDS))
    with ProgressBar("run") as progress:
        run_plan(plan, library, results, jobs, progress)
    failed = report_runs(results, [planned.run for planned in plan])
    wrong = print_leaderboard(results, (), "table")
    runs = read_runs(results / LEDGER_NAME)
    found = find_counterexample(runs, results, library)
    if found is not None:
        sys.stdout.write("\n")
        display.print_counterexample(found)
    publish(results, Shelf((library,)), out / "site")
    sys.stdout.write(
        f"\nThe library is in {folder}, the runs are in {results}. Look around:\n"
        f"  {shlex.join(['vnnbench', 'show', str(folder)])}\n"
        f"  {shlex.join(['vnnbench', 'leaderboard', str(results), '--by', 'formulation'])}\n"
        f"and open {out / 'site' / 'index.html'} in a browser.\n"
    )
    if disturbed := int((runs["disturbed"] == 1).sum()):
        sys.stdout.write(
            f"\n{count(disturbed, 'run')} disturbed by other work on the machine. Another attempt, and new pages:\n"
            f"{_retry_command(folder, results, names, jobs)}\n"
            f"  {shlex.join(['vnnbench', 'quickstart', '--out', str(out)])}\n"
        )
    return max(failed, wrong)


def _retry_command(library: Path, results: Path, settings: Sequence[str], jobs: int) -> str:
    """What makes the disturbed runs of the quickstart again, ready to be pasted."""
    lines = [
        ["vnnbench", "run", str(library)],
        ["--results", str(results)],
        [word for name in settings for word in ("--solver", name)],
        ["--time-limit", f"{TIME_LIMIT_SECONDS:g}", "--jobs", str(jobs), "--retry", Retry.DISTURBED],
    ]
    return "  " + " \\\n    ".join(map(shlex.join, lines))
