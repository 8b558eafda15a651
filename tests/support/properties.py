"""Small input sets, points of them, and the properties that ask about them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import Network
from vnnbench.instances.properties.input_set import InputSet, Norm, box_set
from vnnbench.instances.properties.property import MaximizeProperty, VerifyProperty


def make_set(centre: npt.ArrayLike, radius: float, lower: float = 0.0, upper: float = 1.0) -> InputSet:
    """Return the L1 ball around the centre, cut with the box [lower, upper]^n."""
    centre = np.array(centre, dtype=np.float64)
    return InputSet(Norm.L1, centre, float(radius), np.full_like(centre, lower), np.full_like(centre, upper))


def make_box(lower: npt.ArrayLike, upper: npt.ArrayLike) -> InputSet:
    """Return the box with these ends, without a ball."""
    return box_set(np.array(lower, dtype=np.float64), np.array(upper, dtype=np.float64))


def members(input_set: InputSet, n: int, seed: int = 0) -> list[Float64Array]:
    """Return n float64 points that are exactly in the set: the centre, and random ones inside, on its boundary and at
    its corners."""
    random = np.random.default_rng(seed)
    points = [input_set.centre]
    while len(points) < n:
        direction = random.normal(size=input_set.n_inputs) * (random.random(input_set.n_inputs) < random.random())
        norm = np.abs(direction).max() if input_set.norm is Norm.LINF else np.abs(direction).sum()
        radius = input_set.radius or float((input_set.upper - input_set.lower).sum())
        length = radius * random.choice([1.0, 3.0, random.random()])
        point = input_set.repair(input_set.centre + (direction / norm * length if norm else 0.0))
        assert point is not None
        points.append(point)
    return points


def highest(input_set: InputSet, output: int = 0) -> MaximizeProperty:
    """Ask how large an output gets over the set."""
    return MaximizeProperty(input_set, output, None, None)


def targeted(input_set: InputSet, source: int = 0, target: int = 1, strict: bool = True) -> VerifyProperty:
    """Ask whether the target class beats the source class anywhere in the set."""
    return VerifyProperty(input_set, source, (target,), strict, None, None)


def exact_value(network: Network, prop: VerifyProperty, x: Float64Array) -> Fraction:
    """Return y_target - y_source at x (n_0,), exactly, for a property with one target."""
    assert prop.target is not None
    outputs = ExactNetwork(network).outputs(x)
    return outputs[prop.target] - outputs[prop.source]
