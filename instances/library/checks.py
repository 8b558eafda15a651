"""Checking a library: do its files say what manifest, catalogue, network and property say?

Nothing here trusts the generator: counts are taken from the files as read, values are computed exactly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import PurePosixPath

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.bounds.levels import value_bound
from vnnbench.instances.errors import InputError
from vnnbench.instances.families import read_problem
from vnnbench.instances.families.base import Problem
from vnnbench.instances.formulations.input_columns import parse_input_column
from vnnbench.instances.formulations.lifting import LiftedPoint, Lifter
from vnnbench.instances.formulations.milp import MilpModel
from vnnbench.instances.formulations.mps import read_mps
from vnnbench.instances.formulations.numerics import numerics
from vnnbench.instances.layout import (
    ANSWERS,
    CATALOG,
    MANIFEST,
    NEXT_CATALOG,
    NEXT_MANIFEST,
    PROOFS,
    PROVENANCE,
    SEALED,
    TIMINGS,
    network_file,
    picture_file,
    vnnlib_file,
)
from vnnbench.instances.library.additions import expected_files
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.sealed_answers import (
    PlantedCounterexample,
    PlantedProblem,
    PlantedRobustness,
    is_sealed,
    read_seal,
)
from vnnbench.instances.networks.exact import ExactNetwork
from vnnbench.instances.networks.pruning import zero_share
from vnnbench.instances.onnx_files.reader import as_perceptron, read_onnx, read_perceptron
from vnnbench.instances.properties.property import read_property
from vnnbench.instances.properties.vnnlib_reader import parse_vnnlib
from vnnbench.instances.properties.vnnlib_writer import meaning, vnnlib_bytes
from vnnbench.instances.rationals import float_below

UNHASHED = {MANIFEST, NEXT_MANIFEST, NEXT_CATALOG, TIMINGS, PROVENANCE, ANSWERS}
"""Files beside the manifest's own; the folder proofs has a manifest of its own."""

_BOUND_ROUNDING = 1e-9
"""Another CPU rounds a bound otherwise, though each is proven."""

_SET_NAMES = {"ball", "up", "dn", "x", "p", "m", "a", "r"}
"""What the names of the input set's own rows and columns begin with."""


class Severity(StrEnum):
    """WRONG: the library is not what it says. WARNING: it is, and a solver may still have trouble with it."""

    WRONG = "wrong"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to be told: the file, and what is the matter with it, in one line."""

    where: str
    what: str
    severity: Severity = Severity.WRONG


def check_files(library: Library) -> Iterator[Finding]:
    """Every checksum, and every file that should or should not be there."""
    for relative in library.hashes:
        if relative == SEALED and not is_sealed(library):
            yield Finding(SEALED, "is withheld, so planted answers cannot be checked", Severity.WARNING)
            continue
        try:
            library.read_verified(relative)
        except InputError as error:
            yield Finding(relative, str(error).removeprefix(f"{library.folder / relative}: "))
    yield from _unknown_files(library)


def check_row(library: Library, row: CatalogRow) -> Iterator[Finding]:
    """An instance's identity, the catalogue against its files, and warnings about its numbers."""
    try:
        library.verify_row(row)
        yield from _check_row(library, row)
        yield from _check_vnnlib(library, row)
    except InputError as error:
        yield Finding(row.instance, str(error))


def check_seal(library: Library, rows: Sequence[CatalogRow]) -> Iterator[Finding]:
    """Every planted answer of the rows' problems: it is about the library's network, property and instances, its point
    lies in the set and has its value, in exact arithmetic and lifted into every file, or its bound is proven anew."""
    try:
        seal = read_seal(library)
        by_name = {row.instance: row for row in rows}
        for planted in seal.problems if seal is not None else ():
            of_problem = {row.instance: row for row in library.rows if row.problem == planted.problem}
            if planted.instances != {name: row.instance_sha256 for name, row in of_problem.items()}:
                yield Finding(SEALED, f"{planted.problem}: its instances are not those of the catalogue")
            elif asked := [row for name, row in of_problem.items() if name in by_name]:
                wrong = list(_wrong_answer(library, asked[0], planted))
                yield from (Finding(SEALED, f"{planted.problem}: {what}") for what in wrong)
                if isinstance(planted.answer, PlantedCounterexample) and not wrong:
                    for row in asked:
                        yield from _check_planted_point(library, row, np.array(planted.answer.point))
    except InputError as error:
        yield Finding(SEALED, str(error))


