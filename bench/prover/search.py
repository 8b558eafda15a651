"""Best-first branch and bound over the phases of ReLUs, for all disjuncts of a goal in one tree.

A node keeps a case for each disjunct that is not closed at it or above it. The nodes with the largest bounds are split
first, many at a time, each on the ReLU that the case with its largest bound names. A case whose bound does not exceed
the aim's level in float32 is bounded soundly, with its choices as a proof holds them, and closes its disjunct only if
that succeeds. A case whose ReLUs are all fixed or stable is solved as a linear program.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float32Array, Float64Array
from vnnbench.instances.proofs.reading import Fixed, OfDisjunct, Pass
from vnnbench.instances.proofs.writing import Closing, Node, ProvenBound
from vnnbench.prover.best_first import BestFirst
from vnnbench.prover.candidates import Candidates, Reached
from vnnbench.prover.cases import BYTES_OF_NEURON, Cases
from vnnbench.prover.goal import ShareArray
from vnnbench.prover.growing_tree import ROOT, GrowingTree
from vnnbench.prover.linear_regions import LinearRegions
from vnnbench.prover.relaxed import Relaxed
from vnnbench.prover.setting import Setting
from vnnbench.prover.sound import SoundBounds, choices_of
from vnnbench.prover.steps import AT_FIRST, OF_CASE, Schedule, descend

_OPEN_NODES = (100, 1_000, 10_000)
"""The numbers of open nodes at which a tree is remembered, to show an interval when time ends. More than the largest
make its file large and the interval hardly narrower."""


class Ending(StrEnum):
    """Why a search ended."""

    EXCLUDED = "excluded"
    WITNESS = "witness"
    BUDGET = "budget"
    STALLED = "stalled"


@dataclass(frozen=True, slots=True)
class Budget:
    """What a search may use: the cases that it bounds, the time until `is_over()`, and the bytes of open nodes.

    Where these take more, the newest are split first, so that there are hardly more.
    """

    cases: float
    is_over: Callable[[], bool]
    open_bytes: float


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A node of the tree: its number, the phases that are fixed there, and the disjuncts that are closed at it or above
    it."""

    number: int
    fixed: Fixed
    closed: frozenset[int]


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    """A node that is not closed.

    cases: the rows `rows` are its own, one for each disjunct that is not closed. They all name the ReLU `split`, which
    the case with the largest bound would split; -1 if there is none. shares (d, a): of these disjuncts' atoms, for the
    next steps. bound: the largest of these cases. is_solved: whether linear programs were solved in place of a split.
    """

    place: _Place
    cases: Cases
    rows: range
    shares: ShareArray
    bound: float
    split: int
    is_solved: bool


