"""`vnnbench export`: what neural network verifiers read asks the same as the library."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import orjson
import pytest
import vnnlib
from onnx import TensorProto, helper, numpy_helper

from support.command_lines import one_error_line
from support.folders import contents
from support.networks import make_network, random_network
from support.onnx_nodes import node
from support.solving import optimum_of_file
from support.tiny_libraries import Question, tiny_box, tiny_network, write_library
from vnnbench.cli import run_command
from vnnbench.instances.files import sha256
from vnnbench.instances.layout import MANIFEST
from vnnbench.instances.library.library import Library
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.onnx_files.reader import read_onnx
from vnnbench.instances.onnx_files.writer import onnx_bytes
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.property import MaximizeProperty, Property, VerifyProperty
from vnnbench.instances.properties.vnnlib_reader import read_vnnlib
from vnnbench.instances.properties.vnnlib_writer import meaning

NETWORK = tiny_network(1.0)
PROPERTIES: dict[str, Property] = {
    "l1": VerifyProperty(tiny_box(Norm.L1), 0, (1,), True, None, None),
    "linf": VerifyProperty(tiny_box(Norm.LINF), 0, (1, 2), True, None, None),
    "reached": VerifyProperty(tiny_box(Norm.LINF), 0, (1,), False, None, None),
    "highest": MaximizeProperty(tiny_box(Norm.LINF), 1, None, None),
}


def questions(*names: str) -> dict[str, Question]:
    return {name: Question(PROPERTIES[name], NETWORK, tiny_network(1.0, pruned=True)) for name in names}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library of one problem of each kind, with two instances each."""
    return write_library(tmp_path / "library", questions(*PROPERTIES)).folder


def export(library: Path, out: Path, *more: str) -> int:
    return run_command(["export", str(library), "--out", str(out), *more])


