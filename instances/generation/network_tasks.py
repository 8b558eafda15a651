"""The tasks that make a group's networks: its dense networks and its trained surrogates.

Dense networks are trained, or made untrained, for all seeds. Surrogates are those of one stack of finetuned prunings,
or for SPR the grid of each seed and then the choice among them. All seeds of the group take part, wanted or not,
because the bytes depend on them. A task writes its files, then its record. Once per group one of them also measures the
time of one network trained alone, because the networks of a batch share its time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Any, TypeVar

from vnnbench.instances.datasets.dataset import Dataset
from vnnbench.instances.files import read_bytes
from vnnbench.instances.generation.checkpoint import Record, save_record
from vnnbench.instances.generation.workers import group_dataset
from vnnbench.instances.layout import STATE, network_file
from vnnbench.instances.library.sealed_answers import answer_document
from vnnbench.instances.networks.network import Network, accuracy
from vnnbench.instances.onnx_files.reader import parse_perceptron
from vnnbench.instances.onnx_files.writer import onnx_bytes
from vnnbench.instances.suites.network_suite import SPR, Group, NetworkSuite, Pruning
from vnnbench.instances.training.plan import Compute

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class GroupTask:
    """A task: make the networks of all seeds of a group, write those of `wanted`, and the others as scratch.

    key: the key of planted answers; None without any.
    """

    library: Path
    data_folder: Path | None
    compute: Compute
    suite: NetworkSuite
    group: Group
    wanted: tuple[int, ...]
    finetuned: bool
    key: str | None

    @property
    def name(self) -> str:
        return group_task_name(self.group)


@dataclass(frozen=True, slots=True)
class FinetuneTask:
    """A task: finetune the surrogates of a stack of prunings for all seeds of a group, and write those of `wanted`.

    wanted: names of surrogates. alone: whether to measure the time of one surrogate finetuned alone. dense_paths: the
    paths of the dense networks in the order of the group's seeds, relative to the library.
    """

    library: Path
    data_folder: Path | None
    compute: Compute
    suite: NetworkSuite
    group: Group
    stack: tuple[Pruning, ...]
    wanted: tuple[str, ...]
    alone: bool
    dense_paths: tuple[str, ...]

    @property
    def name(self) -> str:
        return finetune_task_name(self.group, self.stack)


@dataclass(frozen=True, slots=True)
class GridTask:
    """A task: train one seed of a group by SPR with every cell of the grid, all as scratch.

    alone, dense_path: as in `FinetuneTask`.
    """

    library: Path
    data_folder: Path | None
    compute: Compute
    suite: NetworkSuite
    group: Group
    seed: int
    alone: bool
    dense_path: str

    @property
    def name(self) -> str:
        return grid_task_name(self.group, self.seed)


@dataclass(frozen=True, slots=True)
class ChoiceTask:
    """A task: choose one cell of the grid for all seeds of a group, and write the networks of `wanted`.

    dense_accuracies: of the dense networks, shares of the test images. cells: the facts from the `GridTask` of each
    seed about its networks, in the order of the cells. Both are in the order of the group's seeds.
    """

    library: Path
    suite: NetworkSuite
    group: Group
    wanted: tuple[int, ...]
    dense_accuracies: tuple[float, ...]
    cells: tuple[tuple[dict[str, Any], ...], ...]

    @property
    def name(self) -> str:
        return finetune_task_name(self.group, (SPR,))


def group_task_name(group: Group) -> str:
    """Return the name of the task that makes a group's dense networks."""
    return f"group-{group.name}"


def finetuning_stack(suite: NetworkSuite, pruning: Pruning, device: str) -> tuple[Pruning, ...]:
    """Return the suite's finetuned prunings whose surrogates train as one stack with those of `pruning`.

    On CPUs it is alone: one stack of 200 with all prunings of a group was 1.6 times slower per network, because weights
    and optimizer do not fit the cache, and a kill would lose all of it. A GPU takes as long for small networks whatever
    their number, and so all prunings by magnitude and at random train together there.
    """
    if device == "cpu" or pruning == SPR:
        return (pruning,)
    return tuple(other for other in suite.prunings if other.finetuned and other != SPR)


