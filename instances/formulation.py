"""The `tight` formulation: one MILP for a property on one network.

    minimize  -value                                    the goal's only atom; else t, or the radius r: see `goal_rows`
    ball:     sum_i p_i + m_i <= radius                 x_i = centre_i + p_i - m_i, each within its box; a set without
                                                        an L1 ball has the columns x_i themselves, within their bounds
    z_k_j:    z_k_j - sum_i W_ji v_i = c_kj             v are the columns of the layer before
    h_k_j:    = max(z_k_j, 0), d_k_j = 1 where z_k_j > 0: rows of `relu_rows`

Stable active ReLUs have h alone, in place of z; stable inactive ones, constant ones and those that reach no output
vanish. A layer without ReLU has columns z_k_j. Where layer k divides, its rows are q_k_j: the own columns' coefficients
are its divisors. Constants (biases, the image of the centre or of pixels without a column, constant neurons) fold into
c_kj: computed exactly, rounded once. What this rounding can do to the value is `constant_rounding`; bounds and big-M
are widened to cover it (`folding`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from textwrap import wrap
from typing import Any

import numpy as np
import numpy.typing as npt

from instances.bounds import BoundLevel, LayerBounds, bound_layers
from instances.errors import NetworkError
from instances.folding import FoldedLayer, InputColumns, fold, mark_needed, read_by
from instances.goal_rows import Expression, add_goal_rows, express
from instances.input_set import InputSet, Norm
from instances.milp import MIN_BIG_M, MIN_COEFFICIENT, MilpBuilder, MilpModel, bound_in_file, in_file
from instances.network import Float64Array, Layered
from instances.numerics import numerics
from instances.property import ClosestProperty, Property
from instances.rationals import difference_above, float_above, to_text
from instances.relu_rows import (
    PARTS,
    Partition,
    ReluForm,
    Sum,
    add_partitioned_relu,
    add_relu,
    add_substituted_relu,
    can_partition,
)

FREE_LICENCE_SIZE = 2000
"""Rows and columns that gurobipy's free licence takes: where the best form has more, a smaller form is written that
fits, if one does."""

_STEPS_TEXT = "x_i = centre_i + p_i - m_i; an absent pixel stays there"
_INPUTS_TEXT = "columns x_i are the input; an absent pixel stays at its centre"


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

    def facts(self) -> dict[str, Any]:
        """The columns of the catalogue that this decides."""
        return {
            **self.model.counts(),
            "stable_active": self.stable_active,
            "stable_inactive": self.stable_inactive,
            "unstable": self.unstable,
            "constant_rounding": self.constant_rounding,
            **asdict(numerics(self.model)),
        }


def bound_tight(network: Layered, prop: Property, level: BoundLevel, threads: int = 1) -> list[LayerBounds]:
    """The bounds that `encode_tight` takes; those of the outputs matter only where a goal compares atoms. Raises
    `NetworkError` as `bound_layers` does."""
    chain = prop.goal.chain(network)
    return bound_layers(chain, prop.input_set, level, threads, outputs=prop.goal.single is None)


def encode_tight(network: Layered, prop: Property, bounds: list[LayerBounds], name: str) -> Encoding:
    """The `tight` MILP; `bounds` must hold in exact arithmetic, one per layer of `prop.goal.chain(network)`
    (`bound_tight`).

    Raises `NetworkError` when the network has no hidden layer, or a divisor so small that readers drop it."""
    if len(network.layers) < 2:
        raise NetworkError(f"{name}: the network has no hidden layer")
    if any(layer.divisor is not None and (layer.divisor <= MIN_COEFFICIENT).any() for layer in network.layers):
        raise NetworkError(f"{name}: a divisor is not above {MIN_COEFFICIENT}, which readers of files drop")
    encoding = _encode(network, prop, bounds, name, ReluForm.PARTITION)
    if _fits(encoding.model.n_rows, encoding.model.n_columns):
        return encoding
    for form in (ReluForm.PRE_ACTIVATION, ReluForm.SUBSTITUTED):
        # A partitioned ReLU has two columns for each part, a substituted one none.
        if encoding.model.n_columns - 2 * PARTS * encoding.unstable <= FREE_LICENCE_SIZE:
            smaller = _encode(network, prop, bounds, name, form)
            if _fits(smaller.model.n_rows, smaller.model.n_columns):
                return smaller
    return encoding


def _fits(n_rows: int, n_columns: int) -> bool:
    return max(n_rows, n_columns) <= FREE_LICENCE_SIZE


def _encode(network: Layered, prop: Property, bounds: list[LayerBounds], name: str, form: ReluForm) -> Encoding:
    """The MILP in one form of its ReLUs."""
    has_steps = prop.input_set.norm is Norm.L1 or isinstance(prop, ClosestProperty)
    builder = MilpBuilder(name, comments(prop, "tight", _STEPS_TEXT if has_steps else _INPUTS_TEXT))
    # The only atom reads the last hidden layer; several read the outputs, which then have columns.
    layers = network.layers if prop.goal.single is None else network.layers[:-1]
    folded = fold(layers, bounds[: len(layers)], _steps(prop.input_set) if has_steps else _inputs(prop.input_set))
    disjuncts = express(network, prop.goal, folded[-1], bounds)
    read = [j for disjunct in disjuncts.values() for expression in disjunct for j in expression.coefficients]
    mark_needed(folded, np.isin(np.arange(len(folded[-1].needed)), read))
    previous = _add_inputs(builder, prop, folded[0], has_steps)
    for k, layer in enumerate(folded, 1):
        partition = _partition(prop) if k == 1 and has_steps and form is ReluForm.PARTITION else None
        previous = _add_layer(builder, k, layer, previous, form, partition)
    if prop.goal.single is not None and not isinstance(prop, ClosestProperty):
        rounding = _set_objective(builder, disjuncts[0][0], folded[-1], previous)
    else:
        rounding = add_goal_rows(builder, disjuncts, previous.column_of[0], prop)
    hidden = [b for b, layer in zip(bounds, network.layers, strict=False) if layer.relu]
    return Encoding(
        model=builder.build(),
        constant_rounding=rounding,
        stable_active=sum(int(layer.stable_active.sum()) for layer in hidden),
        stable_inactive=sum(int(layer.stable_inactive.sum()) for layer in hidden),
        unstable=sum(int(layer.unstable.sum()) for layer in hidden),
    )


def comments(prop: Property, formulation: str, inputs: str) -> Iterator[str]:
    """The leading comment of a file: what it asks, and the centre, so that a solution decodes from the file alone."""
    s, goal = prop.input_set, prop.goal
    closest = isinstance(prop, ClosestProperty)
    value = "-|x - centre|" if closest else goal.single or "max over D of min over i of goal_D_i"
    yield f"vnnbench instance, formulation {formulation}; value = -objective = {value}"
    if isinstance(prop, ClosestProperty):
        yield f"for some D all goal_D_i are at least {to_text(prop.margin)}"
    if closest or goal.single is None:
        for d, disjunct in enumerate(goal.disjuncts):
            for i, atom in enumerate(disjunct):
                yield from wrap(f"goal_{d}_{i} = {atom}", 200)
    norm = {Norm.L1: "1", Norm.LINF: "inf", Norm.BOX: ""}[s.norm]
    ball = "the bounds of x" if s.radius is None else f"|x - centre|_{norm} <= {float(s.radius)!r} within a box"
    yield f"input set: {ball}; {inputs}"
    centre = s.centre.tolist()
    for start in range(0, len(centre), 4):  # short lines: one reader stops at 1,024 characters
        yield f"centre {start}: " + " ".join(repr(value) for value in centre[start : start + 4])


# -- columns and rows ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Where a layer's outputs are: output i is the sum over blocks of sign * column `column_of[i]`, if that is not -1;
    an input may have a step up and one down."""

    column_of: tuple[npt.NDArray[np.int64], ...]
    signs: tuple[float, ...]

    def terms(self, outputs: npt.NDArray[np.int64], values: Float64Array) -> tuple[list[int], list[float]]:
        """Columns and coefficients of sum values_i output_i; an output without a column is a constant elsewhere."""
        columns: list[int] = []
        coefficients: list[float] = []
        for column_of, sign in zip(self.column_of, self.signs, strict=True):
            found = column_of[outputs]
            columns += found[found >= 0].tolist()
            coefficients += (sign * values[found >= 0]).tolist()
        return columns, coefficients


