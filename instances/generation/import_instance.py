"""The import of an ONNX network and a VNN-LIB property as instances of a library, one for each of its input boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np

from vnnbench.instances.arrays import Float32Array
from vnnbench.instances.bounds.levels import BoundLevel, default_bounds
from vnnbench.instances.errors import NetworkError, PropertyError
from vnnbench.instances.families import problem_of
from vnnbench.instances.files import read_plain, sha256
from vnnbench.instances.formulations.milp import MAX_NUMBER
from vnnbench.instances.formulations.mps import compress, mps_text
from vnnbench.instances.formulations.tight import bound_tight, encode_tight
from vnnbench.instances.generation.catalog_rows import NetworkFile, Origin, ProblemOnNetwork, catalog_row
from vnnbench.instances.generation.import_names import checked_name, network_name, problem_name
from vnnbench.instances.generation.instance_tasks import clock
from vnnbench.instances.generation.network_ends import check_end
from vnnbench.instances.layout import MANIFEST, model_file, network_file, property_file, vnnlib_file
from vnnbench.instances.library.additions import Addition, growing
from vnnbench.instances.library.catalog import TIMING_COLUMNS, CatalogRow
from vnnbench.instances.library.library import Library
from vnnbench.instances.limits import MAX_VNNLIB_BYTES
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import LayeredNetwork
from vnnbench.instances.onnx_files.agreement import check_agreement
from vnnbench.instances.onnx_files.external_data import read_whole
from vnnbench.instances.onnx_files.reader import OnnxFile, parse_file
from vnnbench.instances.onnx_files.runtime import OnnxRuntime
from vnnbench.instances.progress import NotingProgress
from vnnbench.instances.properties.property import Property
from vnnbench.instances.properties.property_file import property_json
from vnnbench.instances.properties.questions import Query
from vnnbench.instances.properties.vnnlib_reader import parse_vnnlib
from vnnbench.instances.properties.vnnlib_writer import vnnlib_bytes
from vnnbench.instances.suites.network_suite import Formulation

_POINTS = 4
"""The number of random points of the first box, beside the centres of all, at which ONNX Runtime must agree."""


@dataclass(frozen=True, eq=False)
class SourceNetwork:
    """A network from elsewhere: its file, and the bytes that are stored, which are unzipped and hold all weights.

    What follows from them is computed when it is first needed and kept, so that many properties can share it.
    """

    path: Path
    data: bytes

    @classmethod
    def read(cls, path: Path) -> SourceNetwork:
        """Read the file, with the weights that are in files beside it. Raises `NetworkError`."""
        return cls(path, read_whole(path))

    @cached_property
    def digest(self) -> str:
        return sha256(self.data)

    @property
    def given(self) -> OnnxFile:
        """The network as it is read. Raises `NetworkError`: it is not supported, or ONNX Runtime cannot run it."""
        if isinstance(self._parsed, NetworkError):
            raise self._parsed
        return self._parsed[0]

    @property
    def runtime(self) -> OnnxRuntime:
        """The network in ONNX Runtime. Raises `NetworkError` as `given` does."""
        if isinstance(self._parsed, NetworkError):
            raise self._parsed
        return self._parsed[1]

    @cached_property
    def _parsed(self) -> tuple[OnnxFile, OnnxRuntime] | NetworkError:
        source = str(self.path)
        try:
            given = parse_file(self.data, source)
            _check_weights(given.network, source)
            return given, OnnxRuntime(self.data, source)
        except NetworkError as error:
            return error


@dataclass(frozen=True, slots=True, eq=False)
class SourceQuery:
    """A property from elsewhere: its file, the text that is stored, unzipped, and what it asks."""

    path: Path
    text: bytes
    query: Query

    @classmethod
    def parse(cls, path: Path, text: bytes) -> SourceQuery:
        """Parse the text of the file at `path`. Raises `PropertyError`."""
        return cls(path, text, parse_vnnlib(text, str(path)))


@dataclass(frozen=True, slots=True)
class Wanted:
    """The names of the problem and of the network in the library, the level of bounds, and the time limit, if any.

    level: None for that of `default_bounds`.
    """

    problem: str
    network: str
    level: BoundLevel | None
    time_limit_seconds: float | None = None

    def problems(self, n: int) -> list[str]:
        """Return the names of the problems of a property of n input boxes: NAME-box0, NAME-box1 .. if n > 1."""
        return [self.problem] if n == 1 else [f"{self.problem}-box{k}" for k in range(n)]


def import_instance(
    folder: Path, onnx: Path, vnnlib: Path, name: str | None, level: BoundLevel | None, progress: NotingProgress
) -> tuple[list[CatalogRow], bool]:
    """Make the `tight` instances of a VNN-LIB property on an ONNX network, and add them to the library in `folder`.

    A new folder is created. A property of several input boxes gives an instance for each; all are added, or none.
    Returns the rows, and False if the library already has all of these instances.
    Both files may be gzipped, and are stored as they are, unzipped, with the weights that are in files beside the
    network put into it. name: of the problem; by default it is made from the names of the files. It also names the
    network if the library has another one of the file's name. level: None for `default_bounds`. Raises `InputError`: a
    file cannot be read or is not supported, the two do not fit each other, ONNX Runtime computes another result, or a
    name is in use.
    """
    problem = problem_name(onnx, vnnlib) if name is None else checked_name(name)
    network, question = SourceNetwork.read(onnx), SourceQuery.parse(vnnlib, read_query_text(vnnlib))
    check_pair(network, question, progress)
    progress.start(2 + len(question.query.parts), 0)
    progress.advance("files")
    stem = network_name(onnx)
    is_taken = name is not None and _has_another(folder, network_file(stem), network.digest)
    wanted = Wanted(problem, problem if is_taken else stem, level)
    additions = make_instances(network, question, wanted, lambda: progress.advance("bounds"))
    with growing(folder) as library:
        added = library.add(additions)
    progress.advance("instance")
    return [addition.row for addition in additions], added


def _has_another(folder: Path, relative: str, digest: str) -> bool:
    """Return whether a library has a file of this path with other contents."""
    return (folder / MANIFEST).is_file() and Library.open(folder).hashes.get(relative, digest) != digest


def read_query_text(path: Path) -> bytes:
    """Return the text of a VNN-LIB file, unzipped. Raises `PropertyError`."""
    return read_plain(path, MAX_VNNLIB_BYTES, PropertyError)


def check_pair(network: SourceNetwork, question: SourceQuery, progress: NotingProgress) -> None:
    """Check that a property and a network fit each other, and that the network is read as ONNX Runtime reads it.

    What was cut off at the network's end is reported. Raises `InputError`.
    """
    parts, source, layers = question.query.parts, str(network.path), network.given.network.layers
    check_end(network.given.end, parts, source, str(question.path), progress)
    n_inputs, n_outputs = layers[0].n_inputs, layers[-1].n_outputs
    if (parts[0].input_set.n_inputs, question.query.n_outputs) != (n_inputs, n_outputs):
        raise PropertyError(
            f"{question.path}: declares {parts[0].input_set.n_inputs} inputs and {question.query.n_outputs} outputs, "
            f"but {source} has {n_inputs} and {n_outputs}"
        )
    for prop in parts:
        _check_box(prop, str(question.path))
    check_agreement(network.given.network, network.runtime, _points(parts), source)


def make_instances(
    network: SourceNetwork, question: SourceQuery, wanted: Wanted, bounded: Callable[[], None]
) -> list[Addition]:
    """Return the instances of a pair that `check_pair` accepts, one for each input box, with their files.

    The VNN-LIB file of the only box is the original; for one of several it is written anew, since the original asks
    about all of them. bounded: called after each. Raises `InputError`: numbers of the model are too large.
    """
    parts = question.query.parts
    origins: list[dict[str, str | int]] = [{}]
    texts: list[bytes | None] = [question.text]
    if len(parts) > 1:
        origins = [{"part": k, "parts": len(parts)} for k in range(len(parts))]
        texts = [vnnlib_bytes(prop, question.query.n_outputs) for prop in parts]
    additions = []
    for name, prop, text, origin in zip(wanted.problems(len(parts)), parts, texts, origins, strict=True):
        additions.append(_make_instance(network, name, prop, text, wanted, {**_source(network, question), **origin}))
        bounded()
    return additions


def instance_name(problem: str) -> str:
    """Return the name of the instance of a problem."""
    return f"{problem}--{Formulation.TIGHT}"


def _make_instance(
    source: SourceNetwork,
    problem: str,
    prop: Property,
    text: bytes | None,
    wanted: Wanted,
    origin: dict[str, str | int],
) -> Addition:
    network, instance = source.given.network, instance_name(problem)
    seconds: dict[str, float | int | None] = dict.fromkeys(TIMING_COLUMNS)
    level = default_bounds(network) if wanted.level is None else wanted.level
    with clock(seconds, "bounds_seconds"):
        bounds = bound_tight(network, prop, level)
    with clock(seconds, "export_seconds"):
        encoding = encode_tight(network, prop, bounds, instance)
        model = mps_text(encoding.model)
    files = {
        network_file(wanted.network): source.data,
        property_file(problem): property_json(prop),
        **({} if text is None else {vnnlib_file(property_file(problem)): text}),
        model_file(instance): compress(model),
    }
    file = NetworkFile(wanted.network, network, source.data, accuracy=None)
    centre_value = problem_of(prop).centre_value(ExactNetwork(network))
    asked = ProblemOnNetwork(problem, prop, file, file, centre_value, zero_share=None)
    row = catalog_row(
        asked, Formulation.TIGHT, level, encoding, model, Origin(time_limit_seconds=wanted.time_limit_seconds)
    )
    return Addition(row, files, seconds, {"instance": instance, **origin})


def _source(network: SourceNetwork, question: SourceQuery) -> dict[str, str | int]:
    """Return the record of a pair's origin in provenance.json."""
    return {
        "onnx": _shown(network.path),
        "onnx_sha256": network.digest,
        "vnnlib": _shown(question.path),
        "vnnlib_sha256": sha256(question.text),
        "vnnbench": version("vnnbench"),
        "imported_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _check_weights(network: LayeredNetwork, onnx: str) -> None:
    """Raise `NetworkError` for numbers that solvers do not accept: they would read them as infinite, or refuse them."""
    for k, layer in enumerate(network.layers, 1):
        numbers = layer.W if isinstance(layer.W, np.ndarray) else layer.W.data
        largest = max(float(np.abs(numbers).max(initial=0.0)), float(np.abs(layer.b).max(initial=0.0)))
        if largest >= MAX_NUMBER:
            raise NetworkError(
                f"{onnx}: layer {k} holds a weight of {largest:g}; solvers accept numbers below {MAX_NUMBER:g}"
            )


def _check_box(prop: Property, vnnlib: str) -> None:
    """Raise `PropertyError` for bounds that solvers do not accept."""
    largest = max(map(abs, (prop.input_set.lower.min(), prop.input_set.upper.max())))
    if largest >= MAX_NUMBER:
        raise PropertyError(f"{vnnlib}: bounds an input by {largest:g}; solvers accept numbers below {MAX_NUMBER:g}")


def _shown(path: Path) -> str:
    """Return a file's name as text, whatever bytes it holds."""
    return path.name.encode(errors="replace").decode()


def _points(parts: Sequence[Property]) -> list[Float32Array]:
    """Return the boxes' centres, and points drawn from the first box, as float32: the same in every import."""
    lower, upper = parts[0].input_set.hull
    shares = np.random.default_rng(0).uniform(size=(_POINTS, len(lower)))
    centres = [prop.input_set.centre for prop in parts]
    return [x.astype(np.float32) for x in (*centres, *(lower + shares * (upper - lower)))]
