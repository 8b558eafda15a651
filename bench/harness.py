"""The harness: it passes the planned runs that the ledger lacks to an engine, and commits each finished run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path

from vnnbench.engines.base import Engine
from vnnbench.engines.exchange import Exchange
from vnnbench.engines.local import LocalEngine
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.instances.library.sealed_answers import copy_seal
from vnnbench.instances.progress import NotingProgress
from vnnbench.leaderboard.records.planted import SEALED_FOLDER
from vnnbench.ledger.proven_copies import copy_proven, known_proofs
from vnnbench.ledger.run_identity import Retry
from vnnbench.ledger.witness_lifting import lift_witnesses
from vnnbench.ledger.writer import Ledger, instance_row
from vnnbench.runs.execution import FinishedRun
from vnnbench.runs.plan import PlannedRun
from vnnbench.runs.retry import left_to_run


def run_plan(
    plan: Sequence[PlannedRun],
    library: Library,
    results: Path,
    jobs: int,
    progress: NotingProgress,
    retry: Collection[Retry] = (),
) -> list[FinishedRun]:
    """Execute on this machine, `jobs` at a time, every planned run that the ledger lacks, as `run_plan_on` does."""
    return run_plan_on(LocalEngine(library, results, jobs), plan, library, results, progress, retry)


def run_plan_on(
    engine: Engine,
    plan: Sequence[PlannedRun],
    library: Library,
    results: Path,
    progress: NotingProgress,
    retry: Collection[Retry] = (),
) -> list[FinishedRun]:
    """Execute every planned run that the ledger lacks, commit each as it finishes, and return the committed runs.

    A run that the engine hands back twice is committed once. retry: runs whose newest attempt ended in one of these
    ways get another attempt; earlier attempts are kept. Runs that workers of a killed head have finished are committed
    first. On Ctrl-C or an error all runs are stopped, those that have finished are committed, and the exception is
    raised. When all are committed, the library's proven answers to their problems are checked and copied beside the
    ledger.

    Raises `ResultsError`, `InputError`.
    """
    rows = list({run.row.instance: run.row for run in plan}.values())
    for row in rows:
        library.verify_row(row)
    library_set = LibrarySet((library,))
    with Ledger(results) as ledger:
        known = known_proofs(results)  # a broken file there is refused before hours of runs
        ledger.add_instances([instance_row(library, row) for row in rows])
        copy_seal(library, results / SEALED_FOLDER)
        lift_witnesses(ledger, library_set, results)  # those that a killed process did not get to
        todo = list(left_to_run(plan, ledger.attempts(), retry))
        progress.start(len(plan), len(plan) - len(todo))
        finished: dict[str, FinishedRun] = {}

        def commit(done: FinishedRun) -> None:
            if not ledger.has(done.result.run):
                ledger.add_machine(done.machine)
                ledger.append(done.result, done.judgement)
                finished[done.result.run] = done
                lift_witnesses(ledger, library_set, results, done.result.instance_sha256)
                progress.advance(done.result.solver)
            exchange.forget(done.result.run)

        with closing(Exchange(results)) as exchange:
            exchange.end()
            for run in todo:
                if (done := exchange.collect(run.name)) is not None:
                    commit(done)
            engine.execute([run for run in todo if run.name not in finished], commit)
            exchange.clear(ledger.has)
        copy_proven(library, rows, results, known, progress)
    return list(finished.values())
