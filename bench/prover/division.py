"""Best-first division of the set at its inputs: each part has bounds of its own and is searched on its own.

Where the set has few inputs, parts soon have few unstable ReLUs, and their bounds are narrow: property 1 of an ACAS Xu
network with 300 ReLUs takes 171 parts, and is open after 10,000 splits of ReLUs over the whole set. A part is divided
when a short search over it has not decided it, at the input that moves the relaxation's unstable ReLUs most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.proofs.proof_file import INPUT
from vnnbench.instances.proofs.question import Part
from vnnbench.instances.proofs.writing import Node, Split
from vnnbench.prover.best_first import BestFirst
from vnnbench.prover.candidates import Reached
from vnnbench.prover.proven_bounds import prove_bounds
from vnnbench.prover.search import Budget, Ending, Search
from vnnbench.prover.setting import Setting
from vnnbench.prover.sound import SoundBounds

_CASES = 24
"""The cases that are bounded over a part before it is divided."""
_FEW_UNSTABLE = 10
"""A part with at most so many unstable ReLUs is searched to the end."""
_MOST_OPEN = 5_000
"""With more open parts, the newest are divided first; each takes some 100 KB."""


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    """A part that is not closed: its number, its bounds, its search, and its node of the tree, which is empty so
    far."""

    number: int
    sound: SoundBounds
    search: Search
    node: Node

    @property
    def is_simple(self) -> bool:
        """Whether few ReLUs are unstable."""
        return int(np.count_nonzero(self.sound.bounds.unstable(self.sound.chain.relu))) <= _FEW_UNSTABLE


class Division:
    """The division of a setting's set.

    n_cases: of all searches. largest_closing: the largest bound that closes a disjunct somewhere, which no value
    exceeds if all is closed.
    """

    def __init__(self, setting: Setting) -> None:
        self.n_cases, self.largest_closing = 0, -float("inf")
        self._setting, self._reached, self._root = setting, Reached(), Node()
        self._open: BestFirst[_Open] = BestFirst(_MOST_OPEN)
        self._n_parts = 0

    def run(self, is_over: Callable[[], bool]) -> Ending:
        """Divide until the aim is reached, all is closed, or `is_over()`."""
        if not self._n_parts:
            whole = SoundBounds(self._setting.question, self._setting.chain)
            self._search(whole, frozenset(), self._root, is_over)
        while not self._setting.aim.is_reached:
            if not self._open:
                return Ending.EXCLUDED
            if is_over():
                return Ending.BUDGET
            one = self._open.pop()
            if one.search.bound <= self._setting.aim.level and self._run(one, is_over) is Ending.EXCLUDED:
                self._close(one)
            elif not self._divide(one, is_over):
                self._open.push(one.search.bound, one.number, one)
                return Ending.STALLED
        return Ending.WITNESS

    @property
    def bound(self) -> float:
        """The largest bound of an open part."""
        return max((one.search.bound for one in self._open), default=-float("inf"))

    def finish(self, seconds: float) -> None:
        """Close all open parts at the bounds that they have, in about `seconds`."""
        for one in self._open:
            one.search.finish(seconds / len(self._open))
            self._close(one)
        self._open = BestFirst(_MOST_OPEN)

    def nodes(self) -> Node:
        """Return the tree as a proof holds it, complete if no part is open."""
        return self._root

    def _search(self, sound: SoundBounds, closed: frozenset[int], node: Node, is_over: Callable[[], bool]) -> None:
        """Search over a part, and keep it if that does not close it. sound: with the bounds that are known there."""
        self._n_parts += 1
        setting = self._setting.within(sound.part)
        proven = prove_bounds(sound, setting.network, None, is_over)
        search = Search(setting, sound, proven, closed, self._reached)
        one = _Open(self._n_parts, sound, search, node)
        if self._run(one, is_over) is Ending.EXCLUDED:
            self._close(one)
        else:
            self._open.push(one.search.bound, one.number, one)

    def _run(self, one: _Open, is_over: Callable[[], bool]) -> Ending:
        """Search over a part, or search on."""
        before = one.search.n_cases
        ending = one.search.run(Budget(float("inf") if one.is_simple else before + _CASES, is_over, float("inf")))
        self.n_cases += one.search.n_cases - before
        return ending

    def _divide(self, one: _Open, is_over: Callable[[], bool]) -> bool:
        """Divide a part, and search over both halves; return whether it can be divided."""
        place = _widest(one.sound.part, one.search.influence())
        if place is None:
            return False
        self._record(one)
        one.node.split, one.node.children = Split(INPUT, *place), (Node(), Node())
        closed = one.search.closed_at_root()
        for part, node in zip(one.sound.part.split(*place), one.node.children, strict=True):
            self._search(one.sound.within(part), closed, node, is_over)
        return True

    def _close(self, one: _Open) -> None:
        """Take the tree of a part's search, which is complete."""
        root = self._record(one)
        one.node.split, one.node.children = root.split, root.children

    def _record(self, one: _Open) -> Node:
        """Take the bounds and closings at the root of a part's search, which is returned."""
        root = one.search.nodes()
        one.node.bounds, one.node.closings = root.bounds, root.closings
        self.largest_closing = max(self.largest_closing, one.search.largest_closing)
        return root


def _widest(part: Part, influence: Float64Array) -> tuple[int, float] | None:
    """Return the input whose range times its influence (n_0,) is largest, and the middle of its range; None if all
    ranges are points.

    The middle is within half the ball's radius of its centre, so that neither half is empty.
    """
    lower, upper = part.lower, part.upper
    if part.radius is not None:
        lower = np.maximum(lower, part.centre - float(part.radius))
        upper = np.minimum(upper, part.centre + float(part.radius))
    middle = lower + (upper - lower) / 2
    is_inside = (part.lower < middle) & (middle < part.upper)
    if not is_inside.any():
        return None
    i = int(np.where(is_inside, influence * (upper - lower), -np.inf).argmax())
    return i, float(middle[i])
