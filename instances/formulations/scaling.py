"""Units for the inputs and neurons of a network whose numbers are too small or too steep for solvers' tolerances.

A solver accepts a row that is violated by 1e-6, whatever the row means. If the slope of the value in a neuron is 1e5,
that is 0.1 of the value; if an input's box is 1e-7 wide, it is more than the whole box. So inputs and neurons are
measured in units of their effect on the value:

    x = 2**e_0 x',  z_k = 2**e_k z_k',  W_k' = 2**-e_k W_k 2**e_(k-1),  b_k' = 2**-e_k b_k

with 2**-e about the gain |d value / d z|. Units are powers of two and a ReLU commutes with them, so the network in
units is exactly the same function; outputs, and with them value and objective, keep the unit 1. Networks with ordinary
gains keep their units, and their files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.bounds.levels import LayerBounds
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import Layer, Layered, LayeredNetwork, Matrix
from vnnbench.instances.properties.input_set import ExactNumbers, InputSet, Norm
from vnnbench.instances.properties.property import ClosestProperty, Property

IntArray = npt.NDArray[np.int64]

MAX_GAIN = 2.0**7
"""The largest gain of ordinary networks. Beyond it a tolerance of 1e-6 moves the value by more than 1e-4, the tolerance
of claims."""

MAX_OFFSET = 2.0**10
"""The largest distance of an input's column from 0, in widths of its box; in units it counts from the centre."""

_ATOMS_AT_A_TIME = 512
"""The number of atoms whose gains are in memory at a time."""

_LARGEST = 2.0**20
"""The size below which units keep columns: beyond it a binary's tolerance relaxes a row by more than the row's own."""
_MAX_EXPONENT = 64
_MAX_CLOSEST_EXPONENT = 24
"""The unit of a distance that is the objective is at least 2 to minus this: the unit is its objective coefficient, and
solvers drop coefficients of at most 1e-9."""


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """The exponents of the units. inputs: (n_0,); neurons: (n_k,) for each layer but the last."""

    inputs: IntArray
    neurons: tuple[IntArray, ...]

    def network(self, network: Layered) -> LayeredNetwork:
        """Return the network in units: inputs x', outputs unchanged; rows with a divisor are divided by about that."""
        layers, before = [], self.inputs
        for layer, after in zip(network.layers, (*self.neurons, None), strict=True):
            own = np.zeros(layer.n_outputs, dtype=np.int64) if after is None else after
            of_row = _exponents_of_divisor(layer)
            divisor = None if layer.divisor is None else np.ldexp(layer.divisor, -of_row)
            W, b = _times(layer.W, -own - of_row, before), np.ldexp(layer.b, -own - of_row)
            layers.append(Layer(W, b, layer.relu, divisor))
            before = own
        return LayeredNetwork(tuple(layers))

    def bounds(self, bounds: Sequence[LayerBounds]) -> list[LayerBounds]:
        """Return the bounds, in units, of the network's layers, and of the layer that a goal's chain adds to them."""
        scaled = [
            LayerBounds(_rounded(b.lower, -own, -np.inf), _rounded(b.upper, -own, np.inf))
            for b, own in zip(bounds, self.neurons, strict=False)
        ]
        return [*scaled, *bounds[len(scaled) :]]

    def property(self, prop: Property) -> Property:
        """Return the property with its set in units.

        The set keeps its ball if all inputs have one unit. Else it is the box around the set, which is all that a file
        without an L1 ball holds.
        """
        s = prop.input_set
        if has_steps(prop):
            radius = None if s.radius is None else float(np.ldexp(s.radius, -self.inputs[0]))
            norm, lower, upper = s.norm, s.lower, s.upper
        else:
            norm, radius, (lower, upper) = Norm.BOX, None, s.hull
        centre, lower, upper = (np.ldexp(ends, -self.inputs) for ends in (s.centre, lower, upper))
        constraints = tuple(constraint.in_units(self.inputs.tolist()) for constraint in s.constraints)
        fixed = {
            i: dependence.constant / Fraction(2) ** int(self.inputs[i])
            for i, dependence in s.determined.items()
            if not dependence.terms and i in s.exact.lower and s.bounds(i) == (dependence.constant,) * 2
        }
        exact = ExactNumbers(lower=fixed, upper=fixed)
        return replace(prop, input_set=InputSet(norm, centre, radius, lower, upper, exact, constraints))