class Search:
    """A search over a setting's set.

    n_cases: the number of cases that were bounded. largest_closing: the largest bound that closes a disjunct, which no
    value exceeds if the tree is complete.
    """

    def __init__(
        self,
        setting: Setting,
        sound: SoundBounds,
        proven: Sequence[ProvenBound],
        closed: frozenset[int] = frozenset(),
        reached: Reached | None = None,
    ) -> None:
        """sound, proven: with the bounds of the pre-activations, and what a proof records of them. closed: the
        disjuncts that are closed above the root. reached: what ascents in other parts of the set have reached, if it
        is to be shared."""
        self.n_cases, self.largest_closing = 0, -float("inf")
        self._question, self._chain, self._aim = setting.question, setting.chain, setting.aim
        setting = setting.without_off(sound.bounds)
        self._network, self._goal = setting.network, setting.goal
        self._tree, self._proven, self._closed = GrowingTree(), proven, closed
        self._lines = self._network.lines(sound.bounds, len(self._chain.layers))
        self._sound = sound
        self._regions = LinearRegions(self._question, self._chain, sound.part, sound.bounds)
        self._candidates = Candidates(setting, self._regions, reached or Reached())
        self._first_bound, self._first_A = float("inf"), np.zeros(len(self._network.neurons), dtype=np.float32)
        self._open: BestFirst[_Open] = BestFirst(float("inf"))
        self._early: list[tuple[BestFirst[_Open], int]] = []  # what `finish` may go back to
        self._seconds = 0.0  # what the cases have taken

    def run(self, budget: Budget) -> Ending:
        """Search, or search on, until the aim is reached, all is closed, or the budget is used up."""
        started = time.monotonic()
        try:
            return self._run(budget)
        finally:
            self._seconds += time.monotonic() - started

    def _run(self, budget: Budget) -> Ending:
        bytes_of_node = len(self._question.disjuncts) * len(self._network.neurons) * BYTES_OF_NEURON
        self._open.most = budget.open_bytes / bytes_of_node
        if not self.n_cases:
            self._start()
        while not self._aim.is_reached:
            if not self._open:
                return Ending.EXCLUDED
            if self.n_cases > budget.cases or budget.is_over():
                return Ending.BUDGET
            if len(self._early) < len(_OPEN_NODES) and len(self._open) >= _OPEN_NODES[len(self._early)]:
                self._early.append((self._open.copy(), self._tree.n_nodes))
            taken = self._pop()
            above = [one for one in taken if one.bound > self._aim.level]
            if any(one.is_solved for one in above):
                for one in taken:
                    self._open.push(one.bound, one.place.number, one)
                return Ending.STALLED
            self._close_again([one for one in taken if one.bound <= self._aim.level])
            self._branch([one for one in above if one.split >= 0])
            self._solve([one for one in above if one.split < 0])
        return Ending.WITNESS

    @property
    def bound(self) -> float:
        """The largest bound of an open node."""
        return max((one.bound for one in self._open), default=-float("inf"))

    @property
    def doublings_left(self) -> float:
        """How often the number of cases must still be doubled, if the largest bound falls as far with each."""
        bound = self.bound
        fallen = self._first_bound - bound
        return (bound - self._aim.level) * math.log2(self.n_cases) / fallen if fallen > 0 else float("inf")

    def influence(self) -> Float64Array:
        """Return how much each input (n_0,) moves the unstable ReLUs in the case with the largest bound at the root."""
        return self._network.influence(self._first_A, self._lines)

    def closed_at_root(self) -> frozenset[int]:
        """Return the disjuncts that are closed over the whole set."""
        return self._closed | {closing.disjunct for closing in self._tree.closings(ROOT)}

    def nodes(self) -> Node:
        """Return the tree as a proof holds it: complete if the search ended as `EXCLUDED`, or after `finish`."""
        return self._tree.nodes(self._chain, self._proven)

    def finish(self, seconds: float) -> None:
        """Close every open node at the bounds that it has, and offer the best point, though it may not be wanted.

        The tree is cut back to what it was with fewer open nodes where so many cannot be closed in about `seconds`, or
        exceed `_OPEN_NODES`.
        """
        if self._open:
            self._candidates.offer_best()
            affordable = seconds * self.n_cases / self._seconds
            if self._early and len(self._open) > min(affordable, _OPEN_NODES[-1]):
                earlier = [one for one in self._early if len(one[0]) <= affordable]
                self._open, n_nodes = earlier[-1] if earlier else self._early[0]
                self._tree.cut(n_nodes)
        while self._open:
            nodes = self._pop()
            cases, shares, owner = _gathered(nodes)
            functions, passes = self._passes(_places(nodes), owner, shares, cases, np.arange(len(shares)))
            bounds = self._sound.of(passes).tolist()
            for number, one in enumerate(nodes):
                rows = {functions[row].disjunct: row for row in np.flatnonzero(owner == number).tolist()}
                for row in self._cheapest_clause(one.place.closed, rows, bounds):
                    self._record(one.place.number, functions[row], passes[row], bounds[row])

    def _cheapest_clause(self, closed: frozenset[int], rows: dict[int, int], bounds: list[float]) -> list[int]:
        """Return the rows of the open disjuncts of the clause where their largest bound is least."""
        clauses = [
            [rows[disjunct] for disjunct in clause if disjunct not in closed] for clause in self._question.clauses
        ]
        return min(clauses, key=lambda of_clause: max(bounds[row] for row in of_clause))

    def _start(self) -> None:
        shares = self._goal.atoms()
        undivided = self._sound.undivided(len(shares), self._network.neurons)
        cases, relaxed = self._descend(undivided, shares, AT_FIRST)
        self._candidates.try_points(relaxed.points)
        least = self._goal.least(cases.value)
        least = least[[disjunct not in self._closed for disjunct in range(len(least))]]
        self._first_A = relaxed.A[least[cases.value[least].argmax()]]
        A = relaxed.A[least]
        root = _Place(ROOT, Fixed(), self._closed)
        self._receive([root], np.zeros_like(least), shares[least], cases.rows(least), A)
        self._first_bound = self.bound

    def _branch(self, nodes: list[_Open]) -> None:
        """Split the nodes, and bound both cases of each."""
        if not nodes:
            return
        cases, shares, owner = _gathered(nodes)
        shares = np.repeat(shares, 2, axis=0)
        above = np.repeat(cases.value, 2)
        cases, relaxed = self._descend(cases.children(), shares, OF_CASE)
        np.minimum(cases.value, above, out=cases.value)  # what holds in a node holds in its children
        self._candidates.try_points(relaxed.points.rows(np.flatnonzero(cases.value > self._aim.level)))
        places = []
        for one, neuron in zip(nodes, self._network.neurons[[one.split for one in nodes]].tolist(), strict=True):
            first = self._tree.split(one.place.number, neuron)
            places += [
                _Place(first + i, fixed, one.place.closed) for i, fixed in enumerate(one.place.fixed.both(neuron))
            ]
        owner = np.repeat(2 * owner, 2) + np.tile([0, 1], len(owner))
        self._receive(places, owner, shares, cases, relaxed.A)

    def _close_again(self, nodes: list[_Open]) -> None:
        """Close nodes whose bounds the level has reached since they were bounded."""
        if nodes:
            cases, shares, owner = _gathered(nodes)
            self._receive(_places(nodes), owner, shares, cases)

    def _solve(self, nodes: list[_Open]) -> None:
        """Bound nodes without a ReLU to split by linear programs, whose solutions are offered as points."""
        if not nodes:
            return
        cases, shares, owner = _gathered(nodes)
        places, rows = _places(nodes), np.arange(len(shares))
        solved, shares_of_solved = self._solved(cases, shares)
        before = self._sound.of(self._passes(places, owner, shares, cases, rows)[1])
        after = self._sound.of(self._passes(places, owner, shares_of_solved, solved, rows)[1])
        better = np.flatnonzero(after < before)
        cases.put(better, solved.rows(better))
        shares[better] = shares_of_solved[better]
        cases.value[:] = np.nextafter(np.minimum(before, after).astype(np.float32), np.float32(np.inf))
        self._receive(places, owner, shares, cases, is_solved=True)

    def _solved(self, cases: Cases, shares: ShareArray) -> tuple[Cases, ShareArray]:
        """Return the cases with the choices, and the shares of atoms, that linear programs find."""
        solved, shares = cases.rows(np.arange(len(shares))), shares.copy()
        for row, disjunct in enumerate(self._goal.disjuncts(shares).tolist()):
            A, constant = self._goal.atoms_of(disjunct)
            phase = self._network.at_all(solved.phase[[row]])[0]
            vertex = self._regions.maximum(A, constant, phase)
            if vertex is not None:
                self._candidates.offer_solution(vertex.x)
            if vertex is not None and len(A) > 1:
                shares[row] = self._goal.shares_of(disjunct, vertex.weights)
                mean = self._goal.functions(shares[[row]])
                vertex = self._regions.maximum(mean.A, mean.constant, phase)
            self.n_cases += 1
            if vertex is not None:
                solved.choice[row] = vertex.multipliers[self._network.neurons]
                solved.of_constraints[row] = vertex.constraint_multipliers
        return solved, shares

    def _descend(self, cases: Cases, shares: ShareArray, schedule: Schedule) -> tuple[Cases, Relaxed]:
        self.n_cases += len(shares)
        return descend(self._network, self._goal.functions(shares), self._lines, cases, schedule)

    def _receive(
        self,
        places: list[_Place],
        owner: npt.NDArray[np.intp],
        shares: ShareArray,
        cases: Cases,
        A: Float32Array | None = None,
        is_solved: bool = False,
    ) -> None:
        """Close what these cases close, and keep the nodes that stay open.

        places, is_solved: of the nodes, as in `_Open`. owner: (m,), whose case each is, counted among them.
        A (m, n): the coefficients of activations; None: all cases of a node name one ReLU already.
        """
        is_closed, closed = self._close(places, owner, shares, cases), [place.closed for place in places]
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
        shares, cases, owner = shares[kept], cases.rows(kept), owner[kept]
        # In float32 a bound may seem to meet the level that it just exceeds.
        np.maximum(cases.value, np.nextafter(np.float32(self._aim.level), np.float32(np.inf)), out=cases.value)
        bounds = np.maximum.reduceat(cases.value, starts).tolist()
        splits, nodes = cases.split[starts], owner[starts].tolist()
        ends = [*starts[1:].tolist(), len(kept)]
        if A is not None:
            cases = cases.naming(np.repeat(splits, np.subtract(ends, starts)), A[kept])
        for node, bound_of_node, split, start, end in zip(
            nodes, bounds, splits.tolist(), starts.tolist(), ends, strict=True
        ):
            rows = range(start, end)
            place = _Place(places[node].number, places[node].fixed, closed[node])
            one = _Open(place, cases, rows, shares[start:end], bound_of_node, split, is_solved)
            self._open.push(bound_of_node, place.number, one)

    def _pop(self) -> list[_Open]:
        """Take the nodes that come first off the open ones."""
        return [self._open.pop() for _ in range(min(self._network.device.nodes_at_a_time, len(self._open)))]

    def _close(
        self, places: list[_Place], owner: npt.NDArray[np.intp], shares: ShareArray, cases: Cases
    ) -> npt.NDArray[np.bool_]:
        """Record the closings that hold, and return which of the cases (m,) they close."""
        closed = cases.value <= self._aim.level
        rows = np.flatnonzero(closed)
        functions, passes = self._passes(places, owner, shares, cases, rows)
        bounds, closed[rows] = self._sound.shown(passes)
        for row, function, one, bound in zip(rows.tolist(), functions, passes, bounds.tolist(), strict=True):
            if closed[row]:
                self._record(places[owner[row]].number, function, one, bound)
        return closed

    def _passes(
        self,
        places: list[_Place],
        owner: npt.NDArray[np.intp],
        shares: ShareArray,
        cases: Cases,
        rows: npt.NDArray[np.intp],
    ) -> tuple[list[OfDisjunct], list[Pass]]:
        """Return the functions of some of the cases, and their passes with the limits that close them."""
        if not len(rows):
            return [], []
        functions = [self._goal.mean(shares[row]) for row in rows.tolist()]
        passes = self._sound.passes(
            functions,
            [places[node].fixed for node in owner[rows].tolist()],
            self._network.at_all(cases.choice[rows]),
            cases.of_constraints[rows],
            (cases.split[rows] < 0) | self._aim.is_fine,
            [self._aim.limit(function) for function in functions],
        )
        return functions, passes

    def _record(self, number: int, function: OfDisjunct, one: Pass, bound: float) -> None:
        """Record that a pass closes its disjunct at a node."""
        self.largest_closing = max(self.largest_closing, bound)
        weights = tuple(map(float, function.weights)) if len(function.weights) > 1 else ()
        self._tree.close(number, Closing(function.disjunct, choices_of(one), weights))


def _places(nodes: Sequence[_Open]) -> list[_Place]:
    return [one.place for one in nodes]


def _gathered(nodes: Sequence[_Open]) -> tuple[Cases, ShareArray, npt.NDArray[np.intp]]:
    """Return the cases (m,) of all nodes, their shares, and whose each is."""
    cases = Cases.gathered([(one.cases, row) for one in nodes for row in one.rows])
    owner = np.repeat(np.arange(len(nodes)), [len(one.shares) for one in nodes])
    return cases, np.concatenate([one.shares for one in nodes]), owner
