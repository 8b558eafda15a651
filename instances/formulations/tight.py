"""The `tight` formulation: one MILP for a property on one network.

    minimize  -value                                    the goal's only atom; else t, or the radius r: see `goal_rows`
    ball:     sum_i p_i + m_i <= radius                 x_i = centre_i + p_i - m_i, each within its box; a set without
                                                        an L1 ball has the columns x_i themselves, within their bounds
    z_k_j:    z_k_j - sum_i W_ji v_i = c_kj             v are the columns of the layer before
    h_k_j:    = max(z_k_j, 0), d_k_j = 1 where z_k_j > 0: rows of `relu_rows`

Stable active ReLUs have only h, in place of z; stable inactive ones, constant ones and those that reach no output have
no columns. A neuron without ReLU has a column z_k_j; if it only carries another column on, it has none of its own. If
layer k has divisors, its rows are q_k_j, and the coefficients of their own columns are the divisors. Constants (biases,
the image of the centre or of pixels without a column, constant neurons) are folded into c_kj: computed exactly, rounded
once. `constant_rounding` bounds the effect of this rounding on the value; bounds and big-M are widened to cover it
(`folding`).

If the numbers need it (`scaling`), all of this is about the network in units. The columns of inputs then have their
unit in their names (`input_columns`) and count from the centre, and z, h and the bounds of neuron (k, j) are in a power
of two of its own. Value and objective have the unit 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from textwrap import wrap
from typing import Any

import numpy as np

from vnnbench.instances.bounds.levels import BoundLevel, LayerBounds, bound_layers
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.formulations.folding import FoldedLayer, fold, mark_needed
from vnnbench.instances.formulations.goal_rows import Expression, add_goal_rows, express, expressions
from vnnbench.instances.formulations.input_rows import Columns, InputRows, block
from vnnbench.instances.formulations.milp import (
    MAX_NUMBER,
    MIN_BIG_M,
    MIN_COEFFICIENT,
    MilpBuilder,
    MilpModel,
    apart,
    bound_in_file,
    in_file,
    rounding_in_file,
)
from vnnbench.instances.formulations.numerics import MAX_ROUNDING, numerics
from vnnbench.instances.formulations.relu_rows import (
    LEAST_ROWS,
    PARTS,
    Partition,
    ReluForm,
    Sum,
    add_partitioned_relu,
    add_relu,
    add_substituted_relu,
    can_partition,
)
from vnnbench.instances.formulations.scaling import Units, choose_units, has_steps
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import Layered
from vnnbench.instances.properties.input_set import Norm
from vnnbench.instances.properties.property import ClosestProperty, Property
from vnnbench.instances.rationals import to_text

FREE_LICENCE_SIZE = 2000
"""The most rows, and columns, of gurobipy's free licence: if the best form has more, a smaller form that fits is
written, if there is one."""

_STEPS_TEXT = "x_i = centre_i + p_i - m_i; an absent pixel stays there"
_INPUTS_TEXT = "columns x_i are the input; an absent pixel stays at its centre"
_STEPS_IN_UNITS_TEXT = "x_i = centre_i + u (p_i - m_i), in columns p_i_dK, m_i_dK"
_INPUTS_IN_UNITS_TEXT = "x_i = centre_i + u * column x_i_dK"
_UNITS_TEXT = "u = 2**-K for _dK, 2**K for _uK; an absent pixel stays at its centre"


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """A model with its facts for the catalogue.

    constant_rounding: |network's value - (-file's objective at the lifted point)| never exceeds it.
    goal_rounding: the same bound for the goal's rows if they have a margin, which do not affect the value.
    stable_active, stable_inactive, unstable: hidden neurons of the network by their bounds.
    """

    model: MilpModel
    constant_rounding: float
    goal_rounding: float
    stable_active: int
    stable_inactive: int
    unstable: int

    def facts(self) -> dict[str, Any]:
        """Return the columns of the catalogue that follow from the encoding."""
        return {
            **self.model.counts(),
            "stable_active": self.stable_active,
            "stable_inactive": self.stable_inactive,
            "unstable": self.unstable,
            "constant_rounding": self.constant_rounding,
            **asdict(numerics(self.model)),
        }


def bound_tight(network: Layered, prop: Property, level: BoundLevel, threads: int = 1) -> list[LayerBounds]:
    """Return the bounds for `encode_tight`; those of the outputs matter only if the goal compares atoms.

    Raises `NetworkError` as `bound_layers` does.
    """
    chain = prop.goal.chain(network)
    return bound_layers(chain, prop.input_set, level, threads, outputs=prop.goal.single is None)


def encode_tight(network: Layered, prop: Property, bounds: list[LayerBounds], name: str) -> Encoding:
    """Return the `tight` MILP; `bounds` (`bound_tight`) must hold in exact arithmetic.

    There is one per layer of `prop.goal.chain(network)`. Raises `NetworkError` when the network has no hidden layer, a
    divisor so small that readers drop it, numbers too large for solvers, or so many numbers that a file cannot hold
    that its value is lost.
    """
    if len(network.layers) < 2:
        raise NetworkError(f"{name}: the network has no hidden layer")
    if any(layer.divisor is not None and (layer.divisor <= MIN_COEFFICIENT).any() for layer in network.layers):
        raise NetworkError(f"{name}: a divisor is at most {MIN_COEFFICIENT}; readers of files drop such numbers")
    encoding = _smallest_fitting(_Question(network, prop, bounds, choose_units(network, prop, bounds)), name)
    if encoding.goal_rounding > MAX_ROUNDING:  # because weights were dropped; in units only negligible ones are
        units = choose_units(network, prop, bounds, always=True)
        encoding = _smallest_fitting(_Question(network, prop, bounds, units), name)
    _refuse_what_no_file_holds(encoding, network, prop, name)
    return encoding


def _refuse_what_no_file_holds(encoding: Encoding, network: Layered, prop: Property, name: str) -> None:
    model, rounding = encoding.model, encoding.goal_rounding
    bounds = np.concatenate([model.lower, model.upper, model.rhs, model.data, model.objective, [model.offset]])
    largest = float(np.abs(bounds).max())
    if largest >= MAX_NUMBER:
        raise NetworkError(f"{name}: its MILP would hold {largest:g}; solvers accept numbers below {MAX_NUMBER:g}")
    if rounding > MAX_ROUNDING:
        exact, s = ExactNetwork(network), prop.input_set
        points = [s.centre, *(point for end in s.hull if (point := s.repair(end)) is not None)]
        size = max(abs(float(prop.goal.value(exact.outputs(s.point(point))))) for point in points)
        if rounding >= size:
            raise NetworkError(
                f"{name}: its value, about {size:.3g}, would move by up to {rounding:.3g}, because a file cannot hold "
                "all of its numbers exactly"
            )


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """The input of an encoding: a property on a network with its bounds, as given or in units."""

    network: Layered
    prop: Property
    bounds: list[LayerBounds]
    units: Units | None = None

    @property
    def inputs_text(self) -> str:
        """The text that explains how an input is read from the columns."""
        if self.units is None:
            return _STEPS_TEXT if has_steps(self.prop) else _INPUTS_TEXT
        return f"{_STEPS_IN_UNITS_TEXT if has_steps(self.prop) else _INPUTS_IN_UNITS_TEXT}; {_UNITS_TEXT}"

    def encoding(self, builder: MilpBuilder, rounding: float) -> Encoding:
        """Return the encoding of a finished model; rounding: of the value, or of the goal's rows with a margin."""
        hidden = list(zip(self.bounds, (layer.relu for layer in self.network.layers), strict=False))
        return Encoding(
            model=builder.build(),
            constant_rounding=0.0 if isinstance(self.prop, ClosestProperty) else rounding,
            goal_rounding=rounding,
            stable_active=sum(int(own.stable_active[relu].sum()) for own, relu in hidden),
            stable_inactive=sum(int(own.stable_inactive[relu].sum()) for own, relu in hidden),
            unstable=sum(int(own.unstable[relu].sum()) for own, relu in hidden),
        )

    def in_units(self) -> tuple[Layered, Property, list[LayerBounds]]:
        """Return network, property and bounds as the file has them."""
        if self.units is None:
            return self.network, self.prop, self.bounds
        return self.units.network(self.network), self.units.property(self.prop), self.units.bounds(self.bounds)


