"""Two things that adapters of Python packages need: import of the package, and redirection of what it prints."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import BinaryIO

from vnnbench.solvers.base import NotInstalledError, Solver


def load(solver: Solver) -> ModuleType:
    """Import and return the solver's Python package. Raises `NotInstalledError`."""
    try:
        return importlib.import_module(solver.module)
    except ImportError as error:
        raise NotInstalledError(
            f"{solver.name}: cannot import the Python package {solver.module} ({error}): pip install {solver.module}"
        ) from error


@contextmanager
def stderr_to(target: BinaryIO) -> Iterator[None]:
    """Send everything that the process writes to file descriptor 2 into a file for a while.

    Some vendors can print errors only there, from C. The descriptor belongs to the whole process, so the output of
    other threads is redirected, too.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        os.dup2(target.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
    finally:
        os.close(saved)
