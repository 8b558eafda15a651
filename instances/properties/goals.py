"""The goal on a network's outputs: a disjunction of conjunctions of linear atoms.

    value(y) = max over disjuncts D of min over atoms i of D of  sum_k c_Dik y_k + constant_Di

With one target class the goal is a single atom, y_target - y_source; with several, each has a disjunct. A goal from
VNN-LIB may be any, and its value is the least slack of the best disjunct.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from vnnbench.instances.errors import PropertyError
from vnnbench.instances.networks.network import Layer, Layered, LayeredNetwork, nowhere
from vnnbench.instances.rationals import to_text


@dataclass(frozen=True, slots=True)
class Atom:
    """A linear atom: the sum of coefficient * y_k, plus a constant.

    terms: (output k, coefficient), each output once, with coefficients other than 0.
    """

    terms: tuple[tuple[int, Fraction], ...]
    constant: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        outputs = [k for k, _ in self.terms]
        if not outputs or min(outputs) < 0 or len(set(outputs)) != len(outputs) or not all(c for _, c in self.terms):
            raise PropertyError("property: an atom needs different outputs from 0, with coefficients other than 0")

    def value(self, outputs: Sequence[Fraction]) -> Fraction:
        """Return the value at outputs y (n_L,), exactly."""
        return sum((coefficient * outputs[k] for k, coefficient in self.terms), self.constant)

    def float_value(self, outputs: Sequence[float]) -> float:
        """Return the value at outputs y (n_L,), in float64."""
        return sum((float(coefficient) * outputs[k] for k, coefficient in self.terms), float(self.constant))

    def __str__(self) -> str:
        parts = [f"{_factor(coefficient)}y_{k}" for k, coefficient in self.terms]
        if self.constant:
            parts.append(f"{'+' if self.constant > 0 else '-'} {to_text(abs(self.constant))}")
        return " ".join(parts).removeprefix("+ ")


def _factor(coefficient: Fraction) -> str:
    size = abs(coefficient)
    return f"{'+' if coefficient > 0 else '-'} {'' if size == 1 else f'{to_text(size)} '}"


def margin(target: int, source: int) -> Atom:
    """Return the atom y_target - y_source."""
    return Atom(((target, Fraction(1)), (source, Fraction(-1))))


@dataclass(frozen=True, slots=True)
class OutputGoal:
    """A goal: disjuncts, each a conjunction of atoms; none is empty."""

    disjuncts: tuple[tuple[Atom, ...], ...]

    def __post_init__(self) -> None:
        if not self.disjuncts or not all(self.disjuncts):
            raise PropertyError("property: a goal needs a disjunct, and each disjunct an atom")

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """All atoms, disjunct by disjunct."""
        return tuple(atom for disjunct in self.disjuncts for atom in disjunct)

    @property
    def single(self) -> Atom | None:
        """The only atom; None if there are several."""
        return self.atoms[0] if len(self.atoms) == 1 else None

    def value(self, outputs: Sequence[Fraction]) -> Fraction:
        """Return the maximum over disjuncts of the least atom, at outputs y (n_L,), exactly."""
        return max(min(atom.value(outputs) for atom in disjunct) for disjunct in self.disjuncts)

    def float_value(self, outputs: Sequence[float]) -> float:
        """Return the same as `value`, in float64."""
        return max(min(atom.float_value(outputs) for atom in disjunct) for disjunct in self.disjuncts)

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
    return OutputGoal(tuple((margin(target, source),) for target in targets))
