"""The search for a large value of a network over an input set, from which answers are planted.

It is the conditional gradient method from many starts. At a point x with gradient g of the value, the linear functional
g attains its maximum over the set at a known point v (`Support.maximizers`). The best of the points x + share (v - x)
is taken, until none is better. The set is convex, so these points leave it only by rounding, which is repaired at the
end.
Source: Frank and Wolfe 1956. The result is a value that is reached, but it may not be the largest: an ascent may end at
a kink, where no gradient points to a better value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from vnnbench.instances.arrays import Float32Array, Float64Array
from vnnbench.instances.bounds.support_function import Support
from vnnbench.instances.networks.network import Network
from vnnbench.instances.properties.input_set import InputSet
from vnnbench.instances.properties.property import VerifyProperty
from vnnbench.instances.randomness import unit_interval

STARTS = 64
"""The number of starting points, beside the centre."""

_STEPS = 200
_SHARES = 8
"""The number of shares of the way that a step tries: 1, 1/2, 1/4 and so on."""

FloatArray = TypeVar("FloatArray", Float32Array, Float64Array)


def ascend(network: Network, prop: VerifyProperty, key: str) -> Float64Array:
    """Return a point (n_0,) exactly in the set where the value, max over targets of y_target - y_source, is large.

    It is the best end of the ascents, whose starts `key` fixes. The result is the same with the same versions on the
    same CPU type and one BLAS thread.
    """
    support = Support(prop.input_set)
    x = _starts(prop.input_set, support, key)
    x, value = climb(x, lambda A: support.maximizers(A)[0], lambda x: _value_and_gradient(network, prop, x), _STEPS)
    repaired = (prop.input_set.repair(x[row]) for row in np.argsort(-value, kind="stable"))
    return next((point for point in repaired if point is not None), prop.input_set.centre)


def climb(
    x: FloatArray,
    corners: Callable[[FloatArray], FloatArray],
    value_and_gradient: Callable[[FloatArray], tuple[FloatArray, FloatArray]],
    steps: int,
) -> tuple[FloatArray, FloatArray]:
    """Return the points that ascents from x (m, n_0) reach in at most `steps` steps, and the values (m,) there.

    corners: where linear functionals (m, n_0) attain their maxima over the set. value_and_gradient: (m,) and (m, n_0)
    at points. x is overwritten.
    """
    value, gradient = value_and_gradient(x)
    shares = np.ldexp(x.dtype.type(1), -np.arange(_SHARES))
    rising = np.arange(len(x))
    for _ in range(steps):
        trials = x[rising] + shares[:, None, None] * (corners(gradient[rising]) - x[rising])
        values, gradients = value_and_gradient(trials.reshape(-1, trials.shape[-1]))
        values, gradients = values.reshape(trials.shape[:2]), gradients.reshape(trials.shape)
        best, row = values.argmax(axis=0), np.arange(len(rising))
        better = values[best, row] > value[rising]
        best, row, rising = best[better], row[better], rising[better]
        if not len(rising):
            break
        x[rising], value[rising], gradient[rising] = trials[best, row], values[best, row], gradients[best, row]
    return x, value


def _starts(input_set: InputSet, support: Support, key: str) -> Float64Array:
    """Return the centre, and points halfway between two maximizers of random directions."""
    directions = (unit_interval(key, STARTS * input_set.n_inputs) - 0.5).reshape(STARTS, input_set.n_inputs)
    corners, _ = support.maximizers(directions)
    return np.concatenate([input_set.centre[None], 0.5 * (corners + np.roll(corners, 1, axis=0))])


def _value_and_gradient(network: Network, prop: VerifyProperty, x: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return the value (m,) and its gradient (m, n_0) at points x (m, n_0), up to rounding.

    If a ReLU is at 0, the gradient is that of its inactive side.
    """
    hidden = []
    h = x
    for layer in network.layers[:-1]:
        h = np.maximum(h @ layer.W.T + layer.b, 0.0)
        hidden.append(h)
    last = network.layers[-1]
    targets = list(prop.targets)
    margins = h @ (last.W[targets] - last.W[prop.source]).T + (last.b[targets] - last.b[prop.source])
    leading = margins.argmax(axis=1)
    gradient = (last.W[targets] - last.W[prop.source])[leading]
    for layer, h in zip(reversed(network.layers[:-1]), reversed(hidden), strict=True):
        gradient = np.where(h > 0, gradient, 0.0) @ layer.W
    return margins.max(axis=1), gradient
