"""Proving one question: bounds and search in turns, each with more effort than before.

Narrow bounds make the tree smaller, but take longer than the whole search of an easy question. So each round proves the
bounds anew, with more splits of each, and then searches for half the time that the bounds of the next round would take.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.networks.network import Layered
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.reading import Bounds
from vnnbench.instances.proofs.writing import Node
from vnnbench.prover.relaxed import RelaxedNetwork
from vnnbench.prover.root_bounds import prove_bounds
from vnnbench.prover.search import Budget, Ending, Search

_SPLITS = (None, 3, 15, 60, 240)
"""The splits of each bound's tree, by round; None: no trees."""
_LEAST_CASES = 256
"""The least number of cases that a search may bound."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What was found. witness: a point that answers the question; tree: one that shows that there is none; both None:
    neither was found, because of `ending`. bound: with a tree, a number that no value exceeds; else the largest value
    that is not excluded up to rounding, less `Question.upper`. n_cases: of the searches of all rounds."""

    ending: Ending
    witness: Float64Array | None
    tree: Node | None
    bound: float
    n_cases: int


def prove(
    question: Question,
    network: Layered,
    as_witness: Callable[[Float64Array], Float64Array | None],
    seconds: float,
    most_open_nodes: int = 200_000,
    should_stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Answer a question by a witness or a tree, within some seconds, or until `should_stop()`. `as_witness` as in
    `Search`.

    Raises `NetworkError`: a bound exceeds float32.
    """
    deadline, n_cases = time.monotonic() + seconds, 0

    def is_over() -> bool:
        return should_stop() or time.monotonic() > deadline

    chain = Chain(network)
    relaxed = RelaxedNetwork(chain, question.whole)
    for splits, of_next in zip(_SPLITS, (*_SPLITS[1:], None), strict=True):
        bounds, proven = prove_bounds(question, chain, relaxed, splits, is_over)
        search = Search(question, chain, relaxed, bounds, as_witness)
        most_cases = float("inf") if of_next is None else max(_LEAST_CASES, _cases_of_bounds(chain, bounds, of_next))
        ending = search.run(Budget(most_cases, most_open_nodes, is_over))
        n_cases += search.n_cases
        if ending in (Ending.EXCLUDED, Ending.WITNESS) or is_over():
            break
    if ending is Ending.EXCLUDED:
        return Outcome(ending, None, search.tree.nodes(chain, proven), search.largest_closing, n_cases)
    return Outcome(ending, search.witness, None, search.bound, n_cases)


def _cases_of_bounds(chain: Chain, bounds: Bounds, splits: int) -> int:
    """Return about half of the cases that the trees of all bounds have: two functions of each ReLU after the first
    layer, two cases of each split."""
    n = len(chain.relu)
    unstable = bounds.unstable(n) & chain.relu
    return 2 * splits * int(np.count_nonzero(unstable[chain.starts[1] :]))
