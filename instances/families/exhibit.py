"""What a page shows of a candidate beside its value and measures: names, a file, and a plane to be drawn."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.datasets.labelled_data import LabelledData


@dataclass(frozen=True, slots=True, eq=False)
class DecisionPlane:
    """The classes that a candidate gives to the points (x, y) of a square, and the samples in it.

    axes: names of x and y. classes: names. training, test: samples with two inputs. side: the square is [0, side]^2.
    regions (R, R): the class at the centre of each cell, by row of y and column of x, from 0 upwards. lines (n, 3):
    each (a, b, c) is a boundary a x + b y = c, with (a, b) not 0.
    """

    axes: tuple[str, str]
    classes: tuple[str, ...]
    training: LabelledData
    test: LabelledData
    side: float
    regions: npt.NDArray[np.int64]
    lines: Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class Exhibit:
    """noun: what the candidate is, such as "network". names: lists of names of its parts, by what they are. file: to be
    downloaded, with the ending of its name, such as "onnx"; None without one. plane: None where there is none."""

    noun: str
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    file: tuple[str, bytes] | None = None
    plane: DecisionPlane | None = None
