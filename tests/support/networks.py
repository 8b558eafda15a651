"""Small networks, by their numbers or at random, and how two are compared."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import BoolArray, Float64Array
from vnnbench.instances.files import sha256
from vnnbench.instances.networks.network import Layer, LayeredNetwork, Matrix, Network

if TYPE_CHECKING:
    from vnnbench.instances.training.dense import TrainedNetwork


def make_network(*layers: tuple[npt.ArrayLike, npt.ArrayLike]) -> Network:
    """Return the perceptron of these layers, each (W, b), rounded to float32."""
    return Network(
        tuple(np.array(W, dtype=np.float32) for W, _ in layers), tuple(np.array(b, dtype=np.float32) for _, b in layers)
    )


def layer_of(W: Matrix, b: Float64Array, relu: bool | BoolArray, divisor: Float64Array | None = None) -> Layer:
    """Return a layer with a ReLU behind every neuron (True), none (False), or those of a mask (n_k,)."""
    return Layer(W, b, np.broadcast_to(np.asarray(relu), b.shape), divisor)


def mixed_network(widths: Sequence[int], seed: int) -> LayeredNetwork:
    """Draw a network of these widths whose hidden layers mix ReLUs, linear neurons and copies of neurons before."""
    random = np.random.default_rng(seed)
    layers = []
    for layer in random_network(widths, seed, density=0.7).layers[:-1]:
        W, b, kinds = layer.W.copy(), layer.b.copy(), random.integers(0, 3, size=layer.n_outputs)
        for j in np.flatnonzero(kinds != 0).tolist():
            if kinds[j] == 1 or random.random() < 0.3:  # a copy, without ReLU or with one
                W[j], b[j] = np.eye(layer.n_inputs)[random.integers(layer.n_inputs)], 0.0
        layers.append(Layer(W, b, kinds != 1 if random.random() < 0.5 else kinds == 0))
    return LayeredNetwork((*layers, random_network(widths, seed).layers[-1]))


def random_network(
    widths: Sequence[int], seed: int, *, scales: tuple[float, float] = (0.0, 0.0), density: float = 1.0
) -> Network:
    """Draw the network of these widths, inputs and outputs among them.

    Weights and biases are 10**u times a standard normal number, u uniform in `scales`, at least 1e-7; a share `density`
    of them is nonzero.
    """
    random = np.random.default_rng(seed)

    def draw(*shape: int) -> Float64Array:
        numbers = random.normal(size=shape) * 10.0 ** random.uniform(*scales, size=shape)
        numbers = np.where(np.abs(numbers) < 1e-7, 1e-7, numbers)
        return np.where(random.random(shape) < density, numbers, 0.0)

    return make_network(*((draw(m, n), draw(m)) for n, m in itertools.pairwise(widths)))


def same_bits(one: Network, other: Network) -> bool:
    """Return whether all weights and biases agree in shape, type and every bit."""
    pairs = zip(one.weights + one.biases, other.weights + other.biases, strict=True)
    return all(a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in pairs)


def weights_sha256(results: Iterable[TrainedNetwork]) -> str:
    """Return the hash of the networks of trained results, one after the other."""
    arrays = (array for result in results for array in (*result.network.weights, *result.network.biases))
    return sha256(b"".join(array.tobytes() for array in arrays))
