"""The dense networks and finetuned surrogates that a generation takes from another library instead of training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vnnbench.instances.errors import LibraryError, NetworkError
from vnnbench.instances.generation.checkpoint import Record, save_record
from vnnbench.instances.generation.network_tasks import finetune_task_name, grid_task_name, group_task_name
from vnnbench.instances.layout import network_file
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.sealed_answers import answer_document, read_seal
from vnnbench.instances.networks.pruning import Structure, kept_count
from vnnbench.instances.onnx_files.reader import parse_perceptron
from vnnbench.instances.suites.network_suite import SPR, NetworkInstance, NetworkSuite


class GivenNetwork:
    """A network of another library: its ONNX file, its facts in that library, and the task that it replaces."""

    def __init__(self, library: Library, row: CatalogRow, instance: NetworkInstance, *, dense: bool) -> None:
        """Read the network. Raises LibraryError when it is broken or of another shape than the instance's."""
        name = instance.dense_network if dense else instance.network
        relative = network_file(name)
        self.data = library.read_verified(relative)
        source = str(library.folder / relative)
        try:
            network = parse_perceptron(self.data, source)
        except NetworkError as error:
            raise LibraryError(str(error)) from error
        shape = (network.n_inputs, *network.hidden_widths)
        expected = _shape(instance, dense=dense)
        by_spr = not dense and instance.pruning == SPR  # SPR finds the widths: at most those of the dense network
        if shape != expected and not (by_spr and len(shape) == len(expected) and shape[0] == expected[0]):
            raise LibraryError(f"{source}: its layers take {shape} values, but those of {name} take {expected}")
        timings = library.timings(row.instance)
        if dense:
            self.task = group_task_name(instance.group)
            accuracy, seconds = row.dense_accuracy, "train_seconds"
        else:
            self.task = finetune_task_name(instance.group, (instance.pruning,)) if instance.pruning else ""
            accuracy, seconds = row.accuracy, "finetune_seconds"
        # Tasks whose only purpose is to make this network.
        self.spared = [grid_task_name(instance.group, seed) for seed in instance.group.seeds] if by_spr else []
        self.facts: dict[str, Any] = {
            "train_accuracy": None,
            "test_accuracy": accuracy,
            seconds: timings[seconds],
            "batch_size": timings["batch_size"],
        }
        alone = timings[f"alone_{seconds}"]
        self.alone: dict[str, float] = {} if alone is None else {f"alone_{seconds}": alone}


def networks_given(instances: Iterable[NetworkInstance], library: Library) -> dict[str, GivenNetwork]:
    """Return the dense and finetuned networks of the instances by name. Raises LibraryError when one is missing."""
    dense_rows = {row.dense_network: row for row in library.rows}
    rows = {row.network: row for row in library.rows}
    given: dict[str, GivenNetwork] = {}
    for instance in instances:
        if instance.dense_network not in given:
            row = _found(dense_rows, instance.dense_network, library.folder)
            given[instance.dense_network] = GivenNetwork(library, row, instance, dense=True)
        if instance.finetuned and instance.network not in given:
            row = _found(rows, instance.network, library.folder)
            given[instance.network] = GivenNetwork(library, row, instance, dense=False)
    return given


def answers_given(suite: NetworkSuite, library: Library, key: str | None) -> dict[str, dict[str, Any]]:
    """Return the planted answers of the library's networks, as in the sealed file, by problem.

    There are none if the suite plants none. Raises LibraryError: the library is of another suite or key, or lacks its
    sealed file.
    """
    if key is None:
        return {}
    seal = read_seal(library)
    if seal is None or library.suite_sha256 != suite.sha256 or seal.key != key:
        raise LibraryError(
            f"{library.folder}: --networks must be a library of suite {suite.name} with its sealed file and the same "
            "--key, because its networks hold the planted answers"
        )
    return {planted.problem: answer_document(planted.answer) for planted in seal.problems}


def copy_networks(folder: Path, given: dict[str, GivenNetwork]) -> None:
    """Write the networks into the new library, and the records of the tasks that they replace."""
    records: dict[str, Record] = {}
    for name, network in given.items():
        record = records.setdefault(network.task, Record())
        record.write(folder, network_file(name), network.data)
        record.networks[name] = network.facts
        record.alone.update(network.alone)
    for network in given.values():
        for task in network.spared:
            records.setdefault(task, Record())
    for task, record in records.items():
        save_record(folder, task, record)


def _found(rows: Mapping[str | None, CatalogRow], name: str, folder: Path) -> CatalogRow:
    if name not in rows:
        raise LibraryError(f"{folder}: --networks lacks network {name}; it has {len(rows)} others")
    return rows[name]


def _shape(instance: NetworkInstance, *, dense: bool) -> tuple[int, ...]:
    """Return the numbers of inputs and hidden neurons of the instance's network, or of its dense one."""
    group, pruning = instance.group, instance.pruning
    width = group.width
    if not dense and pruning is not None and pruning.structure is Structure.STRUCTURED and pruning.rate is not None:
        width = kept_count(pruning.rate, width)
    return (group.n_inputs, *[width] * group.depth)
