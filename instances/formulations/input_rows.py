"""The columns and rows of an input set in the `tight` formulation.

    ball:     sum_i p_i + m_i <= radius                 L1, x_i = centre_i + p_i - m_i, each within its box
    ball:     sum_i p_i + m_i <= r                      the same with the column r, which is minimized: family `closest`
    ball_i:   p_i + m_i <= r                            for an L-infinity ball
    equal_k:  sum_i c_i x_i = value                     an equality among inputs; else least_k for >=, most_k for <=

A set without these rows has a column for each pixel within its bounds: x_i itself, or, in units, its step from the
centre. The names are those of `input_columns`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.formulations.folding import FoldedLayer, InputColumns, read_by
from vnnbench.instances.formulations.input_columns import InputColumn
from vnnbench.instances.formulations.milp import MIN_COEFFICIENT, MilpBuilder, bound_in_file
from vnnbench.instances.formulations.scaling import Units, has_steps
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.linear_constraints import float_row
from vnnbench.instances.properties.property import ClosestProperty, Property
from vnnbench.instances.rationals import difference_above, float_above


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The columns of a layer's outputs: output i is the sum over blocks of sign * column `column_of[i]`, if not -1.

    An input may have two columns, a step up and a step down.
    """

    column_of: tuple[npt.NDArray[np.int64], ...]
    signs: tuple[float, ...]

    def terms(self, outputs: npt.NDArray[np.int64], values: Float64Array) -> tuple[list[int], list[float]]:
        """Return columns and coefficients of sum values_i output_i; outputs without a column are folded elsewhere."""
        columns: list[int] = []
        coefficients: list[float] = []
        for column_of, sign in zip(self.column_of, self.signs, strict=True):
            found = column_of[outputs]
            columns += found[found >= 0].tolist()
            coefficients += (sign * values[found >= 0]).tolist()
        return columns, coefficients


