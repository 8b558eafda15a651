"""Lifting: from an input, the value of every column of an instance's file, exactly; and what the file says of it.

Works on the file as read, by the names of DESIGN 5 and the formulations: inputs x_i or p_i, m_i; distances a_i;
rows z_k_j and y_j define pre-activations and outputs in file order; h, s, d follow from z. All in integers over one
exponent, so the answer whether a row holds is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from instances.errors import ModelError
from instances.exact import to_fraction, to_integers
from instances.milp import MilpModel
from instances.network import Float64Array


@dataclass(frozen=True, slots=True)
class LiftedPoint:
    """violated: names of the rows and columns that the lifted point violates, in exact arithmetic, and `x_i` where a
    pixel left its centre to the side on which the file has no column; objective: the file's objective, exactly."""

    violated: tuple[str, ...]
    objective: Fraction


class Lifter:
    """A model prepared for lifting; `depth` bounds how often row values feed further rows."""

    def __init__(self, model: MilpModel, centre: Float64Array) -> None:
        self.model, self.centre = model, centre
        self._index = model.column_index()
        self._data, self._exponent = to_integers(model.data)
        self._rhs, self._rhs_exponent = to_integers(model.rhs)
        self._definitions = [r for r, name in enumerate(model.row_names) if name[:2] in ("z_", "y_")]
        self._depth = max((_layer_of(model.row_names[r]) for r in self._definitions), default=0) + 1
        self._indices = model.indices.tolist()
        self._indptr = model.indptr.tolist()

    def lift(self, x: Float64Array) -> LiftedPoint:
        """Lift the input x (n_0,) finite. Raises `ModelError` when a column has no known meaning.

        A pixel without any column stays at its centre in the file, so x is not looked at there.
        """
        n = len(self.centre)
        if x.shape != (n,):
            raise ValueError(f"{x.shape} is not the shape of an input of {n} pixels")
        numbers, exponent = to_integers(np.concatenate([x, self.centre]))
        # Every layer of rows adds one coefficient exponent, so at this exponent all column values are integers.
        total = max(exponent, self._rhs_exponent) + self._depth * self._exponent
        numbers = [value << (total - exponent) for value in numbers]
        values = self._input_columns(numbers[:n], numbers[n:])
        beyond = self._beyond_missing_columns(numbers[:n], numbers[n:])
        for row in self._definitions:
            self._define(row, values, total)
        missing = [name for name, value in zip(self.model.column_names, values, strict=True) if value is None]
        if missing:
            raise ModelError(f"{self.model.name}: column {missing[0]} has no known meaning")
        columns = [value for value in values if value is not None]
        violated = [*beyond, *self._violated_rows(columns, total), *self._violated_columns(columns, total)]
        return LiftedPoint(tuple(violated), self._objective(columns, total))

    def _input_columns(self, x: list[int], centre: list[int]) -> list[int | None]:
        values: list[int | None] = [None] * self.model.n_columns
        for i, (value, c) in enumerate(zip(x, centre, strict=True)):
            meanings = (("x", value), ("p", max(value - c, 0)), ("m", max(c - value, 0)), ("a", abs(value - c)))
            for letter, meaning in meanings:
                column = self._index.get(f"{letter}_{i}")
                if column is not None:
                    values[column] = meaning
        return values

    def _beyond_missing_columns(self, x: list[int], centre: list[int]) -> list[str]:
        """Pixels beyond a centre at which their box ends: only the column of the other side exists."""
        return [
            f"x_{i}"
            for i, (value, c) in enumerate(zip(x, centre, strict=True))
            if (value > c and f"p_{i}" not in self._index and f"m_{i}" in self._index)
            or (value < c and f"m_{i}" not in self._index and f"p_{i}" in self._index)
        ]

    def _define(self, row: int, values: list[int | None], total: int) -> None:
        """z = rhs - (the row's other terms); its own columns are z (+1), or h (+1) and s (-1), or y (+1)."""
        name = self.model.row_names[row]
        kind, tag = name.split("_", 1)
        own = {f"{letter}_{tag}" for letter in ("zhs" if kind == "z" else "y")}
        activity = self._rhs[row] << (total + self._exponent - self._rhs_exponent)
        for e in range(self._indptr[row], self._indptr[row + 1]):
            column = self._indices[e]
            if self.model.column_names[column] in own:
                continue
            value = values[column]
            if value is None:
                raise ModelError(f"{self.model.name}: row {name} uses {self.model.column_names[column]} too early")
            activity -= self._data[e] * value
        z, remainder = divmod(activity, 1 << self._exponent)
        if remainder:
            raise ModelError(f"{self.model.name}: row {name} depends on more layers than its name says")
        meanings = [("y", z)] if kind == "y" else self._relu_meanings(z, total)
        for letter, meaning in meanings:
            if (column_or_none := self._index.get(f"{letter}_{tag}")) is not None:
                values[column_or_none] = meaning

    @staticmethod
    def _relu_meanings(z: int, total: int) -> list[tuple[str, int]]:
        return [("z", z), ("h", max(z, 0)), ("s", max(-z, 0)), ("d", 1 << total if z > 0 else 0)]

    def _violated_rows(self, columns: list[int], total: int) -> list[str]:
        violated = []
        for row, sense in enumerate(self.model.senses):
            span = range(self._indptr[row], self._indptr[row + 1])
            activity = sum(self._data[e] * columns[self._indices[e]] for e in span)
            excess = activity - (self._rhs[row] << (total + self._exponent - self._rhs_exponent))
            if (excess > 0 and sense != "G") or (excess < 0 and sense != "L"):
                violated.append(self.model.row_names[row])
        return violated

    def _violated_columns(self, columns: list[int], total: int) -> list[str]:
        return [
            name
            for name, value, lower, upper in zip(
                self.model.column_names, columns, self.model.lower.tolist(), self.model.upper.tolist(), strict=True
            )
            if not lower <= to_fraction(value, total) <= upper
        ]

    def _objective(self, columns: list[int], total: int) -> Fraction:
        coefficients, exponent = to_integers(self.model.objective)
        linear = sum(c * value for c, value in zip(coefficients, columns, strict=True) if c)
        return to_fraction(linear, exponent + total) + Fraction(self.model.offset)


def _layer_of(row_name: str) -> int:
    """Layers of rows below the one that defines z_k_j (k) or y_j (unknown here: counted as one more than any z)."""
    kind, tag = row_name.split("_", 1)
    try:
        return int(tag.split("_")[0]) if kind == "z" else 0
    except ValueError as error:
        raise ModelError(f"row {row_name} is not named z_layer_neuron") from error
