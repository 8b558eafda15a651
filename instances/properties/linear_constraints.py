"""Linear constraints among several inputs, and the inputs that equalities determine; all numbers are exact.

    lower <= sum of c_i x_i <= upper        an equality where both ends are equal

An equality determines one of its inputs: x_k = sum of a_i x_i + constant over inputs that stay free. So does a bound
of a single input, where lower = upper. A candidate carries the free inputs; the others follow, as rationals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

import numpy as np

from vnnbench.instances.arrays import Float64Array, magnitudes
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.rationals import float_above, float_below, to_text

_EXACT = 2**53
"""The largest integer up to which float64 holds all integers."""

_MOST_BITS = 900
"""The most bits of a coefficient, so that float64 has room for products with bounds."""

_LEAST_ROOM = 1e-9
"""The least room around a centre, as a share of the box: far above the rounding of float64."""

Range = tuple[Fraction | None, Fraction | None]
"""The least and the largest value of a linear function; None: there is none."""


def normalized(coefficients: Mapping[int, Fraction]) -> tuple[tuple[tuple[int, int], ...], Fraction]:
    """Return terms and scale of a function sum of c_i x_i, which is scale * sum of terms.

    The terms are (i, integer) by i, coprime, the first positive. Coefficients of 0 are left out; one is not 0.
    """
    found = sorted((i, c) for i, c in coefficients.items() if c)
    denominator = lcm(*(c.denominator for _, c in found))
    divisor = gcd(*(int(c * denominator) for _, c in found)) * (1 if found[0][1] > 0 else -1)
    return tuple((i, int(c * denominator) // divisor) for i, c in found), Fraction(divisor, denominator)


@dataclass(frozen=True, slots=True)
class LinearConstraint:
    """A constraint lower <= sum of c_i x_i <= upper among at least two inputs.

    terms: as from `normalized`. lower, upper: None where there is no bound, not both.
    """

    terms: tuple[tuple[int, int], ...]
    lower: Fraction | None
    upper: Fraction | None

    def __post_init__(self) -> None:
        if len(self.terms) < 2 or normalized({i: Fraction(c) for i, c in self.terms})[0] != self.terms:
            raise PropertyError("property: a constraint needs several inputs in order, with coprime coefficients")
        if (self.lower is None and self.upper is None) or self.terms[0][0] < 0:
            raise PropertyError("property: a constraint needs a lower or an upper bound, and inputs from 0")
        if self.size.bit_length() > _MOST_BITS:
            raise PropertyError("property: the coefficients of a constraint differ by more than any float64 can hold")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise PropertyError(f"property: no input satisfies {self}")

    def __str__(self) -> str:
        text = " ".join(f"{'+' if c > 0 else '-'} {'' if abs(c) == 1 else f'{abs(c)} '}x_{i}" for i, c in self.terms)
        text = text.removeprefix("+ ")
        if self.lower == self.upper and self.lower is not None:
            return f"{text} = {to_text(self.lower)}"
        if self.upper is None and self.lower is not None:
            return f"{text} >= {to_text(self.lower)}"
        least = "" if self.lower is None else f"{to_text(self.lower)} <= "
        return least + text + ("" if self.upper is None else f" <= {to_text(self.upper)}")

    @property
    def size(self) -> int:
        """The largest absolute coefficient: the amount of a violation, divided by it, is in the inputs' unit."""
        return max(abs(c) for _, c in self.terms)

    def in_units(self, exponents: Sequence[int]) -> LinearConstraint:
        """Return the constraint of the inputs x_i / 2**exponents[i]."""
        terms, scale = normalized({i: c * Fraction(2) ** exponents[i] for i, c in self.terms})
        ends = [None if end is None else end / scale for end in (self.lower, self.upper)]
        return LinearConstraint(terms, ends[0], ends[1])

    def value(self, x: Sequence[Fraction] | Mapping[int, Fraction]) -> Fraction:
        """Return sum of c_i x_i, exactly."""
        return sum((c * x[i] for i, c in self.terms), Fraction(0))

    def violation(self, x: Sequence[Fraction]) -> Fraction:
        """Return by how much x (n_0,) violates the constraint, in the inputs' unit; 0 if it does not."""
        value = self.value(x)
        below = Fraction(0) if self.lower is None else self.lower - value
        above = Fraction(0) if self.upper is None else value - self.upper
        return max(below, above, Fraction(0)) / self.size