def block(n: int, places: Sequence[int], columns: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return the column at each of these places, -1 elsewhere, (n,)."""
    column_of = np.full(n, -1, dtype=np.int64)
    column_of[list(places)] = columns
    return column_of


def hold_columns(builder: MilpBuilder, columns: list[int], upper: list[float]) -> None:
    """Add row `box`, sum of columns <= sum of their upper bounds, for columns that no other row reads.

    It excludes nothing; a file needs it because every column must occur in a row.
    """
    most = float_above(sum(map(Fraction, upper), Fraction(0)))
    builder.add_row("box", "L", bound_in_file(most, 1), columns, np.ones(len(columns)))


@dataclass(frozen=True, slots=True, eq=False)
class InputRows:
    """The rows and columns of an input set in a file. prop: the property, with its set in units if there are units."""

    prop: Property
    units: Units | None

    @property
    def _set(self) -> InputSet:
        return self.prop.input_set

    def reach(self) -> InputColumns:
        """Return the inputs when all columns are 0, and how far the columns can move them."""
        s = self._set
        exact = {i: dependence.constant for i, dependence in s.determined.items() if not dependence.terms}
        origin = s.centre.copy()
        origin[list(exact)] = 0.0
        if has_steps(self.prop) or self.units is not None:
            above, below = _rooms(s)
            reach = np.maximum(np.maximum(above, below), 2 * MIN_COEFFICIENT)
            return InputColumns(origin, exact, s.free & ((above > 0) | (below > 0)), reach)
        lower, upper = s.hull
        variable = s.free & (lower < upper)
        reach = np.maximum(np.maximum(np.abs(lower), np.abs(upper)), 2 * MIN_COEFFICIENT)
        return InputColumns(np.where(variable, 0.0, origin), exact, variable, reach)

    def add(self, builder: MilpBuilder, first: FoldedLayer, reached: InputColumns) -> Columns:
        """Add the columns of the pixels that a needed neuron reads, or of all if none is or r is minimized; reached: as
        `reach` returns it."""
        used = read_by(first)
        used[[i for constraint in self._set.constraints for i, _ in constraint.terms]] = True
        if isinstance(self.prop, ClosestProperty) or not used.any():
            used = np.ones_like(used)
        if has_steps(self.prop):
            return self._add_steps(builder, used)
        return self._add_pixels(builder, used & reached.variable, first, reached)

    def _name(self, letter: str, pixel: int) -> str:
        return InputColumn(letter, pixel, None if self.units is None else int(self.units.inputs[pixel])).name

    def _add_pixels(
        self, builder: MilpBuilder, used: npt.NDArray[np.bool_], first: FoldedLayer, reached: InputColumns
    ) -> Columns:
        """Add columns x_i of a set without an L1 ball, and the rows of its constraints."""
        lower, upper = self._set.hull
        pixels = np.flatnonzero(used)
        if self.units is not None:
            above, below = _rooms(self._set)
            lower, upper = -below, above
        ends = [(bound_in_file(float(lower[i]), -1), bound_in_file(float(upper[i]), 1)) for i in pixels]
        columns = [builder.add_column(self._name("x", i), *end) for i, end in zip(pixels.tolist(), ends, strict=True)]
        if columns and not first.needed.any():
            hold_columns(builder, columns, [highest for _, highest in ends])
        column_of = block(self._set.n_inputs, pixels.tolist(), columns)
        self._add_constraints(builder, column_of, reached)
        return Columns((column_of,), (1.0,))

    def _add_constraints(self, builder: MilpBuilder, column_of: npt.NDArray[np.int64], reached: InputColumns) -> None:
        """Add the rows of the constraints; what does not vary with the columns goes to the right side."""
        for k, constraint in enumerate(self._set.constraints):
            origin = sum((c * self._origin(reached, i) for i, c in constraint.terms), Fraction(0))
            terms = [(i, c) for i, c in constraint.terms if column_of[i] >= 0]
            ends = [None if end is None else end - origin for end in (constraint.lower, constraint.upper)]
            row = float_row(terms, (ends[0], ends[1]), reached.reach)
            columns, values = column_of[list(row.coefficients)], list(row.coefficients.values())
            if row.lower == row.upper == bound_in_file(row.upper, 1):
                builder.add_row(f"equal_{k}", "E", row.upper, columns, values)
                continue
            if row.lower > -np.inf:
                builder.add_row(f"least_{k}", "G", bound_in_file(row.lower, -1), columns, values)
            if row.upper < np.inf:
                builder.add_row(f"most_{k}", "L", bound_in_file(row.upper, 1), columns, values)

    @staticmethod
    def _origin(inputs: InputColumns, i: int) -> Fraction:
        """Return an input where all columns are 0, exactly."""
        return inputs.exact.get(i, Fraction(float(inputs.origin[i])))

    def _add_steps(self, builder: MilpBuilder, used: npt.NDArray[np.bool_]) -> Columns:
        """Add columns p_i and m_i, and the ball's rows with its radius or, if r is minimized, with that column."""
        s = self._set
        assert s.radius is not None  # noqa: S101 - a set without a ball has no steps
        blocks = []
        for letter, room in zip("pm", _rooms(s), strict=True):
            upper = np.minimum(room, s.radius).tolist()
            pixels = np.flatnonzero(used & (room > 0)).tolist()
            columns = [builder.add_column(self._name(letter, i), 0.0, bound_in_file(upper[i], 1)) for i in pixels]
            blocks.append(block(s.n_inputs, pixels, columns))
        if isinstance(self.prop, ClosestProperty):
            self._add_radius(builder, s.radius, blocks)
        else:
            terms = [column for steps in blocks for column in steps[steps >= 0].tolist()]
            builder.add_row("ball", "L", bound_in_file(s.radius, 1), terms, np.ones(len(terms)))
        return Columns(tuple(blocks), (1.0, -1.0))

    def _add_radius(self, builder: MilpBuilder, radius: float, blocks: list[npt.NDArray[np.int64]]) -> None:
        """Add column r, the objective, which is at least the norm of the steps, in their unit."""
        r = builder.add_column("r", 0.0, bound_in_file(radius, 1))
        builder.set_objective(r, 1.0 if self.units is None else 2.0 ** int(self.units.inputs[0]))
        if self._set.norm is Norm.L1:
            rows = {"ball": [column for steps in blocks for column in steps[steps >= 0].tolist()]}
        else:
            rows = {
                f"ball_{i}": [int(steps[i]) for steps in blocks if steps[i] >= 0]
                for i in np.flatnonzero((blocks[0] >= 0) | (blocks[1] >= 0)).tolist()
            }
        for name, terms in rows.items():
            builder.add_row(name, "L", 0.0, [*terms, r], [1.0] * len(terms) + [-1.0])


def _rooms(s: InputSet) -> tuple[Float64Array, Float64Array]:
    """Return (above, below), (n_0,) each: how far each pixel can move from the centre within the box.

    They are rounded up if they are not float64 numbers, which never happens for pixels k / 255 or k / 16.
    """
    return difference_above(s.upper, s.centre), difference_above(s.centre, s.lower)
