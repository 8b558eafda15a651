"""One solver child under limits: start, watch, stop, kill, account.

The child is a process group of its own. Wall-clock and memory limits are enforced here, whatever the solver does about
its own; a stop is asked for first, and what has not ended within the grace period is killed with its whole group.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil

from bench.protocol import Frame, FrameReader, Kind, ProtocolError, send
from leaderboard.records import EndedBy, Enforcement

GRACE_SECONDS = 5.0
START_SECONDS = 120.0
MAX_OUTPUT_BYTES = 1 << 28
_SAMPLE_SECONDS = 0.05
_SAMPLE_SHARE = 0.05  # of the time: looking for descendants reads all of /proc, which takes long on a busy machine


class Cancelled(Exception):  # noqa: N818 - no error: the operator stopped the run, and nothing of it is recorded
    """The run was stopped by the operator."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may use: seconds from handing over the request, bytes of resident memory of the process group."""

    time_seconds: float
    memory_bytes: int


class Observer(Protocol):
    """Who watches a run: is told every frame, does its judging in slices between them, and may be satisfied."""

    def on_frame(self, frame: Frame, seconds: float) -> None:
        """A frame that is neither READY, RESULT nor FAILED arrived, this long after the request."""

    def work(self) -> bool:
        """Do one slice of pending work; False when there was none."""

    def satisfied_at(self) -> float | None:
        """When the answer that suffices arrived; None while there is none."""


@dataclass(slots=True)
class ChildOutcome:
    """What the harness saw. `result`, `failure`: the child's last word, if it had one. All times in seconds.

    cores: what the child was pinned to; empty: it had none of its own. foreign_seconds: processor time that others
    took on its cores while it ran. swapped_bytes: what the machine swapped meanwhile.
    """

    ended_by: EndedBy = EndedBy.CRASH
    result: Frame | None = None
    failure: str = ""
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    enforcement: Enforcement = Enforcement.PROCESS_GROUP
    cores: tuple[int, ...] = ()
    foreign_seconds: float = 0.0
    swapped_bytes: int = 0


def run_child(
    solver: str,
    request: dict[str, Any],
    limits: Limits,
    observer: Observer,
    output_path: Path,
    cancelled: threading.Event,
) -> ChildOutcome:
    """Start a child for `solver`, hand it `request`, watch it to its end. Its stdout and stderr go to `output_path`;
    what it writes into that folder is limited to MAX_OUTPUT_BYTES.

    Call it from a thread that outlives the child: the kernel kills the child when the creating thread ends.
    Raises `Cancelled`; whatever else goes wrong in the child is in the outcome.
    """
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-P", "-m", "bench.worker", str(theirs.fileno()), str(os.getpid()), solver]
    environment = {**os.environ, "OMP_NUM_THREADS": str(request["threads"]), "PYTHONFAULTHANDLER": "1"}
    with ours, theirs, output_path.open("wb") as output:
        process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=environment,
        )
        theirs.close()
        watch = _Watch(process, ours, limits, observer, cancelled, output_path.parent)
        try:
            watch.start(request)
            watch.until_end()
        except (ProtocolError, OSError) as error:
            watch.outcome.failure = f"the child broke the channel: {error}"
        finally:
            watch.reap()
    return watch.outcome


