"""The parts of the set in which the phases of all ReLUs are known, so that the network is linear there.

    maximize   t - penalty e
    atoms      t <= A h_K(c + s) + constant, for each atom
    phases     +-z_j(c + s) + e >= 0, for each ReLU whose phase is not decided by its bounds
    set        c + s in the box and in the ball, and in the constraints among inputs up to e;  e >= 0

The variable e makes every program feasible, so that its duals show also that a part is empty. The duals of the atoms
are weights of their mean, the others multipliers of a proof's pass; any give a sound bound, and these the best one.
The programs are solved in float64 by HiGHS.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import BoolArray, Float64Array
from vnnbench.instances.bounds.linear_program import LinearProgram
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.question import Part, Question
from vnnbench.instances.proofs.reading import Bounds
from vnnbench.prover.relaxed import divided

_PENALTY = 1e3
"""The penalty, where the largest coefficient of the atoms, and that of each row, is scaled to 1."""
_TINY = 1e-100
_TOLERANCE = 1e-10
"""The feasibility tolerances of HiGHS, the least that it takes."""


@dataclass(frozen=True, slots=True, eq=False)
class Vertex:
    """The solution of a program.

    x (n_0,): a point of box and ball. weights (a,): of the atoms. multipliers (n,): of the phases, 0 where none is
    fixed. constraint_multipliers: of the set's constraints, signed as in a proof.
    """

    x: Float64Array
    weights: Float64Array
    multipliers: Float64Array
    constraint_multipliers: Float64Array


class LinearRegions:
    """The programs of a question about a network, over a part of its set. bounds: of the pre-activations there."""

    def __init__(self, question: Question, chain: Chain, part: Part, bounds: Bounds) -> None:
        self._part, self._starts = part, chain.starts
        self._chain, self._relu = chain, chain.relu
        self._unstable = bounds.unstable(chain.relu)
        self._on = (bounds.lower >= 0) | ~chain.relu
        self._constraints = _Constraints(question)

    @cached_property
    def _layers(self) -> list[tuple[Float64Array, Float64Array]]:
        """W and b of each layer; most searches solve no program and need none."""
        return [divided(layer) for layer in self._chain.layers]

    def phases_at(self, x: Float64Array) -> npt.NDArray[np.int8]:
        """Return the phases (n,) at a point of the ReLUs that are not decided by their bounds; 0 at the others."""
        z, h = [], x
        for k, (W, b) in enumerate(self._layers):
            z.append(W @ h + b)
            h = np.where(self._relu[self._starts[k] : self._starts[k + 1]], np.maximum(z[-1], 0), z[-1])
        return np.where(self._unstable, np.where(np.concatenate(z) > 0, 1, -1), 0).astype(np.int8)

    def maximum(self, A: npt.ArrayLike, constant: npt.ArrayLike, phase: npt.NDArray[np.int8]) -> Vertex | None:
        """Return where the least of the atoms A h_K + constant, (a, n_K) and (a,), is largest.

        phase (n,): of the ReLUs, 0 where bounds decide. None: HiGHS did not solve the program, or it overflows.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            return self._maximum(np.asarray(A, dtype=np.float64), np.asarray(constant, dtype=np.float64), phase)

    def _maximum(self, A: Float64Array, constant: Float64Array, phase: npt.NDArray[np.int8]) -> Vertex | None:
        from scipy.sparse import csr_array

        active, fixed = (phase > 0) | ((phase == 0) & self._on), np.flatnonzero(phase)
        Z, z = self._pre_activations(active)
        outputs = slice(self._starts[-2], self._starts[-1])
        atoms, at_centre = (A * active[outputs]) @ Z[outputs], (A * active[outputs]) @ z[outputs] + constant
        rows = np.concatenate([-phase[fixed, None] * Z[fixed], self._constraints.rows])
        limits = np.concatenate([phase[fixed] * z[fixed], self._constraints.limits(self._part.centre)])
        unit, scale = _scale(atoms.reshape(1, -1))[0], _scale(rows)
        steps, ranges, ball = self._steps()
        n_atoms, n_rows = len(atoms), len(rows)
        of_atoms, of_rows = slice(0, n_atoms), slice(n_atoms, n_atoms + n_rows)
        matrix = np.zeros((n_atoms + n_rows + len(ball), len(steps) + 2))  # columns: steps, e and t
        matrix[of_atoms, :-2], matrix[of_atoms, -1] = -(atoms / unit) @ steps.T, 1
        matrix[of_rows, :-2], matrix[of_rows, -2] = (rows / scale[:, None]) @ steps.T, -1
        matrix[of_rows.stop :, :-2] = 1
        right = np.concatenate([at_centre / unit, limits / scale, ball])
        if not (np.isfinite(matrix).all() and np.isfinite(right).all()):
            return None
        program = LinearProgram(
            matrix=csr_array(matrix),
            row_lower=np.full(len(right), -np.inf),
            row_upper=right,
            lower=np.concatenate([ranges[0], [0, -np.inf]]),
            upper=np.concatenate([ranges[1], [np.inf, np.inf]]),
            outputs=csr_array((0, matrix.shape[1])),
        )
        solved = program.solution(np.concatenate([np.zeros(len(steps)), [-_PENALTY, 1]]), _TOLERANCE)
        if solved is None:
            return None
        duals = np.maximum(solved.row_dual, 0)
        multipliers, of_elastic = np.zeros(len(phase)), duals[of_rows] * unit / scale
        multipliers[fixed] = of_elastic[: len(fixed)]
        return Vertex(
            x=self._part.centre + np.array(solved.col_value[:-2]) @ steps,
            weights=duals[of_atoms],
            multipliers=multipliers,
            constraint_multipliers=self._constraints.signed(of_elastic[len(fixed) :]),
        )

    def _steps(self) -> tuple[Float64Array, tuple[Float64Array, Float64Array], Float64Array]:
        """Return the directions (q, n_0) of a program's steps, their least and largest lengths (q,), and the ball's
        radius, (0,) or (1,)."""
        part, unit = self._part, np.eye(len(self._part.centre))
        above, below = part.upper - part.centre, part.centre - part.lower
        if part.radius is None:
            return unit, (-below, above), np.empty(0)
        lengths = np.zeros(2 * len(unit)), np.concatenate([above, below])
        return np.concatenate([unit, -unit]), lengths, np.array([float(part.radius)])

    def _pre_activations(self, active: BoolArray) -> tuple[Float64Array, Float64Array]:
        """Return Z (n, n_0) and z (n,): the pre-activations at a step s are Z s + z where these ReLUs (n,) are
        active."""
        H, h = np.eye(len(self._part.centre)), self._part.centre
        found = []
        for k, (W, b) in enumerate(self._layers):
            Z, z = W @ H, W @ h + b
            found.append((Z, z))
            inside = active[self._starts[k] : self._starts[k + 1]]
            H, h = Z * inside[:, None], z * inside
        return np.concatenate([Z for Z, _ in found]), np.concatenate([z for _, z in found])


