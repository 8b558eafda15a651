"""Backward linear relaxation: sound upper bounds of linear functionals of a layer, and their derivatives.

A functional A h_k is bounded backwards, layer by layer: h_k is replaced by a linear bound of every ReLU, z_k by its
affine map, until a functional of the input is left, whose maximum over the input set is exact. Three choices are free
in every functional's pass, and any choice is sound:

    the lower slope of an unstable ReLU, h >= slope z for 0 <= slope <= 1
    its phase, where a case of a split fixes it: z >= 0 and h = z, or z <= 0 and h = 0
    the multiplier of that case's constraint (Lagrange): A h <= A h + multiplier |z|

Bounds are computed in float64; a term proportional to the sum of the magnitudes covers every rounding error. It holds
for sums in any order, and a coefficient that is exactly 0 does not have an error. So where layers are sparse, as those
of convolutions are, the pass takes only the neurons that a functional reads, and multiplies block by block.
Sources: Zhang et al. 2018, arXiv:1811.00866, eq. 8-12 (backward pass); Xu et al. 2021, arXiv:2011.13824 (slopes);
Wang et al. 2021, arXiv:2103.06624 (multipliers); Higham 2002, section 3.1 (error term).

Dimensions: A (m, n_k) float64 are m functionals of layer k; bounds per layer are (n_k,).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array, magnitudes
from vnnbench.instances.bounds.linear_program import UNIT_ROUNDOFF
from vnnbench.instances.bounds.support_function import Support
from vnnbench.instances.bounds.window_blocks import WindowBlocks
from vnnbench.instances.networks.network import Layer

_UNDERFLOW_SIZE = 2.0**-700
"""Added to every |A|. Times the unit and the least possible weight, 2**-213 (the scale of a batch normalization in
float32), it still exceeds the loss by underflows."""
_UNDERFLOW = 2.0**-1000
"""More than all underflows of sums without float32 weights."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The choices of m functionals in one layer, (m, n_k) each.

    slope: lower slopes, in [0, 1], used where the neuron is unstable and its phase is open.
    phase: 1 where a case fixes z >= 0, -1 where it fixes z <= 0, 0 where it fixes nothing; None: 0 everywhere.
    multiplier: at least 0, used where phase is not 0; None if phase is.
    """

    slope: Float64Array
    phase: npt.NDArray[np.int8] | None = None
    multiplier: Float64Array | None = None

    def rows(self, rows: npt.NDArray[np.intp] | slice) -> Choice:
        """Return a copy for some of the functionals."""
        copies = (None if part is None else part[rows].copy() for part in (self.phase, self.multiplier))
        return Choice(self.slope[rows].copy(), *copies)  # type: ignore[arg-type]

    def take(self, other: Choice, rows: npt.NDArray[np.bool_]) -> None:
        """Overwrite the functionals `rows` with those of `other`, of the same phases."""
        self.slope[rows] = other.slope[rows]
        if self.multiplier is not None and other.multiplier is not None:
            self.multiplier[rows] = other.multiplier[rows]


@dataclass(frozen=True, slots=True, eq=False)
class RelaxedLayer:
    """A layer with bounds of its pre-activations, and the linear bounds of its ReLUs.

    All are (n_k,): slope_below z <= h <= slope_above z + intercept.
    """

    layer: Layer
    lower: Float64Array
    upper: Float64Array
    slope_above: Float64Array
    intercept: Float64Array
    slope_below: Float64Array
    size: Float64Array
    """The magnitudes that rounding errors are proportional to: those of a pass are a small part of |A| @ size."""

    @property
    def unstable(self) -> npt.NDArray[np.bool_]:
        """Return where there is a ReLU whose sign is open, (n_k,)."""
        return (self.lower < 0) & (self.upper > 0) & self.layer.relu


@dataclass(frozen=True, slots=True, eq=False)
class Descent:
    """The bounds of a pass with their derivatives by its choices.

    value (m,): the bounds, up to rounding. z, gap: per layer (m, n_k), the relaxed pre-activation where the bound is
    attained, and the amount that the relaxation of each ReLU adds there.
    by_slope: per layer (m, n_k), the derivative by the lower slope.
    """

    value: Float64Array
    z: list[Float64Array]
    gap: list[Float64Array]
    by_slope: list[Float64Array]

    def by_multiplier(self, choice: Choice, k: int) -> Float64Array:
        """Return the derivative (m, n_k) by the multiplier of layer k, whose choice this is."""
        return np.zeros_like(self.z[k]) if choice.phase is None else choice.phase * self.z[k]


class Relaxation:
    """The relaxation of the layers that are already bounded."""

    def __init__(self, layers: Sequence[Layer], support: Support) -> None:
        self.support = support
        self.relaxed: list[RelaxedLayer] = []
        self._windows: list[WindowBlocks | None] = []
        # |h_k| <= magnitude for every point of the set, where h_k is the last layer appended, or the input.
        self._input_magnitude = self._magnitude = magnitudes(support.lower, support.upper)
        # The error of a sum of n products is below n u times its magnitudes. n is the width of the widest layer; the
        # slack of 64 operations and 1 % covers the few other roundings per layer and those in the error term itself.
        widest = max(support.n_inputs, *(layer.n_outputs for layer in layers))
        self.unit = 1.01 * (widest + 8 * len(layers) + 64) * UNIT_ROUNDOFF

    def append(self, layer: Layer, lower: Float64Array, upper: Float64Array) -> None:
        """Add the next layer with bounds of its z that hold in exact arithmetic."""
        own = np.abs(layer.b) + abs(layer.W) @ self._magnitude
        size = magnitudes(lower, upper) + (own if layer.divisor is None else own / layer.divisor)
        self._magnitude = np.where(layer.relu, np.maximum(upper, 0.0), magnitudes(lower, upper))
        self.relaxed.append(RelaxedLayer(layer, lower, upper, *_relu_relaxation(layer, lower, upper), size))
        self._windows.append(None if isinstance(layer.W, np.ndarray) else WindowBlocks.of(layer.W))

    def choices(self, m: int) -> list[Choice]:
        """Return the choices that `maximum` takes by default for m functionals: the lower slopes of `RelaxedLayer`."""
        return [Choice(np.tile(layer.slope_below, (m, 1))) for layer in self.relaxed]

    def maximum(self, A: Float64Array, constant: Float64Array, choices: Sequence[Choice] | None = None) -> Float64Array:
        """Return an upper bound (m,) of A h + constant over the set, where h is the last layer appended (or the input).

        If a case fixes phases, the bound is over the part of the set where they hold. It is sound in exact arithmetic.
        """
        by_neuron = choices is None and any(windows is not None for windows in self._windows)
        down = self._down_by_neuron(A, constant) if by_neuron else self._down(A, constant, choices)
        ball = self.support.maximum(down.A)
        # The centre's part and the ball's part may cancel, so each has an error term of its own.
        errors = down.errors + np.abs(down.A) @ self._input_magnitude + np.abs(down.constant) + ball
        value = down.constant + (down.A @ self.support.centre + ball)
        return np.nextafter(value + (self.unit * errors + _UNDERFLOW), np.inf)

    def descent(self, A: Float64Array, constant: Float64Array, choices: Sequence[Choice]) -> Descent:
        """Return the bounds with these choices and their derivatives, up to rounding.

        By the envelope theorem the derivatives are those at the maximizer of the last functional, propagated forward
        through the relaxation.
        """
        down = self._down(A, constant, choices)
        h, ball = self.support.maximizers(down.A)
        found = Descent(down.constant + down.A @ self.support.centre + ball, [], [], [])
        for relaxed, choice, A_k in zip(self.relaxed, choices, reversed(down.trail), strict=True):
            layer = relaxed.layer
            z = h @ layer.W.T + layer.b
            if layer.divisor is not None:
                z /= layer.divisor
            h_below = choice.slope * z
            h = np.where(A_k > 0, relaxed.slope_above * z + relaxed.intercept, h_below)
            if choice.phase is not None:
                h = np.where(choice.phase == 0, h, np.where(choice.phase > 0, z, 0.0))
            open_unstable = relaxed.unstable if choice.phase is None else relaxed.unstable & (choice.phase == 0)
            found.z.append(z)
            found.gap.append(np.where(open_unstable, A_k * (h - np.maximum(z, 0.0)), 0.0))
            found.by_slope.append(np.where(open_unstable & (A_k < 0), A_k * z, 0.0))
        return found

    def _down(self, A: Float64Array, constant: Float64Array, choices: Sequence[Choice] | None) -> _Down:
        errors = np.abs(constant)
        trail = []
        for k in range(len(self.relaxed) - 1, -1, -1):
            relaxed, choice = self.relaxed[k], None if choices is None else choices[k]
            trail.append(A)
            A, intercepts = _through_relu(relaxed, A, choice)
            errors += intercepts + (np.abs(A) + _UNDERFLOW_SIZE) @ relaxed.size
            if relaxed.layer.divisor is not None:
                A = A / relaxed.layer.divisor
            constant = constant + intercepts + A @ relaxed.layer.b
            A = A @ relaxed.layer.W
        return _Down(A, constant, errors, trail)

    def _down_by_neuron(self, A: Float64Array, constant: Float64Array) -> _Down:
        """Return the result of `_down` without choices and without the trail, faster where layers are sparse.

        T (r, m) holds the columns of A that are not 0, those of `neurons` (r,).
        """
        errors = np.abs(constant)
        neurons = np.flatnonzero(A.any(axis=0))
        T = np.ascontiguousarray(A.T[neurons])
        for relaxed, windows in zip(reversed(self.relaxed), reversed(self._windows), strict=True):
            layer = relaxed.layer
            on = ((relaxed.slope_above > 0) | relaxed.unstable)[neurons]
            neurons, T = neurons[on], T[on]  # where a ReLU is never on, h is 0
            unstable = relaxed.unstable[neurons]
            at = neurons[unstable]
            through, intercepts = _by_slopes(
                T[unstable].T, relaxed.slope_above[at], relaxed.intercept[at], relaxed.slope_below[at]
            )
            T[unstable] = through.T
            errors += intercepts + relaxed.size[neurons] @ (np.abs(T) + _UNDERFLOW_SIZE)
            if layer.divisor is not None:
                T /= layer.divisor[neurons, None]
            constant = constant + intercepts + layer.b[neurons] @ T
            if windows is not None:
                T, neurons = windows.through(T, neurons)
            else:
                T, neurons = layer.W[neurons].T @ T, np.arange(layer.n_inputs)
        of_input = np.zeros((len(constant), self.support.n_inputs))
        of_input[:, neurons] = T.T
        return _Down(of_input, constant, errors, [])


@dataclass(frozen=True, slots=True, eq=False)
class _Down:
    """The result of a backward pass.

    It holds the functionals of the input (m, n_0), their constants and errors (m,), and the functionals of every h_k,
    from the last layer to the first.
    """

    A: Float64Array
    constant: Float64Array
    errors: Float64Array
    trail: list[Float64Array]


def _through_relu(relaxed: RelaxedLayer, A: Float64Array, choice: Choice | None) -> tuple[Float64Array, Float64Array]:
    """Return functionals (m, n_k) of z_k that are not below A h_k, with their constants (m,)."""
    if choice is None:
        return _by_slopes(A, relaxed.slope_above, relaxed.intercept, relaxed.slope_below)
    # The chosen slope is used where the ReLU is unstable; elsewhere both bounds are the ReLU's one linear piece.
    below = np.where(relaxed.unstable, choice.slope, relaxed.slope_below)
    if choice.phase is None or choice.multiplier is None:
        return _by_slopes(A, relaxed.slope_above, relaxed.intercept, below)
    positive, negative = np.maximum(A, 0.0), np.minimum(A, 0.0)
    through = positive * relaxed.slope_above + negative * below
    fixed = np.where(choice.phase > 0, A + choice.multiplier, -choice.multiplier)
    is_open = choice.phase == 0
    return np.where(is_open, through, fixed), np.where(is_open, positive, 0.0) @ relaxed.intercept


def _by_slopes(
    A: Float64Array, slope_above: Float64Array, intercept: Float64Array, slope_below: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Return functionals of z that are not below A h where slope_below z <= h <= slope_above z + intercept."""
    positive, negative = np.maximum(A, 0.0), np.minimum(A, 0.0)
    return positive * slope_above + negative * slope_below, positive @ intercept


def _relu_relaxation(
    layer: Layer, lower: Float64Array, upper: Float64Array
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Return upper slope, intercept and lower slope of every ReLU, (n_k,) each.

    slope z <= max(z, 0) <= slope z + intercept holds on [lower, upper] in exact arithmetic, however the slope is
    rounded: the intercept is raised to fit it. Without a ReLU both slopes are 1.
    """
    unstable = (lower < 0) & (upper > 0) & layer.relu
    width = np.where(unstable, upper - lower, 1.0)
    slope = np.where(unstable, np.minimum(upper / width, 1.0), ((lower >= 0) | ~layer.relu).astype(np.float64))
    # max(z, 0) - slope z is convex, so its maximum over [lower, upper] is at an end.
    ends = np.maximum(-slope * lower, (1.0 - slope) * upper)
    intercept = np.where(unstable, np.nextafter(ends * (1 + 4 * UNIT_ROUNDOFF), np.inf), 0.0)
    slope_below = np.where(unstable, (upper > -lower).astype(np.float64), slope)
    return slope, intercept, slope_below
