"""Workers on a cluster for the generation of a library: each does one step at a time, in the library's folder.

A step writes its files whole and its record last, and gives the same bytes whenever it is done; so a step whose worker
is lost is given to another, and nothing else is needed to continue a generation that was stopped.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

from vnnbench.engines.cluster import Cluster, ManagerLost, WorkerLost
from vnnbench.engines.cluster_options import ClusterOptions
from vnnbench.engines.environment import Environment
from vnnbench.errors import ResultsError
from vnnbench.instances.errors import LibraryError
from vnnbench.instances.files import remove_folder
from vnnbench.instances.generation.workers import Submit, start_worker
from vnnbench.instances.layout import STATE

MAX_LOSSES = 10
"""How many workers a step may lose: jobs that end before a step does would otherwise repeat it without end."""
_CHECK_SECONDS = 1.0


@contextmanager
def cluster_workers(options: ClusterOptions, status: Callable[[str], None], folder: Path) -> Iterator[Submit]:
    """Yield a function that submits work to workers on a cluster, which share the library's folder. status: as
    `on_status` of `Cluster`.

    Paths in the work must be absolute. Raises `UsageError`, `ResultsError`; the futures raise them too, and
    `LibraryError` for work that lost too many workers.
    """
    own = folder.absolute() / STATE / f"cluster-{uuid.uuid4().hex}"
    own.mkdir(parents=True, mode=0o700)
    failed = False
    try:
        with Cluster(own, options, 1, None, lambda jobs: None, status) as cluster:
            pool = _Pool(cluster)
            watch = threading.Thread(target=pool.watch, name="cluster", daemon=True)
            watch.start()
            try:
                yield pool.submit
            finally:
                pool.ended.set()
                watch.join()
    except Exception:
        failed = True  # its logs may say why
        raise
    finally:
        if not failed:
            remove_folder(own)


class _Pool:
    """The work that is not done yet, on a cluster. ended: set when no more is wanted."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._environment = Environment.here().document
        self._waiting: set[Future[Any]] = set()
        self._lock = threading.Lock()
        self.ended = threading.Event()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            self._waiting.add(future)
        self._give(future, 0, function, arguments)
        return future

    def _give(self, future: Future[Any], losses: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        given = self._cluster.call(do_step, self._environment, function, *arguments)
        given.add_done_callback(partial(self._take, future, losses, function, arguments))

    def _take(
        self,
        future: Future[Any],
        losses: int,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        given: Future[Any],
    ) -> None:
        """Pass on what a worker returned, or give the work to another worker."""
        error = given.exception()
        if not isinstance(error, WorkerLost | ManagerLost):
            self._end(future, error, None if error else given.result())
        elif losses + 1 < MAX_LOSSES:
            if not self.ended.is_set():
                self._give(future, losses + 1, function, arguments)
        else:
            why = "its job ended too soon (give a longer walltime), or it ran out of memory"
            self._end(future, LibraryError(f"{MAX_LOSSES} workers were lost at one step: each time {why}"), None)

    def _end(self, future: Future[Any], error: BaseException | None, result: Any) -> None:
        with self._lock:
            if future not in self._waiting:
                return
            self._waiting.remove(future)
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def watch(self) -> None:
        """Let all work fail when the cluster cannot go on."""
        while not self.ended.wait(_CHECK_SECONDS):
            try:
                self._cluster.check()
            except ResultsError as error:
                for future in list(self._waiting):
                    self._end(future, error, None)


def do_step(environment: dict[str, str], function: Callable[..., Any], *arguments: Any) -> Any:
    """Do work in a worker that has the environment of the head. Raises `ResultsError` where it has another."""
    _prepare()
    expected = Environment.of(environment, "the head")
    if (wrong := Environment.here().mismatch(expected)) is not None:
        raise ResultsError(wrong)
    return function(*arguments)


@cache
def _prepare() -> None:
    with suppress(ValueError):  # where this is not the main thread, it gets no Ctrl-C either
        start_worker()
