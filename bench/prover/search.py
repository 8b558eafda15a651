"""Best-first branch and bound over the phases of ReLUs, for all disjuncts of a goal in one tree.

A node keeps a case for each disjunct that is not closed at it or above it. The nodes with the largest bounds are split
first, many at a time, each on the ReLU that the case with its largest bound names. A case whose bound is below 0 in
float32 is bounded soundly, with its choices as a proof holds them, and closes its disjunct only if that succeeds.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import count

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.reading import Bounds
from vnnbench.instances.proofs.writing import Closing, Node, ProvenBound
from vnnbench.prover.ascent import ascend
from vnnbench.prover.cases import Cases
from vnnbench.prover.goal import SearchGoal
from vnnbench.prover.relaxed import Lines, Relaxed, RelaxedNetwork
from vnnbench.prover.root_bounds import split_of
from vnnbench.prover.sound import Path, SoundBounds, choices_of
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
    """What a search may use: cases that it bounds, nodes that are open at a time, and the time, `time.monotonic()`."""

    cases: float = float("inf")
    open_nodes: float = float("inf")
    deadline: float = float("inf")


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A node of the tree, the splits above it, and the disjuncts that are closed at it or above it."""

    node: Node
    path: Path
    closed: frozenset[int]


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    """A node that is not closed, with a case for each of the atoms `atoms` (d,).

    bound: the largest of its cases. split: the ReLU that the case with the largest bound names, of those that name one;
    -1 if none does.
    """

    place: _Place
    atoms: npt.NDArray[np.intp]
    cases: Cases
    bound: float
    split: int

    @classmethod
    def of(cls, place: _Place, atoms: npt.NDArray[np.intp], cases: Cases) -> _Open:
        worst = np.where(cases.split >= 0, cases.value, -np.inf).argmax()
        return cls(place, atoms, cases, float(cases.value.max()), int(cases.split[worst]))