def check_lifting(library: Library, row: CatalogRow) -> Iterator[Finding]:
    """Lift the clean input and points of the set: no row of the file as read is violated, and its objective is minus
    the value of the instance's own network, up to constant_rounding; where that has no value, the goal's rows alone are
    violated. Lift points outside: the set says so.

    All in exact arithmetic; the points are the same in every check.
    """
    try:
        model = read_mps(library.model_path(row))
        problem = read_problem(library.property_path(row))
        network = ExactNetwork(read_onnx(library.network_path(row)))
        lifter = Lifter(model, problem.centre)
        for label, x in _inside(problem, row.instance):
            value = problem.evaluate(network, x)
            yield from _check_inside(row, label, lifter.lift(x), value)
        for label, x in _outside(problem, model, row.instance):
            if not any(name.split("_")[0] in _SET_NAMES for name in lifter.lift(x).violated):
                yield Finding(row.model, f"{label} is outside the set and satisfies all its rows and bounds")
    except InputError as error:
        yield Finding(row.instance, str(error))


def _unknown_files(library: Library) -> Iterator[Finding]:
    """Files that the manifest does not list, a folder of such told once, and listed ones that no instance needs."""
    known = library.hashes.keys() | UNHASHED | expected_files(library.folder)
    ours = {folder for path in known for folder in PurePosixPath(path).parents}
    strays: dict[PurePosixPath, list[PurePosixPath]] = {}
    for path in sorted(library.folder.rglob("*")):
        stray = PurePosixPath(path.relative_to(library.folder))
        if path.is_file() and str(stray) not in known and not str(stray).startswith(f"{PROOFS}/"):
            outermost = next((folder for folder in reversed(stray.parents) if folder not in ours), stray)
            strays.setdefault(outermost, []).append(stray)
    for outermost, files in strays.items():
        if len(files) == 1:
            yield Finding(str(files[0]), f"is not listed in {MANIFEST}; remove it")
        else:
            yield Finding(f"{outermost}/", f"holds {len(files)} files that are not listed in {MANIFEST}; remove it")
    needed: set[str] = {CATALOG, SEALED}
    for row in library.rows:
        needed |= {row.model, row.property, network_file(row.network), network_file(row.dense_network)}
        needed |= {picture_file(row.problem), vnnlib_file(row.property)}
    for relative in sorted(set(library.hashes) - needed):
        yield Finding(relative, "belongs to no instance of the catalogue")


def _check_row(library: Library, row: CatalogRow) -> Iterator[Finding]:
    """The catalogue's counts and facts against model, property and networks as read."""
    model = read_mps(library.model_path(row))
    problem = read_problem(library.property_path(row))
    network = read_onnx(library.network_path(row))
    found = {
        **model.counts(),
        "centre_value": problem.centre_value(ExactNetwork(network)),
        **problem.facts(),
    }
    sizes = numerics(model)
    # A column that the catalogue lacks is younger than the library.
    found |= {column: size for column, size in asdict(sizes).items() if getattr(row, column) is not None}
    if row.zero_share is not None:  # else the network comes from elsewhere, or the catalogue is older
        own = as_perceptron(network, str(library.network_path(row)))
        found["zero_share"] = zero_share(own, read_perceptron(library.dense_network_path(row)))
    for column, value in found.items():
        if getattr(row, column) != value:
            yield Finding(CATALOG, f"{row.instance}: {column} is {getattr(row, column)}, by its files {value}")
    hidden = sum(layer.n_outputs for layer in network.layers if layer.relu)
    if row.stable_active + row.stable_inactive + row.unstable != hidden:
        yield Finding(CATALOG, f"{row.instance}: its neurons by stability are not the network's {hidden}")
    concerns = sizes.concerns(row.constant_rounding, row.centre_value)
    yield from (Finding(row.model, concern, Severity.WARNING) for concern in concerns)


