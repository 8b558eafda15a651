"""Structured Perspective Regularization (SPR), which prunes hidden neurons during training.

For the incoming weights W_j of a hidden neuron, 0 < alpha < 1 and M > 0 the term is

    z_j = 2 sqrt(alpha (1 - alpha)) |W_j|_2                           if |W_j|_inf / M <= t_j <= 1
    z_j = alpha M |W_j|_2^2 / |W_j|_inf + (1 - alpha) |W_j|_inf / M   if t_j <= |W_j|_inf / M <= 1
    z_j = alpha |W_j|_2^2 + 1 - alpha                                 else

with t_j = sqrt(alpha / (1 - alpha)) |W_j|_2: the minimum over y in [|W_j|_inf / M, 1] of alpha |W_j|_2^2 / y +
(1 - alpha) y, the perspective of a quadratic cost and a price for keeping the neuron. The loss is cross entropy plus
lambda times the mean of z_j over the hidden neurons: the plain sum, whose weight grows with the width, removed all
neurons.

Then neurons whose incoming weights are all below a threshold are removed, their constant max(b_j, 0) is added to the
next biases, and the rest is trained without the term.
Sources: Cacciola, Frangioni, Lodi, arXiv:2307.07457; Cacciola, Frangioni, Li, Lodi, arXiv:2206.14056.

Dimensions as in `batched`: S networks, W (S, n_{k-1}, n_k).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from vnnbench.instances.datasets.dataset import Dataset
from vnnbench.instances.networks.network import Network, accuracy, without_tiny_weights
from vnnbench.instances.networks.pruning import Int64Array, keep_neurons, neuron_masks
from vnnbench.instances.training.batched import (
    Penalty,
    generator,
    generators_on,
    mask_weights,
    reproducible_torch,
    run_epochs,
    stack_masks,
    stack_networks,
    training_tensors,
    unstack_networks,
)
from vnnbench.instances.training.dense import initial_network, training_key
from vnnbench.instances.training.plan import ONE_THREAD, Compute, SprPlan, TrainingPlan


@dataclass(frozen=True, slots=True)
class SprCell:
    """One cell of the grid: lambda, the weight of the term, and alpha, its trade-off parameter."""

    lambda_: float
    alpha: float


@dataclass(frozen=True, slots=True, eq=False)
class SprTraining:
    """One network to train: the seed of a baseline, the trained baseline, which gives M, and the term's parameters."""

    seed: int
    baseline: Network
    cell: SprCell


@dataclass(frozen=True, slots=True, eq=False)
class SprNetwork:
    """A network after SPR, with the share of test images that it classifies correctly."""

    network: Network
    test_accuracy: float
    training: SprTraining


def train_spr(
    dataset: Dataset, trainings: Sequence[SprTraining], plan: TrainingPlan, spr: SprPlan, compute: Compute = ONE_THREAD
) -> list[SprNetwork]:
    """Train networks of one architecture with the term as one stack, remove neurons, and finetune.

    The result is in the given order. Each network starts from its baseline's initial weights, with the same images in
    the same order, for as many epochs. M is the largest |w| of each layer of the trained baseline. At least one neuron
    of a layer stays. Weights below `MIN_WEIGHT` in magnitude become zero before accuracy is measured. The result is
    reproducible under the same conditions as that of `train`.
    """
    if not trainings:
        return []
    with reproducible_torch(compute.threads, compute.device):
        hidden_widths = trainings[0].baseline.hidden_widths
        generators = [generator(training_key(dataset, hidden_widths, training.seed)) for training in trainings]
        parameters = stack_networks([initial_network(dataset, hidden_widths, g) for g in generators], compute.device)
        generators = generators_on(compute.device, generators)
        images, labels = training_tensors(dataset, compute.device)
        run_epochs(parameters, images, labels, generators, plan, penalty=_penalty(trainings, compute.device))
        kept, starts = [], []
        for network in unstack_networks(parameters):
            kept.append(surviving_neurons(network, spr.threshold))
            starts.append(fold_constants(network, kept[-1]))
        parameters = stack_networks(starts, compute.device)
        masks = stack_masks([neuron_masks(n, left) for n, left in zip(starts, kept, strict=True)], compute.device)
        mask_weights(parameters, masks)
        run_epochs(parameters, images, labels, generators, replace(plan, epochs=spr.finetuning_epochs), masks)
        networks = [
            without_tiny_weights(keep_neurons(network, left))
            for network, left in zip(unstack_networks(parameters), kept, strict=True)
        ]
    return [
        SprNetwork(network, accuracy(network, dataset.test_images, dataset.test_labels), training)
        for training, network in zip(trainings, networks, strict=True)
    ]


