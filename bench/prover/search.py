"""Best-first branch and bound over the phases of ReLUs, for all disjuncts of a goal in one tree.

A node keeps a case for each disjunct that is not closed at it or above it. The nodes with the largest bounds are split
first, many at a time, each on the ReLU that the case with its largest bound names. A case whose bound is below 0 in
float32 is bounded soundly, with its choices as a proof holds them, and closes its disjunct only if that succeeds.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float32Array, Float64Array
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.reading import Bounds
from vnnbench.instances.proofs.writing import Closing
from vnnbench.prover.ascent import ascend
from vnnbench.prover.cases import Cases
from vnnbench.prover.goal import SearchGoal, ShareArray
from vnnbench.prover.growing_tree import ROOT, GrowingTree
from vnnbench.prover.relaxed import Lines, Relaxed, RelaxedNetwork
from vnnbench.prover.sound import SoundBounds, choices_of
from vnnbench.prover.steps import AT_FIRST, OF_CASE, Schedule, descend

_NODES_AT_A_TIME = 128
_ASCENTS_APART = 8
"""How many times nodes are split from one ascent to the next, unless a point is better than all before."""
_AGAIN = Schedule(60, length=0.1, ratio=0.95)
"""For a case without a ReLU to split, whose linear program is not solved yet."""
_TRIES = 8
"""How often such steps are taken."""


class Ending(StrEnum):
    """Why a search ended."""

    EXCLUDED = "excluded"
    WITNESS = "witness"
    BUDGET = "budget"
    STALLED = "stalled"


@dataclass(frozen=True, slots=True)
class Budget:
    """What a search may use: the cases that it bounds, the time until `is_over()`, and the nodes that are open.

    With more open nodes the newest are split first, so that there are hardly more.
    """

    cases: float
    is_over: Callable[[], bool]
    open_nodes: float


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    """A node that is not closed.

    number: in the tree. closed: the disjuncts that are closed at it or above it. cases: the rows `rows` are its own,
    one for each disjunct that is not closed. shares (d, a): of these disjuncts' atoms, for the next steps. bound: the
    largest of these cases. split: the ReLU that the case with the largest bound names, of those that name one; -1 if
    none does. tries: how often more steps were taken in place of a split.
    """

    number: int
    closed: frozenset[int]
    cases: Cases
    rows: range
    shares: ShareArray
    bound: float
    split: int
    tries: int


class Search:
    """A search over the whole set.

    tree: complete if the search ended as `EXCLUDED`. witness: the point that was found, None without one.
    n_cases: the number of cases that were bounded. first_bound: the largest bound before any split. largest_closing:
    the largest bound that closes a disjunct, which no value exceeds if the search ended as `EXCLUDED`.
    """

    def __init__(
        self,
        question: Question,
        chain: Chain,
        network: RelaxedNetwork,
        bounds: Bounds,
        as_witness: Callable[[Float64Array], Float64Array | None],
    ) -> None:
        """bounds: of the pre-activations. as_witness: returns a point, repaired into the set, if it answers the
        question exactly, else None; the search asks about points that do so up to rounding."""
        self.tree, self.n_cases, self.first_bound = GrowingTree(), 0, float("inf")
        self.largest_closing = -float("inf")
        self.witness: Float64Array | None = None
        self._question, self._chain, self._network, self._as_witness = question, chain, network, as_witness
        self._goal = SearchGoal(question, chain)
        self._lines = Lines.of(bounds, chain.relu, len(chain.relu))
        self._sound = SoundBounds(question, chain, bounds)
        self._best_start, self._n_tries = -float("inf"), 0
        self._open: list[tuple[float, int, _Open]] = []  # a heap: what is split first has the least two numbers
        self._most_open = float("inf")

    def run(self, budget: Budget) -> Ending:
        """Search, or search on, until the question is answered or the budget is used up."""
        self._most_open = budget.open_nodes
        if not self.n_cases:
            self._start()
        while self.witness is None:
            if not self._open:
                return Ending.EXCLUDED
            if self.n_cases > budget.cases or budget.is_over():
                return Ending.BUDGET
            taken = [heapq.heappop(self._open)[2] for _ in range(min(_NODES_AT_A_TIME, len(self._open)))]
            if any(one.tries == _TRIES for one in taken):
                for one in taken:
                    self._push(one)
                return Ending.STALLED
            self._branch([one for one in taken if one.split >= 0])
            self._descend_again([one for one in taken if one.split < 0])
        return Ending.WITNESS

    @property
    def bound(self) -> float:
        """The largest bound of an open node."""
        return max((one.bound for _, _, one in self._open), default=-float("inf"))

    def _start(self) -> None:
        shares = self._goal.atoms()
        undivided = Cases.undivided(len(shares), self._sound.default_slopes(len(self._chain.relu)))
        cases, relaxed = self._descend(undivided, shares, AT_FIRST)
        self._try_points(relaxed, np.arange(len(shares)))
        least = self._goal.least(cases.value)
        self._receive([ROOT], [frozenset()], np.zeros_like(least), shares[least], cases.rows(least), relaxed.z[least])
        self.first_bound = self.bound

    def _branch(self, nodes: list[_Open]) -> None:
        """Split the nodes, and bound both cases of each."""
        if not nodes:
            return
        sizes = [len(one.shares) for one in nodes]
        cases = Cases.gathered([(one.cases, row) for one in nodes for row in one.rows])
        children = cases.children(np.repeat([one.split for one in nodes], sizes))
        shares = np.repeat(np.concatenate([one.shares for one in nodes]), 2, axis=0)
        cases, relaxed = self._descend(children, shares, OF_CASE)
        self._try_points(relaxed, np.flatnonzero(cases.value > 0))
        first = [self.tree.split(one.number, one.split) for one in nodes]
        numbers = [number for below in first for number in (below, below + 1)]
        owner = np.repeat(2 * np.repeat(np.arange(len(nodes)), sizes), 2) + np.tile([0, 1], sum(sizes))
        self._receive(numbers, [one.closed for one in nodes for _ in range(2)], owner, shares, cases, relaxed.z)

    def _descend_again(self, nodes: list[_Open]) -> None:
        """Take more steps in nodes without a ReLU to split."""
        if not nodes:
            return
        cases = Cases.gathered([(one.cases, row) for one in nodes for row in one.rows])
        shares = np.concatenate([one.shares for one in nodes])
        cases, relaxed = self._descend(cases, shares, _AGAIN)
        self._try_points(relaxed, np.arange(len(shares)), always=True)
        owner = np.repeat(np.arange(len(nodes)), [len(one.shares) for one in nodes])
        tries = 1 + max(one.tries for one in nodes)
        self._receive(
            [one.number for one in nodes], [one.closed for one in nodes], owner, shares, cases, relaxed.z, tries
        )

    def _descend(self, cases: Cases, shares: ShareArray, schedule: Schedule) -> tuple[Cases, Relaxed]:
        self.n_cases += len(shares)
        return descend(self._network, self._goal.functions(shares), self._lines, cases, schedule)

    def _receive(
        self,
        numbers: list[int],
        closed: list[frozenset[int]],
        owner: npt.NDArray[np.intp],
        shares: ShareArray,
        cases: Cases,
        z: Float32Array,
        tries: int = 0,
    ) -> None:
        """Close what these cases close, and keep the nodes that stay open.

        numbers, closed, tries: of the nodes, as in `_Open`. owner: (m,), whose case each is, counted among these nodes.
        z: (m, n), where the bounds are attained.
        """
        is_closed = self._close(numbers, owner, shares, cases)
        disjuncts = self._goal.disjuncts(shares[is_closed]).tolist()
        for node, disjunct in zip(owner[is_closed].tolist(), disjuncts, strict=True):
            closed[node] |= {disjunct}
        is_open = np.array([not self._question.is_shown(of_node) for of_node in closed])
        kept = np.flatnonzero(~is_closed & is_open[owner])
        if not len(kept):
            return
        bound = np.where(cases.split[kept] >= 0, cases.value[kept], -np.inf)
        kept = kept[np.lexsort((-bound, owner[kept]))]  # by owner, and the case to split first
        starts = np.flatnonzero(np.diff(owner[kept], prepend=-1))
        shares = shares[kept]
        if tries:
            shares = self._goal.moved(shares, z[kept, self._chain.starts[-2] :], tries + 1)
        cases, owner = cases.rows(kept), owner[kept]
        bounds = np.maximum.reduceat(cases.value, starts).tolist()
        splits, nodes = cases.split[starts].tolist(), owner[starts].tolist()
        ends = [*starts[1:].tolist(), len(kept)]
        for node, bound_of_node, split, start, end in zip(nodes, bounds, splits, starts.tolist(), ends, strict=True):
            rows = range(start, end)
            self._push(_Open(numbers[node], closed[node], cases, rows, shares[start:end], bound_of_node, split, tries))

    def _push(self, one: _Open) -> None:
        newest_first = len(self._open) >= self._most_open
        key = (-float("inf"), -one.number) if newest_first else (-one.bound, one.number)
        heapq.heappush(self._open, (*key, one))

    def _close(
        self, numbers: list[int], owner: npt.NDArray[np.intp], shares: ShareArray, cases: Cases
    ) -> npt.NDArray[np.bool_]:
        """Record the closings that hold, and return which of the cases (m,) they close."""
        closed = cases.value <= 0
        rows = np.flatnonzero(closed).tolist()
        functions = [self._goal.mean(shares[row]) for row in rows]
        passes = [
            self._sound.pass_of(
                function,
                self.tree.path(numbers[owner[row]]),
                cases.choice[row],
                self._question.limit(function.disjunct, function.weights),
            )
            for row, function in zip(rows, functions, strict=True)
        ]
        for row, function, one, bound in zip(rows, functions, passes, self._sound.shown(passes), strict=True):
            closed[row] = bound is not None
            if bound is not None:
                self.largest_closing = max(self.largest_closing, bound)
                weights = tuple(map(float, function.weights)) if len(function.weights) > 1 else ()
                self.tree.close(numbers[owner[row]], Closing(function.disjunct, choices_of(one), weights))
        return closed

    def _try_points(self, relaxed: Relaxed, rows: npt.NDArray[np.intp], always: bool = False) -> None:
        """Ascend from the best of the points where the relaxations of `rows` attain their bounds, and take the point
        that is reached as the witness if it is one. Ascents are rare, unless `always` is true."""
        self._n_tries += 1
        points = relaxed.points.rows(rows)
        values, _ = self._goal.values(self._network.forward(points)[-1])
        best = int(values.argmax()) if len(values) else 0
        is_due = always or self._n_tries % _ASCENTS_APART == 0
        if not len(values) or not (is_due or values[best] > self._best_start):
            return
        self._best_start = max(self._best_start, float(values[best]))
        points, values = ascend(self._network, self._goal, points.rows(np.array([best])))
        if values[0] >= 0:
            self.witness = self._as_witness(self._network.region.centre + points.steps[0])
