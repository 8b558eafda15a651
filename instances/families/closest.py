"""Family `closest`: how near the centre does some target class exceed the source class by a given margin?

value(x) = -|x - centre| in the norm of the set, where max over targets of y_target(x) - y_source(x) >= margin. There is
no value where the margin is not reached, and no threshold. The set's radius is the largest change that is considered.
Source: Tjeng, Xiao, Tedrake 2019, arXiv:1711.07356, minimum adversarial distortion.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.families.base import DeployedValue, Fact
from vnnbench.instances.families.over_input_set import OverInputSet, beats_all
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.onnx_files.runtime import OnnxRuntime
from vnnbench.instances.properties.property import ClosestProperty
from vnnbench.instances.rationals import to_text

_STEPS = [2.0**-places for places in range(50, 8, -2)]
"""The shares of its distance from the centre by which `reach` moves a point outwards."""


class ClosestProblem(OverInputSet):
    """A minimum distortion problem; candidates are inputs x (n_0,)."""

    family = ClosestProperty.family
    threshold = None
    strict = True  # no meaning without a threshold
    confirmed_text = "a distance at which the margin is reached"
    optimum_text = "minus the least distance"
    value_is_column = True

    def __init__(self, prop: ClosestProperty) -> None:
        super().__init__(prop)
        self.property: ClosestProperty = prop

    def facts(self) -> dict[str, Fact]:
        return {**super().facts(), "source": self.property.source, "target": self.property.target}

    def asked(self) -> str:
        targets = " or ".join(f"{atom} >= {to_text(self.property.margin)}" for atom in self.goal.atoms)
        return f"how near to the centre is there an x with {targets}"

    def evaluate(self, network: ExactNetwork, candidate: Float64Array) -> Fraction | None:
        return None if self._lack(network, candidate) else -self.input_set.distance(candidate)

    def reach(self, network: ExactNetwork, point: Float64Array) -> tuple[Float64Array, Fraction]:
        """Return a point that reaches the margin, a little further out on the ray from the centre.

        At the optimum the margin is reached exactly, and a solver's tolerance may leave its point just short of it.
        """
        if not self._lack(network, point):
            return point, Fraction(0)
        furthest = self._further(point, _STEPS[-1])
        if self._lack(network, furthest):  # usually the margin is far from reached
            return point, Fraction(0)
        for step in _STEPS:
            further = self._further(point, step)
            if not self._lack(network, further) and self.violation(further) == 0:
                return further, max(self.input_set.distance(further) - self.input_set.distance(point), Fraction(0))
        return point, Fraction(0)

    def _further(self, point: Float64Array, step: float) -> Float64Array:
        return np.clip(point + step * (point - self.centre), *self.input_set.hull)

    def replay(self, network: ExactNetwork, candidate: Float64Array) -> Fraction:
        """Return -|x - centre| minus the shortfall of the margin: within a solver's tolerance of a right claim."""
        return -self.input_set.distance(candidate) - self._lack(network, candidate)

    def _lack(self, network: ExactNetwork, candidate: Float64Array) -> Fraction:
        """Return by how much the outputs at the candidate fall short of the margin, exactly; 0 if they reach it."""
        return max(self.property.margin - self.goal_value(network, candidate), Fraction(0))

    def evaluate_deployed(self, runtime: OnnxRuntime, candidate: Float64Array) -> DeployedValue:
        """Return the deployed value minus the shortfall of the margin, which rounding towards the centre can cause."""
        outputs, margin = self.outputs_deployed(runtime, candidate)
        rounded = self.rounded(candidate, runtime).astype(np.float64)
        lack = max(float(self.property.margin) - margin, 0.0)
        value = -float(self.input_set.distance(rounded)) - lack
        return DeployedValue(value, beats_all(outputs, self.property.targets))