@dataclass(slots=True)
class _Watch:
    """The state of one run as seen from outside."""

    process: subprocess.Popen[bytes]
    channel: socket.socket
    limits: Limits
    observer: Observer
    cancelled: threading.Event
    folder: Path
    outcome: ChildOutcome = field(default_factory=ChildOutcome)
    reader: FrameReader = field(default_factory=FrameReader)
    descendants: set[psutil.Process] = field(default_factory=set)
    started: float = 0.0
    stop_asked: float | None = None
    next_sample: float = 0.0

    def start(self, request: dict[str, Any]) -> None:
        """Wait until the solver is imported, then hand over the request: here the clock starts."""
        deadline = time.monotonic() + START_SECONDS
        while (frame := self._one_frame()) is None:
            if self.cancelled.is_set():
                raise Cancelled
            if time.monotonic() > deadline:
                raise ProtocolError(f"it was not ready within {START_SECONDS:.0f} s")
            if self._memory() > self.limits.memory_bytes:
                self.outcome.ended_by = EndedBy.MEMORY
                raise ProtocolError("it was over its memory limit before it was ready")
        if frame.kind is not Kind.READY:
            raise ProtocolError(f"its first word was {frame.kind.value}")
        self.started = time.monotonic()
        send(self.channel, Kind.REQUEST, request)

    def _one_frame(self) -> Frame | None:
        try:
            return next(self._frames(0.1), None)
        except EOFError as error:
            raise ProtocolError("it ended before it was ready") from error

    def _frames(self, timeout: float) -> Iterator[Frame]:
        """The frames that arrive within the timeout; EOFError when the child is gone or closed the channel."""
        exited = self._exited()  # asked first: what it had sent is then there to be read
        if not select.select([self.channel], [], [], timeout)[0]:
            if exited:  # and a descendant holds the channel open
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
        """Relay frames, let the observer work, enforce limits, until the child has closed its channel."""
        busy = False
        try:
            while True:
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
        if self.outcome.result is None and not self.outcome.failure and self.stop_asked is None:
            self.outcome.failure = "the child ended without a result"

    def _elapsed(self) -> float:
        return time.monotonic() - self.started

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
        else:
            self.observer.on_frame(frame, elapsed)
            return
        self._memory()
        if self.stop_asked is None:
            self.outcome.ended_by = EndedBy.SOLVER
            self.stop_asked = elapsed  # it has said its last word; what remains is to exit within the grace period

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
        """Kill what uses too much. What ended the run before stays its end: then this was only a slow goodbye."""
        used, written = self._memory(), self._written()
        self.next_sample = elapsed + max(_SAMPLE_SECONDS, (self._elapsed() - elapsed) / _SAMPLE_SHARE)
        if used <= self.limits.memory_bytes and written <= MAX_OUTPUT_BYTES:
            return
        if self.stop_asked is None:
            self.outcome.ended_by = EndedBy.MEMORY if used > self.limits.memory_bytes else EndedBy.OUTPUT
            self.stop_asked = elapsed
        raise EOFError

    def _stop(self, ended_by: EndedBy, elapsed: float) -> None:
        self.outcome.ended_by, self.stop_asked = ended_by, elapsed
        with contextlib.suppress(OSError):
            self.channel.send(b"stop")

    def _memory(self) -> int:
        """Resident bytes of the child and its descendants now; remembers the largest, and who they are."""
        total = 0
        with contextlib.suppress(psutil.Error):
            child = psutil.Process(self.process.pid)
            self.descendants = {process for process in self.descendants if process.is_running()}
            self.descendants.update(child.children(recursive=True))
            for process in [child, *self.descendants]:
                with contextlib.suppress(psutil.Error):
                    total += process.memory_info().rss
        self.outcome.peak_memory_bytes = max(self.outcome.peak_memory_bytes, total, _high_water_bytes(self.process.pid))
        return total

    def _written(self) -> int:
        with contextlib.suppress(OSError):
            return sum(path.lstat().st_size for path in self.folder.iterdir())
        return 0

    def reap(self) -> None:
        """Kill what is left of the group, wait for the child, and account for its processor time and memory."""
        if self.outcome.ended_by is EndedBy.CRASH:
            self._await_exit(0.5)  # let it die of what it is dying of, so that its status tells
        self._memory()
        self._signal_group(signal.SIGTERM)
        self._await_exit(0.5)
        self._signal_group(signal.SIGKILL)  # its descendants; the unreaped child still keeps the group's number
        for process in self.descendants:  # those that made a group of their own
            with contextlib.suppress(psutil.Error):
                process.kill()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)  # it is reaped: Popen must not wait again
        self.outcome.cpu_seconds = usage.ru_utime + usage.ru_stime
        if usage.ru_maxrss > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
            # Up to there it may be our own: the kernel counts what a child was before it became its program.
            self.outcome.peak_memory_bytes = max(self.outcome.peak_memory_bytes, usage.ru_maxrss * 1024)
        if self.outcome.ended_by is EndedBy.CRASH:
            self.outcome.failure += f" ({_describe(self.process.returncode)})"

    def _exited(self) -> bool:
        """Whether the child is dead; it stays a zombie, to be accounted for."""
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _await_exit(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._exited() and time.monotonic() < deadline:
            time.sleep(0.002)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def _high_water_bytes(pid: int) -> int:
    """The most that a process has had resident since it became its program; 0 when it is gone."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
    return 0


def _describe(returncode: int) -> str:
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return f"killed by {signal.Signals(-returncode).name}"
    except ValueError:  # a real-time signal
        return f"killed by signal {-returncode}"
