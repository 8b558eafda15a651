"""The bound of one pass, exactly: for the few that float64 cannot decide, because they meet their limit.

It follows the specification number by number, in rationals. Only the products with weights are in integers, over a
common denominator, because they take nearly all of the time.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from math import lcm

import numpy as np

from vnnbench.instances.networks.exact_evaluation import to_integers
from vnnbench.instances.networks.network import Layer
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.proof_file import SLOPE_UNIT
from vnnbench.instances.proofs.question import Part, Question
from vnnbench.instances.proofs.reading import OfNeurons, Pass


class ExactBounds:
    """The exact bounds of passes on one network."""

    def __init__(self, question: Question, chain: Chain) -> None:
        self._question, self._chain = question, chain

    @cached_property
    def _layers(self) -> list[_IntegerLayer]:
        return [_IntegerLayer(layer) for layer in self._chain.layers]

    def of(self, one: Pass, row: int) -> Fraction:
        """Return the bound B of one function of a pass."""
        A, constant = self._function(one, row)
        for k in range(one.depth, 0, -1):
            layer = self._chain.layers[k - 1]
            A, added = _through_relu(A, one, self._chain, k)
            if layer.divisor is not None:
                A = [c / Fraction(d) for c, d in zip(A, layer.divisor.tolist(), strict=True)]
            constant += added + sum(c * Fraction(b) for c, b in zip(A, layer.b.tolist(), strict=True))
            A = self._layers[k - 1].times(A)
        for constraint, multiplier in zip(self._question.constraints, one.constraint_multipliers.tolist(), strict=True):
            end = constraint.upper if multiplier > 0 else constraint.lower
            if multiplier and end is not None:
                constant += Fraction(multiplier) * end
                for i, coefficient in constraint.terms:
                    A[i] -= Fraction(multiplier) * coefficient
        return constant + _maximum(A, one.part)

    def _function(self, one: Pass, row: int) -> tuple[list[Fraction], Fraction]:
        """Return the coefficients and the constant of one function that a pass bounds."""
        function = one.function
        if isinstance(function, OfNeurons):
            layer = self._chain.layers[function.layer - 1]
            j, sign = int(function.neurons[row]), int(function.signs[row])
            divisor = Fraction(1) if layer.divisor is None else Fraction(float(layer.divisor[j]))
            A = [Fraction(0)] * layer.n_inputs
            for i, weight in zip(*(numbers.tolist() for numbers in layer.row(j)), strict=True):
                A[i] = sign * Fraction(weight) / divisor
            return A, sign * Fraction(float(layer.b[j])) / divisor
        coefficients, constant = self._question.mean(function.disjunct, function.weights)
        return [coefficients.get(k, Fraction(0)) for k in range(self._chain.n_outputs)], constant


class _IntegerLayer:
    """The weights of a layer, row by row, as integers over a common power of two."""

    def __init__(self, layer: Layer) -> None:
        rows = [layer.row(j) for j in range(layer.n_outputs)]
        numbers, exponent = to_integers(np.concatenate([weights for _, weights in rows]))
        self._n_inputs, self._denominator = layer.n_inputs, 1 << exponent
        self._rows = []
        start = 0
        for inputs, _ in rows:
            self._rows.append((inputs.tolist(), numbers[start : start + len(inputs)]))
            start += len(inputs)

    def times(self, A: list[Fraction]) -> list[Fraction]:
        """Return A W, (n_in,)."""
        common = lcm(*(c.denominator for c in A))
        sums = [0] * self._n_inputs
        for c, (inputs, weights) in zip(A, self._rows, strict=True):
            if c:
                numerator = c.numerator * (common // c.denominator)
                for i, weight in zip(inputs, weights, strict=True):
                    sums[i] += numerator * weight
        return [Fraction(n, common * self._denominator) for n in sums]


def _through_relu(A: list[Fraction], one: Pass, chain: Chain, k: int) -> tuple[list[Fraction], Fraction]:
    """Return coefficients of z_k, (n_k,), whose function with the constant is not below A h_k."""
    start, through, constant = chain.starts[k - 1], list(A), Fraction(0)
    slopes = dict(zip(np.flatnonzero(one.unstable).tolist(), one.slopes.tolist(), strict=True))
    phases = zip(one.fixed.on.tolist(), one.multipliers.tolist(), strict=True)
    fixed = dict(zip(one.fixed.neurons.tolist(), phases, strict=True))
    for j, c in enumerate(A):
        neuron = start + j
        if neuron in fixed:
            on, multiplier = fixed[neuron]
            through[j] = c + Fraction(multiplier) if on else -Fraction(multiplier)
        elif neuron in slopes and c >= 0:
            lower, upper = float(one.bounds.lower[neuron]), float(one.bounds.upper[neuron])
            slope = Fraction(upper / (upper - lower))
            through[j] = c * slope
            constant += c * max(-slope * Fraction(lower), (1 - slope) * Fraction(upper))
        elif neuron in slopes:
            through[j] = c * Fraction(SLOPE_UNIT) * slopes[neuron]
        elif chain.relu[neuron] and not one.bounds.lower[neuron] >= 0:
            through[j] = Fraction(0)
    return through, constant


def _maximum(A: list[Fraction], part: Part) -> Fraction:
    """Return the maximum of A x over a part without its constraints: over a box, or over an L1 ball in it."""
    lower, upper, centre = (list(map(Fraction, ends.tolist())) for ends in (part.lower, part.upper, part.centre))
    if part.radius is None:
        return sum((max(c * a, c * b) for c, a, b in zip(A, lower, upper, strict=True)), Fraction(0))
    total, left = sum((c * x for c, x in zip(A, centre, strict=True)), Fraction(0)), part.radius
    for i in sorted(range(len(A)), key=lambda i: -abs(A[i])):  # the largest coefficients take the radius first
        step = min(upper[i] - centre[i] if A[i] > 0 else centre[i] - lower[i], left)
        total += abs(A[i]) * step
        left -= step
    return total
