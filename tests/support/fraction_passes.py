"""The passes of proofs in rational numbers, in the words of section "Proofs" of `instances/README.md`.

A pass shows a number that a linear function of activations does not exceed over a part of the input set. Nothing here
is fast, and nothing is shared with the checker that users run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from vnnbench.instances.networks.network import Layer, Layered
from vnnbench.instances.properties.goals import Atom, Clause
from vnnbench.instances.properties.input_set import Norm
from vnnbench.instances.properties.linear_constraints import LinearConstraint
from vnnbench.instances.properties.property import ClosestProperty, MaximizeProperty, Property
from vnnbench.instances.rationals import float_above, float_below

Numbers: TypeAlias = tuple[Fraction, ...]
Neuron: TypeAlias = tuple[int, int]
"""A layer from 1 and the number of a neuron in it from 0."""


class Rejection(Exception):  # noqa: N818 - it is an answer, not an error
    """The proof is not accepted; the message says why."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem with exact numbers.

    rows, biases, relus: by layer from 1, as `rows[k - 1]`: z_k = rows h_(k-1) + biases, with divisors divided.
    lower, upper: the box. centre, radius: of an L1 ball that cuts it; None without one. clauses: of the goal; its atoms
    have the margin subtracted, and all are strict in a strict property.
    """

    rows: tuple[tuple[Numbers, ...], ...]
    biases: tuple[Numbers, ...]
    relus: tuple[tuple[bool, ...], ...]
    lower: Numbers
    upper: Numbers
    centre: Numbers | None
    radius: Fraction | None
    constraints: tuple[LinearConstraint, ...]
    clauses: tuple[Clause, ...]

    @property
    def n_layers(self) -> int:
        return len(self.rows)

    @property
    def disjuncts(self) -> list[tuple[Atom, ...]]:
        """The disjuncts, numbered through all clauses."""
        return [disjunct for clause in self.clauses for disjunct in clause]

    def relus_up_to(self, k: int) -> list[Neuron]:
        """Return the ReLUs of layers 1 to k, layer by layer."""
        return [(layer, j) for layer in range(1, k + 1) for j, has in enumerate(self.relus[layer - 1]) if has]

    def root(self) -> Part:
        return Part(self.lower, self.upper, {}, {})


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a node, and the bounds that hold over it.

    lower, upper: the box. phases: of the ReLUs that the path fixes, in its order: whether z >= 0. bounds: the lower and
    the upper bound of pre-activations, None where there is none.
    """

    lower: Numbers
    upper: Numbers
    phases: Mapping[Neuron, bool]
    bounds: Mapping[Neuron, tuple[Fraction | None, Fraction | None]]

    def with_phase(self, relu: Neuron, on: bool) -> Part:
        return replace(self, phases={**self.phases, relu: on})

    def with_input(self, i: int, point: Fraction, above: bool) -> Part:
        """Return the part with x_i >= point (above) or x_i <= point."""
        ends = self.lower if above else self.upper
        moved = (*ends[:i], point, *ends[i + 1 :])
        return replace(self, lower=moved) if above else replace(self, upper=moved)

    def with_bound(self, neuron: Neuron, value: Fraction, is_upper: bool) -> Part:
        """Return the part with a bound, where it improves on what is there."""
        low, high = self.bounds.get(neuron, (None, None))
        if is_upper:
            high = value if high is None else min(high, value)
        else:
            low = value if low is None else max(low, value)
        return replace(self, bounds={**self.bounds, neuron: (low, high)})


@dataclass(frozen=True, slots=True)
class Linear:
    """The function `coefficients h_layer + constant`; h_0 are the inputs."""

    layer: int
    coefficients: Numbers
    constant: Fraction


@dataclass(frozen=True, slots=True)
class Choices:
    """The free numbers of a pass: the lower slopes of unstable ReLUs, the multipliers of fixed phases and those of the
    constraints of the set."""

    slopes: Mapping[Neuron, Fraction]
    multipliers: Mapping[Neuron, Fraction]
    constraint_multipliers: Sequence[Fraction]


