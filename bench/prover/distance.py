"""The interval of the least distance at which a goal is met, by questions about balls of other radii.

A ball with a solution lowers the upper end of the interval to that solution's distance, and a ball without one raises
the lower end to its radius. So the interval is halved again and again. Below a ball that stays open, smaller ones are
tried.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from vnnbench.common.tolerances import BOUND_TOLERANCE
from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.families.over_input_set import OverInputSet
from vnnbench.instances.networks.network import Layered
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.writing import Node
from vnnbench.prover.aim import Decision, OnBest
from vnnbench.prover.device import CPU, Device
from vnnbench.prover.prove import prove
from vnnbench.prover.search import Ending

_SHARE = 1 / 3
"""The share of the time that is left for one ball."""
_ROUNDING = 1 + 1e-9
"""How much further out than the ball a point may be that is found in it."""
_NARROW = 1e-3
"""Below an open ball no more balls are tried when the largest without a solution is as large, but for this share."""


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """An interval of the least distance.

    nearest: the nearest solution that was found, None without one. radius, tree: of the largest ball that was shown to
    have no solution; None without one. is_closed: whether its ends meet. n_cases: of all searches.
    """

    nearest: Float64Array | None = None
    radius: float | None = None
    tree: Node | None = None
    is_closed: bool = False
    n_cases: int = 0


def find_distance(
    problem: OverInputSet,
    network: Layered,
    seconds: float,
    should_stop: Callable[[], bool] = lambda: False,
    on_best: OnBest | None = None,
    device: Device = CPU,
) -> Interval:
    """Narrow the interval within some seconds, until `should_stop()`, or until its ends differ by at most half of
    `BOUND_TOLERANCE`.

    The set of the problem is a ball, and its value minus the distance from the centre. on_best: is called with each
    nearest solution. Raises as `prove` does.
    """
    deadline = time.monotonic() + seconds
    found, without, least = Interval(), 0.0, float("inf")
    whole = ceiling = probe = problem.input_set.radius or 0.0
    while (left := deadline - time.monotonic()) > 0 and not should_stop():
        question = Question.about(problem.property, radius=probe)
        aim = Decision(problem, network, question, least=-Fraction(probe * _ROUNDING))
        if found.nearest is None:
            aim.offer(problem.input_set.centre)
        outcome = prove(question, network, aim, _SHARE * left, should_stop=should_stop, device=device)
        found = replace(found, n_cases=found.n_cases + outcome.n_cases)
        if aim.value is not None and aim.best is not None and -aim.value < least:
            found, least = replace(found, nearest=aim.best), float(-aim.value)
            if on_best is not None:
                on_best(aim.best, aim.value)
        if outcome.ending is Ending.EXCLUDED and (closed := outcome.close(0.0)) is not None:
            found, without = replace(found, radius=probe, tree=closed.tree), probe
        else:
            ceiling = least if outcome.ending is Ending.WITNESS else probe
        is_open = ceiling < least and without < whole
        if ceiling - without <= (_NARROW * ceiling if is_open else BOUND_TOLERANCE / 2 * max(1.0, ceiling)):
            return replace(found, is_closed=not is_open)
        probe = without + (ceiling - without) / 2
    return found
