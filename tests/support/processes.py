"""Processes that run: those of prepared solvers, and those that carry a mark."""

from __future__ import annotations

import contextlib

import psutil

MARK = "VNNBENCH_TEST_MARK"
"""The environment variable whose value marks the processes that a test has started."""
MODULES = {"vnnbench.isolation.fork_server", "vnnbench.isolation.worker"}
"""The modules that the processes of a prepared solver and of its runs execute."""


def is_alive(pid: int) -> bool:
    """Return whether a process runs: neither gone nor a zombie."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def solver_processes() -> list[psutil.Process]:
    """Return the processes of prepared solvers and their runs below this process, zombies included."""
    return [child for child in psutil.Process().children(recursive=True) if _is_of_solver(child)]


def _is_of_solver(child: psutil.Process) -> bool:
    try:
        words = child.cmdline()
    except psutil.ZombieProcess:
        return True
    except psutil.NoSuchProcess:  # reaped since the children were listed
        return False
    return not words or bool(MODULES & set(words))


def marked_processes(mark: str) -> list[psutil.Process]:
    """Return the processes that carry the mark, wherever they have hidden; zombies do not count."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
