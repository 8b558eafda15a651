"""Bounds by linear programs: the maximum of a functional over the relaxation of the earlier layers.

    maximize   A h
    ball       sum_i p_i + m_i <= radius, x = centre + p - m, 0 <= p, m within the box; or x within its box
    z_k        divisor z = W h_{k-1} + b, lower <= z <= upper
    h_k        an unstable ReLU: h >= 0, h >= z, h <= slope z + intercept; a stable one is z or 0

HiGHS solves them by the primal simplex method, each starting from the optimal basis of the previous one. Its values are
never trusted: any y proves the bound

    c v <= sum_i max(y_i L_i, y_i U_i) + sum_j max((c - A'y)_j l_j, (c - A'y)_j u_j)   for L <= A v <= U, l <= v <= u

which is computed here from HiGHS's duals with every rounding error covered.
Source: Neumaier and Shcherbina 2004, Math. Program. 99, section 3; relaxation: Ehlers 2017, arXiv:1705.01320.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.bounds.relaxation import UNIT_ROUNDOFF, Relaxation, RelaxedLayer
from vnnbench.instances.bounds.support_function import Support, magnitudes

if TYPE_CHECKING:
    from highspy import Highs
    from scipy.sparse import csr_array

MAX_SIMPLEX_ITERATIONS = 5_000
"""The limit of one linear program; one that needs more iterations gives the bound that its last duals prove."""

_PROGRAMS_IN_A_ROW = 16
"""The number of programs in a chain of bases; fixed, so that the bounds do not depend on the number of threads."""

_UNDERFLOW = 2.0**-900
"""More than all underflows of the sums here, as long as the duals are at most 2**100."""


def lp_maximum(relaxation: Relaxation, A: Float64Array, constant: Float64Array, threads: int = 1) -> Float64Array:
    """Return upper bounds (m,) of A h + constant over the relaxation, where h is its last layer.

    They are sound in exact arithmetic.
    """
    program = _Program.of(relaxation)
    parts = [A[start : start + _PROGRAMS_IN_A_ROW] for start in range(0, len(A), _PROGRAMS_IN_A_ROW)]
    with ThreadPoolExecutor(threads) as pool:
        values = np.concatenate([*pool.map(program.maxima, parts), np.empty(0)])
    return np.nextafter(values + constant, np.inf)


@dataclass(frozen=True, slots=True, eq=False)
class _Program:
    """A linear program: row_lower <= matrix v <= row_upper, lower <= v <= upper.

    In a program with layers the last layer is h = outputs v, where every row of `outputs` selects one column or none.
    """

    matrix: csr_array
    row_lower: Float64Array
    row_upper: Float64Array
    lower: Float64Array
    upper: Float64Array
    outputs: csr_array

    @classmethod
    def of(cls, relaxation: Relaxation) -> _Program:
        """Build the linear program of a relaxation."""
        builder = _Builder(relaxation.support)
        for relaxed in relaxation.relaxed:
            builder.add_layer(relaxed, relaxation.unit)
        return builder.program()

    def maxima(self, A: Float64Array) -> Float64Array:
        """Return upper bounds (m,) of A h, proven by the duals that HiGHS finds."""
        costs = A @ self.outputs
        highs = self._highs()
        columns = np.arange(len(self.lower), dtype=np.int32)
        duals = np.zeros((len(A), len(self.row_lower)))
        for r, cost in enumerate(costs):
            highs.changeColsCost(len(columns), columns, cost)
            highs.run()
            duals[r] = highs.getSolution().row_dual
        return self.proven(costs, np.where(np.isfinite(duals), np.clip(duals, -1e30, 1e30), 0.0))

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
        bound: Float64Array = np.nextafter(value + (1.01 * n * UNIT_ROUNDOFF * size + _UNDERFLOW), np.inf)
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


class _Builder:
    """The columns and rows of a program, built layer by layer: h = terms v + offset for the layer before."""

    def __init__(self, support: Support) -> None:
        from scipy.sparse import csr_array, eye_array, hstack

        n = support.n_inputs
        self.rows: list[tuple[csr_array, Float64Array, Float64Array]] = []
        if support.radius is None:
            self.lower, self.upper = support.lower, support.upper
            self.terms, self.offset = eye_array(n, format="csr"), np.zeros(n)
            return
        room = np.concatenate([support.upper - support.centre, support.centre - support.lower])
        self.lower, self.upper = np.zeros(2 * n), np.where(room > 0, np.nextafter(room, np.inf), 0.0)
        self.terms, self.offset = hstack([eye_array(n), -eye_array(n)], format="csr"), support.centre
        self._add_rows(csr_array(np.ones((1, 2 * n))), np.full(1, -np.inf), np.full(1, support.radius))

    def add_layer(self, relaxed: RelaxedLayer, unit: float) -> None:
        """Add z of every neuron, and h of the unstable ones; `unit` as in `Relaxation`."""
        from scipy.sparse import csr_array, diags_array, eye_array, hstack

        layer, n = relaxed.layer, relaxed.layer.n_outputs
        W = csr_array(layer.W)
        constant = layer.b + W @ self.offset
        error = unit * (np.abs(layer.b) + abs(W) @ np.abs(self.offset)) + _UNDERFLOW
        z = diags_array(np.ones(n) if layer.divisor is None else layer.divisor)
        self._add_rows(hstack([-(W @ self.terms), z], format="csr"), constant - 2 * error, constant + 2 * error)
        before = len(self.lower)
        unstable = np.flatnonzero(relaxed.unstable)
        n_h = len(unstable)
        self.lower = np.concatenate([self.lower, relaxed.lower, np.zeros(n_h)])
        self.upper = np.concatenate([self.upper, relaxed.upper, relaxed.upper[unstable]])
        pick = csr_array((np.ones(n_h), (np.arange(n_h), before + unstable)), shape=(n_h, before + n))
        above = diags_array(relaxed.slope_above[unstable]) @ pick
        self._add_rows(hstack([-pick, eye_array(n_h)], format="csr"), np.zeros(n_h), np.full(n_h, np.inf))
        self._add_rows(
            hstack([-above, eye_array(n_h)], format="csr"), np.full(n_h, -np.inf), relaxed.intercept[unstable]
        )
        # The next layer reads h where it exists, z where the ReLU is active, and nothing where it is inactive.
        passes = np.flatnonzero(relaxed.slope_above * ~relaxed.unstable == 1)
        rows, columns = np.concatenate([unstable, passes]), np.concatenate([np.arange(n_h) + n, passes]) + before
        self.terms = csr_array((np.ones(len(rows)), (rows, columns)), shape=(n, len(self.lower)))
        self.offset = np.zeros(n)

    def program(self) -> _Program:
        """Return the program, with all rows as wide as there are columns."""
        from scipy.sparse import csr_array, vstack

        for part, _, _ in self.rows:
            part.resize(part.shape[0], len(self.lower))
        matrix = csr_array(vstack([part for part, _, _ in self.rows], format="csr"))
        row_lower = np.concatenate([lower for _, lower, _ in self.rows])
        row_upper = np.concatenate([upper for _, _, upper in self.rows])
        return _Program(matrix, row_lower, row_upper, self.lower, self.upper, self.terms)

    def _add_rows(self, matrix: csr_array, lower: Float64Array, upper: Float64Array) -> None:
        self.rows.append((matrix, lower, upper))
