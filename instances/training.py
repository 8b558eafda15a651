"""Training: seeded ReLU networks, all seeds of one architecture as one stacked batch. The only room with torch.

Dimensions: S seeds, B images per batch; per layer W (S, n_{k-1}, n_k), b (S, 1, n_k), activations (S, B, n_k).
W is the transpose of the network's: so its gradient, activations^T @ gradient, needs no copy.

Every seed has its own initial weights and its own order of images, so a network differs from the one trained alone
only as far as a batched matrix product rounds differently with S. What fixes the bytes is therefore data set,
architecture, plan and the *list* of seeds: a suite always trains the same lists.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from instances.datasets import Dataset
from instances.network import Network, accuracy, drop_tiny_weights
from instances.training_plan import TrainingPlan


@dataclass(frozen=True, slots=True, eq=False)
class TrainedNetwork:
    """A network with the shares of training and test images that it classifies correctly."""

    network: Network
    train_accuracy: float
    test_accuracy: float
    seed: int


def train(
    dataset: Dataset, hidden_widths: Sequence[int], seeds: Sequence[int], plan: TrainingPlan
) -> list[TrainedNetwork]:
    """Train one ReLU network per seed by cross entropy on the training images; the result is in the order of `seeds`.

    Images are shuffled anew in each epoch and the last, smaller batch is kept. Weights below `MIN_WEIGHT` in magnitude
    become zero before accuracy is measured. The same arguments give the same bytes with the same versions on the same
    CPU type, whatever thread variables say: torch is held to one thread meanwhile (so not for use beside other torch
    work in this process). Source: SurrogateLIB's adversarial MNIST example, arXiv:2312.08074.
    """
    if not hidden_widths or min(hidden_widths) < 1:
        raise ValueError(f"hidden widths are {list(hidden_widths)}, there must be at least one, all positive")
    if not seeds:
        return []
    widths = (dataset.n_inputs, *hidden_widths, dataset.n_classes)
    with _reproducible_torch():
        generators = [_generator(dataset, hidden_widths, seed) for seed in seeds]
        parameters = _initial_parameters(widths, generators)
        images, labels = torch.tensor(dataset.train_images), torch.tensor(dataset.train_labels)
        _run_epochs(parameters, images, labels, generators, plan)
    return [
        TrainedNetwork(
            network=network,
            train_accuracy=accuracy(network, dataset.train_images, dataset.train_labels),
            test_accuracy=accuracy(network, dataset.test_images, dataset.test_labels),
            seed=seed,
        )
        for seed, network in zip(seeds, _networks(parameters, len(seeds)), strict=True)
    ]


@contextmanager
def _reproducible_torch() -> Iterator[None]:
    """One thread, deterministic kernels only, denormals flushed; all as before on leaving.

    Weight decay drives the weights of pixels that are always black towards 1e-43, and products with denormals are
    many times slower; such weights become zero at the end anyway.
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


def _generator(dataset: Dataset, hidden_widths: Sequence[int], seed: int) -> torch.Generator:
    """A generator of its own for each data set, side, architecture and seed, independent of the other seeds."""
    key = f"{dataset.name}/{dataset.side}/{'-'.join(map(str, hidden_widths))}/{seed}"
    digest = hashlib.sha256(key.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)  # torch takes 63 bits


def _initial_parameters(widths: Sequence[int], generators: Sequence[torch.Generator]) -> list[Tensor]:
    """W_1, b_1, W_2, b_2, ..., stacked over seeds: Xavier uniform weights, biases as torch.nn.Linear has them."""
    parameters = []
    for n_in, n_out in pairwise(widths):
        weight_bound = math.sqrt(6 / (n_in + n_out))
        bias_bound = 1 / math.sqrt(n_in)
        weights = [torch.empty(n_in, n_out).uniform_(-weight_bound, weight_bound, generator=g) for g in generators]
        biases = [torch.empty(1, n_out).uniform_(-bias_bound, bias_bound, generator=g) for g in generators]
        parameters += [torch.stack(weights), torch.stack(biases)]
    return [parameter.requires_grad_() for parameter in parameters]


def _run_epochs(
    parameters: Sequence[Tensor],
    images: Tensor,
    labels: Tensor,
    generators: Sequence[torch.Generator],
    plan: TrainingPlan,
) -> None:
    """Train `parameters` in place on images `(n, n_0)` and labels `(n,)`, each seed in an order of its own."""
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
            # The mean within each seed's batch, the sum over seeds: no seed's gradient sees another seed.
            loss = torch.nn.functional.cross_entropy(outputs.flatten(0, 1), labels[rows], reduction="sum")
            torch.autograd.backward(loss / batch.shape[1])
            optimizer.step()


def _forward(parameters: Sequence[Tensor], images: Tensor) -> Tensor:
    """Outputs (S, B, n_L) at images (S, B, n_0)."""
    h = images
    for k in range(0, len(parameters), 2):
        z = torch.baddbmm(parameters[k + 1], h, parameters[k])
        h = torch.relu(z) if k + 2 < len(parameters) else z
    return h


def _networks(parameters: Sequence[Tensor], n_seeds: int) -> list[Network]:
    arrays = [parameter.detach().numpy() for parameter in parameters]
    return [
        Network(
            weights=tuple(drop_tiny_weights(np.ascontiguousarray(W[s].T)) for W in arrays[::2]),
            biases=tuple(drop_tiny_weights(b[s, 0]) for b in arrays[1::2]),
        )
        for s in range(n_seeds)
    ]
