"""The ascent from points of the relaxation towards a witness, by conditional gradients (Frank and Wolfe 1956).

A witness in a small linear region is found only so: the
maximizers of the relaxation are corners of the set.
"""

from __future__ import annotations

import numpy as np

from vnnbench.instances.arrays import Float32Array
from vnnbench.instances.generation.frank_wolfe import climb
from vnnbench.prover.goal import SearchGoal
from vnnbench.prover.region import Points
from vnnbench.prover.relaxed import RelaxedNetwork

_MOST_STEPS = 20


def ascend(network: RelaxedNetwork, goal: SearchGoal, points: Points) -> tuple[Points, Float32Array]:
    """Return better points (m,), and the goal's values there, less its limit; up to rounding, infinite or none where
    float32 overflows."""
    region = network.region
    with np.errstate(over="ignore", invalid="ignore"):
        x, values = climb(
            region.all_steps(points),
            lambda A: region.all_steps(region.maximum(A)[1]),
            lambda steps: _value_and_gradient(network, goal, steps),
            _MOST_STEPS,
        )
    return Points(None, x), values


def _value_and_gradient(
    network: RelaxedNetwork, goal: SearchGoal, steps: Float32Array
) -> tuple[Float32Array, Float32Array]:
    h = network.forward(Points(None, steps))
    values, A = goal.values(h[-1])
    return values, network.gradient(A, h)
