"""The sealed file is read back as written, and changes in it are found, even under a new checksum."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from vnnbench.instances.bounds.levels import BoundLevel
from vnnbench.instances.errors import LibraryError
from vnnbench.instances.files import sha256
from vnnbench.instances.formulations.lifting import Lifter
from vnnbench.instances.formulations.mps import compress, read_mps, uncompressed
from vnnbench.instances.generation.generate import generate
from vnnbench.instances.library.checks import check_files, check_seal
from vnnbench.instances.library.findings import Severity
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.sealed_answers import (
    PlantedCounterexample,
    PlantedProblem,
    PlantedRobustness,
    Seal,
    copy_seal,
    read_seal,
    seal_bytes,
)
from vnnbench.instances.library.summary import library_bytes
from vnnbench.instances.properties.property_file import read_property
from vnnbench.instances.suites.suite_toml import parse_suite

SUITE = """
name = "small"
dataset = "digits"
input_sides = [8]
architectures = ["1x6"]
seeds = [0, 1, 2]
formulations = ["tight"]

[training]
epochs = 20

[property]
norm = "l1"
radius = [0.5, 1.5]

[planted]
counterexample = 1
robust = 1
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return generate(parse_suite(SUITE, "small"), tmp_path_factory.mktemp("small") / "library")


def sealed_again(library, folder, data):
    """Write a copy of the library with another sealed file, which its manifest lists."""
    shutil.copytree(library.folder, folder)
    (folder / "sealed.json").write_bytes(data)
    manifest = json.loads((folder / "library.json").read_bytes())
    manifest["files"]["sealed.json"] = sha256(data)
    (folder / "library.json").write_text(json.dumps(manifest))
    return Library.open(folder)


def changed(seal, kind, **changes):
    """Return the seal with the answer of this kind changed."""
    return replace(
        seal,
        problems=tuple(
            replace(p, answer=replace(p.answer, **changes)) if isinstance(p.answer, kind) else p for p in seal.problems
        ),
    )


def the(seal, kind):
    (answer,) = [p.answer for p in seal.problems if isinstance(p.answer, kind)]
    return answer


def findings(library):
    assert [finding for finding in check_files(library) if finding.severity is Severity.WRONG] == []
    return " ".join(finding.what for finding in check_seal(library, library.rows))


def test_what_is_written_is_read_back_bit_for_bit(small, tmp_path):
    answers = [
        PlantedCounterexample(float(np.nextafter(0.1, 1)), (0.0, 2.0**-1074, 1 / 3)),
        PlantedRobustness(-1e-17, BoundLevel.LP),
    ]
    seal = Seal("a", "k", tuple(PlantedProblem("p", "d", "q", {"b": "1", "a": "2"}, answer) for answer in answers))
    library = sealed_again(small, tmp_path / "library", seal_bytes(seal))
    assert read_seal(library) == seal


def test_a_generated_seal_is_true(small):
    assert findings(small) == ""
    assert {type(p.answer) for p in read_seal(small).problems} == {PlantedCounterexample, PlantedRobustness}


def the_set(seal, library):
    """Return the input set of the planted counterexample."""
    (planted,) = [p for p in seal.problems if isinstance(p.answer, PlantedCounterexample)]
    (row,) = [row for row in library.rows if row.problem == planted.problem]
    return read_property(library.property_path(row)).input_set


def outside(seal, library):
    """Return the planted point with a pixel just beyond the box."""
    box, point = the_set(seal, library), list(the(seal, PlantedCounterexample).point)
    pixel = max(range(len(point)), key=lambda i: abs(point[i] - box.centre[i]))
    point[pixel] = -1e-12 if point[pixel] < box.centre[pixel] else 1 + 1e-12
    return tuple(point)


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        (PlantedCounterexample, lambda seal, _: {"value": the(seal, PlantedCounterexample).value * 2}, "its value is"),
        (
            PlantedCounterexample,
            lambda seal, _: {"value": float(np.nextafter(the(seal, PlantedCounterexample).value, 1))},
            "its value is",
        ),
        (PlantedCounterexample, lambda seal, library: {"point": outside(seal, library)}, "its point is outside"),
        (
            PlantedCounterexample,
            lambda seal, library: {"point": tuple(the_set(seal, library).centre.tolist())},
            "its point is not a counterexample",
        ),
        (PlantedCounterexample, lambda *_: {"point": (0.5,)}, "64 finite numbers"),
        (PlantedRobustness, lambda seal, _: {"bound": the(seal, PlantedRobustness).bound - 1e-6}, "is proven"),
        (PlantedRobustness, lambda *_: {"bound": 0.01}, "leaves room for a counterexample"),
        (PlantedRobustness, lambda *_: {"level": BoundLevel.BOX}, "is proven"),
    ],
)  # fmt: skip
def test_a_changed_answer_is_found(small, tmp_path, kind, change, said):
    seal = read_seal(small)
    lying = changed(seal, kind, **change(seal, small))
    assert said in findings(sealed_again(small, tmp_path / "library", seal_bytes(lying)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: {"instances": dict.fromkeys(p.instances, "0" * 64)}, "instances are not those"),
        (lambda p: {"instances": {}}, "instances are not those"),
        (lambda p: {"problem": "elsewhere"}, "instances are not those"),
        (lambda p: {"dense_sha256": "0" * 64}, "about another file than networks/"),
        (lambda p: {"property_sha256": "0" * 64}, "about another file than properties/"),
    ],
)
def test_an_answer_about_something_else_is_found(small, tmp_path, change, said):
    seal = read_seal(small)
    lying = replace(seal, problems=tuple(replace(p, **change(p)) for p in seal.problems))
    assert said in findings(sealed_again(small, tmp_path / "library", seal_bytes(lying)))


