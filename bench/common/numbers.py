"""Numbers that a float64 holds."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TypeGuard


def finite(value: float | Fraction | None) -> float | None:
    """Return the nearest float64; None for none, for what overflows, for infinities and NaN."""
    if value is None:
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def is_finite_number(value: object) -> TypeGuard[float]:
    """Whether a value read from JSON, TOML or SQL is a finite number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and finite(value) is not None
