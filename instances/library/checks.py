"""The check of a library: whether its files agree with manifest, catalogue, network and property.

It does not trust the generator: counts are taken from the files as read, values are computed exactly. `network_checks`
has the checks of instances over an input set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from fractions import Fraction
from pathlib import PurePosixPath

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.bounds.levels import value_bound
from vnnbench.instances.errors import InputError
from vnnbench.instances.families import read_problem
from vnnbench.instances.families.base import Evaluator, Problem
from vnnbench.instances.families.over_input_set import OverInputSet
from vnnbench.instances.formulations.lifting import LiftedPoint
from vnnbench.instances.formulations.mps import read_mps
from vnnbench.instances.formulations.numerics import numerics
from vnnbench.instances.layout import (
    ANSWERS,
    CATALOG,
    INSTANCES,
    MANIFEST,
    NEXT_MANIFEST,
    NEXT_TABLES,
    PROOFS,
    PROVENANCE,
    SEALED,
    TIMINGS,
    picture_file,
    vnnlib_file,
)
from vnnbench.instances.library.additions import expected_files
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.findings import Finding, Severity
from vnnbench.instances.library.instance_list import instance_list
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.network_checks import (
    SET_NAMES,
    check_neurons,
    check_vnnlib,
    network_facts,
    points_outside,
)
from vnnbench.instances.library.sealed_answers import (
    PlantedCounterexample,
    PlantedProblem,
    PlantedRobustness,
    is_sealed,
    read_seal,
)
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.onnx_files.reader import read_onnx
from vnnbench.instances.rationals import float_below

UNHASHED = {MANIFEST, NEXT_MANIFEST, *NEXT_TABLES.values(), TIMINGS, PROVENANCE, ANSWERS}
"""Files that may exist beside those of the manifest; the folder proofs has a manifest of its own."""

_BOUND_ROUNDING = 1e-9
"""The relative difference that is allowed between bounds: another CPU rounds them differently, and all are proven."""


def check_files(library: Library) -> Iterator[Finding]:
    """Check every checksum, and that the right files exist."""
    for relative in library.hashes:
        if relative == SEALED and not is_sealed(library):
            yield Finding(SEALED, "is withheld, so the planted answers cannot be checked", Severity.WARNING)
            continue
        try:
            library.read_verified(relative)
        except InputError as error:
            yield Finding(relative, str(error).removeprefix(f"{library.folder / relative}: "))
    yield from _unknown_files(library)
    yield from _check_list(library)


def check_row(library: Library, row: CatalogRow) -> Iterator[Finding]:
    """Check an instance's identity and its row of the catalogue, and warn about its numbers."""
    try:
        library.verify_row(row)
        problem = read_problem(library.property_path(row))
        if problem.family != row.family:  # the family decides how everything else is read
            yield _difference(row, "family", problem.family)
            return
        yield from _check_row(library, row, problem)
        if isinstance(problem, OverInputSet):
            yield from check_vnnlib(library, row, problem)
    except InputError as error:
        yield Finding(row.instance, str(error))


def check_seal(library: Library, rows: Sequence[CatalogRow]) -> Iterator[Finding]:
    """Check every planted answer of the rows' problems.

    It must be about the library's network, property and instances. Its point must lie in the set and have its value, in
    exact arithmetic and lifted into every file; or its bound is proven again.
    """
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
    """Check the file by lifting the clean input, points of the set, and points outside of it, in exact arithmetic.

    A point of the set must not violate a row of the file as read, and the file's objective must be minus its value on
    what the file was made from, such as the instance's own network, up to constant_rounding. A point without a value
    must violate the goal's rows only. A point outside must violate the rows of the set. The points are the same in
    every check. Families that cannot lift are not checked.
    """
    try:
        model = read_mps(library.model_path(row))
        problem = read_problem(library.property_path(row))
        lifter = problem.lifter(model) if problem.family == row.family else None  # else `check_row` reports it
        if lifter is None:
            return
        own = problem.evaluators(library.read_data(row)).own
        for label, x in problem.points(_generator(row.instance)):
            yield from _check_inside(row, label, lifter.lift(x), own, x)
        if not isinstance(problem, OverInputSet):
            return
        for label, x in points_outside(problem, model, _generator(row.instance)):
            if not any(name.split("_")[0] in SET_NAMES for name in lifter.lift(x).violated):
                yield Finding(row.model, f"{label} is outside the set but satisfies all rows and bounds")
    except InputError as error:
        yield Finding(row.instance, str(error))


def _unknown_files(library: Library) -> Iterator[Finding]:
    """Find files that the manifest does not list (a folder of them once), and listed files that no instance needs."""
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
    needed: set[str] = {CATALOG, INSTANCES, SEALED}
    for row in library.rows:
        needed |= {row.model, row.property, *row.data_files().values()}
        needed |= {picture_file(row.problem), vnnlib_file(row.property)}
    for relative in sorted(set(library.hashes) - needed):
        yield Finding(relative, "does not belong to an instance of the catalogue")


