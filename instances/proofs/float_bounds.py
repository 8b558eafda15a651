"""Bounds of many passes at once in float64, above the exact ones by a proven rounding error.

A pass keeps  exact pass's A h_k + constant  within an error of float64 numbers A and constant, over its part, from the
last layer down to the input. Every operation adds at most `unit` times the magnitude of its terms to the error, where
|h_k| and |z_k| are bounded over the whole set: by interval arithmetic, and by the bounds at the root of the proof.

Rounding a slope costs nothing below 0, where any slope from 0 to 1 is sound; above 0, c s rounds like any product. The
error of a sum of n products is below n 2**-53 times the sum of their magnitudes, in any order (Higham 2002, section
3.1). Dimensions: p passes of m functions, all through the same K layers, with n neurons in these.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import BoolArray, Float64Array, magnitudes
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.proof_file import SLOPE_UNIT
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.reading import Bounds, OfDisjunct, OfNeurons, Pass
from vnnbench.instances.rationals import float_above

_T = TypeVar("_T")

_ROUNDOFF = 2.0**-53
_UNDERFLOW = 2.0**-1000
"""Times all magnitudes, this exceeds what underflows lose: each loses at most 2**-1074 times the magnitude it meets."""
_FEW_INPUTS = 64
"""The number of largest coefficients among which the L1 ball's multiplier is sought first."""


