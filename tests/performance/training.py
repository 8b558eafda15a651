"""How much faster a stack of ten networks trains, per network, than one network after the other.

All 60,000 images of MNIST at 28x28, architectures 2x32 and 4x64. The plain loop takes slices of shuffled tensors, the
other one torch's DataLoader; both train torch.nn modules as one would write it, with torch's own number of threads and
Adam as it comes. Seconds per network and epoch; test accuracies are means over the seeds. Run it from the repository:

    .venv/bin/python tests/performance/training.py --data DIR

Takes about ten minutes; --epochs 1 is enough for the ratios, not for the accuracies.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from instances.datasets import Dataset, load_dataset
from instances.training import train
from instances.training_plan import TrainingPlan

ARCHITECTURES = ([32] * 2, [64] * 4)
SEEDS = 10
LOADER_SEEDS = 2
"""Of the DataLoader loop, which is too slow for ten."""

Batches = Callable[[Tensor, Tensor], Iterable[tuple[Tensor, Tensor]]]


def main() -> None:
    """Print one line per architecture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()
    dataset = load_dataset("mnist", 28, arguments.data)
    plan = TrainingPlan(epochs=arguments.epochs)
    for widths in ARCHITECTURES:
        start = time.perf_counter()
        trained = train(dataset, widths, range(SEEDS), plan)
        stack = (time.perf_counter() - start) / SEEDS / plan.epochs
        stack_accuracy = statistics.fmean(result.test_accuracy for result in trained)
        plain, plain_accuracy = _loop(dataset, widths, plan, SEEDS, _slices)
        loader, loader_accuracy = _loop(dataset, widths, plan, LOADER_SEEDS, _loaded)
        print(
            f"{len(widths)}x{widths[0]}: stack {stack:.2f} s, plain loop {plain:.2f} s ({plain / stack:.1f} times), "
            f"DataLoader {loader:.2f} s ({loader / stack:.1f} times); "
            f"accuracy {stack_accuracy:.2%}, {plain_accuracy:.2%}, {loader_accuracy:.2%}",
            flush=True,
        )


def _loop(
    dataset: Dataset, widths: list[int], plan: TrainingPlan, n_seeds: int, batches: Batches
) -> tuple[float, float]:
    """Seconds per network and epoch, and the mean test accuracy, of training one network after the other."""
    images, labels = torch.tensor(dataset.train_images), torch.tensor(dataset.train_labels)
    test_images, test_labels = torch.tensor(dataset.test_images), torch.tensor(dataset.test_labels)
    seconds, accuracies = 0.0, []
    for seed in range(n_seeds):
        torch.manual_seed(seed)
        start = time.perf_counter()
        model = _model([dataset.n_inputs, *widths, dataset.n_classes])
        optimizer = torch.optim.Adam(model.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
        loss_function = nn.CrossEntropyLoss()
        for _ in range(plan.epochs):
            for inputs, targets in batches(images, labels):
                optimizer.zero_grad()
                torch.autograd.backward(loss_function(model(inputs), targets))
                optimizer.step()
        seconds += time.perf_counter() - start
        with torch.no_grad():
            accuracies.append(float((model(test_images).argmax(dim=1) == test_labels).double().mean()))
    return seconds / n_seeds / plan.epochs, statistics.fmean(accuracies)


def _model(widths: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        linear = nn.Linear(n_in, n_out)
        nn.init.xavier_uniform_(linear.weight)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _slices(images: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    order = torch.randperm(len(images))
    for rows in torch.split(order, TrainingPlan(epochs=1).batch_size):
        yield images[rows], labels[rows]


def _loaded(images: Tensor, labels: Tensor) -> Iterable[tuple[Tensor, Tensor]]:
    batch_size = TrainingPlan(epochs=1).batch_size
    return DataLoader(TensorDataset(images, labels), batch_size=batch_size, shuffle=True)


if __name__ == "__main__":
    main()
