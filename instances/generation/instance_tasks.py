"""The task that makes every instance of one dense network, after that network and its finetuned surrogates.

It writes its files, then its record; running it again gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from time import perf_counter
from typing import Any

from vnnbench.instances.bounds.levels import LayerBounds
from vnnbench.instances.datasets.dataset import Dataset
from vnnbench.instances.datasets.png import picture_png
from vnnbench.instances.families import problem_of
from vnnbench.instances.files import read_bytes
from vnnbench.instances.formulations.mps import compress, mps_text
from vnnbench.instances.formulations.tight import Encoding, bound_tight, encode_tight
from vnnbench.instances.generation.catalog_rows import NetworkFile, Origin, ProblemOnNetwork, catalog_row
from vnnbench.instances.generation.checkpoint import Record, save_record
from vnnbench.instances.generation.workers import group_dataset
from vnnbench.instances.layout import model_file, network_file, picture_file, property_file, vnnlib_file
from vnnbench.instances.library.catalog import TIMING_COLUMNS
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import Network, accuracy
from vnnbench.instances.networks.pruning import prune, zero_share
from vnnbench.instances.onnx_files.reader import parse_perceptron
from vnnbench.instances.onnx_files.writer import onnx_bytes
from vnnbench.instances.properties.property import Property
from vnnbench.instances.properties.property_file import property_json
from vnnbench.instances.properties.vnnlib_writer import vnnlib_bytes
from vnnbench.instances.suites.network_suite import Formulation, NetworkInstance, NetworkSuite
from vnnbench.instances.suites.sampling import draw_property


@dataclass(frozen=True, slots=True)
class NetworkTask:
    """A task: make the instances of one dense network.

    dense, finetuned: the facts from training that network, and from finetuning its surrogates, by name. alone: the time
    of one network of its group trained alone, by timing column. threads: for linear programs; the files do not depend
    on their number.
    """

    library: Path
    data_folder: Path | None
    suite: NetworkSuite
    instances: tuple[NetworkInstance, ...]
    dense: dict[str, Any]
    finetuned: dict[str, dict[str, Any]]
    alone: dict[str, float]
    threads: int

    @property
    def name(self) -> str:
        return instances_task_name(self.instances[0].dense_network)


def instances_task_name(dense_network: str) -> str:
    """Return the name of the task that makes the instances of a dense network."""
    return f"network-{dense_network}"


def make_instances(task: NetworkTask) -> None:
    """Write properties, pictures, surrogates and models of one dense network."""
    first = task.instances[0]
    dataset = group_dataset(first.group, task.data_folder)
    dense = _read_piece(task, first.dense_network, task.dense)
    dense.seconds.update({column: task.dense[column] for column in ("train_seconds", "batch_size")})
    dense.seconds["alone_train_seconds"] = task.alone.get("alone_train_seconds")
    record = Record()
    pieces = {first.dense_network: dense}
    for instance in task.instances:
        if instance.network not in pieces:
            pieces[instance.network] = _surrogate(task, instance, dense, dataset, record)
    for plan, instances in groupby(task.instances, key=lambda instance: instance.prop):
        prop = draw_property(dense.network, dataset, first.seed, plan)
        problem = f"{first.dense_network}-{plan.name}"
        record.write(task.library, property_file(problem), property_json(prop))
        vnnlib = vnnlib_bytes(prop, dense.network.n_outputs)
        if vnnlib is not None:
            record.write(task.library, vnnlib_file(property_file(problem)), vnnlib)
        if dataset is not None:
            picture = picture_png(prop.input_set.centre, dataset.side)
            record.write(task.library, picture_file(problem), picture)
        for network, of_network in groupby(instances, key=lambda instance: instance.network):
            _make_models(task, list(of_network), pieces[network], dense, prop, record)
    save_record(task.library, task.name, record)


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """A network, its file with its facts, and its times by timing column."""

    network: Network
    file: NetworkFile
    seconds: dict[str, float | int | None]


@contextmanager
def clock(seconds: dict[str, float | int | None], column: str) -> Iterator[None]:
    """Measure the wall time of a block as that column's time."""
    start = perf_counter()
    yield
    seconds[column] = perf_counter() - start


def _read_piece(task: NetworkTask, name: str, facts: dict[str, Any]) -> _Piece:
    path = task.library / network_file(name)
    data = read_bytes(path)
    network = parse_perceptron(data, str(path))
    return _Piece(network, NetworkFile(name, network, data, facts["test_accuracy"]), {})


def _surrogate(
    task: NetworkTask, instance: NetworkInstance, dense: _Piece, dataset: Dataset | None, record: Record
) -> _Piece:
    """Return the finetuned network that an earlier task made, or the pruned one, made and written now."""
    seconds, pruning = dict(dense.seconds), instance.pruning
    if pruning is None or pruning.finetuned or pruning.rate is None:
        facts = task.finetuned[instance.network]
        piece = _read_piece(task, instance.network, facts)
        piece.seconds.update(seconds | {column: facts[column] for column in ("finetune_seconds", "batch_size")})
        piece.seconds["alone_finetune_seconds"] = task.alone.get("alone_finetune_seconds")
        return piece
    with clock(seconds, "prune_seconds"):
        network = prune(
            dense.network, method=pruning.method, structure=pruning.structure, rate=pruning.rate, key=dense.file.name
        )
    data = onnx_bytes(network)
    record.write(task.library, network_file(instance.network), data)
    share = None if dataset is None else accuracy(network, dataset.test_images, dataset.test_labels)
    return _Piece(network, NetworkFile(instance.network, network, data, share), seconds)


def _make_models(
    task: NetworkTask,
    instances: list[NetworkInstance],
    piece: _Piece,
    dense: _Piece,
    prop: Property,
    record: Record,
) -> None:
    """Write the model of every formulation of a problem on one network."""
    centre_value = problem_of(prop).centre_value(ExactNetwork(piece.network))
    share = zero_share(piece.network, dense.network)
    asked = ProblemOnNetwork(instances[0].problem, prop, piece.file, dense.file, centre_value, share)
    for instance in instances:
        seconds = dict(piece.seconds)
        bounds: list[LayerBounds] = []
        if instance.formulation is Formulation.TIGHT:
            with clock(seconds, "bounds_seconds"):
                bounds = bound_tight(piece.network, prop, task.suite.bounds, task.threads)
        with clock(seconds, "export_seconds"):
            encoding = _encode(instance, piece.network, prop, bounds)
            text = mps_text(encoding.model)
            record.write(task.library, model_file(instance.name), compress(text))
        bounded = task.suite.bounds_of(instance.formulation)
        origin = Origin(task.suite.name, instance.group.side, instance.seed, instance.pruning)
        row = catalog_row(asked, instance.formulation, bounded, encoding, text, origin)
        record.rows.append(asdict(row))
        record.timings[instance.name] = {column: seconds.get(column) for column in TIMING_COLUMNS}


def _encode(instance: NetworkInstance, network: Network, prop: Property, bounds: list[LayerBounds]) -> Encoding:
    match instance.formulation:
        case Formulation.TIGHT:
            return encode_tight(network, prop, bounds, instance.name)
        case Formulation.SURROGATELIB:
            from vnnbench.instances.formulations.surrogatelib import encode_surrogatelib

            return encode_surrogatelib(network, prop, instance.name)
