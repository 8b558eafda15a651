"""Pruning: a dense network becomes a sparse or narrower surrogate. Not finetuned; masks are chosen by magnitude.

Source: [P] Pham et al., arXiv:2505.01985: layerwise magnitude pruning, unstructured and structured.
"""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction
from math import floor

import numpy as np
import numpy.typing as npt

from instances.network import Network

BoolArray = npt.NDArray[np.bool_]
Int64Array = npt.NDArray[np.int64]


class Method(StrEnum):
    """What says which weights go."""

    MAGNITUDE = "magnitude"


class Structure(StrEnum):
    """What goes: single weights, or whole hidden neurons."""

    UNSTRUCTURED = "unstructured"
    STRUCTURED = "structured"


def prune(
    network: Network, *, structure: Structure | str, rate: float | Fraction, method: Method | str = Method.MAGNITUDE
) -> Network:
    """Return the surrogate that is left of `network` when the share `rate` of every layer is gone.

    unstructured: weights become zero, see `weight_masks`; the shapes stay.
    structured: hidden neurons are removed with bias and outgoing column, see `kept_neurons`; the layers get narrower.
    Inputs and outputs stay. Raises ValueError for an unknown method or structure and for a rate outside (0, 1).
    Source: [P].
    """
    Method(method)  # the only one so far; an unknown word raises
    if Structure(structure) is Structure.UNSTRUCTURED:
        return apply_weight_masks(network, weight_masks(network, rate))
    return keep_neurons(network, kept_neurons(network, rate))


def weight_masks(network: Network, rate: float | Fraction) -> tuple[BoolArray, ...]:
    """Per layer `(n_k, n_{k-1})`, output layer included: True where a weight stays.

    False for the round(rate * size) weights of the smallest |w|, round half up; among equal ones the first in
    row-major order goes first, and zeros count among the smallest. Biases are not pruned. Source: [P].
    """
    masks = []
    for W in network.weights:
        order = np.argsort(np.abs(W), axis=None, kind="stable")
        mask = np.ones(W.size, dtype=np.bool_)
        mask[order[: pruned_count(rate, W.size)]] = False
        masks.append(mask.reshape(W.shape))
    return tuple(masks)


def kept_neurons(network: Network, rate: float | Fraction) -> tuple[Int64Array, ...]:
    """Per hidden layer, the ascending indices of the neurons that stay.

    The round(rate * width) neurons of the smallest L2 norm of incoming weights go, round half up, among equal ones
    the first; norms in float64, of the weights before any neuron is gone. At least one neuron per layer stays:
    without it nothing of the input would reach the output. Source: [P].
    """
    kept = []
    for W in network.weights[:-1]:
        width = W.shape[0]
        squared_norms = (W.astype(np.float64) ** 2).sum(axis=1)
        order = np.argsort(squared_norms, kind="stable")
        kept.append(np.sort(order[min(pruned_count(rate, width), width - 1) :]))
    return tuple(kept)


def apply_weight_masks(network: Network, masks: tuple[BoolArray, ...]) -> Network:
    """The network with every weight zero whose mask `(n_k, n_{k-1})` is False."""
    weights = tuple(np.where(mask, W, np.float32(0)) for W, mask in zip(network.weights, masks, strict=True))
    return Network(weights, network.biases)


def keep_neurons(network: Network, kept: tuple[Int64Array, ...]) -> Network:
    """The network with only the given neurons per hidden layer: their rows, biases and columns in the next layer."""
    rows = (*kept, np.arange(network.n_outputs))
    columns = (np.arange(network.n_inputs), *kept)
    weights = tuple(W[np.ix_(r, c)] for W, r, c in zip(network.weights, rows, columns, strict=True))
    biases = tuple(b[r] for b, r in zip(network.biases, rows, strict=True))
    return Network(weights, biases)


def pruned_count(rate: float | Fraction, size: int) -> int:
    """rate * size, rounded half up, exactly: a float rate means the decimal it prints as (0.3 is 3/10)."""
    if not 0 < rate < 1:
        raise ValueError(f"rate is {rate}, it must lie strictly between 0 and 1")
    return floor(Fraction(str(rate)) * size + Fraction(1, 2))
