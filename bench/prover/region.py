"""The set as the search sees it, in float32: the maxima of linear functions over it, and where they are attained.

An L1 ball in a box is a fractional knapsack; a box alone is its corner. Constraints among inputs are left out: a bound
over more points holds too.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import BoolArray, Float32Array, Float64Array
from vnnbench.instances.proofs.question import Part
from vnnbench.prover.device import Device, at_places, functions_of, zeros

_FEW_INPUTS = 16
"""The number of largest gains among which the knapsack is filled first: a radius of 5 rarely needs more."""

_BLOCK = 4
"""The numbers of a block, of which at first only the least counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Points centre + steps: steps (m, q) are at the inputs `places` (m, q); None: at all inputs, in their order."""

    places: npt.NDArray[np.intp] | None
    steps: Float32Array

    def times(self, columns: Float32Array) -> Float32Array:
        """Return the products (m, n) of the steps with columns (n_0, n), one for each input."""
        if self.places is None:
            return self.steps @ columns
        products: Float32Array = functions_of(columns).einsum("iqn,iq->in", columns[self.places], self.steps)
        return products

    def rows(self, rows: npt.NDArray[np.intp]) -> Points:
        """Return some of the points."""
        return Points(None if self.places is None else self.places[rows], self.steps[rows])

    def improved(self, other: Points, rows: BoolArray) -> Points:
        """Return these points, with those of `other` in some rows."""
        width, where = max(self.steps.shape[1], other.steps.shape[1]), rows[:, None]
        mine, theirs, xp = self._widened(width), other._widened(width), functions_of(self.steps)
        steps = xp.where(where, theirs.steps, mine.steps)
        if mine.places is None or theirs.places is None:
            return Points(None, steps)
        return Points(xp.where(where, theirs.places, mine.places), steps)

    def spread(self, rows: BoolArray) -> Points:
        """Return (m, q) points of which these are those in `rows` (m,), where it is true."""
        shape = (len(rows), self.steps.shape[1])
        steps = zeros(shape, self.steps)
        steps[rows] = self.steps
        if self.places is None:
            return Points(None, steps)
        places = zeros(shape, self.places)
        places[rows] = self.places
        return Points(places, steps)

    def _widened(self, width: int) -> Points:
        """Return the same points in `width` columns: the additional steps are 0."""
        more = width - self.steps.shape[1]
        if self.places is None or not more:
            return self
        xp, shape = functions_of(self.steps), (len(self.steps), more)
        places, steps = zeros(shape, self.places), zeros(shape, self.steps)
        return Points(xp.concatenate([self.places, places], 1), xp.concatenate([self.steps, steps], 1))


class Region:
    """The set of a question, without its constraints. centre: (n_0,) float64, from which steps count."""

    def __init__(self, part: Part) -> None:
        self.centre: Float64Array = part.centre
        self._below = (part.centre - part.lower).astype(np.float32)
        self._above = (part.upper - part.centre).astype(np.float32)
        self._middle, self._half = (self._above - self._below) / 2, (self._above + self._below) / 2
        self._radius = None if part.radius is None else float(np.float32(part.radius))
        self._can_fall, self._can_rise = (room.astype(bool).astype(np.float32) for room in (self._below, self._above))

    def on(self, device: Device) -> Region:
        """Return the same on a device."""
        other, put = copy(self), device.put
        other._below, other._above = put(self._below), put(self._above)
        other._middle, other._half = put(self._middle), put(self._half)
        other._can_fall, other._can_rise = put(self._can_fall), put(self._can_rise)
        return other

    def centre_point(self) -> Points:
        """Return the centre."""
        return Points(None, np.zeros((1, len(self.centre)), dtype=np.float32))

    def maximum(self, A: Float32Array) -> tuple[Float32Array, Points]:
        """Return the maxima (m,) of A (x - centre), A (m, n_0), and the points that attain them, up to rounding."""
        xp = functions_of(A)
        if self._radius is None:
            steps = xp.copysign(self._half, A)  # takes a fifth of the time of `where`
            steps += self._middle
            return xp.einsum("iq,iq->i", steps, A), Points(None, steps)
        loss = xp.minimum(A * self._can_fall, A * -self._can_rise)
        return self._knapsack(A, loss, self._radius, _FEW_INPUTS)

    def all_steps(self, points: Points) -> Float32Array:
        """Return the points' steps at all inputs, (m, n_0)."""
        if points.places is None:
            return points.steps
        steps = np.zeros((len(points.steps), len(self.centre)), dtype=np.float32)
        np.add.at(steps, (np.arange(len(steps))[:, None], points.places), points.steps)
        return steps

    def _knapsack(self, A: Float32Array, loss: Float32Array, radius: float, n_kept: int) -> tuple[Float32Array, Points]:
        """Fill the ball with the inputs of least loss. Only the `n_kept` least are sorted at first.

        loss: (m, n_0), minus the gain per length of a step; 0 where there is no room.
        """
        n_kept, xp = min(n_kept, A.shape[1]), functions_of(A)
        places = _least(loss, n_kept)
        coefficients = at_places(A, places)
        room = xp.where(coefficients > 0, self._above[places], self._below[places])
        before = room.cumsum(1) - room
        steps = xp.minimum((radius - before).clip(min=0), room) * xp.sign(coefficients)
        value = xp.einsum("iq,iq->i", steps, coefficients)
        moved = max(1, int((before < radius).any(axis=0).sum()))
        points = Points(places[:, :moved], steps[:, :moved])
        if n_kept < A.shape[1]:
            last = at_places(loss, places[:, -1:])[:, 0]
            short = (before[:, -1] + room[:, -1] < radius) & (last < 0)
            if short.any():
                value[short], filled = self._knapsack(A[short], loss[short], radius, 8 * n_kept)
                points = points.improved(filled.spread(short), short)
        return value, points


