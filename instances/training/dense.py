"""The training of seeded ReLU networks, with all seeds of one architecture as one stack.

Every seed has its own initial weights and its own order of images. Data set, architecture, plan and the *list* of seeds
fix the bytes (see `batched`): a suite always trains the same lists.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch

from vnnbench.instances.datasets.dataset import Dataset
from vnnbench.instances.networks.network import Network, accuracy, without_tiny_weights
from vnnbench.instances.training.batched import (
    generator,
    generators_on,
    reproducible_torch,
    run_epochs,
    stack_networks,
    training_tensors,
    unstack_networks,
)
from vnnbench.instances.training.plan import ONE_THREAD, Compute, TrainingPlan


@dataclass(frozen=True, slots=True, eq=False)
class TrainedNetwork:
    """A network with the shares of training and test images that it classifies correctly."""

    network: Network
    train_accuracy: float
    test_accuracy: float
    seed: int


def train(
    dataset: Dataset,
    hidden_widths: Sequence[int],
    seeds: Sequence[int],
    plan: TrainingPlan,
    compute: Compute = ONE_THREAD,
) -> list[TrainedNetwork]:
    """Train one ReLU network per seed by cross entropy on the training images; the result is in the order of `seeds`.

    Images are shuffled again in each epoch and the last, smaller batch is kept. Weights below `MIN_WEIGHT` in magnitude
    become zero before accuracy is measured. The same arguments give the same bytes with the same versions on the same
    CPU type, whatever the number of threads and the environment variables for it; another device gives other bytes.
    Source: SurrogateLIB's adversarial MNIST example, arXiv:2312.08074.
    """
    if not hidden_widths or min(hidden_widths) < 1:
        raise ValueError(f"hidden widths are {list(hidden_widths)}; there must be at least one, all positive")
    if not seeds:
        return []
    with reproducible_torch(compute.threads, compute.device):
        generators = [generator(training_key(dataset, hidden_widths, seed)) for seed in seeds]
        parameters = stack_networks([initial_network(dataset, hidden_widths, g) for g in generators], compute.device)
        images, labels = training_tensors(dataset, compute.device)
        run_epochs(parameters, images, labels, generators_on(compute.device, generators), plan)
        networks = [without_tiny_weights(network) for network in unstack_networks(parameters)]
    return [
        TrainedNetwork(
            network=network,
            train_accuracy=accuracy(network, dataset.train_images, dataset.train_labels),
            test_accuracy=accuracy(network, dataset.test_images, dataset.test_labels),
            seed=seed,
        )
        for seed, network in zip(seeds, networks, strict=True)
    ]


def training_key(dataset: Dataset, hidden_widths: Sequence[int], seed: int) -> str:
    """Return the key of a network's generator, which fixes its initial weights and its order of images."""
    return f"{dataset.name}/{dataset.side}/{'-'.join(map(str, hidden_widths))}/{seed}"


def initial_network(dataset: Dataset, hidden_widths: Sequence[int], generator: torch.Generator) -> Network:
    """Return a network before training: Xavier uniform weights, and biases as in torch.nn.Linear."""
    weights, biases = [], []
    for n_in, n_out in pairwise((dataset.n_inputs, *hidden_widths, dataset.n_classes)):
        weight_bound = math.sqrt(6 / (n_in + n_out))
        bias_bound = 1 / math.sqrt(n_in)
        weights.append(torch.empty(n_in, n_out).uniform_(-weight_bound, weight_bound, generator=generator).numpy().T)
        biases.append(torch.empty(n_out).uniform_(-bias_bound, bias_bound, generator=generator).numpy())
    return Network(tuple(weights), tuple(biases))
