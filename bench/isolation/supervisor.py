"""The supervisor of one run: it has the worker forked, watches it, enforces limits, ends it and accounts for its use.

Limits on wall clock, processor time, memory and output are enforced here, whatever the solver does about its own
limits. The worker is first requested to stop. If it has not ended GRACE_SECONDS later, its processes get SIGTERM, and
TERMINATION_SECONDS later they are killed: by `fork_server`, or, where that does not respond, by `fork_client` and
`cgroups`. All processes that the worker leaves behind end with its run.
"""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from vnnbench.errors import ResultsError
from vnnbench.isolation.cgroups import RunGroup, run_group
from vnnbench.isolation.fork_client import Confined, Prepared
from vnnbench.isolation.fork_server import Order
from vnnbench.isolation.proc_readings import MachineLoad
from vnnbench.isolation.protocol import MAX_COLUMNS, Frame, FrameReader, Kind, ProtocolError, send
from vnnbench.isolation.usage import Usage
from vnnbench.leaderboard.words import Counted, EndedBy, Enforcement

GRACE_SECONDS = 5.0
TERMINATION_SECONDS = 0.5
START_SECONDS = 120.0
MAX_OUTPUT_BYTES = 1 << 28
_REAPING_SECONDS = 30.0
_SAMPLE_SECONDS = 0.05
_SAMPLE_SHARE = 0.1  # the share of the time for sampling what many processes and files use
_DATA_SHARE = 2  # RLIMIT_DATA and /dev/shm over the memory limit: they act between samples; allocators reserve less


class Cancelled(Exception):  # noqa: N818 - not an error: the operator stopped the run, which is not recorded
    """The run was stopped by the operator."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a run. time_seconds: from handing over the request; the limit on processor time is `threads` times
    as long. memory_bytes: of all its processes. cores: those to pin it to; empty for any. columns: the most columns of
    a solution that it sends."""

    time_seconds: float
    memory_bytes: int
    threads: int = 1
    cores: tuple[int, ...] = ()
    columns: int = MAX_COLUMNS

    @property
    def cpu_seconds(self) -> float:
        return self.threads * self.time_seconds


class Observer(Protocol):
    """The interface of an observer of a run: it gets every frame, judges in slices between frames, and may be satisfied
    by an answer."""

    def on_frame(self, frame: Frame, seconds: float) -> None:
        """Take a frame, other than READY, RESULT and FAILED, that arrived `seconds` after the request."""

    def work(self) -> bool:
        """Do one slice of pending work, and return whether there was any."""

    def satisfied_at(self) -> float | None:
        """Return when the answer that suffices arrived; None while there is none."""


@dataclass(slots=True)
class ChildOutcome:
    """The outcome of a run as the harness saw it. result, failure: the worker's RESULT, or why there is none. All times
    are in seconds.

    cpu_seconds: of all its processes, from the request on; None where it was not counted to the end.
    peak_memory_bytes: the largest sample, or the worker's own high-water mark where that is larger; None where there
    was no sample. counted: the means by which both were counted.

    cores: those it was pinned to; empty where it had none of its own. foreign_seconds: processor time that other
    processes took on its cores meanwhile; None where its own is not known. swapped_bytes: what the machine swapped
    meanwhile. stalled_seconds: the longest time for which this process, which timestamps what arrives, did not run.
    """

    ended_by: EndedBy = EndedBy.CRASH
    result: Frame | None = None
    failure: str = ""
    wall_seconds: float = 0.0
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    counted: Counted = Counted.SAMPLING
    enforcement: Enforcement = Enforcement.PROCESS_GROUP
    cores: tuple[int, ...] = ()
    foreign_seconds: float | None = 0.0
    swapped_bytes: int = 0
    stalled_seconds: float = 0.0


def run_child(
    prepared: Prepared,
    request: dict[str, Any],
    limits: Limits,
    observer: Observer,
    output_path: Path,
    cancelled: threading.Event,
    plain: bool = False,
) -> ChildOutcome:
    """Fork a worker, send it `request`, watch it until it ends, and return the outcome.

    Its stdout and stderr go to `output_path`; the files that it writes into that folder are limited to
    MAX_OUTPUT_BYTES. plain: start a new interpreter instead of a fork of the prepared one.

    Raises `Cancelled`, `ResultsError`. Failures of the worker are in the outcome.
    """
    try:
        output = output_path.open("wb")
    except OSError as error:
        raise ResultsError(f"{output_path}: cannot be written ({error.strerror})") from error
    with output, run_group(limits.memory_bytes) as group:
        order = _order(prepared.solver, limits, group, plain)
        ours, theirs = socket.socketpair()
        with ours, theirs, contextlib.closing(prepared.fork(order, theirs, output)) as confined:
            theirs.close()
            usage = Usage(confined, group, output_path.parent)
            watch = _Watch(confined, usage, ours, limits, observer, cancelled, FrameReader(limits.columns))
            try:
                watch.start(request)
                watch.until_end()
            except (ProtocolError, OSError) as error:
                watch.outcome.failure = f"communication with the worker process failed: {error}"
                if confined.init is None:
                    watch.outcome.failure = f"{prepared.last_words()}\n{watch.outcome.failure}"
                    prepared.close()  # it is dead, or stuck in an import: the next run starts another
            finally:
                watch.reap()
    return watch.outcome


