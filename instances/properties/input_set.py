"""The input set of a property: a norm ball cut with a box, or the box alone.

    l1    {x : |x - centre|_1 <= radius, lower <= x <= upper}
    linf  {x : |x - centre|_inf <= radius, lower <= x <= upper}
    box   {x : lower <= x <= upper}; the centre is in it, usually in its middle, and it has no radius

Whether a point is in the set is decided in exact arithmetic. A bound or radius may be a number that float64 cannot
hold, as in VNN-LIB: then its float64 is rounded outwards, and the exact number decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.networks.exact_evaluation import to_fraction, to_integers
from vnnbench.instances.rationals import difference_above, float_above, float_below


class Norm(StrEnum):
    """The norm of the ball that is intersected with the box; `BOX`: no ball."""

    L1 = "l1"
    LINF = "linf"
    BOX = "box"


_LENGTHS: dict[Norm, Callable[[Iterable[int]], int]] = {Norm.L1: sum, Norm.LINF: max}
"""The length of a vector, as a function of its absolute values."""


@dataclass(frozen=True, slots=True)
class ExactNumbers:
    """The numbers of a set that float64 cannot hold: the radius, and bounds by pixel; all others are float64."""

    radius: Fraction | None = None
    lower: Mapping[int, Fraction] = field(default_factory=dict)
    upper: Mapping[int, Fraction] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class InputSet:
    """An input set {x : |x - centre|_norm <= radius, lower <= x <= upper}.

    Arrays are (n_0,) float64; the centre is in the set. radius: None if and only if the norm is `BOX`. exact: the exact
    values of radius, lower and upper where float64 cannot hold them; the float64 numbers are the nearest outwards. The
    centre is a float64 point.
    """

    norm: Norm
    centre: Float64Array
    radius: float | None
    lower: Float64Array
    upper: Float64Array
    exact: ExactNumbers = ExactNumbers()

    def __post_init__(self) -> None:
        if not (self.centre.ndim == 1 and self.centre.shape == self.lower.shape == self.upper.shape):
            raise PropertyError("property: centre, lower and upper must be vectors of one length")
        if not self.centre.dtype == self.lower.dtype == self.upper.dtype == np.float64:
            raise TypeError("property: centre, lower and upper must be float64")
        if not (np.isfinite(self.lower).all() and np.isfinite(self.upper).all()):
            raise PropertyError("property: lower and upper must be finite")
        if self.norm not in _LENGTHS:
            if self.radius is not None:
                raise PropertyError(f"property: radius {self.radius} must be null: norm {self.norm} has no ball")
        elif self.radius is None or not (np.isfinite(self.radius) and self.radius > 0):
            raise PropertyError(f"property: radius {self.radius} must be positive and finite")
        if not ((self.lower <= self.centre) & (self.centre <= self.upper)).all():
            raise PropertyError("property: the centre must lie between lower and upper")
        if (self.lower == self.upper).all():
            raise PropertyError("property: the box is a single point")
        self._check_exact_numbers()

    def _check_exact_numbers(self) -> None:
        for i, bound in self.exact.lower.items():
            if self.lower[i] != float_below(bound) or self.lower[i] == bound:
                raise ValueError(f"lower {i}: {self.lower[i]} is not {bound} rounded down")
        for i, bound in self.exact.upper.items():
            if self.upper[i] != float_above(bound) or self.upper[i] == bound:
                raise ValueError(f"upper {i}: {self.upper[i]} is not {bound} rounded up")
        radius = self.exact.radius
        if radius is not None and (self.radius != float_above(radius) or self.radius == radius):
            raise ValueError(f"{self.radius} is not the radius {radius} rounded up")
        if self.violation(self.centre):
            raise PropertyError("property: the centre must lie between lower and upper")

    @property
    def n_inputs(self) -> int:
        return len(self.centre)

    @property
    def hull(self) -> tuple[Float64Array, Float64Array]:
        """Return (lower, upper), (n_0,) each: a float64 box that contains the set.

        It is the least one, and the set itself if that is a float64 box.
        """
        if self.radius is None:
            return self.lower, self.upper
        reach = np.full(self.n_inputs, self.radius)
        lowest, highest = -difference_above(reach, self.centre), difference_above(self.centre, -reach)
        return np.maximum(self.lower, lowest) + 0.0, np.minimum(self.upper, highest) + 0.0  # no negative zeros

    def distance(self, x: Float64Array) -> Fraction:
        """Return |x - centre|_norm, exactly, at x (n_0,) finite. Raises ValueError for a set without a ball."""
        if self.norm not in _LENGTHS:
            raise ValueError(f"norm {self.norm} has no ball")
        numbers, exponent = to_integers(np.concatenate([x, self.centre]))
        n = self.n_inputs
        return to_fraction(_length(self.norm, numbers[:n], numbers[n:]), exponent)

    def violation(self, x: Float64Array) -> Fraction:
        """Return how far x (n_0,) is outside, exactly, which is 0 if and only if x is in the set.

        It is the maximum over coordinates of the box's violation, and of |x - centre| - radius. Raises `PropertyError`
        when x is not a vector of n_0 finite numbers.
        """
        n = self.n_inputs
        if x.shape != (n,) or not np.isfinite(x).all():
            raise PropertyError(f"a candidate must be a vector of {n} finite numbers")
        radius = [] if self.radius is None else [self.radius]
        numbers, exponent = to_integers(np.concatenate([x, self.centre, self.lower, self.upper, radius]))
        points, centre, lower, upper = (numbers[k * n : (k + 1) * n] for k in range(4))
        outside = max(max(lo - v, v - hi) for v, lo, hi in zip(points, lower, upper, strict=True))
        if self.radius is not None:
            length = _length(self.norm, points, centre)
            outside = max(outside, length - numbers[4 * n])
        violation = to_fraction(max(outside, 0), exponent)
        # An exact bound is inside its float64, so it can only increase the violation.
        violation = max([violation, *(bound - Fraction(x[i]) for i, bound in self.exact.lower.items())])
        violation = max([violation, *(Fraction(x[i]) - bound for i, bound in self.exact.upper.items())])
        if self.exact.radius is not None:
            violation = max(violation, to_fraction(length, exponent) - self.exact.radius)
        return violation

    def repair(self, x: Float64Array) -> Float64Array | None:
        """Return a point exactly in the set near x (n_0,), or None if this fails.

        x is clipped into the box, shrunk towards the centre, rounded towards the centre by coordinate, and checked
        exactly. A point of the set is returned as it is. Raises `PropertyError` like `violation`.
        """
        if self.violation(x) == 0:
            return x
        lower, upper = self._inner_box()
        clipped = np.clip(x, lower, upper)
        if self.norm is not Norm.L1 or self.radius is None or self.violation(clipped) == 0:
            return clipped
        step = clipped - self.centre
        # The relative error of the float norm is below n * 2**-53, so shrinking by 2**-30 covers it up to n = 2**22.
        shrink = min(1.0, self.radius / float(np.abs(step).sum())) * (1 - 2.0**-30)
        shrunk = np.clip(self.centre + shrink * step, lower, upper)
        towards_centre = np.where(step != 0, np.nextafter(shrunk, self.centre), self.centre)
        return towards_centre if self.violation(towards_centre) == 0 else None

    def _inner_box(self) -> tuple[Float64Array, Float64Array]:
        """Return (lower, upper), (n_0,) each: the outermost float64 in the box, and in the ball if it is a box too."""
        lower, upper = self.lower.copy(), self.upper.copy()
        for ends, numbers, inwards in ((lower, self.exact.lower, np.inf), (upper, self.exact.upper, -np.inf)):
            pixels = list(numbers)
            ends[pixels] = np.nextafter(ends[pixels], inwards)
        if self.norm is Norm.LINF and self.radius is not None:
            exceeds = self.exact.radius is not None
            reach = np.full(self.n_inputs, np.nextafter(self.radius, 0.0) if exceeds else self.radius)
            lower = np.maximum(lower, difference_above(self.centre, reach))
            upper = np.minimum(upper, -difference_above(-self.centre, reach))
        return lower, upper


def _length(norm: Norm, x: Sequence[int], centre: Sequence[int]) -> int:
    return _LENGTHS[norm](abs(v - c) for v, c in zip(x, centre, strict=True))


def box_set(lower: Float64Array, upper: Float64Array) -> InputSet:
    """Return the box alone, with its middle, rounded to float64, as centre. Raises `PropertyError` like `InputSet`."""
    return InputSet(Norm.BOX, np.clip(0.5 * lower + 0.5 * upper, lower, upper), None, lower, upper)


def rational_box_set(lower: Sequence[Fraction], upper: Sequence[Fraction]) -> InputSet:
    """Return the box with exactly these ends, and a float64 point near its middle as centre.

    Raises `PropertyError`: a number exceeds float64, no float64 is between some lower and upper, or as `InputSet`.
    """
    try:
        inner = [(float_above(lo), float_below(hi)) for lo, hi in zip(lower, upper, strict=True)]
        outer = np.array([[float_below(bound) for bound in lower], [float_above(bound) for bound in upper]])
    except OverflowError as error:
        raise PropertyError("property: lower and upper must be finite") from error
    empty = next((i for i, (lowest, highest) in enumerate(inner) if lowest > highest), None)
    if empty is not None:
        raise PropertyError(f"property: no float64 lies between lower {lower[empty]} and upper {upper[empty]}")
    ends = np.array(inner).T
    exact = ExactNumbers(
        lower={i: bound for i, bound in enumerate(lower) if Fraction(outer[0, i]) != bound},
        upper={i: bound for i, bound in enumerate(upper) if Fraction(outer[1, i]) != bound},
    )
    return InputSet(Norm.BOX, np.clip(0.5 * ends[0] + 0.5 * ends[1], *ends), None, outer[0], outer[1], exact)
