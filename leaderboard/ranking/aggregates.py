"""The means, shares and ratios of the leaderboard: pure functions of arrays, with their formulas and sources.

Times are seconds. `None` means that a number does not exist. Every function returns it for empty input, and for a NaN
where a time is required: a mean that skips a missing time would be a mean over other runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vnnbench.common.tolerances import CLAIM_TOLERANCE

Seconds: TypeAlias = NDArray[np.float64]
Numbers: TypeAlias = NDArray[np.float64]

SAME_VALUE = 1e-9
NODE_SHIFT = 100.0  # in nodes; the shift that SCIP's developers use

# The clocks of two processes agree to about this; with shorter times their noise would give large ratios.
SHORTEST_SECONDS = 1e-3


def shifted_geometric_mean(seconds: Seconds, shift: float, least: float = 1.0) -> float | None:
    """Return a mean time in seconds that neither the easiest nor the hardest instances dominate.

        exp(mean(ln(max(least, t + shift)))) - shift

    seconds (n,): the time of each run, or its time limit if it is unsolved. shift (seconds, positive): the larger it
    is, the less differences between short times count. least: all times below least - shift are equal; 0: none are.
    Source: H. Mittelmann, Benchmarks for Optimization Software, https://plato.asu.edu/ftp/shgeom.html. For the same
    mean of other counts, such as nodes: T. Achterberg, Constraint Integer Programming (2007), A.3.
    """
    if seconds.size == 0 or np.isnan(seconds).any():
        return None
    mean = np.exp(np.mean(np.log(np.maximum(least, seconds + shift)))) - shift
    lowest, highest = (max(float(end), least - shift) for end in (seconds.min(), seconds.max()))
    return min(max(float(mean), lowest), highest)  # it lies between them, but for rounding


def smallest(means: Sequence[float | None]) -> float | None:
    """Return the smallest of the means that are not None."""
    return min((mean for mean in means if mean is not None), default=None)


def ratio(mean: float | None, best: float | None) -> float | None:
    """Return a mean divided by the best one, as H. Mittelmann's tables print it; None if the best one is 0."""
    return None if mean is None or not best else mean / best


def relative_gap(primal: Numbers, dual: Numbers) -> Numbers:
    """Return the relative distance of a value p and a bound d, or of two values, 0 to 1, elementwise.

        |p - d| / max(|p|, |d|);  0 where |p - d| <= 1e-9;  1 where the signs differ, or p or d is missing (NaN)

    It is bounded and symmetric, so its mean is meaningful. |p - d| / |p| (MIPLIB, Gurobi) and |p - d| / min(|p|, |d|)
    (SCIP's own) are unbounded around 0, where the values of margins lie.
    Source: T. Berthold, Measuring the impact of primal heuristics, Oper. Res. Lett. 41 (2013), applied to both bounds
    as in SCIP's primal-dual integral.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        apart = np.abs(primal - dual)
        gaps = np.minimum(1.0, apart / np.maximum(np.abs(primal), np.abs(dual)))
    across = np.sign(primal) * np.sign(dual) < 0
    return np.where(np.isnan(apart), 1.0, np.where(apart <= SAME_VALUE, 0.0, np.where(across, 1.0, gaps)))


def reached(values: Numbers, best: Numbers) -> NDArray[np.bool_]:
    """Return where a value is as good as the best one, elementwise: v >= b - CLAIM_TOLERANCE max(1, |b|).

    It has the tolerance of a claimed optimum. It is False where a value is missing (NaN).
    """
    as_good: NDArray[np.bool_] = values >= best - CLAIM_TOLERANCE * np.maximum(1.0, np.abs(best))
    return as_good


def penalized_average(
    seconds: Seconds, solved: NDArray[np.bool_], limits: Seconds, factor: float = 10.0
) -> float | None:
    """Return PAR-k: the mean time in seconds where an unsolved run counts `factor` (k) times its time limit.

        mean(t if solved else k * limit)

    seconds, solved, limits (n,); the time of an unsolved run is ignored.
    Source: Hutter, Hoos, Leyton-Brown, Stuetzle: ParamILS, JAIR 36 (2009), "penalized average runtime".
    """
    times = np.where(solved, seconds, factor * limits)
    return mean(times)


def mean(seconds: Seconds) -> float | None:
    """Return the arithmetic mean in seconds."""
    if seconds.size == 0 or np.isnan(seconds).any():
        return None
    return float(np.mean(seconds))


def median_first_success(first_success_seconds: Seconds) -> float | None:
    """Return the median arrival time in seconds of the first counterexample, over the runs that have one (NaN: none).

    It says how fast a setting finds counterexamples, not how many: read it beside the number of counterexamples.
    """
    found = first_success_seconds[~np.isnan(first_success_seconds)]
    return float(np.median(found)) if found.size else None


def share_faster(seconds: Seconds, other_seconds: Seconds) -> float | None:
    """Return the share (0 to 1) of the pairs whose first time is strictly less; a tie counts for neither side.

        #{i : t_i < u_i} / n

    seconds, other_seconds (n,): t and u, with the time limit for a run without a confirmed counterexample, so that
    every pair is in the denominator.
    Source: [P] Pham et al., arXiv:2505.01985, section on network verification.
    """
    if seconds.size == 0 or np.isnan(seconds).any() or np.isnan(other_seconds).any():
        return None
    return float(np.mean(seconds < other_seconds))


def geometric_mean_ratio(seconds: Seconds, other_seconds: Seconds) -> float | None:
    """Return the typical speed-up: the geometric mean of t / u over all pairs, above 1 if the second is faster.

        exp(mean(ln(max(t, 1 ms)) - ln(max(u, 1 ms))))

    seconds, other_seconds (n,): t and u; a pair where both hit the same limit contributes a factor of 1.
    """
    if seconds.size == 0 or np.isnan(seconds).any() or np.isnan(other_seconds).any():
        return None
    logs = np.log(np.maximum(seconds, SHORTEST_SECONDS)) - np.log(np.maximum(other_seconds, SHORTEST_SECONDS))
    return float(np.exp(np.mean(logs)))


def share_larger(values: NDArray[np.float64], other_values: NDArray[np.float64], tolerance: float) -> float | None:
    """Return the share (0 to 1) of the pairs whose first value is larger; a tie counts for neither side.

        #{i : v_i > w_i + tolerance max(1, |w_i|)} / n

    values, other_values (n,): v and w; NaN means none was found, which is less than every value.
    """
    if values.size == 0:
        return None
    larger = values > other_values + tolerance * np.maximum(1.0, np.abs(other_values))
    return float(np.mean(larger | (~np.isnan(values) & np.isnan(other_values))))
