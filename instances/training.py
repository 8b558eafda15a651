"""Training: seeded ReLU networks, all seeds of one architecture as one stack.

Every seed has its own initial weights and its own order of images. What fixes the bytes is data set, architecture, plan
and the *list* of seeds (see `stack`): a suite always trains the same lists.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from instances.datasets import Dataset
from instances.network import Network, accuracy, without_tiny_weights
from instances.stack import generator, reproducible_torch, run_epochs, unstack_networks
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
    CPU type, whatever thread variables say: torch is held to one thread meanwhile.
    Source: SurrogateLIB's adversarial MNIST example, arXiv:2312.08074.
    """
    if not hidden_widths or min(hidden_widths) < 1:
        raise ValueError(f"hidden widths are {list(hidden_widths)}, there must be at least one, all positive")
    if not seeds:
        return []
    widths = (dataset.n_inputs, *hidden_widths, dataset.n_classes)
    with reproducible_torch():
        architecture = f"{dataset.name}/{dataset.side}/{'-'.join(map(str, hidden_widths))}"
        generators = [generator(f"{architecture}/{seed}") for seed in seeds]
        parameters = _initial_parameters(widths, generators)
        images, labels = torch.tensor(dataset.train_images), torch.tensor(dataset.train_labels)
        run_epochs(parameters, images, labels, generators, plan)
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
