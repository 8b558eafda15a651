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
    """A builder of models whose columns and rows come in blocks: one letter, and numbers that span the block's shape.

    Numbers broadcast to the shape: bounds, objective coefficients, right-hand sides, columns of a row, coefficients.
    """

    def __init__(self, builder: MilpBuilder) -> None:
        self.builder = builder

    def columns(
        self,
        letter: str,
        numbers: Sequence[Indices],
        lower: npt.ArrayLike,
        upper: npt.ArrayLike,
        *,
        integer: bool = False,
        objective: npt.ArrayLike = 0.0,
    ) -> Indices:
        """Append a block of columns and return their indices in its shape."""
        shape = tuple(len(part) for part in numbers)
        first, last, costs = (_spread(values, shape) for values in (lower, upper, objective))
        added = self.builder.add_columns(names(letter, *numbers), first, last, integer=integer, objective=costs)
        return added.reshape(shape)

    def binaries(self, letter: str, numbers: Sequence[Indices], objective: npt.ArrayLike = 0.0) -> Indices:
        """Append a block of binary columns."""
        return self.columns(letter, numbers, 0.0, 1.0, integer=True, objective=objective)

    def parameters(self, letter: str, numbers: Sequence[Indices], box: Box, objective: float = 0.0) -> Indices:
        """Append a block of columns with the bounds of a box."""
        return self.columns(letter, numbers, box.lower, box.upper, integer=box.integer, objective=objective)

    def rows(
        self, letter: str, numbers: Sequence[Indices], sense: str, rhs: npt.ArrayLike, terms: Sequence[Term]
    ) -> None:
        """Append a block of rows: the sum of the terms (sense) rhs, in each row."""
        shape = tuple(len(part) for part in numbers)
        indices = np.stack([np.broadcast_to(columns, shape) for columns, _ in terms], axis=-1)
        data = np.stack([_spread(values, shape).reshape(shape) for _, values in terms], axis=-1)
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
        """Append a block of rows whose entries have one axis more than the block; zeros are left out."""
        shape = tuple(len(part) for part in numbers)
        row_names, width = names(letter, *numbers), indices.shape[-1]
        ends = width * np.arange(len(row_names) + 1, dtype=np.int64)
        self.builder.add_rows(
            row_names, sense * len(row_names), _spread(rhs, shape), ends, indices.ravel(), data.ravel()
        )


def _spread(values: npt.ArrayLike, shape: tuple[int, ...]) -> Float64Array:
    return np.broadcast_to(np.asarray(values, dtype=np.float64), shape).ravel()