def _smallest_fitting(question: _Question, name: str) -> Encoding:
    """Return the encoding in the best form, or in the first smaller form that fits the free licence."""
    encoding = _encode(question, name, ReluForm.PARTITION)
    if _fits(encoding.model.n_rows, encoding.model.n_columns):
        return encoding
    relus = sum(name.startswith("d_") for name in encoding.model.column_names)
    if LEAST_ROWS * relus > FREE_LICENCE_SIZE:
        return encoding
    for form in (ReluForm.PRE_ACTIVATION, ReluForm.SUBSTITUTED):
        # A partitioned ReLU has two columns for each part, a substituted one none.
        if encoding.model.n_columns - 2 * PARTS * encoding.unstable <= FREE_LICENCE_SIZE:
            smaller = _encode(question, name, form)
            if _fits(smaller.model.n_rows, smaller.model.n_columns):
                return smaller
    return encoding


def _fits(n_rows: int, n_columns: int) -> bool:
    return max(n_rows, n_columns) <= FREE_LICENCE_SIZE


def _encode(question: _Question, name: str, form: ReluForm) -> Encoding:
    """Return the MILP in one form of its ReLUs."""
    builder = MilpBuilder(name, comments(question.prop, "tight", question.inputs_text))
    if not question.prop.input_set.free.any():
        return question.encoding(builder, _add_value(builder, question))
    network, prop, bounds = question.in_units()
    inputs = InputRows(prop, question.units)
    # A single atom reads the last hidden layer; several atoms read the outputs, which then have columns.
    layers = network.layers if prop.goal.single is None else network.layers[:-1]
    reached = inputs.reach()
    folded = fold(layers, bounds[: len(layers)], reached)
    clauses = express(network, prop.goal, folded[-1], bounds)
    read = [j for expression in expressions(clauses) for j in expression.coefficients]
    mark_needed(folded, np.isin(np.arange(len(folded[-1].needed)), read))
    previous = inputs.add(builder, folded[0], reached)
    for k, layer in enumerate(folded, 1):
        partition = _partition(prop) if k == 1 and has_steps(prop) and form is ReluForm.PARTITION else None
        previous = _add_layer(builder, k, layer, previous, form, partition)
    if prop.goal.single is not None and not isinstance(prop, ClosestProperty):
        rounding = _set_objective(builder, clauses[0][0][0], folded[-1], previous)
    else:
        rounding = add_goal_rows(builder, clauses, previous.column_of[0], prop)
    return question.encoding(builder, rounding)


