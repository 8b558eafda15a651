"""Boxes with rational bounds and constraints among inputs, as VNN-LIB files state them, as input sets."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from vnnbench.instances.errors import PropertyError
from vnnbench.instances.properties.input_set import ExactNumbers, InputSet, Norm
from vnnbench.instances.properties.linear_constraints import (
    LinearConstraint,
    Range,
    determined_inputs,
    implied_range,
    roomiest_point,
)
from vnnbench.instances.rationals import float_above, float_below, to_text


def rational_set(bounds: Sequence[Range], constraints: tuple[LinearConstraint, ...] = ()) -> InputSet:
    """Return the box with exactly these bounds, cut by the constraints, and a float64 point inside as centre.

    A bound that is None follows from the constraints. The centre is near the middle of a box without constraints; else
    it is the point with the most room to them. Raises `PropertyError`: an input has no bound, a number exceeds float64,
    the set is empty, holds no float64 point, or its constraints leave no room around any point; or as `InputSet`.
    """
    ends = _with_constants(_bounded(bounds, constraints), constraints)
    try:
        inner = [(float_above(lo), float_below(hi)) if lo < hi else (float(lo), float(lo)) for lo, hi in ends]
        outer = np.array([[float_below(lo) for lo, _ in ends], [float_above(hi) for _, hi in ends]])
    except OverflowError as error:
        raise PropertyError("property: lower and upper must be finite") from error
    empty = next((i for i, (lowest, highest) in enumerate(inner) if lowest > highest), None)
    if empty is not None:
        lo, hi = ends[empty]
        raise PropertyError(f"property: no float64 lies between lower {to_text(lo)} and upper {to_text(hi)}")
    lowest, highest = np.array(inner).T
    exact = ExactNumbers(
        lower={i: lo for i, (lo, _) in enumerate(ends) if Fraction(outer[0, i]) != lo},
        upper={i: hi for i, (_, hi) in enumerate(ends) if Fraction(outer[1, i]) != hi},
    )
    middle = np.clip(0.5 * lowest + 0.5 * highest, lowest, highest)
    if constraints:
        middle = roomiest_point(lowest, highest, constraints)
    return InputSet(Norm.BOX, middle, None, outer[0], outer[1], exact, constraints)


def _with_constants(
    ends: list[tuple[Fraction, Fraction]], constraints: Sequence[LinearConstraint]
) -> list[tuple[Fraction, Fraction]]:
    """Return the bounds, with both at its value for each input that equalities determine by themselves."""
    if not constraints:
        return ends
    fixed = {i: lower for i, (lower, upper) in enumerate(ends) if lower == upper}
    found = list(ends)
    for i, dependence in determined_inputs(fixed, constraints).items():
        lower, upper = ends[i]
        if not dependence.terms:
            if not lower <= dependence.constant <= upper:
                raise PropertyError(
                    f"property: its equalities make X_{i} {to_text(dependence.constant)}, out of bounds"
                )
            found[i] = (dependence.constant, dependence.constant)
    return found


def _bounded(bounds: Sequence[Range], constraints: Sequence[LinearConstraint]) -> list[tuple[Fraction, Fraction]]:
    """Return the bounds, with those that are missing replaced by what constraints imply."""
    ranges = dict(enumerate(bounds))
    missing = {i for i, ends in ranges.items() if None in ends}
    asking: defaultdict[int, list[LinearConstraint]] = defaultdict(list)
    for constraint in constraints:
        for i, _ in constraint.terms:
            if i in missing:
                asking[i].append(constraint)
    waiting = deque(constraint for constraint in constraints if any(i in missing for i, _ in constraint.terms))
    while waiting:
        constraint = waiting.popleft()
        for i in [i for i, _ in constraint.terms if i in missing]:
            known, implied = ranges[i], implied_range(constraint, i, ranges)
            ranges[i] = (implied[0] if known[0] is None else known[0], implied[1] if known[1] is None else known[1])
            if ranges[i] != known:
                waiting.extend(asking[i])
            if None not in ranges[i]:
                missing.discard(i)
    found = []
    for i, (lower, upper) in ranges.items():
        if lower is None or upper is None:
            raise PropertyError(f"X_{i} has no {'lower' if lower is None else 'upper'} bound; every input needs both")
        if lower > upper:
            raise PropertyError(f"X_{i} has the lower bound {to_text(lower)} above its upper bound {to_text(upper)}")
        found.append((lower, upper))
    return found
