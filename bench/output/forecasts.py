"""Forecasts of long jobs: the line before a job starts, and what `--dry-run` prints instead of starting it.

Functions named `print_...` are one command's work and return the command's exit code.
"""

from __future__ import annotations

from vnnbench.instances.generation.forecast import Forecast, Work
from vnnbench.instances.generation.suite_work import Batches, GenerationPlan
from vnnbench.isolation.supervisor import GRACE_SECONDS
from vnnbench.leaderboard.text import count, span
from vnnbench.output import display
from vnnbench.runs.forecast import RunForecast


def describe_plan(plan: GenerationPlan) -> str:
    """Return in words how many networks and instances are made. Networks are made in whole batches."""
    kinds = (("network", plan.trained), ("finetuned network", plan.finetuned), ("instance", plan.instances))
    return ", ".join(f"{count(own.made, what)}{_for_wanted(own)}" for what, own in kinds if own.made)


def _for_wanted(batches: Batches) -> str:
    return f" (whole batches; {batches.wanted} needed)" if batches.made > batches.wanted else ""


def print_forecast(forecast: Forecast) -> int:
    """Print a table of what `generate` would make, and how long it would take; return the exit code 0."""
    kinds, batches = [("instances", forecast.instances)], ""
    if forecast.trained.batches.tasks:
        kinds = [("trained", forecast.trained), ("finetuned", forecast.finetuned), *kinds]
        batches = (
            "in batches: those and the others of their batches, because the bytes of a network depend on its batch. "
        )
    columns = ("", "needed", *(["in batches"] if batches else []), "done", "to do", "s each")
    display.print_table(columns, [_cells(name, work, batched=bool(batches)) for name, work in kinds])
    hours, size = forecast.hours_left, forecast.bytes_in_all
    display.print_text(
        f"needed: for the selected instances. {batches}done: already there. s each: seconds of one core, measured on "
        "what is done."
    )
    if hours is None:
        display.print_text(
            "Expected time: unknown until some of each kind are done. Start the job, stop it after some minutes and "
            "ask again: it continues where it was."
        )
    else:
        display.print_text(f"Expected time: {_hours(hours * 3600)} on one core.")
    if size is not None:
        display.print_text(f"Disk: {_megabytes(size)} in all.")
    return 0


def _cells(name: str, work: Work, *, batched: bool) -> tuple[object, ...]:
    made = (work.batches.made,) if batched else ()
    return (name, work.batches.wanted, *made, work.before, work.left, work.seconds)


def print_run_forecast(forecast: RunForecast, jobs: int) -> int:
    """Print how many runs `run` would make, and how long they would take; return the exit code 0."""
    before = f", of which {forecast.before} are in the ledger" if forecast.before else ""
    on = f" on {count(forecast.instances, 'instance')}" if forecast.left else ""
    display.print_text(f"{count(forecast.planned, 'run')} planned{before}: {forecast.left} to do{on}.")
    if forecast.limits is None:
        return 0
    at_once = f" with {count(jobs, 'job')}"
    display.print_text(
        f"At most {_hours(forecast.worst_seconds)}{at_once}, if every run takes its whole time limit "
        f"({span(forecast.limits)} s) and {GRACE_SECONDS:g} s to stop."
    )
    if forecast.expected_seconds is None:
        display.print_text("Expected time: unknown until the ledger has runs of these solvers, this goal and limit.")
    else:
        counted = f", {count(forecast.unmeasured, 'run')} without such runs counted with the limit"
        display.print_text(
            f"Expected time: {_hours(forecast.expected_seconds)}{at_once}, from the ledger's runs of the same solver, "
            f"options, goal and limit{counted if forecast.unmeasured else ''}."
        )
    if forecast.n_bytes is not None:
        display.print_text(
            f"Disk: {_megabytes(forecast.n_bytes)} of candidates and logs, estimated from the existing ones."
        )
    return 0


def _megabytes(n_bytes: float) -> str:
    """Return a size in words, such as "12 kB", "3.4 MB"."""
    return f"{n_bytes / 1e3:.0f} kB" if n_bytes < 1e6 else f"{n_bytes / 1e6:.1f} MB"


def _hours(seconds: float) -> str:
    """Return a time in words, such as "45 s", "12.5 min", "3.2 h"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