def comments(prop: Property, formulation: str, inputs: str) -> Iterator[str]:
    """Yield the leading comment lines of a file: its question, and the centre for decoding a solution."""
    s, goal = prop.input_set, prop.goal
    closest, several = isinstance(prop, ClosestProperty), len(goal.clauses) > 1
    of_goal = f"{'min over C of ' * several}max over D of min over i of goal_{'C_' * several}D_i"
    value = "-|x - centre|" if closest else goal.single or of_goal
    yield f"vnnbench instance, formulation {formulation}; value = -objective = {value}"
    if isinstance(prop, ClosestProperty):
        yield f"for some D all goal_D_i are at least {to_text(prop.margin)}"
    if closest or goal.single is None:
        for c, clause in enumerate(goal.clauses):
            for d, disjunct in enumerate(clause):
                for i, atom in enumerate(disjunct):
                    yield from wrap(f"goal_{f'{c}_' * several}{d}_{i} = {atom}", 200)
    ball = (
        "the bounds of x" if s.radius is None else f"|x - centre|_{s.norm.symbol} <= {float(s.radius)!r} within a box"
    )
    yield f"input set: {ball}; {inputs}"
    centre = s.centre.tolist()
    for start in range(0, len(centre), 4):  # short lines: one reader accepts at most 1,024 characters
        yield f"centre {start}: " + " ".join(repr(value) for value in centre[start : start + 4])


# -- columns and rows ----------------------------------------------------------------------------------------------


