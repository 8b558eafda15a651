"""The relaxation of a network in float32, for many cases at once: bounds of functions, and their derivatives.

It is the relaxation of `instances.bounds.relaxation`, whose conventions it shares, without its rounding errors' bounds:
the search needs directions, and what it finds is bounded anew (`sound`). All hidden neurons are numbered through, as in
a proof's `Chain`. A pass that starts after K layers goes through the first n = starts[K] of them.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import BoolArray, Float32Array, Float64Array
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.network import Layer
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.question import Part
from vnnbench.instances.proofs.reading import Bounds, OfNeurons
from vnnbench.prover.device import CPU, Device, functions_of
from vnnbench.prover.region import Points, Region

_Number = TypeVar("_Number", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Functions:
    """Linear functions of h_K, A (m, n_K) and constant (m,), where K is `depth`, at least 1."""

    A: Float32Array
    constant: Float32Array
    depth: int

    def rows(self, rows: npt.NDArray[np.intp]) -> Functions:
        """Return some of the functions."""
        return Functions(self.A[rows], self.constant[rows], self.depth)


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """The lines that bound each ReLU: slope_below z <= h <= slope_above z + intercept; (n,) each, or (m, n) by case.

    slope_below is that of a ReLU without a choice, 0 where there is one. free: where there is a choice.
    """

    slope_above: Float32Array
    intercept: Float32Array
    slope_below: Float32Array
    free: BoolArray

    @classmethod
    def of(cls, bounds: Bounds, relu: BoolArray) -> Lines:
        """Return the lines of neurons with these bounds, relu (n,); one without a ReLU is on."""
        unstable = bounds.unstable(relu)
        lower, upper = np.where(unstable, bounds.lower, 0.0), np.where(unstable, bounds.upper, 1.0)
        on = (bounds.lower >= 0) | ~relu
        slope = np.where(unstable, upper / (upper - lower), on)
        return cls(
            slope.astype(np.float32),
            np.where(unstable, -slope * lower, 0.0).astype(np.float32),
            np.where(unstable, 0.0, on).astype(np.float32),
            unstable,
        )

    def fixed(self, phase: npt.NDArray[np.int8]) -> Lines:
        """Return the lines of cases whose phases (m, n) are fixed: 1 at z >= 0, -1 at z <= 0, 0 where nothing is."""
        fixed, on = phase != 0, (phase > 0).astype(np.float32)
        return Lines(
            np.where(fixed, on, self.slope_above),
            np.where(fixed, np.float32(0), self.intercept),
            np.where(fixed, on, self.slope_below),
            self.free & ~fixed,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Relaxed:
    """What a pass finds: the bounds `value` (m,), and where they are attained.

    A, z, h: (m, n), the coefficient of each h, the pre-activation and the relaxed activation there.
    """

    value: Float32Array
    A: Float32Array
    z: Float32Array
    h: Float32Array
    points: Points

    def improved(self, other: Relaxed, rows: BoolArray) -> Relaxed:
        """Return the same with those of `other` in some rows."""
        xp, where = functions_of(self.value), rows[:, None]
        return Relaxed(
            xp.where(rows, other.value, self.value),
            xp.where(where, other.A, self.A),
            xp.where(where, other.z, self.z),
            xp.where(where, other.h, self.h),
            self.points.improved(other.points, rows),
        )


_MOST_WEIGHTS = 50_000_000
"""The most numbers of all layers' matrices, zeros of convolutions included: they take 0.6 GB while they are made."""


def divided(layer: Layer) -> tuple[Float64Array, Float64Array]:
    """Return W as a dense matrix and b of a layer, over its divisors."""
    W = layer.W if isinstance(layer.W, np.ndarray) else layer.W.toarray()
    divisor = np.ones(layer.n_outputs) if layer.divisor is None else layer.divisor
    return W / divisor[:, None], layer.b / divisor


