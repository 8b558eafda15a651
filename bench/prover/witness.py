"""Whether a point answers a question, decided exactly."""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.families import problem_of
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import Layered
from vnnbench.instances.properties.property import Property


class Witnesses:
    """The test of points of one problem. upper: the number that no value should exceed, if that is asked."""

    def __init__(self, prop: Property, network: Layered, upper: float | None = None) -> None:
        self._problem, self._network, self._upper = problem_of(prop), network, upper

    @cached_property
    def _exact(self) -> ExactNetwork:
        return ExactNetwork(self._network)

    def __call__(self, x: Float64Array) -> Float64Array | None:
        """Return the point, repaired into the set, if it answers the question; else None.

        It must meet the goal, or have a value above `upper`.
        """
        point = self._problem.repair(x)
        value = None if point is None else self.value(point)
        if value is None:
            return None
        if self._upper is not None:
            return point if value > self._upper else None
        return point if self._problem.confirms(value) else None

    def value(self, point: Float64Array) -> Fraction | None:
        """Return the exact value at a point of the set; None where the problem has none."""
        return self._problem.evaluate(self._exact, point)
