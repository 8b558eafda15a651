"""The types of the arrays that this package and its callers exchange, and their magnitudes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def magnitudes(lower: Float64Array, upper: Float64Array) -> Float64Array:
    """Return the largest |v| for lower <= v <= upper, elementwise."""
    return np.maximum(np.abs(lower), np.abs(upper))
