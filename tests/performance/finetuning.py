"""Measure how far finetuning on one core is from the least that its arithmetic takes.

The networks are those of a group of pham2025-mnist: 18x18, 2x32, ten seeds, pruned in 20 ways, so 20 stacks of ten
networks for 25 epochs each. One stack trains for an epoch under masks; the time of the group follows from that, without
its prunings and accuracies, which take less than a hundredth of it. Beside it stand, for as many steps:

* its matrix products alone, in the shapes and layouts in which training has them, and each again and again;
* the other large parts alone: the images of each batch, the optimizer's step, the masks;
* the least: the products' operations at the rate of one large product, and the numbers that the optimizer, the masks
  and the images move at the rate of one large copy.

CPU seconds per network and epoch, the fewest of turns that alternate: another process can only slow them down. Run it
from the repository, on one idle core:

    taskset -c 0 .venv/bin/python tests/performance/finetuning.py --data DIR

Takes about half a minute.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from itertools import cycle, pairwise
from pathlib import Path

import torch

from vnnbench.instances.datasets.dataset import Dataset, load_dataset
from vnnbench.instances.training.batched import (
    generator,
    mask_weights,
    reproducible_torch,
    run_epochs,
    stack_networks,
    training_tensors,
)
from vnnbench.instances.training.dense import initial_network
from vnnbench.instances.training.plan import TrainingPlan
from vnnbench.instances.training.updates import fresh_optimizer

SIDE, HIDDEN_WIDTHS, SEEDS, PRUNINGS, EPOCHS = 18, [32, 32], 10, 20, 25
EPOCH = TrainingPlan(epochs=1)
TURNS, STEPS_PER_TURN = 20, 100
FLOAT_BYTES = 4
OPTIMIZER_FLOATS, MASK_FLOATS, IMAGE_FLOATS = 7, 3, 2
"""Floats that are read or written: for each parameter by Adam (it reads weight, gradient and two moments and writes all
but the gradient), for each weight by a mask, for each pixel by a copy."""

PRODUCTS = "matrix products"

Step = Callable[[], object]


def main() -> None:
    """Measure everything in turns, and print one line for each number."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    dataset = load_dataset("mnist", SIDE, parser.parse_args().data)
    widths = [dataset.n_inputs, *HIDDEN_WIDTHS, dataset.n_classes]
    with reproducible_torch():
        epoch, of_layers = finetuning_epoch(dataset), products(widths)
        steps = {PRODUCTS: lambda: [product() for product in of_layers.values()], **of_layers, **other_parts(dataset)}
        whole = list[float]()
        parts: dict[str, list[float]] = {name: [] for name in steps}
        flops_per_second, bytes_per_second = list[float](), list[float]()
        epoch()  # the first one only warms up
        for _ in range(TURNS):
            whole.append(cpu_seconds(epoch, 1) / SEEDS)
            for name, step in steps.items():
                step()
                parts[name].append(cpu_seconds(step, STEPS_PER_TURN))
            flops_per_second.append(large_product())
            bytes_per_second.append(large_copy())
    steps_per_epoch = math.ceil(len(dataset.train_labels) / EPOCH.batch_size)
    seconds = {name: min(found) * steps_per_epoch / SEEDS for name, found in parts.items()}
    print_all(widths, min(whole), seconds, max(flops_per_second), max(bytes_per_second), dataset)


def print_all(
    widths: list[int], whole: float, parts: dict[str, float], flop_rate: float, byte_rate: float, dataset: Dataset
) -> None:
    """Print seconds per network and epoch, ratios and rates."""
    n_images = len(dataset.train_labels)
    group_minutes = whole * SEEDS * PRUNINGS * EPOCHS / 60
    flops = {name: 2 * n_images * n_in * n_out for name, (n_in, n_out) in product_shapes(widths).items()}
    n_weights = sum(n_in * n_out for n_in, n_out in pairwise(widths))
    floats_per_step = OPTIMIZER_FLOATS * (n_weights + sum(widths[1:])) + MASK_FLOATS * n_weights
    moved = FLOAT_BYTES * (n_images / EPOCH.batch_size * floats_per_step + IMAGE_FLOATS * n_images * widths[0])
    least = sum(flops.values()) / flop_rate + moved / byte_rate
    print(f"finetuning: {whole:.4f} s, {group_minutes:.1f} minutes for {SEEDS * PRUNINGS} networks", flush=True)
    print(f"{PRODUCTS} alone: {parts[PRODUCTS]:.4f} s ({whole / parts[PRODUCTS]:.2f} times)")
    for name, count in flops.items():
        print(f"    {name}: {parts[name]:.4f} s, {count / parts[name] / 1e9:.0f} GFlop/s")
    others = {name: seconds for name, seconds in parts.items() if name != PRODUCTS and name not in flops}
    print(", ".join(f"{name} alone: {seconds:.4f} s" for name, seconds in others.items()))
    print(f"the rest: {whole - parts[PRODUCTS] - sum(others.values()):.4f} s")
    print(
        f"the least: {least:.4f} s ({whole / least:.2f} times): {sum(flops.values()) / 1e9:.2f} GFlop at "
        f"{flop_rate / 1e9:.0f} GFlop/s, {moved / 1e9:.2f} GB at {byte_rate / 1e9:.0f} GB/s"
    )


