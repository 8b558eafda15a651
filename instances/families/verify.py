"""Family `verify`: is there an input in the set at which some target class beats the source class?

value(x) = max over targets of y_target(x) - y_source(x), or that of a goal from VNN-LIB; threshold 0.
Source: [P] Pham et al. 2025, arXiv:2505.01985, section 2, one target; VNN-LIB 1.0, the disjunction of conjunctions.
"""

from __future__ import annotations

from fractions import Fraction

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.families.base import DeployedValue, Fact
from vnnbench.instances.families.over_input_set import OverInputSet, beats_all
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.onnx_files.runtime import OnnxRuntime
from vnnbench.instances.properties.property import LinearProperty, VerifyProperty


class VerifyProblem(OverInputSet):
    """A verification problem; candidates are inputs x (n_0,)."""

    family = VerifyProperty.family
    threshold = 0.0
    confirmed_text = "a counterexample"
    confirmed_verdict = "adversarial"
    excluded_verdict = "robust"

    def __init__(self, prop: VerifyProperty | LinearProperty) -> None:
        super().__init__(prop)
        self.property: VerifyProperty | LinearProperty = prop
        self.strict = prop.strict

    def facts(self) -> dict[str, Fact]:
        if isinstance(self.property, LinearProperty):
            return super().facts()
        return {**super().facts(), "source": self.property.source, "target": self.property.target}

    def asked(self) -> str:
        return f"is there an x with {self.goal.text(self.strict)}"

    @property
    def value_is_column(self) -> bool:
        """Return whether the problem has several targets or a goal from VNN-LIB."""
        return self.facts()["target"] is None

    def evaluate(self, network: ExactNetwork, candidate: Float64Array) -> Fraction | None:
        """Return the goal's value; None where it is 0, but an atom that is marked as strict is not reached."""
        value = self.goal_value(network, candidate)
        if value == 0 and not self.goal.holds(network.outputs(self.input_set.point(candidate))):
            return None
        return value

    def evaluate_deployed(self, runtime: OnnxRuntime, candidate: Float64Array) -> DeployedValue:
        outputs, value = self.outputs_deployed(runtime, candidate)
        if isinstance(self.property, LinearProperty):
            return DeployedValue(value, None)
        return DeployedValue(value, beats_all(outputs, self.property.targets))
