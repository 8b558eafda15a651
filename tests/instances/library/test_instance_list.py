"""instances.csv of a library: one line for each problem that its VNN-LIB file says exactly."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from support.tiny_libraries import Question, tiny_box, tiny_network, write_library
from vnnbench.instances.errors import LibraryError
from vnnbench.instances.files import sha256
from vnnbench.instances.layout import INSTANCES, MANIFEST, vnnlib_file
from vnnbench.instances.library.checks import check_files
from vnnbench.instances.library.instance_list import instance_list, list_bytes, restore_list
from vnnbench.instances.library.library import Library
from vnnbench.instances.properties.input_set import Norm
from vnnbench.instances.properties.property import VerifyProperty


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """A library of problems over a strict and a non-strict goal in both norms, each on the dense network and pruned."""

    def question(norm: Norm, strict: bool) -> Question:
        prop = VerifyProperty(tiny_box(norm), 0, (1,), strict, None, None)
        return Question(prop, tiny_network(1.0), tiny_network(1.0, pruned=True))

    return write_library(
        tmp_path / "library",
        {f"{norm}-{'strict' if s else 'at-least'}": question(norm, s) for norm in (Norm.L1, Norm.LINF) for s in (1, 0)},
    )


def with_list(library: Library, data: bytes) -> Library:
    """The library with its VNN-LIB files and this list in its manifest."""
    files = {vnnlib_file(row.property): b"text" for row in library.rows if row.norm == "linf"} | {INSTANCES: data}
    manifest = orjson.loads((library.folder / MANIFEST).read_bytes())
    for relative, content in files.items():
        (library.folder / relative).write_bytes(content)
        manifest["files"][relative] = sha256(content)
    (library.folder / MANIFEST).write_bytes(orjson.dumps(manifest))
    return Library.open(library.folder)


LINE = b"networks/linf-strict.onnx,properties/linf-strict.vnnlib,300\n"
LINES = LINE + LINE.replace(b"strict", b"at-least")


def test_the_list_has_one_line_for_each_problem_that_has_a_file(library: Library) -> None:
    whole = with_list(library, b"")
    assert len(whole.rows) == 8
    assert instance_list(whole.rows, whole.hashes) == LINES


def test_the_seconds_of_an_imported_instance_are_its_own(library: Library) -> None:
    whole = with_list(library, b"")
    rows = [replace(row, time_limit_seconds=limit) for row, limit in zip(whole.rows, [116.5, 20.0] * 4, strict=True)]
    seconds = [line.rpartition(b",")[2] for line in instance_list(rows, whole.hashes).splitlines()]
    assert seconds == [b"116.5", b"116.5"]


def test_a_list_that_does_not_fit_the_catalogue_is_found(library: Library) -> None:
    assert list(check_files(with_list(library, LINES))) == []
    (finding,) = check_files(with_list(library, LINE))
    assert (finding.where, finding.what.split(" just ")[0]) == (INSTANCES, "does not list")


def test_a_library_without_a_list_is_whole(library: Library) -> None:
    assert list(check_files(library)) == []


def test_a_lost_list_is_written_again_just_as_it_was(library: Library) -> None:
    whole = with_list(library, LINES)
    (whole.folder / INSTANCES).write_bytes(b"altered")
    restore_list(whole)
    assert (whole.folder / INSTANCES).read_bytes() == LINES
    other = with_list(library, b"of another version")
    (other.folder / INSTANCES).unlink()
    with pytest.raises(LibraryError, match=r"instances\.csv: is missing or altered, and this version"):
        restore_list(other)
    restore_list(library)  # of a library without one


def test_names_with_commas_and_quotes_are_one_field() -> None:
    line = ('networks/a,"b.onnx', "properties/p.vnnlib", 20)
    assert next(csv.reader([list_bytes([line]).decode()])) == [*line[:2], "20"]
