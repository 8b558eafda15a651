"""The command `vnnbench quickstart`: every step on embedded digits, as a user would call them one by one."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from vnnbench.errors import UsageError
from vnnbench.harness import run_plan
from vnnbench.instances.generation.generate import generate
from vnnbench.instances.generation.suite_work import GenerationOptions
from vnnbench.instances.layout import MANIFEST
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.instances.suites.suite_toml import load_suite
from vnnbench.judging.counterexample import find_counterexample
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.leaderboard.text import count
from vnnbench.ledger.writer import LEDGER_NAME
from vnnbench.output import display
from vnnbench.output.progress import ProgressBar
from vnnbench.output.rankings import print_ranking
from vnnbench.output.run_outcomes import count_to_repeat, repeat_command, report_runs
from vnnbench.runs.plan import RunLimits, parse_setting, plan_runs
from vnnbench.sharing.publish import publish
from vnnbench.solvers.registry import installed_solvers

TIME_LIMIT_SECONDS = 20.0
SHORT_ATTACK = "pgd:restarts=64"
"""The attack with fewer restarts: on these digits it finds what it finds with all of them, in a tenth of the time."""


def run_quickstart(out: Path) -> int:
    """Generate, run, judge, rank, show one counterexample and publish in the folder `out`; continue if it was stopped.

    Returns the exit code: 1 when a run failed or an answer is wrong, else 0. Raises `UsageError` for a folder that is
    in use, and what the steps raise.
    """
    _refuse_what_is_in_use(out)
    folder, results = out / "library", out / "results"
    jobs = min(2, len(os.sched_getaffinity(0)))
    with ProgressBar("generate") as progress:
        library = generate(load_suite("quickstart"), folder, GenerationOptions(jobs=jobs), progress=progress)
    settings = [parse_setting(name) for name in (*installed_solvers(), SHORT_ATTACK)]
    plan = plan_runs(library.rows, settings, [0], RunLimits(time_limit_seconds=TIME_LIMIT_SECONDS))
    with ProgressBar("run") as progress:
        run_plan(plan, library, results, jobs, progress)
    failed = report_runs(results, [planned.run for planned in plan])
    runs = read_runs(results / LEDGER_NAME)
    wrong = print_ranking(runs)
    found = find_counterexample(runs, results, library)
    if found is not None:
        sys.stdout.write("\n")
        display.print_counterexample(found)
    with ProgressBar("publish") as progress:
        publish(results, LibrarySet((library,)), out / "site", progress)
    sys.stdout.write(
        f"\nLibrary: {folder}\nResults: {results}\nWebsite: {out / 'site' / 'index.html'}\n"
        "To see more, such as the library, the effect of tolerances, and each surrogate:\n"
        f"  {shlex.join(['vnnbench', 'show', str(folder)])}\n"
        f"  {shlex.join(['vnnbench', 'leaderboard', str(results), '--format', 'markdown'])}\n"
    )
    if disturbed := count_to_repeat(runs):
        again = repeat_command(folder, results, " \\\n    ")
        sys.stdout.write(
            f"\n{count(disturbed, 'run')} disturbed by other work on the machine. To repeat them:\n"
            f"  {again}\n"
            f"  {shlex.join(['vnnbench', 'quickstart', '--out', str(out)])}\n"
        )
    return max(failed, wrong)


def _refuse_what_is_in_use(out: Path) -> None:
    """Raise `UsageError` when `out` is a file, a library or a results folder, to which the quickstart must not add."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: is not a folder; use another path")
    for name, what in ((MANIFEST, "a library"), (LEDGER_NAME, "a results folder")):
        if (out / name).exists():
            raise UsageError(f"--out {out}: is {what}; the quickstart needs a folder of its own, so use another path")
