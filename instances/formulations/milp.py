"""A mixed-integer linear program in memory, and the builder that keeps it portable.

It keeps the rules of `instances/README.md`, section "The rules of a model file", that concern the model itself:
minimization, unique names, and no coefficient that a reader drops.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import BoolArray, Float64Array
from vnnbench.instances.rationals import float_above

MIN_COEFFICIENT = 1e-9
"""Nonzero numbers of at most this magnitude are never written: HiGHS and SCIP drop such matrix entries on reading, and
SCIP reads such right-hand sides, bounds and objective coefficients as 0."""

MAX_NUMBER = 1e15
"""Weights, bounds and coefficients of at least this magnitude are refused: HiGHS does not accept larger coefficients,
and from 1e20 on a bound counts as infinite."""

MIN_BIG_M = 1e-6
"""The least big-M, well above the numbers that readers drop; widening a big-M is sound."""

MIN_WIDTH = 1e-7
"""The least distance between the bounds of a column that follows from others: CBC takes bounds closer than 1e-8 for
equal, and sets both to the lower one."""

OBJECTIVE = "objective"
"""The name of the objective row in every file."""

_NAME = re.compile(r"[!-~]{1,255}")
_COMMENT = re.compile(r"[ -~]*")
_SENSES = ("L", "G", "E")

IndexArray = npt.NDArray[np.int64]
Numbers = float | Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class MilpModel:
    """A MILP: minimize objective @ x + offset subject to A x (senses) rhs, lower <= x <= upper, x[integer] integral.

    senses: "L", "G" or "E" per row. A is stored by rows: row i holds data[indptr[i]:indptr[i+1]] at columns
    indices[indptr[i]:indptr[i+1]]. comments: the leading comment lines, without the asterisk.
    """

    name: str
    comments: tuple[str, ...]
    column_names: tuple[str, ...]
    lower: Float64Array
    upper: Float64Array
    integer: npt.NDArray[np.bool_]
    objective: Float64Array
    offset: float
    row_names: tuple[str, ...]
    senses: str
    rhs: Float64Array
    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int64]
    data: Float64Array

    @property
    def n_columns(self) -> int:
        return len(self.column_names)

    @property
    def n_rows(self) -> int:
        return len(self.row_names)

    @property
    def n_nonzeros(self) -> int:
        return len(self.data)

    def counts(self) -> dict[str, int]:
        """Return the numbers of rows, columns, nonzeros and binaries, as in the catalogue."""
        return {
            "rows": self.n_rows,
            "columns": self.n_columns,
            "nonzeros": self.n_nonzeros,
            "binaries": int(self.integer.sum()),
        }

    def column_index(self) -> dict[str, int]:
        """Return the position of each column by name."""
        return {name: i for i, name in enumerate(self.column_names)}

    def objective_value(self, columns: Float64Array) -> float:
        """Return the file's objective at these column values, in float64."""
        terms = self.objective * columns
        return float(np.add.accumulate(terms)[-1]) + self.offset  # in order: BLAS's order depends on the CPU

    def violation(self, columns: Float64Array) -> float:
        """Return the largest absolute violation of a row, a bound or integrality by these column values, in float64.

        It is infinite if a value is NaN or infinite.
        """
        if not np.isfinite(columns).all():
            return float("inf")
        activity = np.zeros(self.n_rows)
        np.add.at(activity, np.repeat(np.arange(self.n_rows), np.diff(self.indptr)), self.data * columns[self.indices])
        excess = activity - self.rhs
        senses = np.frombuffer(self.senses.encode(), dtype=np.uint8)
        rows = np.where(senses == ord("L"), excess, np.where(senses == ord("G"), -excess, np.abs(excess)))
        bounds = np.maximum(self.lower - columns, columns - self.upper)
        fractions = np.abs(columns - np.round(columns))[self.integer]
        return max(0.0, *(float(part.max()) for part in (rows, bounds, fractions) if part.size))


