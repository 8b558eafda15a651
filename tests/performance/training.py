"""How much faster a stack of ten networks trains, per network, than one network after the other.

All 60,000 images of MNIST at 28x28, architectures 2x32 and 4x64. The stack trains as `vnnbench generate` does, in a
worker process. The plain loop takes slices of shuffled tensors, the other one torch's DataLoader; both train torch.nn
modules as one would write it, with Adam as it comes, once on one thread and once on two: the faster one counts. Each
contender has a process of its own, one after the other. Seconds per network and epoch; test accuracies are means over
the seeds. Run it from the repository:

    .venv/bin/python tests/performance/training.py --data DIR

Takes about ten minutes; --epochs 1 is enough for the ratios, not for the accuracies.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from instances.datasets import load_dataset
from instances.generation_workers import start_worker
from instances.training import train
from instances.training_plan import TrainingPlan

ARCHITECTURES = ([32] * 2, [64] * 4)
SEEDS = 10
LOOP_SEEDS = 3
"""Of the loops, one network after the other."""

Batches = Callable[[Tensor, Tensor], Iterable[tuple[Tensor, Tensor]]]
Measured = tuple[float, float]
"""Seconds per network and epoch, and mean test accuracy."""


def main() -> None:
    """Print one line per architecture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()
    for widths in ARCHITECTURES:
        job = (arguments.data, widths, arguments.epochs)
        stack, stack_accuracy = _alone(_stack, *job, initializer=start_worker)
        loops = {
            batches.__name__: min(_alone(_loop, *job, batches, threads) for threads in (1, 2))
            for batches in (_slices, _loaded)
        }
        plain, plain_accuracy = loops["_slices"]
        loader, loader_accuracy = loops["_loaded"]
        print(
            f"{len(widths)}x{widths[0]}: stack {stack:.2f} s, plain loop {plain:.2f} s ({plain / stack:.1f} times), "
            f"DataLoader {loader:.2f} s ({loader / stack:.1f} times); "
            f"accuracy {stack_accuracy:.2%}, {plain_accuracy:.2%}, {loader_accuracy:.2%}",
            flush=True,
        )


def _alone(
    work: Callable[..., Measured], *arguments: object, initializer: Callable[[], None] | None = None
) -> Measured:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=initializer) as pool:
        return pool.submit(work, *arguments).result()


def _stack(data: Path, widths: list[int], epochs: int) -> Measured:
    dataset = load_dataset("mnist", 28, data)
    start = time.perf_counter()
    trained = train(dataset, widths, range(SEEDS), TrainingPlan(epochs=epochs))
    seconds = (time.perf_counter() - start) / SEEDS / epochs
    return seconds, statistics.fmean(result.test_accuracy for result in trained)


def _loop(data: Path, widths: list[int], epochs: int, batches: Batches, threads: int) -> Measured:
    torch.set_num_threads(threads)
    dataset, plan = load_dataset("mnist", 28, data), TrainingPlan(epochs=epochs)
    images, labels = torch.tensor(dataset.train_images), torch.tensor(dataset.train_labels)
    test_images, test_labels = torch.tensor(dataset.test_images), torch.tensor(dataset.test_labels)
    seconds, accuracies = 0.0, []
    for seed in range(LOOP_SEEDS):
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
    return seconds / LOOP_SEEDS / plan.epochs, statistics.fmean(accuracies)


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
