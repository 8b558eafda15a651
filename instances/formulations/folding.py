"""Folding: the choice of which neurons become columns of a file, and the constants in place of the others.

Pixels that cannot move, and neurons without variable inputs or never above zero, are constants. These constants, and
the image of the point where all input columns are 0, are folded into the constants of the rows, which are computed
exactly and rounded once in the file. Weights that readers of files would drop are left out. The effect of both on a
pre-activation is bounded by its `error`, and its bounds are widened to cover it. Products of weights are never folded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from operator import mul

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.bounds.levels import LayerBounds
from vnnbench.instances.formulations.milp import MIN_COEFFICIENT, rounding_in_file
from vnnbench.instances.networks.exact_evaluation import to_fraction, to_integers
from vnnbench.instances.networks.network import Layer, Matrix

ROUNDED_UP = 1 + 2.0**-40
"""Relative slack that covers the float evaluation of the error terms themselves."""


@dataclass(frozen=True, slots=True, eq=False)
class InputColumns:
    """The inputs before any layer; all (n_0,).

    origin: the inputs when all columns are 0. exact: the same for inputs that float64 cannot hold, whose origin is 0.
    variable: whether an input gets columns, if it is needed. reach: how far the columns can move an input from the
    origin.
    """

    origin: Float64Array
    exact: Mapping[int, Fraction]
    variable: npt.NDArray[np.bool_]
    reach: Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class FoldedLayer:
    """A layer with the row  divisor_j z_j - W_j v = constant_j  for each neuron; all (n_k,).

    layer: its W has only the weights on variable inputs that a file can hold.
    fixed: the output is a constant; then `constant` holds its exact value. error: bound on |file's output - network's|.
    lower, upper: of z, widened by the error. copied: the output of the layer before that z is in the file as it is, -1
    where it is none. needed: a column exists for the neuron.
    """

    layer: Layer
    constant: list[Fraction]
    fixed: npt.NDArray[np.bool_]
    error: Float64Array
    lower: Float64Array
    upper: Float64Array
    copied: npt.NDArray[np.int64]
    needed: npt.NDArray[np.bool_]

    @property
    def magnitude(self) -> Float64Array:
        """The largest absolute output of each neuron, (n_k,)."""
        return np.maximum(self.upper, np.where(self.layer.relu, 0.0, -self.lower))


def fold(layers: Sequence[Layer], bounds: Sequence[LayerBounds], inputs: InputColumns) -> list[FoldedLayer]:
    """Return the layers with exact constants; every other neuron is needed. `bounds` hold in exact arithmetic."""
    error, variable, reach = np.zeros(len(inputs.origin)), inputs.variable, inputs.reach
    folded: list[FoldedLayer] = []
    for layer, layer_bounds in zip(layers, bounds, strict=True):
        constant = _add_constants(layer, folded[-1]) if folded else _image(layer, inputs)
        kept = _kept(layer.W, variable, MIN_COEFFICIENT)
        dropped = abs(_kept(layer.W, variable, 0.0)) - abs(kept)
        inexact = abs(layer.W) @ error + dropped @ reach
        error = (np.array([rounding_in_file(c) for c in constant]) + inexact) * ROUNDED_UP
        if layer.divisor is not None:
            error, inexact = error / layer.divisor * ROUNDED_UP, inexact / layer.divisor
        lower = np.nextafter(layer_bounds.lower - error, -np.inf)
        upper = np.nextafter(layer_bounds.upper + error, np.inf)
        kept_layer = replace(layer, W=kept)
        # `never_on` uses the network's own bounds, without the error: where its ReLU is never on, 0 is exact.
        has_weights, never_on = kept_layer.has_weights(), (layer_bounds.upper <= 0) & layer.relu
        fixed = ~has_weights | never_on
        values = [_fixed_value(layer, j, c, bool(never_on[j])) if fixed[j] else c for j, c in enumerate(constant)]
        # A constant does not have a row that would round it; only dropped weights make it inexact.
        error = np.where(fixed, np.where(never_on, 0.0, inexact * ROUNDED_UP), error)
        is_whole = np.array([c == 0 for c in constant], dtype=bool) & (np.asarray(dropped.sum(axis=1)).ravel() == 0)
        copied = np.where(is_whole & ~fixed, replace(kept_layer, b=np.zeros(layer.n_outputs)).copied(), -1)
        if folded:  # what is carried on is as far off as where it comes from
            own, before = copied >= 0, folded[-1]
            source = copied[own]
            error[own] = before.error[source]
            lower[own] = np.maximum(lower[own], before.layer.activate(before.lower)[source])
            upper[own] = np.minimum(upper[own], before.layer.activate(before.upper)[source])
        folded.append(FoldedLayer(kept_layer, values, fixed, error, lower, upper, copied, ~fixed))
        variable, reach = ~fixed, folded[-1].magnitude
    return folded


def mark_needed(layers: Sequence[FoldedLayer], reaches: npt.NDArray[np.bool_]) -> None:
    """Clear `needed` where no path of weights leads to the goal; `reaches`: the last layer's neurons in the goal."""
    for folded in reversed(layers):
        folded.needed[:] = folded.needed & reaches
        reaches = read_by(folded)


def read_by(folded: FoldedLayer) -> npt.NDArray[np.bool_]:
    """Return which inputs (n_{k-1},) a needed neuron reads."""
    weights: Matrix = folded.layer.W[folded.needed]
    return np.asarray((weights != 0).sum(axis=0) > 0)


def _image(layer: Layer, inputs: InputColumns) -> list[Fraction]:
    """Return W origin + b, exactly."""
    lit, exponent = to_integers(inputs.origin)
    image = []
    for j, bias in enumerate(layer.b.tolist()):
        pixels, weights = layer.row(j)
        numbers, row_exponent = to_integers(weights)
        total = sum(map(mul, numbers, map(lit.__getitem__, pixels.tolist())))
        image.append(Fraction(bias) + to_fraction(total, exponent + row_exponent))
    return _plus(image, layer, inputs.exact)


def _add_constants(layer: Layer, before: FoldedLayer) -> list[Fraction]:
    """Return b plus the contribution of the fixed neurons of the layer before, exactly."""
    values = {i: before.constant[i] for i in np.flatnonzero(before.fixed).tolist() if before.constant[i]}
    return _plus([Fraction(bias) for bias in layer.b.tolist()], layer, values)


def _plus(constants: list[Fraction], layer: Layer, values: Mapping[int, Fraction]) -> list[Fraction]:
    """Return constants (n_k,) plus the contribution of these values of the layer before, exactly."""
    for j in range(len(constants)) if values else ():
        neurons, weights = layer.row(j)
        for i, weight in zip(neurons.tolist(), weights.tolist(), strict=True):
            if i in values:
                constants[j] += Fraction(weight) * values[i]
    return constants


def _fixed_value(layer: Layer, j: int, constant: Fraction, never_on: bool) -> Fraction:
    """Return the output of a neuron that is never on, or of one without weights."""
    if never_on:
        return Fraction(0)
    z = constant if layer.divisor is None else constant / Fraction(layer.divisor[j])
    return max(z, Fraction(0)) if layer.relu[j] else z


def _kept(W: Matrix, variable: npt.NDArray[np.bool_], least: float) -> Matrix:
    """Return the weights above this magnitude on variable inputs, with all others 0."""
    if isinstance(W, np.ndarray):
        return np.where(variable & (np.abs(W) > least), W, 0.0)
    kept = W.copy()
    kept.data = np.where(variable[W.indices] & (np.abs(W.data) > least), W.data, 0.0)
    return kept