def _least(loss: Float32Array, n: int) -> npt.NDArray[np.intp]:
    """Return the places (m, n) of the n least numbers of each row, least first, of numbers (m, q) that are not above 0.

    numpy: first the blocks that have the least minima are found, then the numbers in these: for the 16 of an image's
    784 that takes a fifth of the time of `np.argpartition`.
    """
    if functions_of(loss) is not np:
        places_on_device: npt.NDArray[np.intp] = loss.topk(n, largest=False).indices  # type: ignore[attr-defined]
        return places_on_device
    q = loss.shape[1] // _BLOCK
    if n >= q:
        return _sorted_places(loss, n)
    minima = loss[:, : q * _BLOCK].reshape(-1, _BLOCK, q).min(axis=1)
    inside = _sorted_places(minima, n)[:, None, :] + q * np.arange(_BLOCK)[None, :, None]
    beyond = np.broadcast_to(np.arange(q * _BLOCK, loss.shape[1]), (len(loss), loss.shape[1] - q * _BLOCK))
    places = np.concatenate([inside.reshape(len(loss), -1), beyond], axis=1)
    return np.take_along_axis(places, _sorted_places(np.take_along_axis(loss, places, axis=1), n), axis=1)


def _sorted_places(loss: Float32Array, n: int) -> npt.NDArray[np.intp]:
    """Return the same, from all numbers at once.

    A key is the number's bits, inverted, so that a negative number of larger magnitude comes first, and then its place.
    numpy sorts such keys with vector instructions, but not places by numbers.
    """
    keys = np.empty(loss.shape, dtype=np.uint64)
    np.left_shift(~np.ascontiguousarray(loss).view(np.uint32), np.uint64(32), out=keys)
    keys |= np.arange(loss.shape[1], dtype=np.uint64)
    if n < loss.shape[1]:
        keys.partition(n - 1, axis=1)
    least = keys[:, :n]
    least.sort(axis=1)
    return (least & np.uint64(0xFFFFFFFF)).astype(np.intp)
