"""The task that makes every instance of one dense network, once that and its finetuned surrogates are there.

It writes its files, then its record; doing it again gives the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from instances.bounds import LayerBounds, backward_bounds
from instances.datasets import Dataset
from instances.exact import ExactNetwork
from instances.families.verify import VerifyProblem
from instances.files import read_bytes
from instances.formulation import Encoding, encode_tight
from instances.generation_state import Record, save_record
from instances.generation_workers import dataset_in_memory
from instances.library import TIMING_COLUMNS, CatalogRow, instance_sha256
from instances.mps import compress, mps_text
from instances.network import Network, accuracy
from instances.onnx_files import onnx_bytes, parse_onnx
from instances.problems import draw_problem
from instances.property import VerifyProperty, property_json
from instances.pruning import prune
from instances.suite import Formulation, PlannedInstance, Pruning, Suite


@dataclass(frozen=True, slots=True)
class NetworkTask:
    """Make the instances of one dense network.

    dense, finetuned: what training says of that network, and finetuning of its surrogates by name.
    """

    library: Path
    data_folder: Path | None
    suite: Suite
    instances: tuple[PlannedInstance, ...]
    dense: dict[str, Any]
    finetuned: dict[str, dict[str, Any]]

    @property
    def name(self) -> str:
        return f"network-{self.instances[0].dense_network}"


def make_instances(task: NetworkTask) -> None:
    """Write property, picture, surrogates and models of one dense network."""
    first = task.instances[0]
    dataset = dataset_in_memory(first.group.dataset, first.group.side, task.data_folder)
    dense = _read_piece(task, first.dense_network, task.dense)
    prop = draw_problem(dense.network, dataset, first.seed, task.suite.norm, task.suite.radius)
    record = Record()
    record.write(task.library, f"properties/{first.problem}.json", property_json(prop))
    record.write(task.library, f"pictures/{first.problem}.png", picture_png(prop, dataset.side))
    for pruning, instances in groupby(task.instances, key=lambda instance: instance.pruning):
        clock = _Clock({column: task.dense[column] for column in ("train_seconds", "batch_size")})
        if pruning is None:
            piece = dense
        elif pruning.finetuned:
            name = first.group.surrogate(first.seed, pruning)
            piece = _read_piece(task, name, task.finetuned[name])
            clock.values |= {column: task.finetuned[name][column] for column in ("finetune_seconds", "batch_size")}
        else:
            piece = _prune(dense, pruning, dataset, clock)
            record.write(task.library, f"networks/{piece.name}.onnx", piece.data)
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


def _read_piece(task: NetworkTask, name: str, facts: dict[str, Any]) -> _Piece:
    path = task.library / f"networks/{name}.onnx"
    data = read_bytes(path)
    return _Piece(name, parse_onnx(data, str(path)), data, facts["test_accuracy"])


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
            record.write(task.library, f"models/{instance.name}.mps.gz", compress(text))
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
        finetuned=int(instance.finetuned),
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
