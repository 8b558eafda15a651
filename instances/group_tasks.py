"""The tasks that make a group's networks: train its seeds (or make untrained ones), then its surrogates that are
trained too, one pruning each.

A task works on all seeds of the group, whatever is wanted, for the bytes depend on that; it writes its files, then its
record. Once per group it also measures what one network costs alone, for a batch shares its time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from instances.files import read_bytes
from instances.generation_state import Record, save_record
from instances.generation_workers import dataset_in_memory
from instances.network import Network
from instances.onnx_files import onnx_bytes, parse_onnx
from instances.suite import SPR, Group, Pruning, Suite
from instances.training_plan import Compute

if TYPE_CHECKING:  # torch takes seconds to import
    from instances.spr import SprNetwork

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class GroupTask:
    """Make the networks of all seeds of a group; write those of `wanted`, and for later tasks the others as scratch."""

    library: Path
    data_folder: Path | None
    compute: Compute
    suite: Suite
    group: Group
    wanted: tuple[int, ...]
    finetuned: bool

    @property
    def name(self) -> str:
        return group_task_name(self.group)


@dataclass(frozen=True, slots=True)
class FinetuneTask:
    """Make the surrogates of all seeds of a group that are trained, pruned one way; write the networks of `wanted`.

    alone: measure what one costs alone. dense_paths: of the dense networks in the order of the group's seeds, relative
    to the library. dense_accuracies: their shares of test images, in the same order.
    """

    library: Path
    data_folder: Path | None
    compute: Compute
    suite: Suite
    group: Group
    pruning: Pruning
    wanted: tuple[int, ...]
    alone: bool
    dense_paths: tuple[str, ...]
    dense_accuracies: tuple[float, ...]

    @property
    def name(self) -> str:
        return finetune_task_name(self.group, self.pruning)


def group_task_name(group: Group) -> str:
    """The task that makes a group's dense networks."""
    return f"group-{group.name}"


def finetune_task_name(group: Group, pruning: Pruning) -> str:
    """The task that finetunes a group's surrogates of one pruning."""
    return f"finetune-{group.name}-{pruning.name}"


def make_group(task: GroupTask) -> None:
    """Train the networks of a group, or make them untrained, and write them."""
    record = Record()
    group = task.group
    networks = _untrained(group) if task.suite.training is None else _trained(task, record)
    for seed, (network, facts) in zip(group.seeds, networks, strict=True):
        name = group.network(seed)
        relative, data = f"networks/{name}.onnx", onnx_bytes(network)
        if seed in task.wanted:
            record.write(task.library, relative, data)
            record.networks[name] = facts
        elif task.finetuned:
            record.write_scratch(task.library, relative, data)
            record.networks[name] = facts
    save_record(task.library, task.name, record)


def finetune_group(task: FinetuneTask) -> None:
    """Make the surrogates of one pruning that are trained, and write them."""
    dense = [parse_onnx(read_bytes(task.library / path), path) for path in task.dense_paths]
    record = Record()
    results = (_by_spr if task.pruning == SPR else _finetuned)(task, dense, record)
    for seed, (network, facts) in zip(task.group.seeds, results, strict=True):
        if seed in task.wanted:
            name = task.group.surrogate(seed, task.pruning)
            record.write(task.library, f"networks/{name}.onnx", onnx_bytes(network))
            record.networks[name] = facts
    save_record(task.library, task.name, record)


_Made = list[tuple[Network, dict[str, Any]]]
"""Networks in the order of the group's seeds, with what the catalogue and the provenance say of them."""


def _untrained(group: Group) -> _Made:
    from instances.untrained import untrained_network

    networks = [untrained_network(group.n_inputs, group.hidden_widths, seed) for seed in group.seeds]
    facts = {"train_accuracy": None, "test_accuracy": None, "train_seconds": None, "batch_size": None}
    return [(network, dict(facts)) for network in networks]


