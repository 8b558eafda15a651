"""Stacks: networks of one architecture that train side by side as batched matrix products.

Dimensions: S networks, B images per batch; per layer W (S, n_{k-1}, n_k), b (S, 1, n_k), activations (S, B, n_k).
W is the transpose of the network's matrix, so that its gradient, activations^T @ gradient, needs no copy.

Every network has its own order of images, so it differs from the one trained alone only because a batched matrix
product rounds differently with S.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vnnbench.instances.datasets.dataset import Dataset
from vnnbench.instances.errors import DeviceError
from vnnbench.instances.networks.network import Network
from vnnbench.instances.networks.pruning import BoolArray
from vnnbench.instances.training.gradients import StackGradients
from vnnbench.instances.training.plan import TrainingPlan
from vnnbench.instances.training.updates import fresh_optimizer

Penalty = Callable[[Sequence[Tensor]], Tensor]
"""A function from the parameters of a stack to a term of the loss, summed over the stack's networks."""


def check_device(device: str) -> None:
    """Raise DeviceError unless torch can compute on this device, "cpu" or "cuda"."""
    if device == "cuda" and not torch.cuda.is_available():
        build = torch.version.cuda or "none, it is a CPU build"
        raise DeviceError(f"--device cuda: torch finds no GPU here (CUDA of this torch: {build}); use --device cpu")


@contextmanager
def device_errors(device: str) -> Iterator[None]:
    """Run a block that computes on a device. Raises `DeviceError` in place of an error of torch, unless the device is
    "cpu"."""
    try:
        yield
    except RuntimeError as error:
        if device == "cpu":
            raise
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise DeviceError(f"--device {device}: {first}") from error


@contextmanager
def reproducible_torch(n_threads: int = 1, device: str = "cpu") -> Iterator[None]:
    """Run a block on a device, with `n_threads` threads, deterministic kernels only and denormals flushed, then restore
    all of it. Raises as `device_errors` does.

    Other torch work in this process must not run at the same time.

    Weight decay drives the weights of pixels that are always black towards 1e-43, and products with denormals are
    many times slower; such weights become zero at the end in any case.

    The bytes are the same with any number of threads, because each network's product is computed by one thread. Two
    threads are 1.5 to 2 times faster on idle cores. But OpenMP's threads spin while they wait for each other, which was
    20 times slower beside another busy process: `generation.workers` limits the spinning.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS refuses to be deterministic
    threads = torch.get_num_threads()
    debug_mode = torch.get_deterministic_debug_mode()
    memory: Any = torch.utils.deterministic  # its only property is untyped
    filling = memory.fill_uninitialized_memory
    flushing = _flushes_denormals()
    torch.set_num_threads(n_threads)
    torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms would load the compiler, for a second
    memory.fill_uninitialized_memory = False  # every tensor made here is written before it is read
    torch.set_flush_denormal(True)  # returns False if the CPU cannot: slower, and another CPU type
    try:
        with device_errors(device):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(debug_mode)
        memory.fill_uninitialized_memory = filling
        torch.set_flush_denormal(flushing)


def _flushes_denormals() -> bool:
    smallest_normal = np.finfo(np.float64).tiny
    return bool(np.multiply(smallest_normal, 0.5) == 0.0)


def generator(key: str) -> torch.Generator:
    """Return the CPU's random generator of a key; the generators of different keys are independent."""
    digest = hashlib.sha256(key.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)  # torch takes 63 bits


def generators_on(device: str, generators: Sequence[torch.Generator]) -> list[torch.Generator]:
    """Return generators of a device's own random numbers: those of the CPU as they are, on another device new ones,
    each with a seed that its generator draws."""
    if device == "cpu":
        return list(generators)
    seeds = [int(torch.randint(2**63 - 1, (), generator=g)) for g in generators]
    return [torch.Generator(device).manual_seed(seed) for seed in seeds]


def training_tensors(dataset: Dataset, device: str) -> tuple[Tensor, Tensor]:
    """Return the images (n, n_0) and labels (n,) to train on, on a device."""
    # NumPy asks for huge pages, torch does not: gathering images from all over the memory takes a sixth longer without.
    images, labels = (torch.from_numpy(array.copy()) for array in (dataset.train_images, dataset.train_labels))
    return images.to(device), labels.to(device)


def stack_networks(networks: Sequence[Network], device: str) -> list[Tensor]:
    """Return W_1, b_1, W_2, b_2, ..., stacked over networks of the same shapes, on a device, ready to train."""
    parameters = []
    for k in range(len(networks[0].weights)):
        parameters.append(torch.stack([torch.tensor(network.weights[k].T.copy()) for network in networks]))
        parameters.append(torch.stack([torch.tensor(network.biases[k])[None] for network in networks]))
    return [parameter.to(device).requires_grad_() for parameter in parameters]


def unstack_networks(parameters: Sequence[Tensor]) -> list[Network]:
    """Return the networks of a stack, in its order: the inverse of `stack_networks`."""
    arrays = [parameter.detach().cpu().numpy() for parameter in parameters]
    return [
        Network(
            weights=tuple(np.ascontiguousarray(W[s].T) for W in arrays[::2]),
            biases=tuple(b[s, 0].copy() for b in arrays[1::2]),
        )
        for s in range(len(arrays[0]))
    ]


def stack_masks(masks: Sequence[Sequence[BoolArray]], device: str) -> list[Tensor]:
    """Return the masks of a stack for `run_epochs`, from the masks of each network: per layer (n_k, n_{k-1}).

    They are float32: a product with them is many times faster than a fill by a boolean mask.
    """
    by_layer = zip(*masks, strict=True)
    return [torch.stack([torch.tensor(mask.T, dtype=torch.float32) for mask in layer]).to(device) for layer in by_layer]


def mask_weights(parameters: Sequence[Tensor], masks: Sequence[Tensor]) -> None:
    """Set the weights to zero whose mask is zero."""
    with torch.no_grad():
        for W, mask in zip(parameters[::2], masks, strict=True):
            W.mul_(mask)


def run_epochs(
    parameters: Sequence[Tensor],
    images: Tensor,
    labels: Tensor,
    generators: Sequence[torch.Generator],
    plan: TrainingPlan,
    masks: Sequence[Tensor] = (),
    penalty: Penalty | None = None,
) -> None:
    """Train a stack in place on images `(n, n_0)` and labels `(n,)` by cross entropy, with a fresh optimizer.

    Everything is on one device. Images are shuffled again in each epoch, for each network by its own generator; the
    last, smaller batch is kept. penalty: added to the loss of every step.
    masks: per layer (S, n_{k-1}, n_k), 1.0 where a weight trains and 0.0 where it is set to zero after every step;
    without masks all weights train.
    """
    gradients = StackGradients(parameters)
    update = fresh_optimizer(plan, parameters, gradients.arrays)
    for _ in range(plan.epochs):
        orders = torch.stack([torch.randperm(len(images), generator=g, device=g.device) for g in generators])
        batches, targets = (torch.split(whole, plan.batch_size, dim=1) for whole in (orders, labels[orders]))
        for batch, target in zip(batches, targets, strict=True):
            gradients.compute(images, batch, target)
            if penalty is not None:
                torch.autograd.backward(penalty(parameters))  # adds to the gradients
            update()
            if masks:
                mask_weights(parameters, masks)
