"""What one worker process does: train a group, or make every instance of one dense network.

A task writes its files, then its record; doing it again gives the same bytes. Workers hold BLAS and torch to one
thread, so that neither --jobs nor thread variables show in the files.
"""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from itertools import groupby
from multiprocessing import connection, parent_process
from pathlib import Path
from time import perf_counter

import numpy as np

from instances.bounds import LayerBounds, backward_bounds
from instances.datasets import Dataset, load_dataset
from instances.exact import ExactNetwork
from instances.families.verify import VerifyProblem
from instances.files import read_bytes, sha256, write_atomic
from instances.formulation import Encoding, encode_tight
from instances.generation_state import Record, save_record
from instances.library import CatalogRow, instance_sha256
from instances.mps import compress, mps_text
from instances.network import Network, accuracy
from instances.onnx_files import onnx_bytes, parse_onnx
from instances.problems import draw_problem
from instances.property import VerifyProperty, property_json
from instances.pruning import prune
from instances.suite import Formulation, Group, PlannedInstance, Pruning, Suite

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class GroupTask:
    """Train all seeds of a group; write the networks of `wanted`."""

    library: Path
    data_folder: Path | None
    suite: Suite
    group: Group
    wanted: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"group-{self.group.name}"


@dataclass(frozen=True, slots=True)
class NetworkTask:
    """Make the instances of one dense network; `test_accuracy` is the dense network's."""

    library: Path
    data_folder: Path | None
    suite: Suite
    instances: tuple[PlannedInstance, ...]
    test_accuracy: float
    train_seconds: float | None
    batch_size: int | None

    @property
    def name(self) -> str:
        return network_task_name(self.instances[0])


def network_task_name(instance: PlannedInstance) -> str:
    """The task that makes an instance."""
    return f"network-{instance.dense_network}"


