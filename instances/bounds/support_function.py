"""The support function of an input set: the maxima of linear functionals over it, and the maximizers.

    support(A)_r = max of A_r (x - centre) over the set

L1 ball in a box: a fractional knapsack, by its dual. L-infinity ball in a box, or the box alone: the box's corner. A
box with constraints among inputs: a linear program, whose maxima are proven by its duals.
Dimensions: A (m, n_0) are m functionals.
"""

from __future__ import annotations

import numpy as np

from vnnbench.instances.arrays import Float64Array, magnitudes
from vnnbench.instances.bounds.linear_program import UNDERFLOW, UNIT_ROUNDOFF, LinearProgram
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.linear_constraints import float_matrix

_FEW_INPUTS = 64
"""The number of largest coefficients that the knapsack tries first; a radius of 5 rarely needs more."""


class Support:
    """The support function of one set.

    lower, upper: (n_0,), a box that contains the set. rows: the linear program of a set with constraints among inputs;
    None without.
    """

    def __init__(self, input_set: InputSet) -> None:
        self.centre = input_set.centre
        self.lower, self.upper = input_set.hull
        self.radius = input_set.radius if input_set.norm is Norm.L1 else None
        box = (input_set.lower, input_set.upper) if self.radius is not None else (self.lower, self.upper)
        self._below, self._above = self.centre - box[0], box[1] - self.centre
        self.rows = _rows(input_set, self.lower, self.upper) if input_set.constraints else None

    @property
    def n_inputs(self) -> int:
        return len(self.centre)

    def maximum(self, A: Float64Array) -> Float64Array:
        """Return the maxima (m,), up to n_0 + 4 roundings relative to the result's own terms, all of one sign.

        L1: min over t >= 0 of t radius + sum_i room_i max(|A_i| - t, 0), room_i being the distance to the bound that
        A_i points to. Any t gives a valid bound (weak duality); the knapsack's critical |A_i| attains the minimum.
        With constraints, which any duals bound, all roundings are covered.
        """
        if self.rows is not None:
            n, at_centre = self.n_inputs, np.abs(A) @ np.abs(self.centre)
            bound: Float64Array = self.rows.maxima(A) - A @ self.centre
            return np.nextafter(bound + 4 * (n + 8) * UNIT_ROUNDOFF * (at_centre + np.abs(bound)) + UNDERFLOW, np.inf)
        if self.radius is None:
            corner: Float64Array = (np.where(A > 0, self._above, self._below) * np.abs(A)).sum(axis=1)
            return corner
        return self._knapsack(A, self.radius)[0]

    def maximizers(self, A: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Return the maximizers (m, n_0) and the maxima (m,), up to rounding."""
        if self.rows is not None:
            x = self.rows.maximizers(A)
            return x, ((x - self.centre) * A).sum(axis=1)
        if self.radius is None:
            steps = np.where(A > 0, self._above, np.where(A < 0, -self._below, 0.0))
            return self.centre + steps, (steps * A).sum(axis=1)
        value, x = self._knapsack(A, self.radius, with_points=True)
        return x, value

    def _knapsack(
        self, A: Float64Array, radius: float, n_kept: int = _FEW_INPUTS, with_points: bool = False
    ) -> tuple[Float64Array, Float64Array]:
        """Return (values, points) of the knapsacks; points are empty without `with_points`.

        Only the `n_kept` largest |A_i| are sorted: if they fill the knapsack, the others are <= t and add nothing.
        """
        n_kept = min(n_kept, self.n_inputs)
        kept = np.argpartition(-np.abs(A), n_kept - 1, axis=1)[:, :n_kept]  # negated: ties of sparse rows last, faster
        A_kept = np.take_along_axis(A, kept, axis=1)
        order = np.argsort(-np.abs(A_kept), axis=1)
        room = np.take_along_axis(np.where(A_kept > 0, self._above[kept], self._below[kept]), order, axis=1)
        size = np.abs(np.take_along_axis(A_kept, order, axis=1))
        used = np.cumsum(room, axis=1)
        filled = used >= radius
        full = filled.any(axis=1)
        t = np.where(full, np.take_along_axis(size, filled.argmax(axis=1)[:, None], axis=1)[:, 0], 0.0)
        value: Float64Array = t * radius + (room * np.maximum(size - t[:, None], 0.0)).sum(axis=1)
        points = np.empty((0, self.n_inputs))
        if with_points:
            places = np.take_along_axis(kept, order, axis=1)
            steps = np.clip(radius - (used - room), 0.0, room) * np.sign(np.take_along_axis(A, places, axis=1))
            points = np.tile(self.centre, (len(A), 1))
            np.put_along_axis(points, places, self.centre[places] + steps, axis=1)
        if n_kept < self.n_inputs and (more := ~full & (size[:, -1] > 0)).any():
            value[more], points_of_more = self._knapsack(A[more], radius, 8 * n_kept, with_points)
            if with_points:
                points[more] = points_of_more
        return value, points


def _rows(input_set: InputSet, lower: Float64Array, upper: Float64Array) -> LinearProgram:
    """Return the linear program of a set with constraints: x within the box, in their rows."""
    from scipy.sparse import eye_array

    matrix, row_lower, row_upper = float_matrix(input_set.constraints, magnitudes(lower, upper))
    identity = eye_array(len(lower), format="csr")
    return LinearProgram(matrix, row_lower, row_upper, lower, upper, identity)
