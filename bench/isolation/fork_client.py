"""The harness's side of the fork server: one prepared process per adapter, from which every run is forked, and the
control of the forked workers (`fork_server`)."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TextIO

from vnnbench.errors import ResultsError
from vnnbench.isolation.fork_server import EXITED, GUARDED, HELD, TERMINATE, USED, Order
from vnnbench.isolation.proc_readings import descendants
from vnnbench.leaderboard.words import Enforcement

_CREDENTIALS = struct.Struct("3i")
_DESCRIPTOR = struct.Struct("i")
_ANCILLARY_BYTES = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(_DESCRIPTOR.size)
_LAST_WORDS_BYTES = 1 << 16


class Prepared:
    """The prepared process of one adapter, which is started when it is first needed, and again when it has died.

    Start it in a thread that lives longer than its runs: the kernel kills the process when that thread ends.
    """

    def __init__(self, solver: str, threads: int, folder: Path) -> None:
        self.solver = solver
        self._folder = folder
        self._log: BinaryIO | None = None
        self._environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(threads),
            "OPENBLAS_NUM_THREADS": "1",  # numpy's library, whose threads would not survive a fork
            "PYTHONFAULTHANDLER": "1",
        }
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket | None = None

    def start(self) -> None:
        """Start the process unless it is running, without waiting until it has imported the solver.

        Raises `ResultsError`.
        """
        with self._lock:
            self._ensure()

    def _ensure(self) -> socket.socket:
        if self._orders is None or self._process is None or self._process.poll() is not None:
            self._stop()
            try:
                # Without a name, so that a run cannot replace it: what is read from it is what the process printed.
                self._log = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - as long as the process
                self._orders = self._start(self._log)
            except OSError as error:
                raise ResultsError(f"{self._folder}: a process could not be started ({error.strerror})") from error
        return self._orders

    def _start(self, log: BinaryIO) -> socket.socket:
        """Start the process, and return the socket for its orders."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [
            sys.executable,
            "-P",
            "-m",
            "vnnbench.isolation.fork_server",
            str(theirs.fileno()),
            str(os.getpid()),
            self.solver,
        ]
        try:
            with theirs:
                self._process = subprocess.Popen(
                    command,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    env=self._environment,
                )
        except OSError:
            ours.close()
            raise
        return ours

    def fork(self, order: Order, channel: socket.socket, output: BinaryIO) -> Confined:
        """Fork a worker that communicates through `channel` and prints to `output`. Raises `ResultsError`."""
        with self._lock:
            orders = self._ensure()
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            with theirs, suppress(OSError):  # the process may be dying: then the channel closes
                descriptors = [channel.fileno(), theirs.fileno(), output.fileno()]
                socket.send_fds(orders, [order.encode()], descriptors)
        return Confined(ours)

    def last_words(self) -> str:
        """Return what the process has printed, which says why it could not import the solver."""
        with self._lock:
            words = b"" if self._log is None else os.pread(self._log.fileno(), _LAST_WORDS_BYTES, 0)
        return words.decode(errors="replace")

    def _stop(self) -> None:
        if self._orders is not None:
            self._orders.close()
        if self._process is not None:
            self._process.kill()  # its runs have ended, or continue without it
            self._process.wait()
        if self._log is not None:
            self._log.close()
        self._orders = self._process = self._log = None

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._stop()


class PreparedSolvers:
    """The prepared processes of a plan, by adapter, as a context manager; their output goes into `folder`."""

    def __init__(self, solvers: Iterable[str], threads: int, folder: Path) -> None:
        self._prepared = {solver: Prepared(solver, threads, folder) for solver in dict.fromkeys(solvers)}

    def __enter__(self) -> Self:
        for prepared in self._prepared.values():
            prepared.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for prepared in self._prepared.values():
            prepared.close()

    def __getitem__(self, solver: str) -> Prepared:
        return self._prepared[solver]