def start_worker() -> None:
    """Run first in every worker: Ctrl-C is the parent's business, the parent's death ends us, one thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # for libraries that are loaded later
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def train_group(task: GroupTask) -> None:
    """Train a group and write its networks; wall time is shared evenly among the networks of the batch."""
    from instances.training import train  # torch takes seconds to import

    dataset = _dataset(task.group.dataset, task.group.side, task.data_folder)
    start = perf_counter()
    trained = train(dataset, [task.group.width] * task.group.depth, task.group.seeds, task.suite.training)
    seconds = (perf_counter() - start) / len(trained)
    record = Record()
    for result in trained:
        if result.seed in task.wanted:
            name = task.group.network(result.seed)
            _write(task.library, f"networks/{name}.onnx", onnx_bytes(result.network), record)
            record.networks[name] = {
                "train_accuracy": result.train_accuracy,
                "test_accuracy": result.test_accuracy,
                "train_seconds": seconds,
                "batch_size": len(trained),
            }
    save_record(task.library, task.name, record)


def make_instances(task: NetworkTask) -> None:
    """Write property, picture, surrogates and models of one dense network."""
    first = task.instances[0]
    dataset = _dataset(first.group.dataset, first.group.side, task.data_folder)
    path = task.library / f"networks/{first.dense_network}.onnx"
    data = read_bytes(path)
    dense = _Piece(first.dense_network, parse_onnx(data, str(path)), data, task.test_accuracy)
    prop = draw_problem(dense.network, dataset, first.seed, task.suite.norm, task.suite.radius)
    record = Record()
    _write(task.library, f"properties/{first.problem}.json", property_json(prop), record)
    _write(task.library, f"pictures/{first.problem}.png", picture_png(prop, dataset.side), record)
    for pruning, instances in groupby(task.instances, key=lambda instance: instance.pruning):
        clock = _Clock({"train_seconds": task.train_seconds, "batch_size": task.batch_size})
        piece = dense if pruning is None else _prune(dense, pruning, dataset, clock)
        if piece is not dense:
            _write(task.library, f"networks/{piece.name}.onnx", piece.data, record)
        _make_models(task, list(instances), piece, dense, prop, clock, record)
    save_record(task.library, task.name, record)


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """A network with its ONNX file and test accuracy."""

    name: str
    network: Network
    data: bytes
    accuracy: float


@dataclass(slots=True)
class _Clock:
    """Timings of the instances on one network."""

    values: dict[str, float | int | None] = field(default_factory=dict)

    @contextmanager
    def measure(self, column: str) -> Iterator[None]:
        start = perf_counter()
        yield
        self.values[column] = perf_counter() - start


def _prune(dense: _Piece, pruning: Pruning, dataset: Dataset, clock: _Clock) -> _Piece:
    with clock.measure("prune_seconds"):
        network = prune(
            dense.network, method=pruning.method, structure=pruning.structure, rate=pruning.rate, key=dense.name
        )
    share = accuracy(network, dataset.test_images, dataset.test_labels)
    return _Piece(f"{dense.name}-{pruning.name}", network, onnx_bytes(network), share)


def _make_models(
    task: NetworkTask,
    instances: list[PlannedInstance],
    piece: _Piece,
    dense: _Piece,
    prop: VerifyProperty,
    clock: _Clock,
    record: Record,
) -> None:
    """Write the model of every formulation of a problem on one network."""
    from instances.library import TIMING_COLUMNS

    problem = VerifyProblem(prop)
    centre_value = float(problem.evaluate(ExactNetwork(piece.network), problem.centre))
    for instance in instances:
        own = _Clock(dict(clock.values))
        bounds: list[LayerBounds] = []
        if instance.formulation is Formulation.TIGHT:
            with own.measure("bounds_seconds"):
                bounds = backward_bounds(piece.network, prop.input_set)
        with own.measure("export_seconds"):
            encoding = _encode(instance, piece.network, prop, bounds)
            text = mps_text(encoding.model)
            _write(task.library, f"models/{instance.name}.mps.gz", compress(text), record)
        identity = instance_sha256(text, piece.data, dense.data, property_json(prop))
        row = _catalog_row(task.suite, instance, prop, encoding, identity, centre_value, piece, dense)
        record.rows.append(asdict(row))
        record.timings[instance.name] = {column: own.values.get(column) for column in TIMING_COLUMNS}


def _encode(instance: PlannedInstance, network: Network, prop: VerifyProperty, bounds: list[LayerBounds]) -> Encoding:
    match instance.formulation:
        case Formulation.TIGHT:
            return encode_tight(network, prop, bounds, instance.name)
        case Formulation.SURROGATELIB:
            from instances.surrogatelib import encode_surrogatelib

            return encode_surrogatelib(network, prop, instance.name)


def _catalog_row(
    suite: Suite,
    instance: PlannedInstance,
    prop: VerifyProperty,
    encoding: Encoding,
    identity: str,
    centre_value: float,
    piece: _Piece,
    dense: _Piece,
) -> CatalogRow:
    group, pruning, model = instance.group, instance.pruning, encoding.model
    return CatalogRow(
        instance=instance.name,
        instance_sha256=identity,
        problem=instance.problem,
        family=VerifyProblem.family,
        suite=suite.name,
        dataset=group.dataset,
        input_side=group.side,
        depth=group.depth,
        width=group.width,
        seed=instance.seed,
        network=instance.network,
        dense_network=instance.dense_network,
        pruning=str(pruning.method) if pruning else "none",
        structure=str(pruning.structure) if pruning else "none",
        rate=pruning.rate if pruning else None,
        finetuned=0,
        formulation=str(instance.formulation),
        bounds=instance.formulation.bounds,
        norm=str(instance.norm),
        radius=prop.input_set.radius,
        sample=prop.sample,
        source=prop.source,
        target=prop.target,
        accuracy=piece.accuracy,
        dense_accuracy=dense.accuracy,
        rows=model.n_rows,
        columns=model.n_columns,
        nonzeros=model.n_nonzeros,
        binaries=int(model.integer.sum()),
        stable_active=encoding.stable_active,
        stable_inactive=encoding.stable_inactive,
        unstable=encoding.unstable,
        constant_rounding=encoding.constant_rounding,
        model=f"models/{instance.name}.mps.gz",
        property=f"properties/{instance.problem}.json",
        strict=int(prop.strict),
        threshold=VerifyProblem.threshold,
        centre_value=centre_value,
    )


def picture_png(prop: VerifyProperty, side: int) -> bytes:
    """The clean input as a grey PNG of side x side pixels; no time or version is in it."""
    from PIL import Image

    grey = np.rint(prop.input_set.centre * 255).astype(np.uint8).reshape(side, side)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, format="PNG")
    return buffer.getvalue()


def _write(library: Path, relative: str, data: bytes, record: Record) -> None:
    write_atomic(library / relative, data)
    record.files[relative] = sha256(data)


@lru_cache(maxsize=1)  # tasks come group by group
def _dataset(name: str, side: int, data_folder: Path | None) -> Dataset:
    return load_dataset(name, side, data_folder)
