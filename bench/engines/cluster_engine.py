"""The engine of a cluster: the head gives runs to workers in jobs, and takes back what they have published."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, SimpleQueue

from vnnbench.engines.base import Engine, HandBack
from vnnbench.engines.cluster import LOST_SECONDS, Cluster, ManagerLost, WorkerLost, check_plain
from vnnbench.engines.cluster_options import ClusterOptions
from vnnbench.engines.cluster_worker import Answer, RunOrder
from vnnbench.engines.environment import Environment
from vnnbench.engines.exchange import Exchange, Jobs
from vnnbench.engines.planned_run import planned_json
from vnnbench.engines.providers import cancel_noted
from vnnbench.errors import ResultsError, UsageError
from vnnbench.instances.library.library import Library
from vnnbench.instances.progress import StatusProgress
from vnnbench.isolation.supervisor import GRACE_SECONDS
from vnnbench.runs.plan import PlannedRun

JUDGING_SECONDS = 60.0
"""The time within a job's walltime that a run gets for starting its solver and judging its candidates."""
STARTING_SECONDS = 30
"""The time within a job's walltime until its workers ask for runs."""
MAX_LOSSES = 3.0
"""How many workers a run may lose before it is given up; the loss of a whole node counts a tenth, because the walltime
or the scheduler may have ended it."""
MAX_AT_A_TIME = 10_000
"""The most runs that wait for workers, beside those that the head keeps."""
_WAIT_SECONDS = 1.0
_WORK = "vnnbench.engines.cluster_worker.work"


class ClusterEngine(Engine):
    """An engine that executes runs in jobs of a cluster's scheduler, on machines that share the folders of the library
    and the results under the same paths.

    progress: is told facts for the user, and how many jobs and workers there are. Raises `UsageError`.
    """

    def __init__(self, library: Library, results: Path, options: ClusterOptions, progress: StatusProgress) -> None:
        check_plain(results.absolute())
        self.library, self.results, self.options, self.progress = library, results.absolute(), options, progress

    def execute(self, planned: Sequence[PlannedRun], hand_back: HandBack) -> None:
        """Execute these runs as `Engine.execute` describes. On an exception the jobs are cancelled."""
        if not planned:
            return
        longest = max(map(needed_seconds, planned))
        drain_seconds = self._drain_seconds(longest)
        exchange = Exchange(self.results)
        if (left := exchange.noted_jobs()) is not None and left.provider == self.options.provider:
            try:
                cancel_noted(self.options, left.epoch, left.ids)
            except ResultsError as error:
                raise exchange.broken_jobs(str(error)) from error
        epoch = exchange.begin(Environment.here(self.library))

        def note_jobs(ids: tuple[str, ...]) -> None:
            exchange.note_jobs(Jobs(self.options.provider, epoch, ids))

        threads = max(run.limits.threads for run in planned)
        head = None
        try:
            folder, status = exchange.folder / epoch, self.progress.status
            with Cluster(folder, self.options, threads, drain_seconds, note_jobs, status) as cluster:
                head = _Head(self, exchange, epoch, cluster, threads, longest, hand_back)
                try:
                    head.execute(planned)
                finally:
                    exchange.end()
        finally:
            if head is not None:
                exchange.forget_jobs()
                for run in head.pending.values():  # after an exception: what ended meanwhile
                    head.take(run)
        if head.given_up:
            raise ResultsError(
                f"{_given_up(head.given_up)} given up, because its workers died each time, possibly out of memory; "
                "all others are done"
            )

    def _drain_seconds(self, needed: float) -> int | None:
        """Return after how many seconds a job takes no more runs, so that one that takes `needed` seconds still ends.
        Raises `UsageError` when none would."""
        walltime = self.options.walltime_seconds
        if walltime is None:
            return None
        if walltime - needed < 2 * STARTING_SECONDS:
            minutes = int(needed + 2 * STARTING_SECONDS) // 60 + 1
            raise UsageError(
                f"--engine-option walltime={self.options.walltime}: too short for the runs' time limit; give at least "
                f"{minutes // 60:02}:{minutes % 60:02}:00, and many times as much for few restarts"
            )
        return int(walltime - needed)


def needed_seconds(run: PlannedRun) -> float:
    """Return how long a run may take on a worker: its time limit, its grace period, start and judging."""
    return run.limits.time_limit_seconds + GRACE_SECONDS + JUDGING_SECONDS


def _given_up(runs: Sequence[PlannedRun]) -> str:
    named = ", ".join(run.name for run in runs[:3])
    return f"run {named} was" if len(runs) == 1 else f"each of {len(runs)} runs ({named}...) was"


