"""Linear constraints among several inputs, and the inputs that equalities determine; all numbers are exact.

    lower <= sum of c_i x_i <= upper        an equality where both ends are equal

An equality determines one of its inputs: x_k = sum of a_i x_i + constant over inputs that stay free. So does a bound
of a single input, where lower = upper. A candidate carries the free inputs; the others follow, as rationals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from heapq import heapify, heappop, heappush
from math import gcd, lcm
from typing import TYPE_CHECKING

import numpy as np

from vnnbench.instances.arrays import Float64Array, magnitudes
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.rationals import float_above, float_below, sum_text, to_text

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_SMALL = 2**7
"""The largest coefficients that stay integers in a row."""

_LEAST_IN_ROW = 2e-9
"""The least coefficient of a row: readers of files drop some that are smaller."""

_MOST_WORK = 2_000_000
"""The most products of rationals, in 64 bits each, that solving for determined inputs takes: some seconds."""

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
        text = sum_text((Fraction(c), f"x_{i}") for i, c in self.terms)
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
    of the others do not grow in it. Raises `PropertyError` when equalities contradict each other or the bounds, or when
    they take more arithmetic than `_MOST_WORK`.
    """
    elimination = _Elimination({i: Dependence((), value) for i, value in fixed.items()})
    for constraint in constraints:
        if constraint.lower is not None and constraint.lower == constraint.upper:
            elimination.add(constraint)
    return elimination.resolved()


