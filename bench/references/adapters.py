"""The adapters that `--solver` can name: the MILP solvers of `vnnbench.solvers.registry`, and the references.

A reference is shown beside the solvers and not ranked. To harness, fork server and judge it is an adapter like any
other; where they treat it differently, they do so by its attributes (`Solver`). Importing this module does not import
torch.
"""

from __future__ import annotations

from collections.abc import Callable

from vnnbench.solvers.base import Solver
from vnnbench.solvers.registry import get_solver, solver_names


def _pgd() -> Solver:
    from vnnbench.references.pgd import Pgd

    return Pgd()


def _prover() -> Solver:
    from vnnbench.references.prover import Prover

    return Prover()


def _straight_through() -> Solver:
    from vnnbench.references.straight_through import StraightThrough

    return StraightThrough()


def _perceptron() -> Solver:
    from vnnbench.references.perceptron import AveragedPerceptron

    return AveragedPerceptron()


REFERENCES: dict[str, Callable[[], Solver]] = {
    "pgd": _pgd,
    "prover": _prover,
    "straight-through": _straight_through,
    "perceptron": _perceptron,
}
"""The makers of the references by their names on the command line."""


def adapter_names() -> tuple[str, ...]:
    """Return the names that `--solver` knows: the solvers, sorted, and last the references."""
    return (*solver_names(), *REFERENCES)


def get_adapter(name: str) -> Solver:
    """Return the reference or the solver with this name. Raises what `get_solver` raises."""
    return REFERENCES[name]() if name in REFERENCES else get_solver(name)
