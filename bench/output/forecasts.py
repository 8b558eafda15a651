"""What is printed of a long job before it starts, or in place of it with `--dry-run`.

Functions named `print_...` are one command's work and return the command's exit code.
"""

from __future__ import annotations

from vnnbench.instances.generation.forecast import Batches, Forecast, GenerationPlan
from vnnbench.leaderboard.text import count
from vnnbench.output import display
from vnnbench.runs.forecast import RunForecast


def describe_plan(plan: GenerationPlan) -> str:
    """Return in words what is made, with the whole batches."""
    kinds = (("network", plan.trained), ("finetuned network", plan.finetuned), ("instance", plan.instances))
    return ", ".join(f"{count(own.made, what)}{_for_wanted(own)}" for what, own in kinds if own.made)


def _for_wanted(batches: Batches) -> str:
    return f" (whole batches, for {batches.wanted})" if batches.made > batches.wanted else ""


def print_forecast(forecast: Forecast) -> int:
    """Print a table of what is to make, and how long it takes."""
    kinds = (("trained", forecast.trained), ("finetuned", forecast.finetuned), ("instances", forecast.instances))
    columns = ("", "wanted", "made", "there", "to make", "s each")
    display.print_table(
        columns,
        [(name, own.batches.wanted, own.batches.made, own.before, own.left, own.seconds) for name, own in kinds],
    )
    hours, size = forecast.hours_left, forecast.bytes_in_all
    display.print_text(
        "wanted: what the selection needs. made: whole batches, for the bytes of a network depend on its batch. "
        "s each: seconds of one core, measured by what is there."
    )
    if hours is None:
        display.print_text("How long it takes is not known before some of each kind is there.")
    else:
        display.print_text(f"Expected: {_hours(hours * 3600)} on one core.")
    if size is not None:
        display.print_text(f"Disk: {size / 1e6:.1f} MB in all.")
    return 0


def print_run_forecast(forecast: RunForecast, jobs: int) -> int:
    """Print how many runs there are to make, and how long they take."""
    before = f", of which {forecast.before} are in the ledger" if forecast.before else ""
    on = f" on {count(forecast.instances, 'instance')}" if forecast.left else ""
    display.print_text(f"{count(forecast.planned, 'run')} planned{before}: {forecast.left} to make{on}.")
    if not forecast.left:
        return 0
    at_once = f" with {count(jobs, 'job')}"
    display.print_text(f"At most {_hours(forecast.worst_seconds)}{at_once}, if every run takes its whole time limit.")
    if forecast.expected_seconds is None:
        display.print_text("Expected: not known before the ledger has runs of these solvers with this goal and limit.")
    else:
        counted = f", {count(forecast.unmeasured, 'run')} without such runs counted with the limit"
        display.print_text(
            f"Expected: {_hours(forecast.expected_seconds)}{at_once}, by the ledger's runs of the same solver, "
            f"options, goal and limit{counted if forecast.unmeasured else ''}."
        )
    if forecast.n_bytes is not None:
        display.print_text(f"Disk: {forecast.n_bytes / 1e6:.1f} MB of candidates and logs, by those that are there.")
    return 0


def _hours(seconds: float) -> str:
    """Such as "45 s", "12.5 min", "3.2 h"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
