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

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.reading import Bounds
from vnnbench.instances.proofs.writing import Closing
from vnnbench.prover.ascent import ascend
from vnnbench.prover.cases import Cases
from vnnbench.prover.goal import SearchGoal
from vnnbench.prover.growing_tree import ROOT, GrowingTree
from vnnbench.prover.relaxed import Lines, Relaxed, RelaxedNetwork
from vnnbench.prover.sound import SoundBounds, choices_of
from vnnbench.prover.steps import AT_FIRST, OF_CASE, Schedule, descend

_NODES_AT_A_TIME = 64
_POINTS_AT_A_TIME = 2
"""The number of points of each step that ascend."""
_AGAIN = Schedule(60, length=0.1, ratio=0.95)
"""For a case without a ReLU to split, whose linear program is not solved yet."""


class Ending(StrEnum):
    """Why a search ended."""

    EXCLUDED = "excluded"
    WITNESS = "witness"
    BUDGET = "budget"
    STALLED = "stalled"


@dataclass(frozen=True, slots=True)
class Budget:
    """What a search may use: cases that it bounds, nodes that are open at a time, and time until `is_over()`."""

    cases: float
    open_nodes: float
    is_over: Callable[[], bool]


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    """A node that is not closed.

    number: in the tree. closed: the disjuncts that are closed at it or above it. cases: the rows `rows` are its own,
    each for one of the atoms `atoms` (d,). split: the ReLU that the case with the largest bound names, of those that
    name one; -1 if none does.
    """

    number: int
    closed: frozenset[int]
    cases: Cases
    rows: range
    atoms: npt.NDArray[np.intp]
    split: int


