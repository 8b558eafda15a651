"""Which solvers there are. Imports no vendor's package: a name is known whether or not its solver is installed."""

from __future__ import annotations

from solvers.base import Solver, UnknownSolverError
from solvers.gurobi import Gurobi
from solvers.highs import Highs
from solvers.scip import Scip

_SOLVERS: dict[str, type[Solver]] = {solver.name: solver for solver in (Gurobi, Highs, Scip)}


def solver_names() -> tuple[str, ...]:
    """All names, sorted."""
    return tuple(sorted(_SOLVERS))


def get_solver(name: str) -> Solver:
    """The adapter of that name. Raises `UnknownSolverError`, which lists the names there are."""
    if name not in _SOLVERS:
        raise UnknownSolverError(f"no solver {name!r}: there are {', '.join(solver_names())}")
    return _SOLVERS[name]()


def installed_solvers() -> tuple[str, ...]:
    """The names whose Python package is there; says nothing about a licence."""
    return tuple(name for name in solver_names() if _SOLVERS[name].installed())
