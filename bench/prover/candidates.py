"""The search for good points: from where relaxations attain their bounds, by ascents, and by linear programs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vnnbench.instances.arrays import Float32Array, Float64Array
from vnnbench.prover.ascent import ascend
from vnnbench.prover.linear_regions import LinearRegions
from vnnbench.prover.region import Points
from vnnbench.prover.setting import Setting

_ASCENTS_APART = 8
"""How many times points are tried from one ascent to the next, unless a point is better than all before."""
_MOST_MOVES = 20
"""How often a point moves to the best one of its linear region."""
_ROUNDING = 1e-4
"""By how much float32 may be off, relative to max(1, |value|); hardly ever by so much."""
_LEAST_GAIN = 1e-6
"""What counts as a better value in float32, relative to max(1, |value|)."""


@dataclass(slots=True)
class Reached:
    """What ascents have reached, which searches over parts of one set share.

    best_start, best_end: the largest values where ascents began and ended. end: the point of the latter. n_tries: how
    often points were tried.
    """

    best_start: float = -float("inf")
    best_end: float = -float("inf")
    end: Float64Array | None = None
    n_tries: int = 0


class Candidates:
    """The points of one search. Those that may be better than the aim's level, up to rounding, are offered to it."""

    def __init__(self, setting: Setting, regions: LinearRegions | None, reached: Reached) -> None:
        """regions: None before there are bounds."""
        self._network, self._goal, self._aim = setting.network, setting.goal, setting.aim
        self._regions, self._reached = regions, reached

    def try_points(self, points: Points) -> None:
        """Ascend from the best of the points, if that is due."""
        self._reached.n_tries += 1
        values = self._values(points)
        best = int(values.argmax()) if len(values) else 0
        is_due = self._reached.n_tries % _ASCENTS_APART == 0
        if not len(values) or not (is_due or values[best] > self._reached.best_start):
            return
        self._reached.best_start = max(self._reached.best_start, float(values[best]))
        self.climb_from(points.rows(np.array([best])))

    def climb_from(self, point: Points) -> None:
        """Ascend from one point, and offer what is reached."""
        x, value = self._ascended(point)
        is_best = value > self._reached.best_end
        if is_best:
            self._reached.best_end, self._reached.end = value, x
        if value >= self._aim.level:
            self._aim.offer(x)
        if is_best and self._regions is not None and self._aim.is_fine and not self._aim.is_reached:
            self._move(self._regions, x, value)

    def offer_solution(self, x: Float64Array) -> None:
        """Offer the solution of a linear program, unless it is clearly not better than the level."""
        value = float(self._values(self._points(x))[0])
        if value >= self._aim.level - _ROUNDING * max(1.0, abs(value)):
            self._aim.offer(x)

    def offer_best(self) -> None:
        """Offer the best point that an ascent reached, though it may not be better than the level."""
        if self._reached.end is not None:
            self._aim.offer(self._reached.end)

    def _move(self, regions: LinearRegions, x: Float64Array, value: float) -> None:
        """Go from linear region to linear region, to the best point of each, while that gains something."""
        for _ in range(_MOST_MOVES):
            _, A = self._evaluated(self._points(x))
            vertex = regions.maximum(A, np.zeros(1), regions.phases_at(x))
            if vertex is None:
                return
            self._aim.offer(vertex.x)
            x, reached = self._ascended(self._points(vertex.x))
            self._aim.offer(x)
            if reached > self._reached.best_end:
                self._reached.best_end, self._reached.end = reached, x
            if reached <= value + _LEAST_GAIN * max(1.0, abs(value)) or self._aim.is_reached:
                return
            value = reached

    def _ascended(self, point: Points) -> tuple[Float64Array, float]:
        points, values = ascend(self._network, self._goal, point)
        return self._network.region.centre + points.steps[0], float(values[0])

    def _values(self, points: Points) -> Float32Array:
        return self._evaluated(points)[0]

    def _evaluated(self, points: Points) -> tuple[Float32Array, Float32Array]:
        """Return the goal's values and gradients at points, infinite or none where float32 overflows."""
        # Products of small matrices may raise the flag of invalid values though there are none.
        with np.errstate(over="ignore", invalid="ignore"):
            return self._goal.values(self._network.forward(points)[-1])

    def _points(self, x: Float64Array) -> Points:
        return Points(None, (x - self._network.region.centre).astype(np.float32)[None])
