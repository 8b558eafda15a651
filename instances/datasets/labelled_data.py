"""Labelled samples for the training of a network, on a grid on which all arithmetic with them is exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array

GRID = 1024
"""Inputs are multiples of 1 / GRID. They are exact as float64 and as short decimals, their products with weights are
exact in small integers, and no reader of a model drops one that is not 0."""
INTEGER_SCALE = 10
"""The largest input of an integer network: inputs are scaled to [0, 1], multiplied by it and rounded. Source: [R]
Rosenhahn 2023, section 4.3."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledData:
    """Samples: inputs (T, m) float64, non-negative multiples of 1 / GRID, and classes (T,) int64, counted from 0."""

    inputs: Float64Array
    classes: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.inputs.ndim != 2 or self.classes.shape != self.inputs.shape[:1]:
            raise ValueError(f"inputs {self.inputs.shape} and classes {self.classes.shape} do not fit")
        self.inputs.setflags(write=False)
        self.classes.setflags(write=False)

    @property
    def on_grid(self) -> npt.NDArray[np.int64]:
        """Return the inputs times GRID, which are integers."""
        return (self.inputs * GRID).astype(np.int64)

    @property
    def n_samples(self) -> int:
        return len(self.inputs)

    @property
    def n_inputs(self) -> int:
        return int(self.inputs.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class SplitOrigin:
    """What a split was made from: with it, other samples of the data set can be scaled as its samples are.

    lower, upper (m,): the least and largest value of each feature among the training samples, as in the table.
    training_rows, test_rows: the numbers of the samples in the table, counted from 0.
    """

    lower: Float64Array
    upper: Float64Array
    training_rows: tuple[int, ...]
    test_rows: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One division of a data set: training samples and test samples, both scaled by the training samples.

    features (m,), classes (K,): the names of inputs and classes in the data set. origin: None for samples that were
    not drawn from a table.
    """

    dataset: str
    number: int
    features: tuple[str, ...]
    classes: tuple[str, ...]
    training: LabelledData
    test: LabelledData
    origin: SplitOrigin | None = None


def scaling_steps(*, integer: bool) -> tuple[int, int]:
    """Return (steps, unit): a feature scaled to [0, 1] becomes the input rint(steps * feature) / unit."""
    return (INTEGER_SCALE, 1) if integer else (GRID, GRID)