def has_steps(prop: Property) -> bool:
    """Return whether each input has a column up and one down, whose sum is its distance from the centre; else one."""
    return prop.input_set.norm is Norm.L1 or isinstance(prop, ClosestProperty)


def choose_units(
    network: Layered, prop: Property, bounds: Sequence[LayerBounds], *, always: bool = False
) -> Units | None:
    """Return units for a network, by the gains over the set; None if the numbers are ordinary, unless `always`.

    bounds: one per layer of `prop.goal.chain(network)`.
    """
    chain, n_hidden = prop.goal.measured(network), len(network.layers) - 1
    gains = _gains(chain, bounds)[: n_hidden + 1]
    lower, upper = prop.input_set.hull
    sizes = [upper - lower, *(np.maximum(np.abs(b.lower), np.abs(b.upper)) for b in bounds[:n_hidden])]
    if not always and not _ask_for_units(network, prop, gains, sizes):
        return None
    exponents = [_exponents(gain, size) for gain, size in zip(gains, sizes, strict=True)]
    if has_steps(prop):  # one unit for all, so that a ball stays a ball
        least = -_MAX_CLOSEST_EXPONENT if isinstance(prop, ClosestProperty) else -_MAX_EXPONENT
        exponents[0] = np.full_like(exponents[0], max(int(exponents[0][gains[0] > 0].min(initial=0)), least))
    return Units(exponents[0], tuple(exponents[1:]))


def _ask_for_units(network: Layered, prop: Property, gains: list[Float64Array], sizes: list[Float64Array]) -> bool:
    """Return whether the numbers need units.

    They do if a tolerance can move the value noticeably, relative to its size at the centre; or a column is too large
    for its tolerance, or so far from 0 that a tolerance relative to its size is its whole width.
    """
    s = prop.input_set
    of_rows = [gain / _divisor(layer) for gain, layer in zip(gains[1:], network.layers, strict=False)]
    largest = max(float(gain.max(initial=0.0)) for gain in (*gains, *of_rows))
    if largest > MAX_GAIN:  # else the value at the centre, which takes time to compute, does not matter
        value = float(prop.goal.value(ExactNetwork(network).outputs(s.point(s.centre))))
        if largest > MAX_GAIN * max(1.0, value):
            return True
    away = np.abs(s.centre)
    if not has_steps(prop) and ((away > MAX_OFFSET * sizes[0]) & (away * gains[0] > 1) & (sizes[0] > 0)).any():
        return True
    return any(
        bool(((size > _LARGEST) & (gain > 0) & (gain < 1)).any()) for gain, size in zip(gains, sizes, strict=True)
    )


def _gains(chain: Layered, bounds: Sequence[LayerBounds]) -> list[Float64Array]:
    """Return the gains |d atom / d v| of each input and each neuron's z: (n_0,), then (n_k,) per layer.

    A gain is the largest over the atoms, which are the chain's outputs. It is an estimate that only decides on units.
    It is computed twice, with the slope of an unstable ReLU's relaxation, u / (u - l), and with slope 1, and the larger
    gain counts. If paths cancel out, the largest |W_ji| gain_j over the next layer's neurons j counts, so that no
    coefficient exceeds about 1 in units.
    """
    n_atoms = chain.layers[-1].n_outputs
    starts = range(0, n_atoms, _ATOMS_AT_A_TIME)
    blocks = [_gains_of_atoms(chain, bounds, slice(start, start + _ATOMS_AT_A_TIME)) for start in starts]
    return [np.max(of_layer, axis=0) for of_layer in zip(*blocks, strict=True)]


