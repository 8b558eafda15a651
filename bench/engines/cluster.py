"""A cluster of workers, moved and held by Parsl's HighThroughputExecutor: jobs, their replacement, messages.

    head ── interchange ──┬─ pool of a node ── worker processes, one run at a time each
                          └─ ...

Parsl's data flow kernel is not used: what is executed, and whether it is finished, are questions of the head. Messages
are encrypted and authenticated (CURVE), with keys that lie in the cluster's folder and end with it.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
from parsl.executors import HighThroughputExecutor
from parsl.executors.errors import BadStateException
from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost
from parsl.executors.high_throughput.executor import DEFAULT_LAUNCH_CMD
from parsl.jobs.error_handlers import windowed_error_handler
from parsl.jobs.states import TERMINAL_STATES, JobState
from parsl.jobs.strategy import Strategy

from vnnbench.engines.cluster_options import ClusterOptions
from vnnbench.engines.providers import end_marked, make_provider
from vnnbench.errors import ResultsError, UsageError
from vnnbench.instances.files import remove_folder
from vnnbench.leaderboard.text import count

HEARTBEAT_SECONDS, LOST_SECONDS = 5, 30
"""How often workers report that they are alive, and how long none need arrive before their runs are given to others."""
_LOOPBACK = "127.0.0.1"
_POLL_SECONDS, _FIRST_SECONDS = 5.0, 0.5
"""How often jobs are polled, and when for the first time: there should be runs by then, or no job is submitted."""
_STATUS_SECONDS = 15.0
_IDLE_SECONDS = 60.0
"""How long a job may have nothing to do before it is ended."""
_ANSWER_SECONDS = 30.0
_START_SECONDS = 60
"""How long a pool may take to reach the interchange."""

__all__ = ["Cluster", "ManagerLost", "WorkerLost"]


class _Executor(HighThroughputExecutor):
    """The executor, whose questions to the interchange end after a time: a dead one never answers (Parsl issue
    3374)."""

    def connected_blocks(self) -> list[str]:
        blocks: list[str] = self._ask("CONNECTED_BLOCKS")
        return blocks

    def connected_managers(self) -> list[dict[str, Any]]:
        managers: list[dict[str, Any]] = self._ask("MANAGERS")
        return managers

    @property
    def status_polling_interval(self) -> float:
        """How often the scheduler is asked for the jobs, in seconds: each job that has ended is one less until then."""
        own: float = super().status_polling_interval
        return min(own, _STATUS_SECONDS)

    def _ask(self, question: str) -> Any:
        return self.command_client.run(question, timeout_s=_ANSWER_SECONDS)  # type: ignore[no-untyped-call]


class Cluster:
    """Workers in jobs of a provider, as a context manager. At its end the jobs are cancelled and the keys removed, also
    when SIGTERM or SIGHUP ends it, which count as Ctrl-C within.

    folder: for keys, logs and scripts, shared by all machines, which only this user can read. cores: of each worker.
    drain_seconds: when a job takes no more work after its start; None: never. on_jobs: is called with the ids of all
    jobs of this cluster whenever one more is submitted. on_status: is called every _POLL_SECONDS with the numbers of
    jobs and workers in words. Both in a thread of its own.

    Raises `UsageError`, `ResultsError`.
    """

    def __init__(
        self,
        folder: Path,
        options: ClusterOptions,
        cores: int,
        drain_seconds: int | None,
        on_jobs: Callable[[tuple[str, ...]], None],
        on_status: Callable[[str], None],
    ) -> None:
        check_plain(folder)
        check_plain(Path(sys.executable))
        self.folder, self._options, self._on_jobs, self._on_status = folder, options, on_jobs, on_status
        self.provider = make_provider(options, cores, folder.name)
        self.provider.script_dir = str(folder / "scripts")
        pool = f"{sys.executable} -P -m parsl.executors.high_throughput.process_worker_pool"
        self._executor = _Executor(
            label="vnnbench",
            provider=self.provider,
            # Found by this interpreter, not through PATH, where another installation may come first.
            launch_cmd=DEFAULT_LAUNCH_CMD.replace("process_worker_pool.py", pool),
            interchange_launch_cmd=[
                *(sys.executable, "-P", "-m", "vnnbench.engines.interchange", str(os.getpid())),
                str(folder / "interchange.log"),
            ],
            address=_LOOPBACK,
            cores_per_worker=cores,
            max_workers_per_node=options.workers_per_node,
            prefetch_capacity=0,
            heartbeat_period=HEARTBEAT_SECONDS,
            heartbeat_threshold=LOST_SECONDS,
            drain_period=drain_seconds,
            address_probe_timeout=_START_SECONDS,
            # The default one gives up when the first job fails, even when others run.
            block_error_handler=windowed_error_handler,
            encrypted=True,
        )
        if options.provider != "local":
            # Parsl itself would also ask a service on the internet for an address.
            self._executor.address = options.address
            self._executor.all_addresses = {options.address} if options.address else own_addresses()
        self._sending = threading.Lock()  # its socket is not for several threads at a time
        self._stopped = threading.Event()
        self._signals = ExitStack()
        self._poller = threading.Thread(target=self._poll, name="jobs", daemon=True)

    def __enter__(self) -> Self:
        self._signals.enter_context(_ended_like_ctrl_c())
        (self.folder / "scripts").mkdir(exist_ok=True)
        _log_to(self.folder / "parsl.log")
        self._executor.run_dir = str(self.folder)
        try:
            self._executor.start()  # type: ignore[no-untyped-call]
        except BaseException as error:
            self.__exit__(None, None, None)
            if not isinstance(error, Exception):
                raise
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise ResultsError(f"{self.folder}: the interchange could not be started ({said})") from error
        self._poller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._signals:
            self._end()

    def _end(self) -> None:
        self._stopped.set()
        if self._poller.is_alive():
            self._poller.join(2 * _ANSWER_SECONDS)
        jobs = self._executor.blocks_to_job_id
        ended = {block for block, status in self._executor.status_facade.items() if status.state in TERMINAL_STATES}
        if running := [job for block, job in jobs.items() if block not in ended]:
            self.provider.cancel(running)
        if self._options.provider == "local":
            end_marked(self.folder.name)  # also what a killed pool has left
        self._executor.shutdown()
        _log_to(None)
        remove_folder(self.folder / self._executor.label / "certificates")

    def submit(self, function: str, message: bytes) -> Future[str]:
        """Let a worker call a function, by its full name, with a message; the future has what it returns.

        The future raises `ManagerLost` or `WorkerLost` when the worker is lost meanwhile.
        """
        with self._sending:
            future: Future[str] = self._executor.submit_payload({"task_executor": {"f": function}}, message)
        return future

    def call(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Let a worker call a function, which must be importable there. The future is as that of `submit`."""
        with self._sending:
            return self._executor.submit(function, {}, *arguments)

    def check(self) -> None:
        """Raise `ResultsError` when the cluster cannot go on: its interchange has died, or its jobs fail."""
        if self._executor.bad_state_is_set:
            raise ResultsError(self._failure(self._executor.executor_exception))
        if (code := self._interchange_code()) is not None:
            raise ResultsError(
                f"the interchange, which passes runs to the workers, has ended (exit code {code}); "
                f"give the same command again (log: {self.folder / 'interchange.log'})"
            )

    def _interchange_code(self) -> int | None:
        """Return the exit code of the interchange; None while it runs."""
        process = self._executor.interchange_proc
        return None if process is None else process.poll()

    def failure(self, error: BaseException) -> ResultsError:
        """Return the error of a future in one line. Other errors than those of Parsl are raised."""
        if isinstance(error, BadStateException):
            return ResultsError(self._failure(self._executor.executor_exception))
        raise error

    def _failure(self, error: BaseException | None) -> str:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = next((line for line in reversed(lines) if not line.endswith(":")), "no message")
        return f"three jobs in a row have failed ({said}); their scripts and logs are in {self.folder / 'scripts'}"

    @property
    def has_running_jobs(self) -> bool:
        """Whether the scheduler says that a job is running, as far as it was asked."""
        return any(status.state is JobState.RUNNING for status in self._executor.status_facade.values())

    def _status(self) -> str:
        """Return the numbers of jobs and workers in words. A node has one pool of workers (Parsl: manager), whose job
        (block) runs, even where the scheduler was not asked since."""
        pools = self._executor.connected_managers()
        states = {block: status.state for block, status in self._executor.status_facade.items()}
        states |= {pool["block_id"]: JobState.RUNNING for pool in pools}
        found = [*states.values()]
        running, waiting = found.count(JobState.RUNNING), found.count(JobState.PENDING)
        workers, busy = (sum(pool[name] for pool in pools) for name in ("worker_count", "tasks"))
        at_work = f"; {busy} of {count(workers, 'worker')} busy on {count(len(pools), 'node')}" if pools else ""
        return f"{count(running, 'job')} running, {waiting} waiting{at_work}"

    def _poll(self) -> None:
        """Look at the jobs, and submit as many as there is work for, until the cluster ends."""
        strategy = Strategy(strategy="simple", max_idletime=_IDLE_SECONDS)
        strategy.add_executors([self._executor])
        noted = 0
        self._stopped.wait(_FIRST_SECONDS)
        while True:
            try:
                self._executor.poll_facade()
                self._executor.handle_errors(self._executor.status_facade)
                strategy.strategize([self._executor])
                if len(jobs := dict(self._executor.blocks_to_job_id)) > noted:
                    noted = len(jobs)
                    self._on_jobs(tuple(jobs.values()))
                if self._interchange_code() is None:
                    self._on_status(self._status())
            except Exception:
                logging.getLogger("parsl").exception("the jobs could not be polled")
            if self._stopped.wait(_POLL_SECONDS):
                return


@contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise `KeyboardInterrupt` where they would end this process at once."""
    in_main = threading.current_thread() is threading.main_thread()  # no other may set handlers
    ours = [
        number for number in (signal.SIGTERM, signal.SIGHUP) if in_main and signal.getsignal(number) is signal.SIG_DFL
    ]
    for number in ours:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def own_addresses() -> set[str]:
    """Return the IPv4 addresses of this machine's network interfaces."""
    found = (address for addresses in psutil.net_if_addrs().values() for address in addresses)
    return {address.address for address in found if address.family is socket.AF_INET}


def check_plain(path: Path) -> None:
    """Raise `UsageError` for a path that a shell, or a template of Parsl, would read otherwise."""
    if wrong := re.search(r"[^A-Za-z0-9_@+=:,./-]", str(path)):
        raise UsageError(f"{path}: a cluster's scripts need a path without {wrong[0]!r}; name another folder")


def _log_to(path: Path | None) -> None:
    """Let Parsl write its log to a file, and nothing to stderr; None ends that."""
    logger = logging.getLogger("parsl")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    if path is not None:
        handler = logging.FileHandler(path)
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING)
    logger.propagate = path is None
