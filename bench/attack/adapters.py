"""What `--solver` knows: the MILP solvers of `vnnbench.solvers.registry`, and the attack that is shown beside them.

The attack is an adapter like any other to harness, fork server and judge; what they do otherwise for it follows from
its attributes `ranked` and `reads_model`. Importing this imports no torch.
"""

from __future__ import annotations

from vnnbench.attack.inputs import ATTACK
from vnnbench.solvers.base import Solver
from vnnbench.solvers.registry import get_solver, solver_names


def adapter_names() -> tuple[str, ...]:
    """Return the words that `--solver` knows: the solvers, sorted, and last the attack."""
    return (*solver_names(), ATTACK)


def get_adapter(name: str) -> Solver:
    """The attack, or the solver of that name. Raises as `get_solver` does."""
    if name != ATTACK:
        return get_solver(name)
    from vnnbench.attack.pgd import Pgd

    return Pgd()
