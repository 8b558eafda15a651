"""References in exact arithmetic: plain Fractions, nothing shared with the code under test.

A point is a list of Fractions, one per input.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vnnbench.instances.networks.network import Network
from vnnbench.instances.properties.input_set import InputSet


def fractions(values: npt.ArrayLike) -> list[Fraction]:
    """Return float64 numbers (n,) as Fractions, exactly."""
    return [Fraction(v) for v in np.asarray(values, dtype=np.float64).tolist()]


def forward(network: Network, x: list[Fraction]) -> list[list[Fraction]]:
    """Return the pre-activations z_k = W_k h_{k-1} + b_k at x, one list per layer; the last is the output."""
    h, layers = x, []
    for W, b in zip(network.weights, network.biases, strict=True):
        z = [
            sum((Fraction(w) * v for w, v in zip(row, h, strict=True) if w), Fraction(bias))
            for row, bias in zip(W.tolist(), b.tolist(), strict=True)
        ]
        layers.append(z)
        h = [max(v, Fraction(0)) for v in z]
    return layers


def knapsack(input_set: InputSet, row: Sequence[Fraction]) -> list[Fraction]:
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
            row = [Fraction(0)] * n
            for rank, (i, sign) in enumerate(zip(order, signs, strict=True)):
                row[i] = Fraction(sign * (n - rank))
                found.add(tuple(knapsack(input_set, row)))
    return [list(point) for point in found]


def gradient(network: Network, x: list[Fraction], layer: int, neuron: int) -> list[Fraction]:
    """Return the gradient (n_0,) of a pre-activation at x; a ReLU at 0 counts as off."""
    pre_activations = forward(network, x)
    row = [Fraction(w) for w in network.weights[layer][neuron].tolist()]
    for k in range(layer - 1, -1, -1):
        row = [r if z > 0 else Fraction(0) for r, z in zip(row, pre_activations[k], strict=True)]
        columns = network.weights[k].T.tolist()
        row = [sum((r * Fraction(w) for r, w in zip(row, column, strict=True)), Fraction(0)) for column in columns]
    return row


def extreme_points(network: Network, input_set: InputSet, seed: int = 0) -> list[list[Fraction]]:
    """Return points of the set where pre-activations get large and small: the centre, the maximizer and minimizer of
    every first pre-activation, and where each deeper one is pushed by steps to the vertex that its gradient points to.
    """
    random = np.random.default_rng(seed)
    points = [fractions(input_set.centre)]
    for row in network.weights[0].tolist():
        for sign in (1, -1):
            points.append(knapsack(input_set, [sign * Fraction(w) for w in row]))
    for layer in range(1, len(network.weights)):
        for neuron, sign in itertools.product(range(network.weights[layer].shape[0]), (1, -1)):
            x = points[random.integers(len(points))]
            for _ in range(3):
                x = knapsack(input_set, [sign * g for g in gradient(network, x, layer, neuron)])
                points.append(x)
    return points