def problem_of(prop: Property, network: Layered, radius: float | None = None) -> Problem:
    """Return the problem of a property on a network that fits it; radius: of the ball, if not that of the set."""
    input_set = prop.input_set
    reach = input_set.radius if radius is None else radius
    lower, upper, centre = (_fractions(ends) for ends in (input_set.lower, input_set.upper, input_set.centre))
    if input_set.norm is Norm.LINF:
        assert reach is not None
        below = [Fraction(float_below(c - Fraction(reach))) for c in centre]
        above = [Fraction(float_above(c + Fraction(reach))) for c in centre]
        lower, upper = tuple(map(max, lower, below)), tuple(map(min, upper, above))
    in_ball = input_set.norm is Norm.L1 and reach is not None
    return Problem(
        rows=tuple(_rows(layer) for layer in network.layers),
        biases=tuple(_over_divisor(_fractions(layer.b), layer) for layer in network.layers),
        relus=tuple(tuple(map(bool, layer.relu)) for layer in network.layers),
        lower=lower,
        upper=upper,
        centre=centre if in_ball else None,
        radius=Fraction(reach) if in_ball and reach is not None else None,
        constraints=input_set.constraints,
        clauses=tuple(tuple(tuple(_atom(a, prop) for a in disjunct) for disjunct in c) for c in prop.goal.clauses),
    )


def _fractions(numbers: npt.ArrayLike) -> Numbers:
    return tuple(map(Fraction, np.asarray(numbers, dtype=np.float64).tolist()))


def _rows(layer: Layer) -> tuple[Numbers, ...]:
    W = layer.W if isinstance(layer.W, np.ndarray) else layer.W.toarray()
    return tuple(zip(*(_over_divisor(_fractions(column), layer) for column in W.T), strict=True))


def _over_divisor(numbers: Numbers, layer: Layer) -> Numbers:
    if layer.divisor is None:
        return numbers
    return tuple(n / d for n, d in zip(numbers, _fractions(layer.divisor), strict=True))


def _atom(atom: Atom, prop: Property) -> Atom:
    if isinstance(prop, ClosestProperty):
        return replace(atom, constant=atom.constant - prop.margin)
    return atom if isinstance(prop, MaximizeProperty) else replace(atom, strict=atom.strict or prop.strict)


def pre_activation(problem: Problem, neuron: Neuron, sign: int = 1) -> Linear:
    """Return sign * z_j as a function of the activations of the layer before."""
    layer, j = neuron
    row = tuple(sign * w for w in problem.rows[layer - 1][j])
    return Linear(layer - 1, row, sign * problem.biases[layer - 1][j])


def weighted_atoms(problem: Problem, disjunct: Sequence[Atom], weights: Sequence[Fraction]) -> Linear:
    """Return the sum of weight * atom as a function of the outputs."""
    coefficients = [Fraction(0)] * len(problem.biases[-1])
    for atom, weight in zip(disjunct, weights, strict=True):
        for k, c in atom.terms:
            coefficients[k] += weight * c
    constant = sum((w * atom.constant for atom, w in zip(disjunct, weights, strict=True)), Fraction(0))
    return Linear(problem.n_layers, tuple(coefficients), constant)


def nearest_point(problem: Problem, part: Part) -> tuple[Numbers, Fraction] | None:
    """Return the point of the part's box that is nearest to the centre, and what is left there of the L1 ball's radius.

    None without a ball. The part is empty where the radius is negative.
    """
    if problem.centre is None or problem.radius is None:
        return None
    nearest = tuple(min(max(c, lo), hi) for c, lo, hi in zip(problem.centre, part.lower, part.upper, strict=True))
    return nearest, problem.radius - sum(abs(p - c) for p, c in zip(nearest, problem.centre, strict=True))


def is_empty(problem: Problem, part: Part) -> bool:
    ball = nearest_point(problem, part)
    return ball is not None and ball[1] < 0


