"""A property of several input boxes becomes an instance for each box."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest

from vnnbench.instances.bounds.levels import BoundLevel
from vnnbench.instances.errors import NameInUseError, PropertyError
from vnnbench.instances.files import sha256
from vnnbench.instances.generation.import_instance import (
    SourceNetwork,
    SourceQuery,
    Wanted,
    check_pair,
    make_instances,
)
from vnnbench.instances.library.additions import growing
from vnnbench.instances.library.checks import check_files, check_row
from vnnbench.instances.library.library import Library
from vnnbench.instances.networks.network import Network
from vnnbench.instances.onnx_files.writer import onnx_bytes
from vnnbench.instances.progress import Silent
from vnnbench.instances.properties.questions import MAX_PARTS
from vnnbench.instances.properties.vnnlib_reader import parse_vnnlib


@pytest.fixture
def network(tmp_path: Path) -> SourceNetwork:
    """The network max(0, x_0 + x_1)."""
    weights = np.array([[1.0, 1.0]], np.float32), np.array([[1.0]], np.float32)
    (tmp_path / "net.onnx").write_bytes(onnx_bytes(Network(weights, (np.zeros(1, np.float32),) * 2)))
    return SourceNetwork.read(tmp_path / "net.onnx")


def question(*boxes: tuple[float, float], n_inputs: int = 2) -> SourceQuery:
    """The question whether the output reaches 1 in one of these boxes [lower, upper]^n."""
    declared = [*(f"(declare-const X_{i} Real)" for i in range(n_inputs)), "(declare-const Y_0 Real)"]
    cases = [
        f"(and {' '.join(f'(>= X_{i} {lower}) (<= X_{i} {upper})' for i in range(n_inputs))})" for lower, upper in boxes
    ]
    text = "\n".join([*declared, f"(assert (or {' '.join(cases)}))", "(assert (>= Y_0 1.0))"])
    return SourceQuery.parse(Path("boxes.vnnlib"), text.encode())


WANTED = Wanted("asked", "net", BoundLevel.INTERVAL, 30.0)
BOXES = (0.0, 0.25), (0.25, 0.75)


def add(folder: Path, network: SourceNetwork, asked: SourceQuery) -> bool:
    check_pair(network, asked, Silent())
    with growing(folder) as library:
        return library.add(make_instances(network, asked, WANTED, lambda: None))


def test_each_box_is_an_instance_with_a_vnnlib_file_of_its_own(network, tmp_path):
    folder, asked = tmp_path / "library", question(*BOXES)
    assert add(folder, network, asked)
    library = Library.open(folder)
    assert [row.instance for row in library.rows] == ["asked-box0--tight", "asked-box1--tight"]
    assert {(row.network, row.time_limit_seconds) for row in library.rows} == {("net", 30.0)}
    assert list(check_files(library)) == []
    assert [finding for row in library.rows for finding in check_row(library, row)] == []
    for part, row in zip(asked.query.parts, library.rows, strict=True):
        written = parse_vnnlib((folder / "properties" / f"{row.problem}.vnnlib").read_bytes(), "written").prop
        assert written.goal == part.goal
        assert (written.input_set.lower == part.input_set.lower).all()
        assert (written.input_set.upper == part.input_set.upper).all()


def test_the_record_of_origins_names_the_original_and_the_part(network, tmp_path):
    add(tmp_path / "library", network, question(*BOXES))
    origins = orjson.loads((tmp_path / "library" / "provenance.json").read_bytes())["imports"]
    wanted = ("instance", "vnnlib", "vnnlib_sha256", "part", "parts")
    assert [tuple(origin[name] for name in wanted) for origin in origins] == [
        (f"asked-box{k}--tight", "boxes.vnnlib", sha256(question(*BOXES).text), k, 2) for k in (0, 1)
    ]


def test_the_only_box_keeps_the_original_file(network, tmp_path):
    add(tmp_path / "library", network, question(BOXES[0]))
    assert (tmp_path / "library" / "properties" / "asked.vnnlib").read_bytes() == question(BOXES[0]).text
    (origin,) = orjson.loads((tmp_path / "library" / "provenance.json").read_bytes())["imports"]
    assert "part" not in origin


def test_all_boxes_are_added_or_none(network, tmp_path):
    folder = tmp_path / "library"
    with growing(folder) as library:
        (_, second) = make_instances(network, question(*BOXES), WANTED, lambda: None)
        library.add([replace(second, row=replace(second.row, instance_sha256="0" * 64))])
    before = (folder / "library.json").read_bytes()
    with pytest.raises(NameInUseError, match="already has another instance asked-box1--tight"):
        add(folder, network, question(*BOXES))
    assert (folder / "library.json").read_bytes() == before
    assert sorted(path.name for path in (folder / "models").iterdir()) == ["asked-box1--tight.mps.gz"]


def test_the_same_boxes_again_change_nothing(network, tmp_path):
    assert add(tmp_path / "library", network, question(*BOXES))
    assert not add(tmp_path / "library", network, question(*BOXES))


def test_too_many_boxes_are_refused_in_one_line():
    with pytest.raises(PropertyError, match=f"boxes.vnnlib: asks about {MAX_PARTS + 1} input sets, .* split the file"):
        question(*((k, k + 0.5) for k in range(MAX_PARTS + 1)))


def test_every_box_is_checked(network):
    with pytest.raises(PropertyError, match=r"bounds an input by 1e\+16"):
        check_pair(network, question(BOXES[0], (0.0, 1e16)), Silent())
    with pytest.raises(PropertyError, match=r"declares 3 inputs and 1 outputs, but .*net\.onnx has 2 and 1"):
        check_pair(network, question(*BOXES, n_inputs=3), Silent())


def test_the_default_level_of_bounds_follows_from_the_number_of_relus(network, tmp_path, monkeypatch):
    wanted = replace(WANTED, level=None)
    (addition,) = make_instances(network, question((0.0, 0.25)), wanted, lambda: None)
    assert addition.row.bounds == BoundLevel.SPLIT
    monkeypatch.setattr("vnnbench.instances.bounds.levels.MANY_RELUS", 0)
    (addition,) = make_instances(network, question((0.0, 0.25)), wanted, lambda: None)
    assert addition.row.bounds == BoundLevel.BACKWARD
