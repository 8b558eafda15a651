"""An estimate of how far a solver's tolerances can move a file's value, from the model alone.

A solver accepts rows, bounds and integrality that are violated by 1e-6. The rows z_k_j, q_k_j and y_j, each of which
defines a pre-activation or an output, pass a deviation on to the value with its gain, |d value / d column|:

    reach = 1e-6 sqrt(sum over rows gain**2 + sum over columns gain**2 + sum over big-M (M gain)**2)

Deviations are assumed to be independent. The reach is computed with the slope of an unstable ReLU's relaxation,
u / (u - l), and with slope 1, and the larger one counts.

Integer columns in the objective, and those that equal a sum of integer columns, are not independent: a solver gains by
moving each of them in the same direction. They add 1e-6 times the sum of their |gain|.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import BoolArray, Float64Array
from vnnbench.instances.formulations.milp import MAX_NUMBER, MilpModel

FEASIBILITY_TOLERANCE = 1e-6
"""The tolerance of rows, bounds and integrality: the default of Gurobi, HiGHS and SCIP, relative or absolute."""

_ATOMS_AT_A_TIME = 64


def tolerance_reach(model: MilpModel) -> float:
    """Return the reach of the module's docstring for a model made here, to three digits, at most `MAX_NUMBER`."""
    chain, counted = _Chain(model), _counted(model)
    reaches = [chain.reach(atoms, relaxed) for atoms in _atoms(model, counted) for relaxed in (True, False)]
    reach = max(reaches) + float(np.abs(model.objective[counted]).sum())
    # More digits would depend on the CPU's order of additions.
    return float(f"{min(FEASIBILITY_TOLERANCE * reach, MAX_NUMBER):.3g}")


def _counted(model: MilpModel) -> BoolArray:
    """Return which columns of the objective are integer, or stand in an equality whose other columns are integer."""
    continuous = ~model.integer[model.indices]
    rows = np.repeat(np.arange(model.n_rows), np.diff(model.indptr))
    equality = np.frombuffer(model.senses.encode(), dtype=np.uint8) == ord("E")
    has_others = np.diff(model.indptr) > 1
    equality &= has_others & (np.bincount(rows, continuous, model.n_rows) == 1)
    counted = model.integer.copy()
    counted[model.indices[continuous & equality[rows]]] = True
    return np.asarray(counted & (model.objective != 0))


def _atoms(model: MilpModel, counted: BoolArray) -> Iterator[Float64Array]:
    """Yield the gradients of the value's atoms in the columns, (n_atoms, n_columns), some at a time.

    They are those of the goal's rows if there are any, else that of the objective, without the columns that are counted
    apart.
    """
    rows = [r for r, name in enumerate(model.row_names) if name.startswith("goal_")]
    if not rows:
        yield -np.where(counted, 0.0, model.objective)[None, :]
    others = model.integer | np.isin(model.column_names, ["t"])
    for start in range(0, len(rows), _ATOMS_AT_A_TIME):
        some = rows[start : start + _ATOMS_AT_A_TIME]
        gradients = np.zeros((len(some), model.n_columns))
        for atom, row in enumerate(some):
            span = slice(model.indptr[row], model.indptr[row + 1])
            gradients[atom, model.indices[span]] = -model.data[span]
        gradients[:, others] = 0.0
        yield gradients


@dataclass(frozen=True, slots=True, eq=False)
class _Definition:
    """A row that defines a pre-activation or an output z: coefficient * z + values @ columns = rhs.

    own: the columns of z, with the slope of each in z by the relaxation.
    """

    own: list[int]
    relaxed_slopes: Float64Array
    coefficient: float
    columns: npt.NDArray[np.int64]
    values: Float64Array


class _Chain:
    """A model as a chain of definitions in file order."""

    def __init__(self, model: MilpModel) -> None:
        self._model, self._index = model, model.column_index()
        self._definitions = [
            definition
            for row, name in enumerate(model.row_names)
            if name.startswith(("z_", "q_", "y_")) and (definition := self._definition(row)) is not None
        ]
        self._big_m, self._freed, self._goal_big_m = self._big_ms()

    def reach(self, gradients: Float64Array, relaxed: bool) -> float:
        """Return the root of the sum of squares in the module's formula, the largest over the atoms."""
        gradients = gradients.copy()
        squares = np.full(len(gradients), self._goal_big_m**2)
        with np.errstate(over="ignore", invalid="ignore"):
            for row in reversed(self._definitions):
                slopes = row.relaxed_slopes if relaxed else np.ones(len(row.own))
                gain = (gradients[:, row.own] * slopes).sum(axis=1) / row.coefficient
                gradients[:, row.columns] -= gain[:, None] * row.values
                squares += gain**2
            squares += (gradients**2).sum(axis=1) + ((self._big_m * gradients[:, self._freed]) ** 2).sum(axis=1)
            return float(np.sqrt(np.nan_to_num(squares, nan=np.inf)).max())

    def _definition(self, row: int) -> _Definition | None:
        """Return a row's definition; None for a row without a column of its own, which defines nothing."""
        span = slice(self._model.indptr[row], self._model.indptr[row + 1])
        columns, values = self._model.indices[span], self._model.data[span]
        own = self._own(self._model.row_names[row])
        defining = np.isin(columns, own)
        if not defining.any():
            return None
        slopes = np.array([self._slope(column) for column in own])
        return _Definition(own, slopes, float(values[defining][0]), columns[~defining], values[~defining])

    def _own(self, row_name: str) -> list[int]:
        """Return the columns of the neuron or output that a row defines."""
        tag = row_name.partition("_")[2]
        found = (self._index.get(f"{letter}_{tag}") for letter in "hzsy")
        return [column for column in found if column is not None]

    def _slope(self, column: int) -> float:
        """Return a column's slope in its pre-activation by the relaxation: of h by the bounds of z, or 1/2."""
        letter, _, tag = self._model.column_names[column].partition("_")
        if letter not in "hs" or f"d_{tag}" not in self._index:
            return 1.0
        z = self._index.get(f"z_{tag}")
        if z is None:
            return 0.5
        lower, upper = min(float(self._model.lower[z]), 0.0), max(float(self._model.upper[z]), 0.0)
        return upper / (upper - lower) if np.isfinite(upper - lower) and upper > lower else 0.5

    def _big_ms(self) -> tuple[Float64Array, npt.NDArray[np.int64], float]:
        """Return the big-M of every neuron's row, the column that each relaxes, and the largest big-M of the goal."""
        model = self._model
        entries = np.flatnonzero(model.integer[model.indices])
        rows = np.searchsorted(model.indptr, entries, side="right") - 1
        sizes = np.abs(model.data[entries])
        freed, of_goal = np.full(model.n_rows, -1), np.zeros(model.n_rows, dtype=bool)
        for row in np.unique(rows).tolist():  # there may be millions of entries
            if model.row_names[row].startswith("goal_"):
                of_goal[row] = True
            elif own := self._own(model.row_names[row]):
                freed[row] = own[0]
        relaxing = freed[rows] >= 0
        return sizes[relaxing], freed[rows[relaxing]], float(sizes[of_goal[rows]].max(initial=0.0))
