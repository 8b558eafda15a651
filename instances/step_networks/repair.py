"""The repair of a solver's network: a network exactly in the feasible set, near the given one, with the same steps.

Solvers leave pre-activations slightly above 0 or below eps. Parameters are put into their boxes and integers rounded,
and the steps of the training samples are kept as they are then. Each neuron whose samples are not clearly on their
sides gets the first of these parameters with which they are, exactly: its bias moved; its weights and bias scaled after
that; the solution of the linear program that maximizes the distance of the samples from both sides. Integers are not
scaled. The repair fails where none of them stays in the boxes.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import BoolArray, Float64Array
from vnnbench.instances.datasets.labelled_data import GRID
from vnnbench.instances.rationals import float_above, float_below
from vnnbench.instances.step_networks.exact_sums import exact_sums
from vnnbench.instances.step_networks.feasible_set import FeasibleSet
from vnnbench.instances.step_networks.step_network import StepNetwork, evaluate
from vnnbench.instances.step_networks.train_property import Box, TrainProperty

_ROUNDING = 1e-12
"""The distance from both sides that covers the rounding of scaled parameters."""
_LEAST_DISTANCE = 1e-9
"""The least distance from both sides that is taken from the linear program."""

_Neuron = tuple[Float64Array, float]
"""Weights and bias of a neuron."""


def repair(prop: TrainProperty, allowed: FeasibleSet, candidate: Float64Array) -> Float64Array | None:
    """Return the repaired candidate; the same array if it is in the set, and None if it cannot be repaired."""
    if allowed.violation(candidate) == 0:
        return candidate
    network = StepNetwork.of_vector(prop, allowed.rounded(candidate))
    found = evaluate(network, prop.training)
    hidden = _Layer(prop.training.on_grid, GRID, prop.weight, prop.bias, prop.epsilon)
    output = _Layer(found.steps.astype(np.int64), 1, prop.output_weight, prop.output_bias, prop.epsilon)
    if not (hidden.repair(network.W.T, network.b, found.steps) and output.repair(network.Q, network.c, found.outputs)):
        return None
    repaired = allowed.rounded(network.vector())  # no weight for an input that is 0 in all samples
    return repaired if allowed.violation(repaired) == 0 else None


class _Layer:
    """The neurons of a layer, which all have the same inputs (T, m), integers over `grid`, and the same boxes."""

    def __init__(self, inputs: npt.NDArray[np.int64], grid: int, weight: Box, bias: Box, epsilon: float) -> None:
        self._inputs, self._grid, self._weight, self._bias = inputs, grid, weight, bias
        self._epsilon = Fraction(epsilon)

    def repair(self, W: Float64Array, b: Float64Array, steps: BoolArray) -> bool:
        """Change weights (m, k) and biases (k,) in place to those with which the steps (T, k) are clear.

        Return whether they are found for every neuron.
        """
        for k in range(len(b)):
            first: _Neuron = (W[:, k].copy(), float(b[k]))
            chosen = next(
                (neuron for neuron in self._attempts(first, steps[:, k]) if self._fits(neuron, steps[:, k])), None
            )
            if chosen is None:
                return False
            W[:, k], b[k] = chosen
        return True

    def _attempts(self, neuron: _Neuron, steps: BoolArray) -> Iterator[_Neuron]:
        """Yield the neuron and its repairs, some of which may not fit."""
        yield neuron
        w, b = neuron
        highest_off, lowest_on = self._sides(neuron, steps)
        yield w, self._moved(b, highest_off, lowest_on)
        if self._weight.integer:
            return
        if highest_off is not None and lowest_on is not None and lowest_on > highest_off:
            scale = (float(self._epsilon) + 2 * _ROUNDING) / float(lowest_on - highest_off)
            yield w * scale, float(Fraction(b) - highest_off) * scale - _ROUNDING
        yield from self._by_linear_program(steps)

    def _sides(self, neuron: _Neuron, steps: BoolArray) -> tuple[Fraction | None, Fraction | None]:
        """Return the highest pre-activation of a step 0 and the lowest of a step 1; None where there is none."""
        w, b = neuron
        sums = exact_sums(self._inputs, self._grid, w[:, None], np.array([b]))
        off, on = sums.numerators[~steps, 0], sums.numerators[steps, 0]
        return (
            sums.fraction(off.max()) if len(off) else None,
            sums.fraction(on.min()) if len(on) else None,
        )

    def _moved(self, b: float, highest_off: Fraction | None, lowest_on: Fraction | None) -> float:
        """Return the bias nearest to b with which both sides are clear, if there is one."""
        if lowest_on is not None and lowest_on < self._epsilon:
            least = Fraction(b) + self._epsilon - lowest_on
            return float(np.ceil(float(least))) if self._bias.integer else float_above(least)
        if highest_off is not None and highest_off > 0:
            most = Fraction(b) - highest_off
            return float(np.floor(float(most))) if self._bias.integer else float_below(most)
        return b

    def _fits(self, neuron: _Neuron, steps: BoolArray) -> bool:
        """Return whether the neuron lies in the boxes and all its samples are on their sides."""
        w, b = neuron
        if not (
            self._bias.lower <= b <= self._bias.upper
            and self._weight.lower <= w.min()
            and w.max() <= self._weight.upper
        ):
            return False
        highest_off, lowest_on = self._sides(neuron, steps)
        return (highest_off is None or highest_off <= 0) and (lowest_on is None or lowest_on >= self._epsilon)

    def _by_linear_program(self, steps: BoolArray) -> Iterator[_Neuron]:
        """Yield the neuron whose samples are as far from both sides as its boxes allow."""
        from scipy.optimize import linprog  # imported here: it takes long, and few networks need it

        n_samples, m = self._inputs.shape
        signs = np.where(steps, -1.0, 1.0)  # on: -(w x + b) + t <= -eps; off: w x + b + t <= 0
        rows = np.concatenate([self._inputs / self._grid, np.ones((n_samples, 1))], axis=1) * signs[:, None]
        found = linprog(
            np.concatenate([np.zeros(m + 1), [-1.0]]),
            A_ub=np.concatenate([rows, np.ones((n_samples, 1))], axis=1),
            b_ub=np.where(steps, -float(self._epsilon), 0.0),
            bounds=[(self._weight.lower, self._weight.upper)] * m + [(self._bias.lower, self._bias.upper), (0.0, 1.0)],
        )
        if found.x is not None and found.x[-1] >= _LEAST_DISTANCE:
            w = np.clip(found.x[:m], self._weight.lower, self._weight.upper)
            yield w, float(np.clip(found.x[m], self._bias.lower, self._bias.upper))
