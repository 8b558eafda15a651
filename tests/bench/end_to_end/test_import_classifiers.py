"""`vnnbench import` of classifiers that end in a Softmax or the like: what is asked is about their scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from support.onnx_nodes import node
from vnnbench.cli import run_command
from vnnbench.instances.library.library import Library
from vnnbench.instances.properties.property_file import read_property
from vnnbench.leaderboard.records.reader import read_runs

BOX = "\n".join(f"(declare-const X_{i} Real) (assert (>= X_{i} 0)) (assert (<= X_{i} 1))" for i in range(3))


def classifier(end: str, folder: Path) -> Path:
    """Write a network of three inputs, four neurons and three classes that ends in an operator."""
    random = np.random.default_rng(3)
    arrays = {"V": (3, 4), "a": (4,), "W": (4, 3), "b": (3,)}
    weights = [numpy_helper.from_array(random.normal(size=n).astype(np.float32), name) for name, n in arrays.items()]
    nodes = [node("Gemm", "x V a", "h"), node("Relu", "h", "r"), node("Gemm", "r W b", "z")]
    kind = TensorProto.INT64 if end == "ArgMax" else TensorProto.FLOAT
    graph = helper.make_graph(
        [*nodes, node(end, "z", "y", axis=1)],
        "classifier",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("y", kind, None)],
        weights,
    )
    path = folder / f"{end}.onnx"
    path.write_bytes(
        helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()
    )
    return path


def question(goal: str, folder: Path) -> Path:
    path = folder / "goal.vnnlib"
    outputs = " ".join(f"(declare-const Y_{k} Real)" for k in range(3))
    path.write_text(f"{BOX}\n{outputs}\n(assert {goal})\n")
    return path


def imported(end: str, goal: str, folder: Path) -> int:
    onnx, vnnlib = classifier(end, folder), question(goal, folder)
    return run_command(["import", str(folder / "library"), "--onnx", str(onnx), "--vnnlib", str(vnnlib)])


@pytest.mark.parametrize("end", ["Softmax", "LogSoftmax", "ArgMax"])
def test_a_classifier_is_imported_solved_and_confirmed_on_its_scores(
    end: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(end, "(or (and (>= Y_1 Y_0)) (and (>= Y_2 Y_0)))", tmp_path) == 0
    assert (
        f": its end is cut off: 'my_y' ({end}); the problem is about the values before it\n" in capsys.readouterr().err
    )
    library, results = tmp_path / "library", tmp_path / "results"
    assert (library / "networks" / f"{end}.onnx").read_bytes() == (tmp_path / f"{end}.onnx").read_bytes()
    assert run_command(["check", str(library), "--solver", "highs"]) == 0
    assert run_command(["run", str(library), "--results", str(results), "--solver", "highs"]) == 0
    runs = read_runs(results / "ledger.sqlite")
    assert (list(runs.verdict), list(runs.fault)) == (["adversarial"], ["none"])
    assert abs(runs.float32_value[0] - runs.best_exact_value[0]) < 1e-5  # of the scores, both
    assert run_command(["confirm", str(results), "--library", str(library)]) == 0


@pytest.mark.parametrize(
    ("end", "goal", "kept"),
    [
        ("Softmax", "(>= Y_1 0.5)", "order"),
        ("Softmax", "(>= Y_1 (+ Y_0 0.1))", "order"),
        ("Softmax", "(>= (+ Y_1 Y_2) (* 2 Y_0))", "order"),
        ("ArgMax", "(and (>= Y_1 Y_0) (>= Y_1 0.0))", "order"),
        ("LogSoftmax", "(>= Y_1 -0.5)", "differences"),
        ("LogSoftmax", "(>= (+ Y_1 Y_2) Y_0)", "differences"),
    ],
)
def test_what_an_end_does_not_keep_is_refused(
    end: str, goal: str, kept: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(end, goal, tmp_path) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert f"ends in {end}, which keeps the {kept} of outputs only; export the network without its final {end}" in error
    assert not (tmp_path / "library").exists()


@pytest.mark.parametrize(
    ("end", "goal"),
    [
        ("Softmax", "(> Y_1 Y_0)"),
        ("Softmax", "(>= (* 2.0 Y_1) (* 2.0 Y_0))"),
        ("LogSoftmax", "(>= Y_1 (+ Y_0 0.1))"),
        ("LogSoftmax", "(>= (+ Y_1 Y_2) (* 2 Y_0))"),
    ],
)
def test_what_an_end_keeps_is_asked_of_the_scores(end: str, goal: str, tmp_path: Path) -> None:
    assert imported(end, goal, tmp_path) == 0
    (row,) = Library.open(tmp_path / "library").rows
    prop = read_property(tmp_path / "library" / row.property)
    assert all(sum(coefficient for _, coefficient in atom.terms) == 0 for atom in prop.goal.atoms)


def test_an_end_is_reported_once_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    from vnnbench.output.progress import ProgressBar

    with ProgressBar("import") as progress:
        progress.note("a.onnx: its \x1b[1mend\x1b[0m is cut off")
        progress.note("a.onnx: its \x1b[1mend\x1b[0m is cut off")
    assert capsys.readouterr().err.count("is cut off") == 1


def test_a_binary_classifier_of_scikit_learn_is_attacked_as_it_decides(tmp_path: Path) -> None:
    """Within a wide box some input has the class 1, within a narrow one around the surest input none has."""
    skl2onnx = pytest.importorskip("skl2onnx", reason="needs skl2onnx")
    from sklearn.neural_network import MLPClassifier

    points = np.random.default_rng(0).uniform(-1, 1, size=(200, 3)).astype(np.float32)
    model = MLPClassifier((6,), max_iter=400, tol=1e-2, learning_rate_init=0.05, random_state=0)
    model.fit(points, points.sum(axis=1) > 0)
    onnx = tmp_path / "binary.onnx"
    onnx.write_bytes(skl2onnx.to_onnx(model, points[:1]).SerializeToString())
    surest = points[np.argmax(model.predict_proba(points)[:, 0])]
    library, results = tmp_path / "library", tmp_path / "results"
    for name, radius in (("wide", 1.5), ("narrow", 0.01)):
        box = " ".join(
            f"(declare-const X_{i} Real) (assert (and (>= X_{i} {x - radius:.6f}) (<= X_{i} {x + radius:.6f})))"
            for i, x in enumerate(surest.tolist())
        )
        vnnlib = tmp_path / f"{name}.vnnlib"
        vnnlib.write_text(f"{box} (declare-const Y_0 Real) (declare-const Y_1 Real) (assert (>= Y_1 Y_0))")
        assert run_command(["import", str(library), "--onnx", str(onnx), "--vnnlib", str(vnnlib)]) == 0
    assert run_command(["run", str(library), "--results", str(results), "--solver", "highs"]) == 0
    runs = read_runs(results / "ledger.sqlite").set_index("instance")
    assert runs.verdict.to_dict() == {"binary-wide--tight": "adversarial", "binary-narrow--tight": "robust"}
    with np.load(results / "candidates" / f"{runs.run['binary-wide--tight']}.npz") as candidates:
        assert model.predict(candidates["inputs"][-1:])[0]
