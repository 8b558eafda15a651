"""Further attempts at runs of a ledger, whose plans are made from what is stored.

A run is repeated only as it was: where its plan would have another name today, it is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from vnnbench.errors import UsageError
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.library import Library
from vnnbench.leaderboard.records.reader import read_rows
from vnnbench.leaderboard.records.rows import ResultRow
from vnnbench.leaderboard.words import LedgerError, is_submitted
from vnnbench.ledger.run_identity import Retry, StopGoal, attempt_name
from vnnbench.ledger.validity import result_defect
from vnnbench.ledger.writer import LEDGER_NAME, Attempt, Ledger, read_attempts
from vnnbench.references.adapters import adapter_names
from vnnbench.runs.plan import PlannedRun, RunLimits, SolverSetting, plan_runs, stored_setting
from vnnbench.solvers.base import SolverError


@dataclass(frozen=True, slots=True)
class Again:
    """The runs of a ledger that are repeated. reasons: how their newest attempts ended. plan: instance by instance.
    left_out: why other runs that ended so are not repeated, with the number of runs for each reason."""

    reasons: frozenset[Retry]
    plan: list[PlannedRun]
    left_out: Counter[str]


class _LeftOutError(Exception):
    """A run that cannot be repeated here; the message says why."""


def left_to_run(
    plan: Sequence[PlannedRun], attempts: Mapping[str, Attempt], retry: Collection[Retry]
) -> Iterator[PlannedRun]:
    """Yield the runs of a plan that have no attempt yet, and another attempt at those whose newest ended as `retry`
    says."""
    for planned in plan:
        newest = attempts.get(planned.run)
        if newest is None:
            yield planned
        elif newest.came_to(retry):
            yield replace(planned, attempt=newest.number + 1)


def require_known(plan: Sequence[PlannedRun], results: Path, reasons: Collection[Retry]) -> None:
    """Raise `UsageError` when further attempts are wanted and the ledger has no attempt at any run of the plan.

    The plan is then not the one that was meant, and runs in a ledger cannot be removed.
    """
    if not reasons:
        return
    known = read_attempts(results)
    if not any(planned.run in known for planned in plan):
        raise UsageError(
            f"--retry {' '.join(sorted(reasons))}: {results} has no run of this plan; to repeat its own runs, leave "
            "out --solver and its options"
        )


def plan_again(
    results: Path, library: Library, rows: Sequence[CatalogRow], reasons: frozenset[Retry], cpu: str | None
) -> Again:
    """Plan every run of the ledger whose newest attempt ended for one of the reasons, each with its own setting, seed,
    permutation, goal and limits.

    rows: the instances of the library whose runs are planned; they are identified by their hashes. cpu: the type of CPU
    on which they are executed, as others' times are not compared with theirs; None where it is not known.
    Raises `LedgerError` where there is no ledger, `ResultsError` where it cannot be opened.
    """
    if not (results / LEDGER_NAME).is_file():
        raise LedgerError(f"{results / LEDGER_NAME}: no ledger here, so there are no runs to repeat")
    with Ledger(results) as ledger:
        names = [attempt_name(run, one.number) for run, one in ledger.attempts().items() if one.came_to(reasons)]
        stored = [result for name in names if (result := ledger.result(name)) is not None]
    places = {row.instance_sha256: place for place, row in enumerate(rows)}
    of_library = {row.instance_sha256 for row in library.rows}
    cpus = {row["machine"]: row["cpu"] for row in read_rows(results / LEDGER_NAME, "SELECT machine, cpu FROM machines")}
    plan: list[PlannedRun] = []
    left_out: Counter[str] = Counter()
    setting_of = cache(_setting)  # many runs share one, and some solvers start a program to report their version
    for result in stored:
        digest = result.instance_sha256
        if digest in of_library and digest not in places:  # not selected
            continue
        try:
            if digest not in places:
                raise _LeftOutError(f"on instances that {library.folder} does not have")
            here = cpus[result.machine] if cpu is None else cpu
            plan.append(_planned(result, rows[places[digest]], cpus[result.machine], here, setting_of))
        except _LeftOutError as error:
            left_out[str(error)] += 1
    order = sorted(plan, key=lambda run: (places[run.row.instance_sha256], run.seed, run.permutation, run.run))
    return Again(reasons, order, left_out)


def _planned(
    result: ResultRow,
    row: CatalogRow,
    cpu: str,
    here: str,
    setting_of: Callable[[str, str], SolverSetting | str],
) -> PlannedRun:
    """Plan the run that left this result on this type of CPU, for the type that is here. Raises `_LeftOutError`."""
    if result_defect(result.document) is not None:
        raise _LeftOutError("with stored values that no run can have")
    if is_submitted(result.machine):
        raise _LeftOutError("submitted from elsewhere")
    if cpu != here:
        raise _LeftOutError(f"made on another type of CPU than this machine's, {here}")
    solver, version = result.solver, result.solver_version
    setting = setting_of(solver, result.settings)
    if isinstance(setting, str):
        raise _LeftOutError(setting)
    if setting.version != version:
        raise _LeftOutError(f"of {solver} {version}, which is {setting.version} here")
    limits = RunLimits(StopGoal(result.goal), result.time_limit_seconds, result.memory_limit_bytes, result.threads)
    try:
        plan = plan_runs([row], [setting], [result.seed], limits, [result.permutation])
    except UsageError as error:
        raise _LeftOutError(str(error)) from error
    if [attempt_name(planned.run, result.attempt) for planned in plan] != [result.run]:
        raise _LeftOutError(f"of a setting of {solver} that is different here")
    return plan[0]


def _setting(solver: str, settings: str) -> SolverSetting | str:
    """Return the setting as it is made here, or why it cannot be made: the caller caches both."""
    if solver not in adapter_names():
        return f"of {solver}, which is not known here; if a TOML file describes it, name the file with --solver"
    try:
        return stored_setting(solver, settings)
    except (SolverError, UsageError) as error:
        return f"of {solver}, which cannot run with this setting here ({error})"
