"""Solution files for the judge: columns of any layout, counterexamples of VNN-COMP, candidates."""

from __future__ import annotations

import gzip
import re
import sys

import numpy as np
import pytest

from vnnbench.instances.errors import PropertyError
from vnnbench.instances.formulations.mps import read_mps
from vnnbench.judging.external_solutions import read_candidates, read_counterexample, read_inputs
from vnnbench.judging.judge import Judge

INSTANCE = "adv--tight"


@pytest.fixture
def judge(steps) -> Judge:
    return steps(INSTANCE).judge


@pytest.fixture
def candidate(tmp_path, judge):
    """A function that reads the one candidate in a file with this content."""

    def read(content: str | bytes, name: str = "a.sol") -> list[float]:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        (found,) = read_candidates(path, judge)
        return found.tolist()

    return read


@pytest.fixture
def optimum(library, tmp_path):
    """The columns of an optimum by name, and the text that HiGHS writes of it."""
    highspy = pytest.importorskip("highspy")
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.readModel(str(library.model_path(library.row(INSTANCE))))
    highs.run()
    highs.writeSolution(str(tmp_path / "highs.sol"), 0)
    columns = dict(zip(highs.getLp().col_names_, highs.getSolution().col_value, strict=True))
    return columns, (tmp_path / "highs.sol").read_text()


# -- columns -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("instance", ["adv--tight", "adv-mag-u10--tight"])
def test_solution_of_an_instance_written_by_highs_is_confirmed(library, steps, tmp_path, instance):
    highspy = pytest.importorskip("highspy")
    judge = steps(instance).judge
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.readModel(str(library.model_path(library.row(instance))))
    highs.run()
    for style in (-1, 0, 1, 2, 3, 4):
        highs.writeSolution(str(tmp_path / "t.sol"), style)
        (candidate,) = read_candidates(tmp_path / "t.sol", judge)
        found = judge.judge(candidate)
        assert found.point is not None
        assert found.own_value == pytest.approx(0.25 if instance == "adv--tight" else 0.75, abs=1e-6)


def test_file_with_a_byte_order_mark_and_a_zipped_one_are_the_same(candidate, optimum):
    _, text = optimum
    right = candidate(text)
    assert candidate(b"\xef\xbb\xbf" + text.encode()) == right
    assert candidate(gzip.compress(text.encode()), "a.sol.gz") == right


def scip(columns: dict[str, float], objective: float) -> str:
    lines = [f"{name} {value!r} \t(obj:0)\n" for name, value in columns.items() if value]
    return f"objective value: {objective!r}\n{''.join(lines)}"


def test_lost_line_of_a_layout_without_zeros_is_reported_or_changes_no_value(candidate, judge, optimum):
    """The objective or the rows reveal it for each column that the optimum needs; the others change nothing."""
    columns, _ = optimum
    objective = judge.model.objective_value(np.array([columns[name] for name in judge.model.column_names]))
    right = candidate(scip(columns, objective + 1e-6))
    told = []
    for lost in [name for name, value in columns.items() if abs(value) > 1e-3]:
        try:
            found = judge.judge(np.array(candidate(scip(columns | {lost: 0.0}, objective))))
            assert found.own_value == judge.judge(np.array(right)).own_value
        except PropertyError as error:
            told.append(str(error))
    for what in (" it is ", " it violates the model by "):
        assert any(
            re.search(rf"a\.sol: .*with its \d+ absent columns at 0{what}.*; it may be cut", line) for line in told
        )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: the file is empty"),
        ("q_0 1.0\n", "line 1: 'q_0' is not a column of the instance"),
        ("p_0 one\n", "line 1: column p_0 is 'one', it must be a finite decimal number"),
        ("p_0 1\np_0 2\n", r"line 2: column p_0 has a value already, 1\.0"),
        ("p_0 1.0\n", r"line 2: the file ends, and column \S+ and \d+ more had no line"),
        (b"\xff\xfe\x00", "it is not UTF-8 text"),
        ("<html/>", "line 1: the XML is 'html', not a CPLEXSolution"),
        ("(assert x)", r"line 1: a counterexample has only pairs \(X_i value\) and \(Y_i value\)"),
    ],
)
def test_a_file_that_is_not_a_solution_is_one_line_that_names_file_and_line(candidate, content, message):
    with pytest.raises(PropertyError, match=rf"/a\.sol: {message}") as caught:
        candidate(content)
    assert len(str(caught.value).splitlines()) == 1