def _scale(rows: Float64Array) -> Float64Array:
    """Return the largest magnitude of each row, 1 where that is next to nothing."""
    largest = np.abs(rows).max(axis=1, initial=0)
    return np.where(largest > _TINY, largest, 1.0)


class _Constraints:
    """The constraints among inputs as rows (m, n_0) of upper limits, in a set that may have none.

    of: the number of the constraint that each row is of, and whether it is its upper end.
    """

    def __init__(self, question: Question) -> None:
        n = len(question.whole.centre)
        self._n, rows, ends = len(question.constraints), [], []
        self._of: list[tuple[int, int]] = []
        for number, constraint in enumerate(question.constraints):
            row = np.zeros(n)
            for i, coefficient in constraint.terms:
                row[i] = float(coefficient)
            for sign, end in ((1, constraint.upper), (-1, constraint.lower)):
                if end is not None:
                    rows.append(sign * row)
                    ends.append(sign * float(end))
                    self._of.append((number, sign))
        self.rows: Float64Array = np.array(rows).reshape(len(rows), n)
        self._ends = np.array(ends)

    def limits(self, centre: Float64Array) -> Float64Array:
        """Return what the rows of steps from the centre must not exceed."""
        limits: Float64Array = self._ends - self.rows @ centre
        return limits

    def signed(self, duals: Float64Array) -> Float64Array:
        """Return the multiplier of each constraint: positive for its upper end, negative for its lower."""
        multipliers = np.zeros(self._n)
        for (number, sign), dual in zip(self._of, duals.tolist(), strict=True):
            multipliers[number] += sign * dual
        return multipliers
