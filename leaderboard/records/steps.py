"""The steps of a run: its verified values, or bounds, with their times, each better than those before.

The module also finds the verified values that came within the time limit.
"""

from __future__ import annotations

from itertools import chain
from typing import TypeAlias

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray

from vnnbench.common.garbage import no_garbage_collection

Numbers: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.int64]

_AT_ONCE = 20_000  # texts parsed at a time; those of a million runs would take gigabytes


def read_steps(runs: pd.DataFrame, column: str, places: Places) -> tuple[Places, Numbers, Numbers, Places]:
    """Return the steps of the runs at these places, in their order: their run, seconds and value.

    The fourth array holds the places of runs whose text cannot be read as steps: a ledger is append-only, and one such
    run must not prevent the ranking of all others.
    """
    texts = runs[column].to_numpy(object)[places]
    counts, parts, unreadable = [np.empty(0, np.int64)], [np.empty((0, 2))], np.zeros(len(places), bool)
    with no_garbage_collection():  # each step is a small list, and a ledger can have millions
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
    flat = np.concatenate(parts)
    return np.repeat(places, np.concatenate(counts)), flat[:, 0], flat[:, 1], places[unreadable]


def is_late(runs: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which runs (`reader.read_runs`) continued after their time limit, so some of their results may be late."""
    limit, wall, first = _times(runs)
    late: NDArray[np.bool_] = (wall > limit) | (first > limit)
    return late


def has_early_success(runs: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which runs have a candidate confirmed within REPAIR_TOLERANCE that arrived within the time limit."""
    limit, _, first = _times(runs)
    early: NDArray[np.bool_] = first <= limit
    return early


def best_in_time(runs: pd.DataFrame, asked: NDArray[np.bool_]) -> Numbers:
    """Return each run's best exact value of the dense network at a candidate that arrived within its time limit.

    It is NaN without such a value, and for runs that are not `asked`. If a run continued after its limit and its steps
    were not recorded, its best value counts if any success came in time.
    """
    limit, _, _ = _times(runs)
    values = np.where(asked, runs["best_exact_value"].to_numpy(float), np.nan)
    late = is_late(runs) & ~np.isnan(values)
    recorded = np.flatnonzero(late & runs["primal_steps"].notna().to_numpy(bool))
    values[late & ~has_early_success(runs)] = np.nan
    run, seconds, reached, _ = read_steps(runs, "primal_steps", recorded)
    in_time = seconds <= limit[run]
    values[run[in_time]] = reached[in_time]  # of several steps of a run the last one is assigned, which is the best
    return values


def _times(runs: pd.DataFrame) -> tuple[Numbers, Numbers, Numbers]:
    limit, wall, first = (
        runs[name].to_numpy(float) for name in ("time_limit_seconds", "wall_seconds", "first_success_seconds")
    )
    return limit, wall, first


def _parse(texts: list[str]) -> tuple[Places, Numbers]:
    """Return the number of steps of each text, and all steps (n_steps, 2). Raises ValueError, TypeError."""
    steps = orjson.loads(f"[{','.join(texts)}]")  # parsing them one by one takes three times as long
    flat = np.array([*chain.from_iterable(steps)], dtype=float)
    if len(steps) != len(texts) or (flat.size and (flat.shape[1:] != (2,) or not np.isfinite(flat).all())):
        raise ValueError("steps are not pairs of numbers")
    return np.fromiter(map(len, steps), np.int64, len(steps)), flat.reshape(-1, 2)


def _are_steps(text: str) -> bool:
    try:
        _parse([text])
    except (ValueError, TypeError):
        return False
    return True
