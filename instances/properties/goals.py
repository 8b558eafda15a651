"""The goal on a network's outputs: a conjunction of clauses, each a disjunction of conjunctions of linear atoms.

    value(y) = min over clauses C of max over disjuncts D of min over atoms i of  sum_k c_CDik y_k + constant_CDi

With one target class the goal is a single atom, y_target - y_source; with several, it is one clause, in which each has
a disjunct. A goal from VNN-LIB may be any, and its value is the least slack, in each clause that of the best disjunct.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np

from vnnbench.instances.errors import PropertyError
from vnnbench.instances.networks.network import Layer, Layered, LayeredNetwork, nowhere
from vnnbench.instances.rationals import sum_text, to_json, to_text

_T = TypeVar("_T", Fraction, float, bool)


@dataclass(frozen=True, slots=True)
class Atom:
    """A linear atom: the sum of coefficient * y_k, plus a constant.

    terms: (output k, coefficient), each output once, with coefficients other than 0. strict: whether it holds only
    where its value exceeds 0, in a goal in which others hold at 0 too; a strict property marks none.
    """

    terms: tuple[tuple[int, Fraction], ...]
    constant: Fraction = Fraction(0)
    strict: bool = False

    def __post_init__(self) -> None:
        outputs = [k for k, _ in self.terms]
        if not outputs or min(outputs) < 0 or len(set(outputs)) != len(outputs) or not all(c for _, c in self.terms):
            raise PropertyError("property: an atom needs different outputs from 0, with coefficients other than 0")

    def value(self, outputs: Sequence[Fraction]) -> Fraction:
        """Return the value at outputs y (n_L,), exactly."""
        return sum((coefficient * outputs[k] for k, coefficient in self.terms), self.constant)

    def holds(self, outputs: Sequence[Fraction]) -> bool:
        """Return whether the atom holds at outputs y (n_L,), exactly."""
        value = self.value(outputs)
        return value > 0 or (value == 0 and not self.strict)

    def float_value(self, outputs: Sequence[float]) -> float:
        """Return the value at outputs y (n_L,), in float64."""
        return sum((float(coefficient) * outputs[k] for k, coefficient in self.terms), float(self.constant))

    def document(self) -> dict[str, Any]:
        """Return the atom as the file of a property holds it."""
        terms = [[k, to_json(coefficient)] for k, coefficient in self.terms]
        return {"terms": terms, "constant": to_json(self.constant), **({"strict": True} if self.strict else {})}

    def comparison(self, strict: bool) -> str:
        """Return the atom as a comparison with 0; strict: whether its property is."""
        return f"{self} {'>' if strict or self.strict else '>='} 0"

    def __str__(self) -> str:
        text = sum_text((coefficient, f"y_{k}") for k, coefficient in self.terms)
        if not self.constant:
            return text
        return f"{text} {'+' if self.constant > 0 else '-'} {to_text(abs(self.constant))}"


def margin(target: int, source: int) -> Atom:
    """Return the atom y_target - y_source."""
    return Atom(((target, Fraction(1)), (source, Fraction(-1))))


Clause = tuple[tuple[Atom, ...], ...]
"""A disjunction: disjuncts, each a conjunction of atoms."""


@dataclass(frozen=True, slots=True)
class OutputGoal:
    """A goal: clauses, which hold together; each is a disjunction of conjunctions of atoms, and none is empty."""

    clauses: tuple[Clause, ...]

    def __post_init__(self) -> None:
        if not self.clauses or not all(self.clauses) or not all(all(clause) for clause in self.clauses):
            raise PropertyError("property: a goal needs a clause, each clause a disjunct, and each disjunct an atom")

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """All atoms, clause by clause and disjunct by disjunct."""
        return tuple(atom for clause in self.clauses for disjunct in clause for atom in disjunct)

    @property
    def last_output(self) -> int:
        """The largest number of an output that some atom reads."""
        return max(k for atom in self.atoms for k, _ in atom.terms)

    @property
    def single(self) -> Atom | None:
        """The only atom; None if there are several."""
        return self.atoms[0] if len(self.atoms) == 1 else None

    def value(self, outputs: Sequence[Fraction]) -> Fraction:
        """Return the value at outputs y (n_L,), exactly."""
        return self.reduce(atom.value(outputs) for atom in self.atoms)

    def float_value(self, outputs: Sequence[float]) -> float:
        """Return the same as `value`, in float64."""
        return self.reduce(atom.float_value(outputs) for atom in self.atoms)

    def holds(self, outputs: Sequence[Fraction]) -> bool:
        """Return whether the goal holds at outputs y (n_L,), exactly, each atom by its own strictness."""
        return self.reduce(atom.holds(outputs) for atom in self.atoms)

    def text(self, strict: bool) -> str:
        """Return the goal in words; strict: whether its property is."""
        clauses = [
            " or ".join(" and ".join(atom.comparison(strict) for atom in disjunct) for disjunct in clause)
            for clause in self.clauses
        ]
        return clauses[0] if len(clauses) == 1 else " and ".join(f"({clause})" for clause in clauses)

    def reduce(self, values: Iterable[_T]) -> _T:
        """Return the goal's value from those of `atoms`: the least over clauses of the best disjunct's least atom."""
        of_atom = iter(values)
        return min(max(min(next(of_atom) for _ in disjunct) for disjunct in clause) for clause in self.clauses)

    def chain(self, network: Layered) -> Layered:
        """Return the network whose pre-activations must be bounded for this goal.

        It is that of `measured` if there are several atoms, else the network itself.
        """
        return network if self.single is not None else self.measured(network)

    def measured(self, network: Layered) -> Layered:
        """Return the network with an additional linear layer of all atoms, in their order.

        The layer's numbers are the nearest float64 of the atoms' numbers.
        """
        W = np.zeros((len(self.atoms), network.layers[-1].n_outputs))
        for i, atom in enumerate(self.atoms):
            for k, coefficient in atom.terms:
                W[i, k] = float(coefficient)
        b = np.array([float(atom.constant) for atom in self.atoms])
        return LayeredNetwork((*network.layers, Layer(W, b, nowhere(len(b)))))


def any_target(targets: Iterable[int], source: int) -> OutputGoal:
    """Return the goal that some target beats the source: value = max over targets of y_target - y_source."""
    return one_clause(tuple((margin(target, source),) for target in targets))


def one_clause(disjuncts: Clause) -> OutputGoal:
    """Return the goal that some disjunct holds. Raises `PropertyError` like `OutputGoal`."""
    return OutputGoal((disjuncts,))