@dataclass(slots=True)
class _Elimination:
    """The inputs that are determined so far, each by inputs that were free when it was: in order, oldest first."""

    found: dict[int, Dependence]
    order: dict[int, int] = field(default_factory=dict)
    work: int = 0

    def add(self, constraint: LinearConstraint) -> None:
        """Determine an input by an equality."""
        assert constraint.lower is not None  # noqa: S101 - it is an equality
        terms, constant = self._free({i: Fraction(c) for i, c in constraint.terms}, -constraint.lower)
        if not terms:
            if constant:
                raise PropertyError(f"property: no input satisfies {constraint} and the other equalities")
            return
        pivot = max(terms, key=lambda i: (abs(terms[i]), i))
        factor = -1 / terms.pop(pivot)
        own = tuple((i, c * factor) for i, c in sorted(terms.items()))
        self.order[pivot] = len(self.order)
        self.found[pivot] = Dependence(own, constant * factor)

    def resolved(self) -> dict[int, Dependence]:
        """Return all determined inputs by free inputs: the newest first, since the others may depend on it."""
        for i in sorted(self.order, key=lambda i: -self.order[i]):
            terms, constant = self._free(dict(self.found[i].terms), self.found[i].constant)
            self.found[i] = Dependence(tuple(sorted(terms.items())), constant)
        return self.found

    def _free(self, terms: dict[int, Fraction], constant: Fraction) -> tuple[dict[int, Fraction], Fraction]:
        """Return terms and constant of a function with the determined inputs replaced by what determines them.

        An input depends on inputs that were determined later, if at all, so the oldest is replaced first.
        """
        waiting = [(self.order.get(i, -1), i) for i in terms if i in self.found]
        heapify(waiting)
        while waiting:
            _, i = heappop(waiting)
            factor, dependence = terms.pop(i), self.found[i]
            self._count(factor, dependence)
            constant += factor * dependence.constant
            for k, c in dependence.terms:
                if k not in terms and k in self.found:
                    heappush(waiting, (self.order.get(k, -1), k))
                terms[k] = terms.get(k, Fraction(0)) + factor * c
        return {k: c for k, c in terms.items() if c}, constant

    def _count(self, factor: Fraction, dependence: Dependence) -> None:
        self.work += (len(dependence.terms) + 1) * (1 + factor.numerator.bit_length() // 64)
        if self.work > _MOST_WORK:
            raise PropertyError("property: its equalities of inputs take too much exact arithmetic; use fewer of them")


def range_of(terms: Iterable[tuple[int, int]], ranges: Callable[[int], Range]) -> Range:
    """Return the range of sum of c_i x_i over the ranges of the inputs, by their numbers."""
    least: Fraction | None = Fraction(0)
    most: Fraction | None = Fraction(0)
    for i, c in terms:
        low, high = ranges(i) if c > 0 else ranges(i)[::-1]
        least = None if least is None or low is None else least + c * low
        most = None if most is None or high is None else most + c * high
    return least, most


def implied_range(constraint: LinearConstraint, i: int, ranges: Mapping[int, Range]) -> Range:
    """Return the range of x_i that a constraint and the ranges of its other inputs imply."""
    own = next(c for k, c in constraint.terms if k == i)
    least, most = range_of(((k, c) for k, c in constraint.terms if k != i), ranges.__getitem__)
    lower = None if constraint.lower is None or most is None else (constraint.lower - most) / own
    upper = None if constraint.upper is None or least is None else (constraint.upper - least) / own
    return (lower, upper) if own > 0 else (upper, lower)


@dataclass(frozen=True, slots=True)
class FloatRow:
    """A constraint in float64 that every point of the set satisfies: lower <= sum of coefficients x_i <= upper.

    The bounds are infinite where there is none. Coefficients are divided by a power of two, so that the largest is
    about 1: solvers' tolerances are absolute. The row is the constraint exactly where float64 holds its numbers. Else,
    and where a coefficient is so small that readers of files drop it, the bounds are widened by the error over the set.
    """

    coefficients: Mapping[int, float]
    lower: float
    upper: float


def float_row(terms: Iterable[tuple[int, int]], range_: Range, reach: Float64Array) -> FloatRow:
    """Return a constraint with these terms in float64; reach (n_0,): the largest |x_i| of the set."""
    found = list(terms)
    size = max((abs(c) for _, c in found), default=1)
    scale, apart = 1 if size <= _SMALL else 1 << (size.bit_length() - 1), Fraction(0)
    coefficients = {}
    for i, c in found:
        exact = Fraction(c, scale)
        in_row = float(exact) if abs(exact) > _LEAST_IN_ROW else 0.0
        apart += abs(exact - Fraction(in_row)) * Fraction(float(reach[i]))
        if in_row:
            coefficients[i] = in_row
    lower, upper = range_
    return FloatRow(
        coefficients,
        -np.inf if lower is None else float_below(lower / scale - apart),
        np.inf if upper is None else float_above(upper / scale + apart),
    )


def float_matrix(
    constraints: Iterable[LinearConstraint], reach: Float64Array
) -> tuple[csr_array, Float64Array, Float64Array]:
    """Return (matrix, lower, upper) of lower <= matrix x <= upper, with a `FloatRow` for each constraint."""
    from scipy.sparse import csr_array

    rows = [float_row(constraint.terms, (constraint.lower, constraint.upper), reach) for constraint in constraints]
    starts = np.cumsum([0, *(len(row.coefficients) for row in rows)])
    columns = np.array([i for row in rows for i in row.coefficients], dtype=np.int64)
    values = np.array([value for row in rows for value in row.coefficients.values()], dtype=np.float64)
    matrix = csr_array((values, columns, starts), shape=(len(rows), len(reach)))
    return matrix, np.array([row.lower for row in rows]), np.array([row.upper for row in rows])


def roomiest_point(lower: Float64Array, upper: Float64Array, constraints: Sequence[LinearConstraint]) -> Float64Array:
    """Return a point x (n_0,) with the most room: x + s (box - middle of the box) is in the set for the largest s.

    lower, upper (n_0,): the box. Equalities hold at x up to rounding, and need not hold beside it. Raises
    `PropertyError`: the set is empty, or s is so small that rounding may leave the set at every point.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, diags_array, eye_array, hstack, vstack

    middle, reach = 0.5 * lower + 0.5 * upper, 0.5 * upper - 0.5 * lower
    rows, least, most = float_matrix(constraints, magnitudes(lower, upper))
    is_equality = np.array([c.lower == c.upper for c in constraints])
    # In u with x = middle + reach u, and with rows divided by their range over the box, all numbers are about 1. Rows
    # of inputs that cannot move say nothing about u.
    size = abs(rows) @ reach
    moves = size > 0
    scaled = csr_array(diags_array(1 / size[moves]) @ rows[moves] @ diags_array(reach))
    below, above = ((end - rows @ middle)[moves] / size[moves] for end in (least, most))
    is_equality = is_equality[moves]
    has_above, has_below = np.isfinite(above) & ~is_equality, np.isfinite(below) & ~is_equality
    n = len(middle)
    unequal = vstack([scaled[has_above], -scaled[has_below], eye_array(n), -eye_array(n)], format="csr")
    ends = np.concatenate([above[has_above], -below[has_below], np.ones(2 * n)])
    equal = scaled[is_equality]
    found = linprog(
        c=np.append(np.zeros(n), -1.0),
        A_ub=hstack([unequal, csr_array(np.ones((unequal.shape[0], 1)))], format="csr"),
        b_ub=ends,
        A_eq=hstack([equal, csr_array((equal.shape[0], 1))], format="csr") if equal.shape[0] else None,
        b_eq=above[is_equality] if equal.shape[0] else None,
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