def finetune_task_name(group: Group, stack: tuple[Pruning, ...]) -> str:
    """Return the name of the task that finetunes a group's surrogates of a stack of prunings."""
    return f"finetune-{group.name}-{stack[0].name if len(stack) == 1 else 'all'}"


def grid_task_name(group: Group, seed: int) -> str:
    """Return the name of the task that trains a seed by SPR with every cell of the grid."""
    return f"grid-{group.network(seed)}"


def make_group(task: GroupTask) -> None:
    """Train the networks of a group, or make them untrained, and write them."""
    record = Record()
    group = task.group
    networks = _untrained(group) if task.suite.training is None else _trained(task, record)
    if task.key is not None:
        networks = _planted(task, networks, task.key, record)
    for seed, (network, facts) in zip(group.seeds, networks, strict=True):
        name = group.network(seed)
        relative, data = network_file(name), onnx_bytes(network)
        record.networks[name] = facts
        if seed in task.wanted:
            record.write(task.library, relative, data)
        elif task.finetuned:
            record.write_scratch(task.library, relative, data)
    save_record(task.library, task.name, record)


def finetune_group(task: FinetuneTask) -> None:
    """Finetune the surrogates of a stack of prunings, and write them."""
    dense = [parse_perceptron(read_bytes(task.library / path), path) for path in task.dense_paths]
    record = Record()
    for name, (network, facts) in _finetuned(task, dense, record).items():
        if name in task.wanted:
            record.write(task.library, network_file(name), onnx_bytes(network))
            record.networks[name] = facts
    save_record(task.library, task.name, record)


def train_grid(task: GridTask) -> None:
    """Train a network for every cell of the grid, as one batch."""
    from vnnbench.instances.training.spr import SprCell, SprTraining, train_spr

    group, training, spr = task.group, task.suite.training, task.suite.spr
    if training is None or spr is None:
        raise ValueError(f"suite {task.suite.name} has no plan of SPR")
    dense = parse_perceptron(read_bytes(task.library / task.dense_path), task.dense_path)
    dataset = _dataset(task)
    trainings = [SprTraining(task.seed, dense, SprCell(*cell)) for cell in product(spr.lambdas, spr.alphas)]
    results, seconds = _timed(lambda: train_spr(dataset, trainings, training, spr, task.compute))
    record = Record()
    for number, result in enumerate(results):
        name = _cell_network(group, task.seed, number)
        record.write_scratch(task.library, network_file(name), onnx_bytes(result.network))
        record.networks[name] = {
            **asdict(result.training.cell),
            "parameters": result.network.n_parameters,
            "test_accuracy": result.test_accuracy,
            "finetune_seconds": seconds / len(results),
            "batch_size": len(results),
        }
    if task.alone:
        record.alone["alone_finetune_seconds"] = _alone_seconds(
            len(results), seconds, lambda: train_spr(dataset, trainings[:1], training, spr, task.compute)
        )
    save_record(task.library, task.name, record)


def choose_from_grid(task: ChoiceTask) -> None:
    """Write the networks of the smallest cell of the grid that keeps the accuracy, both in the mean over seeds."""
    from vnnbench.instances.training.spr import choose_cell

    if task.suite.spr is None:
        raise ValueError(f"suite {task.suite.name} has no plan of SPR")
    by_cell = list(zip(*task.cells, strict=True))
    grid = [
        {
            "lambda": cell[0]["lambda_"],
            "alpha": cell[0]["alpha"],
            "parameters": fmean(facts["parameters"] for facts in cell),
            "test_accuracy": fmean(facts["test_accuracy"] for facts in cell),
        }
        for cell in by_cell
    ]
    number = choose_cell(
        [cell["parameters"] for cell in grid],
        [cell["test_accuracy"] for cell in grid],
        fmean(task.dense_accuracies) - task.suite.spr.accuracy_loss,
    )
    record = Record()
    for seed, cells in zip(task.group.seeds, task.cells, strict=True):
        if seed in task.wanted:
            data = read_bytes(task.library / STATE / network_file(_cell_network(task.group, seed, number)))
            name = task.group.surrogate(seed, SPR)
            record.write(task.library, network_file(name), data)
            record.networks[name] = {**cells[number], "grid": grid}
    save_record(task.library, task.name, record)