class RelaxedNetwork:
    """The network and the set in float32.

    device: where steps are computed. neurons (n,): those that it has, by their numbers in the chain; all but those that
    `without_off` leaves out. starts: of its layers, among these. All arrays of neurons are of these.
    """

    def __init__(self, chain: Chain, part: Part, device: Device = CPU) -> None:
        """Raises `NetworkError`: the layers are too large for dense matrices."""
        n_weights = sum(layer.n_outputs * layer.n_inputs for layer in chain.layers)
        if n_weights > _MOST_WEIGHTS:
            raise NetworkError(
                f"the matrices of its layers have {n_weights} numbers, zeros included; the prover takes {_MOST_WEIGHTS}"
            )
        self.device, self.region = device, Region(part)
        self.starts: list[int] = chain.starts
        self.neurons: npt.NDArray[np.intp] = np.arange(chain.starts[-1])
        self._n_all = chain.starts[-1]
        self._W: list[Float32Array] = []
        self._b: list[Float32Array] = []
        self._relu = [layer.relu for layer in chain.layers]
        for layer in chain.layers:
            W, b = divided(layer)
            self._W.append(W.astype(np.float32))
            self._b.append(b.astype(np.float32))
        self._b_of_steps = self._first_bias(part)
        self._columns = np.ascontiguousarray(self._W[0].T)
        self._on_device: RelaxedNetwork | None = None

    def within(self, part: Part) -> RelaxedNetwork:
        """Return the same over a part of the set."""
        other = copy(self)
        other.region, other._b_of_steps, other._on_device = Region(part), self._first_bias(part), None
        return other

    def without_off(self, bounds: Bounds, depth: int) -> RelaxedNetwork:
        """Return the same without those neurons of the first K layers, K = `depth`, that are off with these bounds:
        their h is 0."""
        other = copy(self)
        other._on_device = None
        is_kept = [
            (k >= depth) | ~relu | (bounds.upper[self.neurons[self.starts[k] : self.starts[k + 1]]] > 0)
            for k, relu in enumerate(self._relu)
        ]
        of_inputs = np.ones(self._W[0].shape[1], dtype=bool)
        before = [of_inputs, *is_kept[:-1]]
        other._W = [W[np.ix_(rows, columns)] for W, rows, columns in zip(self._W, is_kept, before, strict=True)]
        other._b = [b[kept] for b, kept in zip(self._b, is_kept, strict=True)]
        other._relu = [relu[kept] for relu, kept in zip(self._relu, is_kept, strict=True)]
        other._b_of_steps = self._b_of_steps[is_kept[0]]
        other._columns = np.ascontiguousarray(other._W[0].T)
        other.starts = np.cumsum([0, *(len(b) for b in other._b)]).tolist()
        other.neurons = self.neurons[np.concatenate(is_kept)]
        return other

    def on_device(self) -> RelaxedNetwork:
        """Return the same with its arrays on the device, for `relax` alone."""
        if self._on_device is None:
            other, put = copy(self), self.device.put
            other.region = self.region.on(self.device)
            other._W, other._b = [put(W) for W in self._W], [put(b) for b in self._b]
            other._b_of_steps, other._columns = put(self._b_of_steps), put(self._columns)
            self._on_device = other
        return self._on_device

    def at_all(self, numbers: npt.NDArray[_Number]) -> npt.NDArray[_Number]:
        """Return numbers (m, n) of its first n neurons as numbers of all neurons, 0 at the others."""
        at_all = np.zeros((len(numbers), self._n_all), dtype=numbers.dtype)
        at_all[:, self.neurons[: numbers.shape[1]]] = numbers
        return at_all

    def lines(self, bounds: Bounds, depth: int) -> Lines:
        """Return the lines of the neurons of the first K layers, K = `depth`, with these bounds of all neurons."""
        n = self.starts[depth]
        neurons, relu = self.neurons[:n], np.concatenate(self._relu)[:n]
        return Lines.of(Bounds(bounds.lower[neurons], bounds.upper[neurons]), relu)

    def _first_bias(self, part: Part) -> Float32Array:
        """Return the biases of the first layer where inputs count from the part's centre."""
        at_centre: Float32Array = (self._W[0].astype(np.float64) @ part.centre).astype(np.float32)
        return self._b[0] + at_centre

    def functions(self, of: OfNeurons) -> Functions:
        """Return these functions, of a layer of which no neuron is left out."""
        W, b = self._W[of.layer - 1][of.neurons], self._b[of.layer - 1][of.neurons]
        signs = of.signs.astype(np.float32)
        return Functions(signs[:, None] * W, signs * b, of.layer - 1)

    def forward(self, points: Points) -> list[Float32Array]:
        """Return h_1 to h_K at points, (m, n_k) each, up to rounding."""
        h = [points.times(self._columns) + self._b_of_steps]
        for k, relu in enumerate(self._relu):
            if k:
                h.append(h[-1] @ self._W[k].T + self._b[k])
            h[-1] = np.where(relu, np.maximum(h[-1], 0), h[-1])
        return h

    def gradient(self, A: Float32Array, h: list[Float32Array]) -> Float32Array:
        """Return the gradients (m, n_0) of A h_K by the inputs; at a kink, that of the inactive side."""
        for W, relu, h_k in zip(reversed(self._W), reversed(self._relu), reversed(h), strict=True):
            A = np.where(relu & (h_k <= 0), np.float32(0), A) @ W
        return A

    def influence(self, A: Float32Array, lines: Lines) -> Float64Array:
        """Return how much each input (n_0,) moves the pre-activations of unstable ReLUs, weighted by |A|.

        A (n,): the coefficients of all h in a pass. The network is taken as linear, each ReLU with its line above.
        """
        influence = np.zeros(self._W[0].shape[1])
        slopes = None
        for k, W in enumerate(self._W):
            inside = slice(self.starts[k], self.starts[k + 1])
            with np.errstate(over="ignore", invalid="ignore"):
                slopes, free = W if slopes is None else W @ slopes, lines.free[inside]
            influence += np.abs(A[inside][free]) @ np.abs(slopes[free])
            slopes = lines.slope_above[inside, None] * slopes
        return influence

    def relax(self, functions: Functions, lines: Lines, below: Float32Array, shift: Float32Array) -> Relaxed:
        """Return the bounds of the functions over cases.

        below, shift: (m, n). The coefficient of z_j is c slope_above where the coefficient c of h_j is positive, else
        c below; then `shift`, a multiplier with its phase's sign, is added.
        """
        xp, A, value = functions_of(below), functions.A, functions.constant
        trail = xp.empty_like(below)
        for k in range(functions.depth - 1, -1, -1):
            inside = slice(self.starts[k], self.starts[k + 1])
            trail[:, inside] = A
            negative = A.clip(max=0)
            positive = A - negative
            value = value + xp.einsum("ij,ij->i", positive, lines.intercept[:, inside])
            positive *= lines.slope_above[:, inside]
            negative *= below[:, inside]
            positive += negative
            positive += shift[:, inside]
            value += positive @ (self._b[k] if k else self._b_of_steps)
            A = positive @ self._W[k]
        over_set, points = self.region.maximum(A)
        value = value + over_set
        z, h = xp.empty_like(below), xp.empty_like(below)
        for k in range(functions.depth):
            inside = slice(self.starts[k], self.starts[k + 1])
            if k:
                z_k = h[:, self.starts[k - 1] : self.starts[k]] @ self._W[k].T + self._b[k]
            else:
                z_k = points.times(self._columns) + self._b_of_steps
            z[:, inside] = z_k
            h[:, inside] = xp.where(
                trail[:, inside] > 0,
                lines.slope_above[:, inside] * z_k + lines.intercept[:, inside],
                below[:, inside] * z_k,
            )
        return Relaxed(value, trail, z, h, points)
