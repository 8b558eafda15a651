"""The network: a ReLU multilayer perceptron as float32 matrices, the ground truth of everything else.

Dimensions: W_k is (n_k, n_{k-1}), b_k is (n_k,), k = 1..L; h_0 = x, z_k = W_k h_{k-1} + b_k, h_k = max(z_k, 0) for
k < L, y = z_L. All biases are present; the output layer is linear.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]

MIN_WEIGHT = 1e-7
"""Networks made here hold no nonzero weight or bias below this: MILP readers take numbers below 1e-9 for 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Weights `(n_k, n_{k-1})` and biases `(n_k,)` per layer, float32, read-only arrays."""

    weights: tuple[Float32Array, ...]
    biases: tuple[Float32Array, ...]

    def __post_init__(self) -> None:
        for k, (W, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            if W.dtype != np.float32 or b.dtype != np.float32:
                raise TypeError(f"layer {k}: weights are {W.dtype} and {b.dtype}, they must be float32")
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
        """Neurons per hidden layer."""
        return tuple(int(W.shape[0]) for W in self.weights[:-1])

    @property
    def n_parameters(self) -> int:
        """Weights and biases, zeros among them."""
        return sum(array.size for array in (*self.weights, *self.biases))

    def float64_layers(self) -> list[tuple[Float64Array, Float64Array]]:
        """(W, b) per layer in float64, exactly the float32 values."""
        return [(W.astype(np.float64), b.astype(np.float64)) for W, b in zip(self.weights, self.biases, strict=True)]

    def forward(self, x: npt.ArrayLike) -> Float64Array:
        """y (n_L,) or (batch, n_L) at x (n_0,) or (batch, n_0), in float64: an approximation, see `exact`."""
        h = np.asarray(x, dtype=np.float64)
        for k, (W, b) in enumerate(self.float64_layers()):
            z = h @ W.T + b
            h = z if k == len(self.weights) - 1 else np.maximum(z, 0.0)
        return h


def drop_tiny_weights(weights: Float32Array) -> Float32Array:
    """Set entries below `MIN_WEIGHT` in magnitude to zero; for weights and biases alike."""
    return np.where(np.abs(weights) < MIN_WEIGHT, np.float32(0), weights).astype(np.float32)


def without_tiny_weights(network: Network) -> Network:
    """The network with the weights and biases below `MIN_WEIGHT` in magnitude at zero."""
    return Network(tuple(map(drop_tiny_weights, network.weights)), tuple(map(drop_tiny_weights, network.biases)))


_IMAGES_AT_A_TIME = 500
"""So many, with their activations, fit a core's cache."""


def accuracy(network: Network, images: Float32Array, labels: npt.NDArray[np.int64]) -> float:
    """Share of images `(n, n_0)` whose largest output is that of their label `(n,)`, in float32 as deployed.

    The first of equal outputs counts. One BLAS thread, so that the last bits, and with them close calls, do not depend
    on how many there are.
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
