"""Plots as data, which the script of a page draws with plotly. They hold only plain text and numbers.

A figure is {"id", "kind", "x", "y": titles, ...}. Series carry the number of their setting and its look, and for every
point the place of its instance in the list `names`; `pages` has the addresses.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from vnnbench.common.numbers import MAX_REAL
from vnnbench.common.text import plain
from vnnbench.leaderboard.ranking import aggregates
from vnnbench.leaderboard.ranking.profiles import done_over_time, performance_profile, virtual_best
from vnnbench.leaderboard.ranking.surrogate_pairs import usable_pairs
from vnnbench.leaderboard.ranking.surrogate_times import time_pairs
from vnnbench.leaderboard.site.content import Contents, InstancePage, SettingPage
from vnnbench.leaderboard.site.time_matrix import Matrix
from vnnbench.leaderboard.text import count, format_number, format_percent

Figure = dict[str, Any]
MAX_STEPS = 300
"""The most steps of one curve; more are not visible."""
MAX_POINTS = 4_000
"""The most points of one scatter plot, over all its series."""


def hover(text: object) -> str:
    """Return text for plotly, which takes some tags for markup."""
    return html.escape(plain(text), quote=False)


def data_script(data: dict[str, Any]) -> bytes:
    """Return a script that hands this data to the page. No text in it ends a script, a string or a line."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f"window.vnnbench = {text};\n".encode("ascii")


class _Names:
    """The instances that a figure names, each with its place in the list."""

    def __init__(self, contents: Contents, root: str) -> None:
        self._contents, self._root = contents, root
        self._places: dict[str, int] = {}

    def place(self, digest: str) -> int:
        return self._places.setdefault(digest, len(self._places))

    def fields(self) -> dict[str, list[str]]:
        pages = [self._contents.instance_of[digest] for digest in self._places]
        return {
            "names": [hover(page.name) for page in pages],
            "pages": [self._root + page.href for page in pages],
        }


def _series(page: SettingPage, **fields: Any) -> dict[str, Any]:
    return {"name": hover(page.setting.label), "setting": page.number, **asdict(page.look), **fields}


def curves(contents: Contents, matrix: Matrix, root: str) -> list[Figure]:
    """Return the performance profile, and the plot of files done over time."""
    if not len(matrix):
        return []
    names = _Names(contents, root)
    ratios = np.maximum(matrix.seconds, aggregates.SHORTEST_SECONDS)
    ratios = ratios / virtual_best(ratios)[:, None]
    profiles, counts = performance_profile(matrix.seconds), done_over_time(matrix.seconds)

    def series(curves: Sequence[tuple[np.ndarray, np.ndarray]], values: np.ndarray) -> list[dict[str, Any]]:
        found = []
        for column, (page, (x, y)) in enumerate(zip(matrix.settings, curves, strict=True)):
            keep = _evenly(len(x), MAX_STEPS)
            order = np.argsort(values[:, column], kind="stable")
            owners = order[np.searchsorted(values[order, column], x[keep], side="left")]
            points = [names.place(matrix.instances[owner]) for owner in owners]
            found.append(_series(page, x=_rounded(x[keep]), y=_rounded(y[keep]), names=points))
        return found

    longest = float(matrix.limits.max())
    widest = 1.1 * max((float(tau[-1]) for tau, _ in profiles if len(tau)), default=1.0)
    figures: list[Figure] = [
        {
            "id": "profile", "kind": "steps", "x": "time ratio to the fastest setting",
            "y": "share of files done", "series": series(profiles, ratios), "percent": True, "end": widest,
        },
        {
            "id": "cactus", "kind": "steps", "x": "seconds", "y": "files done",
            "series": series(counts, matrix.seconds), "percent": False, "end": longest,
        },
    ]  # fmt: skip
    return [figure | names.fields() for figure in figures]


def describe_profile(matrix: Matrix) -> str:
    """Describe the performance profile to readers who do not see it."""
    parts = []
    for page, (tau, share) in zip(matrix.settings, performance_profile(matrix.seconds), strict=True):
        fast = share[tau <= 1.0]
        all_of_it = share[-1] if len(share) else 0.0
        parts.append(
            f"{plain(page.setting.label)}: fastest on {format_percent(float(fast[-1]) if len(fast) else 0.0)}, "
            f"done with {format_percent(float(all_of_it))}"
        )
    return f"Performance profile over {count(len(matrix), 'file')}. {'; '.join(parts)}."


def describe_cactus(matrix: Matrix) -> str:
    """Describe the plot of files done over time to readers who do not see it."""
    parts = []
    for page, (seconds, done) in zip(matrix.settings, done_over_time(matrix.seconds), strict=True):
        total = int(done[-1]) if len(done) else 0
        last = f", the last after {format_number(float(seconds[-1]))} s" if total else ""
        parts.append(f"{plain(page.setting.label)} is done with {total}{last}")
    return f"Files done over time, of {len(matrix)}. {'; '.join(parts)}."


