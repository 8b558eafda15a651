"""What `--solver` knows: the MILP solvers of `vnnbench.solvers.registry`, and the attack that is shown beside them.

The attack is an adapter like any other to harness, fork server and judge, but it is asked the question and not the
MILP: it needs network and property, which stand as copies beside its model. Importing this imports no torch.
"""

from __future__ import annotations

from vnnbench.solvers.base import ATTACK, Solver
from vnnbench.solvers.registry import get_solver


def get_adapter(name: str) -> Solver:
    """The attack, or the solver of that name. Raises as `get_solver` does."""
    if name != ATTACK:
        return get_solver(name)
    from vnnbench.attack.pgd import Pgd

    return Pgd()