def cpu_seconds(step: Step, repetitions: int) -> float:
    """Return the CPU seconds of a step, in the mean of so many."""
    start = time.process_time()
    for _ in range(repetitions):
        step()
    return (time.process_time() - start) / repetitions


def finetuning_epoch(dataset: Dataset) -> Step:
    """Return a function that trains a stack for an epoch, half of its weights masked."""
    generators = [generator(f"finetuning/{seed}") for seed in range(SEEDS)]
    parameters = stack_networks([initial_network(dataset, HIDDEN_WIDTHS, g) for g in generators], "cpu")
    masks = [torch.rand_like(W).round() for W in parameters[::2]]
    images, labels = training_tensors(dataset, "cpu")
    return lambda: run_epochs(parameters, images, labels, generators, EPOCH, masks)


def product_shapes(widths: list[int]) -> dict[str, tuple[int, int]]:
    """Return the layer, inputs x outputs, of each product of a step. The inputs of a network have no gradient."""
    shapes = {}
    for k, (n_in, n_out) in enumerate(pairwise(widths)):
        for what in ("forward", "weights' gradient", *(("inputs' gradient",) if k else ())):
            shapes[f"layer {k + 1}, {n_in}x{n_out}, {what}"] = (n_in, n_out)
    return shapes


def products(widths: list[int]) -> dict[str, Step]:
    """Return the products of a step; operands and results are laid out as in `StackGradients`."""
    steps: dict[str, Step] = {}
    names = iter(product_shapes(widths))
    batch_size, last = EPOCH.batch_size, len(widths) - 2
    for k, (n_in, n_out) in enumerate(pairwise(widths)):
        W, b, weights_gradient = torch.randn(SEEDS, n_in, n_out), torch.randn(SEEDS, 1, n_out), torch.empty(0)
        h, z, inputs_gradient = torch.rand(SEEDS, batch_size, n_in), torch.empty(0), torch.empty(0)
        gradient = torch.randn(SEEDS, batch_size, n_out)
        if k == last:
            gradient = gradient.transpose(1, 2).contiguous().transpose(1, 2)
        steps[next(names)] = lambda b=b, h=h, W=W, z=z: torch.baddbmm(b, h, W, out=z)
        steps[next(names)] = lambda h=h, d=gradient, out=weights_gradient: torch.bmm(h.transpose(1, 2), d, out=out)
        if k:
            steps[next(names)] = lambda W=W, d=gradient, out=inputs_gradient: torch.bmm(d, W.transpose(1, 2), out=out)
    return steps


def other_parts(dataset: Dataset) -> dict[str, Step]:
    """Return the parts of a step that move many numbers: images, optimizer, masks."""
    networks = [initial_network(dataset, HIDDEN_WIDTHS, generator(f"{seed}")) for seed in range(SEEDS)]
    parameters, masked = stack_networks(networks, "cpu"), stack_networks(networks, "cpu")
    optimizer = fresh_optimizer(EPOCH, parameters, [torch.randn_like(parameter) for parameter in parameters])
    masks = [torch.ones_like(W) for W in masked[::2]]
    images, labels = training_tensors(dataset, "cpu")
    rows = torch.stack([torch.randperm(len(labels)) for _ in range(SEEDS)])
    batches = cycle(batch.flatten() for batch in torch.split(rows, EPOCH.batch_size, dim=1)[:-1])
    buffer = torch.empty(SEEDS * EPOCH.batch_size, dataset.n_inputs)
    return {
        "images": lambda: torch.index_select(images, 0, next(batches), out=buffer),
        "optimizer": optimizer,
        "masks": lambda: mask_weights(masked, masks),
    }


def large_product(side: int = 512) -> float:
    """Return the rate of one large product, in floating point operations per CPU second."""
    A, B, C = torch.randn(side, side), torch.randn(side, side), torch.empty(side, side)
    return 2 * side**3 / cpu_seconds(lambda: torch.mm(A, B, out=C), 50)


def large_copy(n_bytes: int = 200_000_000) -> float:
    """Return the rate of one large copy, in bytes read and written per CPU second."""
    source = torch.ones(n_bytes // FLOAT_BYTES)
    target = torch.empty_like(source)
    return 2 * n_bytes / cpu_seconds(lambda: target.copy_(source), 10)


if __name__ == "__main__":
    main()