def _trained(task: GroupTask, record: Record) -> _Made:
    from instances.training import train

    group, plan = task.group, task.suite.training
    if group.dataset is None or group.side is None or plan is None:
        raise ValueError(f"{group.name}: there is nothing to train on")
    dataset = dataset_in_memory(group.dataset, group.side, task.data_folder)
    results, seconds = _timed(lambda: train(dataset, group.hidden_widths, group.seeds, plan, task.compute))
    record.alone["alone_train_seconds"] = _alone_seconds(
        len(group.seeds), seconds, lambda: train(dataset, group.hidden_widths, group.seeds[:1], plan, task.compute)
    )
    facts = {"train_seconds": seconds / len(results), "batch_size": len(results)}
    return [
        (r.network, {"train_accuracy": r.train_accuracy, "test_accuracy": r.test_accuracy, **facts}) for r in results
    ]


def _finetuned(task: FinetuneTask, dense: list[Network], record: Record) -> _Made:
    from instances.finetuning import Surrogate, finetune

    group, pruning, suite = task.group, task.pruning, task.suite
    training, finetuning, rate = suite.training, suite.finetuning, pruning.rate
    if training is None or finetuning is None or rate is None:
        raise ValueError(f"suite {suite.name} has no plan to finetune {pruning.name}")
    dataset = dataset_in_memory(str(group.dataset), group.side or 0, task.data_folder)
    surrogates = [
        Surrogate(group.surrogate(seed, pruning), network, group.network(seed), pruning.method, pruning.structure, rate)
        for seed, network in zip(group.seeds, dense, strict=True)
    ]
    results, seconds = _timed(lambda: finetune(dataset, surrogates, training, finetuning, task.compute))
    if task.alone:
        record.alone["alone_finetune_seconds"] = _alone_seconds(
            len(surrogates), seconds, lambda: finetune(dataset, surrogates[:1], training, finetuning, task.compute)
        )
    facts = {"finetune_seconds": seconds / len(results), "batch_size": len(results)}
    return [(result.network, {"test_accuracy": result.test_accuracy, **facts}) for result in results]


def _by_spr(task: FinetuneTask, dense: list[Network], record: Record) -> _Made:
    """The grid with the first seed; the other seeds with the cell that is chosen."""
    from instances.spr import SprCell, SprTraining, choose_cell, train_spr

    group, training, spr = task.group, task.suite.training, task.suite.spr
    if training is None or spr is None:
        raise ValueError(f"suite {task.suite.name} has no plan of SPR")
    dataset = dataset_in_memory(str(group.dataset), group.side or 0, task.data_folder)
    cells = [SprCell(lambda_, alpha) for lambda_, alpha in product(spr.lambdas, spr.alphas)]
    grid, grid_seconds = _timed(
        lambda: train_spr(
            dataset, [SprTraining(group.seeds[0], dense[0], cell) for cell in cells], training, spr, task.compute
        )
    )
    cell = choose_cell(grid, task.dense_accuracies[0] - spr.accuracy_loss)
    others = [SprTraining(seed, n, cell) for seed, n in zip(group.seeds[1:], dense[1:], strict=True)]
    rest, rest_seconds = _timed(lambda: train_spr(dataset, others, training, spr, task.compute))
    first = next(result for result in grid if result.training.cell == cell)
    if task.alone:
        record.alone["alone_finetune_seconds"] = _alone_seconds(
            len(grid), grid_seconds, lambda: train_spr(dataset, [first.training], training, spr, task.compute)
        )

    def facts(result: SprNetwork, seconds: float, batch: Sequence[SprNetwork]) -> dict[str, Any]:
        return {
            "test_accuracy": result.test_accuracy,
            "finetune_seconds": seconds / len(batch),
            "batch_size": len(batch),
            "spr": asdict(cell),
        }

    choice = [
        {**asdict(r.training.cell), "parameters": r.network.n_parameters, "test_accuracy": r.test_accuracy}
        for r in grid
    ]
    return [
        (first.network, facts(first, grid_seconds, grid) | {"grid": choice}),
        *((result.network, facts(result, rest_seconds, rest)) for result in rest),
    ]


def _timed(work: Callable[[], _T]) -> tuple[_T, float]:
    start = perf_counter()
    return work(), perf_counter() - start


def _alone_seconds(batch_size: int, batch_seconds: float, work: Callable[[], object]) -> float:
    """Of one network alone: measured, unless the batch was one."""
    return batch_seconds if batch_size == 1 else _timed(work)[1]
