"""Family `maximize`: how large can one output of the network get over the input set?

value(x) = y_output(x), without a threshold: every point of the set shows a value that is reached, and the exact value
of the dense network counts. Source: [T] Tong, Cai, Serra 2024, arXiv:2401.03451, section 4.1, over [0, 1]^n;
[P] Pham et al. 2025, arXiv:2505.01985v3, with pruned networks as surrogates.
"""

from __future__ import annotations

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.families.base import DeployedValue
from vnnbench.instances.families.over_input_set import OverInputSet
from vnnbench.instances.onnx_files.runtime import OnnxRuntime
from vnnbench.instances.properties.input_set import box_set
from vnnbench.instances.properties.property import MaximizeProperty


class MaximizeProblem(OverInputSet):
    """A function maximization problem; candidates are inputs x (n_0,)."""

    family = MaximizeProperty.family
    threshold = None
    strict = True  # no meaning without a threshold
    confirmed_text = "a value that is reached"

    def __init__(self, prop: MaximizeProperty) -> None:
        super().__init__(prop)

    def asked(self) -> str:
        return f"how large can {self.goal.atoms[0]} get"

    def evaluate_deployed(self, runtime: OnnxRuntime, candidate: Float64Array) -> DeployedValue:
        _, value = self.outputs_deployed(runtime, candidate)
        return DeployedValue(value, None)


def unit_box_property(n_inputs: int) -> MaximizeProperty:
    """Return the property of [T]: the only output of a network with this many inputs, over [0, 1]^n_inputs."""
    return MaximizeProperty(box_set(np.zeros(n_inputs), np.ones(n_inputs)), output=0, dataset=None, sample=None)