def _block(n: int, places: Sequence[int], columns: Sequence[int]) -> npt.NDArray[np.int64]:
    column_of = np.full(n, -1, dtype=np.int64)
    column_of[list(places)] = columns
    return column_of


def _inputs(s: InputSet) -> InputColumns:
    """Columns x_i within the hull."""
    lower, upper = s.hull
    variable = lower < upper
    reach = np.maximum(np.abs(lower), np.abs(upper))
    return InputColumns(np.where(variable, 0.0, s.centre), variable, np.maximum(reach, 2 * MIN_COEFFICIENT))


def _steps(s: InputSet) -> InputColumns:
    """Columns p_i and m_i."""
    above, below = _rooms(s)
    return InputColumns(s.centre, (above > 0) | (below > 0), np.maximum(np.maximum(above, below), 2 * MIN_COEFFICIENT))


def _rooms(s: InputSet) -> tuple[Float64Array, Float64Array]:
    """(above, below), (n_0,) each: how far the box lets a pixel go from the centre, rounded up where that is no
    float64: never for pixels k / 255 or k / 16."""
    return difference_above(s.upper, s.centre), difference_above(s.centre, s.lower)


def _add_inputs(builder: MilpBuilder, prop: Property, first: FoldedLayer, has_steps: bool) -> Columns:
    """The columns of the pixels that a needed neuron reads; of all when none is, or their distance is the value."""
    used = read_by(first)
    if isinstance(prop, ClosestProperty) or not used.any():
        used = np.ones_like(used)
    if not has_steps:
        return _add_pixels(builder, prop.input_set, used, first)
    return _add_steps(builder, prop, used)