def _add_layer(
    builder: MilpBuilder, k: int, folded: FoldedLayer, previous: Columns, form: ReluForm, partition: Partition | None
) -> Columns:
    """Add the columns and rows of the needed neurons."""
    neurons = np.flatnonzero(folded.needed).tolist()
    columns = []
    for j in neurons:
        z, tag = _summands(folded, j, previous), f"{k}_{j}"
        lower, upper = float(folded.lower[j]), float(folded.upper[j])
        has_relu = bool(folded.layer.relu[j])
        plain = has_relu and lower < 0 and folded.layer.divisor is None
        # Two neurons never share a column: a row would have it twice.
        carried = folded.copied[j] >= 0 and z.coefficients == [1.0] and z.columns[0] not in columns
        if carried and (not has_relu or lower >= 0):
            columns.append(z.columns[0])
        elif not has_relu:
            columns.append(_add_linear(builder, tag, folded, j, z))
        elif plain and partition is not None and can_partition(z):
            columns.append(add_partitioned_relu(builder, tag, z, upper, partition))
        elif plain and form is ReluForm.SUBSTITUTED:
            columns.append(add_substituted_relu(builder, tag, z, lower, upper))
        else:
            columns.append(_add_relu(builder, tag, folded, j, z))
    return Columns((block(folded.layer.n_outputs, neurons, columns),), (1.0,))


def _partition(prop: Property) -> Partition:
    """Return the partition of ReLUs that read the steps p_i, m_i."""
    s = prop.input_set
    return Partition(np.inf if s.radius is None or s.norm is not Norm.L1 else bound_in_file(s.radius, 1))


def _summands(folded: FoldedLayer, j: int, previous: Columns) -> Sum:
    """Return divisor_j z_j as a sum over the columns of the layer before."""
    columns, coefficients = previous.terms(*folded.layer.row(j))
    return Sum(columns, coefficients, in_file(folded.constant[j]))


def _add_linear(builder: MilpBuilder, tag: str, folded: FoldedLayer, j: int, z: Sum) -> int:
    """Add a neuron without ReLU, and return its column."""
    lower, upper = bound_in_file(float(folded.lower[j]), -1), bound_in_file(float(folded.upper[j]), 1)
    column = builder.add_column(f"z_{tag}", lower, apart(lower, upper))
    _define(builder, tag, column, folded, j, z)
    return column


def _add_relu(builder: MilpBuilder, tag: str, folded: FoldedLayer, j: int, z: Sum) -> int:
    """Add a ReLU, unstable or active (which needs no z), and return the column of its output."""
    lower, upper = float(folded.lower[j]), float(folded.upper[j])
    if lower >= 0:
        least = lower if lower > MIN_COEFFICIENT else 0.0
        h = column = builder.add_column(f"h_{tag}", least, apart(least, max(upper, MIN_BIG_M)))
    else:
        h, column = add_relu(builder, tag, lower, upper)
    _define(builder, tag, column, folded, j, z)
    return h


def _define(builder: MilpBuilder, tag: str, column: int, folded: FoldedLayer, j: int, z: Sum) -> None:
    """Add the row that makes this column the pre-activation."""
    divisor = folded.layer.divisor
    name, scale = (f"z_{tag}", 1.0) if divisor is None else (f"q_{tag}", float(divisor[j]))
    builder.add_row(name, "E", z.constant, [column, *z.columns], [scale, *(-c for c in z.coefficients)])


def _add_value(builder: MilpBuilder, question: _Question) -> float:
    """Add the value of a set of one point, which is evaluated here, as t <= value, and return its rounding."""
    s = question.prop.input_set
    value = question.prop.goal.value(ExactNetwork(question.network).outputs(s.point(s.centre)))
    in_row = in_file(value)
    t = builder.add_column("t", bound_in_file(in_row - 1.0, -1), in_row)
    builder.set_objective(t, -1.0)
    builder.add_row("goal_0_0", "L", in_row, [t], [1.0])
    return rounding_in_file(value)


def _set_objective(builder: MilpBuilder, value: Expression, last: FoldedLayer, outputs: Columns) -> float:
    """Set objective = -value over the last hidden layer's columns, and return `constant_rounding`."""
    builder.offset = -in_file(value.constant) + 0.0
    for j, coefficient in value.coefficients.items():
        builder.set_objective(int(outputs.column_of[0][j]), -in_file(coefficient))
    return value.error