def unstable_relus(problem: Problem, part: Part, k: int) -> list[Neuron]:
    """Return the unstable ReLUs of layers 1 to k, in their order. Raises `Rejection`: one of them lacks a bound."""
    found = []
    for relu in problem.relus_up_to(k):
        low, high = part.bounds.get(relu, (None, None))
        if relu in part.phases or (low is not None and low >= 0) or (high is not None and high <= 0):
            continue
        if low is None or high is None:
            raise Rejection(f"a pass goes through neuron {relu[1]} of layer {relu[0]}, which lacks a bound")
        found.append(relu)
    return found


def fixed_relus(part: Part, k: int) -> list[Neuron]:
    """Return the ReLUs of layers 1 to k whose phases the path fixes, in its order."""
    return [relu for relu in part.phases if relu[0] <= k]


def given_choices(problem: Problem, part: Part, k: int) -> Choices:
    """Return the choices of a pass without numbers of its own, through layers 1 to k."""
    slopes = {}
    for relu in unstable_relus(problem, part, k):
        low, high = part.bounds[relu]
        assert low is not None and high is not None
        slopes[relu] = Fraction(1 if high > -low else 0)
    nothing = Fraction(0)
    return Choices(slopes, dict.fromkeys(fixed_relus(part, k), nothing), [nothing] * len(problem.constraints))


def bound_of(problem: Problem, part: Part, function: Linear, choices: Choices) -> Fraction:
    """Return B, which the function does not exceed over the part, as the pass with these choices shows it."""
    A, constant = list(function.coefficients), function.constant
    for layer in range(function.layer, 0, -1):
        for j, c in enumerate(A):
            if problem.relus[layer - 1][j]:
                A[j], added = _through_relu((layer, j), c, part, choices)
                constant += added
        constant += sum(map(_product, A, problem.biases[layer - 1]))
        A = [sum(map(_product, A, column), Fraction(0)) for column in zip(*problem.rows[layer - 1], strict=True)]
    for multiplier, constraint in zip(choices.constraint_multipliers, problem.constraints, strict=True):
        if multiplier == 0:
            continue
        end = constraint.upper if multiplier > 0 else constraint.lower
        if end is None:
            raise Rejection("a multiplier asks for an end that its constraint does not have")
        constant += multiplier * end
        for i, a in constraint.terms:
            A[i] -= multiplier * a
    return constant + _maximum(problem, part, A)


def _product(a: Fraction, b: Fraction) -> Fraction:
    return a * b


def _through_relu(relu: Neuron, c: Fraction, part: Part, choices: Choices) -> tuple[Fraction, Fraction]:
    """Return the coefficient of z_j that replaces c, and what is added to the constant."""
    nothing = Fraction(0)
    if relu in part.phases:
        multiplier = choices.multipliers[relu]
        return (c + multiplier if part.phases[relu] else -multiplier), nothing
    low, high = part.bounds[relu]
    if low is not None and low >= 0:
        return c, nothing
    if high is not None and high <= 0:
        return nothing, nothing
    assert low is not None and high is not None
    if c < 0:
        return c * choices.slopes[relu], nothing
    s = Fraction(float(high) / (float(high) - float(low)))
    return c * s, c * max(-s * low, (1 - s) * high)


def _maximum(problem: Problem, part: Part, A: Sequence[Fraction]) -> Fraction:
    """Return the maximum of A x over the part's box, cut by the ball: a fractional knapsack."""
    ball = nearest_point(problem, part)
    if ball is None:
        return sum((max(a * lo, a * hi) for a, lo, hi in zip(A, part.lower, part.upper, strict=True)), Fraction(0))
    start, left = ball
    reached = sum(map(_product, A, start), Fraction(0))
    for i in sorted(range(len(A)), key=lambda i: -abs(A[i])):
        step = min(left, part.upper[i] - start[i] if A[i] > 0 else start[i] - part.lower[i])
        reached += abs(A[i]) * step
        left -= step
    return reached
