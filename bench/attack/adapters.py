"""The adapters that `--solver` can name: the MILP solvers of `vnnbench.solvers.registry`, and the attack.

To harness, fork server and judge the attack is an adapter like any other; where they treat it differently, they do so
by its attributes `ranked` and `reads_model`. Importing this module does not import torch.
"""

from __future__ import annotations

from vnnbench.attack.inputs import ATTACK
from vnnbench.solvers.base import Solver
from vnnbench.solvers.registry import get_solver, solver_names


def adapter_names() -> tuple[str, ...]:
    """Return the names that `--solver` knows: the solvers, sorted, and last the attack."""
    return (*solver_names(), ATTACK)


def get_adapter(name: str) -> Solver:
    """Return the attack or the solver with this name. Raises what `get_solver` raises."""
    if name != ATTACK:
        return get_solver(name)
    from vnnbench.attack.pgd import Pgd

    return Pgd()
