"""Pre-activation bounds that hold in exact arithmetic, by the method that a suite chooses (its level).

    box            interval arithmetic from the box, as if there were no ball
    interval       the first layer exact over the set, interval arithmetic from there
    backward       backward linear relaxation
    backward-opt   the same with lower slopes optimized for every neuron
    lp             the linear program of the relaxation, its bounds proven by the duals
    split          backward-opt with case splits on a few earlier ReLUs: beyond any relaxation of single neurons

Every level starts from the bounds of the level that it builds on, so it is never wider: backward-opt, lp and split
start from backward, and backward from interval. Each layer is bounded with the level's own bounds of the layers before.
Bounds are computed in float64 and widened by a proven rounding error, or, with `lp`, made safe by duals. The sources
are in `relaxation` and `lp`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array, magnitudes
from vnnbench.instances.bounds.lp import lp_maximum
from vnnbench.instances.bounds.relaxation import Relaxation
from vnnbench.instances.bounds.slopes import optimized_maximum
from vnnbench.instances.bounds.splits import split_maximum
from vnnbench.instances.bounds.support_function import Support
from vnnbench.instances.bounds.window_blocks import first_inputs
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.network import Layer, Layered
from vnnbench.instances.properties.input_set import InputSet
from vnnbench.instances.properties.property import Property

_FUNCTIONALS_AT_A_TIME = 512
"""The number of functionals in memory at a time, with all their choices, for networks of many thousand neurons too."""


class BoundLevel(StrEnum):
    """The methods that bound pre-activations, from fast to narrow."""

    BOX = "box"
    INTERVAL = "interval"
    BACKWARD = "backward"
    BACKWARD_OPT = "backward-opt"
    LP = "lp"
    SPLIT = "split"


DEFAULT_BOUNDS = BoundLevel.SPLIT
"""The level with the least time of bounding plus solving, except for the smallest networks."""

MANY_RELUS = 2_000
"""The most ReLUs of a network for which `DEFAULT_BOUNDS` takes seconds to minutes."""

_Maximum = Callable[[Relaxation, Float64Array, Float64Array], Float64Array]


@dataclass(frozen=True, slots=True, eq=False)
class LayerBounds:
    """lower <= z_k <= upper, each (n_k,) float64, for every input of the set, in exact arithmetic."""

    lower: Float64Array
    upper: Float64Array

    @property
    def stable_active(self) -> npt.NDArray[np.bool_]:
        return self.lower >= 0

    @property
    def stable_inactive(self) -> npt.NDArray[np.bool_]:
        return (self.upper <= 0) & ~self.stable_active

    @property
    def unstable(self) -> npt.NDArray[np.bool_]:
        return (self.lower < 0) & (self.upper > 0)


def default_bounds(network: Layered) -> BoundLevel:
    """Return the level for a network from elsewhere: `DEFAULT_BOUNDS`, or backward if it has more than `MANY_RELUS`.

    On the networks with convolutions that have so many, the levels beyond backward take hours for a few ReLUs.
    """
    n_relus = sum(int(layer.relu.sum()) for layer in network.layers)
    return DEFAULT_BOUNDS if n_relus <= MANY_RELUS else BoundLevel.BACKWARD


def bound_layers(
    network: Layered, input_set: InputSet, level: BoundLevel, threads: int = 1, *, outputs: bool = True
) -> list[LayerBounds]:
    """Bound every z_k, the outputs included, over the input set, with one `LayerBounds` per layer.

    The bounds are sound in exact arithmetic. They are exact, apart from the widening, only in the first layer, from
    `interval` on; a neuron without weights has exactly its bias. The levels beyond backward narrow the ReLUs that
    backward leaves unstable, and the outputs if `outputs` is true. `threads` are for linear programs. Neither they nor
    BLAS's threads change the bounds.
    Raises `NetworkError` when a bound exceeds float64.
    """
    if all(isinstance(layer.W, np.ndarray) for layer in network.layers):
        return _bound_layers(network, input_set, level, threads, outputs)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):  # more threads give blocks other bits, and take longer
        return _bound_layers(network, input_set, level, threads, outputs)


def _bound_layers(
    network: Layered, input_set: InputSet, level: BoundLevel, threads: int, outputs: bool
) -> list[LayerBounds]:
    support = Support(input_set)
    relaxation = Relaxation(network.layers, support)
    refined: dict[BoundLevel, _Maximum] = {
        BoundLevel.BACKWARD_OPT: optimized_maximum,
        BoundLevel.LP: partial(lp_maximum, threads=threads),
        BoundLevel.SPLIT: split_maximum,
    }
    lower, upper = (input_set.lower, input_set.upper) if level is BoundLevel.BOX else (support.lower, support.upper)
    found = []
    for k, layer in enumerate(network.layers, 1):
        with np.errstate(over="ignore", invalid="ignore"):
            copied, ends = layer.copied(), (lower, upper)
            is_copy = copied >= 0
            lower, upper = _interval(layer, lower, upper, relaxation.unit)
            if _goes_back(level, relaxation):
                lower, upper = _narrowed(layer, lower, upper, ~is_copy, relaxation, Relaxation.maximum)
            lower[is_copy], upper[is_copy] = (end[copied[is_copy]] for end in ends)  # what is carried on keeps them
        if not (np.isfinite(lower) & np.isfinite(upper)).all():
            raise NetworkError(f"layer {k}: the weights are too large; its pre-activations exceed float64")
        if level in refined and any(before.layer.relu.any() for before in relaxation.relaxed):
            is_last = outputs and k == len(network.layers)
            wanted = np.where(layer.relu, (lower < 0) & (upper > 0), is_last)
            lower, upper = _narrowed(layer, lower, upper, wanted, relaxation, refined[level])
        if layer.divisor is None:
            dead = ~layer.has_weights()
            lower, upper = np.where(dead, layer.b, lower), np.where(dead, layer.b, upper)
        found.append(LayerBounds(lower, upper))
        relaxation.append(layer, lower, upper)
        lower, upper = layer.activate(lower), layer.activate(upper)
    return found


def _goes_back(level: BoundLevel, relaxation: Relaxation) -> bool:
    """Return whether a backward pass follows: at `interval` only without a ReLU before, so that it is exact."""
    if level is BoundLevel.INTERVAL:
        return not any(before.layer.relu.any() for before in relaxation.relaxed)
    return level is not BoundLevel.BOX


def _interval(layer: Layer, lower: Float64Array, upper: Float64Array, unit: float) -> tuple[Float64Array, Float64Array]:
    """Return bounds of z from those of the layer's inputs, by interval arithmetic; `unit` as in `Relaxation`."""
    weights = abs(layer.W)
    # The error of each sum is below the unit times its magnitudes; the tiny numbers that are added cover underflows.
    error = 4 * unit * (weights @ (magnitudes(lower, upper) + 2.0**-900) + np.abs(layer.b)) + 2.0**-1000
    centre, reach = layer.W @ (0.5 * lower + 0.5 * upper) + layer.b, weights @ (0.5 * upper - 0.5 * lower) + error
    divisor = 1.0 if layer.divisor is None else layer.divisor
    return np.nextafter((centre - reach) / divisor, -np.inf), np.nextafter((centre + reach) / divisor, np.inf)