class MilpBuilder:
    """A builder of models that takes columns and rows in file order and refuses what the portable subset excludes.

    Large models are built from arrays that hold many columns or rows.
    """

    def __init__(self, name: str, comments: Iterable[str] = ()) -> None:
        self.name = name
        self.comments = tuple(comments)
        if not _NAME.fullmatch(name) or not all(_COMMENT.fullmatch(comment) for comment in self.comments):
            raise ValueError(f"model {name!r}: a name or a comment is not a line of printable ASCII characters")
        self.offset = 0.0
        self._columns: dict[str, int] = {}
        self._lower, self._upper, self._objective = array("d"), array("d"), array("d")
        self._integer = bytearray()
        self._rows: dict[str, int] = {}
        self._senses: list[str] = []
        self._rhs, self._lengths = array("d"), array("q")
        self._entries: list[tuple[IndexArray, Float64Array]] = []

    def add_column(self, name: str, lower: float, upper: float, *, integer: bool = False) -> int:
        """Append a column and return its index."""
        lower, upper = float(lower), float(upper)
        places = _places((name,), self._columns)
        _check_columns((name,), lower, upper, integer)
        self._columns |= places
        self._lower.append(lower)
        self._upper.append(upper)
        self._integer.append(integer)
        self._objective.append(0.0)
        return places[name]

    def add_columns(
        self,
        names: Sequence[str],
        lower: npt.ArrayLike,
        upper: npt.ArrayLike,
        *,
        integer: npt.ArrayLike = False,
        objective: npt.ArrayLike = 0.0,
    ) -> IndexArray:
        """Append columns and return their indices; all but the names is one value for each, or one for all.

        Either all columns are appended or, with a `ValueError`, none.
        """
        n_before, n = len(self._columns), len(names)
        lowest, highest, costs = (_one_for_each(numbers, n) for numbers in (lower, upper, objective))
        integers = np.broadcast_to(np.asarray(integer, dtype=np.bool_), n)
        places = _places(names, self._columns)
        _check_columns(names, lowest, highest, integers)
        _check_objective(n_before, costs)
        self._columns |= places
        self._lower.frombytes(lowest.tobytes())
        self._upper.frombytes(highest.tobytes())
        self._integer += integers.tobytes()
        self._objective.frombytes(costs.tobytes())
        return np.arange(n_before, n_before + n)

    def upper_bounds(self, columns: list[int]) -> Float64Array:
        """Return the upper bounds of these columns."""
        return np.array([self._upper[column] for column in columns], dtype=np.float64)

    def set_objective(self, column: int, coefficient: float) -> None:
        """Set the objective coefficient of a column."""
        _check_objective(column, coefficient)
        self._objective[column] = coefficient

    def add_row(self, name: str, sense: str, rhs: float, indices: npt.ArrayLike, values: npt.ArrayLike) -> None:
        """Append the row `values @ x[indices] (sense) rhs`; exact zeros are left out."""
        rhs, coefficients = float(rhs), np.asarray(values, dtype=np.float64)
        places = _places((name,), self._rows)
        _check_rows((name,), (sense,), rhs)
        _check_coefficients((name,), np.zeros(1, dtype=np.int64), coefficients)
        kept = coefficients != 0
        coefficients = coefficients[kept]
        self._rows |= places
        self._senses.append(sense)
        self._rhs.append(rhs)
        self._lengths.append(len(coefficients))
        self._entries.append((np.asarray(indices, dtype=np.int64)[kept], coefficients))

    def add_rows(
        self,
        names: Sequence[str],
        senses: Sequence[str],
        rhs: npt.ArrayLike,
        indptr: npt.ArrayLike,
        indices: npt.ArrayLike,
        values: npt.ArrayLike,
    ) -> None:
        """Append rows; row i is `values[part] @ x[indices[part]] (senses[i]) rhs[i]`, exact zeros left out.

        part: from indptr[i] to indptr[i + 1]. senses: "L", "G" or "E" for each. rhs: one for each, or for all. Either
        all rows are appended or, with a `ValueError`, none.
        """
        sides, coefficients = _one_for_each(rhs, len(names)), np.asarray(values, dtype=np.float64)
        starts, columns = np.asarray(indptr, dtype=np.int64), np.asarray(indices, dtype=np.int64)
        divided = len(starts) == len(names) + 1 and starts[0] == 0 and bool((np.diff(starts) >= 0).all())
        if not (divided and starts[-1] == len(columns) == len(coefficients)):
            raise ValueError("indptr does not divide the entries into the rows")
        places = _places(names, self._rows)
        _check_rows(names, senses, sides)
        _check_coefficients(names, starts[:-1], coefficients)
        kept = coefficients != 0
        n_before = np.concatenate([[0], np.cumsum(kept)])
        self._rows |= places
        self._senses += senses
        self._rhs.frombytes(sides.tobytes())
        self._lengths.frombytes(np.diff(n_before[starts]).tobytes())
        self._entries.append((columns[kept], coefficients[kept]))

    def build(self) -> MilpModel:
        """Return the model; every column must occur in a row or in the objective, else readers may not declare it."""
        indices = np.concatenate([np.empty(0, dtype=np.int64), *(indices for indices, _ in self._entries)])
        objective = np.array(self._objective)
        used = objective != 0
        used[indices] = True
        if not used.all():
            raise ValueError("a column occurs neither in a row nor in the objective")
        return MilpModel(
            name=self.name,
            comments=self.comments,
            column_names=tuple(self._columns),
            lower=np.array(self._lower),
            upper=np.array(self._upper),
            integer=np.array(self._integer, dtype=np.bool_),
            objective=objective,
            offset=self.offset,
            row_names=tuple(self._rows),
            senses="".join(self._senses),
            rhs=np.array(self._rhs),
            indptr=np.concatenate([[0], np.cumsum(self._lengths)]).astype(np.int64),
            indices=indices,
            data=np.concatenate([np.empty(0), *(data for _, data in self._entries)]),
        )


