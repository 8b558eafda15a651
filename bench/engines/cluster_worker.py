"""A worker of a cluster: it executes one run at a time, and publishes it on the folder that all machines share.

Prepared solvers, judges and reserved cores live as long as the worker process, in its main thread.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import tempfile
import threading
import time
import uuid
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Self

import orjson
import psutil

from vnnbench.engines.environment import Environment
from vnnbench.engines.exchange import Exchange
from vnnbench.engines.finished_run import CarriedRun
from vnnbench.engines.planned_run import parse_planned
from vnnbench.errors import BenchError, ResultsError
from vnnbench.instances.errors import InputError
from vnnbench.instances.files import remove_folder
from vnnbench.instances.library.library import Library
from vnnbench.isolation.cores import reserved
from vnnbench.isolation.fork_client import Prepared
from vnnbench.isolation.granted_cores import is_confined
from vnnbench.isolation.machine import machine_facts
from vnnbench.isolation.self_test import enforcement_here
from vnnbench.judging.candidates import candidates_path
from vnnbench.references.adapters import get_adapter
from vnnbench.runs.execution import execute
from vnnbench.runs.instance_cache import InstanceCache
from vnnbench.runs.plan import PlannedRun
from vnnbench.runs.run_texts import log_path
from vnnbench.solvers.base import SolverError
from vnnbench.solvers.command_line.program import die_with

LATE_SECONDS = 5.0
"""How long a worker whose job ends too soon keeps a run before it gives it back: its pool is about to take no more."""


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What travels to a worker. The rest is in files.

    results, library: absolute paths, the same on all machines. epoch: of the head. name, planned: the run, as
    `planned_json` writes it. threads: cores of a worker. needs_seconds: how long the run may take, with judging.
    walltime_seconds: how long a job lasts; None where it has no end. scratch: a folder on the node; None for TMPDIR.
    """

    results: str
    library: str
    epoch: str
    name: str
    planned: str
    threads: int
    needs_seconds: float
    walltime_seconds: int | None
    scratch: str | None

    def encode(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def decode(cls, message: bytes) -> Self:
        return cls(**orjson.loads(message))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker returns about a run.

    state: `published`, where its files are in the exchange; `late`, where the job ends too soon for it; `over`, where
    another head has begun; `refused`, where this machine cannot execute it. text: why it is refused, or what a user
    should know, in one line.
    """

    state: str
    text: str = ""

    def encode(self) -> str:
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def decode(cls, text: str) -> Self:
        return cls(**orjson.loads(text))


def work(message: bytes) -> str:
    """Execute the run of a `RunOrder`, and return an `Answer`. Called by Parsl in the worker process's main thread."""
    order = RunOrder.decode(message)
    try:
        return _worker(order.results, order.library, order.threads, order.scratch).answer(order).encode()
    except (BenchError, InputError, SolverError) as error:
        return Answer("refused", f"{os.uname().nodename}: {error}").encode()


@cache
def _worker(results: str, library: str, threads: int, scratch: str | None) -> _Worker:
    return _Worker(Path(results), Path(library), threads, scratch)


class _Worker:
    """The state of a worker process."""

    def __init__(self, results: Path, library: Path, threads: int, scratch: str | None) -> None:
        die_with(os.getppid())  # else a run would go on after its pool was killed
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what is on the node is removed
        self._held = ExitStack()
        Finalize(None, self._held.close, exitpriority=100)  # a process of multiprocessing calls no atexit functions
        self.exchange, self.library, self.threads = Exchange(results), Library.open(library), threads
        self._environment = Environment.here(self.library)
        self._scratch = _own_scratch(Path(scratch or tempfile.gettempdir()), self._held)
        reservation = self._held.enter_context(reserved(1, threads))
        self._cores, self._shortage = reservation.sets[0], reservation.shortage
        if not is_confined():
            self._cores = ()
            self._shortage = "its job may use cores that it was not granted, as others may: its runs count as disturbed"
        self._machine = machine_facts()
        self._cache = InstanceCache(self.library, 1)
        self._prepared: dict[str, Prepared] = {}
        self._verified: set[str] = set()  # the instances whose files this worker has read from the shared folder
        self._cancelled = threading.Event()

    def answer(self, order: RunOrder) -> Answer:
        expected = self.exchange.environment(order.epoch)
        if expected is None:
            return Answer("over")
        if (wrong := self._environment.mismatch(expected)) is not None:
            raise ResultsError(wrong)
        if order.walltime_seconds is not None and _left(order.walltime_seconds) < order.needs_seconds:
            time.sleep(LATE_SECONDS)
            return Answer("late")
        planned = parse_planned(order.planned.encode(), order.name, self.library)
        if planned.row.instance not in self._verified:
            self.library.verify_row(planned.row)
            self._verified.add(planned.row.instance)
        ready = self._prepare(planned)
        finished = execute(planned, self._cache, self._scratch, self._machine, ready, self._cores, self._cancelled)
        self.exchange.publish(CarriedRun.collect(finished, self._scratch))
        for path in (log_path(self._scratch, planned.name), candidates_path(self._scratch, planned.name)):
            path.unlink()
        return Answer("published", f"{os.uname().nodename}: {self._shortage}" if self._shortage else "")

    def _prepare(self, planned: PlannedRun) -> Prepared:
        """Return the prepared solver of a run, which must be of the planned version. Raises `ResultsError`."""
        setting = planned.setting
        if setting.found_by not in self._prepared:
            version = get_adapter(setting.found_by).version()
            if version != setting.version:
                raise ResultsError(
                    f"{setting.solver} is {version} here and {setting.version} where the work was planned"
                )
            prepared = Prepared(setting.found_by, self.threads, self._scratch)
            self._held.callback(prepared.close)
            prepared.start()
            enforcement_here(prepared, self._scratch)
            self._prepared[setting.found_by] = prepared
        return self._prepared[setting.found_by]


def _left(walltime_seconds: int) -> float:
    """Return how many seconds this job has left: SLURM says when it ends, else it began with this process's parent."""
    ends = os.environ.get("SLURM_JOB_END_TIME", "")
    if ends.isascii() and ends.isdecimal():
        return int(ends) - time.time()
    return psutil.Process(os.getppid()).create_time() + walltime_seconds - time.time()


def _own_scratch(parent: Path, held: ExitStack) -> Path:
    """Make a folder on this node for the files of runs in progress, remove it when `held` is closed, and now those that
    killed workers of this user have left. Raises `ResultsError`."""
    place = parent / f"vnnbench-{os.getuid()}"
    own = place / uuid.uuid4().hex
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        if place.is_symlink() or place.stat().st_uid != os.getuid():
            raise ResultsError(f"{place}: belongs to another user")
        for other in place.iterdir():
            if _is_abandoned(other):
                remove_folder(other)
        own.mkdir(mode=0o700)
        held.callback(remove_folder, own)
        held.callback(os.close, _locked(own))
    except OSError as error:
        raise ResultsError(f"{place}: cannot be written ({error.strerror})") from error
    return own


def _locked(folder: Path) -> int:
    """Lock a folder until the descriptor that is returned is closed, as it is when this process ends."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def _is_abandoned(folder: Path) -> bool:
    try:
        os.close(_locked(folder))
    except OSError:
        return False
    return time.time() - folder.stat().st_mtime > LATE_SECONDS  # another may be about to lock it
