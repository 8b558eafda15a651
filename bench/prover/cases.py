"""Cases of functions: what is fixed, what is chosen, and what is known about where to split next; in rows.

A ReLU of a case is either free, and its choice is a lower slope, or its phase is fixed, and its choice is the
multiplier of that (Lagrange). So one array holds both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float32Array

BYTES_OF_NEURON = 9
"""What phase, choice and square of one neuron in one case take."""
_Rows: TypeAlias = npt.NDArray[np.intp] | tuple[npt.NDArray[np.intp], ...] | slice


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """m cases, with n neurons in each.

    phase (m, n): 1 where z >= 0 is fixed, -1 where z <= 0 is, else 0. choice (m, n): a lower slope or a multiplier.
    square (m, n): the mean square of the derivative by the choice, which scales its steps. value (m,): the bound.
    split (m,): the neuron to split next, -1 without one. of_split (m,): the coefficient of its activation in the pass.
    of_constraints (m, c): multipliers of the set's constraints.
    """

    phase: npt.NDArray[np.int8]
    choice: Float32Array
    square: Float32Array
    value: Float32Array
    split: npt.NDArray[np.intp]
    of_split: Float32Array
    of_constraints: Float32Array

    @classmethod
    def undivided(cls, m: int, slopes: Float32Array, n_constraints: int) -> Cases:
        """Return m cases that fix nothing, with these lower slopes (n,) and no multipliers of constraints."""
        n = len(slopes)
        phase, square = np.zeros((m, n), dtype=np.int8), np.zeros((m, n), dtype=np.float32)
        value = np.full(m, np.inf, dtype=np.float32)
        split, of_split = np.full(m, -1, dtype=np.intp), np.zeros(m, dtype=np.float32)
        of_constraints = np.zeros((m, n_constraints), dtype=np.float32)
        return cls(phase, np.tile(slopes, (m, 1)), square, value, split, of_split, of_constraints)

    @classmethod
    def gathered(cls, parts: Sequence[tuple[Cases, int]]) -> Cases:
        """Return a case of each part, by its row."""
        return cls(*(np.array([getattr(part, f.name)[row] for part, row in parts]) for f in fields(cls)))

    def rows(self, rows: _Rows) -> Cases:
        """Return some of the cases; those of a slice are not copied."""
        return Cases(*(getattr(self, f.name)[rows] for f in fields(self)))

    def put(self, rows: _Rows, cases: Cases) -> None:
        """Overwrite some of the cases."""
        for f in fields(self):
            getattr(self, f.name)[rows] = getattr(cases, f.name)

    def in_arrays(self, most: int) -> Cases:
        """Return arrays (m, most, ..) with these cases as the first in each of m rows; others have the bound -inf."""
        m = len(self.value)
        own = [getattr(self, f.name) for f in fields(self)]
        arrays = Cases(*(np.zeros((m, most, *array.shape[1:]), dtype=array.dtype) for array in own))
        arrays.value[:] = -np.inf
        arrays.put((np.arange(m), np.zeros(m, dtype=np.intp)), self)
        return arrays

    def naming(self, split: npt.NDArray[np.intp], A: Float32Array) -> Cases:
        """Return the same cases, which name the ReLU `split` (m,). A (m, n): the coefficients of activations."""
        return replace(self, split=split, of_split=A[np.arange(len(split)), split])

    def children(self) -> Cases:
        """Return both cases of the ReLU that each names, (2 m,), z <= 0 first.

        A negative coefficient c of h = slope z becomes the multiplier with which the bound stays the same: c slope z is
        0 - (-c slope) z in the first case and c z + (-c (1 - slope)) z in the second. After a positive one it is 0,
        because z and 0 are below the line above.
        """
        twice = np.repeat(np.arange(len(self.split)), 2)
        children = self.rows(twice)
        at = np.arange(len(twice)), children.split
        on = np.tile([False, True], len(self.split))
        slope = children.choice[at]
        children.phase[at] = np.where(on, 1, -1)
        children.choice[at] = -np.minimum(children.of_split, 0) * np.where(on, 1 - slope, slope)
        return children
