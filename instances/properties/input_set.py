"""The input set of a property: a norm ball cut with a box, or the box alone.

    l1    {x : |x - centre|_1 <= radius, lower <= x <= upper}
    linf  {x : |x - centre|_inf <= radius, lower <= x <= upper}
    box   {x : lower <= x <= upper}; the centre is in it, usually in its middle, and it has no radius. It may be cut
          by linear constraints among inputs

Whether a point is in the set is decided in exact arithmetic. A bound or radius may be a number that float64 cannot
hold, as in VNN-LIB: then its float64 is rounded outwards, and the exact number decides. An input that the bounds fix at
such a number, or that an equality determines, is that rational: a candidate carries the other, free inputs, and its
own number for a determined input is not read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.networks.exact_evaluation import to_fraction, to_integers
from vnnbench.instances.properties.linear_constraints import (
    Dependence,
    LinearConstraint,
    determined_inputs,
)
from vnnbench.instances.rationals import difference_above, float_above, float_below


class Norm(StrEnum):
    """The norm of the ball that is intersected with the box; `BOX`: no ball."""

    L1 = "l1"
    LINF = "linf"
    BOX = "box"

    @property
    def symbol(self) -> str:
        """The norm's index in formulas, 1 or inf; that of `BOX` has no use."""
        return self.removeprefix("l")


_LENGTHS: dict[Norm, Callable[[Iterable[int]], int]] = {Norm.L1: sum, Norm.LINF: max}
"""The length of a vector, as a function of its absolute values."""


