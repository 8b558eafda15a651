"""Solution files as the solvers themselves write them, and as nobody should."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from bench.solutions import read_inputs, read_solution
from instances.errors import PropertyError

NAMES = ("p_0", "z_1_0", "d_1_0", "y_1")

MODEL = """NAME t
ROWS
 N objective
 L z_1_0
 E y_1
COLUMNS
 p_0 objective -1
 p_0 z_1_0 1
 M1 'MARKER' 'INTORG'
 d_1_0 objective -0.5
 d_1_0 z_1_0 1
 M2 'MARKER' 'INTEND'
 z_1_0 objective 0.25
 z_1_0 y_1 1
 y_1 objective 0.001
 y_1 y_1 1
RHS
 RHS z_1_0 2.3
 RHS y_1 0.1
BOUNDS
 UP BND p_0 1.7
 UP BND d_1_0 1
ENDATA
"""
"""Rows z_1_0 and y_1 share their names with columns, as in `surrogatelib` files.

min -p - d/2 + z/4 + y/1000, p + d <= 2.3, p <= 1.7, z + y = 0.1: d = 1, p = 1.3, z = 0, y = 0.1.
"""

EXPECTED = [1.3, 0.0, 1.0, 0.1]
RELAXED = [1.7, 0.0, 0.6, 0.1]  # without integrality: d = 2.3 - 1.7


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "t.mps"
    path.write_text(MODEL)
    return path


@pytest.mark.parametrize("relaxed", [False, True])
def test_highs_file(model, tmp_path, relaxed):
    """It goes on with rows of the same names and, for an LP, with duals."""
    highspy = pytest.importorskip("highspy")
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("solve_relaxation", relaxed)
    highs.readModel(str(model))
    highs.run()
    highs.writeSolution(str(tmp_path / "t.sol"), 0)
    text = (tmp_path / "t.sol").read_text()
    assert text.count("\nz_1_0 ") > 1
    assert read_solution(tmp_path / "t.sol", NAMES).tolist() == pytest.approx(RELAXED if relaxed else EXPECTED)


def test_scip_file_without_its_zeros(model, tmp_path):
    pyscipopt = pytest.importorskip("pyscipopt")
    scip = pyscipopt.Model()
    scip.hideOutput()
    scip.readProblem(str(model))
    scip.optimize()
    scip.writeBestSol(str(tmp_path / "t.sol"))
    assert "z_1_0" not in (tmp_path / "t.sol").read_text()
    assert read_solution(tmp_path / "t.sol", NAMES).tolist() == pytest.approx(EXPECTED)


def test_gurobi_file(model, tmp_path):
    gurobipy = pytest.importorskip("gurobipy")
    try:
        environment = gurobipy.Env(params={"OutputFlag": 0})
    except gurobipy.GurobiError as error:
        pytest.skip(f"no licence: {error}")
    with environment, gurobipy.read(str(model), environment) as problem:
        problem.optimize()
        problem.write(str(tmp_path / "t.sol"))
    assert read_solution(tmp_path / "t.sol", NAMES).tolist() == pytest.approx(EXPECTED)


@pytest.mark.parametrize("instance", ["adv--tight", "adv-mag-u10--tight"])
def test_solution_of_an_instance_written_by_highs_is_confirmed(library, steps, tmp_path, instance):
    highspy = pytest.importorskip("highspy")
    judge = steps(instance).judge
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.readModel(str(library.model_path(library.row(instance))))
    highs.run()
    highs.writeSolution(str(tmp_path / "t.sol"), 0)
    names = judge.model.column_names
    columns = read_solution(tmp_path / "t.sol", names)
    assert judge.hold_against_file(columns, names).row_violation < 1e-6
    found = judge.judge(judge.decoder(names)(columns))
    assert found.point is not None
    assert found.own_value == pytest.approx(0.25 if instance == "adv--tight" else 0.75, abs=1e-6)


def read(tmp_path, text: str | bytes) -> list[float]:
    path = tmp_path / "a.sol"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_solution(path, NAMES).tolist()


def test_cbc_file(tmp_path):
    text = "Optimal - objective value -1.7\n      0 p_0   1.7   -1\n   3 y_1    0.1     0.001\n"
    assert read(tmp_path, text) == [1.7, 0.0, 0.0, 0.1]


def test_numbers_are_read_bit_for_bit(tmp_path):
    assert read(tmp_path, f"p_0 {1 / 3!r}\r\ny_1 5e-324\n") == [1 / 3, 0, 0, 5e-324]


def test_equal_repetition_is_no_contradiction(tmp_path):
    assert read(tmp_path, "p_0 1.50\np_0 1.5\n")[0] == 1.5


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "names no column"),
        ("# nothing\n", "names no column"),
        ("q_0 1.0\n", "names no column"),
        ("p_0\n", "names no column"),
        ("p_0 one\n", "names no column"),
        ("P_0 1.0\n", "names no column"),
        ("p_0 1.0\np_0 2.0\n", "column p_0 has two values, 1.0 and 2.0"),
        ("p_0 nan\n", "column p_0 is nan, it must be a finite number"),
        ("p_0 1e999\n", "column p_0 is inf, it must be a finite number"),
        (b"\xff\xfe\x00", "not a readable solution file"),
    ],
)
def test_what_is_no_solution_is_one_line(tmp_path, text, what):
    with pytest.raises(PropertyError, match=what) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value) and "a.sol" in str(caught.value)


def test_missing_file_and_folder_are_one_line(tmp_path):
    for path, reason in (
        (tmp_path / "missing.sol", r"cannot be read \(No such file or directory\)"),
        (tmp_path, "is not a file"),
    ):
        with pytest.raises(PropertyError, match=f"{path}: {reason}$"):
            read_solution(path, NAMES)


def test_huge_file_is_not_read(tmp_path):
    path = tmp_path / "huge.sol"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(PropertyError, match="more than 268435456 bytes"):
        read_solution(path, NAMES)


# -- candidates --------------------------------------------------------------------------------------------------


def test_inputs_are_read(tmp_path):
    np.savez(tmp_path / "a.npz", inputs=np.array([[0.1, 0.2]]), other=np.zeros(3))
    assert read_inputs(tmp_path / "a.npz", 2).tolist() == [[0.1, 0.2]]


def test_float32_inputs_are_taken_exactly(tmp_path):
    np.savez(tmp_path / "a.npz", inputs=np.array([[0.1, 0.2]], dtype=np.float32))
    assert read_inputs(tmp_path / "a.npz", 2).tolist() == [[float(np.float32(0.1)), float(np.float32(0.2))]]


@pytest.mark.parametrize(
    "inputs",
    [np.zeros((1, 3)), np.zeros(2), np.zeros((0, 2)), np.zeros((1, 2), dtype=np.int64), np.zeros((1, 1, 2)),
     np.array([["a", "b"]]), np.zeros((1, 2), dtype=complex), np.array([[{}, {}]], dtype=object)],
)  # fmt: skip
def test_inputs_of_another_kind_are_refused(tmp_path, inputs):
    np.savez(tmp_path / "a.npz", inputs=inputs)
    with pytest.raises(PropertyError) as caught:
        read_inputs(tmp_path / "a.npz", 2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"nonsense", b"PK\x03\x04nonsense"])
def test_file_that_is_no_npz_is_refused(tmp_path, data):
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(PropertyError, match=r"not a readable \.npz"):
        read_inputs(tmp_path / "a.npz", 2)


class Bomb:
    def __reduce__(self):
        return sys.exit, (7,)


def test_nothing_is_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", inputs=np.array([[Bomb(), Bomb()]], dtype=object))
    with pytest.raises(PropertyError):
        read_inputs(tmp_path / "a.npz", 2)