def _gains_of_atoms(chain: Layered, bounds: Sequence[LayerBounds], atoms: slice) -> list[Float64Array]:
    """Return the gains of some atoms."""
    n_atoms = chain.layers[-1].n_outputs
    pattern = np.zeros((len(range(n_atoms)[atoms]), n_atoms))
    pattern[range(len(pattern)), range(n_atoms)[atoms]] = 1.0
    patterns = [pattern] * 2
    gains = [pattern.sum(axis=0)]
    for k in range(len(chain.layers), 0, -1):
        layer = chain.layers[k - 1]
        if layer.relu.any():
            slopes = [np.where(layer.relu, _slope(bounds[k - 1], relaxed), 1.0) for relaxed in (True, False)]
            patterns = [pattern * slope for pattern, slope in zip(patterns, slopes, strict=True)]
            gains[0] = gains[0] * slopes[1]
        divisor = _divisor(layer)
        patterns = [np.asarray((pattern / divisor) @ layer.W) for pattern in patterns]
        single = _largest_products(layer.W, gains[0] / divisor)
        gains.insert(0, np.maximum(np.abs(patterns).max(axis=(0, 1)), single))
    return gains


def _largest_products(W: Matrix, factors: Float64Array) -> Float64Array:
    """Return max over j of |W_ji| factors_j, (n_{k-1},); 0 without neurons."""
    if not len(factors):
        return np.zeros(W.shape[1])
    if isinstance(W, np.ndarray):
        return np.asarray((np.abs(W) * factors[:, None]).max(axis=0))
    return np.asarray(abs(W).multiply(factors[:, None]).max(axis=0).todense()).ravel()


def _slope(bounds: LayerBounds, relaxed: bool) -> Float64Array:
    lower, upper = np.minimum(bounds.lower, 0.0), np.maximum(bounds.upper, 0.0)
    width = np.where(upper > lower, upper - lower, 1.0)
    return upper / width if relaxed else (upper > 0).astype(np.float64)


def _exponents(gain: Float64Array, size: Float64Array) -> IntArray:
    """Return the exponents (n,) of the units 1 / gain, or of the sizes where the gain is 0.

    They are larger where the size would exceed _LARGEST.
    """
    by_size = np.log2(np.where(size > 0, size, 1.0))
    wanted = np.where(gain > 0, -np.log2(np.where(gain > 0, gain, 1.0)), by_size)
    wanted = np.maximum(wanted, by_size - np.log2(_LARGEST))
    exponents: IntArray = np.clip(np.rint(wanted), -_MAX_EXPONENT, _MAX_EXPONENT).astype(np.int64)
    return exponents


def _divisor(layer: Layer) -> Float64Array:
    """Return the divisors (n_k,), 1 if the layer has none."""
    return np.ones(layer.n_outputs) if layer.divisor is None else layer.divisor


def _exponents_of_divisor(layer: Layer) -> IntArray:
    """Return the exponents (n_k,) of the powers of two nearest to the divisors; 0 without divisors."""
    exponents: IntArray = np.rint(np.log2(_divisor(layer))).astype(np.int64)
    return exponents


def _times(W: Matrix, rows: IntArray, columns: IntArray) -> Matrix:
    """Return diag(2**rows) W diag(2**columns)."""
    if isinstance(W, np.ndarray):
        return np.ldexp(W, rows[:, None] + columns[None, :])
    scaled = W.copy()
    of_row = np.repeat(rows, np.diff(W.indptr))
    scaled.data = np.ldexp(W.data, of_row + columns[W.indices])
    return scaled


def _rounded(bound: Float64Array, exponents: IntArray, outwards: float) -> Float64Array:
    """Return bound * 2**exponents, rounded outwards if that is not a float64."""
    scaled = np.ldexp(bound, exponents)
    return np.where(np.ldexp(scaled, -exponents) == bound, scaled, np.nextafter(scaled, outwards))
