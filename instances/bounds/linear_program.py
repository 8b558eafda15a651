"""A linear program whose maxima are proven, whatever its solver says.

HiGHS solves it by the primal simplex method for one objective after the other, each starting from the optimal basis of
the previous one. Its values are never trusted: any y proves the bound

    c v <= sum_i max(y_i L_i, y_i U_i) + sum_j max((c - A'y)_j l_j, (c - A'y)_j u_j)   for L <= A v <= U, l <= v <= u

which is computed here from HiGHS's duals with every rounding error covered.
Source: Neumaier and Shcherbina 2004, Math. Program. 99, section 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vnnbench.instances.arrays import Float64Array, magnitudes

if TYPE_CHECKING:
    from highspy import Highs, HighsSolution
    from scipy.sparse import csr_array

UNIT_ROUNDOFF = 2.0**-53

MAX_SIMPLEX_ITERATIONS = 5_000
"""The limit of one linear program; one that needs more iterations gives the bound that its last duals prove."""

UNDERFLOW = 2.0**-900
"""More than all underflows of the sums here, as long as the duals are at most 2**100."""


def import_solver() -> None:
    """Import what solving a program imports when it is called."""
    import highspy  # noqa: F401


@dataclass(frozen=True, slots=True, eq=False)
class LinearProgram:
    """A linear program: row_lower <= matrix v <= row_upper, lower <= v <= upper.

    In a program with layers the last layer is h = outputs v, where every row of `outputs` selects one column or none.
    """

    matrix: csr_array
    row_lower: Float64Array
    row_upper: Float64Array
    lower: Float64Array
    upper: Float64Array
    outputs: csr_array

    def maxima(self, A: Float64Array) -> Float64Array:
        """Return upper bounds (m,) of A h, proven by the duals that HiGHS finds."""
        costs = A @ self.outputs
        duals = np.zeros((len(A), len(self.row_lower)))
        for r, solution in enumerate(self._solutions(costs)):
            duals[r] = solution.row_dual
        return self.proven(costs, np.where(np.isfinite(duals), np.clip(duals, -1e30, 1e30), 0.0))

    def maximizers(self, A: Float64Array) -> Float64Array:
        """Return the columns (m, columns) at which A h is largest, as HiGHS finds them: up to its tolerances."""
        found = np.empty((len(A), len(self.lower)))
        for r, solution in enumerate(self._solutions(A @ self.outputs)):
            found[r] = solution.col_value
        return found

    def solution(self, cost: Float64Array, tolerance: float) -> HighsSolution | None:
        """Return HiGHS's solution for one objective, feasible and optimal up to the tolerance; None without one."""
        import highspy

        highs = self._highs()
        for name in ("primal_feasibility_tolerance", "dual_feasibility_tolerance"):
            highs.setOptionValue(name, tolerance)
        highs.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)
        highs.run()
        return highs.getSolution() if highs.getModelStatus() == highspy.HighsModelStatus.kOptimal else None

    def _solutions(self, costs: Float64Array) -> Iterator[HighsSolution]:
        """Yield HiGHS's solution for each row of costs (m, columns), in order."""
        highs = self._highs()
        columns = np.arange(len(self.lower), dtype=np.int32)
        for cost in costs:
            highs.changeColsCost(len(columns), columns, cost)
            highs.run()
            yield highs.getSolution()

    def proven(self, costs: Float64Array, duals: Float64Array) -> Float64Array:
        """Return the upper bounds of costs v that any duals prove; costs (m, columns), duals (m, rows)."""
        y = np.where(np.isfinite(np.where(duals > 0, self.row_upper, self.row_lower)), duals, 0.0)
        sides = np.where(y > 0, self.row_upper, self.row_lower)
        sides = np.where(y == 0, 0.0, sides)  # avoids 0 times infinity
        reduced = costs - y @ self.matrix
        terms_of_rows, terms_of_columns = y * sides, reduced * np.where(reduced > 0, self.upper, self.lower)
        # The error of a sum of n products is below n u times their magnitudes; n is at most rows plus columns.
        n = sum(self.matrix.shape) + 16
        reach = magnitudes(self.lower, self.upper)
        size = (np.abs(costs) + np.abs(y) @ abs(self.matrix)) @ reach
        size += np.abs(terms_of_rows).sum(axis=1) + np.abs(terms_of_columns).sum(axis=1)
        value = terms_of_rows.sum(axis=1) + terms_of_columns.sum(axis=1)
        bound: Float64Array = np.nextafter(value + (1.01 * n * UNIT_ROUNDOFF * size + UNDERFLOW), np.inf)
        return bound

    def _highs(self) -> Highs:
        import highspy

        highs = highspy.Highs()  # type: ignore[no-untyped-call]
        for option, value in (
            ("output_flag", False),
            ("threads", 1),
            ("presolve", "off"),  # presolve would discard the basis
            ("solver", "simplex"),
            ("simplex_strategy", 4),  # primal: the basis stays feasible when the objective changes
            ("simplex_iteration_limit", MAX_SIMPLEX_ITERATIONS),
        ):
            highs.setOptionValue(option, value)
        lp = highspy.HighsLp()
        lp.num_row_, lp.num_col_ = self.matrix.shape
        lp.sense_ = highspy.ObjSense.kMaximize
        lp.col_cost_ = np.zeros(len(self.lower))
        lp.col_lower_, lp.col_upper_, lp.row_lower_, lp.row_upper_ = (
            self.lower,
            self.upper,
            self.row_lower,
            self.row_upper,
        )
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = (
            self.matrix.indptr,
            self.matrix.indices,
            self.matrix.data,
        )
        highs.passModel(lp)
        return highs
