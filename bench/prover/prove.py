"""Proving one question: bounds and search in turns, each with more effort than before.

An ascent from the centre comes first: it takes a tenth of the time of the first bounds, and finds most counterexamples.
Narrow bounds make the tree smaller, but take longer than the whole search of an easy question. So each round proves the
bounds anew, with more splits of each, and then searches for half the time that the bounds of the next round would take.
Where that is hopeless, it ends sooner: deep networks need narrow bounds first.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vnnbench.common.garbage import no_garbage_collection
from vnnbench.instances.networks.network import Layered
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.reading import Bounds
from vnnbench.instances.proofs.writing import Node
from vnnbench.prover.aim import Aim
from vnnbench.prover.candidates import Candidates, Reached
from vnnbench.prover.device import CPU, Device
from vnnbench.prover.division import Division
from vnnbench.prover.proven_bounds import prove_bounds
from vnnbench.prover.search import Budget, Ending, Search
from vnnbench.prover.setting import Setting
from vnnbench.prover.sound import SoundBounds

_SPLITS = (3, 15, 60, 240, 960)
"""The splits of each bound's tree, by round; the first round has no trees."""
_COST_WITHOUT_TREES, _COST_OF_ROOTS = 0.2, 2.0
"""What bounds without trees, and the first cases of trees, take, in units of a split of each tree."""
_SHARE_OF_BOUNDS = 0.5
"""The share of the time left that the next round's bounds may take."""
_FEW_DOUBLINGS, _MANY_DOUBLINGS, _HOPELESS = 0.5, 4.0, 100.0
"""With fewer doublings left, a search goes on to twice as many cases; with more than the second number, the next round
is left out; with more than the third, only the least number of cases is bounded."""
_FEW_INPUTS = 20
"""With at most so many inputs, the set is divided at them, and no bounds are proven anew."""
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
class Outcome:
    """How searches ended; the best point and its value are with the aim. n_cases: of the searches of all rounds."""

    ending: Ending
    n_cases: int = 0
    _furthest: Search | Division | None = None

    @property
    def bound(self) -> float:
        """The largest bound of what is open."""
        return float("inf") if self._furthest is None else self._furthest.bound

    @property
    def upper(self) -> float | None:
        """A number that no value exceeds, if all is closed already."""
        if self._furthest is None or self.ending is not Ending.EXCLUDED:
            return None
        return self._furthest.largest_closing

    def close(self, seconds: float) -> Closed | None:
        """Close what is open of the search that came furthest, each node at the bound that it has, in about `seconds`;
        None if the aim is reached, or a bound is not finite."""
        if self._furthest is None or self.ending is Ending.WITNESS:
            return None
        self._furthest.finish(seconds)
        if not math.isfinite(self._furthest.largest_closing):
            return None
        return Closed(self._furthest.nodes(), self._furthest.largest_closing)


def prove(
    question: Question,
    network: Layered,
    aim: Aim,
    seconds: float,
    open_bytes: float = 2.0**31,
    should_stop: Callable[[], bool] = lambda: False,
    device: Device = CPU,
) -> Outcome:
    """Search for points that the aim wants, or a tree that leaves no room for them, within some seconds, or until
    `should_stop()`. open_bytes: about what the open nodes of a search may take. device: where their cases are bounded.

    Raises `NetworkError`: a bound exceeds float32, or the layers are too large for dense matrices; `PropertyError`: the
    goal has too many atoms; `DeviceError`: the device fails.
    """
    from threadpoolctl import threadpool_limits

    deadline = time.monotonic() + seconds
    # The matrices are small: more threads take longer.
    # Nodes make no cycles. Looking for them takes a tenth of the time of a search with 100,000 open nodes.
    with threadpool_limits(limits=1, user_api="blas"), no_garbage_collection():
        return _prove(Setting.of(question, network, aim, device), deadline, open_bytes, should_stop)


def _prove(setting: Setting, deadline: float, open_bytes: float, should_stop: Callable[[], bool]) -> Outcome:
    def is_over() -> bool:
        return should_stop() or time.monotonic() > deadline

    question, aim = setting.question, setting.aim
    Candidates(setting, None, Reached()).climb_from(setting.network.region.centre_point())
    if aim.is_reached:
        return Outcome(Ending.WITNESS)
    if np.count_nonzero(question.whole.lower < question.whole.upper) <= _FEW_INPUTS:
        return _divided(setting, is_over, 0)
    splits: int | None = None
    n_cases, furthest = 0, None
    while True:
        sound, started = SoundBounds(question, setting.chain), time.monotonic()
        proven = prove_bounds(sound, setting.network, splits, is_over)
        seconds = time.monotonic() - started
        search = Search(setting, sound, proven)
        ending = _search(search, _most_cases(setting.chain, sound.bounds, splits), is_over, open_bytes)
        if ending is Ending.BUDGET and not is_over():
            splits = _next_splits(splits, seconds, deadline - time.monotonic(), search.doublings_left)
            if splits is None:
                ending = search.run(Budget(float("inf"), is_over, open_bytes))
        n_cases += search.n_cases
        if furthest is None or search.bound < furthest.bound:
            furthest = search
        if ending is not Ending.BUDGET or is_over():
            break
    if ending is Ending.STALLED:
        divided = _divided(setting, is_over, n_cases)
        if divided.ending in (Ending.EXCLUDED, Ending.WITNESS) or divided.bound < furthest.bound:
            return divided
    return Outcome(ending, n_cases, furthest)


def _divided(setting: Setting, is_over: Callable[[], bool], n_cases: int) -> Outcome:
    """Divide the set, after searches of some cases."""
    division = Division(setting)
    return Outcome(division.run(is_over), n_cases + division.n_cases, division)


def _search(search: Search, most_cases: float, is_over: Callable[[], bool], open_bytes: float) -> Ending:
    """Search with one round's bounds, for as long as that promises something."""
    ending = search.run(Budget(_LEAST_CASES, is_over, open_bytes))
    if ending is Ending.BUDGET and search.doublings_left < _HOPELESS:
        ending = search.run(Budget(most_cases, is_over, open_bytes))
    if ending is Ending.BUDGET and search.doublings_left < _FEW_DOUBLINGS:
        ending = search.run(Budget(2.0 * search.n_cases, is_over, open_bytes))
    return ending


def _most_cases(chain: Chain, bounds: Bounds, splits: int | None) -> float:
    """Return how many cases the search of a round may bound: about half of those of the next round's trees.

    These have two functions of each unstable ReLU after the first layer, and two cases of each split.
    """
    after_first = int(np.count_nonzero(bounds.unstable(chain.relu)[chain.starts[1] :]))
    return max(_LEAST_CASES, 2 * min(_later(splits), default=0) * after_first)


def _next_splits(splits: int | None, seconds: float, left: float, doublings_left: float) -> int | None:
    """Return the splits of the next round's trees: at most those that fit into the time left; None if hardly more fit
    than in this round, whose bounds took some `seconds`."""
    later = _later(splits)[: 2 if doublings_left > _MANY_DOUBLINGS else 1]
    cost = _COST_WITHOUT_TREES if splits is None else _COST_OF_ROOTS + splits
    affordable = int(cost * _SHARE_OF_BOUNDS * left / seconds - _COST_OF_ROOTS)
    return min(later[-1], affordable) if later and affordable >= 2 * (splits or 1) else None


def _later(splits: int | None) -> list[int]:
    """Return the splits of later rounds' trees."""
    return [more for more in _SPLITS if more > (splits or 0)]
