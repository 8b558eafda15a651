"""Building a chain of layers map by map: a further map is joined to the last layer only where that is exact."""

from __future__ import annotations

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.network import Layer, LayeredNetwork, Matrix, everywhere, nowhere
from vnnbench.instances.onnx_files.affine_maps import diagonal

MAX_LAYERS, MAX_CHAIN_WEIGHTS = 10_000, 1 << 25
"""Of a chain in all: nodes of a few bytes can share a constant, or be windows over a large image."""


class LayerChain:
    """The layers so far; empty at first."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self._n_weights = 0
        self._bias_is_free = False
        """The last layer has no bias yet, and neither divisor nor ReLU."""

    def append(self, W: Matrix) -> None:
        """v -> W v. Raises `NetworkError` where the chain holds too much, as all that appends does."""
        self._n_weights += W.size
        if len(self.layers) == MAX_LAYERS or self._n_weights > MAX_CHAIN_WEIGHTS:
            raise NetworkError(f"has more than {MAX_LAYERS} layers or {MAX_CHAIN_WEIGHTS} weights in all")
        self.layers.append(Layer(W, np.zeros(W.shape[0]), nowhere(W.shape[0])))
        self._bias_is_free = True

    def add(self, c: Float64Array) -> None:
        """v -> v + c: the last layer's bias where it has none, or where the sum of both is a float64."""
        if not self._joins():
            self.append(diagonal(np.ones(len(c))))
        last = self.layers[-1]
        total = c if self._bias_is_free else _exact_sum(last.b, c)
        if total is None:
            self.append(diagonal(np.ones(len(c))))
            total = c
        self._replace_last(b=total)

    def divide(self, c: Float64Array) -> None:
        """v -> v / c, no c_i being 0: the last layer's divisor where it has none."""
        if not self._joins():
            self.append(diagonal(np.ones(len(c))))
        last, sign = self.layers[-1], np.sign(c)
        divisor = None if (np.abs(c) == 1).all() else np.abs(c)
        self.layers[-1] = Layer(_scaled_rows(last.W, sign), last.b * sign, last.relu, divisor)
        self._bias_is_free = False

    def relu(self, n: int) -> None:
        """v -> max(v, 0), v (n,): nothing new after another one."""
        if not self.layers:
            self.append(diagonal(np.ones(n)))
        last = self.layers[-1]
        self.layers[-1] = Layer(last.W, last.b, everywhere(len(last.b)), last.divisor)
        self._bias_is_free = False

    def network(self) -> LayeredNetwork:
        """The chain; after a last ReLU a layer that changes nothing, for the last has none."""
        if self.layers[-1].relu.any():
            self.append(diagonal(np.ones(self.layers[-1].n_outputs)))
        return LayeredNetwork(tuple(self.layers))

    def _joins(self) -> bool:
        return bool(self.layers) and not self.layers[-1].relu.any() and self.layers[-1].divisor is None

    def _replace_last(self, b: Float64Array) -> None:
        self.layers[-1] = Layer(self.layers[-1].W, b, nowhere(len(b)))
        self._bias_is_free = False


def _scaled_rows(W: Matrix, signs: Float64Array) -> Matrix:
    """W with its rows times 1 or -1."""
    if (signs == 1).all():
        return W
    return W * signs[:, None] if isinstance(W, np.ndarray) else diagonal(signs) @ W


def _exact_sum(a: Float64Array, b: Float64Array) -> Float64Array | None:
    """a + b where float64 holds it, else None. Source: Knuth's TwoSum gives the error exactly."""
    total = a + b
    b_seen = total - a
    return total if ((a - (total - b_seen)) + (b - b_seen) == 0).all() else None