def pair_scatter(contents: Contents, matrix: Matrix, ranked: Sequence[SettingPage], root: str) -> Figure | None:
    """Plot the times of two settings against each other. The reader chooses them; the page begins with the first two
    of `ranked`."""
    if len(matrix) == 0 or len(matrix.settings) < 2:
        return None
    names = _Names(contents, root)
    best, second = [matrix.settings.index(page) for page in ranked if page in matrix.settings][:2]
    most = max(MAX_POINTS // len(matrix.settings), 1)
    keep = _evenly(len(matrix), most)
    times = np.where(np.isnan(matrix.seconds), matrix.limits[:, None], matrix.seconds)[keep]
    return {
        "id": "pair", "kind": "pair", "limit": float(matrix.limits.max()),
        "chosen": [second, best],
        "series": [
            _series(page, seconds=_rounded(times[:, place]))
            for place, page in enumerate(matrix.settings)
        ],
        "points": [names.place(matrix.instances[row]) for row in keep],
        **names.fields(),
    }  # fmt: skip


def against_best(contents: Contents, matrix: Matrix, own: SettingPage, root: str) -> Figure | None:
    """Plot the times of a setting against the fastest of the others."""
    if len(matrix) == 0 or len(matrix.settings) < 2 or own not in matrix.settings:
        return None
    names = _Names(contents, root)
    column = matrix.settings.index(own)
    keep = _evenly(len(matrix), MAX_POINTS)
    others = virtual_best(np.delete(matrix.seconds, column, axis=1))[keep]
    mine, limits = matrix.seconds[keep, column], matrix.limits[keep]
    return {
        "id": "against-best", "kind": "scatter", "limit": float(matrix.limits.max()),
        "x": "seconds, fastest of the others", "y": f"seconds, {hover(own.setting.label)}",
        "series": [
            _series(
                own,
                x=_rounded(np.where(np.isnan(others), limits, others)),
                y=_rounded(np.where(np.isnan(mine), limits, mine)),
                names=[names.place(matrix.instances[row]) for row in keep],
            )
        ],
        **names.fields(),
    }  # fmt: skip


def surrogate_scatter(contents: Contents, root: str) -> Figure | None:
    """Plot the time to the first counterexample on the dense network against that on a surrogate, for all settings but
    the reference."""
    ranked = (contents.judged.runs["ranked"] == 1).to_numpy(bool)
    pairs = usable_pairs(time_pairs(contents.judged.at(ranked)))
    pairs = pairs[(pairs["dense_found"] == True) | (pairs["surrogate_found"] == True)]  # noqa: E712 (null: not run)
    if pairs.empty:
        return None
    names = _Names(contents, root)
    pairs = pairs.iloc[_evenly(len(pairs), MAX_POINTS)]
    series = []
    for number, own in pairs.groupby("setting"):
        series.append(
            _series(
                contents.settings[int(str(number))],
                x=_rounded(own["dense_seconds"].to_numpy(float)),
                y=_rounded(own["surrogate_seconds"].to_numpy(float)),
                names=[names.place(digest) for digest in own["instance_sha256"]],
            )
        )
    return {
        "id": "surrogates", "kind": "scatter", "limit": float(contents.judged.outcomes["limit"].max()),
        "x": "seconds, dense", "y": "seconds, surrogate", "series": series, **names.fields(),
    }  # fmt: skip


def progress(contents: Contents, page: InstancePage) -> Figure | None:
    """Plot the verified values and, on a dense network, the bounds of every run of an instance over time."""
    facts = page.facts
    dense = facts["network"] == facts["dense_network"]
    series = []
    ends: list[float] = [
        value for value in (facts["threshold"], facts["centre_value"] if dense else None) if value is not None
    ]
    for record in page.runs:
        own = contents.setting_of(record)
        for what, column in (("value", "primal_steps"), ("bound", "dual_steps")):
            if what == "bound" and not dense:
                continue
            steps = _steps(record[column])
            if not steps:
                continue
            end = max(record["wall_seconds"], steps[-1][0])
            steps = [*steps, (end, steps[-1][1])]
            x, y = zip(*steps, strict=True)
            ends += [y[0], y[-1]] if what == "value" else [y[-1]]
            series.append(
                _series(own, what=what, run=f"run-{record['run']}", x=_rounded(np.array(x)), y=[float(v) for v in y])
            )
    if not series:
        return None
    low, high = min(ends), max(ends)
    first_bounds = [own["y"][0] for own in series if own["what"] == "bound"]
    # Bounds may begin far away; the interesting part is where they meet the values.
    high = max([bound for bound in first_bounds if bound <= high + 2 * (high - low)], default=high)
    pad = 0.08 * (high - low) or 1.0
    return {
        "id": "progress", "kind": "progress", "x": "seconds", "y": "value", "series": series,
        "threshold": facts["threshold"], "range": [low - pad, high + pad],
    }  # fmt: skip


def _steps(text: object) -> list[tuple[float, float]]:
    """Return the steps in a field of the ledger, thinned; none where they were not recorded or the text is not a list
    of steps."""
    try:
        steps = [(float(seconds), float(value)) for seconds, value in json.loads(text)] if isinstance(text, str) else []
    except (ValueError, TypeError, OverflowError, RecursionError):
        return []
    steps = [step for step in steps if all(abs(number) <= MAX_REAL for number in step)]
    return [steps[place] for place in _evenly(len(steps), MAX_STEPS).tolist()]


def _evenly(n: int, most: int) -> np.ndarray:
    """Return at most `most` of n places, evenly spaced, with the first and the last."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(int)) if n else np.zeros(0, dtype=int)


def _rounded(values: np.ndarray | Iterable[float]) -> list[float]:
    """Round to four significant digits; more are not visible."""
    return [float(f"{value:.4g}") for value in values]
