"""Lifting: the exact value of every column of an instance's file at an input, and which rows the file violates there.

It works on the file as read, by the names of its rows and columns (`instances/README.md`, section "The rules of a model
file"). Inputs are as in `input_columns`, distances are a_i. Rows z_k_j, q_k_j and y_j define pre-activations and
outputs in file order, q_k_j up to the divisor, which is the coefficient of its own columns. h, d and the parts w_k_j_n
follow from z, and so does s in files of earlier versions. The radius r is the largest of its rows; t and e_D follow
from the rows goal_D_i, and e_C_D from goal_C_D_i. Inputs that the set determines are rationals. All numbers are
integers over one denominator, so the decision whether a row holds is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count
from math import lcm, prod

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import ModelError
from vnnbench.instances.formulations.input_columns import parse_input_column
from vnnbench.instances.formulations.milp import MilpModel
from vnnbench.instances.networks.exact_evaluation import to_integers, to_numerators
from vnnbench.instances.properties.input_set import InputSet


@dataclass(frozen=True, slots=True)
class LiftedPoint:
    """The file's exact view of a lifted point.

    violated: names of the rows and columns that the point violates, and `x_i` if a pixel left its centre to the side
    without a column in the file. violation: the largest absolute violation. objective: the file's objective.
    candidate: the one that the file holds in place of the given one, where it holds only one of several that are as
    good or better; None if it holds every one.
    """

    violated: tuple[str, ...]
    violation: Fraction
    objective: Fraction
    candidate: Float64Array | None = field(default=None, compare=False)


_Violation = tuple[str, Fraction]
"""The name of a violated row or column, and the amount of the violation."""


class Lifter:
    """A model that is prepared for lifting; `_depth` bounds the length of a chain of rows that depend on each other."""

    def __init__(self, model: MilpModel, input_set: InputSet) -> None:
        self.model, self._set, self.centre = model, input_set, input_set.centre
        self._index = model.column_index()
        inputs = [(i, parse_input_column(name)) for i, name in enumerate(model.column_names)]
        self._inputs = [(i, column) for i, column in inputs if column is not None and column.pixel < len(self.centre)]
        self._data, self._exponent = to_integers(model.data)
        self._rhs, self._rhs_exponent = to_integers(model.rhs)
        self._definitions = [r for r, name in enumerate(model.row_names) if name[:2] in ("z_", "q_", "y_")]
        self._depth = max((_layer_of(model.row_names[r]) for r in self._definitions), default=0) + 1
        self._indices = model.indices.tolist()
        self._indptr = model.indptr.tolist()
        self._divisors = self._read_divisors()

    def lift(self, x: Float64Array) -> LiftedPoint:
        """Lift the input x (n_0,) finite. Raises `ModelError` when a column has no known meaning.

        A pixel without any column stays at its centre in the file, so x is ignored there.
        """
        columns, scale, beyond = self._lift(x)
        violated = [*beyond, *self._violated_rows(columns, scale), *self._violated_columns(columns, scale)]
        largest = max((amount for _, amount in violated), default=Fraction(0))
        return LiftedPoint(tuple(name for name, _ in violated), largest, self._objective(columns, scale))

    def columns(self, x: Float64Array) -> list[Fraction]:
        """Return the value of every column at x, as in `lift`."""
        columns, scale, _ = self._lift(x)
        return [Fraction(value, scale.one) for value in columns]

    def _lift(self, x: Float64Array) -> tuple[list[int], _Scale, list[_Violation]]:
        """Return the columns with their scale, and the violations of pixels beyond a missing column."""
        n = len(self.centre)
        if x.shape != (n,):
            raise ValueError(f"{x.shape} is not the shape of an input of {n} pixels")
        point = self._set.point(x)
        both = [*point, *map(Fraction, self.centre.tolist())] if isinstance(point, list) else [*point, *self.centre]
        numbers, exponent, odd = to_numerators(both)
        scale = self._scale(exponent, odd)
        numbers = [scale.of(value, exponent, odd) for value in numbers]
        values = self._input_columns(numbers[:n], numbers[n:])
        beyond = self._beyond_missing_columns(numbers[:n], numbers[n:], scale)
        for row in self._definitions:
            self._define(row, values, scale)
        self._choose(values, scale)
        missing = [name for name, value in zip(self.model.column_names, values, strict=True) if value is None]
        if missing:
            raise ModelError(f"{self.model.name}: column {missing[0]} has no known meaning")
        return [value for value in values if value is not None], scale, beyond

    def _read_divisors(self) -> dict[int, int]:
        """Return for each row q_k_j the coefficient of its output, as an integer over the common exponent.

        Raises `ModelError`.
        """
        divisors = {}
        for row in self._definitions:
            kind, tag = self.model.row_names[row].split("_", 1)
            if kind == "q":
                own = {self._index.get(f"h_{tag}"), self._index.get(f"z_{tag}")}
                found = [self._data[e] for e in self._span(row) if self._indices[e] in own and self._data[e] > 0]
                if not found:
                    raise ModelError(f"{self.model.name}: row {self.model.row_names[row]} has no output to define")
                divisors[row] = found[0]
        return divisors

    def _scale(self, exponent: int, odd_of_input: int) -> _Scale:
        """Return the denominator at which all column values of an input over 2**exponent * odd are integers.

        Every layer of rows adds one coefficient exponent or the factors 2 of its divisors, and their odd factors.
        """
        odd: dict[int, int] = {}
        twos = self._exponent
        for row, divisor in self._divisors.items():
            zeros = (divisor & -divisor).bit_length() - 1
            layer, twos = _layer_of(self.model.row_names[row]), max(twos, zeros)
            odd[layer] = lcm(odd.get(layer, 1), divisor >> zeros)
        # In units above 1 an input's step may be a fraction.
        largest_unit = max((column.exponent or 0 for _, column in self._inputs), default=0)
        of_input = max(exponent, self._rhs_exponent) + max(largest_unit, 0)
        return _Scale(of_input + self._depth * twos, prod(odd.values()) * odd_of_input)

    def _span(self, row: int) -> range:
        return range(self._indptr[row], self._indptr[row + 1])

    def _input_columns(self, x: list[int], centre: list[int]) -> list[int | None]:
        values: list[int | None] = [None] * self.model.n_columns
        for place, column in self._inputs:
            value = x[column.pixel]
            if column.from_centre:
                step = value - centre[column.pixel]
                value = step if column.letter == "x" else max(column.sign * step, 0)
            exponent = column.exponent or 0
            values[place] = value >> exponent if exponent > 0 else value << -exponent
        for i, (value, c) in enumerate(zip(x, centre, strict=True)):
            if (place_or_none := self._index.get(f"a_{i}")) is not None:
                values[place_or_none] = abs(value - c)
        return values

    def _beyond_missing_columns(self, x: list[int], centre: list[int], scale: _Scale) -> list[_Violation]:
        """Return the violations of pixels that moved to a side where their box ends at the centre.

        Only the column of the other side exists.
        """
        sides: dict[int, set[str]] = {}
        for _, column in self._inputs:
            sides.setdefault(column.pixel, set()).add(column.letter)
        return [
            (f"x_{i}", Fraction(abs(value - c), scale.one))
            for i, (value, c) in enumerate(zip(x, centre, strict=True))
            if (value > c and sides.get(i) == {"m"}) or (value < c and sides.get(i) == {"p"})
        ]

    def _define(self, row: int, values: list[int | None], scale: _Scale) -> None:
        """Set a row's own columns (z, or h and -s, or y) from z = (rhs - the row's other terms) / divisor."""
        name = self.model.row_names[row]
        kind, tag = name.split("_", 1)
        own = {f"{letter}_{tag}" for letter in ("y" if kind == "y" else "zhs")}
        z, remainder = divmod(self._rest(row, own, values, scale), self._divisors.get(row, 1 << self._exponent))
        if remainder:
            raise ModelError(f"{self.model.name}: row {name} depends on more layers than its name says")
        meanings = [("y", z)] if kind == "y" else self._relu_meanings(z, scale)
        for letter, meaning in meanings:
            if (column_or_none := self._index.get(f"{letter}_{tag}")) is not None:
                values[column_or_none] = meaning
        for n in count():  # the output of each part of a partitioned ReLU
            if (passed := self._index.get(f"w_{tag}_{n}")) is None:
                break
            values[passed] = values[self._index[f"z_{tag}_{n}"]] if z > 0 else 0

    def _rest(self, row: int, own: set[str], values: list[int | None], scale: _Scale) -> int:
        """Return rhs minus the row's terms without its own columns, at the scale times 2**exponent of coefficients."""
        rest = scale.of(self._rhs[row], self._rhs_exponent) << self._exponent
        for e in self._span(row):
            name = self.model.column_names[self._indices[e]]
            if name in own:
                continue
            value = values[self._indices[e]]
            if value is None:
                raise ModelError(f"{self.model.name}: row {self.model.row_names[row]} uses {name} too early")
            rest -= self._data[e] * value
        return rest

    @staticmethod
    def _relu_meanings(z: int, scale: _Scale) -> list[tuple[str, int]]:
        return [("z", z), ("h", max(z, 0)), ("s", max(-z, 0)), ("d", scale.one if z > 0 else 0)]

    def _choose(self, values: list[int | None], scale: _Scale) -> None:
        """Set r, e_D and t: the least r of its rows; e_D = 1 for the disjunct whose rows allow the largest t."""
        if (r := self._index.get("r")) is not None:
            balls = [row for row, name in enumerate(self.model.row_names) if name.partition("_")[0] == "ball"]
            values[r] = max((-self._rest(row, {"r"}, values, scale) for row in balls), default=0) >> self._exponent
        rooms: dict[str, dict[str, int]] = {}  # by clause, which only a goal of several names, and disjunct
        for row, name in enumerate(self.model.row_names):
            kind, *place = name.split("_")
            if kind == "goal":
                clause = "_".join(place[:-2])
                disjunct = "_".join(["e", *place[:-1]])
                of_clause = rooms.setdefault(clause, {})
                room = self._room(row, clause, disjunct, values, scale)
                of_clause[disjunct] = min(room, of_clause.get(disjunct, room))
        if not rooms:
            return
        best = {clause: max(of_clause, key=of_clause.__getitem__) for clause, of_clause in rooms.items()}
        meanings = [("t", min(rooms[clause][disjunct] for clause, disjunct in best.items()))]
        meanings += [(d, scale.one if d == best[c] else 0) for c, of_clause in rooms.items() for d in of_clause]
        for name, meaning in meanings:
            if (column := self._index.get(name)) is not None:
                values[column] = meaning

    def _room(self, row: int, clause: str, disjunct: str, values: list[int | None], scale: _Scale) -> int:
        """Return the largest t that a row goal_D_i allows where its disjunct is chosen, and no other of its clause."""
        binaries = f"e_{clause}_" if clause else "e_"
        own = {name for name in self._row_names_of(row) if name == "t" or name.startswith(binaries)}
        chosen = sum(self._data[e] for e in self._span(row) if self._indices[e] == self._index.get(disjunct))
        return (self._rest(row, own, values, scale) - chosen * scale.one) >> self._exponent

    def _row_names_of(self, row: int) -> list[str]:
        return [self.model.column_names[self._indices[e]] for e in self._span(row)]

    def _violated_rows(self, columns: list[int], scale: _Scale) -> list[_Violation]:
        violated = []
        for row, sense in enumerate(self.model.senses):
            activity = sum(self._data[e] * columns[self._indices[e]] for e in self._span(row))
            excess = activity - (scale.of(self._rhs[row], self._rhs_exponent) << self._exponent)
            if (excess > 0 and sense != "G") or (excess < 0 and sense != "L"):
                violated.append((self.model.row_names[row], Fraction(abs(excess), scale.one << self._exponent)))
        return violated

    def _violated_columns(self, columns: list[int], scale: _Scale) -> list[_Violation]:
        violated = []
        for name, number, lower, upper in zip(
            self.model.column_names, columns, self.model.lower.tolist(), self.model.upper.tolist(), strict=True
        ):
            value = Fraction(number, scale.one)
            if not lower <= value <= upper:
                violated.append((name, Fraction(lower) - value if value < lower else value - Fraction(upper)))
        return violated

    def _objective(self, columns: list[int], scale: _Scale) -> Fraction:
        coefficients, exponent = to_integers(self.model.objective)
        linear = sum(c * value for c, value in zip(coefficients, columns, strict=True) if c)
        return Fraction(linear, scale.one << exponent) + Fraction(self.model.offset)


@dataclass(frozen=True, slots=True)
class _Scale:
    """The denominator 2**exponent * odd of numbers that are held as integers."""

    exponent: int
    odd: int

    @property
    def one(self) -> int:
        return self.odd << self.exponent

    def of(self, numerator: int, exponent: int, odd: int = 1) -> int:
        """Return numerator * 2**-exponent / odd at this scale, whose exponent is not less and whose odd part `odd`
        divides."""
        return (numerator * (self.odd // odd)) << (self.exponent - exponent)


def _layer_of(row_name: str) -> int:
    """Return the layer k of a row z_k_j or q_k_j, and 0 for a row y_j, whose name lacks it."""
    kind, tag = row_name.split("_", 1)
    try:
        return 0 if kind == "y" else int(tag.split("_")[0])
    except ValueError as error:
        raise ModelError(f"row {row_name} is not named z_layer_neuron") from error