def choose_cell(sizes: Sequence[float], accuracies: Sequence[float], least: float) -> int:
    """Return the smallest cell with at least this accuracy, or the most accurate one if none has it.

    Of equally small cells the more accurate one is returned.
    """
    accurate = [k for k, accuracy in enumerate(accuracies) if accuracy >= least]
    if accurate:
        return min(accurate, key=lambda k: (sizes[k], -accuracies[k]))
    return max(range(len(accuracies)), key=lambda k: accuracies[k])


def spr_terms(W: Tensor, alpha: Tensor, M: Tensor) -> Tensor:
    """Return z (S, n_k) of every neuron of a layer W (S, n_{k-1}, n_k); alpha, M (S, 1)."""
    norm = torch.linalg.vector_norm(W, dim=1)
    smallest = torch.amax(W.abs(), dim=1) / M
    y = torch.maximum(torch.sqrt(alpha / (1 - alpha)) * norm, smallest).clamp(max=1.0)
    terms: Tensor = alpha * norm.square() / y.clamp(min=torch.finfo(W.dtype).tiny) + (1 - alpha) * y
    return terms


def _penalty(trainings: Sequence[SprTraining], device: str) -> Penalty:
    def column(values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=device)[:, None]

    n_hidden = sum(trainings[0].baseline.hidden_widths)
    lambda_ = column([training.cell.lambda_ / n_hidden for training in trainings])
    alpha = column([training.cell.alpha for training in trainings])
    largest = [
        column([float(np.abs(training.baseline.weights[k]).max()) for training in trainings])
        for k in range(len(trainings[0].baseline.hidden_widths))
    ]

    def penalty(parameters: Sequence[Tensor]) -> Tensor:
        hidden = parameters[:-2:2]
        return sum((lambda_ * spr_terms(W, alpha, M)).sum() for W, M in zip(hidden, largest, strict=True))  # type: ignore[return-value]

    return penalty


def surviving_neurons(network: Network, threshold: float) -> tuple[Int64Array, ...]:
    """Return, per hidden layer, the ascending indices of neurons with an incoming weight of at least the threshold.

    A layer without any keeps the neuron with the largest weight.
    """
    survivors = []
    for W in network.weights[:-1]:
        largest = np.abs(W).max(axis=1)
        alive = np.flatnonzero(largest >= threshold)
        survivors.append(alive if len(alive) else np.array([largest.argmax()]))
    return tuple(survivors)


def fold_constants(network: Network, kept: tuple[Int64Array, ...]) -> Network:
    """Return the network with the constant max(b_j, 0) of every removed neuron added to the next layer's biases.

    This is done in float64, layer by layer, and rounded to float32 once. The weights stay as they are, for
    `keep_neurons`.
    """
    biases = [b.astype(np.float64) for b in network.biases]
    for k, left in enumerate(kept):
        gone = np.setdiff1d(np.arange(len(biases[k])), left)
        biases[k + 1] += network.weights[k + 1][:, gone].astype(np.float64) @ np.maximum(biases[k][gone], 0.0)
    return Network(network.weights, tuple(b.astype(np.float32) for b in biases))