class Search:
    """A search over the whole set.

    root: the tree, complete if the search ended as `EXCLUDED`. witness: the point that was found, None without one.
    n_cases: the number of cases that were bounded.
    """

    def __init__(
        self,
        question: Question,
        chain: Chain,
        network: RelaxedNetwork,
        bounds: Bounds,
        proven: list[ProvenBound],
        is_witness: Callable[[Float64Array], bool],
    ) -> None:
        """bounds: of the pre-activations; proven: what a proof records of them. is_witness: whether a point answers the
        question, decided exactly; it is asked only about points that do so up to rounding."""
        self.root, self.n_cases = Node(bounds=proven), 0
        self.witness: Float64Array | None = None
        self._question, self._chain, self._network, self._is_witness = question, chain, network, is_witness
        self._goal = SearchGoal(question, chain)
        self._lines = Lines.of(bounds, chain.relu, len(chain.relu))
        self._sound = SoundBounds(question, chain, bounds)
        self._open: list[tuple[float, int, _Open]] = []  # a heap, the largest bound first
        self._numbers = count()

    def run(self, budget: Budget) -> Ending:
        """Search until the question is answered or the budget is used up."""
        self._start()
        while self.witness is None:
            if not self._open:
                return Ending.EXCLUDED
            if self.n_cases > budget.cases or len(self._open) > budget.open_nodes or time.monotonic() > budget.deadline:
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
        slopes = self._sound.default_slopes(len(self._chain.relu))
        cases, relaxed = self._descend(Cases.undivided(len(functions.A), slopes), np.arange(len(functions.A)), AT_FIRST)
        self._try_points(relaxed, np.arange(len(functions.A)))
        atoms = np.array(self._goal.least_atoms(cases.value.tolist()))
        self._receive([_Place(self.root, (), frozenset())], np.zeros_like(atoms), atoms, cases.rows(atoms))

    def _branch(self, nodes: list[_Open]) -> None:
        """Split the nodes, and bound both cases of each."""
        if not nodes:
            return
        sizes = [len(one.atoms) for one in nodes]
        split = np.repeat([one.split for one in nodes], sizes)
        children = Cases.joined([one.cases for one in nodes]).children(split)
        atoms = np.repeat(np.concatenate([one.atoms for one in nodes]), 2)
        cases, relaxed = self._descend(children, atoms, OF_CASE)
        is_open = np.flatnonzero(cases.value > 0)
        self._try_points(relaxed, is_open)
        owner = 2 * np.repeat(np.repeat(np.arange(len(nodes)), sizes), 2) + np.tile([0, 1], len(split))
        self._receive([place for one in nodes for place in self._places(one)], owner, atoms, cases)

    def _descend_again(self, nodes: list[_Open]) -> None:
        """Take more steps in nodes without a ReLU to split."""
        cases, atoms = Cases.joined([one.cases for one in nodes]), np.concatenate([one.atoms for one in nodes])
        owner = np.repeat(np.arange(len(nodes)), [len(one.atoms) for one in nodes])
        cases, relaxed = self._descend(cases, atoms, _AGAIN)
        self._try_points(relaxed, np.arange(len(atoms)))
        self._receive([one.place for one in nodes], owner, atoms, cases)

    def _descend(self, cases: Cases, atoms: npt.NDArray[np.intp], schedule: Schedule) -> tuple[Cases, Relaxed]:
        self.n_cases += len(atoms)
        return descend(self._network, self._goal.functions.rows(atoms), self._lines, cases, schedule)

    def _places(self, one: _Open) -> tuple[_Place, _Place]:
        """Split a node of the tree, and return the places of its children, z <= 0 first."""
        node, neuron = one.place.node, one.split
        node.split, node.children = split_of(self._chain, neuron), (Node(), Node())
        below, above = node.children
        return (
            _Place(below, (*one.place.path, -(neuron + 1)), one.place.closed),
            _Place(above, (*one.place.path, neuron + 1), one.place.closed),
        )

    def _receive(
        self, places: list[_Place], owner: npt.NDArray[np.intp], atoms: npt.NDArray[np.intp], cases: Cases
    ) -> None:
        """Close what these cases close, and keep the nodes that stay open; owner (m,): whose place each case is."""
        closed = self._close(places, owner, atoms, cases)
        order = np.argsort(owner, kind="stable")
        ends = np.searchsorted(owner[order], np.arange(len(places) + 1))
        for place, start, end in zip(places, ends, ends[1:], strict=False):
            rows = order[start:end]
            shut = place.closed | {int(self._goal.disjunct[atoms[row]]) for row in rows[closed[rows]]}
            if not self._question.is_shown(shut):
                rows = rows[~closed[rows]]
                one = _Open.of(_Place(place.node, place.path, shut), atoms[rows], cases.rows(rows))
                heapq.heappush(self._open, (-one.bound, next(self._numbers), one))

    def _close(
        self, places: list[_Place], owner: npt.NDArray[np.intp], atoms: npt.NDArray[np.intp], cases: Cases
    ) -> npt.NDArray[np.bool_]:
        """Record the closings that hold, and return which of the cases (m,) they close."""
        closed = cases.value <= 0
        rows = np.flatnonzero(closed).tolist()
        functions = [self._goal.single(atom) for atom in atoms[rows].tolist()]
        passes = [
            self._sound.pass_of(
                function,
                places[owner[row]].path,
                cases.choice[row],
                self._question.limit(function.disjunct, function.weights),
            )
            for row, function in zip(rows, functions, strict=True)
        ]
        for row, function, one, bound in zip(rows, functions, passes, self._sound.of(passes).tolist(), strict=True):
            closed[row] = bound < one.limit or (bound == one.limit and one.or_equal)
            if closed[row]:
                weights = tuple(map(float, function.weights)) if len(function.weights) > 1 else ()
                places[owner[row]].node.closings.append(Closing(function.disjunct, choices_of(one), weights))
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
            x = self._network.region.centre + points.steps[highest]
            self.witness = x if self._is_witness(x) else None
