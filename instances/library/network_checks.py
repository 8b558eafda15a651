"""The checks of instances over an input set only: networks, VNN-LIB file, and points outside."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.families.over_input_set import OverInputSet
from vnnbench.instances.formulations.input_columns import parse_input_column
from vnnbench.instances.formulations.milp import MilpModel
from vnnbench.instances.layout import CATALOG, vnnlib_file
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.findings import Finding
from vnnbench.instances.library.library import Library
from vnnbench.instances.networks.pruning import zero_share
from vnnbench.instances.onnx_files.reader import read_onnx, read_perceptron
from vnnbench.instances.properties.vnnlib_reader import parse_vnnlib
from vnnbench.instances.properties.vnnlib_writer import meaning, vnnlib_bytes

SET_NAMES = {"ball", "up", "dn", "x", "p", "m", "a", "r", "equal", "least", "most"}
"""The beginnings of the names of the input set's own rows and columns."""


def network_facts(library: Library, row: CatalogRow) -> dict[str, object]:
    """Return the columns of the catalogue that follow from the networks. Raises `InputError`."""
    if row.zero_share is None:  # the network was imported, or the catalogue is older
        return {}
    own, dense = (read_perceptron(path) for path in (library.network_path(row), library.dense_network_path(row)))
    return {"zero_share": zero_share(own, dense)}


def check_neurons(library: Library, row: CatalogRow) -> Iterator[Finding]:
    """Check that the catalogue's counts of neurons by stability add up to the network's neurons."""
    hidden = sum(int(layer.relu.sum()) for layer in read_onnx(library.network_path(row)).layers)
    if sum(count or 0 for count in (row.stable_active, row.stable_inactive, row.unstable)) != hidden:
        yield Finding(CATALOG, f"{row.instance}: its counts of neurons do not add up to the network's {hidden}")


def check_vnnlib(library: Library, row: CatalogRow, problem: OverInputSet) -> Iterator[Finding]:
    """Check that the VNN-LIB file has the same set and goal, or is absent if VNN-LIB cannot express them."""
    relative = vnnlib_file(row.property)
    n_outputs = read_onnx(library.dense_network_path(row)).layers[-1].n_outputs
    if relative not in library.hashes:
        if vnnlib_bytes(problem.property, n_outputs) is not None:
            yield Finding(relative, f"is missing, although VNN-LIB can express {row.property}")
        return
    query = parse_vnnlib(library.read_verified(relative), relative)
    if meaning(query.prop) != meaning(problem.property) or query.n_outputs != n_outputs:
        yield Finding(relative, f"has another set or goal than {row.property}")


def points_outside(
    problem: OverInputSet, model: MilpModel, generator: np.random.Generator
) -> Iterator[tuple[str, Float64Array]]:
    """Yield a point where all pixels together moved too far, and one where a single pixel did.

    They move only pixels and directions that have a column; the file may lack the others, which have no effect. Nor do
    they move what the set determines. There is no such point if all inputs are fixed.
    """
    centre = problem.centre
    direction = np.zeros(len(centre))
    for column in filter(None, map(parse_input_column, model.column_names)):
        sign = generator.choice([-1.0, 1.0]) if column.letter == "x" else column.sign
        direction[column.pixel] = sign * generator.uniform(0.5, 1.0)
    direction[list(problem.input_set.determined)] = 0.0
    if not direction.any():
        return
    pixel = generator.choice(np.flatnonzero(direction))
    single = np.where(np.arange(len(centre)) == pixel, direction, 0.0)
    for label, step in (("a point with all pixels moved", direction), ("a point with one pixel moved", single)):
        length = 2.0**-10
        while problem.violation(centre + length * step) == 0:
            length *= 2
        yield label, centre + length * step
