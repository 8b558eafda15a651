"""Operands of nodes: constants, and tensors that depend on the network's input.

Constants are exact: floating point numbers as float64, whole numbers and truth values as int64. Operators on constants
are computed exactly or refused.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.onnx_files.affine_maps import MAX_VALUES
from vnnbench.instances.onnx_files.values import IndexArray, Value, exact_sum

Shape: TypeAlias = tuple[int, ...]

FLOAT_TYPES = (np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64))
"""The types of floating point numbers that are read."""


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """An array that depends on nothing, float64 or int64."""

    array: npt.NDArray[Any]

    @property
    def shape(self) -> Shape:
        return self.array.shape

    @property
    def is_whole(self) -> bool:
        """Return whether it holds whole numbers or truth values."""
        return self.array.dtype == np.int64


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """Numbers that depend on the input, in the order of their dimensions, one sample included."""

    shape: Shape
    value: Value

    def places(self) -> IndexArray:
        """Return the place of each number among those of the value, in the tensor's shape."""
        return np.arange(self.value.n).reshape(self.shape)

    def pick(self, places: IndexArray) -> Tensor:
        """Return the tensor of the numbers at these places, in the shape of `places`. Raises `NetworkError`."""
        if places.size > MAX_VALUES:
            raise NetworkError(f"gives more than {MAX_VALUES} values, the most that is read")
        return Tensor(places.shape, self.value.rows(places.ravel()))

    def reshaped(self, shape: Shape) -> Tensor:
        """Return the same numbers in another shape of as many."""
        return Tensor(shape, self.value)


Operand: TypeAlias = Constant | Tensor


def constant(array: npt.NDArray[Any], name: str, float_types: Collection[np.dtype[Any]]) -> Constant:
    """Return an array of a file as a constant. Raises `NetworkError`: it is of another type, or not finite."""
    if array.dtype in float_types:
        if not np.isfinite(array).all():
            raise NetworkError(f"weights {name!r} are not all finite; train the network again")
        return Constant(array.astype(np.float64))
    if array.dtype.kind in "iub" and array.dtype != np.uint64:
        return Constant(array.astype(np.int64))
    wanted = " or ".join(sorted(map(str, float_types)))
    raise NetworkError(f"weights {name!r} are {array.dtype}; they must be {wanted}: export the network in one type")


def product(a: Float64Array, b: Float64Array) -> Float64Array | None:
    """Return a * b, broadcast, where float64 holds it, else None."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        total = a * b
    if (b == 1).all() or _fits_by_digits(a, b):
        return total
    factors = (np.broadcast_to(x, total.shape).ravel().tolist() for x in (a, b))
    triples = zip(*factors, total.ravel().tolist(), strict=True)
    exact = all(math.isfinite(c) and Fraction(x) * Fraction(y) == Fraction(c) for x, y, c in triples)
    return total if exact else None


def _fits_by_digits(a: Float64Array, b: Float64Array) -> bool:
    """Return whether both are float32 of ordinary size, so that their product is a float64."""
    return all(
        bool(((x.astype(np.float32) == x) & ((x == 0) | (np.abs(x) > 2.0**-100)) & (np.abs(x) < 2.0**100)).all())
        for x in (a, b)
    )


def total(a: Float64Array, b: Float64Array) -> Float64Array | None:
    """Return a + b, broadcast, where float64 holds it, else None."""
    shape = np.broadcast_shapes(a.shape, b.shape)
    return exact_sum(np.broadcast_to(a, shape), np.broadcast_to(b, shape))
