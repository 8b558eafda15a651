"""Problem families: what a question is, how a solution of its MILP is decoded and judged.

`read_problem` is the only way in: it reads a property file and returns the `Problem` of its family.
"""

from __future__ import annotations

from pathlib import Path

from vnnbench.instances.families.base import Problem
from vnnbench.instances.families.closest import ClosestProblem
from vnnbench.instances.families.maximize import MaximizeProblem
from vnnbench.instances.families.verify import VerifyProblem
from vnnbench.instances.properties.property import (
    ClosestProperty,
    LinearProperty,
    MaximizeProperty,
    Property,
    VerifyProperty,
    read_property,
)


def read_problem(path: Path) -> Problem:
    """The problem of LIBRARY/properties/*.json. Raises `PropertyError`."""
    return problem_of(read_property(path))


def problem_of(prop: Property) -> Problem:
    """The problem of the property's family."""
    match prop:
        case VerifyProperty() | LinearProperty():
            return VerifyProblem(prop)
        case MaximizeProperty():
            return MaximizeProblem(prop)
        case ClosestProperty():
            return ClosestProblem(prop)
