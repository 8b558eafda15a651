"""Pruning: a dense network becomes a sparse or narrower surrogate, by magnitude or at random, without finetuning.

Every layer has an order in which its weights, or hidden neurons, are removed; the rate gives their number. The masks of
one network are therefore nested: what is removed at a low rate is removed at every higher one.
Source: [P] Pham et al., arXiv:2505.01985: layerwise pruning, by magnitude and at random, unstructured and structured.
"""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction
from math import floor

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float32Array, Float64Array
from vnnbench.instances.networks.network import Network
from vnnbench.instances.randomness import random_permutation

BoolArray = npt.NDArray[np.bool_]
Int64Array = npt.NDArray[np.int64]


class Method(StrEnum):
    """The methods that choose the weights to remove."""

    MAGNITUDE = "magnitude"
    RANDOM = "random"
    SPR = "spr"  # prunes during training (`spr`); the functions here refuse it


class Structure(StrEnum):
    """The parts that are removed: single weights, or whole hidden neurons."""

    UNSTRUCTURED = "unstructured"
    STRUCTURED = "structured"


def prune(
    network: Network,
    *,
    structure: Structure | str,
    rate: float | Fraction,
    method: Method | str = Method.MAGNITUDE,
    key: str | None = None,
) -> Network:
    """Return the surrogate of `network` from which the share `rate` of every layer is removed.

    unstructured: weights become zero (`weight_masks`); the shapes stay.
    structured: hidden neurons are removed with bias and outgoing column (`kept_neurons`); the layers get narrower.
    Inputs and outputs stay. `key` fixes the draws of random pruning: the dense network's name.
    Raises ValueError for an unknown method or structure, for a rate outside (0, 1), and for random without a key.
    Source: [P].
    """
    if Structure(structure) is Structure.UNSTRUCTURED:
        return apply_weight_masks(network, weight_masks(network, rate, method=method, key=key))
    return keep_neurons(network, kept_neurons(network, rate, method=method, key=key))


def weight_masks(
    network: Network,
    rate: float | Fraction,
    *,
    method: Method | str = Method.MAGNITUDE,
    key: str | None = None,
    left: tuple[BoolArray, ...] | None = None,
) -> tuple[BoolArray, ...]:
    """Return a mask per layer `(n_k, n_{k-1})`, output layer included: True where a weight stays.

    magnitude: False for the round(rate * size) weights of the smallest |w|, round half up; among equal ones the first
    in row-major order is removed first, and zeros count among the smallest. random: False for the same number of
    weights, the first of a permutation fixed by `key` and the layer. Biases are not pruned. `left`: earlier masks at a
    lower rate; weights that are False there are removed first. Source: [P].
    """
    masks = []
    for k, W in enumerate(network.weights):
        scores = _scores(np.abs(W).ravel(), method, key, f"weights {k + 1}")
        if left is not None:
            scores[~left[k].ravel()] = -1.0
        mask = np.ones(W.size, dtype=np.bool_)
        mask[np.argsort(scores, kind="stable")[: pruned_count(rate, W.size)]] = False
        masks.append(mask.reshape(W.shape))
    return tuple(masks)


def kept_neurons(
    network: Network,
    rate: float | Fraction,
    *,
    method: Method | str = Method.MAGNITUDE,
    key: str | None = None,
    left: tuple[Int64Array, ...] | None = None,
) -> tuple[Int64Array, ...]:
    """Return the ascending indices of the neurons that stay, per hidden layer.

    magnitude: the round(rate * width) neurons of the smallest L2 norm of incoming weights are removed, round half up,
    among equal ones the first; norms are in float64, of the weights before any neuron is removed. random: the same
    number of neurons, the first of a permutation fixed by `key` and the layer. At least one neuron per layer stays:
    without it the output would not depend on the input. `left`: the neurons that stayed earlier, at a lower rate; the
    others are removed first. Source: [P].
    """
    kept = []
    for k, W in enumerate(network.weights[:-1]):
        width = W.shape[0]
        scores = _scores((W.astype(np.float64) ** 2).sum(axis=1), method, key, f"neurons {k + 1}")
        if left is not None:
            scores[np.setdiff1d(np.arange(width), left[k])] = -1.0
        order = np.argsort(scores, kind="stable")
        kept.append(np.sort(order[width - kept_count(rate, width) :]))
    return tuple(kept)