def lines_of(folder: Path) -> list[list[str]]:
    with (folder / "instances.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_each_version_has_just_what_it_can_say(library, tmp_path, capsys):
    out = tmp_path / "out"
    assert export(library, out) == 0
    assert contents(out).keys() == {
        "export.json", "1.0/instances.csv", "1.0/onnx/reached.onnx", "1.0/vnnlib/reached.vnnlib", "2.0/instances.csv",
        "2.0/onnx/l1--steps.onnx", "2.0/onnx/linf.onnx", "2.0/onnx/reached.onnx",
        *(f"2.0/vnnlib/{name}.vnnlib" for name in ("l1", "linf", "reached")),
    }  # fmt: skip
    assert capsys.readouterr().err.splitlines()[-4:] == [
        f"{out}: 4 problems, 1 in VNN-LIB 1.0 and 3 in VNN-LIB 2.0",
        "left out of 1.0, 1 problem: the input set is an L1 ball, which VNN-LIB cannot say about the inputs themselves",
        "left out of 1.0, 1 problem: the goal is strict, which VNN-LIB 1.0 cannot say",
        "left out, 1 problem: the family is maximize, and VNN-LIB asks only whether a goal can be reached",
    ]


def test_the_lists_are_what_the_scripts_of_the_competition_read(library, tmp_path):
    export(library, tmp_path / "out")
    assert (tmp_path / "out" / "2.0" / "instances.csv").read_bytes() == (
        b"onnx/l1--steps.onnx,vnnlib/l1.vnnlib,300\nonnx/linf.onnx,vnnlib/linf.vnnlib,300\n"
        b"onnx/reached.onnx,vnnlib/reached.vnnlib,300\n"
    )
    for version in ("1.0", "2.0"):
        folder = tmp_path / "out" / version
        for onnx, vnnlib_file, seconds in lines_of(folder):
            assert (folder / onnx).is_file() and (folder / vnnlib_file).is_file() and int(seconds) == 300


def test_the_official_parser_reads_every_file_of_2_0_and_ours_gives_the_same_question(library, tmp_path):
    export(library, tmp_path / "out")
    for name in ("l1", "linf", "reached"):
        path = tmp_path / "out" / "2.0" / "vnnlib" / f"{name}.vnnlib"
        (network,) = vnnlib.parse_query_file(str(path)).networks
        assert [tuple(d.shape) for d in network.inputs] == [(1, 8 if name == "l1" else 4)]
        query, prop = read_vnnlib(path), PROPERTIES[name]
        assert isinstance(prop, VerifyProperty)
        assert (query.prop.source, query.prop.targets, query.prop.strict) == (prop.source, prop.targets, prop.strict)
        assert name == "l1" or meaning(query.prop) == meaning(prop)
    assert (tmp_path / "out" / "2.0" / "onnx" / "linf.onnx").read_bytes() == onnx_bytes(NETWORK)
    for version in ("1.0", "2.0"):
        again = read_vnnlib(tmp_path / "out" / version / "vnnlib" / "reached.vnnlib")
        assert meaning(again.prop) == meaning(PROPERTIES["reached"])
        assert not again.prop.strict


def test_the_network_on_steps_has_the_values_of_the_network(library, tmp_path):
    export(library, tmp_path / "out")
    exact = ExactNetwork(NETWORK)
    on_steps = ExactNetwork(read_onnx(tmp_path / "out" / "2.0" / "onnx" / "l1--steps.onnx"))
    random = np.random.default_rng(0)
    for _ in range(20):
        p, m = random.integers(0, 33, size=(2, 4)) / 32
        assert on_steps.outputs([*p, *m]) == exact.outputs(tiny_box().centre + p - m)


@pytest.mark.parametrize("seed", range(4))
def test_a_pair_over_an_l1_ball_has_the_optimum_of_its_problem(seed, tmp_path):
    """The exported pair is imported and solved as a MILP; a counterexample of one is one of the other."""
    random = np.random.default_rng(seed)
    network, centre = random_network((3, 5, 3), seed), random.integers(0, 9, size=3) / 8
    ball = InputSet(Norm.L1, centre, [0.25, 0.5, 1.0, 2.0][seed], np.zeros(3), np.ones(3))
    targets = (1,) if seed % 2 else (1, 2)
    problem = Question(VerifyProperty(ball, 0, targets, True, None, None), network, network)
    library = write_library(tmp_path / "library", {"p": problem})
    assert export(library.folder, tmp_path / "out") == 0
    folder = tmp_path / "out" / "2.0"
    ((onnx, vnnlib_file, _),) = lines_of(folder)
    pair = ["--onnx", str(folder / onnx), "--vnnlib", str(folder / vnnlib_file), "--bounds", "backward"]
    assert run_command(["import", str(tmp_path / "pairs"), "--name", "pair", *pair]) == 0
    pairs = Library.open(tmp_path / "pairs")
    ours = optimum_of_file("highs", library.model_path(library.row("p--tight")), tmp_path)
    theirs = optimum_of_file("highs", pairs.model_path(pairs.row("pair--tight")), tmp_path)
    assert theirs == pytest.approx(ours, abs=1e-6)
    assert run_command(["check", str(pairs.folder), "--solver", "highs"]) == 0


def test_only_selected_problems_are_written(library, tmp_path):
    export(library, tmp_path / "out", "--select", "reached-*")
    assert [line[0] for line in lines_of(tmp_path / "out" / "1.0")] == ["onnx/reached.onnx"]
    assert [line[0] for line in lines_of(tmp_path / "out" / "2.0")] == ["onnx/reached.onnx"]


def test_an_export_replaces_an_earlier_one_and_nothing_else(library, tmp_path, capsys):
    out = tmp_path / "out"
    export(library, out)
    export(library, out, "--select", "linf-*")
    assert not (out / "1.0").exists()
    before = contents(out)
    (out / "notes.txt").write_text("mine")
    capsys.readouterr()
    message = one_error_line(capsys, ["export", str(library), "--out", str(out)])
    assert "holds notes.txt, which is not a file of the export" in message
    assert contents(out) == {**before, "notes.txt": b"mine"}
    assert "which is not a file of the export" in one_error_line(
        capsys, ["export", str(library), "--out", str(library)]
    )


def test_a_library_that_vnnlib_cannot_say_is_one_line_and_leaves_no_folder(tmp_path, capsys):
    library = write_library(tmp_path / "library", questions("highest")).folder
    message = one_error_line(capsys, ["export", str(library), "--out", str(tmp_path / "out")])
    assert "has no problem that VNN-LIB can say: the family is maximize" in message
    assert [path.name for path in tmp_path.iterdir()] == ["library"]


def test_an_altered_file_is_one_line_and_leaves_the_old_export(library, tmp_path, capsys):
    export(library, tmp_path / "out")
    before = contents(tmp_path / "out")
    (library / "networks" / "reached.onnx").write_bytes(b"altered")
    capsys.readouterr()
    message = one_error_line(capsys, ["export", str(library), "--out", str(tmp_path / "out")])
    assert "reached.onnx: is not the file that library.json knows" in message
    assert contents(tmp_path / "out") == before


def test_a_centre_that_the_network_cannot_hold_is_a_reason(tmp_path, capsys):
    ball = InputSet(Norm.L1, np.array([0.1, 0.5]), 1.0, np.zeros(2), np.ones(2))
    network = random_network((2, 3, 2), 0)
    asked = {"tenth": VerifyProperty(ball, 0, (1,), True, None, None), "linf": PROPERTIES["linf"]}
    networks = {"tenth": network, "linf": NETWORK}
    library = write_library(
        tmp_path / "library", {name: Question(prop, networks[name], networks[name]) for name, prop in asked.items()}
    )
    assert export(library.folder, tmp_path / "out") == 0
    reason = "the network is float32, which cannot hold the centre of the input set"
    assert f"left out of 2.0, 1 problem: {reason}" in capsys.readouterr().err.splitlines()
    assert [line[1] for line in lines_of(tmp_path / "out" / "2.0")] == ["vnnlib/linf.vnnlib"]


def test_a_property_that_does_not_fit_its_network_is_one_line(library, tmp_path, capsys):
    """A hostile library: the checksums are right, but the network of a problem is another."""
    other = onnx_bytes(make_network(([[1.0, 1.0]], [0.0])))
    manifest = orjson.loads((library / MANIFEST).read_bytes())
    manifest["files"]["networks/linf.onnx"] = sha256(other)
    (library / MANIFEST).write_bytes(orjson.dumps(manifest))
    (library / "networks" / "linf.onnx").write_bytes(other)
    message = one_error_line(capsys, ["export", str(library), "--out", str(tmp_path / "out")])
    assert "properties/linf.json does not fit the tensors of networks/linf.onnx" in message


def test_two_different_files_of_one_name_are_one_line(tmp_path, capsys):
    """A network of the library has the name of the network on steps."""
    names = questions("l1", "linf")
    library = write_library(tmp_path / "library", {"l1": names["l1"], "l1--steps": names["linf"]}).folder
    message = one_error_line(capsys, ["export", str(library), "--out", str(tmp_path / "out")])
    assert "two different files would be called 2.0/onnx/l1--steps.onnx" in message


def test_the_marker_lists_the_files(library, tmp_path):
    export(library, tmp_path / "out")
    marker = json.loads((tmp_path / "out" / "export.json").read_text())
    assert {*marker["files"], "export.json"} == contents(tmp_path / "out").keys()


def test_an_interrupted_export_leaves_nothing(library, tmp_path, monkeypatch, capsys):
    def interrupted(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("vnnbench.sharing.export.on_steps", interrupted)
    assert export(library, tmp_path / "out") == 130
    assert "Stopped. The same command starts from the beginning." in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["library"]


def test_shapes_of_an_imported_network_are_declared_as_the_network_has_them(tmp_path):
    W, V = np.arange(12, dtype=np.float32).reshape(4, 3) / 8, np.arange(6, dtype=np.float32).reshape(3, 2)
    graph = helper.make_graph(
        [node("Flatten", "x", "f"), node("MatMul", "f W", "z"), node("Relu", "z", "h"), node("MatMul", "h V", "y")],
        "image",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 2, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(W, "W"), numpy_helper.from_array(V, "V")],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])
    (tmp_path / "n.onnx").write_bytes(model.SerializeToString())
    text = "".join(f"(declare-const X_{i} Real)" for i in range(4)) + "(declare-const Y_0 Real)(declare-const Y_1 Real)"
    text += "".join(f"(assert (>= X_{i} 0.1))(assert (<= X_{i} 0.{i + 2}))" for i in range(4)) + "(assert (> Y_1 Y_0))"
    (tmp_path / "p.vnnlib").write_text(text)
    files = ["--onnx", str(tmp_path / "n.onnx"), "--vnnlib", str(tmp_path / "p.vnnlib")]
    assert run_command(["import", str(tmp_path / "library"), *files]) == 0
    assert export(tmp_path / "library", tmp_path / "out") == 0
    (line,) = lines_of(tmp_path / "out" / "2.0")
    exported = (tmp_path / "out" / "2.0" / line[1]).read_text()
    assert "(declare-input X real [1,1,2,2])" in exported and "(declare-output Y real [1,2])" in exported
    assert "(assert (<= X[0,0,1,0] 0.4))" in exported
    again = read_vnnlib(tmp_path / "out" / "2.0" / line[1]).prop
    assert again.input_set.bounds(2) == (Fraction(1, 10), Fraction(2, 5))
    assert again.strict
