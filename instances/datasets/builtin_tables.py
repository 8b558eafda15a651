"""The tables that need no file: wine, breast cancer and a pair of digits from scikit-learn, corner and spiral.

The two synthetic sets are two-dimensional, so that the planes of a network can be drawn. Their points are multiples of
1 / GRID, fixed by a seed for every version of numpy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np

from vnnbench.instances.arrays import BoolArray, Float64Array
from vnnbench.instances.datasets.labelled_data import GRID
from vnnbench.instances.datasets.table import Table
from vnnbench.instances.randomness import unit_interval

DIGITS_PAIR = (3, 8)
"""The two digits of `digits-pair`. Of all 45 pairs only 1, 8 and 7, 9 are harder for logistic regression, which gets
96 % of them right in five-fold cross-validation, and the best threshold on one pixel 81 %."""

CORNER_CELLS, CORNER_SIDE = 10, 6
"""Cells of `corner` in each direction, each with one sample, and those of its upper left square."""
SPIRAL_SAMPLES, SPIRAL_TURNS, SPIRAL_NOISE = 120, 1.0, 0.02
"""Samples of `spiral`, half on each arm; turns of an arm; the largest distance from it in each direction."""


def wine() -> Table:
    """Return scikit-learn's wine: 178 samples, 13 features, 3 classes."""
    from sklearn.datasets import load_wine  # imported here: it takes a second, and not every command needs it

    return _of_bunch("wine", load_wine())


def breast_cancer() -> Table:
    """Return scikit-learn's breast cancer (Wisconsin, diagnostic): 569 samples, 30 features, 2 classes."""
    from sklearn.datasets import load_breast_cancer

    return _of_bunch("breast-cancer", load_breast_cancer())


def digits_pair() -> Table:
    """Return the digits `DIGITS_PAIR` of scikit-learn: 357 samples, 64 pixels from 0 to 16, 2 classes."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pair = np.isin(digits.target, DIGITS_PAIR)
    labels = (digits.target[pair] == DIGITS_PAIR[1]).astype(np.int64)
    features = tuple(str(name) for name in digits.feature_names)
    return Table("digits-pair", features, tuple(str(digit) for digit in DIGITS_PAIR), digits.data[pair], labels)


def corner() -> Table:
    """Return 100 points of the unit square, one in each of 10 x 10 cells; the upper left 6 x 6 are class `corner`.

    Two neurons classify all points, x <= 0.6 and y >= 0.4, and one cannot. No point is nearer to an edge of its cell
    than a tenth of it. Source: [R] Rosenhahn 2023, section 4.1, which shows such data without their numbers.
    """
    cells = np.indices((CORNER_CELLS, CORNER_CELLS)).reshape(2, -1).T
    draws = unit_interval("corner", cells.size).reshape(cells.shape)
    inside = (cells[:, 0] < CORNER_SIDE) & (cells[:, 1] >= CORNER_CELLS - CORNER_SIDE)
    return _synthetic("corner", ("rest", "corner"), (cells + 0.1 + 0.8 * draws) / CORNER_CELLS, inside)


def spiral() -> Table:
    """Return points of two spirals in the unit square that turn around its centre, one for each class.

    A sample at the share t of an arm has the distance 0.08 + 0.38 t from the centre and the angle 2 pi turns t, half a
    turn more on the other arm. Source: [R] Rosenhahn 2023, section 4.1, which shows such data without their numbers.
    """
    noise = unit_interval("spiral", 2 * SPIRAL_SAMPLES).reshape(-1, 2) * 2 - 1
    points = np.empty((SPIRAL_SAMPLES, 2))
    for sample in range(SPIRAL_SAMPLES):
        share = (sample // 2) / (SPIRAL_SAMPLES // 2 - 1)
        angle = 2 * math.pi * SPIRAL_TURNS * share + math.pi * (sample % 2)
        points[sample] = np.array([math.cos(angle), math.sin(angle)]) * (0.08 + 0.38 * share) + 0.5
    points += SPIRAL_NOISE * noise
    return _synthetic("spiral", ("first", "second"), points, np.arange(SPIRAL_SAMPLES) % 2 == 1)


BUILTIN_TABLES = MappingProxyType[str, Callable[[], Table]](
    {
        "wine": wine,
        "breast-cancer": breast_cancer,
        "digits-pair": digits_pair,
        "corner": corner,
        "spiral": spiral,
    }
)
"""The function that makes each table, by name."""


def _of_bunch(name: str, bunch: Any) -> Table:
    features, classes = (tuple(str(text) for text in names) for names in (bunch.feature_names, bunch.target_names))
    return Table(name, features, classes, bunch.data, bunch.target.astype(np.int64))


def _synthetic(name: str, classes: tuple[str, str], points: Float64Array, second: BoolArray) -> Table:
    return Table(name, ("x", "y"), classes, np.rint(points * GRID) / GRID, second.astype(np.int64))
