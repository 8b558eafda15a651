"""Problem families: their questions, and how solutions of their MILPs are decoded and judged.

`FAMILIES` is the only list of them: another family is a module beside these and an entry there. `read_problem` reads a
property file and returns the `Problem` of its family, which is all that callers need.
"""

from __future__ import annotations

from pathlib import Path

from vnnbench.instances.families.base import Problem
from vnnbench.instances.families.closest import ClosestProblem
from vnnbench.instances.families.maximize import MaximizeProblem
from vnnbench.instances.families.over_input_set import OverInputSet
from vnnbench.instances.families.train import TrainProblem
from vnnbench.instances.families.verify import VerifyProblem
from vnnbench.instances.properties.property import Property
from vnnbench.instances.properties.property_file import of_family, read_document

_ON_NETWORKS: dict[str, type[OverInputSet]] = {
    problem.family: problem for problem in (VerifyProblem, MaximizeProblem, ClosestProblem)
}
FAMILIES: dict[str, type[Problem]] = {**_ON_NETWORKS, TrainProblem.family: TrainProblem}
"""The class of a family's problems by the family's name in property files and in the catalogue."""


def read_problem(path: Path) -> Problem:
    """Return the problem of LIBRARY/properties/*.json. Raises `PropertyError`."""
    return read_document(path, lambda document: of_family(document, FAMILIES).of_document(document))


def problem_of(prop: Property) -> OverInputSet:
    """Return the problem that a property of a network states."""
    return _ON_NETWORKS[prop.family](prop)
