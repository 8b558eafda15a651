"""The tasks that make a group's networks: train its seeds, then finetune its surrogates, one pruning each.

A task works on all seeds of the group, whatever is wanted, for the bytes depend on that; it writes its files, then its
record.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from instances.files import read_bytes
from instances.generation_state import Record, save_record
from instances.generation_workers import dataset_in_memory
from instances.onnx_files import onnx_bytes, parse_onnx
from instances.suite import Group, Pruning, Suite


@dataclass(frozen=True, slots=True)
class GroupTask:
    """Train all seeds of a group; write the networks of `wanted`, and for finetuning the others as scratch."""

    library: Path
    data_folder: Path | None
    suite: Suite
    group: Group
    wanted: tuple[int, ...]
    finetuned: bool

    @property
    def name(self) -> str:
        return group_task_name(self.group)


@dataclass(frozen=True, slots=True)
class FinetuneTask:
    """Finetune the surrogates of all seeds of a group, pruned one way; write the networks of `wanted`.

    dense_paths: of the dense networks in the order of the group's seeds, relative to the library.
    """

    library: Path
    data_folder: Path | None
    suite: Suite
    group: Group
    pruning: Pruning
    wanted: tuple[int, ...]
    dense_paths: tuple[str, ...]

    @property
    def name(self) -> str:
        return finetune_task_name(self.group, self.pruning)


def group_task_name(group: Group) -> str:
    """The task that trains a group."""
    return f"group-{group.name}"


def finetune_task_name(group: Group, pruning: Pruning) -> str:
    """The task that finetunes a group's surrogates of one pruning."""
    return f"finetune-{group.name}-{pruning.name}"


def train_group(task: GroupTask) -> None:
    """Train a group and write its networks; wall time is shared evenly among the networks of the batch."""
    from instances.training import train  # torch takes seconds to import

    dataset = dataset_in_memory(task.group.dataset, task.group.side, task.data_folder)
    start = perf_counter()
    trained = train(dataset, [task.group.width] * task.group.depth, task.group.seeds, task.suite.training)
    seconds = (perf_counter() - start) / len(trained)
    record = Record()
    for result in trained:
        name = task.group.network(result.seed)
        relative, data = f"networks/{name}.onnx", onnx_bytes(result.network)
        if result.seed in task.wanted:
            record.write(task.library, relative, data)
            record.networks[name] = {
                "train_accuracy": result.train_accuracy,
                "test_accuracy": result.test_accuracy,
                "train_seconds": seconds,
                "batch_size": len(trained),
            }
        elif task.finetuned:
            record.write_scratch(task.library, relative, data)
    save_record(task.library, task.name, record)


def finetune_group(task: FinetuneTask) -> None:
    """Finetune the surrogates of one pruning; wall time is shared evenly among the networks of the batch."""
    from instances.finetuning import Surrogate, finetune  # torch takes seconds to import

    if task.suite.finetuning is None:
        raise ValueError(f"suite {task.suite.name} has no plan to finetune {task.pruning.name}")
    group, pruning = task.group, task.pruning
    dataset = dataset_in_memory(group.dataset, group.side, task.data_folder)
    surrogates = [
        Surrogate(
            name=group.surrogate(seed, pruning),
            dense=parse_onnx(read_bytes(task.library / path), path),
            dense_name=group.network(seed),
            method=pruning.method,
            structure=pruning.structure,
            rate=pruning.rate,
        )
        for seed, path in zip(group.seeds, task.dense_paths, strict=True)
    ]
    start = perf_counter()
    results = finetune(dataset, surrogates, task.suite.training, task.suite.finetuning)
    seconds = (perf_counter() - start) / len(results)
    record = Record()
    for seed, result in zip(group.seeds, results, strict=True):
        if seed in task.wanted:
            record.write(task.library, f"networks/{result.name}.onnx", onnx_bytes(result.network))
            record.networks[result.name] = {
                "test_accuracy": result.test_accuracy,
                "finetune_seconds": seconds,
                "batch_size": len(results),
            }
    save_record(task.library, task.name, record)
