"""The input set of a property: a norm ball cut with a box, or the box alone.

    l1    {x : |x - centre|_1 <= radius, lower <= x <= upper}
    box   {x : lower <= x <= upper}; centre lies in it, by custom in its middle, and there is no radius

Whether a point is in the set is decided in exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

import numpy as np

from instances.errors import PropertyError
from instances.exact import to_fraction, to_integers
from instances.network import Float64Array


class Norm(StrEnum):
    """The norm of the ball that is cut with the box; `BOX`: there is no ball."""

    L1 = "l1"
    BOX = "box"


_LENGTHS: dict[Norm, tuple[Callable[[Iterable[int]], int], Callable[[Float64Array], Any]]] = {Norm.L1: (sum, np.sum)}
"""The length of a vector by its absolute values: exactly, of integers; and in float64, by at most n roundings."""


@dataclass(frozen=True, slots=True, eq=False)
class InputSet:
    """{x : |x - centre|_norm <= radius, lower <= x <= upper}; arrays (n_0,) float64; centre lies in the box.

    radius: None where the norm is `BOX`, and only there.
    """

    norm: Norm
    centre: Float64Array
    radius: float | None
    lower: Float64Array
    upper: Float64Array

    def __post_init__(self) -> None:
        if not (self.centre.ndim == 1 and self.centre.shape == self.lower.shape == self.upper.shape):
            raise PropertyError("property: centre, lower and upper must be vectors of one length")
        if not self.centre.dtype == self.lower.dtype == self.upper.dtype == np.float64:
            raise TypeError("property: centre, lower and upper must be float64")
        if not (np.isfinite(self.lower).all() and np.isfinite(self.upper).all()):
            raise PropertyError("property: lower and upper must be finite")
        if self.norm not in _LENGTHS:
            if self.radius is not None:
                raise PropertyError(f"property: radius {self.radius} must be null, norm {self.norm} has no ball")
        elif self.radius is None or not (np.isfinite(self.radius) and self.radius > 0):
            raise PropertyError(f"property: radius {self.radius} must be positive and finite")
        if not ((self.lower <= self.centre) & (self.centre <= self.upper)).all():
            raise PropertyError("property: the centre must lie between lower and upper")
        if (self.lower == self.upper).all():
            raise PropertyError("property: the box is a single point")

    @property
    def n_inputs(self) -> int:
        return len(self.centre)

    @property
    def hull(self) -> tuple[Float64Array, Float64Array]:
        """(lower, upper), (n_0,) each: a box that contains the set, rounded outwards; the set itself where there is no
        ball."""
        if self.radius is None:
            return self.lower, self.upper
        lowest = np.nextafter(self.centre - self.radius, -np.inf)
        highest = np.nextafter(self.centre + self.radius, np.inf)
        return np.maximum(self.lower, lowest), np.minimum(self.upper, highest)

    def violation(self, x: Float64Array) -> Fraction:
        """How far x (n_0,) is outside, exactly: max over coordinates of the box's violation and of
        |x - centre| - radius; 0 exactly when x is in the set. Raises `PropertyError` when x is no such vector of
        finite numbers."""
        n = self.n_inputs
        if x.shape != (n,) or not np.isfinite(x).all():
            raise PropertyError(f"a candidate must be a vector of {n} finite numbers")
        radius = [] if self.radius is None else [self.radius]
        numbers, exponent = to_integers(np.concatenate([x, self.centre, self.lower, self.upper, radius]))
        points, centre, lower, upper = (numbers[k * n : (k + 1) * n] for k in range(4))
        outside = max(max(lo - v, v - hi) for v, lo, hi in zip(points, lower, upper, strict=True))
        if self.radius is not None:
            length, _ = _LENGTHS[self.norm]
            outside = max(outside, length(abs(v - c) for v, c in zip(points, centre, strict=True)) - numbers[4 * n])
        return to_fraction(max(outside, 0), exponent)

    def repair(self, x: Float64Array) -> Float64Array | None:
        """A point exactly in the set near x (n_0,): clip into the box, shrink towards the centre, round each
        coordinate towards the centre, check exactly. None when that fails. A point of the set is returned as it is.
        Raises `PropertyError` like `violation`."""
        if self.violation(x) == 0:
            return x
        clipped = np.clip(x, self.lower, self.upper)
        if self.radius is None or self.violation(clipped) == 0:
            return clipped
        step = clipped - self.centre
        # The float norm errs by less than n * 2**-53 relatively, so 2**-30 of shrinking covers it up to n = 2**22.
        _, length = _LENGTHS[self.norm]
        shrink = min(1.0, self.radius / float(length(np.abs(step)))) * (1 - 2.0**-30)
        shrunk = np.clip(self.centre + shrink * step, self.lower, self.upper)
        towards_centre = np.where(step != 0, np.nextafter(shrunk, self.centre), self.centre)
        return towards_centre if self.violation(towards_centre) == 0 else None


def box_set(lower: Float64Array, upper: Float64Array) -> InputSet:
    """The box alone, with its middle, rounded to float64, as centre. Raises `PropertyError` like `InputSet`."""
    return InputSet(Norm.BOX, np.clip(0.5 * lower + 0.5 * upper, lower, upper), None, lower, upper)
