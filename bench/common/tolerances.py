"""The tolerances of the judge: how far a claim may be off before it counts as wrong. See "How an answer is judged" in
`bench/README.md`."""

from __future__ import annotations

# Thresholds for a fault. Where a value is compared they are relative to max(1, |value|).
BOUND_TOLERANCE = 1e-6
CLAIM_TOLERANCE = 1e-4
ROW_TOLERANCE = 1e-5
REPAIR_TOLERANCE = 1e-5
# Deviations up to the solvers' own default feasibility tolerance are not even reported as tolerance. A bound has no
# such tolerance, only the rounding of its last digits.
QUIET_TOLERANCE = 1e-6
QUIET_BOUND_TOLERANCE = 1e-9

MAX_REACH = 1e-3
"""The largest `tolerance_reach` of an instance that is ignored in bounds. The reach says by how much tolerances of
solvers can move the value; where it exceeds this, a bound may be off by the reach in addition to the above. The claim
and the replay of a solution may always differ by the reach, times the solution's row violation over 1e-6 where that is
above 1. A row may be off by a millionth of the largest big-M, because solvers take a binary of up to 1e-6 for 0."""
