"""Rational numbers: rounding to float64 in a known direction, and their notation in JSON.

A number that equals a float64 is a number in JSON. Any other is a string with its exact value: "0.1", or "1/3" if its
decimals do not end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from vnnbench.instances.arrays import Float64Array

_TEXT = re.compile(r"[-+]?\d{1,1000}(\.\d{1,1200}([eE][-+]?\d{1,3})?|[eE][-+]?\d{1,3}|/\d{1,1000})?")


def float_above(exact: Fraction) -> float:
    """Return the least float64 that is not below `exact`. Raises OverflowError beyond float64."""
    nearest = float(exact)
    return nearest if Fraction(nearest) >= exact else float(np.nextafter(nearest, np.inf))


def float_below(exact: Fraction) -> float:
    """Return the greatest float64 that is not above `exact`. Raises OverflowError beyond float64."""
    return -float_above(-exact)


def difference_above(a: Float64Array, b: Float64Array) -> Float64Array:
    """Return the least float64 that is not below a - b, elementwise; infinite where that exceeds float64.

    Source: Knuth's TwoSum gives the error exactly.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        difference = a - b
        b_seen = difference - a
        error = (a - (difference - b_seen)) - (b + b_seen)
        return np.where(error > 0, np.nextafter(difference, np.inf), difference)


def to_json(exact: Fraction) -> float | str:
    """Return the number as JSON holds it: the float64 that equals it, else a string."""
    nearest = float(exact)
    return nearest if Fraction(nearest) == exact else to_text(exact)


def to_text(exact: Fraction) -> str:
    """Return the number as a decimal if that ends, else as numerator/denominator; `from_text` reads it back."""
    rest, twos, fives = powers(exact.denominator)
    places = max(twos, fives)
    if rest != 1 or places == 0:
        return str(exact)
    digits = str(abs(exact.numerator) * 10**places // exact.denominator).zfill(places + 1)
    return f"{'-' if exact < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def sum_text(terms: Iterable[tuple[Fraction, str]]) -> str:
    """Return a sum of coefficient * name in words, such as "x - 2 y"; a coefficient of 1 is left out."""
    parts = (f"{'+' if c > 0 else '-'} {'' if abs(c) == 1 else f'{to_text(abs(c))} '}{name}" for c, name in terms)
    return " ".join(parts).removeprefix("+ ")


def powers(number: int) -> tuple[int, int, int]:
    """Return (rest, twos, fives) with number = rest * 2**twos * 5**fives: decimals over it end if the rest is 1."""
    rest, twos, fives = number, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    return rest, twos, fives


def from_text(text: str) -> Fraction:
    """Return the number that `to_json` wrote as a string; no float64 equals it. Raises ValueError."""
    if not _TEXT.fullmatch(text):
        raise ValueError("it is neither a decimal nor a fraction")
    try:
        exact = Fraction(text)
        held = Fraction(float(exact)) == exact
    except (ZeroDivisionError, OverflowError) as error:
        raise ValueError("it is beyond float64") from error
    if held:  # every number is written in one way only: this one without quotes
        raise ValueError("a float64 equals it")
    return exact