def test_missing_file_and_folder_are_one_line(tmp_path, judge):
    for path, reason in (
        (tmp_path / "missing.sol", r"cannot be read \(No such file or directory\)"),
        (tmp_path, "is not a file"),
    ):
        with pytest.raises(PropertyError, match=f"{path}: {reason}$"):
            read_candidates(path, judge)


def test_file_larger_than_any_solution_is_not_read(tmp_path, judge):
    path = tmp_path / "huge.sol"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(PropertyError, match=r"huge\.sol: holds more than \d{7} bytes, the most that is read"):
        read_candidates(path, judge)


def test_absurd_columns_are_judged_and_not_confirmed(candidate, judge, library):
    names = read_mps(library.model_path(library.row(INSTANCE))).column_names
    point = candidate("".join(f"{name} 1.7e308\n" for name in names))
    assert not judge.judge(np.array(point)).confirmed


# -- counterexamples -----------------------------------------------------------------------------------------------

PAIRS = ["(X_0 0.75)", "(X_1 1)", "(Y_0 -0.25)", "(Y_1 5e-1)"]


@pytest.mark.parametrize(
    "text",
    [
        f"({' '.join(PAIRS)})", "(" + "\n ".join(PAIRS) + ")\n", "\n".join(PAIRS), f"({''.join(reversed(PAIRS))})",
        f"({PAIRS[0]} {PAIRS[1]})", f"; a comment\n({' '.join(PAIRS)})",
    ],
)  # fmt: skip
def test_counterexample_is_its_inputs(text):
    assert read_counterexample(text, 2).tolist() == [0.75, 1.0]


@pytest.mark.parametrize("start", ["", "sat\n", "sat\r\n", "violated\n", "\ufeffsat\n", "\n sat "])
def test_counterexample_of_vnn_comp_is_the_candidate(candidate, start):
    pairs = " ".join(f"(X_{i} 0.{i + 1})" for i in range(4))
    assert candidate(f"{start}({pairs}\n (Y_0 7))\n", "result.txt") == [0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(\n(X_0 0.75))", "the counterexample ends without X_1; it needs X_0 to X_1"),
        ("((X_0 0.75)\n(X_1 1)", "line 1: a parenthesis is never closed; the file may be cut off"),
        ("((X_0 0.75)\n(X_1 1", "line 1: a parenthesis is never closed"),
        ("((X_0 0.75)\n(X_0 0.75))", "line 2: X_0 has two values"),
        ("((X_0 0.75)\n(X_1 1e999))", "line 2: X_1 is '1e999', it must be a finite decimal number"),
        ("((X_0 0.75)\n(X_1 x))", "line 2: X_1 is 'x', it must be a finite decimal number"),
        ("((X_0 0.75)\n(X_2 1))", "line 2: X_2 is not an input; the inputs are X_0 to X_1"),
        ("((X_0 0.75)\n(Z_1 1))", "line 1: a counterexample has only pairs"),
        ("((X_0 0.75 1) (X_1 1))", "line 1: a counterexample has only pairs"),
        ("(X_0 0.75) nonsense (X_1 1)", "line 1: 'nonsense' stands outside of all parentheses"),
        ("()", "the counterexample ends without X_0"),
    ],
)
def test_a_file_that_is_not_a_counterexample_is_refused_with_its_line(text, message):
    with pytest.raises((ValueError, PropertyError), match=message):
        read_counterexample(text, 2)


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
def test_file_that_is_not_an_npz_is_refused(tmp_path, data):
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
