"""Properties of every kind about one small network, from their VNN-LIB files to a judged verdict.

y_0 = relu(x_0 + x_1),  y_1 = relu(x_0 - x_1),  over x_0 in [0, 0.5], x_1 in [0, 0.25]
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import vnnbench
from vnnbench.cli import run_command
from vnnbench.errors import UsageError
from vnnbench.instances.networks.network import Network
from vnnbench.instances.onnx_files.writer import onnx_bytes
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.solvers.registry import installed_solvers

DECLARED = "".join(f"(declare-const {name} Real)" for name in ("X_0", "X_1", "Y_0", "Y_1"))
BOX = "(assert (and (>= X_0 0.0) (<= X_0 0.5) (>= X_1 0.0) (<= X_1 0.25)))"
FIXED = "(assert (= X_0 0.1)) (assert (= X_1 0.2))"
CASES = {
    # y_0 is 0.3 exactly, in no float64
    "point-strict": (FIXED + "(assert (> Y_0 0.3))", {"robust"}, 0.0),
    "point-at-least": (FIXED + "(assert (>= Y_0 0.3))", {"adversarial"}, 0.0),
    "point-several": (FIXED + "(assert (or (>= Y_0 0.4) (>= Y_1 0.1)))", {"robust"}, -0.1),
    "equality": (BOX + "(assert (= X_0 (* 3.0 X_1))) (assert (>= Y_0 0.6))", {"adversarial"}, 2 / 3 - 0.6),
    "sum": (BOX + "(assert (<= (+ X_0 X_1) 0.3)) (assert (>= Y_0 0.31))", {"robust"}, -0.01),
    "fixed-sum": (BOX + "(assert (= (+ X_0 X_1) 0.3)) (assert (>= Y_1 0.2))", {"adversarial"}, 0.1),
    # the value 0 is reached at a corner only, where the strict comparison is not; a bound of 0 does not exclude it
    "mixed": (BOX + "(assert (and (>= Y_0 0.75) (> Y_1 0.25)))", {"unknown", "robust"}, 0.0),
    "clauses": (
        BOX + "(assert (or (>= Y_0 0.7) (>= Y_1 0.45))) (assert (or (>= Y_1 0.3) (<= Y_0 0.1)))", {"adversarial"}, 0.05,
    ),
    "boxes": (
        BOX + "(assert (or (and (<= X_0 0.1) (>= Y_0 0.3)) (and (>= X_0 0.4) (>= Y_0 0.9))))",
        {"adversarial", "robust"}, None,
    ),
    "zero": (BOX + "(assert (<= Y_0 0.0))", {"adversarial"}, 0.0),
}  # fmt: skip


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("network") / "net.onnx"
    W = np.array([[1, 1], [1, -1]], np.float32), np.eye(2, dtype=np.float32)
    path.write_bytes(onnx_bytes(Network(W, (np.zeros(2, np.float32),) * 2)))
    return path


@pytest.mark.parametrize("name", CASES)
def test_the_answer_is_right_whatever_the_property(name: str, network: Path, tmp_path: Path) -> None:
    text, verdicts, value = CASES[name]
    (tmp_path / "p.vnnlib").write_text(DECLARED + text)
    library, results = tmp_path / "library", tmp_path / "results"
    files = ["--onnx", str(network), "--vnnlib", str(tmp_path / "p.vnnlib")]
    assert run_command(["import", str(library), *files, "--name", name]) == 0
    assert vnnbench.check(library) == []
    solvers = [argument for solver in installed_solvers() for argument in ("--solver", solver)]
    options = ["--results", str(results), "--goal", "optimize", "--time-limit", "30", *solvers]
    assert run_command(["run", str(library), *options]) == 0
    runs = read_runs(results / "ledger.sqlite")
    found = set(runs["verdict"])
    assert found <= verdicts if name == "mixed" else found == verdicts
    assert set(runs["fault"]) == {"none"}
    if value is not None and name != "mixed":
        np.testing.assert_allclose(runs["best_exact_value"].astype(float), value, atol=1e-6)
    np.testing.assert_allclose(runs["claimed_value"].astype(float), runs["dual_bound"].astype(float), atol=1e-5)


def test_show_says_what_is_asked(network: Path, tmp_path: Path, capsys) -> None:
    text = BOX + "(assert (<= (+ X_0 X_1) 0.5)) (assert (or (>= Y_0 0.7) (> Y_1 Y_0))) (assert (>= Y_1 0.3))"
    (tmp_path / "p.vnnlib").write_text(DECLARED + text)
    files = ["--onnx", str(network), "--vnnlib", str(tmp_path / "p.vnnlib"), "--name", "q"]
    assert run_command(["import", str(tmp_path / "library"), *files]) == 0
    capsys.readouterr()
    assert run_command(["show", str(tmp_path / "library"), "q--tight", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["question"] == (
        "is there an x with (y_1 - 0.3 >= 0) and (y_0 - 0.7 >= 0 or - y_0 + y_1 > 0), "
        "over 2 inputs x within their bounds, x_0 + x_1 <= 0.5"
    )


def test_a_point_is_judged_where_the_determined_inputs_are(network: Path, tmp_path: Path) -> None:
    (tmp_path / "p.vnnlib").write_text(DECLARED + CASES["equality"][0])
    library = tmp_path / "library"
    files = ["--onnx", str(network), "--vnnlib", str(tmp_path / "p.vnnlib"), "--name", "e"]
    assert run_command(["import", str(library), *files]) == 0
    (judged,) = vnnbench.judge(library, "e--tight", [0.5, 77.0])  # x_1 is 1/6, whatever the point says
    assert judged.confirmed and judged.value is not None
    assert judged.value * 15 == 1  # 2/3 - 3/5
    for wrong in ([0.5], [[0.5, 0.25]], [0.5, float("nan")], ["a", "b"]):
        with pytest.raises(UsageError, match=r"^solution: "):
            vnnbench.judge(library, "e--tight", wrong)  # type: ignore[arg-type]


def test_a_page_shows_the_question_and_inputs_as_they_are(network: Path, tmp_path: Path) -> None:
    (tmp_path / "p.vnnlib").write_text(DECLARED + CASES["equality"][0])
    library, results, site = tmp_path / "library", tmp_path / "results", tmp_path / "site"
    files = ["--onnx", str(network), "--vnnlib", str(tmp_path / "p.vnnlib"), "--name", "e"]
    assert run_command(["import", str(library), *files]) == 0
    options = ["--results", str(results), "--goal", "optimize", "--solver", "highs"]
    assert run_command(["run", str(library), *options]) == 0
    assert run_command(["publish", str(results), "--library", str(library), "--out", str(site)]) == 0
    page = (site / "instances" / "e--tight.html").read_text()
    assert "is there an x with y_0 - 0.6 &gt;= 0, over 2 inputs x within their bounds, x_0 - 3 x_1 = 0" in page
    assert f"<td>{1 / 6!r}</td>" in page and "value at the centre" in page


def test_a_tie_of_a_strict_comparison_is_the_reason(network: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "p.vnnlib").write_text(DECLARED + CASES["mixed"][0])
    library = tmp_path / "library"
    files = ["--onnx", str(network), "--vnnlib", str(tmp_path / "p.vnnlib"), "--name", "m"]
    assert run_command(["import", str(library), *files]) == 0
    np.savez(tmp_path / "x.npz", inputs=np.array([[0.5, 0.25]]))
    assert run_command(["judge", str(library), "m--tight", str(tmp_path / "x.npz")]) == 1
    assert "not confirmed: the point does not reach what the problem asks for\n" in capsys.readouterr().out
