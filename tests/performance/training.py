"""Measure how much faster a stack of ten networks trains, per network, than one network after the other.

All 60,000 images of MNIST at 28x28, architectures 2x32 and 4x64. The stack trains as `vnnbench generate --jobs 1`
does, in a worker process. The plain loop takes slices of shuffled tensors, the other loop torch's DataLoader; both
train torch.nn modules as one would write it, with Adam as it comes, on one thread and on two: the faster one counts.
Each contender has a process of its own; they take turns, for the machine may be faster at one time than at another.
Seconds per network and epoch, accuracies on training and test images included for the stack: medians over the turns.
Accuracies are means over all networks trained. Run it from the repository:

    .venv/bin/python tests/performance/training.py --data DIR

Takes about ten minutes; --epochs 1 is enough for the ratios, not for the accuracies.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from vnnbench.instances.datasets.dataset import Dataset, load_dataset
from vnnbench.instances.generation.workers import start_worker, training_threads
from vnnbench.instances.training.dense import train
from vnnbench.instances.training.plan import Compute, TrainingPlan

ARCHITECTURES = ([32] * 2, [64] * 4)
TURNS = 3
SEEDS = 10
LOOP_SEEDS = {"plain loop": 2, "DataLoader": 1}
"""The number of networks that train in a turn, one after the other."""


class Contender:
    """A process of its own that trains on request, and keeps its results."""

    def __init__(self, work: Callable[..., tuple[float, list[float]]], initializer: Callable[[], None] | None) -> None:
        self.work, self.seconds, self.accuracies = work, list[float](), list[float]()
        self.pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=initializer)

    def take_turn(self, *arguments: object) -> None:
        seconds, accuracies = self.pool.submit(self.work, *arguments).result()
        self.seconds.append(seconds)
        self.accuracies += accuracies


def main() -> None:
    """Print one line per architecture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()
    for widths in ARCHITECTURES:
        stack = Contender(_stack, start_worker)
        loops = {(name, threads): Contender(_loop, None) for name in LOOP_SEEDS for threads in (1, 2)}
        for turn in range(-1, TURNS):
            job = (arguments.data, widths, arguments.epochs, turn)
            stack.take_turn(*job)
            for (name, threads), loop in loops.items():
                loop.take_turn(*job, name, threads)
            if turn == -1:  # the first turn only warms up
                for contender in (stack, *loops.values()):
                    contender.seconds.clear()
                    contender.accuracies.clear()
        for contender in (stack, *loops.values()):
            contender.pool.shutdown()
        seconds = statistics.median(stack.seconds)
        line = f"{len(widths)}x{widths[0]}: stack {seconds:.2f} s"
        accuracies = [statistics.fmean(stack.accuracies)]
        for name in LOOP_SEEDS:
            both = [loops[name, threads] for threads in (1, 2)]
            best = min(statistics.median(loop.seconds) for loop in both)
            line += f", {name} {best:.2f} s ({best / seconds:.1f} times)"
            accuracies.append(statistics.fmean(accuracy for loop in both for accuracy in loop.accuracies))
        print(f"{line}; accuracy {', '.join(f'{accuracy:.2%}' for accuracy in accuracies)}", flush=True)


@lru_cache
def _dataset(data: Path) -> Dataset:
    return load_dataset("mnist", 28, data)


def _stack(data: Path, widths: list[int], epochs: int, turn: int) -> tuple[float, list[float]]:
    """Return seconds per network and epoch, and test accuracies, of training all networks in one stack."""
    epochs = epochs if turn >= 0 else 1
    dataset, compute = _dataset(data), Compute("cpu", training_threads(1))
    start = time.perf_counter()
    seeds = range(SEEDS * (turn + 1), SEEDS * (turn + 2))
    trained = train(dataset, widths, seeds, TrainingPlan(epochs=epochs), compute)
    seconds = (time.perf_counter() - start) / SEEDS / epochs
    return seconds, [result.test_accuracy for result in trained]


def _loop(data: Path, widths: list[int], epochs: int, turn: int, name: str, threads: int) -> tuple[float, list[float]]:
    """Return seconds per network and epoch, and test accuracies, of training one network after the other."""
    torch.set_num_threads(threads)
    epochs = epochs if turn >= 0 else 1
    dataset, plan, n_seeds = _dataset(data), TrainingPlan(epochs=epochs), LOOP_SEEDS[name]
    images, labels = torch.tensor(dataset.train_images), torch.tensor(dataset.train_labels)
    test_images, test_labels = torch.tensor(dataset.test_images), torch.tensor(dataset.test_labels)
    batches = {"plain loop": _slices, "DataLoader": _loaded}[name]
    seconds, accuracies = 0.0, []
    for seed in range(n_seeds):
        torch.manual_seed(1000 * threads + n_seeds * (turn + 1) + seed)
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
    return seconds / n_seeds / plan.epochs, accuracies


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