def _check_list(library: Library) -> Iterator[Finding]:
    """Check that the list for neural network verifiers has the problems of the catalogue; older libraries lack it."""
    with suppress(InputError):  # `check_files` reports it
        if INSTANCES in library.hashes and library.read_verified(INSTANCES) != instance_list(
            library.rows, library.hashes
        ):
            yield Finding(INSTANCES, "does not list just the problems that their VNN-LIB files say exactly")


def _check_row(library: Library, row: CatalogRow, problem: Problem) -> Iterator[Finding]:
    """Compare the catalogue's counts and facts with model, property and networks as read."""
    model = read_mps(library.model_path(row))
    centre_value = problem.evaluators(library.read_data(row)).own.value(problem.centre)
    found: dict[str, object] = {
        **model.counts(),
        "centre_value": None if centre_value is None else float(centre_value),
        **problem.facts(),
    }
    sizes = numerics(model)
    # A column that the catalogue lacks was added after the library was made.
    found |= {column: size for column, size in asdict(sizes).items() if getattr(row, column) is not None}
    if row.equality_rows is not None:
        found["equality_rows"] = model.senses.count("E")
    if isinstance(problem, OverInputSet):
        found |= network_facts(library, row)
    yield from (_difference(row, column, value) for column, value in found.items() if getattr(row, column) != value)
    if isinstance(problem, OverInputSet):
        yield from check_neurons(library, row)
    concerns = sizes.concerns(row.constant_rounding, row.centre_value)
    yield from (Finding(row.model, concern, Severity.WARNING) for concern in concerns)


def _difference(row: CatalogRow, column: str, found: object) -> Finding:
    return Finding(CATALOG, f"{row.instance}: {column} is {getattr(row, column)}, but {found} by its files")


def _wrong_answer(library: Library, row: CatalogRow, planted: PlantedProblem) -> Iterator[str]:
    network_path, problem = row.data_files().get("dense_network"), library.read_problem(row)
    if network_path is None or not isinstance(problem, OverInputSet):
        yield "its problem is not about a network; only such problems can have planted answers"
        return
    for path, digest in ((network_path, planted.dense_sha256), (row.property, planted.property_sha256)):
        if library.hashes[path] != digest:
            yield f"is about another file than {path}"
    network, answer = read_onnx(library.folder / network_path), planted.answer
    if isinstance(answer, PlantedRobustness):
        proven = value_bound(network, problem.property, answer.level)
        if not problem.excludes(answer.bound, 0.0):
            yield f"its bound {answer.bound} leaves room for a counterexample"
        if abs(proven - answer.bound) > _BOUND_ROUNDING * max(1.0, abs(proven)):
            yield f"its bound is {answer.bound}, but {proven} is proven"
        return
    point = np.array(answer.point)
    if outside := problem.violation(point):
        yield f"its point is outside the set by {float(outside):.3g}"
    value = problem.evaluate(ExactNetwork(network), point)
    if value is None or not problem.answers(value):
        yield "its point is not a counterexample"
    elif float_below(value) != answer.value:
        yield f"its value is {answer.value}, but {float_below(value)} at its point"


def _check_planted_point(library: Library, row: CatalogRow, point: Float64Array) -> Iterator[Finding]:
    """Check that the instance's file contains the point, with the value of its own network."""
    problem = library.read_problem(row)
    lifter = problem.lifter(read_mps(library.model_path(row)))
    if lifter is not None:
        own = problem.evaluators(library.read_data(row)).own
        yield from _check_inside(row, "the planted point", lifter.lift(point), own, point)


def _check_inside(
    row: CatalogRow, label: str, lifted: LiftedPoint, own: Evaluator, x: Float64Array
) -> Iterator[Finding]:
    """Check that the file contains a lifted point of the set with its value.

    Where the point has no value, it violates goal rows, or only a strict comparison is not reached: then the file has
    the value that a replay gives. Where the file holds another candidate in place of the point, its value is at least
    as large, and the file has that one.
    """
    value = own.value(x)
    if lifted.candidate is not None and value is not None:
        held = own.value(lifted.candidate)
        if held is None or held < value:
            yield Finding(row.model, f"{label} lifted: the file holds a worse candidate in place of it")
        value = held
    if value is None:
        value = own.replay(x)
        if lifted.violated and all(name.startswith("goal_") for name in lifted.violated):
            return
    if lifted.violated:
        yield Finding(row.model, f"{label} lifted violates {lifted.violated[0]}, {len(lifted.violated)} in all")
    if abs(lifted.objective + value) > Fraction(row.constant_rounding):
        difference = float(lifted.objective + value)
        yield Finding(
            row.model,
            f"{label} lifted: objective and network differ by {difference:.3g}, allowed {row.constant_rounding:.3g}",
        )


def _generator(name: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
