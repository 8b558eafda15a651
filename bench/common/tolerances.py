"""How far a claim may be off before it counts as wrong (DESIGN 7)."""

from __future__ import annotations

# Thresholds of DESIGN 7, relative to max(1, |value|) where a value is compared.
BOUND_TOLERANCE = 1e-6
CLAIM_TOLERANCE = 1e-4
ROW_TOLERANCE = 1e-5
REPAIR_TOLERANCE = 1e-5
# Deviations up to the solvers' own default feasibility tolerance are nobody's fault at all; a bound has no such
# tolerance, only the rounding of its last digits.
QUIET_TOLERANCE = 1e-6
QUIET_BOUND_TOLERANCE = 1e-9

MAX_REACH = 1e-3
"""Where solvers' tolerances can move an instance's value by more (`tolerance_reach`), bounds are allowed so much beside
the above. Between the claim and the replay of a solution it is allowed everywhere, and as many times as the solution's
rows are off by 1e-6. A row may be off by a millionth of the largest big-M: a binary counts as 0 up to 1e-6."""
