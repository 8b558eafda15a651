"""Numbers that a float64 and a ledger hold."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TypeGuard

MAX_INTEGER = 2**63 - 1
"""Of a whole number in a catalogue, a property, a manifest or a ledger: what SQLite holds."""
MAX_REAL = 1e300
"""Of a real number there, absolute: so that sums and ratios of them are finite, too."""


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
