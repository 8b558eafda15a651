"""Numbers that a float64 and a ledger can hold."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TypeGuard

MAX_INTEGER = 2**63 - 1
"""The largest whole number in a catalogue, a property, a manifest or a ledger: the largest that SQLite can hold."""
MAX_REAL = 1e300
"""The largest absolute value of a real number there: sums and ratios of such numbers are finite too."""
MAX_SECONDS = 100_000_000
"""The longest time limit: three years. A run's waiting time must be a number that timers accept."""

DEFAULT_SECONDS = 300.0
"""The time limit of a run to which neither the user nor its instance gives one."""


def finite(value: float | Fraction | None) -> float | None:
    """Return the nearest float64, or None for None, for a number that overflows, for infinities and for NaN."""
    if value is None:
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def is_finite_number(value: object) -> TypeGuard[float]:
    """Return whether a value read from JSON, TOML or SQL is a finite number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and finite(value) is not None
