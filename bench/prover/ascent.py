"""The ascent from points of the relaxation towards a witness, by conditional gradients (Frank and Wolfe 1956).

The linear function with the gradient of the value at x attains its maximum over the set at a known point v. The best of
the points x + share (v - x) is taken as long as it is better. A witness in a small linear region is found only so: the
maximizers of the relaxation are corners of the set.
"""

from __future__ import annotations

import numpy as np

from vnnbench.instances.arrays import Float32Array
from vnnbench.prover.goal import SearchGoal
from vnnbench.prover.region import Points
from vnnbench.prover.relaxed import RelaxedNetwork

_MOST_STEPS = 20
_SHARES = np.ldexp(np.float32(1), -np.arange(8))


def ascend(network: RelaxedNetwork, goal: SearchGoal, points: Points) -> tuple[Points, Float32Array]:
    """Return better points (m,), and the goal's values there, less its limit; up to rounding."""
    x = network.region.all_steps(points)
    values, gradients = _value_and_gradient(network, goal, x)
    rising = np.arange(len(x))
    for _ in range(_MOST_STEPS):
        corners = network.region.all_steps(network.region.maximum(gradients[rising])[1])
        trials = x[rising] + _SHARES[:, None, None] * (corners - x[rising])
        tried, of_tried = _value_and_gradient(network, goal, trials.reshape(-1, x.shape[1]))
        tried, of_tried = tried.reshape(trials.shape[:2]), of_tried.reshape(trials.shape)
        best, row = tried.argmax(axis=0), np.arange(len(rising))
        better = tried[best, row] > values[rising]
        best, row, rising = best[better], row[better], rising[better]
        if not len(rising):
            break
        x[rising], values[rising], gradients[rising] = trials[best, row], tried[best, row], of_tried[best, row]
    return Points(None, x), values


def _value_and_gradient(
    network: RelaxedNetwork, goal: SearchGoal, steps: Float32Array
) -> tuple[Float32Array, Float32Array]:
    h = network.forward(Points(None, steps))
    values, A = goal.values(h[-1])
    return values, network.gradient(A, h)