def _order(solver: str, limits: Limits, group: RunGroup | None, plain: bool) -> Order:
    return Order(
        solver=solver,
        cores=limits.cores,
        data_bytes=_DATA_SHARE * limits.memory_bytes,
        file_bytes=MAX_OUTPUT_BYTES + (1 << 20),  # a file of this size is over the limit of the run
        shared_bytes=_DATA_SHARE * limits.memory_bytes,
        group="" if group is None else str(group.folder),
        plain=plain,
    )


@dataclass(slots=True)
class _Watch:
    """The supervision of one run: its state as seen from the harness."""

    confined: Confined
    usage: Usage
    channel: socket.socket
    limits: Limits
    observer: Observer
    cancelled: threading.Event
    reader: FrameReader
    outcome: ChildOutcome = field(default_factory=ChildOutcome)
    load: MachineLoad | None = None
    started: float = 0.0
    stop_asked: float | None = None
    next_sample: float = 0.0
    last_tick: tuple[float, float] = (0.0, 0.0)

    def start(self, request: dict[str, Any]) -> None:
        """Wait until the worker is ready, then send the request and start the clock."""
        deadline = time.monotonic() + START_SECONDS
        while (frame := self._one_frame()) is None:
            if self.cancelled.is_set():
                raise Cancelled
            if time.monotonic() > deadline:
                raise ProtocolError(f"it was not ready within {START_SECONDS:.0f} s")
            if self.usage.count_memory() > self.limits.memory_bytes:
                self.outcome.ended_by = EndedBy.MEMORY
                raise ProtocolError("it was over its memory limit before it was ready")
        if frame.kind is not Kind.READY:
            raise ProtocolError(f"its first frame was {frame.kind.value}")
        self.confined.look()  # init reported before the worker did
        self.usage.begin()
        self.load = MachineLoad.now(self.limits.cores)
        self.started, self.last_tick = time.monotonic(), _tick()
        send(self.channel, Kind.REQUEST, request)

    def _one_frame(self) -> Frame | None:
        try:
            return next(self._frames(0.1), None)
        except EOFError as error:
            raise ProtocolError("it ended before it was ready") from error

    def _frames(self, timeout: float) -> Iterator[Frame]:
        """Yield the frames that arrive within the timeout. Raises EOFError when the worker has ended or closed the
        channel."""
        exited = self.confined.exited  # checked first: all that it had sent can then be read
        if not select.select([self.channel], [], [], timeout)[0]:
            if exited:  # and a descendant keeps the channel open
                raise EOFError
            return
        try:
            data = self.channel.recv(1 << 20)
        except ConnectionResetError:
            data = b""
        if not data:
            raise EOFError
        yield from self.reader.feed(data)

    def until_end(self) -> None:
        """Pass on frames, let the observer work and enforce limits until the worker has closed its channel."""
        busy = False
        try:
            while True:
                self._notice_stall()
                idle = True
                for frame in self._frames(0.0 if busy else _SAMPLE_SECONDS):
                    self._take(frame)
                    idle = False
                busy = self.observer.work() if idle or self.outcome.result is None else False
                self._enforce()
        except EOFError:
            pass
        finally:
            self.outcome.wall_seconds = self.outcome.wall_seconds or self._elapsed()
            self._notice_stall()
        if self.outcome.ended_by in (
            EndedBy.SOLVER,
            EndedBy.CRASH,
        ):  # a worker at a limit may fail before the next sample
            if self.usage.ran_out_of_memory():
                self.outcome.ended_by = EndedBy.MEMORY
            elif self.usage.exceeds_output(MAX_OUTPUT_BYTES):
                self.outcome.ended_by = EndedBy.OUTPUT
        if self.outcome.result is None and not self.outcome.failure and self.stop_asked is None:
            self.outcome.failure = "the worker process ended without a result"

    def _elapsed(self) -> float:
        return time.monotonic() - self.started

    def _notice_stall(self) -> None:
        """Record for how long this process with all its threads did not run, because it was stopped, the machine slept,
        or other processes had all processors."""
        (now, worked), (before, worked_before) = _tick(), self.last_tick
        stalled = now - before - (worked - worked_before) - _SAMPLE_SECONDS  # it waits that long for frames
        self.outcome.stalled_seconds = max(self.outcome.stalled_seconds, stalled)
        self.last_tick = now, worked

    def _take(self, frame: Frame) -> None:
        elapsed = self._elapsed()
        if self.outcome.result is not None or frame.kind in (Kind.READY, Kind.REQUEST):
            raise ProtocolError(f"{frame.kind.value} out of turn")
        if frame.kind is Kind.RESULT:
            self.outcome.result = frame
            self.outcome.wall_seconds = elapsed
        elif frame.kind is Kind.FAILED:
            self.outcome.failure = str(frame.header.get("traceback", ""))
            self.outcome.wall_seconds = elapsed
            if self.stop_asked is None and frame.header.get("out_of_memory") is True:
                self._stop(EndedBy.MEMORY, elapsed)  # RLIMIT_DATA acted before a sample did
        else:
            self.observer.on_frame(frame, elapsed)
            return
        self.usage.count_memory()
        with contextlib.suppress(OSError):
            self.channel.shutdown(socket.SHUT_WR)  # lets the worker exit
        if self.stop_asked is None:
            self.outcome.ended_by = EndedBy.TIME if elapsed > self.limits.time_seconds else EndedBy.SOLVER
            self.stop_asked = elapsed  # it has sent its last frame and must now exit within the grace period

    def _enforce(self) -> None:
        elapsed = self._elapsed()
        if self.cancelled.is_set():
            raise Cancelled
        if elapsed > self.next_sample:
            self._sample(elapsed)
        if self.stop_asked is not None:
            if elapsed > self.stop_asked + GRACE_SECONDS:
                raise EOFError
        elif self.observer.satisfied_at() is not None:
            self._stop(EndedBy.JUDGE, elapsed)
        elif elapsed > self.limits.time_seconds:
            self._stop(EndedBy.TIME, elapsed)

    def _sample(self, elapsed: float) -> None:
        """Take a sample, and end a run that is over a limit. If it was already ending, `ended_by` stays as it is."""
        start = time.thread_time()
        look = self.usage.look(self.limits.memory_bytes)
        over_memory = look.memory_bytes > self.limits.memory_bytes
        over_output = look.stored_bytes is None or look.stored_bytes > MAX_OUTPUT_BYTES
        self.next_sample = self._elapsed() + max(_SAMPLE_SECONDS, (time.thread_time() - start) / _SAMPLE_SHARE)
        if over_memory or over_output:
            if self.stop_asked is None:
                self.outcome.ended_by = EndedBy.MEMORY if over_memory else EndedBy.OUTPUT
                self.stop_asked = elapsed
            raise EOFError
        in_time = self.stop_asked is None and elapsed <= self.limits.time_seconds
        if in_time and look.cpu_seconds > self.limits.cpu_seconds:
            self._stop(EndedBy.CPU, elapsed)

    def _stop(self, ended_by: EndedBy, elapsed: float) -> None:
        self.outcome.ended_by, self.stop_asked = ended_by, elapsed
        with contextlib.suppress(OSError):
            self.channel.send(b"stop")

    def reap(self) -> None:
        """End the processes that are left, and account for what all processes have used."""
        if self.outcome.ended_by is EndedBy.CRASH:
            self.confined.await_exit(0.5)  # let it die by itself, so that its exit status shows the cause
        self.confined.terminate()
        self.confined.await_exit(TERMINATION_SECONDS)
        begun = self.confined.init is not None  # else the solver is being imported; a worker forked later ends at once
        if not self.confined.end(_REAPING_SECONDS if begun else 0.0) and begun:
            self.outcome.failure += " (some of its processes could not be killed)"
        self.usage.finish()
        self.outcome.enforcement, self.outcome.counted = self.confined.enforcement, self.usage.counted
        self.outcome.cpu_seconds = self.usage.final_cpu_seconds()
        self.outcome.peak_memory_bytes = self.usage.peak_memory_bytes
        if self.load is not None:
            self._compare(self.load, MachineLoad.now(self.limits.cores))
        if self.outcome.ended_by is EndedBy.CRASH:
            self.outcome.failure += f" ({_describe(self.confined.exitcode)})"

    def _compare(self, before: MachineLoad, after: MachineLoad) -> None:
        """Record the work of other processes on the run's cores meanwhile; the harness's own work there counts too."""
        self.outcome.cores = self.limits.cores
        busy, own = after.core_seconds - before.core_seconds, self.outcome.cpu_seconds
        if self.limits.cores:
            self.outcome.foreign_seconds = None if own is None else max(0.0, busy - own)
        self.outcome.swapped_bytes = after.swapped_bytes - before.swapped_bytes


def _tick() -> tuple[float, float]:
    """Return the time of a clock that goes on while the machine sleeps, and this process's own processor time."""
    return time.clock_gettime(time.CLOCK_BOOTTIME), time.process_time()


def _describe(exitcode: int | None) -> str:
    if exitcode is None:
        return "its exit status is unknown"
    if exitcode >= 0:
        return f"exit code {exitcode}"
    try:
        return f"killed by {signal.Signals(-exitcode).name}"
    except ValueError:  # a real-time signal
        return f"killed by signal {-exitcode}"
