"""Executes a plan: a small pool of runs, one ledger, resume. What is in the ledger is not run again."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

from vnnbench.instances.library.library import Library
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.instances.library.sealed_answers import copy_seal
from vnnbench.instances.progress import Progress
from vnnbench.isolation.cores import reserved
from vnnbench.isolation.fork_client import PreparedSolvers
from vnnbench.isolation.machine import machine_facts
from vnnbench.leaderboard.records.planted import SEALED_FOLDER
from vnnbench.ledger.refutation import lift_witnesses
from vnnbench.ledger.run_identity import Retry
from vnnbench.ledger.writer import Attempt, Ledger, instance_row
from vnnbench.runs.execution import FinishedRun, execute
from vnnbench.runs.instance_cache import InstanceCache
from vnnbench.runs.plan import PlannedRun
from vnnbench.runs.run_folder import clear_work, remove_work


def run_plan(
    plan: Sequence[PlannedRun],
    library: Library,
    results: Path,
    jobs: int,
    progress: Progress,
    retry: Collection[Retry] = (),
) -> list[FinishedRun]:
    """Execute every planned run that the ledger lacks, `jobs` at a time, and commit each as it finishes.

    retry: what of the newest attempt at a run makes another one; the earlier ones stay. Runs that get no cores of their
    own are foretold in one line on stderr.
    On Ctrl-C or an error the children are killed, what has finished is committed, and the exception goes on.
    Raises `ResultsError`, `InputError`.
    """
    rows = list({run.row.instance: run.row for run in plan}.values())
    for row in rows:
        library.verify_row(row)
    library_set = LibrarySet((library,))
    with Ledger(results) as ledger:
        work = clear_work(results)
        ledger.add_instances([instance_row(library, row) for row in rows])
        copy_seal(library, results / SEALED_FOLDER)
        machine = machine_facts()
        ledger.add_machine(machine)
        lift_witnesses(ledger, library_set, results)  # those that a killed predecessor left
        todo = list(_to_do(plan, ledger.attempts(), retry))
        progress.start(len(plan), len(plan) - len(todo))
        finished: list[FinishedRun] = []

        def commit(done: FinishedRun) -> None:
            if not ledger.has(done.result.run):  # it may have been stored just when Ctrl-C came
                ledger.append(done.result, done.judgement)
                finished.append(done)
                lift_witnesses(ledger, library_set, results, done.result.instance_sha256)
                progress.advance(done.result.solver)

        solvers = {planned.setting.found_by for planned in todo}
        threads = max((planned.limits.threads for planned in todo), default=1)
        at_a_time = min(jobs, len(todo))
        cache = InstanceCache(library, at_a_time)
        try:
            with reserved(at_a_time, threads) as cores, PreparedSolvers(solvers, threads, work) as prepared:
                if cores.shortage is not None:
                    sys.stderr.write(f"warning: {cores.shortage}\n")

                def start(planned: PlannedRun, cores: tuple[int, ...], cancelled: threading.Event) -> FinishedRun:
                    ready = prepared[planned.setting.found_by]
                    return execute(planned, cache, results, machine, ready, cores, cancelled)

                _pool(todo, cores.sets, start, commit)
        finally:
            remove_work(work)
    return finished


def _to_do(
    plan: Sequence[PlannedRun], attempts: Mapping[str, Attempt], retry: Collection[Retry]
) -> Iterator[PlannedRun]:
    for planned in plan:
        newest = attempts.get(planned.run)
        if newest is None:
            yield planned
        elif newest.came_to(retry):
            yield replace(planned, attempt=newest.number + 1)


def _pool(
    todo: Sequence[PlannedRun],
    cores: Sequence[tuple[int, ...]],
    start: Callable[[PlannedRun, tuple[int, ...], threading.Event], FinishedRun],
    commit: Callable[[FinishedRun], None],
) -> None:
    """Start every run, one at a time on each set of cores, and commit each, here, as it finishes; on an exception those
    that had finished. The pool's threads live until the end: the kernel kills a child whose creating thread has
    ended."""
    if not todo:
        return
    cancelled = threading.Event()
    jobs = len(cores)
    pool = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="run")
    free: SimpleQueue[tuple[int, ...]] = SimpleQueue()
    for own in cores:
        free.put(own)

    def start_on_free_cores(planned: PlannedRun) -> FinishedRun:
        own = free.get()
        try:
            return start(planned, own, cancelled)
        finally:
            free.put(own)

    waiting: set[Future[FinishedRun]] = set()
    try:
        for planned in todo:
            waiting.add(pool.submit(start_on_free_cores, planned))
            if len(waiting) >= jobs:
                _commit_finished(waiting, commit)
        while waiting:
            _commit_finished(waiting, commit)
    finally:
        cancelled.set()
        pool.shutdown(wait=True, cancel_futures=True)
        for future in waiting:
            if not future.cancelled() and future.exception() is None:
                commit(future.result())


def _commit_finished(waiting: set[Future[FinishedRun]], commit: Callable[[FinishedRun], None]) -> None:
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in done:
        commit(future.result())
        waiting.discard(future)