class FloatBounds:
    """The bounds of passes on one network. root: the bounds over the whole set, as far as they are read."""

    def __init__(self, question: Question, chain: Chain, root: Bounds) -> None:
        self._question, self._chain, self._root = question, chain, root
        n_constraints = len(question.constraints)
        self._constraints = np.zeros((n_constraints, chain.n_inputs))
        self._ends = np.zeros((2, n_constraints))
        for row, constraint in enumerate(question.constraints):
            for i, coefficient in constraint.terms:
                self._constraints[row, i] = float(coefficient)
            self._ends[:, row] = [float(end or 0) for end in (constraint.lower, constraint.upper)]
        self._single_atoms: dict[int, tuple[list[int], list[float], float]] = {}
        self._by_depth: dict[int, tuple[list[Float64Array], list[Float64Array]]] = {}
        self._weightless = [~layer.has_weights() for layer in chain.layers]
        # Per layer: n products, and some more operations on each number; 1 % is for the rounding of the errors' sums.
        self._unit = 2.02 * (chain.widest + n_constraints + 8 * len(chain.layers) + 64) * _ROUNDOFF

    def of(self, passes: Sequence[Pass]) -> tuple[Float64Array, Float64Array]:
        """Return (value, error), (m,) each: the exact bound of each function, pass by pass, is within its error of its
        value.

        All passes have the same depth K. Where float64 overflows, the error is not finite.
        """
        depth = passes[0].depth
        with np.errstate(over="ignore", invalid="ignore"):
            layers, h_sizes = self._sizes_of(depth)
            A, constant = self._functions(passes, depth)
            error = np.abs(A) @ h_sizes[-1] + np.abs(constant)
            owner = _owner(passes)
            rows = _Rows(passes, self._chain.relu[: self._chain.starts[depth]], owner)
            for k in range(depth, 0, -1):
                layer = self._chain.layers[k - 1]
                A, intercepts = rows.through_relu(A, slice(self._chain.starts[k - 1], self._chain.starts[k]))
                if layer.divisor is not None:
                    A = A / layer.divisor
                error += intercepts + np.abs(A) @ layers[k - 1]
                constant = constant + intercepts + A @ layer.b
                some = A.any(axis=0)  # of neurons that are off, no coefficient is left
                A = A @ layer.W if some.all() else A[:, some] @ layer.W[some]
            value, more = self._over_parts(passes, A, h_sizes[0], owner)
            sizes = 1 + sum(float(size.sum()) for size in (*layers, *h_sizes))
            value, error = constant + value, self._unit * (error + more) + _UNDERFLOW * sizes
            error[np.concatenate([self._are_constant(one) for one in passes])] = 0
            return value, np.where(np.isfinite(value), error, np.nan)

    def _are_constant(self, one: Pass) -> BoolArray:
        """Return which functions of a pass are of a neuron without weights, whose pre-activation is exactly its
        bias."""
        function = one.function
        if isinstance(function, OfDisjunct) or one.multipliers.any() or one.constraint_multipliers.any():
            return np.zeros(len(function), dtype=bool)
        layer = function.layer - 1
        constant: BoolArray = self._weightless[layer][function.neurons]
        return constant if self._chain.layers[layer].divisor is None else np.zeros_like(constant)

    def _sizes_of(self, depth: int) -> tuple[list[Float64Array], list[Float64Array]]:
        """Return `_sizes`, computed once: the bounds of layers that a pass goes through do not change any more."""
        if depth not in self._by_depth:
            self._by_depth[depth] = self._sizes(depth)
        return self._by_depth[depth]

    def _sizes(self, depth: int) -> tuple[list[Float64Array], list[Float64Array]]:
        """Return what over the set bounds |W_k| |h_(k-1)| + |b_k| for k = 1 to K, and |h_k| for k = 0 to K."""
        layers, h_sizes = [], [magnitudes(self._question.whole.lower, self._question.whole.upper)]
        for k, layer in enumerate(self._chain.layers[:depth]):
            layers.append(abs(layer.W) @ h_sizes[-1] + np.abs(layer.b))
            z = layers[-1] if layer.divisor is None else layers[-1] / layer.divisor
            inside = slice(self._chain.starts[k], self._chain.starts[k + 1])
            h_sizes.append(np.minimum(z, magnitudes(self._root.lower[inside], self._root.upper[inside])))
        return layers, h_sizes

    def _functions(self, passes: Sequence[Pass], depth: int) -> tuple[Float64Array, Float64Array]:
        """Return the functions of the passes, A (m, n_K) and constant (m,), each number rounded once."""
        n = self._chain.n_inputs if depth == 0 else self._chain.layers[depth - 1].n_outputs
        n_functions = sum(len(one.function) for one in passes)
        A, constant, start = np.zeros((n_functions, n)), np.zeros(n_functions), 0
        for function in (one.function for one in passes):
            inside = slice(start, start + len(function))
            if isinstance(function, OfNeurons):
                layer, j = self._chain.layers[depth], function.neurons
                divisor = function.signs * (1.0 if layer.divisor is None else layer.divisor[j])
                weights = layer.W[j]
                A[inside] = weights if isinstance(weights, np.ndarray) else weights.toarray()
                A[inside] /= divisor[:, None]
                constant[inside] = layer.b[j] / divisor
            else:
                outputs, coefficients, constant[start] = self._mean(function)
                A[start, outputs] = coefficients
            start = inside.stop
        return A, constant

    def _mean(self, function: OfDisjunct) -> tuple[list[int], list[float], float]:
        """Return the outputs of `Question.mean`, their coefficients and the constant, each number rounded once."""
        if function.disjunct in self._single_atoms:
            return self._single_atoms[function.disjunct]
        coefficients, constant = self._question.mean(function.disjunct, function.weights)
        mean = list(coefficients), list(map(float, coefficients.values())), float(constant)
        if len(function.weights) == 1:
            self._single_atoms[function.disjunct] = mean
        return mean

    def _over_parts(
        self, passes: Sequence[Pass], A: Float64Array, x_size: Float64Array, owner: _Owner
    ) -> tuple[Float64Array, Float64Array]:
        """Return the maxima (m,) of A x over the passes' parts, and the magnitudes (m,) of their terms."""
        constant = size = np.zeros(len(A))
        if self._question.constraints:
            multipliers = np.array([one.constraint_multipliers for one in passes], dtype=np.float64)[owner]
            ends = multipliers * np.where(multipliers > 0, self._ends[1], self._ends[0])
            constant, size = ends.sum(axis=1), np.abs(ends).sum(axis=1)
            size = size + (np.abs(A) + np.abs(multipliers) @ np.abs(self._constraints)) @ x_size
            A = A - multipliers @ self._constraints
        size = size + np.abs(A) @ x_size
        parts, of_pass = _distinct([one.part for one in passes])
        lower, upper, centre = (
            _by_row(np.array(numbers), of_pass, owner)
            for numbers in zip(*((part.lower, part.upper, part.centre) for part in parts), strict=True)
        )
        if parts[0].radius is None:
            return constant + np.maximum(A * lower, A * upper).sum(axis=1), size
        radius = np.array([float_above(part.radius or Fraction(0)) for part in parts])
        radius = np.broadcast_to(_by_row(radius, of_pass, owner), len(A))
        ball = _over_ball(np.abs(A), np.where(A > 0, upper - centre, centre - lower), radius)
        return constant + (A * centre).sum(axis=1) + ball, size + ball


_Owner: TypeAlias = npt.NDArray[np.int64] | slice
"""Whose pass each function (m,) is of; where there is one pass, or each has one function: all, in their order."""


def _owner(passes: Sequence[Pass]) -> _Owner:
    n_functions = [len(one.function) for one in passes]
    if len(passes) == 1 or max(n_functions) == 1:
        return slice(None)
    return np.repeat(np.arange(len(passes)), n_functions)


