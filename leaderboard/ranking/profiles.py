"""Curves over all files, and each setting's contribution to the virtual best: pure functions of times.

seconds (n_files, n_settings): the time of each setting on each file, NaN where it is not done with it (`outcomes`:
finished). "File" means what is compared: a triple of instance, seed and permutation that every setting ran.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vnnbench.leaderboard.ranking.aggregates import SHORTEST_SECONDS, Seconds, shifted_geometric_mean

Steps: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]
"""A step function: the places where it rises, sorted and without repetition, and its values from there on."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """The loss of the virtual best setting without one setting.

    alone: files that no other setting is done with. sgm_share: 1 - sgm(with all) / sgm(without), 0 to 1, of the shifted
    geometric mean of the virtual best times; None without files.
    """

    alone: int
    sgm_share: float | None


def performance_profile(seconds: Seconds) -> list[Steps]:
    """Return each setting's performance profile: the share of files done within tau times the best time.

        rho_s(tau) = #{p : t_ps / min_s' t_ps' <= tau} / n_files,   tau >= 1

    Returns for each setting tau and rho there; rho is 0 before the first tau, and ends at the share that it is done
    with. Files that no setting is done with stay in the denominator. Times below 1 ms count as 1 ms, so that clock
    noise does not give large ratios.
    Source: E. Dolan, J. More, Benchmarking optimization software with performance profiles, Math. Program. 91 (2002).
    """
    times = np.maximum(seconds, SHORTEST_SECONDS)  # NaN stays NaN
    ratios = times / virtual_best(times)[:, None]
    return [_steps(ratios[:, setting], len(seconds)) for setting in range(seconds.shape[1])]


def done_over_time(seconds: Seconds) -> list[Steps]:
    """Return each setting's curve of a cactus plot: the number of files it is done with within each time in seconds."""
    return [_steps(seconds[:, setting], 1) for setting in range(seconds.shape[1])]


def virtual_best(seconds: Seconds) -> Seconds:
    """Return the times of the virtual best setting (n_files,): the fastest on each file, NaN if none is done."""
    best: Seconds = np.fmin.reduce(seconds, axis=1, initial=np.nan)
    return best


def contributions(seconds: Seconds, limits: Seconds, shift: float = 10.0) -> list[Contribution]:
    """Return each setting's contribution to the virtual best setting.

    limits (n_files,): the seconds that count for a file that no setting is done with. shift: of the shifted geometric
    mean.
    Source: L. Xu, F. Hutter, H. Hoos, K. Leyton-Brown, Evaluating component solver contributions to portfolio-based
    algorithm selectors, SAT 2012 (marginal contribution).
    """
    best = virtual_best(seconds)
    with_all = _mean(best, limits, shift)
    found = []
    for setting in range(seconds.shape[1]):
        without = virtual_best(np.delete(seconds, setting, axis=1))
        left = _mean(without, limits, shift)
        share = None if with_all is None or left is None else 1.0 - with_all / left if left else 0.0
        found.append(Contribution(int(np.sum(np.isnan(without) & ~np.isnan(best))), share))
    return found


def _mean(seconds: Seconds, limits: Seconds, shift: float) -> float | None:
    return shifted_geometric_mean(np.where(np.isnan(seconds), limits, seconds), shift)


def _steps(values: Seconds, denominator: int) -> Steps:
    places, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    return places, np.cumsum(counts) / max(denominator, 1)
