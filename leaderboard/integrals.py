"""Primal and dual integrals: how good a run's verified answers and its bounds were, over all of its time.

    P = integral over 0 <= t <= T of p(t) dt        T: the time limit, p(t): the gap at t, so P is in seconds

    p(t) = 1 before there is a value, 0 from when the run was solved (its question answered), else
    gap(v) = min(1, |r - v| / max(|r|, |v|, |r - c|)), 0 where all of these are 0

v: of the primal integral the best value verified until t, of the dual integral the last bound on the value. A bound
that a verified value refutes counts as none.
r: the best value verified for the problem, on the dense network, by any run of the ledger or at the set's centre.
c: the value at the centre, which every run has for free.

Without |r - c| this is Berthold's gap, for |r - v| >= max(|r|, |v|) where signs differ. Values of a problem are mostly
margins around 0, which is a threshold and no unit: against max(|r|, |v|) alone a bound of 0.5 on a best value of 0.01
would be off by 98 %, however far the centre is from both. Where c is not known, as of a distance (whose 0 is its unit)
or without a run on the dense network, the gap is Berthold's.

Source: T. Berthold, Measuring the impact of primal heuristics, Oper. Res. Lett. 41 (2013); 0 from the solution on and
bounds likewise: our choice, since goals other than the optimum stop a run before its gap is closed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import pandas as pd

from leaderboard.records import LedgerError
from leaderboard.views import BOUND_TOLERANCE

_PROBLEM = ["problem", "dense_network", "property_sha256", "dense_sha256"]  # a name may come to mean something else


def gap(value: float, reference: float, scale: float) -> float:
    """The gap of the module's docstring, 0 to 1. scale: |r - c|, 0 where c is not known."""
    size = max(abs(reference), abs(value), scale)
    return min(1.0, abs(reference - value) / size) if size else 0.0


def gap_integral(steps: Iterable[tuple[float, float]], limit: float, answered: float = np.inf) -> float:
    """Integral from 0 to `limit` of the step function that is 1 before the first step, 0 from `answered` on, and
    between the gap of the last step (seconds, gap) until then. All times in seconds."""
    end = min(limit, answered)
    total, since, height = 0.0, 0.0, 1.0
    for seconds, next_height in steps:
        if seconds >= end:
            break
        total += height * (seconds - since)
        since, height = seconds, next_height
    return total + height * (end - since)


def integrals(runs: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Columns `primal` and `dual` in seconds and `is_dense`, a row per run, in the order of `runs`; NaN where the steps
    were not recorded. A surrogate's bounds say nothing of the problem: it has no `dual`.

    Arguments as `records.read_runs` and `outcomes.judge_outcomes` return them. Raises `LedgerError`.
    """
    reference, scale = _references(runs)
    answered = np.where(outcomes["solved"], outcomes["seconds"], np.inf)
    limit = outcomes["limit"].to_numpy(float)
    is_dense = (runs["network"] == runs["dense_network"]).to_numpy(bool)
    slack = BOUND_TOLERANCE * np.maximum(1.0, np.abs(reference)) + runs["constant_rounding"].to_numpy(float)
    found = np.full((len(runs), 2), np.nan)
    for i, (run, primal, dual) in enumerate(zip(runs["run"], runs["primal_steps"], runs["dual_steps"], strict=True)):
        if isinstance(primal, str):
            steps = [(t, gap(v, reference[i], scale[i])) for t, v in _steps(primal, run)]
            found[i, 0] = gap_integral(steps, limit[i], answered[i])
        if isinstance(dual, str) and is_dense[i]:
            # Where nothing was verified there is nothing to be near to: NaN, which no bound is above.
            steps = [(t, gap(v, reference[i], scale[i])) for t, v in _steps(dual, run) if v >= reference[i] - slack[i]]
            found[i, 1] = gap_integral(steps, limit[i], answered[i])
    return pd.DataFrame({"primal": found[:, 0], "dual": found[:, 1], "is_dense": is_dense}, index=runs.index)


def _references(runs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """For every run r (NaN: nothing was verified) and |r - c| (0: c is not known) of its problem."""
    is_dense = runs["network"] == runs["dense_network"]
    found = runs[_PROBLEM].assign(
        value=runs["best_exact_value"].astype(float), centre=runs["centre_value"].astype(float).where(is_dense)
    )
    best = found.groupby(_PROBLEM, sort=False, dropna=False)[["value", "centre"]].transform("max")
    reference = best.max(axis=1).to_numpy(float)
    return reference, np.nan_to_num(reference - best["centre"].to_numpy(float))


def _steps(text: str, run: str) -> list[tuple[float, float]]:
    try:
        return [(float(seconds), float(value)) for seconds, value in json.loads(text)]
    except (ValueError, TypeError) as error:
        raise LedgerError(f"run {run}: its steps are no list of seconds and values, but {text[:40]!r}") from error
