"""The search for a large value of a network over an input set: the start of what is planted.

Conditional gradients from many starts: where the value's gradient g is, the linear functional g attains its maximum at
a point v of the set that is known (`Support.maximizers`); of the points x + share (v - x) the best is taken, until none
is better. The set is convex, so none of them leaves it, but for rounding, which is repaired at the end.
Source: Frank and Wolfe 1956. What is found is a value that is reached and may not be the largest: an ascent may end at
a kink, where no gradient points to anything better.
"""

from __future__ import annotations

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.bounds.support_function import Support
from vnnbench.instances.networks.network import Network
from vnnbench.instances.properties.input_set import InputSet
from vnnbench.instances.properties.property import VerifyProperty
from vnnbench.instances.randomness import unit_interval

STARTS = 64
"""Points that the ascent begins at, beside the centre."""

_STEPS = 200
_SHARES = np.ldexp(1.0, -np.arange(8))


def ascend(network: Network, prop: VerifyProperty, key: str) -> Float64Array:
    """A point (n_0,) exactly in the set where the network's value, max over targets of y_target - y_source, is large:
    the best end of the ascents, whose starts `key` fixes. The same with the same versions on the same CPU type and one
    BLAS thread."""
    support = Support(prop.input_set)
    x = _starts(prop.input_set, support, key)
    value, gradient = _value_and_gradient(network, prop, x)
    rising = np.arange(len(x))
    for _ in range(_STEPS):
        corners, _ = support.maximizers(gradient[rising])
        trials = x[rising] + _SHARES[:, None, None] * (corners - x[rising])
        values, gradients = _value_and_gradient(network, prop, trials.reshape(-1, trials.shape[-1]))
        values, gradients = values.reshape(trials.shape[:2]), gradients.reshape(trials.shape)
        best, row = values.argmax(axis=0), np.arange(len(rising))
        better = values[best, row] > value[rising]
        best, row, rising = best[better], row[better], rising[better]
        if not len(rising):
            break
        x[rising], value[rising], gradient[rising] = trials[best, row], values[best, row], gradients[best, row]
    repaired = (prop.input_set.repair(x[row]) for row in np.argsort(-value, kind="stable"))
    return next((point for point in repaired if point is not None), prop.input_set.centre)


def _starts(input_set: InputSet, support: Support, key: str) -> Float64Array:
    """The centre, and points halfway between two of those that are furthest in random directions."""
    directions = (unit_interval(key, STARTS * input_set.n_inputs) - 0.5).reshape(STARTS, input_set.n_inputs)
    corners, _ = support.maximizers(directions)
    return np.concatenate([input_set.centre[None], 0.5 * (corners + np.roll(corners, 1, axis=0))])


def _value_and_gradient(network: Network, prop: VerifyProperty, x: Float64Array) -> tuple[Float64Array, Float64Array]:
    """The value (m,) and its gradient (m, n_0) at points x (m, n_0), up to rounding; where a ReLU is at 0, that of its
    inactive side."""
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
