"""A mixed-integer linear program in memory, and the builder that keeps it portable.

It keeps the rules of `instances/README.md`, section "The rules of a model file", that concern the model itself:
minimization, unique names, and no coefficient that a reader drops.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
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
    """A builder of models that takes columns and rows in file order and refuses what the portable subset excludes."""

    def __init__(self, name: str, comments: Iterable[str] = ()) -> None:
        self.name = name
        self.comments = tuple(comments)
        if not _NAME.fullmatch(name) or not all(_COMMENT.fullmatch(comment) for comment in self.comments):
            raise ValueError(f"model {name!r}: a name or a comment is not a line of printable ASCII characters")
        self.offset = 0.0
        self._columns: dict[str, int] = {}
        self._column_data: list[tuple[float, float, bool, float]] = []
        self._rows: dict[str, tuple[str, float]] = {}
        self._row_entries: list[tuple[npt.NDArray[np.int64], Float64Array]] = []

    def add_column(self, name: str, lower: float, upper: float, *, integer: bool = False) -> int:
        """Append a column and return its index."""
        self._check_name(name, self._columns)
        if not (lower <= upper and lower < np.inf and upper > -np.inf):
            raise ValueError(f"column {name}: empty domain [{lower}, {upper}]")
        if integer and not (isfinite(lower) and isfinite(upper)):
            raise ValueError(f"integer column {name}: readers disagree about bounds that are not written")
        if not (_survives(lower) and _survives(upper)):
            raise ValueError(f"column {name}: readers would take the bounds [{lower}, {upper}] for 0")
        self._columns[name] = len(self._column_data)
        self._column_data.append((lower, upper, integer, 0.0))
        return self._columns[name]

    def upper_bounds(self, columns: list[int]) -> Float64Array:
        """Return the upper bounds of these columns."""
        return np.array([self._column_data[column][1] for column in columns], dtype=np.float64)

    def set_objective(self, column: int, coefficient: float) -> None:
        """Set the objective coefficient of a column."""
        if not (isfinite(coefficient) and _survives(coefficient)):
            raise ValueError(f"column {column}: readers would drop the objective coefficient {coefficient}")
        lower, upper, integer, _ = self._column_data[column]
        self._column_data[column] = (lower, upper, integer, coefficient)

    def add_row(self, name: str, sense: str, rhs: float, indices: npt.ArrayLike, values: npt.ArrayLike) -> None:
        """Append the row `values @ x[indices] (sense) rhs`; exact zeros are left out."""
        self._check_name(name, self._rows)
        coefficients = np.asarray(values, dtype=np.float64)
        kept = coefficients != 0
        coefficients = coefficients[kept]
        size = np.abs(coefficients)
        if sense not in ("L", "G", "E") or not isfinite(rhs) or not _survives(rhs):
            raise ValueError(f"row {name}: readers would not keep sense {sense!r} or right-hand side {rhs}")
        if not ((size > MIN_COEFFICIENT) & (size < np.inf)).all():
            raise ValueError(f"row {name}: a coefficient is not finite, or so small that readers would drop it")
        self._rows[name] = (sense, float(rhs))
        self._row_entries.append((np.asarray(indices, dtype=np.int64)[kept], coefficients))

    def build(self) -> MilpModel:
        """Return the model; every column must occur in a row or in the objective, else readers may not declare it."""
        lengths = [len(values) for _, values in self._row_entries]
        indices = np.concatenate([i for i, _ in self._row_entries] or [np.empty(0, dtype=np.int64)])
        lower, upper, integer, objective = zip(*self._column_data, strict=True)
        used = np.zeros(len(self._columns), dtype=bool)
        used[indices] = True
        if not (used | (np.array(objective) != 0)).all():
            raise ValueError("a column occurs neither in a row nor in the objective")
        return MilpModel(
            name=self.name,
            comments=self.comments,
            column_names=tuple(self._columns),
            lower=np.array(lower, dtype=np.float64),
            upper=np.array(upper, dtype=np.float64),
            integer=np.array(integer, dtype=bool),
            objective=np.array(objective, dtype=np.float64),
            offset=self.offset,
            row_names=tuple(self._rows),
            senses="".join(sense for sense, _ in self._rows.values()),
            rhs=np.array([rhs for _, rhs in self._rows.values()], dtype=np.float64),
            indptr=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            indices=indices,
            data=np.concatenate([v for _, v in self._row_entries] or [np.empty(0)]),
        )

    @staticmethod
    def _check_name(name: str, known: Iterable[str]) -> None:
        if not _NAME.fullmatch(name) or name == OBJECTIVE or name in known:
            raise ValueError(f"{name!r} is not a unique name of 1 to 255 printable ASCII characters without blanks")


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


def _survives(number: float) -> bool:
    """Return whether every reader keeps the number as it is."""
    return number == 0 or abs(number) > MIN_COEFFICIENT
