"""The property: an input set and the goal on the outputs.

verify     value(x) = max over targets of y_target - y_source: some target beats the source where it is > 0 (>= 0 when
           not strict); or the value of any `OutputGoal`, as from VNN-LIB
maximize   value(x) = y_output, which is to be maximized
closest    value(x) = -|x - centre| where some y_target - y_source >= margin: the least change that reaches the margin
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, TypeAlias

from vnnbench.instances.errors import PropertyError
from vnnbench.instances.properties.goals import Atom, OutputGoal, any_target, one_clause
from vnnbench.instances.properties.input_set import InputSet
from vnnbench.instances.rationals import to_json


@dataclass(frozen=True, slots=True, eq=False)
class VerifyProperty:
    """The property that some target class beats the source class; with all other classes as targets it is untargeted.

    dataset, sample: the origin of the centre.
    """

    input_set: InputSet
    source: int
    targets: tuple[int, ...]
    strict: bool
    dataset: str | None
    sample: int | None

    family: ClassVar[str] = "verify"

    def __post_init__(self) -> None:
        _check_classes(self.source, self.targets)

    @property
    def target(self) -> int | None:
        """The only target; None if there are several."""
        return self.targets[0] if len(self.targets) == 1 else None

    @property
    def goal(self) -> OutputGoal:
        return any_target(self.targets, self.source)

    def goal_document(self) -> dict[str, Any]:
        """Return the content of the property's file beside the input set."""
        return {"source": self.source, "targets": list(self.targets), "strict": self.strict}


@dataclass(frozen=True, slots=True, eq=False)
class LinearProperty:
    """The property that the value of a goal exceeds 0 (or reaches 0, if not strict).

    The goal is any conjunction of clauses of linear atoms. strict: all atoms are, and none is marked; where only some
    are strict, those are marked. `dataset` and `sample` are as in `VerifyProperty`.
    """

    input_set: InputSet
    goal: OutputGoal
    strict: bool
    dataset: str | None
    sample: int | None

    family: ClassVar[str] = "verify"

    def __post_init__(self) -> None:
        marked = [atom.strict for atom in self.goal.atoms]
        if any(marked) and (self.strict or all(marked)):
            raise PropertyError("property: atoms are marked as strict only where some are strict and some are not")

    def goal_document(self) -> dict[str, Any]:
        """Return the content of the property's file beside the input set."""
        clauses = [[[atom.document() for atom in disjunct] for disjunct in clause] for clause in self.goal.clauses]
        goal = {"disjuncts": clauses[0]} if len(clauses) == 1 else {"clauses": clauses}
        return {**goal, "strict": self.strict}


@dataclass(frozen=True, slots=True, eq=False)
class MaximizeProperty:
    """The maximization of one output over an input set; `dataset` and `sample` are as in `VerifyProperty`."""

    input_set: InputSet
    output: int
    dataset: str | None
    sample: int | None

    family: ClassVar[str] = "maximize"

    def __post_init__(self) -> None:
        if self.output < 0:
            raise PropertyError(f"property: output {self.output} must be at least 0")

    @property
    def goal(self) -> OutputGoal:
        return one_clause(((Atom(((self.output, Fraction(1)),)),),))

    def goal_document(self) -> dict[str, Any]:
        """Return the content of the property's file beside the input set."""
        return {"output": self.output}


@dataclass(frozen=True, slots=True, eq=False)
class ClosestProperty:
    """The least change of the centre, in the set's norm, by which some target exceeds the source by `margin` > 0.

    The set's radius is the largest change that is considered. `dataset` and `sample` are as in `VerifyProperty`.
    Source: Tjeng et al. 2019, arXiv:1711.07356, minimum adversarial distortion.
    """

    input_set: InputSet
    source: int
    targets: tuple[int, ...]
    margin: Fraction
    dataset: str | None
    sample: int | None

    family: ClassVar[str] = "closest"

    def __post_init__(self) -> None:
        _check_classes(self.source, self.targets)
        if self.input_set.radius is None:
            raise PropertyError(f"property: norm {self.input_set.norm} measures no distance; closest needs a ball")
        if self.margin <= 0:
            raise PropertyError(f"property: margin {self.margin} must be positive")

    @property
    def target(self) -> int | None:
        """The only target; None if there are several."""
        return self.targets[0] if len(self.targets) == 1 else None

    @property
    def goal(self) -> OutputGoal:
        """The goal that must reach the margin; the property's value is another."""
        return any_target(self.targets, self.source)

    def goal_document(self) -> dict[str, Any]:
        """Return the content of the property's file beside the input set."""
        return {"source": self.source, "targets": list(self.targets), "margin": to_json(self.margin)}


def _check_classes(source: int, targets: tuple[int, ...]) -> None:
    if not targets or source in targets or len(set(targets)) != len(targets) or min(source, *targets) < 0:
        raise PropertyError("property: needs target classes, all different and different from the source class")


Property: TypeAlias = VerifyProperty | LinearProperty | MaximizeProperty | ClosestProperty
"""A question about one network: an input set and a goal on its outputs."""
