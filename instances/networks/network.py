"""Networks: chains of affine layers, with a ReLU behind all, some or none of a layer's neurons.

    divisor_k * z_k = W_k h_{k-1} + b_k,  h_0 = x,  h_k = max(z_k, 0) where a neuron has a ReLU, else z_k,  y = z_L

A neuron without ReLU may carry a value on to later layers: so a graph with branches is a chain too.

`Layered` is the interface of networks that are bounded, encoded and judged. `LayeredNetwork` is a network from
elsewhere, with convolutions, pooling, batch normalization or input scaling as sparse layers. `Network` is a multilayer
perceptron that is trained and pruned here, in float32, with a ReLU after every layer but the last. Everything else is
derived from the stored numbers.

Dimensions: W_k is (n_k, n_{k-1}), b_k and divisor_k are (n_k,), k = 1..L.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import BoolArray, Float32Array, Float64Array

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Matrix: TypeAlias = "Float64Array | csr_array"
"""A matrix, dense or sparse by rows; both have `abs`, `@` and `shape`."""

MIN_WEIGHT = 1e-7
"""The least magnitude of a nonzero weight or bias in networks made here: MILP readers take numbers below 1e-9 for 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """An affine layer: divisor * z = W v + b, exactly; output j is max(z_j, 0) where relu_j, else z_j.

    All float64 but `relu`. relu: (n_k,), see `everywhere` and `nowhere`.
    divisor: positive, or None for 1. It expresses quotients that float64 cannot hold, as in (x - mean) / deviation.
    """

    W: Matrix
    b: Float64Array
    relu: BoolArray
    divisor: Float64Array | None = None

    @property
    def n_inputs(self) -> int:
        return int(self.W.shape[1])

    @property
    def n_outputs(self) -> int:
        return len(self.b)

    def row(self, j: int) -> tuple[npt.NDArray[np.int64], Float64Array]:
        """Return (indices, values) of the nonzeros of W_j, in the order of the inputs."""
        if isinstance(self.W, np.ndarray):
            indices = np.flatnonzero(self.W[j])
            return indices, self.W[j, indices]
        span = slice(self.W.indptr[j], self.W.indptr[j + 1])
        indices, values = self.W.indices[span].astype(np.int64), self.W.data[span]
        order = np.argsort(indices, kind="stable")
        order = order[values[order] != 0]
        return indices[order], values[order]

    def has_weights(self) -> BoolArray:
        """Return whether each row has a nonzero, (n_k,)."""
        return np.asarray((self.W != 0).sum(axis=1) > 0)

    def copied(self) -> npt.NDArray[np.int64]:
        """Return (n_k,): which input z_j is, exactly; -1 where it is not one of them."""
        single = np.asarray((self.W != 0).sum(axis=1) == 1) & (self.b == 0)
        if self.divisor is not None:
            single &= self.divisor == 1
        from scipy.sparse import csr_array

        rows = csr_array(self.W[single])  # a copy
        rows.eliminate_zeros()
        copied = np.full(self.n_outputs, -1, dtype=np.int64)
        copied[single] = np.where(rows.data == 1, rows.indices, -1)
        return copied

    def activate(self, z: Float64Array) -> Float64Array:
        """Return h (.., n_k) of z (.., n_k): max(z, 0) where there is a ReLU."""
        return np.where(self.relu, np.maximum(z, 0.0), z)


def everywhere(n: int) -> BoolArray:
    """Return (n,): a ReLU behind each of n neurons."""
    return np.ones(n, dtype=bool)


def nowhere(n: int) -> BoolArray:
    """Return (n,): no ReLU behind any of n neurons."""
    return np.zeros(n, dtype=bool)


class Layered(Protocol):
    """A network as a sequence of layers: at least one, and the last without ReLU."""

    @property
    def layers(self) -> Sequence[Layer]: ...


