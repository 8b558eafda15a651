"""Primal and dual integrals: the quality of a run's verified answers and of its bounds over its time.

    P = integral over 0 <= t <= T of p(t) dt        T: the time limit, p(t): the gap at t, so P is in seconds

    p(t) = 1 before there is a value, 0 from when the run was solved (its question answered), else
    gap(v) = min(1, |r - v| / max(|r|, |v|, |r - c|)), 0 where all of these are 0

v: for the primal integral the best value verified until t, for the dual integral the last bound on the value. A bound
that a verified value refutes counts as missing.
r: the best value verified for the problem, on the dense network, by any run of the ledger that is ranked
   (`reference`), or at the set's centre.
c: the value at the centre, which every run has from the start.

Without |r - c| this is Berthold's gap, for |r - v| >= max(|r|, |v|) where signs differ. The values of a problem are
mostly margins around 0, which is a threshold and not a unit: relative to max(|r|, |v|) alone, a bound of 0.5 on a best
value of 0.01 would be off by 98 %, however far the centre is from both. The gap is Berthold's where c is not known: for
a distance (whose unit starts at 0), or without a run on the dense network.

Source: T. Berthold, Measuring the impact of primal heuristics, Oper. Res. Lett. 41 (2013). The gap of 0 from the
solution on, and the integral of bounds, are our choice: goals other than the optimum stop a run before its gap closes.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from vnnbench.common.tolerances import BOUND_TOLERANCE
from vnnbench.leaderboard.ranking.outcomes import JudgedRuns
from vnnbench.leaderboard.records.parallel import MANY_RUNS, at_once, cores
from vnnbench.leaderboard.records.query_columns import is_dense
from vnnbench.leaderboard.records.steps import Numbers, Places, read_steps

REFERENCES = ("reference_value", "reference_scale")
_PROBLEM = ["problem", "dense_network", "property_sha256", "dense_sha256"]  # one name may stand for several contents


def gap(values: Numbers, reference: Numbers, scale: Numbers) -> Numbers:
    """Return the gap of the module's docstring, 0 to 1, elementwise; 1 where the reference is missing (NaN).

    scale: |r - c|, 0 where c is not known.
    """
    size = np.maximum(np.maximum(np.abs(reference), np.abs(values)), scale)
    with np.errstate(invalid="ignore", over="ignore"):
        gaps = np.minimum(1.0, np.abs(reference - values) / size)
    return np.where(size == 0, 0.0, np.nan_to_num(gaps, nan=1.0))


def gap_integrals(run: Places, seconds: Numbers, gaps: Numbers, end: Numbers) -> Numbers:
    """Return the integral of each run's gap over time, from 0 to `end` (n_runs,). All times are in seconds.

    The gap is a step function: 1 before the first step, and from each step on the gap of that step.
    run, seconds, gaps (n_steps,): the steps of all runs, grouped by run, and within a run in the order of time.
    """
    since = np.clip(seconds, 0.0, end[run])
    first, last = np.ones(len(run), bool), np.ones(len(run), bool)
    first[1:] = last[:-1] = run[1:] != run[:-1]
    until = np.append(since[1:], 0.0)
    until[last] = end[run[last]]
    before = end.copy()
    before[run[first]] = since[first]
    return before + np.bincount(run, weights=gaps * (until - since), minlength=len(end))


def integrals(judged: JudgedRuns) -> pd.DataFrame:
    """Return columns `primal` and `dual` in seconds and `is_dense`, one row per run, in the order of `runs`.

    A number is NaN where the steps were not recorded, or where there are none. A surrogate's run has no `dual`: its
    bounds say nothing about the problem.
    """
    runs, outcomes = judged.runs, judged.outcomes
    reference, scale = references(runs).to_numpy(float).T
    end = outcomes["limit"].to_numpy(float)
    facts = pd.DataFrame(
        {
            "run": runs["run"],
            "primal_steps": runs["primal_steps"],
            "dual_steps": runs["dual_steps"],
            "is_dense": is_dense(runs),
            "reference": reference,
            "scale": scale,
            "slack": BOUND_TOLERANCE * np.maximum(1.0, np.abs(reference)) + runs["constant_rounding"],
            "end": np.where(outcomes["solved"], np.minimum(end, outcomes["seconds"]), end),
        }
    )
    many = len(facts) > MANY_RUNS
    size = -(-len(facts) // cores()) if many else max(1, len(facts))
    parts = [facts.iloc[start : start + size] for start in range(0, len(facts), size)] or [facts]
    return pd.concat(at_once([partial(_integrals, part) for part in parts], many))


def _integrals(facts: pd.DataFrame) -> pd.DataFrame:
    dense, end = facts["is_dense"].to_numpy(bool), facts["end"].to_numpy(float)
    reference, scale, slack = (facts[name].to_numpy(float) for name in ("reference", "scale", "slack"))
    found = {}
    for name in ("primal", "dual"):
        recorded = facts[f"{name}_steps"].notna().to_numpy(bool) & (dense | (name == "primal"))
        run, seconds, values, unreadable = read_steps(facts, f"{name}_steps", np.flatnonzero(recorded))
        recorded[unreadable] = False
        if name == "dual":  # without a verified value the reference is NaN, and no bound is above it
            valid = values >= reference[run] - slack[run]
            run, seconds, values = run[valid], seconds[valid], values[valid]
        total = gap_integrals(run, seconds, gap(values, reference[run], scale[run]), end)
        found[name] = np.where(recorded, total, np.nan)
    return pd.DataFrame({**found, "is_dense": dense}, index=facts.index)


def references(runs: pd.DataFrame) -> pd.DataFrame:
    """Return columns `REFERENCES` of every run: r (NaN: nothing was verified) and |r - c| (0: c is not known).

    If the runs already have these columns, these are returned: so a part of a ledger is compared with the whole.
    """
    if set(REFERENCES) <= set(runs.columns):
        return runs[[*REFERENCES]]
    is_ranked = runs["ranked"] == 1
    found = runs[_PROBLEM].assign(
        value=runs["best_exact_value"].astype(float).where(is_ranked),
        centre=runs["centre_value"].astype(float).where(is_ranked & is_dense(runs)),
    )
    best = found.groupby(_PROBLEM, sort=False, dropna=False)[["value", "centre"]].transform("max")
    reference = best.max(axis=1)
    return pd.DataFrame(dict(zip(REFERENCES, (reference, (reference - best["centre"]).fillna(0.0)), strict=True)))
