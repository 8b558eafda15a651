"""The `tight` formulation: one MILP for a property on one network.

    minimize  -value                                    y_target - y_source, or the output to maximize
    ball:     sum_i p_i + m_i <= radius                 x_i = centre_i + p_i - m_i, each within its box; a set without
                                                        a ball has the columns x_i themselves, within their bounds
    z_k_j:    h_k_j - s_k_j - sum_i W_ji v_i = c_kj     pre-activation z = h - s; v are the columns of the layer before
    on_k_j:   h_k_j <= upper_kj d_k_j                   d = 1: the ReLU passes z on
    off_k_j:  s_k_j <= -lower_kj (1 - d_k_j)            d = 0: it is zero

Stable active ReLUs have neither s nor d; stable inactive ones, constant ones and those that reach no output vanish.
Constants (biases, the image of the centre or of pixels without a column, constant neurons) fold into c_kj: computed
exactly, rounded once. What this rounding can do to the value is `constant_rounding`, and bounds and big-M are widened
to cover it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from instances.bounds import LayerBounds
from instances.errors import NetworkError
from instances.exact import ExactNetwork
from instances.goals import Atom
from instances.input_set import InputSet
from instances.milp import MIN_COEFFICIENT, MilpBuilder, MilpModel
from instances.network import Float64Array, Network
from instances.property import Property

MIN_BIG_M = 1e-6
"""Big-M of an unstable ReLU is at least this, well above what readers drop; widening it is sound."""

_STEPS_TEXT = "x_i = centre_i + p_i - m_i; an absent pixel stays there"
_INPUTS_TEXT = "columns x_i are the input; an absent pixel stays at its centre"

_UP = 1 + 2.0**-40
"""Relative slack that covers the float evaluation of the error terms themselves."""


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """A model with what the catalogue says about it.

    constant_rounding: |network's value - (-file's objective at the lifted point)| never exceeds it.
    stable_active, stable_inactive, unstable: hidden neurons of the network by their bounds.
    """

    model: MilpModel
    constant_rounding: float
    stable_active: int
    stable_inactive: int
    unstable: int


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """One hidden layer after folding; all (n_k,) except W (n_k, n_{k-1}).

    constant: the exact c of each neuron, or, where `fixed`, the exact value of its output.
    error: bound on |file's z - network's z|. needed: a column exists for the neuron.
    """

    W: Float64Array
    constant: list[Fraction]
    fixed: npt.NDArray[np.bool_]
    error: Float64Array
    lower: Float64Array
    upper: Float64Array
    needed: npt.NDArray[np.bool_]


def encode_tight(network: Network, prop: Property, bounds: list[LayerBounds], name: str) -> Encoding:
    """The `tight` MILP; `bounds` must hold in exact arithmetic, one per layer (`bounds.backward_bounds`).

    Raises `NetworkError` when the network has no hidden layer."""
    if len(network.weights) < 2:
        raise NetworkError(f"{name}: the network has no hidden layer")
    layers = _fold(network, prop.input_set, bounds)
    value = _value_row(network, prop)
    _mark_needed(layers, np.array([c != 0 for c in value.coefficients], dtype=bool))
    has_ball = prop.input_set.radius is not None
    builder = MilpBuilder(name, comments(prop, "tight", _STEPS_TEXT if has_ball else _INPUTS_TEXT))
    previous = (_add_steps if has_ball else _add_inputs)(builder, prop.input_set, layers[0])
    for k, layer in enumerate(layers, 1):
        previous = _add_layer(builder, k, layer, previous)
    rounding = _set_objective(builder, value, layers[-1], previous)
    hidden = bounds[:-1]
    return Encoding(
        model=builder.build(),
        constant_rounding=rounding,
        stable_active=sum(int(layer.stable_active.sum()) for layer in hidden),
        stable_inactive=sum(int(layer.stable_inactive.sum()) for layer in hidden),
        unstable=sum(int(layer.unstable.sum()) for layer in hidden),
    )


def comments(prop: Property, formulation: str, inputs: str) -> Iterator[str]:
    """The leading comment of a file: what it asks, and the centre, so that a solution decodes from the file alone."""
    value = str(_single(prop))
    yield f"vnnbench instance, formulation {formulation}; value = -objective = {value}"
    radius = prop.input_set.radius
    ball = "the bounds of x" if radius is None else f"|x - centre|_1 <= {float(radius)!r} within a box"
    yield f"input set: {ball}; {inputs}"
    centre = prop.input_set.centre.tolist()
    for start in range(0, len(centre), 4):  # short lines: one reader stops at 1,024 characters
        yield f"centre {start}: " + " ".join(repr(value) for value in centre[start : start + 4])


def _single(prop: Property) -> Atom:
    assert prop.goal.single is not None  # noqa: S101
    return prop.goal.single


# -- folding -----------------------------------------------------------------------------------------------------


def _fold(network: Network, input_set: InputSet, bounds: list[LayerBounds]) -> list[_Layer]:
    """Hidden layers with exact constants; neurons without variable inputs, or never above zero, become fixed."""
    # A pixel whose room is zero on both sides never moves.
    variable = np.asarray((input_set.upper > input_set.centre) | (input_set.lower < input_set.centre))
    # Where the pixels are when all input columns are 0.
    origin = input_set.centre if input_set.radius is not None else np.where(variable, 0.0, input_set.centre)
    lit = np.flatnonzero(origin)  # the other pixels add nothing to its image
    first = ExactNetwork(Network((network.weights[0][:, lit],), network.biases[:1])).outputs(origin[lit])
    error = np.zeros(network.n_inputs)
    layers: list[_Layer] = []
    for k, (layer, layer_bounds) in enumerate(zip(network.layers[:-1], bounds[:-1], strict=True)):
        W, b = np.asarray(layer.W), layer.b
        constant = first if k == 0 else _constants(W, b, layers[-1])
        W = np.where(variable, W, 0.0)
        rounding = np.array([_rounding(c) for c in constant])
        error = (rounding + np.abs(W) @ error) * _UP
        lower = np.nextafter(layer_bounds.lower - error, -np.inf)
        upper = np.nextafter(layer_bounds.upper + error, np.inf)
        fixed = ~W.any(axis=1) | (upper <= 0)
        values = [
            (max(c, Fraction(0)) if not row.any() else Fraction(0)) if is_fixed else c
            for c, row, is_fixed in zip(constant, W, fixed, strict=True)
        ]
        error = np.where(fixed, 0.0, error)
        layers.append(_Layer(W, values, fixed, error, lower, upper, ~fixed))
        variable = ~fixed
    return layers


def _constants(W: Float64Array, b: Float64Array, before: _Layer) -> list[Fraction]:
    """b + the contribution of the fixed neurons before, exactly."""
    fixed = [(i, before.constant[i]) for i in np.flatnonzero(before.fixed) if before.constant[i]]
    return [
        Fraction(bias) + sum((Fraction(row[i]) * value for i, value in fixed if row[i]), Fraction(0))
        for row, bias in zip(W.tolist(), b.tolist(), strict=True)
    ]


def _mark_needed(layers: list[_Layer], reaches: npt.NDArray[np.bool_]) -> None:
    """Clear `needed` where no path of nonzero weights leads to the goal; `reaches`: last hidden neurons that do."""
    for layer in reversed(layers):
        layer.needed[:] = layer.needed & reaches
        reaches = np.asarray(layer.W[layer.needed].any(axis=0))


# -- columns and rows ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """Where a layer's outputs are: output `neuron[i]` has the term `sign[i] * column[i]`; an input has up to two."""

    neuron: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    sign: Float64Array


