"""The construction of a chain of layers map by map: a map is joined to the last layer only if that is exact."""

from __future__ import annotations

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.network import Layer, LayeredNetwork, Matrix
from vnnbench.instances.onnx_files.affine_maps import diagonal

MAX_LAYERS, MAX_CHAIN_WEIGHTS = 10_000, 1 << 25
"""The limits of a whole chain: nodes of a few bytes can share a constant, or be windows over a large image."""


class LayerChain:
    """A chain of layers under construction."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self._n_weights = 0
        self._bias_is_free = False
        """Whether the last layer has no bias yet, and neither divisor nor ReLU."""

    def append(self, W: Matrix) -> None:
        """Append v -> W v. Like all methods that append, raises `NetworkError` if the chain becomes too large."""
        self._n_weights += W.size
        if len(self.layers) == MAX_LAYERS or self._n_weights > MAX_CHAIN_WEIGHTS:
            raise NetworkError(f"has more than {MAX_LAYERS} layers or {MAX_CHAIN_WEIGHTS} weights, the most allowed")
        self.layers.append(Layer(W, np.zeros(W.shape[0]), relu=False))
        self._bias_is_free = True

    def add(self, c: Float64Array) -> None:
        """Append v -> v + c: as the last layer's bias if it has none, or if the sum of both is exact in float64."""
        if not self._joins():
            self.append(diagonal(np.ones(len(c))))
        last = self.layers[-1]
        total = c if self._bias_is_free else _exact_sum(last.b, c)
        if total is None:
            self.append(diagonal(np.ones(len(c))))
            total = c
        self._replace_last(b=total)

    def divide(self, c: Float64Array) -> None:
        """Append v -> v / c, where no c_i is 0: as the last layer's divisor if it has none."""
        if not self._joins():
            self.append(diagonal(np.ones(len(c))))
        last, sign = self.layers[-1], np.sign(c)
        divisor = None if (np.abs(c) == 1).all() else np.abs(c)
        self.layers[-1] = Layer(_scaled_rows(last.W, sign), last.b * sign, relu=False, divisor=divisor)
        self._bias_is_free = False

    def relu(self, n: int) -> None:
        """Append v -> max(v, 0), v (n,); after another ReLU this changes nothing."""
        if not self.layers:
            self.append(diagonal(np.ones(n)))
        last = self.layers[-1]
        self.layers[-1] = Layer(last.W, last.b, relu=True, divisor=last.divisor)
        self._bias_is_free = False

    def network(self) -> LayeredNetwork:
        """Return the network; after a last ReLU with an identity layer, because the last layer must not have one."""
        if self.layers[-1].relu:
            self.append(diagonal(np.ones(self.layers[-1].n_outputs)))
        return LayeredNetwork(tuple(self.layers))

    def _joins(self) -> bool:
        return bool(self.layers) and not self.layers[-1].relu and self.layers[-1].divisor is None

    def _replace_last(self, b: Float64Array) -> None:
        self.layers[-1] = Layer(self.layers[-1].W, b, relu=False)
        self._bias_is_free = False


def _scaled_rows(W: Matrix, signs: Float64Array) -> Matrix:
    """Return W with its rows multiplied by 1 or -1."""
    if (signs == 1).all():
        return W
    return W * signs[:, None] if isinstance(W, np.ndarray) else diagonal(signs) @ W


def _exact_sum(a: Float64Array, b: Float64Array) -> Float64Array | None:
    """Return a + b if it is exact in float64, else None. Source: Knuth's TwoSum gives the error exactly."""
    total = a + b
    b_seen = total - a
    return total if ((a - (total - b_seen)) + (b - b_seen) == 0).all() else None
