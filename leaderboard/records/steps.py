"""The steps of a run: when it had which verified value, or bound, each better than those before. And which of the
verified values came within its time limit."""

from __future__ import annotations

import gc
from itertools import chain
from typing import TypeAlias

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.int64]

_AT_ONCE = 20_000  # texts; all of a million runs would take gigabytes while they are parsed


def read_steps(runs: pd.DataFrame, column: str, places: Places) -> tuple[Places, Numbers, Numbers, Places]:
    """The steps of the runs at these places, in their order: of which run, seconds, value; and the places of runs that
    have another text there: a ledger is append-only, and one such run must not keep all others from being ranked."""
    texts = runs[column].to_numpy(object)[places]
    counts, parts, unreadable = [np.empty(0, np.int64)], [np.empty((0, 2))], np.zeros(len(places), bool)
    collecting = gc.isenabled()
    gc.disable()  # it would go through millions of small lists again and again, which takes most of the time
    try:
        for start in range(0, len(places), _AT_ONCE):
            own = texts[start : start + _AT_ONCE].tolist()
            try:
                parsed = _parse(own)
            except (ValueError, TypeError):
                wrong = [not _are_steps(text) for text in own]
                unreadable[start : start + len(own)] = wrong
                parsed = _parse(["[]" if none else text for text, none in zip(own, wrong, strict=True)])
            counts.append(parsed[0])
            parts.append(parsed[1])
    finally:
        if collecting:
            gc.enable()
    flat = np.concatenate(parts)
    return np.repeat(places, np.concatenate(counts)), flat[:, 0], flat[:, 1], places[unreadable]


def is_late(runs: pd.DataFrame) -> NDArray[np.bool_]:
    """Which runs (`reader.read_runs`) went on after their time limit, so that not all they have need be in time."""
    limit, wall, first = _times(runs)
    late: NDArray[np.bool_] = (wall > limit) | (first > limit)
    return late


def has_early_success(runs: pd.DataFrame) -> NDArray[np.bool_]:
    """Which runs have a candidate that was confirmed within REPAIR_TOLERANCE, and arrived within the time limit."""
    limit, _, first = _times(runs)
    early: NDArray[np.bool_] = first <= limit
    return early


def best_in_time(runs: pd.DataFrame, asked: NDArray[np.bool_]) -> Numbers:
    """The best exact value of the dense network that each run has at a candidate which arrived within its time limit;
    NaN: none, or the run is not `asked`.

    Where the steps of a run that went on after its limit were not recorded, its best value counts if any success came
    in time.
    """
    limit, _, _ = _times(runs)
    values = np.where(asked, runs["best_exact_value"].to_numpy(float), np.nan)
    late = is_late(runs) & ~np.isnan(values)
    told = np.flatnonzero(late & runs["primal_steps"].notna().to_numpy(bool))
    values[late & ~has_early_success(runs)] = np.nan
    run, seconds, reached, _ = read_steps(runs, "primal_steps", told)
    in_time = seconds <= limit[run]
    values[run[in_time]] = reached[in_time]  # of several the last, which is the best
    return values


def _times(runs: pd.DataFrame) -> tuple[Numbers, Numbers, Numbers]:
    limit, wall, first = (
        runs[name].to_numpy(float) for name in ("time_limit_seconds", "wall_seconds", "first_success_seconds")
    )
    return limit, wall, first


def _parse(texts: list[str]) -> tuple[Places, Numbers]:
    """How many steps each text holds, and all of them (n_steps, 2). Raises ValueError, TypeError."""
    steps = orjson.loads(f"[{','.join(texts)}]")  # one by one it takes three times as long
    flat = np.array([*chain.from_iterable(steps)], dtype=float)
    if len(steps) != len(texts) or (flat.size and (flat.shape[1:] != (2,) or not np.isfinite(flat).all())):
        raise ValueError("no pairs of numbers")
    return np.fromiter(map(len, steps), np.int64, len(steps)), flat.reshape(-1, 2)


def _are_steps(text: str) -> bool:
    try:
        _parse([text])
    except (ValueError, TypeError):
        return False
    return True