def _used(first: _Layer) -> npt.NDArray[np.bool_]:
    """The pixels that a needed neuron reads; all when the value is constant: a model needs columns."""
    used = np.asarray(first.W[first.needed].any(axis=0))
    return used if used.any() else np.ones_like(used)


def _add_inputs(builder: MilpBuilder, input_set: InputSet, first: _Layer) -> _Columns:
    """Columns x_i of a set without a ball."""
    s = input_set
    pixels = np.flatnonzero(_used(first) & (s.lower < s.upper))
    columns = []
    for i, lower, upper in zip(pixels.tolist(), s.lower[pixels].tolist(), s.upper[pixels].tolist(), strict=True):
        columns.append(builder.add_column(f"x_{i}", _bound_in_file(lower, -1), _bound_in_file(upper, 1)))
    if not first.needed.any():
        hold_columns(builder, columns, [_bound_in_file(upper, 1) for upper in s.upper[pixels].tolist()])
    return _Columns(pixels, np.array(columns, dtype=np.int64), np.ones(len(columns)))


def hold_columns(builder: MilpBuilder, columns: list[int], upper: list[float]) -> None:
    """Row `box`, sum of columns <= sum of their upper bounds: it cuts nothing, and lets columns that no other row reads
    stand in the file."""
    most = _float_above(sum(map(Fraction, upper), Fraction(0)))
    builder.add_row("box", "L", _bound_in_file(most, 1), columns, np.ones(len(columns)))


def _bound_in_file(bound: float, side: int) -> float:
    """The bound, or, where a reader would take it for 0, the next number beyond it that a file can hold."""
    if bound == 0 or abs(bound) >= MIN_COEFFICIENT:
        return bound
    return side * MIN_COEFFICIENT if bound * side > 0 else 0.0