class Search:
    """A search over the whole set.

    tree: complete if the search ended as `EXCLUDED`. witness: the point that was found, None without one.
    n_cases: the number of cases that were bounded. largest_closing: the largest bound that closes a disjunct, which no
    value exceeds if the search ended as `EXCLUDED`.
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
        self.tree, self.n_cases, self.largest_closing = GrowingTree(), 0, -float("inf")
        self.witness: Float64Array | None = None
        self._question, self._chain, self._network, self._as_witness = question, chain, network, as_witness
        self._goal = SearchGoal(question, chain)
        self._lines = Lines.of(bounds, chain.relu, len(chain.relu))
        self._sound = SoundBounds(question, chain, bounds)
        self._open: list[tuple[float, int, _Open]] = []  # a heap, the largest bound first, then the number

    def run(self, budget: Budget) -> Ending:
        """Search until the question is answered or the budget is used up."""
        self._start()
        while self.witness is None:
            if not self._open:
                return Ending.EXCLUDED
            if self.n_cases > budget.cases or len(self._open) > budget.open_nodes or budget.is_over():
                return Ending.BUDGET
            taken = [heapq.heappop(self._open)[2] for _ in range(min(_NODES_AT_A_TIME, len(self._open)))]
            without_split = [one for one in taken if one.split < 0]
            if without_split:
                self._descend_again(without_split)
                if any(one.split < 0 for _, _, one in self._open):
                    return Ending.STALLED
            self._branch([one for one in taken if one.split >= 0])
        return Ending.WITNESS

    @property
    def bound(self) -> float:
        """The largest bound of an open node."""
        return max((-key for key, _, _ in self._open), default=-float("inf"))

    def _start(self) -> None:
        functions = self._goal.functions
        slopes, every = self._sound.default_slopes(len(self._chain.relu)), np.arange(len(functions.A))
        cases, relaxed = self._descend(Cases.undivided(len(every), slopes), every, AT_FIRST)
        self._try_points(relaxed, every)
        atoms = np.array(self._goal.least_atoms(cases.value.tolist()))
        self._receive([ROOT], [frozenset()], np.zeros_like(atoms), atoms, cases.rows(atoms))

    def _branch(self, nodes: list[_Open]) -> None:
        """Split the nodes, and bound both cases of each."""
        if not nodes:
            return
        sizes = [len(one.atoms) for one in nodes]
        cases = Cases.gathered([(one.cases, row) for one in nodes for row in one.rows])
        children = cases.children(np.repeat([one.split for one in nodes], sizes))
        atoms = np.repeat(np.concatenate([one.atoms for one in nodes]), 2)
        cases, relaxed = self._descend(children, atoms, OF_CASE)
        self._try_points(relaxed, np.flatnonzero(cases.value > 0))
        first = [self.tree.split(one.number, one.split) for one in nodes]
        numbers = [number for below in first for number in (below, below + 1)]
        owner = np.repeat(2 * np.repeat(np.arange(len(nodes)), sizes), 2) + np.tile([0, 1], sum(sizes))
        self._receive(numbers, [one.closed for one in nodes for _ in range(2)], owner, atoms, cases)

    def _descend_again(self, nodes: list[_Open]) -> None:
        """Take more steps in nodes without a ReLU to split."""
        cases = Cases.gathered([(one.cases, row) for one in nodes for row in one.rows])
        atoms = np.concatenate([one.atoms for one in nodes])
        cases, relaxed = self._descend(cases, atoms, _AGAIN)
        self._try_points(relaxed, np.arange(len(atoms)))
        owner = np.repeat(np.arange(len(nodes)), [len(one.atoms) for one in nodes])
        self._receive([one.number for one in nodes], [one.closed for one in nodes], owner, atoms, cases)

    def _descend(self, cases: Cases, atoms: npt.NDArray[np.intp], schedule: Schedule) -> tuple[Cases, Relaxed]:
        self.n_cases += len(atoms)
        return descend(self._network, self._goal.functions.rows(atoms), self._lines, cases, schedule)

    def _receive(
        self,
        numbers: list[int],
        closed: list[frozenset[int]],
        owner: npt.NDArray[np.intp],
        atoms: npt.NDArray[np.intp],
        cases: Cases,
    ) -> None:
        """Close what these cases close, and keep the nodes that stay open.

        numbers, closed: of the nodes, as in `_Open`. owner: (m,), whose case each is, counted among these nodes.
        """
        is_closed = self._close(numbers, owner, atoms, cases)
        for node, disjunct in zip(
            owner[is_closed].tolist(), self._goal.disjunct[atoms[is_closed]].tolist(), strict=True
        ):
            closed[node] |= {disjunct}
        is_open = np.array([not self._question.is_shown(of_node) for of_node in closed])
        kept = np.flatnonzero(~is_closed & is_open[owner])
        if not len(kept):
            return
        bound = np.where(cases.split[kept] >= 0, cases.value[kept], -np.inf)
        kept = kept[np.lexsort((-bound, owner[kept]))]  # by owner, and the case to split first
        starts = np.flatnonzero(np.diff(owner[kept], prepend=-1))
        cases, atoms, owner = cases.rows(kept), atoms[kept], owner[kept]
        bounds = np.maximum.reduceat(cases.value, starts).tolist()
        splits, nodes = cases.split[starts].tolist(), owner[starts].tolist()
        ends = [*starts[1:].tolist(), len(kept)]
        for node, bound_of_node, split, start, end in zip(nodes, bounds, splits, starts.tolist(), ends, strict=True):
            one = _Open(numbers[node], closed[node], cases, range(start, end), atoms[start:end], split)
            heapq.heappush(self._open, (-bound_of_node, one.number, one))

    def _close(
        self, numbers: list[int], owner: npt.NDArray[np.intp], atoms: npt.NDArray[np.intp], cases: Cases
    ) -> npt.NDArray[np.bool_]:
        """Record the closings that hold, and return which of the cases (m,) they close."""
        closed = cases.value <= 0
        rows = np.flatnonzero(closed).tolist()
        functions = [self._goal.single(atom) for atom in atoms[rows].tolist()]
        passes = [
            self._sound.pass_of(
                function,
                self.tree.path(numbers[owner[row]]),
                cases.choice[row],
                self._question.limit(function.disjunct, function.weights),
            )
            for row, function in zip(rows, functions, strict=True)
        ]
        for row, function, one, bound in zip(rows, functions, passes, self._sound.of(passes).tolist(), strict=True):
            closed[row] = bound < one.limit or (bound == one.limit and one.or_equal)
            if closed[row]:
                self.largest_closing = max(self.largest_closing, bound)
                weights = tuple(map(float, function.weights)) if len(function.weights) > 1 else ()
                self.tree.close(numbers[owner[row]], Closing(function.disjunct, choices_of(one), weights))
        return closed

    def _try_points(self, relaxed: Relaxed, rows: npt.NDArray[np.intp]) -> None:
        """Take a point as the witness if it is one, after an ascent from where the relaxations of `rows` attain their
        bounds; only the best of these points ascend."""
        points = relaxed.points.rows(rows)
        values, _ = self._goal.values(self._network.forward(points)[-1])
        best = np.argsort(-values, kind="stable")[:_POINTS_AT_A_TIME]
        if not len(best):
            return
        points, values = ascend(self._network, self._goal, points.rows(best))
        highest = int(values.argmax())
        if values[highest] >= 0:
            self.witness = self._as_witness(self._network.region.centre + points.steps[highest])
