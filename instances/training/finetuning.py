"""Finetuning: surrogates that are pruned a little further in every round and trained in between, all as one stack.

Round r of R prunes a layer to the share rate * r / R. Removed parts stay removed; the others are ranked again by their
present weights (by magnitude), or are removed in an order that is drawn once (at random). Then the rest trains, with a
fresh optimizer; pruned weights are zero after every step. Removed neurons are masked inside the stack, so that all
shapes agree, and are cut out at its end.

Data set, plans and the *list* of surrogates fix the bytes: a suite always finetunes the same lists (`network_tasks`).
Source: [P] Pham et al., arXiv:2505.01985: pruned in rounds, finetuned after each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from vnnbench.instances.datasets.dataset import Dataset
from vnnbench.instances.networks.network import Network, accuracy, without_tiny_weights
from vnnbench.instances.networks.pruning import (
    BoolArray,
    Method,
    Structure,
    apply_weight_masks,
    keep_neurons,
    kept_neurons,
    neuron_masks,
    weight_masks,
)
from vnnbench.instances.training.batched import (
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
from vnnbench.instances.training.plan import ONE_THREAD, Compute, FinetuningPlan, TrainingPlan


@dataclass(frozen=True, slots=True, eq=False)
class Surrogate:
    """A surrogate that is to be finetuned.

    name: the surrogate's name, which fixes its order of images. dense_name: the key of random pruning, as in `prune`.
    """

    name: str
    dense: Network
    dense_name: str
    method: Method
    structure: Structure
    rate: float


@dataclass(frozen=True, slots=True, eq=False)
class FinetunedNetwork:
    """A finetuned surrogate with the share of test images that it classifies correctly."""

    network: Network
    test_accuracy: float
    name: str


def finetune(
    dataset: Dataset,
    surrogates: Sequence[Surrogate],
    training: TrainingPlan,
    finetuning: FinetuningPlan,
    compute: Compute = ONE_THREAD,
) -> list[FinetunedNetwork]:
    """Prune and finetune surrogates of dense networks of one architecture; the result is in their order.

    Loss, batches, learning rate and weight decay are those of `dense`; `finetuning` gives the number of rounds and of
    epochs in each. Weights below `MIN_WEIGHT` in magnitude become zero before accuracy is measured. The result is
    reproducible under the same conditions as that of `train`.
    """
    if not surrogates:
        return []
    plan = replace(training, epochs=finetuning.epochs)
    with reproducible_torch(compute.threads, compute.device):
        keys = [f"{surrogate.name}/finetuning" for surrogate in surrogates]
        generators = generators_on(compute.device, [generator(key) for key in keys])
        parameters = stack_networks([surrogate.dense for surrogate in surrogates], compute.device)
        images, labels = training_tensors(dataset, compute.device)
        lefts = [_Left(surrogate) for surrogate in surrogates]
        for r in range(1, finetuning.rounds + 1):
            for left, network in zip(lefts, unstack_networks(parameters), strict=True):
                left.prune_to(network, Fraction(str(left.surrogate.rate)) * r / finetuning.rounds)
            masks = stack_masks([left.masks() for left in lefts], compute.device)
            mask_weights(parameters, masks)
            run_epochs(parameters, images, labels, generators, plan, masks)
        networks = [left.apply(network) for left, network in zip(lefts, unstack_networks(parameters), strict=True)]
    return [
        FinetunedNetwork(network, accuracy(network, dataset.test_images, dataset.test_labels), surrogate.name)
        for surrogate, network in zip(surrogates, networks, strict=True)
    ]


class _Left:
    """The parts of one surrogate's dense network that are left: its weights, or its hidden neurons, by layer."""

    def __init__(self, surrogate: Surrogate) -> None:
        self.surrogate = surrogate
        self.structured = surrogate.structure is Structure.STRUCTURED
        self.weights = tuple(np.ones(W.shape, dtype=np.bool_) for W in surrogate.dense.weights)
        self.neurons = tuple(np.arange(width) for width in surrogate.dense.hidden_widths)

    def prune_to(self, network: Network, rate: Fraction) -> None:
        """Prune further, up to the share `rate` of every layer; `network` has the present weights."""
        method, key = self.surrogate.method, self.surrogate.dense_name
        if self.structured:
            self.neurons = kept_neurons(network, rate, method=method, key=key, left=self.neurons)
        else:
            self.weights = weight_masks(network, rate, method=method, key=key, left=self.weights)

    def masks(self) -> tuple[BoolArray, ...]:
        """Return a mask per layer (n_k, n_{k-1}): True where a weight trains."""
        return neuron_masks(self.surrogate.dense, self.neurons) if self.structured else self.weights

    def apply(self, network: Network) -> Network:
        """Return the surrogate for export: without tiny weights and without removed neurons."""
        left = keep_neurons(network, self.neurons) if self.structured else apply_weight_masks(network, self.weights)
        return without_tiny_weights(left)