@dataclass(frozen=True, slots=True, eq=False)
class LayeredNetwork:
    """A chain of layers whose shapes are checked to fit together."""

    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        if not self.layers or self.layers[-1].relu.any():
            raise ValueError("a network needs a layer, and the last one must not have a ReLU")
        for k, layer in enumerate(self.layers, 1):
            if layer.W.shape[0] != layer.n_outputs or (k > 1 and layer.n_inputs != self.layers[k - 2].n_outputs):
                raise ValueError(f"layer {k}: weights {layer.W.shape} do not fit")
            if layer.relu.shape != (layer.n_outputs,):
                raise ValueError(f"layer {k}: ReLUs {layer.relu.shape} do not fit")
            if layer.divisor is not None and not (layer.divisor > 0).all():
                raise ValueError(f"layer {k}: a divisor is not positive")


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A multilayer perceptron: weights `(n_k, n_{k-1})` and biases `(n_k,)` per layer, float32, read-only arrays."""

    weights: tuple[Float32Array, ...]
    biases: tuple[Float32Array, ...]

    def __post_init__(self) -> None:
        for k, (W, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            if W.dtype != np.float32 or b.dtype != np.float32:
                raise TypeError(f"layer {k}: weights are {W.dtype} and {b.dtype}; they must be float32")
            if W.ndim != 2 or b.shape != (W.shape[0],) or (k and W.shape[1] != self.weights[k - 1].shape[0]):
                raise ValueError(f"layer {k}: weights {W.shape} and bias {b.shape} do not fit")
            if not (np.isfinite(W).all() and np.isfinite(b).all()):
                raise ValueError(f"layer {k}: weights are not finite")
            W.setflags(write=False)
            b.setflags(write=False)

    @property
    def n_inputs(self) -> int:
        return int(self.weights[0].shape[1])

    @property
    def n_outputs(self) -> int:
        return int(self.weights[-1].shape[0])

    @property
    def hidden_widths(self) -> tuple[int, ...]:
        """The number of neurons of each hidden layer."""
        return tuple(int(W.shape[0]) for W in self.weights[:-1])

    @property
    def n_parameters(self) -> int:
        """The number of weights and biases, including zeros."""
        return sum(array.size for array in (*self.weights, *self.biases))

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in float64, exactly the float32 values."""
        last = len(self.weights) - 1
        return tuple(
            Layer(W.astype(np.float64), b.astype(np.float64), np.full(len(b), k < last))
            for k, (W, b) in enumerate(zip(self.weights, self.biases, strict=True))
        )

    def forward(self, x: npt.ArrayLike) -> Float64Array:
        """Return y (n_L,) or (batch, n_L) at x (n_0,) or (batch, n_0), in float64: an approximation."""
        h = np.asarray(x, dtype=np.float64)
        for layer in self.layers:
            h = layer.activate(h @ layer.W.T + layer.b)
        return h


def drop_tiny_weights(weights: Float32Array) -> Float32Array:
    """Return weights or biases with the entries below `MIN_WEIGHT` in magnitude set to zero."""
    return np.where(np.abs(weights) < MIN_WEIGHT, np.float32(0), weights).astype(np.float32)


def without_tiny_weights(network: Network) -> Network:
    """Return the network with its weights and biases below `MIN_WEIGHT` in magnitude set to zero."""
    return Network(tuple(map(drop_tiny_weights, network.weights)), tuple(map(drop_tiny_weights, network.biases)))


_IMAGES_AT_A_TIME = 500
"""The number of images whose activations fit a core's cache."""


def accuracy(network: Network, images: Float32Array, labels: npt.NDArray[np.int64]) -> float:
    """Return the share of images `(n, n_0)` whose largest output is that of their label `(n,)`, in float32 as deployed.

    Of equal outputs the first counts. BLAS uses one thread, so that the last bits, and with them close decisions, do
    not depend on the number of threads.
    """
    from threadpoolctl import threadpool_limits

    n_correct = 0
    with threadpool_limits(limits=1, user_api="blas"):
        for start in range(0, len(labels), _IMAGES_AT_A_TIME):
            h = np.asarray(images[start : start + _IMAGES_AT_A_TIME], dtype=np.float32)
            for k, (W, b) in enumerate(zip(network.weights, network.biases, strict=True)):
                h = h @ W.T + b
                if k < len(network.weights) - 1:
                    h = np.maximum(h, np.float32(0))
            n_correct += int((h.argmax(axis=1) == labels[start : start + _IMAGES_AT_A_TIME]).sum())
    return n_correct / len(labels)
