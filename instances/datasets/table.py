"""A table of samples with classes: what the problems of family `train` are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import DataError


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a table was read: the file, its target column, and the lines (K,) on which each class stands first."""

    file: str
    target: str
    first_lines: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Samples as they come: values (N, m) float64, finite, and labels (N,) int64 from 0; read-only arrays.

    name: the data set, as catalogues and names of instances hold it. features (m,), classes (K,): names; each class has
    a sample. origin: where the table was read, if it comes from a CSV file.
    """

    name: str
    features: tuple[str, ...]
    classes: tuple[str, ...]
    values: Float64Array
    labels: npt.NDArray[np.int64]
    origin: Origin | None = None

    def __post_init__(self) -> None:
        if self.values.dtype != np.float64 or self.labels.dtype != np.int64:
            raise TypeError(f"values are {self.values.dtype} and labels {self.labels.dtype}, not float64 and int64")
        if self.values.shape != (len(self.labels), len(self.features)):
            raise ValueError(f"values {self.values.shape} do not fit {len(self.labels)} labels and {self.features}")
        if np.unique(self.labels).tolist() != list(range(len(self.classes))):
            raise ValueError(f"the labels are not all of 0 to {len(self.classes) - 1}")
        self.values.setflags(write=False)
        self.labels.setflags(write=False)

    @property
    def n_samples(self) -> int:
        return len(self.labels)

    @property
    def n_classes(self) -> int:
        return len(self.classes)

    def place(self, label: int | None = None) -> str:
        """Return the start of an error about the table or a class of it: the file, its line and column, or the name."""
        if self.origin is None:
            return f"data set {self.name}: "
        line = "" if label is None else f", line {self.origin.first_lines[label]}"
        return f"{self.origin.file}{line}, column {self.origin.target!r}: "


def check_classes(table: Table, neurons: int) -> None:
    """Check that a network with this many hidden step neurons can distinguish the classes of the table.

    Its outputs are a function of n steps, so it predicts at most 2^n classes. Raises `DataError`, which names the line
    of the first class too many.
    """
    needed = (table.n_classes - 1).bit_length()
    if neurons >= needed:
        return
    order = range(table.n_classes) if table.origin is None else np.argsort(table.origin.first_lines, kind="stable")
    excess = int(order[2**neurons])
    raise DataError(
        f"{table.place(excess)}class {table.classes[excess]!r} is one too many: of the {table.n_classes} classes a "
        f"network with neurons = {neurons} distinguishes at most {2**neurons}; set neurons to at least {needed}"
    )