def _narrowed(
    layer: Layer,
    lower: Float64Array,
    upper: Float64Array,
    wanted: npt.NDArray[np.bool_],
    relaxation: Relaxation,
    maximum: _Maximum,
) -> tuple[Float64Array, Float64Array]:
    """Return the bounds of z, with the `wanted` ones narrowed to those that `maximum` finds."""
    lower, upper = lower.copy(), upper.copy()
    neurons = np.flatnonzero(wanted)
    if not isinstance(layer.W, np.ndarray):  # those of one window side by side: they read the same few neurons
        neurons = neurons[np.argsort(first_inputs(layer.W)[neurons], kind="stable")]
    for start in range(0, len(neurons), _FUNCTIONALS_AT_A_TIME // 2):
        some = neurons[start : start + _FUNCTIONALS_AT_A_TIME // 2]
        W = layer.W[some] if isinstance(layer.W, np.ndarray) else layer.W[some].toarray()
        found = maximum(relaxation, np.concatenate([W, -W]), np.concatenate([layer.b[some], -layer.b[some]]))
        if layer.divisor is not None:
            found = np.nextafter(found / np.tile(layer.divisor[some], 2), np.inf)
        upper[some] = np.minimum(upper[some], found[: len(some)])
        lower[some] = np.maximum(lower[some], -found[len(some) :])
    return lower, upper


def value_bound(network: Layered, prop: Property, level: BoundLevel) -> float:
    """Return an upper bound of the goal's value over the property's set that holds in exact arithmetic.

    The goal's coefficients must be float64 numbers, as those of classes are.
    """
    return float(prop.goal.reduce(bound_layers(prop.goal.measured(network), prop.input_set, level)[-1].upper.tolist()))