def _places(names: Sequence[str], known: Mapping[str, int]) -> dict[str, int]:
    """Return the positions of new names after the known ones."""
    places: dict[str, int] = {}
    for place, name in enumerate(names, len(known)):
        if not _NAME.fullmatch(name) or name == OBJECTIVE or name in known or name in places:
            raise ValueError(f"{name!r} is not a unique name of 1 to 255 printable ASCII characters without blanks")
        places[name] = place
    return places


def _one_for_each(numbers: npt.ArrayLike, n: int) -> Float64Array:
    return np.broadcast_to(np.asarray(numbers, dtype=np.float64), n)


def _check_columns(names: Sequence[str], lower: Numbers, upper: Numbers, integer: bool | BoolArray) -> None:
    """Refuse bounds that readers would not keep. The bounds are numbers for one column, arrays for several."""

    def bounds(j: int) -> str:
        return f"[{np.atleast_1d(lower)[j]}, {np.atleast_1d(upper)[j]}]"

    if (j := _first_false((lower <= upper) & (lower < np.inf) & (upper > -np.inf))) is not None:
        raise ValueError(f"column {names[j]}: empty domain {bounds(j)}")
    finite = _is_finite(lower) & _is_finite(upper)
    if (j := _first_false(finite >= integer)) is not None:
        raise ValueError(f"integer column {names[j]}: readers disagree about bounds that are not written")
    if (j := _first_false(_survives(lower) & _survives(upper))) is not None:
        raise ValueError(f"column {names[j]}: readers would take the bounds {bounds(j)} for 0")


def _check_objective(first_column: int, coefficients: Numbers) -> None:
    """Refuse objective coefficients that readers would not keep."""
    if (j := _first_false(_is_finite(coefficients) & _survives(coefficients))) is not None:
        cost = np.atleast_1d(coefficients)[j]
        raise ValueError(f"column {first_column + j}: readers would drop the objective coefficient {cost}")


def _check_rows(names: Sequence[str], senses: Sequence[str], rhs: Numbers) -> None:
    """Refuse senses that are none, and right-hand sides that readers would not keep."""
    for name, sense in zip(names, senses, strict=True):
        if sense not in _SENSES:
            raise ValueError(f"row {name}: sense {sense!r} is not L, G or E")
    if (i := _first_false(_is_finite(rhs) & _survives(rhs))) is not None:
        raise ValueError(f"row {names[i]}: readers would not keep the right-hand side {np.atleast_1d(rhs)[i]}")


def _check_coefficients(names: Sequence[str], starts: IndexArray, values: Float64Array) -> None:
    """Refuse coefficients that readers would not keep; starts: the place of each row's first one."""
    if (entry := _first_false(_is_finite(values) & _survives(values))) is not None:
        row = int(np.searchsorted(starts, entry, side="right")) - 1
        raise ValueError(f"row {names[row]}: a coefficient is not finite, or so small that readers would drop it")


def _first_false(truths: bool | BoolArray) -> int | None:
    """Return the place of the first False; None if there is none."""
    return None if truths is True or np.all(truths) else int(np.argmin(truths))


def in_file(exact: Fraction) -> float:
    """Return the number as a file holds it: the nearest float64, or 0 if a reader would take it for 0."""
    nearest = float(exact)
    return nearest if _survives(nearest) else 0.0


def rounding_in_file(exact: Fraction) -> float:
    """Return a bound on the change by `in_file`.

    It is never so small that its products with weights underflow, where a relative slack would cover nothing.
    """
    change = abs(exact - Fraction(in_file(exact)))
    return max(float_above(change), 2.0**-600) if change else 0.0


def bound_in_file(bound: float, side: int) -> float:
    """Return a bound or right-hand side that a file can hold.

    If a reader would take it for 0, it is replaced by a number beyond it: above it for side 1, below it for -1.
    """
    if _survives(bound):
        return bound
    return side * 2 * MIN_COEFFICIENT if bound * side > 0 else 0.0


def apart(lower: float, upper: float) -> float:
    """Return an upper bound, not below `upper`, that no reader takes for equal to the lower one."""
    return max(upper, lower + MIN_WIDTH)


def _is_finite(numbers: Numbers) -> bool | BoolArray:
    return (numbers > -np.inf) & (numbers < np.inf)


def _survives(numbers: Numbers) -> bool | BoolArray:
    """Return whether every reader keeps a number as it is; of an array, for each."""
    return (numbers == 0) | (numbers > MIN_COEFFICIENT) | (numbers < -MIN_COEFFICIENT)