class _Head:
    """The head during one epoch.

    longest: the most seconds that a run may take. pending: the runs that workers may have, by name. given_up: those
    that lost too many workers.
    """

    def __init__(
        self,
        engine: ClusterEngine,
        exchange: Exchange,
        epoch: str,
        cluster: Cluster,
        threads: int,
        longest: float,
        hand_back: HandBack,
    ) -> None:
        self._engine, self._exchange, self._epoch, self._cluster = engine, exchange, epoch, cluster
        self._threads, self._longest, self._hand_back = threads, longest, hand_back
        self._waiting: dict[bool, deque[PlannedRun]] = {False: deque(), True: deque()}  # by whether it is Gurobi's
        self._finished: SimpleQueue[tuple[PlannedRun, Future[str]]] = SimpleQueue()
        self._losses: dict[str, float] = defaultdict(float)
        self._heard, self._n_gurobi = time.monotonic(), 0
        self._cpus: set[str] = set()
        self.pending: dict[str, PlannedRun] = {}
        self.given_up: list[PlannedRun] = []

    def execute(self, planned: Sequence[PlannedRun]) -> None:
        for run in planned:
            self._waiting[_is_gurobi(run)].append(run)
        while any(self._waiting.values()) or self.pending:
            self._submit()
            try:
                run, future = self._finished.get(timeout=_WAIT_SECONDS)
            except Empty:
                self._cluster.check()
                self._check_progress()
                continue
            self._heard = time.monotonic()
            del self.pending[run.name]
            self._n_gurobi -= _is_gurobi(run)
            self._end(run, future)

    def _check_progress(self) -> None:
        """Raise `ResultsError` when workers keep their runs for longer than any run takes: Parsl's can come to wait for
        each other when one is killed, and a scheduler can forget a job."""
        if not self._cluster.has_running_jobs:
            self._heard = time.monotonic()
        silent = time.monotonic() - self._heard
        if silent > self._longest + 2 * LOST_SECONDS:
            raise ResultsError(f"no worker has ended a run for {silent:.0f} s; give the same command again")

    def _submit(self) -> None:
        """Submit runs as far as there may be more: all at once, but for Gurobi's where licences are limited."""
        most = self._engine.options.max_gurobi
        for gurobi, waiting in self._waiting.items():
            while waiting and len(self.pending) < MAX_AT_A_TIME:
                if gurobi and most is not None and self._n_gurobi >= most:
                    break
                run = waiting.popleft()
                future = self._cluster.submit(_WORK, self._order(run).encode())
                self.pending[run.name] = run
                self._n_gurobi += gurobi
                future.add_done_callback(lambda done, run=run: self._finished.put((run, done)))  # type: ignore[misc]

    def _order(self, run: PlannedRun) -> RunOrder:
        engine = self._engine
        return RunOrder(
            results=str(engine.results),
            library=str(engine.library.folder.absolute()),
            epoch=self._epoch,
            name=run.name,
            planned=planned_json(run).decode(),
            threads=self._threads,
            needs_seconds=needed_seconds(run),
            walltime_seconds=engine.options.walltime_seconds,
            scratch=engine.options.scratch,
        )

    def _end(self, run: PlannedRun, future: Future[str]) -> None:
        """Take what a worker has returned about a run, or give it to another."""
        error = future.exception()
        if self.take(run):  # also where the worker was lost after it had published
            if error is None and (text := Answer.decode(future.result()).text):
                self._engine.progress.note(text)
        elif isinstance(error, WorkerLost | ManagerLost):
            self._losses[run.name] += 1.0 if isinstance(error, WorkerLost) else 0.1
            if self._losses[run.name] < MAX_LOSSES:
                self._waiting[_is_gurobi(run)].append(run)
            else:
                self.given_up.append(run)
        elif error is not None:
            raise self._cluster.failure(error)
        else:
            self._decline(run, Answer.decode(future.result()))

    def _decline(self, run: PlannedRun, answer: Answer) -> None:
        if answer.state == "over":
            raise ResultsError(
                f"{self._engine.results}: another vnnbench has begun to write here, or its .exchange was removed; "
                "give the same command again when no other is at work"
            )
        if answer.state != "late":
            raise ResultsError(answer.text or f"run {run.name}: its worker says that it is {answer.state}")
        self._waiting[_is_gurobi(run)].append(run)

    def take(self, run: PlannedRun) -> bool:
        """Hand back a run if it is published, and return whether it is."""
        finished = self._exchange.collect(run.name)
        if finished is None:
            return False
        self._hand_back(finished)
        self._cpus.add(finished.machine.cpu)
        if len(self._cpus) > 1:
            self._engine.progress.note(
                "runs are on several types of CPU, so that their times do not compare; use one, as with "
                "--engine-option constraint=NAME of SLURM"
            )
        return True


def _is_gurobi(run: PlannedRun) -> bool:
    return run.setting.solver == "gurobi"
