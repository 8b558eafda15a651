"""What a search is after: the level that closes a case, and the points that it is offered, which are judged exactly."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

from vnnbench.common.tolerances import BOUND_TOLERANCE
from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.families.over_input_set import OverInputSet
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import Layered
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.reading import OfDisjunct
from vnnbench.instances.rationals import float_above

OnBest: TypeAlias = Callable[[Float64Array, Fraction], None]


class Aim(ABC):
    """The aim of searches about one problem.

    level: a case is closed if its bound does not exceed it. best: the best point that was offered, in the set; None
    without one. value: the problem's exact value there. is_fine: whether the last digits of the best point count, so
    that linear programs are solved for it.
    """

    def __init__(self, problem: OverInputSet, network: Layered, level: float, is_fine: bool) -> None:
        self.level, self.is_fine = level, is_fine
        self.best: Float64Array | None = None
        self.value: Fraction | None = None
        self._problem, self._network = problem, network

    @property
    @abstractmethod
    def is_reached(self) -> bool:
        """Whether the best point ends the search."""

    @abstractmethod
    def limit(self, function: OfDisjunct) -> tuple[float, bool]:
        """Return what a bound of this mean must not exceed to close its disjunct, and whether it may be equal."""

    def offer(self, x: Float64Array) -> None:
        """Take a point, repaired into the set, if it is better than the best."""
        point = self._problem.repair(x)
        if point is None:
            return
        point, _ = self._problem.reach(self._exact, point)
        value = self._problem.evaluate(self._exact, point)
        if value is not None and (self.value is None or value > self.value):
            self.best, self.value = point, value
            self._take(point, value)

    @abstractmethod
    def _take(self, best: Float64Array, value: Fraction) -> None:
        """Take note of a new best point and its value."""

    @cached_property
    def _exact(self) -> ExactNetwork:
        return ExactNetwork(self._network)


class Decision(Aim):
    """To answer a question: by a point with a value that is asked for, or by bounds that leave no room for one.

    A point must also have the value `least`, if that is given.
    """

    def __init__(
        self,
        problem: OverInputSet,
        network: Layered,
        question: Question,
        least: Fraction | None = None,
    ) -> None:
        super().__init__(problem, network, 0.0, least is not None)
        self._question, self._least = question, least

    @property
    def is_reached(self) -> bool:
        if self.value is None or (self._least is not None and self.value < self._least):
            return False
        return self._problem.confirms(self.value)

    def limit(self, function: OfDisjunct) -> tuple[float, bool]:
        return self._question.limit(function.disjunct, function.weights)

    def _take(self, best: Float64Array, value: Fraction) -> None:
        """The level stays."""


class Optimum(Aim):
    """To find the largest value, and a bound that exceeds it by at most half of `BOUND_TOLERANCE`."""

    def __init__(self, problem: OverInputSet, network: Layered, on_best: OnBest | None = None) -> None:
        """on_best: is called with each best point and its value."""
        super().__init__(problem, network, -float("inf"), True)
        self._on_best = on_best

    @property
    def is_reached(self) -> bool:
        return False

    def limit(self, function: OfDisjunct) -> tuple[float, bool]:
        return self.level, True

    def _take(self, best: Float64Array, value: Fraction) -> None:
        self.level = float_above(value + Fraction(BOUND_TOLERANCE) / 2 * max(Fraction(1), abs(value)))
        if self._on_best is not None:
            self._on_best(best, value)
