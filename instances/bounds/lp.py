"""Bounds by linear programs: the maximum of a functional over the relaxation of the earlier layers.

    maximize   A h
    ball       sum_i p_i + m_i <= radius, x = centre + p - m, 0 <= p, m within the box; or x within its box, with the
               constraints among inputs
    z_k        divisor z = W h_{k-1} + b, lower <= z <= upper
    h_k        an unstable ReLU: h >= 0, h >= z, h <= slope z + intercept; a stable one is z or 0

Their values are proven by duals (`linear_program`). Source of the relaxation: Ehlers 2017, arXiv:1705.01320.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.bounds.linear_program import UNDERFLOW, LinearProgram
from vnnbench.instances.bounds.relaxation import Relaxation, RelaxedLayer
from vnnbench.instances.bounds.support_function import Support

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_PROGRAMS_IN_A_ROW = 16
"""The number of programs in a chain of bases; fixed, so that the bounds do not depend on the number of threads."""


def lp_maximum(relaxation: Relaxation, A: Float64Array, constant: Float64Array, threads: int = 1) -> Float64Array:
    """Return upper bounds (m,) of A h + constant over the relaxation, where h is its last layer.

    They are sound in exact arithmetic.
    """
    program = program_of(relaxation)
    parts = [A[start : start + _PROGRAMS_IN_A_ROW] for start in range(0, len(A), _PROGRAMS_IN_A_ROW)]
    with ThreadPoolExecutor(threads) as pool:
        values = np.concatenate([*pool.map(program.maxima, parts), np.empty(0)])
    return np.nextafter(values + constant, np.inf)


def program_of(relaxation: Relaxation) -> LinearProgram:
    """Return the linear program of a relaxation."""
    builder = _Builder(relaxation.support)
    for relaxed in relaxation.relaxed:
        builder.add_layer(relaxed, relaxation.unit)
    return builder.program()


class _Builder:
    """The columns and rows of a program, built layer by layer: h = terms v + offset for the layer before."""

    def __init__(self, support: Support) -> None:
        from scipy.sparse import csr_array, eye_array, hstack

        n = support.n_inputs
        self.rows: list[tuple[csr_array, Float64Array, Float64Array]] = []
        if support.radius is None:
            self.lower, self.upper = support.lower, support.upper
            self.terms, self.offset = eye_array(n, format="csr"), np.zeros(n)
            if support.rows is not None:
                self._add_rows(support.rows.matrix.copy(), support.rows.row_lower, support.rows.row_upper)
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
        error = unit * (np.abs(layer.b) + abs(W) @ np.abs(self.offset)) + UNDERFLOW
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

    def program(self) -> LinearProgram:
        """Return the program, with all rows as wide as there are columns."""
        from scipy.sparse import csr_array, vstack

        for part, _, _ in self.rows:
            part.resize(part.shape[0], len(self.lower))
        matrix = csr_array(vstack([part for part, _, _ in self.rows], format="csr"))
        row_lower = np.concatenate([lower for _, lower, _ in self.rows])
        row_upper = np.concatenate([upper for _, _, upper in self.rows])
        return LinearProgram(matrix, row_lower, row_upper, self.lower, self.upper, self.terms)

    def _add_rows(self, matrix: csr_array, lower: Float64Array, upper: Float64Array) -> None:
        self.rows.append((matrix, lower, upper))