def _wrong_answer(library: Library, row: CatalogRow, planted: PlantedProblem) -> Iterator[str]:
    network_path, property_path = network_file(row.dense_network), row.property
    for path, digest in ((network_path, planted.dense_sha256), (property_path, planted.property_sha256)):
        if library.hashes[path] != digest:
            yield f"is about another file than {path}"
    network, problem = read_onnx(library.folder / network_path), read_problem(library.folder / property_path)
    answer = planted.answer
    if isinstance(answer, PlantedRobustness):
        proven = value_bound(network, read_property(library.folder / property_path), answer.level)
        if not problem.excludes(answer.bound, 0.0):
            yield f"its bound {answer.bound} leaves room for a counterexample"
        if abs(proven - answer.bound) > _BOUND_ROUNDING * max(1.0, abs(proven)):
            yield f"its bound is {answer.bound}, proven is {proven}"
        return
    point = np.array(answer.point)
    if outside := problem.violation(point):
        yield f"its point is outside the set by {float(outside):.3g}"
    value = problem.evaluate(ExactNetwork(network), point)
    if value is None or not problem.answers(value):
        yield "its point is no counterexample"
    elif float_below(value) != answer.value:
        yield f"its value is {answer.value}, at its point {float_below(value)}"


def _check_planted_point(library: Library, row: CatalogRow, point: Float64Array) -> Iterator[Finding]:
    """The instance's file has the point, with the value of its own network."""
    problem = read_problem(library.property_path(row))
    lifted = Lifter(read_mps(library.model_path(row)), problem.centre).lift(point)
    value = problem.evaluate(ExactNetwork(read_onnx(library.network_path(row))), point)
    yield from _check_inside(row, "the planted point", lifted, value)


def _check_vnnlib(library: Library, row: CatalogRow) -> Iterator[Finding]:
    """The VNN-LIB file asks for the same set and the same goal; there is none where VNN-LIB cannot say it."""
    relative = vnnlib_file(row.property)
    prop = read_property(library.property_path(row))
    n_outputs = read_onnx(library.dense_network_path(row)).layers[-1].n_outputs
    if relative not in library.hashes:
        if vnnlib_bytes(prop, n_outputs) is not None:
            yield Finding(relative, f"is missing, though VNN-LIB can say what {row.property} asks")
        return
    query = parse_vnnlib(library.read_verified(relative), relative)
    if meaning(query.prop) != meaning(prop) or query.n_outputs != n_outputs:
        yield Finding(relative, f"asks for another set or goal than {row.property}")


def _check_inside(row: CatalogRow, label: str, lifted: LiftedPoint, value: Fraction | None) -> Iterator[Finding]:
    if value is None:
        if not lifted.violated or not all(name.startswith("goal_") for name in lifted.violated):
            violated = ", ".join(lifted.violated[:3]) or "nothing"
            yield Finding(row.model, f"{label} has no value, and lifted violates {violated}, not just goal rows")
        return
    if lifted.violated:
        yield Finding(row.model, f"{label} lifted violates {lifted.violated[0]}, {len(lifted.violated)} in all")
    if abs(lifted.objective + value) > Fraction(row.constant_rounding):
        difference = float(lifted.objective + value)
        yield Finding(
            row.model,
            f"{label} lifted: objective and network differ by {difference:.3g}, allowed {row.constant_rounding:.3g}",
        )


def _inside(problem: Problem, name: str) -> Iterator[tuple[str, Float64Array]]:
    """The clean input and three points exactly in the set: many pixels moved, halfway there, few pixels moved."""
    centre, generator = problem.centre, _generator(name)
    yield "the clean input", centre
    step = generator.normal(size=len(centre))
    few = np.where(generator.random(len(centre)) < 0.1, step, 0.0)
    far = problem.repair(centre + step)
    halfway = None if far is None else problem.repair(centre + 0.5 * (far - centre))
    for label, x in (
        ("a far point", far),
        ("a halfway point", halfway),
        ("a sparse point", problem.repair(centre + few)),
    ):
        if x is not None:
            yield label, x


def _outside(problem: Problem, model: MilpModel, name: str) -> Iterator[tuple[str, Float64Array]]:
    """A point where all pixels moved too far together, and one where a single pixel did.

    Only pixels and directions that have a column: the file need not know the others, for they change nothing."""
    centre, generator = problem.centre, _generator(name)
    direction = np.zeros(len(centre))
    for column in filter(None, map(parse_input_column, model.column_names)):
        sign = generator.choice([-1.0, 1.0]) if column.letter == "x" else column.sign
        direction[column.pixel] = sign * generator.uniform(0.5, 1.0)
    pixel = generator.choice(np.flatnonzero(direction))
    single = np.where(np.arange(len(centre)) == pixel, direction, 0.0)
    for label, step in (("a point with all pixels moved", direction), ("a point with one pixel moved", single)):
        length = 2.0**-10
        while problem.violation(centre + length * step) == 0:
            length *= 2
        yield label, centre + length * step


def _generator(name: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