def _add_pixels(builder: MilpBuilder, s: InputSet, used: npt.NDArray[np.bool_], first: FoldedLayer) -> Columns:
    """Columns x_i of a set without an L1 ball."""
    lower, upper = s.hull
    pixels = np.flatnonzero(used & (lower < upper))
    ends = zip(pixels.tolist(), lower[pixels].tolist(), upper[pixels].tolist(), strict=True)
    columns = [builder.add_column(f"x_{i}", bound_in_file(lo, -1), bound_in_file(hi, 1)) for i, lo, hi in ends]
    if not first.needed.any():
        hold_columns(builder, columns, [bound_in_file(hi, 1) for hi in upper[pixels].tolist()])
    return Columns((_block(s.n_inputs, pixels.tolist(), columns),), (1.0,))


def hold_columns(builder: MilpBuilder, columns: list[int], upper: list[float]) -> None:
    """Row `box`, sum of columns <= sum of their upper bounds: it cuts nothing, and lets columns that no other row reads
    stand in the file."""
    most = float_above(sum(map(Fraction, upper), Fraction(0)))
    builder.add_row("box", "L", bound_in_file(most, 1), columns, np.ones(len(columns)))


def _add_steps(builder: MilpBuilder, prop: Property, used: npt.NDArray[np.bool_]) -> Columns:
    """Columns p_i and m_i, and the rows of the ball: of its radius, or, where that is asked for, of the column r."""
    s = prop.input_set
    assert s.radius is not None  # noqa: S101 - a set without a ball has no steps
    blocks = []
    for letter, room in zip("pm", _rooms(s), strict=True):
        upper = np.minimum(room, s.radius).tolist()
        pixels = np.flatnonzero(used & (room > 0)).tolist()
        columns = [builder.add_column(f"{letter}_{i}", 0.0, bound_in_file(upper[i], 1)) for i in pixels]
        blocks.append(_block(s.n_inputs, pixels, columns))
    if isinstance(prop, ClosestProperty):
        _add_radius(builder, s, blocks)
    else:
        terms = [column for block in blocks for column in block[block >= 0].tolist()]
        builder.add_row("ball", "L", bound_in_file(s.radius, 1), terms, np.ones(len(terms)))
    return Columns(tuple(blocks), (1.0, -1.0))


