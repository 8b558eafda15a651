"""The known solvers by name. Importing this module imports no vendor package.

`command_line/*.toml` are programs that come with a description; a path to a TOML is a program described elsewhere.
Other packages add adapters through the entry point group `vnnbench.solvers`, each entry a `Solver` class.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from vnnbench.common.text import message_line
from vnnbench.solvers.base import BrokenAdapterError, Solver, UnknownSolverError
from vnnbench.solvers.command_line.adapter import command_solver
from vnnbench.solvers.command_line.description import SUFFIX, CommandFileError, packaged_files, read_command_file
from vnnbench.solvers.gurobi import Gurobi
from vnnbench.solvers.highs import Highs
from vnnbench.solvers.scip import Scip

ENTRY_POINT_GROUP = "vnnbench.solvers"
_FORMER_PACKAGES = ("instances", "leaderboard", "solvers")
"""The former names of our packages, which older adapters import."""


@cache
def _own_adapters() -> dict[str, type[Solver]]:
    """Return the adapters of this package by name."""
    adapters: list[type[Solver]] = [Gurobi, Highs, Scip]
    adapters += [command_solver(read_command_file(path)) for path in packaged_files()]
    return {adapter.name: adapter for adapter in adapters}


@cache
def _entry_points() -> dict[str, EntryPoint]:
    """Return the entry points of other packages' adapters by name, not loaded; none can replace one of ours."""
    entries = entry_points(group=ENTRY_POINT_GROUP)
    return {entry.name: entry for entry in reversed(entries) if entry.name not in _own_adapters()}


@cache
def _adapter(name: str) -> type[Solver]:
    """Return the adapter of one of `solver_names`. Raises `BrokenAdapterError`."""
    if name in _own_adapters():
        return _own_adapters()[name]
    entry = _entry_points()[name]
    try:
        solver: type[Solver] = entry.load()
    except Exception as error:  # whatever another package raises while it is imported
        if isinstance(error, ModuleNotFoundError) and error.name in _FORMER_PACKAGES:
            why = f"imports {error.name}, which is now vnnbench.{error.name}; install a newer version of its package"
        else:
            why = f"cannot be imported ({message_line(f'{type(error).__name__}: {error}')}); mend or update its package"
        raise BrokenAdapterError(f"solver {name} ({entry.value}): {why}, or remove it") from error
    return solver


def solver_names() -> tuple[str, ...]:
    """Return the words that `--solver` knows, sorted."""
    return tuple(sorted({*_own_adapters(), *_entry_points()}))


def get_solver(name: str) -> Solver:
    """Return the adapter of that name, or of the TOML at that path.

    Raises `UnknownSolverError`, which lists the known ones, `BrokenAdapterError` or `CommandFileError`.
    """
    if name.endswith(SUFFIX):
        description = read_command_file(Path(name))
        if description.name in solver_names():
            raise CommandFileError(f"{name}: {description.name} is the name of another solver; rename the file")
        return command_solver(description)()
    if name not in solver_names():
        raise UnknownSolverError(
            f"unknown solver {name!r}: known are {', '.join(solver_names())}, or the path of a TOML; "
            "each has a --solver of its own"
        )
    return _adapter(name)()


def installed_solvers() -> tuple[str, ...]:
    """Return the names of the solvers whose package or program is there, sorted, whatever their licences.

    An adapter that cannot be imported is not among them.
    """
    found = []
    for name in solver_names():
        with suppress(BrokenAdapterError):
            found += [name] if _adapter(name).installed() else []
    return tuple(found)
