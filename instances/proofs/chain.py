"""The layers of a network as a proof counts them: 1 to K, their neurons one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from vnnbench.instances.arrays import BoolArray
from vnnbench.instances.networks.network import Layer, Layered


class Chain:
    """The layers of a network, with their neurons numbered through: `starts[k - 1] + j` is neuron j of layer k.

    relu (N,): which of all N neurons have a ReLU.
    """

    def __init__(self, network: Layered) -> None:
        self.layers: Sequence[Layer] = network.layers
        self.starts = np.cumsum([0, *(layer.n_outputs for layer in self.layers)]).tolist()
        self.relu: BoolArray = np.concatenate([layer.relu for layer in self.layers])

    @property
    def n_inputs(self) -> int:
        return self.layers[0].n_inputs

    @property
    def n_outputs(self) -> int:
        return self.layers[-1].n_outputs

    @cached_property
    def widest(self) -> int:
        """The largest number of terms that a neuron or the input can have."""
        return max(self.n_inputs, *(layer.n_outputs for layer in self.layers))