class _Rows:
    """The replacements of a ReLU's coefficients, (m, n) each, or (1, n) for the functions of one pass.

    above, below: the coefficient of z per positive and per negative coefficient of h. intercept: what is added per
    positive one. phase: 1 where z >= 0 is fixed, -1 where z <= 0 is. multiplier: of these.
    """

    def __init__(self, passes: Sequence[Pass], relu: BoolArray, owner: _Owner) -> None:
        bounds, of_row = _distinct([one.bounds for one in passes])
        n = len(relu)
        lower = np.array([one.lower[:n] for one in bounds])[of_row]
        upper = np.array([one.upper[:n] for one in bounds])[of_row]
        unstable = np.array([one.unstable for one in passes]).reshape(len(passes), n)
        linear = (~relu | (lower >= 0)).astype(np.float64)
        lower, upper = np.where(unstable, lower, 0.0), np.where(unstable, upper, 1.0)
        slope = upper / (upper - lower)
        above, below = np.where(unstable, slope, linear), linear
        below[unstable] = SLOPE_UNIT * np.concatenate([one.slopes for one in passes])
        # max(z, 0) - slope z is convex, so its maximum over [lower, upper] is at an end.
        intercept = np.maximum(-slope * lower, (1.0 - slope) * upper)
        intercept = np.where(unstable, np.nextafter(intercept * (1 + 4 * _ROUNDOFF), np.inf), 0.0)
        phase, multiplier = np.zeros((len(passes), n), dtype=np.int8), np.zeros((len(passes), n))
        rows = np.repeat(np.arange(len(passes)), [len(one.multipliers) for one in passes])
        fixed = rows, np.concatenate([one.fixed.neurons for one in passes])
        phase[fixed] = np.where(np.concatenate([one.fixed.on for one in passes]), 1, -1)
        multiplier[fixed] = np.concatenate([one.multipliers for one in passes])
        self.above, self.below, self.intercept = above[owner], below[owner], intercept[owner]
        self.phase, self.multiplier = phase[owner], multiplier[owner]

    def through_relu(self, A: Float64Array, inside: slice) -> tuple[Float64Array, Float64Array]:
        """Return functions of z that are not below A h in a layer, whose neurons are `inside`, and their constants."""
        phase, multiplier = self.phase[:, inside], self.multiplier[:, inside]
        positive = np.where(phase == 0, np.maximum(A, 0.0), 0.0)
        free = positive * self.above[:, inside] + np.minimum(A, 0.0) * self.below[:, inside]
        fixed = np.where(phase > 0, A + multiplier, -multiplier)
        return np.where(phase == 0, free, fixed), (positive * self.intercept[:, inside]).sum(axis=1)


def _distinct(things: Sequence[_T]) -> tuple[list[_T], npt.NDArray[np.int64]]:
    """Return the distinct ones among these objects, and for each object which of them it is."""
    numbers: dict[int, int] = {}
    of_row = np.array([numbers.setdefault(id(thing), len(numbers)) for thing in things])
    first = {number: thing for thing, number in zip(reversed(things), reversed(of_row.tolist()), strict=True)}
    return [first[number] for number in range(len(numbers))], of_row


def _by_row(of_parts: Float64Array, of_pass: npt.NDArray[np.int64], owner: _Owner) -> Float64Array:
    """Return the numbers of each function's part, (m, ..), or (1, ..) if all have the same part."""
    return of_parts if len(of_parts) == 1 else of_parts[of_pass][owner]


def _over_ball(size: Float64Array, room: Float64Array, radius: Float64Array) -> Float64Array:
    """Return upper bounds (m,) of the maxima of sum of size_i s_i, where 0 <= s_i <= room_i and sum of s_i <= radius.

    Any t >= 0 gives the bound t radius + sum of room_i max(size_i - t, 0) (weak duality), and the critical size of the
    fractional knapsack gives the maximum.
    """
    t = _critical(size, room, radius, _FEW_INPUTS)
    bound: Float64Array = t * radius + (room * np.maximum(size - t[:, None], 0.0)).sum(axis=1)
    return bound


def _critical(size: Float64Array, room: Float64Array, radius: Float64Array, n_kept: int) -> Float64Array:
    """Return the size (m,) at which the inputs of at least this size fill the ball; 0 where all of them do not.

    Only the `n_kept` largest are sorted at first.
    """
    n_kept = min(n_kept, size.shape[1])
    kept = np.argpartition(-size, n_kept - 1, axis=1)[:, :n_kept]
    kept = np.take_along_axis(kept, np.argsort(-np.take_along_axis(size, kept, axis=1), axis=1), axis=1)
    filled = np.cumsum(np.take_along_axis(room, kept, axis=1), axis=1) >= radius[:, None]
    full = filled.any(axis=1)
    last = np.take_along_axis(kept, filled.argmax(axis=1)[:, None], axis=1)
    t: Float64Array = np.where(full, np.take_along_axis(size, last, axis=1)[:, 0], 0.0)
    if n_kept < size.shape[1] and not full.all():
        t[~full] = _critical(size[~full], room[~full], radius[~full], size.shape[1])
    return t