def test_a_changed_file_under_the_old_checksum_is_found(small, tmp_path):
    shutil.copytree(small.folder, tmp_path / "library")
    library = Library.open(tmp_path / "library")
    (library.folder / "sealed.json").write_text("{}")
    assert [f.where for f in check_files(library)] == ["sealed.json"]
    for use in (read_seal, lambda opened: copy_seal(opened, tmp_path / "copied")):
        with pytest.raises(LibraryError, match=r"sealed\.json: is not the file that library\.json knows"):
            use(library)
    assert not (tmp_path / "copied").exists()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 2}', '{"format": 1, "suite": 1, "key": "", "problems": []}',
     '{"format": 1, "suite": "", "key": "", "problems": [{}]}', '{"format": 1, "suite": "", "key": "", "problems": 1}',
     '{"format": 1, "suite": "", "key": "", "problems": [{"problem": "p", "dense_sha256": "", "property_sha256": "",'
     ' "instances": {}, "answer": "adversarial", "value": NaN, "point": []}]}',
     '{"format": 1, "suite": "", "key": "", "problems": [{"problem": "p", "dense_sha256": "", "property_sha256": "",'
     ' "instances": {}, "answer": "robust", "bound": true, "level": "split"}]}',
     '{"format": 1, "suite": "", "key": "", "problems": [{"problem": "p", "dense_sha256": "", "property_sha256": "",'
     ' "instances": [1], "answer": "robust", "bound": -1, "level": "split"}]}'],
)  # fmt: skip
def test_a_broken_sealed_file_is_one_line(small, tmp_path, text):
    library = sealed_again(small, tmp_path / "library", text.encode())
    with pytest.raises(LibraryError, match=r"sealed\.json: ") as caught:
        read_seal(library)
    assert "\n" not in str(caught.value)
    assert "sealed.json: " in findings(library)


def test_a_library_without_its_sealed_file_is_whole_but_for_it(small, tmp_path):
    shutil.copytree(small.folder, tmp_path / "library")
    (tmp_path / "library" / "sealed.json").unlink()
    library = Library.open(tmp_path / "library")
    assert read_seal(library) is None
    copy_seal(library, tmp_path / "copied")
    assert not (tmp_path / "copied").exists()
    assert [(f.where, f.severity) for f in check_files(library)] == [("sealed.json", Severity.WARNING)]
    assert list(check_seal(library, library.rows)) == []
    assert library_bytes(library) == library_bytes(small)
    assert generate(parse_suite(SUITE, "small"), library.folder) == library


def test_a_seal_is_copied_under_its_own_checksum(small, tmp_path):
    copy_seal(small, tmp_path / "copied")
    copy_seal(small, tmp_path / "copied")
    (copy,) = (tmp_path / "copied").iterdir()
    assert copy.read_bytes() == (small.folder / "sealed.json").read_bytes()
    assert copy.name == f"{sha256(copy.read_bytes())}.json"


def test_only_the_given_rows_are_checked(small, tmp_path):
    seal = read_seal(small)
    lying = changed(seal, PlantedRobustness, bound=0.01)
    library = sealed_again(small, tmp_path / "library", seal_bytes(lying))
    robust = [p.problem for p in seal.problems if isinstance(p.answer, PlantedRobustness)]
    others = [row for row in library.rows if row.problem not in robust]
    assert list(check_seal(library, others)) == []


def test_a_file_that_excludes_the_planted_point_is_found(small, tmp_path):
    """A bound below the point excludes it from the file, so that a solver that misses it is not at fault."""
    seal = read_seal(small)
    (planted,) = [p for p in seal.problems if isinstance(p.answer, PlantedCounterexample)]
    library = sealed_again(small, tmp_path / "library", seal_bytes(seal))
    (row,) = [row for row in library.rows if row.problem == planted.problem]
    text = uncompressed(library.model_path(row)).decode()
    model = read_mps(library.model_path(row))
    lifted = Lifter(model, the_set(seal, library)).columns(np.array(planted.answer.point))
    column = next(j for j, value in enumerate(lifted) if 0 < value < model.upper[j] and not model.integer[j])
    bound = f" UP BOUND {model.column_names[column]} "
    assert bound in text
    start = text.index(bound) + len(bound)
    tighter = text[:start] + repr(float(lifted[column]) / 2) + text[text.index("\n", start) :]
    library.model_path(row).write_bytes(compress(tighter.encode()))
    assert "the planted point lifted violates" in " ".join(f.what for f in check_seal(library, library.rows))
