"""`vnnbench import`: networks and properties from elsewhere, from their files to a judged verdict."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from support.onnx_nodes import node
from vnnbench.cli import run_command
from vnnbench.instances.library.library import Library
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.onnx_files.reader import read_onnx
from vnnbench.instances.properties.property_file import read_property
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.solvers.registry import installed_solvers

GOAL = "(assert (>= Y_0 Y_1))"
BELOW = "(assert (<= Y_0 1.5))"


CHAIN = (
    node("Sub", "x mean", "centred"),
    node("Div", "centred deviation", "scaled"),
    node("Conv", "scaled W1 b1", "c", strides=[2, 2], pads=[1, 1, 0, 0]),
    node("BatchNormalization", "c gamma beta running variance", "n"),
    node("Relu", "n", "h"),
    node("AveragePool", "h", "p", kernel_shape=[2, 2], strides=[1, 1]),
    node("Flatten", "p", "f"),
    node("Gemm", "f W2 b2", "g"),
    node("Relu", "g", "r"),
    node("Gemm", "r W3 b3", "y", transB=1),
)


def conv_network(seed: int = 0, nodes: Sequence[NodeProto] = CHAIN) -> bytes:
    """A network of 4 x 4 grey pixels and three outputs."""
    random = np.random.default_rng(seed)
    arrays = {
        "mean": np.array(0.1307), "deviation": np.array(0.3081), "W1": random.normal(size=(2, 1, 3, 3)),
        "b1": random.normal(size=2), "gamma": random.uniform(0.5, 1.5, 2), "beta": random.normal(size=2),
        "running": random.normal(size=2), "variance": random.uniform(0.5, 1.5, 2), "W2": random.normal(size=(2, 4)),
        "b2": random.normal(size=4), "W3": random.normal(size=(3, 4)), "b3": random.normal(size=3),
    }  # fmt: skip
    graph = helper.make_graph(
        list(nodes),
        "elsewhere",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])
    return bytes(model.SerializeToString())


def question(goal: str, lowest: str = "0.1", highest: str = "0.4") -> str:
    """The VNN-LIB file of a goal on the 16 pixels between two decimals."""
    lines = [f"(declare-const X_{i} Real)" for i in range(16)] + [f"(declare-const Y_{k} Real)" for k in range(3)]
    lines += [f"(assert (>= X_{i} {lowest})) (assert (<= X_{i} {highest}))" for i in range(16)]
    return "\n".join([*lines, goal]) + "\n"


def write(folder: Path, name: str, content: str | bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def command(library: Path, onnx: Path, vnnlib: Path, *more: str) -> list[str]:
    return ["import", str(library), "--onnx", str(onnx), "--vnnlib", str(vnnlib), *more]


@pytest.fixture(scope="module")
def sampled() -> np.ndarray:
    """Exact outputs (500, 3), rounded, of the convolutional network at points of the box, its corners among them."""
    from vnnbench.instances.onnx_files.reader import parse_onnx

    network, random = ExactNetwork(parse_onnx(conv_network(), "network")), np.random.default_rng(1)
    points = np.concatenate([random.uniform(0.1, 0.4, (250, 16)), random.choice([0.125, 0.375], (250, 16))])
    return np.array([[float(value) for value in network.outputs(point)] for point in points])


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory, sampled: np.ndarray) -> Path:
    """A library of two problems on the convolutional network: a sampled point answers `reached`, none `never`."""
    folder = tmp_path_factory.mktemp("import")
    onnx = write(folder, "conv.onnx", conv_network())
    low, high = sampled.min(axis=0), sampled.max(axis=0)
    reach = (
        f"(or (and (>= Y_0 {high[0] + 50:.3f}) (<= Y_1 0)) (and (>= Y_1 {np.median(sampled[:, 1]):.3f}) (<= Y_2 99)))"
    )
    never = f"(or (>= (+ Y_0 (* -1.0 Y_1)) {high[0] - low[1] + 50:.3f}) (<= Y_2 {low[2] - 50:.3f}))"
    for name, goal in (("reached", reach), ("never", never)):
        vnnlib = write(folder, f"{name}.vnnlib.gz", question(f"(assert {goal})"))
        assert run_command(command(folder / "library", onnx, vnnlib)) == 0
    return folder / "library"


def test_an_import_is_an_instance_that_passes_the_check(imported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [row.instance for row in Library.open(imported).rows] == ["conv-reached--tight", "conv-never--tight"]
    checked = run_command(["check", str(imported)])
    assert checked == 0, capsys.readouterr().out
    capsys.readouterr()
    assert run_command(["show", str(imported), "conv-never--tight", "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["suite"], facts["dataset"], facts["norm"], facts["bounds"]) == (None, None, "box", "split")
    assert (facts["network"], facts["depth"], facts["width"], facts["strict"]) == ("conv", 2, None, 0)
    assert facts["bounds_seconds"] > 0


def test_files_are_stored_unchanged_but_unzipped(imported: Path) -> None:
    assert (imported / "networks" / "conv.onnx").read_bytes() == conv_network()
    assert (imported / "properties" / "conv-never.vnnlib").read_text().startswith("(declare-const X_0 Real)")
    sources = json.loads((imported / "provenance.json").read_text())["imports"]
    assert [(s["instance"], s["onnx"], s["vnnlib"]) for s in sources] == [
        ("conv-reached--tight", "conv.onnx", "reached.vnnlib.gz"),
        ("conv-never--tight", "conv.onnx", "never.vnnlib.gz"),
    ]


def test_decimals_of_the_set_are_exact(imported: Path) -> None:
    box = read_property(imported / "properties" / "conv-never.json").input_set
    assert box.violation(np.full(16, 0.1)) == 0 < box.violation(np.full(16, np.nextafter(0.1, 0)))
    assert box.violation(np.full(16, 0.4)) > 0 == box.violation(np.full(16, np.nextafter(0.4, 0)))


@pytest.mark.parametrize("solver", [name for name in ("scip", "highs", "gurobi") if name in installed_solvers()])
def test_runs_on_imports_are_judged(imported: Path, tmp_path: Path, solver: str) -> None:
    arguments = ["run", str(imported), "--results", str(tmp_path), "--solver", solver, "--time-limit", "30"]
    assert run_command(arguments) == 0
    runs = read_runs(tmp_path / "ledger.sqlite").set_index("instance")
    assert runs.verdict.to_dict() == {"conv-reached--tight": "adversarial", "conv-never--tight": "robust"}
    assert set(runs.fault) == {"none"}
    assert run_command(["confirm", str(tmp_path), "--library", str(imported)]) == 0


def test_the_same_import_again_reports_that_nothing_changed(
    imported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(imported, tmp_path / "library"))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    onnx = write(tmp_path, "conv.onnx.gz", conv_network())
    vnnlib = write(tmp_path, "never.vnnlib", (folder / "properties" / "conv-never.vnnlib").read_text())
    assert run_command(command(folder, onnx, vnnlib)) == 0
    assert "conv-never--tight already exists" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_generated_library_takes_an_import(tiny_library: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_library, tmp_path / "library"))
    onnx, vnnlib = (
        write(tmp_path, "a.onnx", conv_network()),
        write(tmp_path, "b.vnnlib", question("(assert (>= Y_0 Y_1))")),
    )
    assert run_command(command(folder, onnx, vnnlib, "--name", "mine")) == 0
    library = Library.open(folder)
    assert [row.instance for row in library.rows][-1] == "mine--tight"
    assert (library.row("mine--tight").source, library.row("mine--tight").target) == (1, 0)
    assert library.suite == "tiny"
    assert run_command(["check", str(folder), "--select", "mine--tight"]) == 0
    assert run_command(["show", str(folder)]) == 0


@pytest.mark.parametrize("level", ["box", "interval", "backward", "lp"])
def test_every_level_of_bounds_gives_a_library_that_checks(level: str, tmp_path: Path) -> None:
    onnx, vnnlib = (
        write(tmp_path, "a.onnx", conv_network()),
        write(tmp_path, "b.vnnlib", question("(assert (<= Y_0 1.5))")),
    )
    assert run_command(command(tmp_path / "library", onnx, vnnlib, "--bounds", level)) == 0
    assert Library.open(tmp_path / "library").row("a-b--tight").bounds == level
    assert run_command(["check", str(tmp_path / "library"), "--solver", "highs"]) == 0


@pytest.mark.parametrize(
    ("onnx", "vnnlib", "more", "message"),
    [
        (conv_network()[:-500], question(GOAL), [], "a.onnx: "),
        (b"nothing", question(GOAL), [], "a.onnx: is not an ONNX file"),
        (
            conv_network(nodes=[*CHAIN, node("Softmax", "y", "z")]),
            question(GOAL),
            [],
            "'my_z' (Softmax) is not piecewise linear",
        ),
        (conv_network(), question(GOAL)[:-3], [], "b.vnnlib: line 36: a parenthesis is never closed"),
        (conv_network(), question(GOAL) + "(declare-const Y_3 Real)", [], "16 inputs and 4 outputs, "),
        (
            conv_network(),
            question(GOAL, "-1e40"),
            [],
            "b.vnnlib: bounds an input by 1e+40; solvers accept numbers below 1e+15",
        ),
        (conv_network(), question(GOAL), ["--name", "../mine"], "--name '../mine': use a letter or digit"),
        (conv_network(), question(GOAL), ["--name", "a--b"], "--name 'a--b'"),
        (conv_network(), question(GOAL), ["--bounds", "exact"], "'exact' is not one of 'box', 'interval'"),
        (conv_network(), question(GOAL), ["--formulation", "surrogatelib"], "'surrogatelib' is not 'tight'"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    onnx: bytes, vnnlib: str, more: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = write(tmp_path, "a.onnx", onnx), write(tmp_path, "b.vnnlib", vnnlib)
    assert run_command(command(tmp_path / "library", *files, *more)) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if not line.endswith(" steps")]
    assert line.startswith("Error: ")
    assert message in line
    assert not (tmp_path / "library").exists()


def test_names_that_are_taken_are_refused(imported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(shutil.copytree(imported, tmp_path / "library"))
    same, other = write(tmp_path, "conv.onnx", conv_network()), write(tmp_path / "other", "conv.onnx", conv_network(7))
    vnnlib, fresh = write(tmp_path, "never.vnnlib", question(GOAL)), write(tmp_path, "fresh.vnnlib", question(GOAL))
    for onnx, asked, message in (
        (same, vnnlib, "has another instance conv-never--tight"),
        (other, fresh, "has another file networks/conv.onnx; give --name, which then names this network too"),
    ):
        assert run_command(command(folder, onnx, asked)) == 2
        assert message in capsys.readouterr().err
    assert run_command(command(folder, same, vnnlib, "--name", "new")) == 0
    assert [row.instance for row in Library.open(folder).rows][2:] == ["new--tight"]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b"(<= X_3 0.4)", b"(<= X_3 0.400001)", "has another set or goal"),
        (b"(assert (or", b"(assert (and", "has another set or goal"),
        (b"(assert (or", b"(assert (", "line 36"),
        (b"", None, "is missing, although VNN-LIB can express"),
    ],
)
def test_the_check_compares_the_vnnlib_file_with_the_property(
    old: bytes, new: bytes | None, what: str, imported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(imported, tmp_path / "library"))
    relative = "properties/conv-never.vnnlib"
    manifest = json.loads((folder / "library.json").read_text())
    if new is None:
        (folder / relative).unlink()
        del manifest["files"][relative]
    else:
        data = (folder / relative).read_bytes().replace(old, new, 1)
        (folder / relative).write_bytes(data)
        manifest["files"][relative] = hashlib.sha256(data).hexdigest()
    (folder / "library.json").write_text(json.dumps(manifest))
    assert run_command(["check", str(folder), "--select", "conv-never--tight", "--solver", "highs"]) == 1
    *of_list, finding, _ = capsys.readouterr().out.splitlines()
    assert what in finding
    assert [line.partition(":")[0] for line in of_list] == (["instances.csv"] if new is None else [])


# -- networks and properties of the competition


def test_problems_of_the_competition_come_in_run_and_are_judged(competition: Path, tmp_path: Path) -> None:
    library, results = tmp_path / "library", tmp_path / "results"
    onnx = competition / "mnist-net_256x2.onnx.gz"
    for vnnlib in sorted(competition.glob("*.vnnlib.gz")):
        assert run_command(command(library, onnx, vnnlib)) == 0
    rows = Library.open(library).rows
    assert len(rows) == 4
    assert {(row.depth, row.width, row.norm, row.target) for row in rows} == {(2, 256, "box", None)}
    assert [row.source for row in rows] == [4, 7, 4, 0]
    assert run_command(["check", str(library), "--solver", "highs", "--solver", "scip"]) == 0
    arguments = ["run", str(library), "--results", str(results), "--solver", "scip", "--time-limit", "4"]
    assert run_command(arguments) == 0
    runs = read_runs(results / "ledger.sqlite")
    assert set(runs.verdict) <= {"robust", "adversarial", "unknown"}
    assert set(runs.fault) == {"none"}
    for row in rows:  # the clean input refutes no solver's robust claim
        value = row.centre_value
        assert value is not None
        assert value < 0
    network = ExactNetwork(read_onnx(library / "networks" / "mnist-net_256x2.onnx"))
    assert len(network.outputs(np.zeros(784))) == 10


# -- numbers that a solver's tolerances would swallow -----------------------------------------------------------------


def one_input_network(*layers: tuple[list[list[float]], list[float]]) -> bytes:
    """Return the ONNX file of a network of layers (W, b) with a ReLU after all but the last."""
    from vnnbench.instances.networks.network import Network
    from vnnbench.instances.onnx_files.writer import onnx_bytes

    weights = tuple(np.array(W, np.float32) for W, _ in layers)
    return onnx_bytes(Network(weights, tuple(np.array(b, np.float32) for _, b in layers)))


def interval(lowest: float, highest: float, goal: str) -> str:
    """The VNN-LIB file of a goal on one input between two numbers."""
    box = f"(assert (>= X_0 {lowest!r})) (assert (<= X_0 {highest!r}))"
    return f"(declare-const X_0 Real) (declare-const Y_0 Real) {box} (assert {goal})"


STEEP = (
    ([[-0.4411452], [0.6300826]], [0.00364372, -0.00520383]),
    ([[18.79, -11.45], [-4.55, 8.61]], [-1.3e-05, 2.8e-05]),
    ([[-164348.0, 40652.0]], [0.0]),
)


@pytest.mark.parametrize(("goal", "verdict"), [("(>= Y_0 1.25)", "adversarial"), ("(>= Y_0 1.5)", "robust")])
def test_right_answers_about_a_narrow_box_and_a_steep_network_are_called_right(goal, verdict, tmp_path, capsys):
    """The box is 5.8e-7 wide, slopes are up to 1e5, the largest output lies between 1.25 and 1.5."""
    onnx = write(tmp_path, "steep.onnx", one_input_network(*STEEP))
    vnnlib = write(tmp_path, "narrow.vnnlib", interval(0.008259130641818, 0.0082597080618143, goal))
    library, results = tmp_path / "library", tmp_path / "results"
    assert run_command(command(library, onnx, vnnlib)) == 0
    assert run_command(["check", str(library)]) == 0, capsys.readouterr().out
    solvers = [name for name in ("highs", "scip", "gurobi") if name in installed_solvers()]
    words = [word for name in solvers for word in ("--solver", name)]
    assert run_command(["run", str(library), "--results", str(results), "--goal", "optimize", *words]) == 0
    runs = read_runs(results / "ledger.sqlite")
    assert set(zip(runs["verdict"], runs["fault"], strict=True)) == {(verdict, "none")}


def test_values_that_tolerances_can_move_are_a_warning_of_import_and_check(tmp_path, capsys):
    """The outputs of 1e9 must be right to the unit: no unit of the neurons makes 1e-6 of a binary small beside them."""
    onnx = write(tmp_path, "large.onnx", one_input_network(([[1.0], [-1.0]], [-0.5, 0.5]), ([[1e9, -1e9]], [0.0])))
    vnnlib = write(tmp_path, "wide.vnnlib", interval(0.0, 1.0, "(>= Y_0 0.0)"))
    assert run_command(command(tmp_path / "library", onnx, vnnlib)) == 0
    assert "warning: models/large-wide--tight.mps.gz: solvers' tolerances of 1e-06 can move the value by about" in (
        capsys.readouterr().err
    )
    assert run_command(["check", str(tmp_path / "library"), "--solver", "highs"]) == 0
    assert "solvers' tolerances of 1e-06 can move the value by about" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("weight", "highest", "words"),
    [
        (1e30, 1.0, "net.onnx: layer 1 holds a weight of 1e+30; solvers accept numbers below 1e+15"),
        (1.0, 1e16, "p.vnnlib: bounds an input by 1e+16; solvers accept numbers below 1e+15"),
    ],
)
def test_numbers_beyond_what_solvers_take_are_one_line(weight, highest, words, tmp_path, capsys):
    onnx = write(tmp_path, "net.onnx", one_input_network(([[weight]], [0.0]), ([[1.0]], [0.0])))
    vnnlib = write(tmp_path, "p.vnnlib", interval(0.0, highest, "(>= Y_0 0.5)"))
    assert run_command(command(tmp_path / "library", onnx, vnnlib)) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"Error: {tmp_path}/{words}"
    assert not (tmp_path / "library").exists()


def test_two_networks_of_one_file_name_share_a_library_by_name(tmp_path: Path) -> None:
    vnnlib = write(tmp_path, "p.vnnlib", question(GOAL))
    for place, seed in (("a", 0), ("b", 1)):
        write(tmp_path / place, "model.onnx", conv_network(seed))
    library = tmp_path / "library"
    assert run_command(command(library, tmp_path / "a" / "model.onnx", vnnlib)) == 0
    again = command(library, tmp_path / "b" / "model.onnx", vnnlib, "--name", "second")
    assert run_command(again) == run_command(again) == 0
    rows = {row.instance: row.network for row in Library.open(library).rows}
    assert rows == {"model-p--tight": "model", "second--tight": "second"}
    assert run_command(["check", str(library), "--solver", "highs"]) == 0


def test_a_network_in_float64_is_imported_run_and_confirmed(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    arrays = {"W": random.normal(size=(16, 5)), "b": random.normal(size=5), "V": random.normal(size=(5, 3))}
    graph = helper.make_graph(
        [node("Gemm", "x W b", "z"), node("Relu", "z", "h"), node("MatMul", "h V", "y")],
        "doubles",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [1, 16])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [1, 3])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])
    onnx = write(tmp_path, "doubles.onnx", model.SerializeToString())
    vnnlib = write(tmp_path, "p.vnnlib", question("(assert (or (>= Y_0 Y_1) (>= Y_1 Y_0)))"))
    library, results = tmp_path / "library", tmp_path / "results"
    assert run_command(command(library, onnx, vnnlib)) == 0
    assert run_command(["check", str(library), "--solver", "highs"]) == 0
    assert run_command(["run", str(library), "--results", str(results), "--solver", "highs", "--time-limit", "20"]) == 0
    assert read_runs(results / "ledger.sqlite").verdict.tolist() == ["adversarial"]
    assert run_command(["confirm", str(results), "--library", str(library)]) == 0