def _add_steps(builder: MilpBuilder, input_set: InputSet, first: _Layer) -> _Columns:
    """Columns p_i and m_i of an L1 ball, and its row."""
    assert input_set.radius is not None  # noqa: S101 - the caller looked
    used = _used(first)
    terms: list[tuple[int, int, float]] = []
    above = difference_above(input_set.upper, input_set.centre)
    below = difference_above(input_set.centre, input_set.lower)
    for sign, letter, room in ((1.0, "p", above), (-1.0, "m", below)):
        # Rounded up where it is no float64, or too small for a file: never for pixels k / 255 or k / 16.
        upper = np.maximum(np.minimum(room, input_set.radius), MIN_COEFFICIENT).tolist()
        for i in np.flatnonzero(used & (room > 0)).tolist():
            terms.append((i, builder.add_column(f"{letter}_{i}", 0.0, upper[i]), sign))
    neuron, column_of_term, signs = zip(*terms, strict=True)
    builder.add_row("ball", "L", input_set.radius, column_of_term, np.ones(len(terms)))
    return _Columns(np.array(neuron), np.array(column_of_term), np.array(signs))


def difference_above(a: Float64Array, b: Float64Array) -> Float64Array:
    """The least float64 that is not below a - b, elementwise. Source: Knuth's TwoSum gives the error exactly."""
    difference = a - b
    b_seen = difference - a
    error = (a - (difference - b_seen)) - (b + b_seen)
    return np.where(error > 0, np.nextafter(difference, np.inf), difference)


def _in_file(exact: Fraction) -> float:
    """The number as a file holds it: the nearest float64, or 0 where a reader would take it for that."""
    nearest = float(exact)
    return nearest if abs(nearest) >= MIN_COEFFICIENT else 0.0


def _rounding(exact: Fraction) -> float:
    """A bound on what `_in_file` changes; never so small that its products with weights underflow, where the relative
    slack `_UP` covers nothing."""
    change = abs(exact - Fraction(_in_file(exact)))
    return max(_float_above(change), 2.0**-600) if change else 0.0


def _float_above(exact: Fraction) -> float:
    """The least float64 that is not below."""
    nearest = float(exact)
    return nearest if Fraction(nearest) >= exact else float(np.nextafter(nearest, np.inf))


def _add_layer(builder: MilpBuilder, k: int, layer: _Layer, previous: _Columns) -> _Columns:
    neurons = np.flatnonzero(layer.needed)
    columns = []
    for j in neurons:
        tag = f"{k}_{j}"
        lower, upper = float(layer.lower[j]), max(float(layer.upper[j]), MIN_BIG_M)
        active = lower >= 0
        h = builder.add_column(f"h_{tag}", lower if lower >= MIN_COEFFICIENT else 0.0, upper)
        own, signs = [h], [1.0]
        if not active:
            lower = min(lower, -MIN_BIG_M)
            s = builder.add_column(f"s_{tag}", 0.0, -lower)
            d = builder.add_column(f"d_{tag}", 0.0, 1.0, integer=True)
            builder.add_row(f"on_{tag}", "L", 0.0, [h, d], [1.0, -upper])
            builder.add_row(f"off_{tag}", "L", -lower, [s, d], [1.0, -lower])
            own, signs = [h, s], [1.0, -1.0]
        weights = -layer.W[j, previous.neuron] * previous.sign
        builder.add_row(
            f"z_{tag}",
            "E",
            _in_file(layer.constant[j]),
            np.concatenate([own, previous.column]),
            np.concatenate([signs, weights]),
        )
        columns.append(h)
    return _Columns(neurons, np.array(columns, dtype=np.int64), np.ones(len(columns)))


@dataclass(frozen=True, slots=True)
class _ValueRow:
    """value = coefficients @ h_{L-1} + constant, exactly."""

    coefficients: list[Fraction]
    constant: Fraction


def _value_row(network: Network, prop: Property) -> _ValueRow:
    W, b = network.weights[-1].tolist(), network.biases[-1].tolist()
    return _ValueRow(
        [
            sum((sign * Fraction(W[k][j]) for k, sign in _single(prop).terms), Fraction(0))
            for j in range(network.hidden_widths[-1])
        ],
        sum((sign * Fraction(b[k]) for k, sign in _single(prop).terms), _single(prop).constant),
    )


def _set_objective(builder: MilpBuilder, value: _ValueRow, last: _Layer, outputs: _Columns) -> float:
    """objective = -value over the last hidden layer's columns. Returns `constant_rounding`."""
    exact = value.coefficients
    offset = value.constant
    offset += sum((exact[j] * last.constant[j] for j in np.flatnonzero(last.fixed)), Fraction(0))
    builder.offset = -_in_file(offset) + 0.0
    rounding = _rounding(offset)
    for j, column in zip(outputs.neuron.tolist(), outputs.column.tolist(), strict=True):
        coefficient = _in_file(exact[j])
        builder.set_objective(column, -coefficient)
        rounding += _rounding(exact[j]) * float(last.upper[j]) + abs(coefficient) * float(last.error[j])
    return rounding * _UP
