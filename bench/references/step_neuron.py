"""The best change of one weight of a step neuron, together with the bias that is best for it.

With all other neurons of a network fixed, an objective that counts steps is a sum over samples of what it costs that
this neuron is active there. For weights w the samples are sorted by w x. A bias makes those from some place on active,
so adding up the costs from the end gives the cost of every bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import BoolArray, Float64Array
from vnnbench.instances.step_networks.train_property import Box

Int64Array: TypeAlias = npt.NDArray[np.int64]

GRID = 2.0**20
"""Continuous weights are multiples of 1 / GRID: with inputs on their grid, all sums are exact in float64."""
_MOST_NUMBERS = 2**16
"""The most pre-activations that are computed at once. Of more changes of a weight, as many are drawn."""
_WITHIN = 1 - 2.0**-12
"""How far weights are scaled towards the box of a bias, so that their rounding does not move the bias out of it."""
_SMALL_CHANGE = 0.2
"""The mean size of a small change of a continuous weight."""
SAME_COST = 1e-6
"""Costs are multiples of 0.1: a smaller difference is rounding."""


@dataclass(frozen=True, slots=True)
class NeuronKind:
    """What the neurons of a layer may be, and what they cost.

    weight: the values to try, and whether they are integers. reach: the size up to which the weights of a neuron may be
    multiplied by a factor; None if they may not. spacing: the distance of neighbouring pre-activations; None if that of
    the samples counts. weight_price, neuron_price: the cost of a weight of 1, and of being active on some sample.
    """

    weight: Box
    bias: Box
    epsilon: float
    reach: float | None
    spacing: float | None = None
    weight_price: float = 0.0
    neuron_price: float = 0.0

    def factor(self, largest: Float64Array, low: Float64Array, high: Float64Array) -> Float64Array:
        """Return the largest factor of weights with which some bias in its box makes w x + b at most 0 where w x is
        `low`, and at least eps where it is `high`; 0 if there is none. largest: max |w|. Shapes are broadcast."""
        within = 1.0 if self.reach is None else _WITHIN
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.where(low > 0, -within * self.bias.lower / low, np.inf)
            factor = np.minimum(factor, np.where(high < 0, (self.epsilon - within * self.bias.upper) / high, np.inf))
            if self.reach is None:
                factor = np.where(factor >= 1, 1.0, 0.0)
            else:
                factor = np.minimum(factor, np.where(largest > 0, self.reach / largest, 1.0))
            return np.where(factor * (high - low) >= self.epsilon, factor, 0.0)

    def bias_between(self, low: float, high: float) -> float | None:
        """Return the bias in the middle of those that are right for `low` and `high` (`factor`); None without one."""
        lower, upper = max(self.bias.lower, self.epsilon - high), min(self.bias.upper, -low)
        middle = (lower + upper) / 2
        bias = float(np.floor(middle)) if self.bias.integer else middle
        return bias if lower <= bias <= upper else None

    def cost(self, w: Float64Array, steps: BoolArray, costs: Float64Array) -> float:
        """Return what a neuron costs that is active at `steps` (T,). costs (T,): of being active on each sample."""
        return float(costs[steps].sum() + self.neuron_price * steps.any() + self.weight_price * w.sum())

    def changes(self, w: Float64Array, most: int, draws: np.random.Generator) -> tuple[Int64Array, Float64Array]:
        """Return places and new weights (C,), one for each change. Tried are the ends of the box, 0, and a weight near
        by on either side; of more than `most` changes, as many are drawn."""
        step = 1.0 if self.weight.integer else draws.exponential(_SMALL_CHANGE, len(w))
        ends = (np.full(len(w), end) for end in (self.weight.lower, 0.0, self.weight.upper))
        tried = np.clip(np.stack([*ends, w - step, w + step]), self.weight.lower, self.weight.upper)
        tried = np.sort(np.rint(tried * GRID) / GRID, axis=0)
        repeated = np.diff(tried, axis=0, prepend=np.nan) == 0
        rows, places = np.nonzero(~repeated & (tried != w))
        if len(places) > most:
            drawn = np.sort(draws.choice(len(places), most, replace=False))
            rows, places = rows[drawn], places[drawn]
        return places, tried[rows, places]


@dataclass(frozen=True, slots=True, eq=False)
class Neuron:
    """A neuron without its bias. w (m,): its weights, still to be multiplied by `factor`. steps (T,): where it is
    active. low, high: w x next to its threshold, on either side. cost: its part of the objective."""

    w: Float64Array
    factor: float
    steps: BoolArray
    low: float
    high: float
    cost: float

    def scaled(self) -> Float64Array:
        """Return the weights times the factor, on their grid."""
        return np.asarray(np.rint(self.w * self.factor * GRID) / GRID)


def best_change(
    kind: NeuronKind, X: Float64Array, w: Float64Array, costs: Float64Array, draws: np.random.Generator, room: float
) -> Neuron:
    """Return the cheapest neuron that differs from w (m,) in at most one weight, and has a bias in its box.

    X (T, m): the samples. costs (T,): what it costs to be active on each. room: the largest sum of the weights. Among
    equals it is the neuron whose samples are furthest apart at the threshold. The neuron that is never active and has
    no weights is always possible.
    """
    places, values = kind.changes(w, max(1, _MOST_NUMBERS // len(X)), draws)
    change = values - w[places]
    z = X @ w + np.vstack([np.zeros((1, len(X))), change[:, None] * X.T[places]])
    sums = w.sum() + np.concatenate([[0.0], change])
    order = np.argsort(z, axis=1)
    sorted_z, none = np.take_along_axis(z, order, axis=1), np.full((len(z), 1), np.inf)
    low, high = np.hstack([-none, sorted_z]), np.hstack([sorted_z, none])
    if kind.spacing is not None:
        low[:, :-1] = np.maximum(low[:, :-1], sorted_z - kind.spacing)
    factor = kind.factor(_largest(w, places, values)[:, None], low, high)
    total = np.zeros_like(low)
    total[:, :-1] = np.cumsum(costs[order][:, ::-1], axis=1)[:, ::-1] + kind.neuron_price
    total += kind.weight_price * sums[:, None]
    total[(factor == 0) | (sums > room)[:, None]] = np.inf
    cheapest = float(total.min())
    if cheapest > -SAME_COST:
        return never_active(X)
    equals = np.flatnonzero(total <= cheapest + SAME_COST)
    gaps = factor.flat[equals] * (high.flat[equals] - low.flat[equals])
    row, place = divmod(int(equals[np.argmax(gaps)]), low.shape[1])
    found = w.copy()
    if row:
        found[places[row - 1]] = values[row - 1]
    ends = float(low[row, place]), float(high[row, place])
    return Neuron(found, float(factor[row, place]), z[row] >= ends[1], *ends, cheapest)


def never_active(X: Float64Array) -> Neuron:
    """Return the neuron without weights that is active on none of the samples, which costs nothing."""
    return Neuron(np.zeros(X.shape[1]), 1.0, np.zeros(len(X), dtype=bool), 0.0, np.inf, 0.0)


def _largest(w: Float64Array, places: Int64Array, values: Float64Array) -> Float64Array:
    """Return max |w| (1 + C,) before and after each change."""
    sizes = np.abs(w)
    first = int(np.argmax(sizes)) if len(w) else 0
    most, second = sizes.max(initial=0.0), np.delete(sizes, [first][: len(w)]).max(initial=0.0)
    others = np.where(places == first, second, most)
    return np.concatenate([[most], np.maximum(others, np.abs(values))])
