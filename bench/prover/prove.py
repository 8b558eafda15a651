"""Proving one question: bounds and search in turns, each with more effort than before.

An ascent from the centre comes first: it takes a tenth of the time of the first bounds, and finds most counterexamples.
Narrow bounds make the tree smaller, but take longer than the whole search of an easy question. So each round proves the
bounds anew, with more splits of each, and then searches for half the time that the bounds of the next round would take.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vnnbench.instances.networks.network import Layered
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.reading import Bounds
from vnnbench.instances.proofs.writing import Node, ProvenBound
from vnnbench.prover.aim import Aim
from vnnbench.prover.candidates import Candidates
from vnnbench.prover.goal import SearchGoal
from vnnbench.prover.relaxed import RelaxedNetwork
from vnnbench.prover.root_bounds import prove_bounds
from vnnbench.prover.search import Budget, Ending, Search

_SPLITS = (None, 3, 15, 60, 240)
"""The splits of each bound's tree, by round; None: no trees."""
_TIME_OF_ROUND = 4.0
"""How long another round takes at least, compared with this round's search: with less time the search goes on."""
_FEW_DOUBLINGS, _MANY_DOUBLINGS = 0.5, 4.0
"""With fewer doublings left, a search goes on to twice as many cases; with more, the next round is left out."""
_LEAST_CASES = 256
"""The least number of cases that a search may bound."""


CLOSING_SHARE = 0.1
"""The share of a search's time in which its tree is closed."""


@dataclass(frozen=True, slots=True, eq=False)
class Closed:
    """A complete tree, and a number that no value exceeds by it."""

    tree: Node
    upper: float


@dataclass(frozen=True, slots=True, eq=False)
class _Searched:
    """A search, and the bounds with which it began."""

    chain: Chain
    search: Search
    proven: list[ProvenBound]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """How searches ended; the best point and its value are with the aim. n_cases: of the searches of all rounds."""

    ending: Ending
    n_cases: int = 0
    _furthest: _Searched | None = None

    @property
    def upper(self) -> float | None:
        """A number that no value exceeds, if all is closed already."""
        if self._furthest is None or self.ending is not Ending.EXCLUDED:
            return None
        return self._furthest.search.largest_closing

    def close(self, seconds: float) -> Closed | None:
        """Close what is open of the search that came furthest, each node at the bound that it has, in about `seconds`;
        None if the aim is reached, or a bound is not finite."""
        if self._furthest is None or self.ending is Ending.WITNESS:
            return None
        search = self._furthest.search
        search.finish(seconds)
        if not math.isfinite(search.largest_closing):
            return None
        return Closed(search.tree.nodes(self._furthest.chain, self._furthest.proven), search.largest_closing)


def prove(
    question: Question,
    network: Layered,
    aim: Aim,
    seconds: float,
    most_open_nodes: int = 200_000,
    should_stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Search for points that the aim wants, or a tree that leaves no room for them, within some seconds, or until
    `should_stop()`.

    Raises `NetworkError`: a bound exceeds float32, or the layers are too large for dense matrices; `PropertyError`: the
    goal has too many atoms.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):  # the matrices are small: more threads take longer
        return _prove(question, network, aim, time.monotonic() + seconds, most_open_nodes, should_stop)


def _prove(
    question: Question,
    network: Layered,
    aim: Aim,
    deadline: float,
    most_open_nodes: int,
    should_stop: Callable[[], bool],
) -> Outcome:
    def is_over() -> bool:
        return should_stop() or time.monotonic() > deadline

    chain = Chain(network)
    relaxed = RelaxedNetwork(chain, question.whole)
    Candidates(relaxed, SearchGoal(question, chain), None, aim).climb_from(relaxed.region.centre_point())
    if aim.is_reached:
        return Outcome(Ending.WITNESS)
    number, n_cases, furthest = 0, 0, None
    while True:
        bounds, proven = prove_bounds(question, chain, relaxed, _SPLITS[number], is_over)
        search, started = Search(question, chain, relaxed, bounds, aim), time.monotonic()
        ending = search.run(Budget(_most_cases(chain, bounds, number), is_over, most_open_nodes))
        now = time.monotonic()
        if ending is Ending.BUDGET and deadline - now < _TIME_OF_ROUND * (now - started):
            ending = search.run(Budget(float("inf"), is_over, most_open_nodes))
        elif ending is Ending.BUDGET and _doublings_left(search, aim) < _FEW_DOUBLINGS:
            ending = search.run(Budget(2.0 * search.n_cases, is_over, most_open_nodes))
        n_cases += search.n_cases
        if furthest is None or search.bound < furthest.search.bound:
            furthest = _Searched(chain, search, proven)
        is_last = number == len(_SPLITS) - 1 or is_over()
        if is_last or ending in (Ending.EXCLUDED, Ending.WITNESS):
            break
        number = min(number + (2 if _doublings_left(search, aim) > _MANY_DOUBLINGS else 1), len(_SPLITS) - 1)
    return Outcome(ending, n_cases, furthest)


def _most_cases(chain: Chain, bounds: Bounds, number: int) -> float:
    """Return how many cases the search of a round may bound: about half of those of the next round's trees.

    These have two functions of each unstable ReLU after the first layer, and two cases of each split.
    """
    if number == len(_SPLITS) - 1:
        return float("inf")
    n = len(chain.relu)
    unstable = bounds.unstable(n) & chain.relu
    return max(_LEAST_CASES, 2 * (_SPLITS[number + 1] or 0) * int(np.count_nonzero(unstable[chain.starts[1] :])))


def _doublings_left(search: Search, aim: Aim) -> float:
    """Return how often the number of cases must still be doubled, if the largest bound falls as far with each."""
    fallen = search.first_bound - search.bound
    return (search.bound - aim.level) * math.log2(search.n_cases) / fallen if fallen > 0 else float("inf")
