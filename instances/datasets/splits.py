"""The division of a table into training and test samples, scaled for a network of step functions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.datasets.labelled_data import LabelledData, Split, SplitOrigin, scaling_steps
from vnnbench.instances.datasets.table import Table
from vnnbench.instances.errors import DataError
from vnnbench.instances.randomness import random_permutation

MAX_DRAWS = 1_000
"""The most permutations that are drawn until one has every class among its training samples."""


def make_split(table: Table, number: int, *, integer: bool = False, training_samples: int | None = None) -> Split:
    """Return the split `number` of a table: half of its samples for training, rounded down, and the rest for testing.

    training_samples: another number than half. A seeded permutation of the samples divides them; it is drawn again
    while a class of the table has no training sample, so all divisions without such a class are equally likely. The
    name of the table, the split's number and the number of samples fix the permutations.

    Every feature is scaled to [0, 1] by the least and largest value of the training samples. A test sample beyond them
    is clipped, because the problem's boxes and eps hold for inputs in [0, 1] only, and a network that was trained on
    none beyond takes it for the nearest. Then inputs are rounded to multiples of 1 / GRID; with `integer` they are
    multiplied by INTEGER_SCALE and rounded to integers instead. A feature that is constant in training samples is 0.

    Raises `DataError`: there are too few samples, or a class is too rare.
    """
    n_training = table.n_samples // 2 if training_samples is None else training_samples
    chosen, rest = _divide(table, number, n_training)
    lower, upper = table.values[chosen].min(axis=0), table.values[chosen].max(axis=0)
    steps, unit = scaling_steps(integer=integer)

    def data(samples: npt.NDArray[np.int64]) -> LabelledData:
        inputs = np.rint(_scaled(table.values[samples], lower, upper) * steps) / unit
        return LabelledData(inputs, table.labels[samples])

    origin = SplitOrigin(lower, upper, tuple(chosen.tolist()), tuple(rest.tolist()))
    return Split(table.name, number, table.features, table.classes, data(chosen), data(rest), origin)


def _divide(table: Table, number: int, n_training: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    if not table.n_classes <= n_training < table.n_samples:
        raise DataError(
            f"{table.place()}{n_training} training samples of {table.n_samples}: there must be at least one for each "
            f"of {table.n_classes} classes, and one left for testing"
        )
    for draw in range(MAX_DRAWS):
        order = random_permutation(f"split/{table.name}/{number}/{draw}", table.n_samples)
        chosen, rest = order[:n_training], order[n_training:]
        if len(np.unique(table.labels[chosen])) == table.n_classes:
            return chosen, rest
    counts = np.bincount(table.labels)
    rarest = int(counts.argmin())
    raise DataError(
        f"{table.place(rarest)}class {table.classes[rarest]!r} has {counts[rarest]} of {table.n_samples} samples: none "
        f"of {MAX_DRAWS} draws of {n_training} training samples has every class; leave rare classes out"
    )


def _scaled(values: Float64Array, lower: Float64Array, upper: Float64Array) -> Float64Array:
    """Return (values - lower) / (upper - lower), clipped to [0, 1]; 0 where lower is upper."""
    width = upper - lower
    scaled: Float64Array = (np.clip(values, lower, upper) - lower) / np.where(width > 0, width, 1.0)
    return scaled