@dataclass(frozen=True, slots=True)
class Dependence:
    """An input that others determine: the sum of coefficient * x_i over free inputs, plus a constant."""

    terms: tuple[tuple[int, Fraction], ...]
    constant: Fraction

    def value(self, x: Float64Array) -> Fraction:
        """Return the input at x (n_0,), of which only the free inputs are read, exactly."""
        return sum((c * Fraction(float(x[i])) for i, c in self.terms), self.constant)


def determined_inputs(fixed: Mapping[int, Fraction], constraints: Iterable[LinearConstraint]) -> dict[int, Dependence]:
    """Return the inputs that bounds fix and that equalities determine, each by free inputs alone.

    Of each equality, in order, the free input with the largest coefficient is determined, of several the last: errors
    of the others do not grow in it. Raises `PropertyError` when equalities contradict each other or the bounds.
    """
    found = {i: Dependence((), value) for i, value in fixed.items()}
    for constraint in constraints:
        if constraint.lower is None or constraint.lower != constraint.upper:
            continue
        terms, constant = _substituted({i: Fraction(c) for i, c in constraint.terms}, -constraint.lower, found)
        if not terms:
            if constant:
                raise PropertyError(f"property: no input satisfies {constraint} and the other equalities")
            continue
        pivot = max(terms, key=lambda i: (abs(terms[i]), i))
        factor = -1 / terms.pop(pivot)
        own = Dependence(tuple((i, c * factor) for i, c in sorted(terms.items())), constant * factor)
        for i, dependence in found.items():
            if any(k == pivot for k, _ in dependence.terms):
                sums, rest = _substituted(dict(dependence.terms), dependence.constant, {pivot: own})
                found[i] = Dependence(tuple(sorted(sums.items())), rest)
        found[pivot] = own
    return found


def _substituted(
    terms: dict[int, Fraction], constant: Fraction, determined: Mapping[int, Dependence]
) -> tuple[dict[int, Fraction], Fraction]:
    """Return terms and constant of a function with the determined inputs replaced by what determines them."""
    sums: dict[int, Fraction] = {}
    for i, c in terms.items():
        dependence = determined.get(i, Dependence(((i, Fraction(1)),), Fraction(0)))
        constant += c * dependence.constant
        for k, factor in dependence.terms:
            sums[k] = sums.get(k, Fraction(0)) + c * factor
    return {k: c for k, c in sums.items() if c}, constant


def implied_range(constraint: LinearConstraint, i: int, ranges: Mapping[int, Range]) -> Range:
    """Return the range of x_i that a constraint and the ranges of its other inputs imply."""
    own = next(c for k, c in constraint.terms if k == i)
    least = most = Fraction(0)
    has_least = has_most = True
    for k, c in constraint.terms:
        if k != i:
            low, high = ranges[k] if c > 0 else ranges[k][::-1]
            has_least, has_most = has_least and low is not None, has_most and high is not None
            least, most = least + c * (low or 0), most + c * (high or 0)
    lower = None if constraint.lower is None or not has_most else (constraint.lower - most) / own
    upper = None if constraint.upper is None or not has_least else (constraint.upper - least) / own
    return (lower, upper) if own > 0 else (upper, lower)


@dataclass(frozen=True, slots=True)
class FloatRow:
    """A constraint in float64 that every point of the set satisfies: lower <= sum of coefficients x_i <= upper.

    The bounds are infinite where there is none. It is the constraint exactly where float64 holds its numbers; else the
    bounds are widened by the error over the set. Coefficients that float64 does not hold are divided by the largest.
    """

    coefficients: Mapping[int, float]
    lower: float
    upper: float


