"""The import of an ONNX network and a VNN-LIB property as an instance of a library."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from vnnbench.instances.arrays import Float32Array
from vnnbench.instances.bounds.levels import BoundLevel
from vnnbench.instances.errors import LibraryError, NetworkError, PropertyError
from vnnbench.instances.families import problem_of
from vnnbench.instances.files import read_plain, sha256
from vnnbench.instances.formulations.milp import MAX_NUMBER
from vnnbench.instances.formulations.mps import compress, mps_text
from vnnbench.instances.formulations.tight import bound_tight, encode_tight
from vnnbench.instances.generation.catalog_rows import NetworkFile, Origin, ProblemOnNetwork, catalog_row
from vnnbench.instances.generation.instance_tasks import clock
from vnnbench.instances.generation.network_ends import check_end
from vnnbench.instances.layout import MANIFEST, model_file, network_file, property_file, vnnlib_file
from vnnbench.instances.library.additions import Addition, add_instance
from vnnbench.instances.library.catalog import TIMING_COLUMNS, CatalogRow
from vnnbench.instances.library.library import Library
from vnnbench.instances.limits import MAX_VNNLIB_BYTES
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import LayeredNetwork
from vnnbench.instances.onnx_files.agreement import check_agreement
from vnnbench.instances.onnx_files.external_data import read_whole
from vnnbench.instances.onnx_files.reader import parse_file
from vnnbench.instances.onnx_files.runtime import OnnxRuntime
from vnnbench.instances.progress import ImportProgress
from vnnbench.instances.properties.property import Property, property_json
from vnnbench.instances.properties.vnnlib_reader import parse_vnnlib
from vnnbench.instances.suites.suite import Formulation

_NAME = re.compile(r"[A-Za-z0-9](?!.*--)[A-Za-z0-9._-]{0,119}")
_POINTS = 4
"""The number of random points of the box, beside the centre, at which ONNX Runtime must agree."""


def import_instance(
    folder: Path, onnx: Path, vnnlib: Path, name: str | None, level: BoundLevel, progress: ImportProgress
) -> tuple[CatalogRow, bool]:
    """Make the `tight` instance of a VNN-LIB property on an ONNX network, and add it to the library in `folder`.

    A new folder is created. Returns the instance's row, and False if the library already has the same instance.
    Both files may be gzipped, and are stored as they are, unzipped, with the weights that are in files beside the
    network put into it. name: of the problem; by default it is made from the names of the files. It also names the
    network if the library has another one of the file's name. Raises `InputError`: a file cannot be read or is not
    supported, the two do not fit each other, ONNX Runtime computes another result, or a name is in use.
    """
    progress.start(3, 0)
    data, text = read_whole(onnx), read_plain(vnnlib, MAX_VNNLIB_BYTES, PropertyError)
    given, query = parse_file(data, str(onnx)), parse_vnnlib(text, str(vnnlib))
    network = given.network
    check_end(given.end, query.parts, str(onnx), str(vnnlib), progress)
    n_inputs, n_outputs = network.layers[0].n_inputs, network.layers[-1].n_outputs
    if (query.prop.input_set.n_inputs, query.n_outputs) != (n_inputs, n_outputs):
        raise PropertyError(
            f"{vnnlib}: declares {query.prop.input_set.n_inputs} inputs and {query.n_outputs} outputs, but {onnx} has "
            f"{n_inputs} and {n_outputs}"
        )
    _check_sizes(network, str(onnx), query.prop, str(vnnlib))
    check_agreement(network, OnnxRuntime(data, str(onnx)), _points(query.prop), str(onnx))
    stem = _name(_stem(onnx, ".onnx"), onnx)
    problem_name = _checked(name) if name else _name(f"{stem}-{_stem(vnnlib, '.vnnlib')}", vnnlib)
    network_name = stem if name is None or not _has_another(folder, network_file(stem), data) else problem_name
    progress.advance("files")
    seconds: dict[str, float | int | None] = dict.fromkeys(TIMING_COLUMNS)
    with clock(seconds, "bounds_seconds"):
        bounds = bound_tight(network, query.prop, level)
    progress.advance("bounds")
    instance = f"{problem_name}--{Formulation.TIGHT}"
    with clock(seconds, "export_seconds"):
        encoding = encode_tight(network, query.prop, bounds, instance)
        model = mps_text(encoding.model)
    files = {
        network_file(network_name): data,
        property_file(problem_name): property_json(query.prop),
        vnnlib_file(property_file(problem_name)): text,
        model_file(instance): compress(model),
    }
    file = NetworkFile(network_name, network, data, accuracy=None)
    centre_value = problem_of(query.prop).centre_value(ExactNetwork(network))
    asked = ProblemOnNetwork(problem_name, query.prop, file, file, centre_value, zero_share=None)
    row = catalog_row(asked, Formulation.TIGHT, level, encoding, model, Origin())
    source = {
        "instance": instance,
        "onnx": _shown(onnx),
        "onnx_sha256": sha256(data),
        "vnnlib": _shown(vnnlib),
        "vnnlib_sha256": sha256(text),
        "vnnbench": version("vnnbench"),
        "imported_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    added = add_instance(folder, Addition(row, files, seconds, source))
    progress.advance("instance")
    return row, added


def _has_another(folder: Path, relative: str, data: bytes) -> bool:
    """Return whether a library has a file of this path with other contents."""
    if not (folder / MANIFEST).is_file():
        return False
    return Library.open(folder).hashes.get(relative, sha256(data)) != sha256(data)


def _check_sizes(network: LayeredNetwork, onnx: str, prop: Property, vnnlib: str) -> None:
    """Raise `InputError` for numbers that solvers do not accept: they would read them as infinite, or refuse them."""
    for k, layer in enumerate(network.layers, 1):
        numbers = layer.W if isinstance(layer.W, np.ndarray) else layer.W.data
        largest = max(float(np.abs(numbers).max(initial=0.0)), float(np.abs(layer.b).max(initial=0.0)))
        if largest >= MAX_NUMBER:
            raise NetworkError(
                f"{onnx}: layer {k} holds a weight of {largest:g}; solvers accept numbers below {MAX_NUMBER:g}"
            )
    largest = max(map(abs, (prop.input_set.lower.min(), prop.input_set.upper.max())))
    if largest >= MAX_NUMBER:
        raise PropertyError(f"{vnnlib}: bounds an input by {largest:g}; solvers accept numbers below {MAX_NUMBER:g}")


def _shown(path: Path) -> str:
    """Return a file's name as text, whatever bytes it holds."""
    return path.name.encode(errors="replace").decode()


def _points(prop: Property) -> list[Float32Array]:
    """Return the centre, and points drawn from the box, as float32: the same in every import."""
    lower, upper = prop.input_set.hull
    shares = np.random.default_rng(0).uniform(size=(_POINTS, len(lower)))
    return [x.astype(np.float32) for x in (prop.input_set.centre, *(lower + shares * (upper - lower)))]


def _stem(path: Path, suffix: str) -> str:
    return path.name.removesuffix(".gz").removesuffix(suffix)


def _name(wanted: str, path: Path) -> str:
    """Return a file's name as a name in a library, with other characters replaced by _."""
    name = re.sub(r"-{2,}", "-", re.sub(r"[^A-Za-z0-9._-]", "_", wanted))
    if not _NAME.fullmatch(name):
        raise LibraryError(f"{path}: {name!r} cannot be a name in a library; rename the file, or give --name")
    return name


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise LibraryError(
            f"--name {name!r}: use a letter or digit first, then letters, digits, ., _ and - (not --), at most 120"
        )
    return name
