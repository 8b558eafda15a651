"""Untrained networks, the functions that [T] and [P] v3 maximize: torch's initial weights, by seed.

[T]'s class Network(in_size, layer_dims, seed) makes one torch.nn.Linear after the other, from the inputs on, right
after torch.manual_seed(seed): weights and biases uniform in +-1/sqrt(n_in), each layer's weights drawn first; the one
output is linear and is to be maximized over [0, 1]^n_0. Its test script runs through

    inputs 10, 100, 1000    depth 1, 2, 3    width 100, 500    seeds 50 to 54

Reproduced here are the same float32 weights from torch's CPU generator, except that those below `MIN_WEIGHT` in
magnitude are zero, as in every network made here.
Source: [T] Tong, Cai, Serra 2024, arXiv:2401.03451, section 4.1, and its published code (testscript_1hr.py). The class
itself was read in a public copy with the same constructor, not in [T]'s own repository.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch

from vnnbench.instances.arrays import Float32Array
from vnnbench.instances.networks.network import Network, without_tiny_weights


def untrained_network(n_inputs: int, hidden_widths: Sequence[int], seed: int) -> Network:
    """Return the ReLU network of [T] with these widths, one linear output and this seed.

    torch's global random state is restored. Raises ValueError unless there is a hidden layer and all widths are
    positive.
    """
    if not hidden_widths or min(n_inputs, *hidden_widths) < 1:
        raise ValueError(f"widths are {[n_inputs, *hidden_widths]}; there must be at least two, all positive")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed, without the seeds of other devices
        layers = [torch.nn.Linear(n_in, n_out, device="cpu") for n_in, n_out in pairwise((n_inputs, *hidden_widths, 1))]
    return without_tiny_weights(
        Network(tuple(_array(layer.weight) for layer in layers), tuple(_array(layer.bias) for layer in layers))
    )


def _array(parameter: torch.Tensor) -> Float32Array:
    array: Float32Array = parameter.detach().numpy().copy()
    return array