def float_row(terms: Iterable[tuple[int, int]], range_: Range, reach: Float64Array) -> FloatRow:
    """Return a constraint with these terms in float64; reach (n_0,): the largest |x_i| of the set."""
    found = list(terms)
    size = max((abs(c) for _, c in found), default=1)
    scale, apart = 1 if size <= _EXACT else size, Fraction(0)
    coefficients = {i: float(Fraction(c, scale)) for i, c in found}
    for i, c in found:
        apart += abs(Fraction(c, scale) - Fraction(coefficients[i])) * Fraction(float(reach[i]))
    lower, upper = range_
    return FloatRow(
        coefficients,
        -np.inf if lower is None else float_below(lower / scale - apart),
        np.inf if upper is None else float_above(upper / scale + apart),
    )


def float_matrix(
    constraints: Iterable[LinearConstraint], reach: Float64Array
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Return (matrix, lower, upper) of lower <= matrix x <= upper, with a `FloatRow` for each constraint."""
    rows = [float_row(constraint.terms, (constraint.lower, constraint.upper), reach) for constraint in constraints]
    matrix = np.zeros((len(rows), len(reach)))
    for r, row in enumerate(rows):
        matrix[r, list(row.coefficients)] = list(row.coefficients.values())
    return matrix, np.array([row.lower for row in rows]), np.array([row.upper for row in rows])


def roomiest_point(lower: Float64Array, upper: Float64Array, constraints: Sequence[LinearConstraint]) -> Float64Array:
    """Return a point x (n_0,) with the most room: x + s (box - middle of the box) is in the set for the largest s.

    lower, upper (n_0,): the box. Equalities hold at x up to rounding, and need not hold beside it. Raises
    `PropertyError`: the set is empty, or s is so small that rounding may leave the set at every point.
    """
    from scipy.optimize import linprog

    middle, reach = 0.5 * lower + 0.5 * upper, 0.5 * upper - 0.5 * lower
    rows, least, most = float_matrix(constraints, magnitudes(lower, upper))
    is_equality = np.array([c.lower == c.upper for c in constraints])
    # In u with x = middle + reach u, and with rows divided by their range over the box, all numbers are about 1. Rows
    # of inputs that cannot move say nothing about u.
    moves = (np.abs(rows) * reach).sum(axis=1) > 0
    rows, least, most, is_equality = rows[moves], least[moves], most[moves], is_equality[moves]
    scaled = rows * reach
    size = np.abs(scaled).sum(axis=1)[:, None]
    offset = (rows @ middle)[:, None]
    above, below = ((s * scaled / size, s * (end[:, None] - offset) / size) for s, end in ((1, most), (-1, least)))
    unequal = np.concatenate([np.isfinite(end[:, 0]) & ~is_equality for _, end in (above, below)])
    matrix, ends = (np.concatenate(parts)[unequal] for parts in zip(above, below, strict=True))
    n = len(middle)
    box = np.concatenate([np.eye(n), -np.eye(n)])
    equalities, values = above[0][is_equality], above[1][is_equality, 0]
    found = linprog(
        c=np.append(np.zeros(n), -1.0),
        A_ub=np.column_stack([np.concatenate([matrix, box]), np.ones(len(matrix) + 2 * n)]),
        b_ub=np.concatenate([ends[:, 0], np.ones(2 * n)]),
        A_eq=np.column_stack([equalities, np.zeros(len(equalities))]) if len(equalities) else None,
        b_eq=values if len(equalities) else None,
        bounds=[(-1.0, 1.0)] * n + [(0.0, 1.0)],
        method="highs",
    )
    if found.x is None:
        raise PropertyError("property: its bounds and constraints of inputs leave no input")
    if found.x[-1] < _LEAST_ROOM:
        raise PropertyError(
            "property: its bounds and constraints of inputs meet in a face, edge or corner; the set needs room around "
            "some point, beside equalities"
        )
    x: Float64Array = np.clip(middle + reach * found.x[:-1], lower, upper)
    return x