_DRAWS = 50
"""The number of points that a repair with constraints tries; each goes about twice as much further than it must."""


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
    centre is a float64 point. constraints: of a box only. determined: the inputs that are not read in a candidate, by
    what determines them.
    """

    norm: Norm
    centre: Float64Array
    radius: float | None
    lower: Float64Array
    upper: Float64Array
    exact: ExactNumbers = ExactNumbers()
    constraints: tuple[LinearConstraint, ...] = ()
    determined: Mapping[int, Dependence] = field(init=False)

    def __post_init__(self) -> None:
        if not (self.centre.ndim == 1 and self.centre.shape == self.lower.shape == self.upper.shape):
            raise PropertyError("property: centre, lower and upper must be vectors of one length")
        if not len(self.centre):
            raise PropertyError("property: a set needs at least one input")
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
        if any(constraint.terms[-1][0] >= self.n_inputs for constraint in self.constraints):
            raise PropertyError(f"property: a constraint is about an input beyond the {self.n_inputs}")
        fixed = {i: bound for i, bound in self.exact.lower.items() if self.exact.upper.get(i) == bound}
        if self.constraints:
            fixed |= {i: Fraction(v) for i, v in enumerate(self.lower.tolist()) if v == self.upper[i]}
        object.__setattr__(self, "determined", determined_inputs(fixed, self.constraints))
        if (self.constraints or self.determined) and self.norm is not Norm.BOX:
            raise PropertyError(f"property: constraints and inputs at decimals need norm {Norm.BOX}, not {self.norm}")
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

    @property
    def free(self) -> npt.NDArray[np.bool_]:
        """Return which inputs (n_0,) can differ between points of the set: not those with one value only."""
        constant = [i for i, dependence in self.determined.items() if not dependence.terms]
        free: npt.NDArray[np.bool_] = self.lower < self.upper
        free[constant] = False
        return free

    def bounds(self, i: int) -> tuple[Fraction, Fraction]:
        """Return the exact lower and upper bound of input i."""
        lower, upper = self.exact.lower.get(i), self.exact.upper.get(i)
        return (
            Fraction(float(self.lower[i])) if lower is None else lower,
            Fraction(float(self.upper[i])) if upper is None else upper,
        )

    def point(self, x: Float64Array) -> Float64Array | list[Fraction]:
        """Return the network's input at a candidate x (n_0,), exactly: with each determined input's own value."""
        if not self.determined:
            return x
        return [self.determined[i].value(x) if i in self.determined else Fraction(v) for i, v in enumerate(x.tolist())]

    def _rationals(self, x: Float64Array) -> list[Fraction]:
        """Return `point` with every input as a rational."""
        point = self.point(x)
        return point if isinstance(point, list) else list(map(Fraction, point.tolist()))

    def nearest(self, x: Float64Array) -> Float64Array:
        """Return `point` with each determined input rounded to the nearest float64, (n_0,)."""
        nearest = x.copy()
        for i, dependence in self.determined.items():
            nearest[i] = float(dependence.value(x))
        return nearest

    def text(self) -> str:
        """Return the set in words, without the bounds of each input."""
        ball = [] if self.radius is None else [f"|x - centre|_{self.norm.symbol} <= {self.radius:g}"]
        return ", ".join([f"{self.n_inputs} inputs x within their bounds", *ball, *map(str, self.constraints)])

    def distance(self, x: Float64Array) -> Fraction:
        """Return |x - centre|_norm, exactly, at x (n_0,) finite. Raises ValueError for a set without a ball."""
        if self.norm not in _LENGTHS:
            raise ValueError(f"norm {self.norm} has no ball")
        numbers, exponent = to_integers(np.concatenate([x, self.centre]))
        n = self.n_inputs
        return to_fraction(_length(self.norm, numbers[:n], numbers[n:]), exponent)

    def violation(self, x: Float64Array) -> Fraction:
        """Return how far x (n_0,) is outside, exactly, which is 0 if and only if x is in the set.

        It is the maximum over coordinates of the box's violation, of |x - centre| - radius, and of the constraints'
        violations, divided by their largest coefficients. Raises `PropertyError` when x is not a vector of n_0 finite
        numbers.
        """
        n = self.n_inputs
        if x.shape != (n,) or not np.isfinite(x).all():
            raise PropertyError(f"a candidate must be a vector of {n} finite numbers")
        if self.determined or self.constraints:
            return self._violation_of_box(x)
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

    def _violation_of_box(self, x: Float64Array) -> Fraction:
        """Return the violation of box and constraints at a candidate x (n_0,)."""
        point = self._rationals(x)
        violation = max((constraint.violation(point) for constraint in self.constraints), default=Fraction(0))
        for i, v in enumerate(point):
            lower, upper = self.bounds(i)
            violation = max(violation, lower - v, v - upper)
        return violation

    def repair(self, x: Float64Array) -> Float64Array | None:
        """Return a point exactly in the set near x (n_0,), or None if this fails.

        x is clipped into the box, shrunk towards the centre, rounded towards the centre by coordinate, and checked
        exactly. With constraints it is moved towards the centre until it is in the set. A point of the set is returned
        as it is. Raises `PropertyError` like `violation`.
        """
        if self.violation(x) == 0:
            return x
        lower, upper = self._inner_box()
        clipped = np.clip(x, lower, upper)
        if self.constraints:
            return self._drawn_in(clipped, lower, upper)
        if self.norm is not Norm.L1 or self.radius is None or self.violation(clipped) == 0:
            return clipped
        step = clipped - self.centre
        # The relative error of the float norm is below n * 2**-53, so shrinking by 2**-30 covers it up to n = 2**22.
        shrink = min(1.0, self.radius / float(np.abs(step).sum())) * (1 - 2.0**-30)
        shrunk = np.clip(self.centre + shrink * step, lower, upper)
        towards_centre = np.where(step != 0, np.nextafter(shrunk, self.centre), self.centre)
        return towards_centre if self.violation(towards_centre) == 0 else None

    def _drawn_in(self, x: Float64Array, lower: Float64Array, upper: Float64Array) -> Float64Array:
        """Return the first of the points x + share (centre - x), with shares from small to 1, that is in the set.

        The first share is what the violated constraints and bounds need in exact arithmetic; more is for the rounding.
        """
        share = self._needed_share(x)
        for places in range(_DRAWS):
            step = min(1.0, share + 2.0 ** (places - _DRAWS)) if places else share
            moved = np.clip(x + step * (self.centre - x), lower, upper)
            if self.violation(moved) == 0:
                return moved
        return self.centre.copy()

    def _needed_share(self, x: Float64Array) -> float:
        """Return the least share of the way to the centre at which no constraint and no bound is violated."""
        here, there = self._rationals(x), self._rationals(self.centre)
        values = [(c.value(here), c.value(there), (c.lower, c.upper)) for c in self.constraints]
        values += [(here[i], there[i], self.bounds(i)) for i, d in self.determined.items() if d.terms]
        share = Fraction(0)
        for value, inner, (lower, upper) in values:
            if upper is not None and value > upper:
                share = max(share, (value - upper) / (value - inner))
            if lower is not None and value < lower:
                share = max(share, (lower - value) / (inner - value))
        return float_above(share)

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
