"""Blocks of columns and rows of a training MILP, made from arrays without a loop over coefficients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.formulations.milp import MilpBuilder
from vnnbench.instances.step_networks.train_property import Box
from vnnbench.instances.train_models.columns import Indices, names

Term = tuple[Indices, npt.ArrayLike]
"""Columns and their coefficients; both broadcast to the shape of the block of rows."""


class Blocks:
    """A builder of models whose columns and rows come in blocks of names with one letter."""

    def __init__(self, builder: MilpBuilder) -> None:
        self.builder = builder

    def columns(
        self, letter: str, numbers: Sequence[Indices], lower: npt.ArrayLike, upper: npt.ArrayLike, *, integer: bool
    ) -> Indices:
        """Append a block of columns and return their indices, in the shape of `numbers`.

        lower, upper: broadcast to that shape.
        """
        shape = tuple(len(part) for part in numbers)
        ends = [np.broadcast_to(np.asarray(end, dtype=np.float64), shape).ravel() for end in (lower, upper)]
        first = self.builder.add_columns(names(letter, *numbers), ends[0], ends[1], integer=integer)
        return first + np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)

    def parameters(self, letter: str, numbers: Sequence[Indices], box: Box) -> Indices:
        """Append a block of columns with the bounds of a box."""
        return self.columns(letter, numbers, box.lower, box.upper, integer=box.integer)

    def rows(
        self, letter: str, numbers: Sequence[Indices], sense: str, rhs: npt.ArrayLike, terms: Sequence[Term]
    ) -> None:
        """Append a block of rows: the sum of the terms (sense) rhs, in each row."""
        shape = tuple(len(part) for part in numbers)
        indices = np.stack([np.broadcast_to(columns, shape) for columns, _ in terms], axis=-1)
        data = np.stack([np.broadcast_to(np.asarray(values, float), shape) for _, values in terms], axis=-1)
        self.wide_rows(letter, numbers, sense, rhs, indices, data)

    def wide_rows(
        self,
        letter: str,
        numbers: Sequence[Indices],
        sense: str,
        rhs: npt.ArrayLike,
        indices: Indices,
        data: Float64Array,
    ) -> None:
        """Append a block of rows with entries (*shape, width): their columns and coefficients; zeros are left out."""
        shape = tuple(len(part) for part in numbers)
        n_rows, kept = int(np.prod(shape)), data.reshape(-1) != 0
        width = indices.shape[-1]
        indptr = np.concatenate([[0], np.cumsum(kept.reshape(n_rows, width).sum(axis=1))])
        self.builder.add_rows(
            names(letter, *numbers),
            sense * n_rows,
            np.broadcast_to(np.asarray(rhs, dtype=np.float64), shape).ravel(),
            indptr,
            indices.reshape(-1)[kept],
            data.reshape(-1)[kept],
        )