def _add_radius(builder: MilpBuilder, s: InputSet, blocks: list[npt.NDArray[np.int64]]) -> None:
    """Column r, the objective, no less than the norm of the steps."""
    assert s.radius is not None  # noqa: S101 - as above
    r = builder.add_column("r", 0.0, bound_in_file(s.radius, 1))
    builder.set_objective(r, 1.0)
    if s.norm is Norm.L1:
        rows = {"ball": [column for block in blocks for column in block[block >= 0].tolist()]}
    else:
        rows = {
            f"ball_{i}": [int(block[i]) for block in blocks if block[i] >= 0]
            for i in np.flatnonzero((blocks[0] >= 0) | (blocks[1] >= 0)).tolist()
        }
    for name, terms in rows.items():
        builder.add_row(name, "L", 0.0, [*terms, r], [1.0] * len(terms) + [-1.0])


def _add_layer(
    builder: MilpBuilder, k: int, folded: FoldedLayer, previous: Columns, form: ReluForm, partition: Partition | None
) -> Columns:
    """Columns and rows of the needed neurons."""
    neurons = np.flatnonzero(folded.needed).tolist()
    columns = []
    for j in neurons:
        z, tag = _summands(folded, j, previous), f"{k}_{j}"
        lower, upper = float(folded.lower[j]), float(folded.upper[j])
        plain = folded.layer.relu and lower < 0 and folded.layer.divisor is None
        if not folded.layer.relu:
            columns.append(_add_linear(builder, tag, folded, j, z))
        elif plain and partition is not None and can_partition(z):
            columns.append(add_partitioned_relu(builder, tag, z, upper, partition))
        elif plain and form is ReluForm.SUBSTITUTED:
            columns.append(add_substituted_relu(builder, tag, z, lower, upper))
        else:
            columns.append(_add_relu(builder, tag, folded, j, z))
    return Columns((_block(folded.layer.n_outputs, neurons, columns),), (1.0,))


def _partition(prop: Property) -> Partition:
    """Of ReLUs that read the steps p_i, m_i."""
    s = prop.input_set
    return Partition(np.inf if s.radius is None or s.norm is not Norm.L1 else bound_in_file(s.radius, 1))


def _summands(folded: FoldedLayer, j: int, previous: Columns) -> Sum:
    """divisor_j z_j by the columns of the layer before."""
    columns, coefficients = previous.terms(*folded.layer.row(j))
    return Sum(columns, coefficients, in_file(folded.constant[j]))


def _add_linear(builder: MilpBuilder, tag: str, folded: FoldedLayer, j: int, z: Sum) -> int:
    """A neuron without ReLU; returns its column."""
    lower, upper = bound_in_file(float(folded.lower[j]), -1), bound_in_file(float(folded.upper[j]), 1)
    column = builder.add_column(f"z_{tag}", lower, upper)
    _define(builder, tag, column, folded, j, z)
    return column


def _add_relu(builder: MilpBuilder, tag: str, folded: FoldedLayer, j: int, z: Sum) -> int:
    """A ReLU, unstable or active, which needs no z; returns the column of its output."""
    lower, upper = float(folded.lower[j]), float(folded.upper[j])
    if lower >= 0:
        h = column = builder.add_column(f"h_{tag}", lower if lower > MIN_COEFFICIENT else 0.0, max(upper, MIN_BIG_M))
    else:
        h, column = add_relu(builder, tag, lower, upper)
    _define(builder, tag, column, folded, j, z)
    return h


def _define(builder: MilpBuilder, tag: str, column: int, folded: FoldedLayer, j: int, z: Sum) -> None:
    """The row that makes this column the pre-activation."""
    divisor = folded.layer.divisor
    name, scale = (f"z_{tag}", 1.0) if divisor is None else (f"q_{tag}", float(divisor[j]))
    builder.add_row(name, "E", z.constant, [column, *z.columns], [scale, *(-c for c in z.coefficients)])


def _set_objective(builder: MilpBuilder, value: Expression, last: FoldedLayer, outputs: Columns) -> float:
    """objective = -value over the last hidden layer's columns. Returns `constant_rounding`."""
    builder.offset = -in_file(value.constant) + 0.0
    for j, coefficient in value.coefficients.items():
        builder.set_objective(int(outputs.column_of[0][j]), -in_file(coefficient))
    return value.error
