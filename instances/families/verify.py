"""Family `verify`: is there an input in the set that one target class wins against the source class?

value(x) = y_target(x) - y_source(x), threshold 0. Source: [P] Pham et al. 2025, arXiv:2505.01985, section 2.
"""

from __future__ import annotations

import numpy as np

from instances.families.base import DeployedValue, Fact
from instances.families.over_set import OverInputSet
from instances.network import Float64Array
from instances.onnx_files import OnnxRuntime
from instances.property import VerifyProperty


class VerifyProblem(OverInputSet):
    """A targeted verification problem; candidates are inputs x (n_0,)."""

    family = VerifyProperty.family
    threshold = 0.0
    confirmed_text = "a counterexample"

    def __init__(self, prop: VerifyProperty) -> None:
        super().__init__(prop)
        self.property = prop
        self.strict = prop.strict

    def facts(self) -> dict[str, Fact]:
        return {**super().facts(), "source": self.property.source, "target": self.property.target}

    def evaluate_deployed(self, runtime: OnnxRuntime, candidate: Float64Array) -> DeployedValue:
        outputs, value = self.outputs_deployed(runtime, candidate)
        others = np.delete(outputs, self.property.target)
        return DeployedValue(value, bool((outputs[self.property.target] > others).all()))