def _scores(magnitudes: Float32Array | Float64Array, method: Method | str, key: str | None, layer: str) -> Float64Array:
    """Return scores of which the lowest is removed first: the magnitudes, or positions in a random permutation."""
    if Method(method) is Method.MAGNITUDE:
        return magnitudes.astype(np.float64)
    if Method(method) is not Method.RANDOM:
        raise ValueError(f"{method} prunes during training, not afterwards")
    if not key:
        raise ValueError("random pruning needs a key, the dense network's name")
    scores = np.empty(len(magnitudes))
    scores[random_permutation(f"{key}/random pruning/{layer}", len(magnitudes))] = np.arange(len(magnitudes))
    return scores


def apply_weight_masks(network: Network, masks: tuple[BoolArray, ...]) -> Network:
    """Return the network with every weight set to zero whose mask `(n_k, n_{k-1})` is False."""
    weights = tuple(np.where(mask, W, np.float32(0)) for W, mask in zip(network.weights, masks, strict=True))
    return Network(weights, network.biases)


def keep_neurons(network: Network, kept: tuple[Int64Array, ...]) -> Network:
    """Return the network with only the given neurons per hidden layer: their rows, biases and next layer's columns."""
    rows = (*kept, np.arange(network.n_outputs))
    columns = (np.arange(network.n_inputs), *kept)
    weights = tuple(W[np.ix_(r, c)] for W, r, c in zip(network.weights, rows, columns, strict=True))
    biases = tuple(b[r] for b, r in zip(network.biases, rows, strict=True))
    return Network(weights, biases)


def neuron_masks(network: Network, kept: tuple[Int64Array, ...]) -> tuple[BoolArray, ...]:
    """Return a mask per layer (n_k, n_{k-1}) for training with only the given neurons of the hidden layers left.

    It is True where a weight trains. The incoming and outgoing weights of a removed neuron do not, so its bias has no
    effect.
    """
    rows = (*kept, np.arange(network.n_outputs))
    columns = (np.arange(network.n_inputs), *kept)
    masks = tuple(np.zeros(W.shape, dtype=np.bool_) for W in network.weights)
    for mask, r, c in zip(masks, rows, columns, strict=True):
        mask[np.ix_(r, c)] = True
    return masks


def zero_share(network: Network, dense: Network) -> float:
    """Return the share (0 to 1) of the dense network's weights that are zero in `network`, or removed from it.

        1 - #{nonzero weights of network} / #{weights of dense}

    It counts the weights that an unstructured rate is about: those of all layers, the output's included, without
    biases. It exceeds that rate if the dense network has zeros of its own (`network.MIN_WEIGHT`) that random pruning
    leaves, and is below it if a layer's count is rounded down. For the dense network itself it is the share of its own
    zeros. A structured rate counts neurons; this counts the weights removed with them, incoming and outgoing.
    """
    weights = sum(W.size for W in dense.weights)
    return (weights - sum(int(np.count_nonzero(W)) for W in network.weights)) / weights


def pruned_count(rate: float | Fraction, size: int) -> int:
    """Return rate * size, rounded half up, exactly: a float rate means the decimal that it prints as (0.3 is 3/10)."""
    if not 0 < rate < 1:
        raise ValueError(f"rate is {rate}; it must lie strictly between 0 and 1")
    return floor(Fraction(str(rate)) * size + Fraction(1, 2))


def kept_count(rate: float | Fraction, width: int) -> int:
    """Return how many of `width` hidden neurons stay: at least one."""
    return max(width - pruned_count(rate, width), 1)
