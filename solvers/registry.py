"""The known solvers by name. Importing this module imports no vendor package.

`command_line/*.toml` are programs that come with a description; a path to a TOML is a program described elsewhere.
Other packages add adapters through the entry point group `vnnbench.solvers`, each entry a `Solver` class.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from solvers.base import Solver, UnknownSolverError
from solvers.command_line.adapter import command_solver
from solvers.command_line.description import SUFFIX, CommandFileError, packaged_files, read_command_file
from solvers.gurobi import Gurobi
from solvers.highs import Highs
from solvers.scip import Scip

ENTRY_POINT_GROUP = "vnnbench.solvers"


@cache
def _solvers() -> dict[str, type[Solver]]:
    """Adapters by name; an entry point cannot replace one of ours."""
    found: dict[str, type[Solver]] = {solver.name: solver for solver in (Gurobi, Highs, Scip)}
    for path in packaged_files():
        solver = command_solver(read_command_file(path))
        found[solver.name] = solver
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        found.setdefault(entry.name, entry.load())
    return found


def solver_names() -> tuple[str, ...]:
    """The words that `--solver` knows, sorted."""
    return tuple(sorted(_solvers()))


def get_solver(name: str) -> Solver:
    """The adapter of that name, or of the TOML at that path.

    Raises `UnknownSolverError`, which lists the known ones, or `CommandFileError`.
    """
    if name.endswith(SUFFIX):
        description = read_command_file(Path(name))
        if description.name in _solvers():
            raise CommandFileError(f"{name}: {description.name} is a solver of its own; give the file another name")
        return command_solver(description)()
    try:
        return _solvers()[name]()
    except KeyError:
        raise UnknownSolverError(
            f"unknown solver {name!r}: known are {', '.join(solver_names())}, or the path of a TOML"
        ) from None


def installed_solvers() -> tuple[str, ...]:
    """Names of the solvers whose vendor package or program is there, sorted; a licence is another matter."""
    return tuple(name for name in solver_names() if _solvers()[name].installed())
