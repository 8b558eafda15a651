"""Pre-activation bounds that hold in exact arithmetic.

Backward linear relaxation: each row of W_k h_{k-1} + b_k is bounded by substituting, layer by layer, a linear upper or
lower bound of every ReLU, down to a linear function of the input, whose maximum over the input set is exact.
Computed in float64; every rounding error is covered by a term proportional to the sum of the magnitudes involved.

Dimensions: A (m, n_k) float64 are m linear functionals of layer k; bounds per layer are (n_k,).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from instances.errors import NetworkError
from instances.input_set import InputSet
from instances.network import Float64Array, Network

UNIT_ROUNDOFF = 2.0**-53

_UNDERFLOW_SIZE = 2.0**-840
"""Added to every |A|: times the unit and the least float32, 2**-149, it still exceeds what one underflow loses."""
_UNDERFLOW = 2.0**-1000
"""More than all underflows of sums that float32 weights have no part in."""

_FEW_INPUTS = 64
"""The knapsack looks at so many of the largest coefficients first; a radius of 5 rarely needs more."""


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


def backward_bounds(network: Network, input_set: InputSet) -> list[LayerBounds]:
    """Bound every pre-activation z_k, the outputs included, over the input set by backward linear relaxation.

    For a ReLU with l < 0 < u: h <= u (z - l) / (u - l), and h >= z where u > -l, else h >= 0. The first layer, and any
    functional of the input, is maximized exactly over the set (L1 in a box: the dual of a fractional knapsack; the box
    alone: its corner).
    Sound in exact arithmetic; not tight beyond the first layer. One `LayerBounds` per layer; a neuron without weights
    has exactly its bias. Raises `NetworkError` when a bound exceeds float64.
    Source: Zhang et al. 2018, arXiv:1811.00866, eq. 8-12; error term: Higham 2002, section 3.1.
    """
    layers = [(layer.W, layer.b) for layer in network.layers]
    relaxation = _Relaxation(layers, input_set)
    for k, (W, b) in enumerate(layers, 1):
        n = len(b)
        with np.errstate(over="ignore", invalid="ignore"):
            upper = relaxation.maximum(np.concatenate([W, -W]), np.concatenate([b, -b]))
            if not np.isfinite(upper).all():
                raise NetworkError(f"layer {k}: the weights are too large, its pre-activations exceed float64")
            dead = ~W.any(axis=1)
            relaxation.append(LayerBounds(np.where(dead, b, -upper[n:]), np.where(dead, b, upper[:n])))
    return relaxation.bounds


class _Relaxation:
    """The layers bounded so far, with what the error terms need of them."""

    def __init__(self, layers: list[tuple[Float64Array, Float64Array]], input_set: InputSet) -> None:
        self.layers, self.input_set = layers, input_set
        self.bounds: list[LayerBounds] = []
        # Per layer bounded: what `_relu_relaxation` says, and the magnitudes of which its rounding errors are a part.
        self.relaxed: list[tuple[Float64Array, Float64Array, Float64Array]] = []
        self.sizes: list[Float64Array] = []
        # |h_k| <= magnitude[k] for every point of the set, k = 0 being the input.
        self.magnitude = [np.maximum(np.abs(input_set.lower), np.abs(input_set.upper))]
        # A sum of n products errs by less than n u times its magnitudes; n is the widest layer, and the slack of 64
        # operations and 1 % covers the few further roundings per layer and those in the error term itself.
        widest = max(input_set.n_inputs, *(len(b) for _, b in layers))
        self.unit = 1.01 * (widest + 8 * len(layers) + 64) * UNIT_ROUNDOFF

    def append(self, bounds: LayerBounds) -> None:
        W, b = self.layers[len(self.bounds)]
        self.bounds.append(bounds)
        self.relaxed.append(_relu_relaxation(bounds))
        self.sizes.append(
            np.maximum(np.abs(bounds.lower), np.abs(bounds.upper))  # the rounding of A itself, at |z_k|
            + np.abs(b)
            + np.abs(W) @ self.magnitude[-1]
        )
        self.magnitude.append(np.maximum(bounds.upper, 0.0))

    def maximum(self, A: Float64Array, constant: Float64Array) -> Float64Array:
        """An upper bound (m,) of A h + constant over the set, h being the last layer appended (or the input)."""
        errors = np.abs(constant)
        for k in range(len(self.bounds) - 1, -1, -1):
            W, b = self.layers[k]
            upper_slope, upper_intercept, lower_slope = self.relaxed[k]
            positive, negative = np.maximum(A, 0.0), np.minimum(A, 0.0)
            intercepts = positive @ upper_intercept
            A = positive * upper_slope + negative * lower_slope
            errors += intercepts + (np.abs(A) + _UNDERFLOW_SIZE) @ self.sizes[k]
            constant = constant + intercepts + A @ b
            A = A @ W
        ball = self._over_ball(A)
        # A centre and the ball's part may cancel, so each has its own term.
        errors += np.abs(A) @ self.magnitude[0] + np.abs(constant) + ball
        return np.nextafter(constant + (A @ self.input_set.centre + ball) + (self.unit * errors + _UNDERFLOW), np.inf)

    def _over_ball(self, A: Float64Array, n_kept: int = _FEW_INPUTS) -> Float64Array:
        """max of A (x - centre) over the set, (m,), up to the error term: min over t >= 0 of
        t radius + sum_i room_i max(|A_i| - t, 0), room_i being the distance to the bound that A_i points to.

        Any t gives a valid bound (weak duality); the knapsack's critical |A_i| attains the minimum. Only the `n_kept`
        largest |A_i| are sorted: when they fill the knapsack, the others are <= t and add nothing."""
        s = self.input_set
        above, below = s.upper - s.centre, s.centre - s.lower
        if s.radius is None:
            whole: Float64Array = (np.where(A > 0, above, below) * np.abs(A)).sum(axis=1)  # no ball: t = 0
            return whole
        n_kept = min(n_kept, s.n_inputs)
        kept = np.argpartition(-np.abs(A), n_kept - 1, axis=1)[:, :n_kept]  # the ties of sparse rows last: faster
        A_kept = np.take_along_axis(A, kept, axis=1)
        order = np.argsort(-np.abs(A_kept), axis=1)
        room = np.take_along_axis(np.where(A_kept > 0, above[kept], below[kept]), order, axis=1)
        size = np.abs(np.take_along_axis(A_kept, order, axis=1))
        filled = np.cumsum(room, axis=1) >= s.radius
        full = filled.any(axis=1)
        t = np.where(full, np.take_along_axis(size, filled.argmax(axis=1)[:, None], axis=1)[:, 0], 0.0)
        ball: Float64Array = t * s.radius + (room * np.maximum(size - t[:, None], 0.0)).sum(axis=1)
        if n_kept < s.n_inputs and (more := ~full & (size[:, -1] > 0)).any():
            ball[more] = self._over_ball(A[more], 8 * n_kept)
        return ball


def _relu_relaxation(bounds: LayerBounds) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Upper slope and intercept, lower slope (n_k,) each, so that slope z <= max(z, 0) <= slope z + intercept on
    [lower, upper] in exact arithmetic, whatever the rounding of the slope: the intercept is raised to fit it."""
    lower, upper, unstable = bounds.lower, bounds.upper, bounds.unstable
    width = np.where(unstable, upper - lower, 1.0)
    slope = np.where(unstable, np.minimum(upper / width, 1.0), bounds.stable_active.astype(np.float64))
    # max(z, 0) - slope z is convex, so its maximum over [lower, upper] lies at an end.
    ends = np.maximum(-slope * lower, (1.0 - slope) * upper)
    intercept = np.where(unstable, np.nextafter(ends * (1 + 4 * UNIT_ROUNDOFF), np.inf), 0.0)
    lower_slope = np.where(unstable, (upper > -lower).astype(np.float64), slope)
    return slope, intercept, lower_slope