def _cell_network(group: Group, seed: int, number: int) -> str:
    return f"{group.surrogate(seed, SPR)}-cell{number}"


_Made = list[tuple[Network, dict[str, Any]]]
"""Networks in the order of the group's seeds, with their facts for the catalogue and the provenance."""


def _untrained(group: Group) -> _Made:
    from vnnbench.instances.training.untrained import untrained_network

    networks = [untrained_network(group.n_inputs, group.hidden_widths, seed) for seed in group.seeds]
    facts = {"train_accuracy": None, "test_accuracy": None, "train_seconds": None, "batch_size": None}
    return [(network, dict(facts)) for network in networks]


def _trained(task: GroupTask, record: Record) -> _Made:
    from vnnbench.instances.training.dense import train

    group, plan = task.group, task.suite.training
    if plan is None:
        raise ValueError(f"suite {task.suite.name} has no plan to train {group.name}")
    dataset = _dataset(task)
    results, seconds = _timed(lambda: train(dataset, group.hidden_widths, group.seeds, plan, task.compute))
    record.alone["alone_train_seconds"] = _alone_seconds(
        len(group.seeds), seconds, lambda: train(dataset, group.hidden_widths, group.seeds[:1], plan, task.compute)
    )
    facts = {"train_seconds": seconds / len(results), "batch_size": len(results)}
    return [
        (r.network, {"train_accuracy": r.train_accuracy, "test_accuracy": r.test_accuracy, **facts}) for r in results
    ]


def _planted(task: GroupTask, networks: _Made, key: str, record: Record) -> _Made:
    """Return the networks with planted answers; surrogates are made from these."""
    from vnnbench.instances.generation.planting import plant

    dataset = _dataset(task)
    planted = plant(task.suite, task.group, [network for network, _ in networks], dataset, key)
    made = []
    for change, (_, facts) in zip(planted, networks, strict=True):
        if change.problem is not None and change.answer is not None:
            record.planted[change.problem] = answer_document(change.answer)
        shares = {
            "train_accuracy": accuracy(change.network, dataset.train_images, dataset.train_labels),
            "test_accuracy": accuracy(change.network, dataset.test_images, dataset.test_labels),
        }
        made.append((change.network, facts | shares))
    return made


def _finetuned(task: FinetuneTask, dense: list[Network], record: Record) -> dict[str, tuple[Network, dict[str, Any]]]:
    """Return the surrogates by name, with their facts as in `_Made`."""
    from vnnbench.instances.training.finetuning import Surrogate, finetune

    group, training, finetuning = task.group, task.suite.training, task.suite.finetuning
    if training is None or finetuning is None:
        raise ValueError(f"suite {task.suite.name} has no plan to finetune")
    dataset = _dataset(task)
    surrogates = [
        Surrogate(group.surrogate(seed, p), network, group.network(seed), p.method, p.structure, p.rate)
        for p in task.stack
        if p.rate is not None  # SPR, which has none, is in no stack
        for seed, network in zip(group.seeds, dense, strict=True)
    ]
    results, seconds = _timed(lambda: finetune(dataset, surrogates, training, finetuning, task.compute))
    if task.alone:
        record.alone["alone_finetune_seconds"] = _alone_seconds(
            len(surrogates), seconds, lambda: finetune(dataset, surrogates[:1], training, finetuning, task.compute)
        )
    facts = {"finetune_seconds": seconds / len(results), "batch_size": len(results)}
    return {result.name: (result.network, {"test_accuracy": result.test_accuracy, **facts}) for result in results}


def _dataset(task: GroupTask | FinetuneTask | GridTask) -> Dataset:
    dataset = group_dataset(task.group, task.data_folder)
    if dataset is None:
        raise ValueError(f"{task.group.name}: there is nothing to train on")
    return dataset


def _timed(work: Callable[[], _T]) -> tuple[_T, float]:
    start = perf_counter()
    return work(), perf_counter() - start


def _alone_seconds(batch_size: int, batch_seconds: float, work: Callable[[], object]) -> float:
    """Return the time of one network alone: measured, unless the batch held only one."""
    return batch_seconds if batch_size == 1 else _timed(work)[1]
