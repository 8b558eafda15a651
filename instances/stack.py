"""Stacks: networks of one architecture that train side by side as batched matrix products. Only here does torch work.

Dimensions: S networks, B images per batch; per layer W (S, n_{k-1}, n_k), b (S, 1, n_k), activations (S, B, n_k).
W is the transpose of the network's: so its gradient, activations^T @ gradient, needs no copy.

Every network has its own order of images, so it differs from the one trained alone only as far as a batched matrix
product rounds differently with S.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from instances.network import Network
from instances.training_plan import TrainingPlan


@contextmanager
def reproducible_torch() -> Iterator[None]:
    """One thread, deterministic kernels only, denormals flushed; all as before on leaving.

    Not for use beside other torch work in this process.

    Weight decay drives the weights of pixels that are always black towards 1e-43, and products with denormals are
    many times slower; such weights become zero at the end anyway.

    Two threads gave the same bytes on two idle cores, 1.3 to 1.5 times faster; beside another busy process ten 2x32
    networks took 18 times longer, for the threads wait for each other in every product. --jobs uses the cores better.
    """
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    memory: Any = torch.utils.deterministic  # its one property is untyped
    filling = memory.fill_uninitialized_memory
    flushing = _flushes_denormals()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    memory.fill_uninitialized_memory = False  # every tensor made here is written before it is read
    torch.set_flush_denormal(True)  # False where the CPU cannot: slower, and not the same CPU type
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        memory.fill_uninitialized_memory = filling
        torch.set_flush_denormal(flushing)


def _flushes_denormals() -> bool:
    smallest_normal = np.finfo(np.float64).tiny
    return bool(np.multiply(smallest_normal, 0.5) == 0.0)


def generator(key: str) -> torch.Generator:
    """The generator of a key: another key, an independent one."""
    digest = hashlib.sha256(key.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)  # torch takes 63 bits


def stack_networks(networks: Sequence[Network]) -> list[Tensor]:
    """W_1, b_1, W_2, b_2, ..., stacked over networks of the same shapes, ready to train."""
    parameters = []
    for k in range(len(networks[0].weights)):
        parameters.append(torch.stack([torch.tensor(network.weights[k].T.copy()) for network in networks]))
        parameters.append(torch.stack([torch.tensor(network.biases[k])[None] for network in networks]))
    return [parameter.requires_grad_() for parameter in parameters]


def unstack_networks(parameters: Sequence[Tensor]) -> list[Network]:
    """The networks of a stack, in its order: the inverse of `stack_networks`."""
    arrays = [parameter.detach().numpy() for parameter in parameters]
    return [
        Network(
            weights=tuple(np.ascontiguousarray(W[s].T) for W in arrays[::2]),
            biases=tuple(b[s, 0].copy() for b in arrays[1::2]),
        )
        for s in range(len(arrays[0]))
    ]


def run_epochs(
    parameters: Sequence[Tensor],
    images: Tensor,
    labels: Tensor,
    generators: Sequence[torch.Generator],
    plan: TrainingPlan,
    masks: Sequence[Tensor] = (),
) -> None:
    """Train a stack in place on images `(n, n_0)` and labels `(n,)` by cross entropy, with a fresh optimizer.

    Images are shuffled anew in each epoch, for each network by its own generator; the last, smaller batch is kept.
    masks: per layer (S, n_{k-1}, n_k), 1.0 where a weight trains and 0.0 where it is zero after every step; none masks
    nothing.
    """
    optimizer = torch.optim.Adam(parameters, lr=plan.learning_rate, weight_decay=plan.weight_decay, fused=True)
    largest_batch = len(generators) * min(plan.batch_size, len(images))
    buffer = torch.empty(largest_batch, images.shape[1])  # a new one per step costs page faults
    for _ in range(plan.epochs):
        orders = torch.stack([torch.randperm(len(images), generator=g) for g in generators])
        for batch in torch.split(orders, plan.batch_size, dim=1):
            optimizer.zero_grad()
            rows = batch.flatten()
            inputs = torch.index_select(images, 0, rows, out=buffer[: len(rows)])
            outputs = _forward(parameters, inputs.view(*batch.shape, -1))
            # The mean within each network's batch, the sum over networks: no gradient sees another network.
            loss = torch.nn.functional.cross_entropy(outputs.flatten(0, 1), labels[rows], reduction="sum")
            torch.autograd.backward(loss / batch.shape[1])
            optimizer.step()
            with torch.no_grad():
                for W, mask in zip(parameters[::2], masks, strict=bool(masks)):
                    W.mul_(mask)


def _forward(parameters: Sequence[Tensor], images: Tensor) -> Tensor:
    """Outputs (S, B, n_L) at images (S, B, n_0)."""
    h = images
    for k in range(0, len(parameters), 2):
        z = torch.baddbmm(parameters[k + 1], h, parameters[k])
        h = torch.relu(z) if k + 2 < len(parameters) else z
    return h
