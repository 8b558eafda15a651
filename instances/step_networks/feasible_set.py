"""The set of networks that a training problem allows: boxes, integers, a limit on weights, and steps that are clear."""

from __future__ import annotations

from fractions import Fraction
from math import prod

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.step_networks.exact_sums import ExactSums, exact_total
from vnnbench.instances.step_networks.step_network import StepNetwork, evaluate, parameter_shapes
from vnnbench.instances.step_networks.train_property import TrainProperty


class FeasibleSet:
    """The feasible candidates of a problem. lower, upper, integer: of every parameter (n_parameters,)."""

    def __init__(self, prop: TrainProperty) -> None:
        self._prop = prop
        boxes = (prop.weight, prop.bias, prop.output_weight, prop.output_bias)
        kinds = np.repeat(np.arange(len(boxes)), list(map(prod, parameter_shapes(prop).values())))
        self.lower = np.array([box.lower for box in boxes])[kinds]
        self.upper = np.array([box.upper for box in boxes])[kinds]
        self.integer = np.array([box.integer for box in boxes])[kinds]
        unused = np.tile(~prop.used_inputs, prop.neurons)
        for ends in (self.lower, self.upper):
            ends[: len(unused)][unused] = 0.0

    def violation(self, candidate: Float64Array) -> Fraction:
        """Return how far a finite candidate is outside, exactly; 0 inside.

        It is the largest distance of a parameter from its box, or from an integer, or of the sum of the weights above
        its limit; or, of a pre-activation between 0 and eps, the least part of the big-M of `plain` that it lacks: how
        far from 0 or 1 a solver's binary has to be.
        """
        outside = np.maximum(self.lower - candidate, candidate - self.upper).max(initial=0.0)
        fractional = np.abs(candidate - np.rint(candidate))[self.integer].max(initial=0.0)
        network, prop = StepNetwork.of_vector(self._prop, candidate), self._prop
        found = evaluate(network, prop.training)
        gap = max(_gap(sums, Fraction(prop.epsilon)) for sums in (found.hidden, found.output))
        parts = [Fraction(float(outside)), Fraction(float(fractional)), gap / Fraction(prop.big_m)]
        if prop.weight_sum_limit is not None:
            parts.append(exact_total(network.W) - prop.weight_sum_limit)
        return max(Fraction(0), *parts)

    def rounded(self, candidate: Float64Array) -> Float64Array:
        """Return the candidate with every parameter in its box, and integers rounded."""
        inside = np.clip(candidate, self.lower, self.upper) + 0.0  # + 0.0: no negative zero
        return np.where(self.integer, np.rint(inside), inside)


def _gap(sums: ExactSums, epsilon: Fraction) -> Fraction:
    """Return how far inside the gap between 0 and eps the worst pre-activation lies."""
    inside = sums.above(Fraction(0)) & ~sums.at_least(epsilon)
    values = [sums.fraction(numerator) for numerator in sums.numerators[inside]]
    return max((min(value, epsilon - value) for value in values), default=Fraction(0))
