"""A network in float16, from `vnnbench import` to a published verdict: exact arithmetic on its weights as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from support.onnx_nodes import node
from vnnbench.cli import run_command
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.onnx_files.reader import read_onnx
from vnnbench.leaderboard.records.reader import read_runs

HALF = TensorProto.FLOAT16


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A perceptron of three inputs, six neurons and two outputs, all in float16."""
    random = np.random.default_rng(4)
    weights = [
        numpy_helper.from_array(random.normal(size=shape).astype(np.float16), name)
        for name, shape in {"V": (3, 6), "a": (6,), "W": (6, 2), "b": (2,)}.items()
    ]
    graph = helper.make_graph(
        [node("Gemm", "x V a", "h"), node("Relu", "h", "r"), node("Gemm", "r W b", "y")],
        "half",
        [helper.make_tensor_value_info("x", HALF, [1, 3])],
        [helper.make_tensor_value_info("y", HALF, [1, 2])],
        weights,
    )
    path = tmp_path / "half.onnx"
    path.write_bytes(
        helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()
    )
    return path


def test_a_network_in_float16_is_imported_solved_confirmed_and_published(network: Path, tmp_path: Path) -> None:
    corners = np.stack(np.meshgrid(*[[0.0, 1.0]] * 3), axis=-1).reshape(-1, 3)
    exact = ExactNetwork(read_onnx(network))
    margins = [float(y[1] - y[0]) for y in map(exact.outputs, corners)]
    library, results = tmp_path / "library", tmp_path / "results"
    for name, least in (("reached", max(margins) - 0.25), ("never", max(margins) + 50)):
        vnnlib = tmp_path / f"{name}.vnnlib"
        box = " ".join(f"(declare-const X_{i} Real) (assert (>= X_{i} 0)) (assert (<= X_{i} 1))" for i in range(3))
        goal = f"(declare-const Y_0 Real) (declare-const Y_1 Real) (assert (>= Y_1 (+ Y_0 {least:.4f})))"
        vnnlib.write_text(f"{box}\n{goal}\n")
        assert run_command(["import", str(library), "--onnx", str(network), "--vnnlib", str(vnnlib)]) == 0
    assert run_command(["check", str(library), "--solver", "highs"]) == 0
    assert run_command(["run", str(library), "--results", str(results), "--solver", "highs"]) == 0
    runs = read_runs(results / "ledger.sqlite").set_index("instance")
    assert runs.verdict.to_dict() == {"half-reached--tight": "adversarial", "half-never--tight": "robust"}
    assert set(runs.fault) == {"none"}
    found = runs.loc["half-reached--tight"]
    assert 0 < abs(found.float32_value - found.best_exact_value) < 0.05  # as deployed, in float16
    assert run_command(["confirm", str(results), "--library", str(library)]) == 0
    site = str(tmp_path / "site")
    assert run_command(["publish", str(results), "--library", str(library), "--out", site]) == 0
