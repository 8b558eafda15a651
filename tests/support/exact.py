"""References in exact arithmetic, which share nothing with the code under test.

The points are lists of Fractions, one per input, and are integers over one denominator, as floats are. Layers
are therefore evaluated in Python's integers, many times faster than Fraction by Fraction.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import lcm
from operator import mul
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from vnnbench.instances.networks.network import Network
from vnnbench.instances.properties.input_set import InputSet

_Exact = TypeVar("_Exact", int, Fraction)


def fractions(values: npt.ArrayLike) -> list[Fraction]:
    """Return float64 numbers (n,) as Fractions, exactly."""
    return [Fraction(v) for v in np.asarray(values, dtype=np.float64).tolist()]


def _integers(values: Sequence[Fraction]) -> tuple[list[int], int]:
    """Return integers n_i and their denominator d with values[i] == n_i / d."""
    denominator = lcm(*(v.denominator for v in values))
    return [v.numerator * (denominator // v.denominator) for v in values], denominator


@lru_cache(maxsize=4)
def _integer_layers(network: Network) -> list[tuple[list[list[int]], list[int], int]]:
    """Return (W, b, d) of each layer in integers over d."""
    layers = []
    for W, b in zip(network.weights, network.biases, strict=True):
        numbers, denominator = _integers(fractions(np.concatenate([W.ravel(), b])))
        n_out, n_in = W.shape
        rows = [numbers[j * n_in : (j + 1) * n_in] for j in range(n_out)]
        layers.append((rows, numbers[n_out * n_in :], denominator))
    return layers


def forward(network: Network, x: Sequence[Fraction]) -> list[list[Fraction]]:
    """Return the pre-activations z_k = W_k h_{k-1} + b_k at x, one list per layer; the last is the output."""
    h, denominator = _integers(x)
    layers = []
    for rows, bias, own in _integer_layers(network):
        z = [sum(map(mul, row, h)) + b * denominator for row, b in zip(rows, bias, strict=True)]
        denominator *= own
        layers.append([Fraction(n, denominator) for n in z])
        h = [max(n, 0) for n in z]
    return layers


def knapsack(input_set: InputSet, row: Sequence[_Exact]) -> list[Fraction]:
    """Return the point of the set that maximizes row @ x: the dearest inputs move first, as in a fractional knapsack.
    The ball, if there is one, is of the L1 norm."""
    x, lower, upper = (fractions(a) for a in (input_set.centre, input_set.lower, input_set.upper))
    if input_set.radius is None:
        left = sum((hi - lo for lo, hi in zip(lower, upper, strict=True)), Fraction(0))  # enough for every corner
    else:
        left = Fraction(input_set.radius)
    for i in sorted(range(len(row)), key=lambda i: -abs(row[i])):
        if row[i] > 0:
            step = min(left, upper[i] - x[i])
            x[i] += step
        elif row[i] < 0:
            step = min(left, x[i] - lower[i])
            x[i] -= step
        else:
            break
        left -= step
    return x


def vertices(input_set: InputSet) -> list[list[Fraction]]:
    """Return all vertices of a small set: inputs move one after the other, in every order, to every side."""
    n = input_set.n_inputs
    found = set()
    for order in itertools.permutations(range(n)):
        for signs in itertools.product((1, -1), repeat=n):
            row = [0] * n
            for rank, (i, sign) in enumerate(zip(order, signs, strict=True)):
                row[i] = sign * (n - rank)
                found.add(tuple(knapsack(input_set, row)))
    return [list(point) for point in found]


def _steepest(network: Network, x: Sequence[Fraction], layer: int, neuron: int) -> list[int]:
    """Return the gradient (n_0,) of a pre-activation at x, times a power of two; a ReLU at 0 counts as off."""
    pre_activations, layers = forward(network, x), _integer_layers(network)
    row = layers[layer][0][neuron]
    for k in range(layer - 1, -1, -1):
        row = [r if z > 0 else 0 for r, z in zip(row, pre_activations[k], strict=True)]
        row = [sum(map(mul, row, column)) for column in zip(*layers[k][0], strict=True)]
    return row


def extreme_points(network: Network, input_set: InputSet, seed: int = 0) -> list[list[Fraction]]:
    """Return points of the set where pre-activations get large and small: the centre, the maximizer and minimizer of
    every first pre-activation, and where each deeper one is pushed by steps to the vertex that its gradient points to.
    """
    random = np.random.default_rng(seed)
    points = [fractions(input_set.centre)]
    for row in _integer_layers(network)[0][0]:
        for sign in (1, -1):
            points.append(knapsack(input_set, [sign * w for w in row]))
    for layer in range(1, len(network.weights)):
        for neuron, sign in itertools.product(range(network.weights[layer].shape[0]), (1, -1)):
            x = points[random.integers(len(points))]
            for _ in range(3):
                x = knapsack(input_set, [sign * g for g in _steepest(network, x, layer, neuron)])
                points.append(x)
    return points
