"""Prepared solvers that tests share."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from vnnbench.isolation.fork_client import Prepared, PreparedSolvers

MAX_KEPT_SOLVERS = 8


class KeptSolvers:
    """Prepared solvers that wait for the next test when a harness is done with them, so that each is imported once.

    It is called as the local engine calls `PreparedSolvers`. A process serves only tests that would have started the
    same one: of the same solver, threads, folder and environment. Described programs are prepared anew, because their
    files may change.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[tuple[object, ...], Prepared] = {}

    def __call__(
        self, solvers: Iterable[str], threads: int, folder: Path
    ) -> AbstractContextManager[Mapping[str, Prepared]]:
        """Lend prepared solvers; `folder` is for those that are prepared anew."""
        return self._lend(set(solvers), threads, folder)

    @contextlib.contextmanager
    def _lend(self, solvers: set[str], threads: int, folder: Path) -> Iterator[Mapping[str, Prepared]]:
        own = {name for name in solvers if not name.isidentifier()}
        if threading.current_thread() is not threading.main_thread():  # its processes end with the thread
            own = solvers
        with PreparedSolvers(own, threads, folder) as prepared:
            lent = {name: self._start(name, threads) for name in solvers - own}
            yield lent | {name: prepared[name] for name in own}

    def _start(self, solver: str, threads: int) -> Prepared:
        environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
        key = (solver, threads, Path.cwd(), tuple(sorted(environment.items())))
        prepared = self._kept.pop(key, None) or Prepared(solver, threads, self._folder)
        self._kept[key] = prepared  # this one becomes the last to be given up
        while len(self._kept) > MAX_KEPT_SOLVERS:
            self._kept.pop(next(iter(self._kept))).close()
        prepared.start()
        return prepared

    def processes(self) -> set[int]:
        """Return the numbers of the processes that wait."""
        return {prepared._process.pid for prepared in self._kept.values() if prepared._process is not None}

    def close(self) -> None:
        """End all processes that wait."""
        for prepared in self._kept.values():
            prepared.close()
