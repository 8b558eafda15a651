"""The engine of this machine: a small pool of runs, each on cores of its own, forked from solvers loaded once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from queue import SimpleQueue

from vnnbench.engines.base import Engine, HandBack
from vnnbench.instances.library.library import Library
from vnnbench.isolation.cores import reserved
from vnnbench.isolation.fork_client import PreparedSolvers
from vnnbench.isolation.machine import machine_facts
from vnnbench.runs.execution import FinishedRun, execute
from vnnbench.runs.instance_cache import InstanceCache
from vnnbench.runs.plan import PlannedRun
from vnnbench.runs.run_folder import clear_work, remove_work


class LocalEngine(Engine):
    """An engine that executes runs on this machine, `jobs` at a time, and writes their files to a results folder."""

    def __init__(self, library: Library, results: Path, jobs: int) -> None:
        self.library, self.results, self.jobs = library, results, jobs

    def execute(self, planned: Sequence[PlannedRun], hand_back: HandBack) -> None:
        """Execute these runs as `Engine.execute` describes. A line on stderr warns of runs that get no cores of their
        own. On an exception the child processes are killed."""
        work = clear_work(self.results)
        machine = machine_facts()
        solvers = {run.setting.found_by for run in planned}
        threads = max((run.limits.threads for run in planned), default=1)
        at_a_time = min(self.jobs, len(planned))
        cache = InstanceCache(self.library, at_a_time)
        try:
            with reserved(at_a_time, threads) as cores, PreparedSolvers(solvers, threads, work) as prepared:
                if cores.shortage is not None:
                    sys.stderr.write(f"warning: {cores.shortage}\n")

                def start(run: PlannedRun, cores: tuple[int, ...], cancelled: threading.Event) -> FinishedRun:
                    ready = prepared[run.setting.found_by]
                    return execute(run, cache, self.results, machine, ready, cores, cancelled)

                _pool(planned, cores.sets, start, hand_back)
        finally:
            remove_work(work)


def _pool(
    planned: Sequence[PlannedRun],
    cores: Sequence[tuple[int, ...]],
    start: Callable[[PlannedRun, tuple[int, ...], threading.Event], FinishedRun],
    hand_back: HandBack,
) -> None:
    """Start every run, one at a time on each set of cores, and hand back each as it finishes, in the calling thread.

    On an exception the runs that have finished are handed back. The pool's threads live until the end, because the
    kernel kills a child whose creating thread has ended.
    """
    if not planned:
        return
    cancelled = threading.Event()
    jobs = len(cores)
    pool = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="run")
    free: SimpleQueue[tuple[int, ...]] = SimpleQueue()
    for own in cores:
        free.put(own)

    def start_on_free_cores(run: PlannedRun) -> FinishedRun:
        own = free.get()
        try:
            return start(run, own, cancelled)
        finally:
            free.put(own)

    waiting: set[Future[FinishedRun]] = set()
    try:
        for run in planned:
            waiting.add(pool.submit(start_on_free_cores, run))
            if len(waiting) >= jobs:
                _hand_back_finished(waiting, hand_back)
        while waiting:
            _hand_back_finished(waiting, hand_back)
    finally:
        cancelled.set()
        pool.shutdown(wait=True, cancel_futures=True)
        for future in waiting:
            if not future.cancelled() and future.exception() is None:
                hand_back(future.result())


def _hand_back_finished(waiting: set[Future[FinishedRun]], hand_back: HandBack) -> None:
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in done:
        hand_back(future.result())
        waiting.discard(future)