class Confined:
    """A worker with all processes that it starts, controlled through the control socket of its init.

    enforcement: how they are confined; PROCESS_GROUP, the weakest, until init has reported. init: its process number;
    None until it has reported. exitcode: that of the worker, as in `subprocess`; None while it runs. cpu_seconds: the
    processor time of all processes, once all have ended.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self.enforcement = Enforcement.PROCESS_GROUP
        self.init: int | None = None
        self.exitcode: int | None = None
        self.cpu_seconds: float | None = None
        self._closed = False
        self._guards: dict[int, int] = {}  # monitor and init: their process numbers and pidfds
        self._segments: TextIO | None = None

    def segments(self) -> str | None:
        """Return the list of System V segments of the run's IPC namespace; None where it has no such namespace."""
        if self._segments is None:
            return None
        self._segments.seek(0)
        return self._segments.read()

    def look(self, timeout: float = 0.0) -> None:
        """Read what init and monitor have reported; wait up to `timeout` seconds for the first report."""
        self._control.settimeout(timeout)
        while not self._closed and self._take():
            self._control.settimeout(0.0)

    def _take(self) -> bool:
        try:
            data, ancillary, _, _ = self._control.recvmsg(1 << 12, _ANCILLARY_BYTES)
        except (TimeoutError, BlockingIOError):
            return False
        except OSError:
            data, ancillary = b"", []
        if not data:
            self._closed = True
            return False
        message = json.loads(data)  # from our own init and monitor: the worker does not have this socket
        # The kernel gives the sender's number in our namespace; in its own, init is number 1.
        sender = next(_CREDENTIALS.unpack(d)[0] for _, kind, d in ancillary if kind == socket.SCM_CREDENTIALS)
        if GUARDED in message or HELD in message:
            with suppress(OSError):  # a kernel before 5.3 has no such descriptors
                self._guards[sender] = os.pidfd_open(sender)
        if HELD in message:
            self.enforcement, self.init = Enforcement(message[HELD]), sender
            for (descriptor,) in (_DESCRIPTOR.unpack(d) for _, kind, d in ancillary if kind == socket.SCM_RIGHTS):
                self._segments = os.fdopen(descriptor)
        self.exitcode = message.get(EXITED, self.exitcode)
        self.cpu_seconds = message.get(USED, self.cpu_seconds)
        return True

    @property
    def exited(self) -> bool:
        """Return whether the worker has ended, or no process is left that could report its end."""
        self.look()
        return self.exitcode is not None or self._closed

    def terminate(self) -> None:
        """Send SIGTERM to the worker and all processes that it started."""
        self._order(TERMINATE)

    def end(self, timeout: float) -> bool:
        """Kill the worker and all processes that it started: by init, else by the monitor, else, after `timeout`
        seconds, from here. Return whether all were gone within the timeout, or as long again."""
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)
        if self._wait(lambda: False, timeout):
            return True
        self._kill()
        return self._wait(lambda: False, timeout)

    def _kill(self) -> None:
        """Kill all processes below monitor and init, then these two: without a namespace, a run can stop (SIGSTOP)
        them."""
        for number, guard in self._guards.items():
            with suppress(OSError):  # it is gone, and another process may have its number
                signal.pidfd_send_signal(guard, 0)
                for process in set(descendants(number)) - set(self._guards):
                    with suppress(OSError):
                        os.kill(process, signal.SIGKILL)
        for guard in self._guards.values():
            with suppress(OSError):
                signal.pidfd_send_signal(guard, signal.SIGKILL)

    def await_exit(self, timeout: float) -> None:
        """Wait until the worker has ended, at most `timeout` seconds."""
        self._wait(lambda: self.exitcode is not None, timeout)

    def _order(self, order: bytes) -> None:
        with suppress(OSError):
            self._control.send(order)

    def _wait(self, done: Callable[[], bool], timeout: float) -> bool:
        """Wait until `done`, or until init and monitor are gone, at most `timeout` seconds; return whether either
        happened."""
        deadline = time.monotonic() + timeout
        while not (done() or self._closed) and (left := deadline - time.monotonic()) > 0:
            self.look(left)
        return done() or self._closed

    def close(self) -> None:
        """Close the control socket and the descriptors. Processes of the run that are still running end then."""
        self._control.close()
        for guard in self._guards.values():
            os.close(guard)
        self._guards.clear()
        if self._segments is not None:
            self._segments.close()
