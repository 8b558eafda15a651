"""What `judge` prints beside the verdict: measures of the candidate, and the value of the columns in the file."""

from __future__ import annotations

import json

import pytest

from support.train_libraries import columns_at, write_train_library
from support.train_problems import XOR_SOLVED, problem
from vnnbench.cli import run_command
from vnnbench.instances.formulations.mps import read_mps

XOR = problem("int")
NETWORK = ("w_", "b_", "q_", "bF_")
"""The beginnings of the names of the columns that hold a network."""


@pytest.fixture(scope="module")
def trainings(tmp_path_factory):
    return write_train_library(tmp_path_factory.mktemp("trainings") / "library", {"xor": XOR})


@pytest.fixture
def judged(trainings, tmp_path, capsys):
    """A function that judges columns and returns what the table and JSON say."""

    def run(columns):
        file = tmp_path / "mine.sol"
        file.write_text("".join(f"{name} {value!r}\n" for name, value in columns.items()))
        command = ["judge", str(trainings.folder), "xor--plain", str(file)]
        assert run_command(command) == 0
        table = capsys.readouterr().out
        assert run_command([*command, "--format", "json"]) == 0
        return " ".join(table.split()), json.loads(capsys.readouterr().out)

    return run


@pytest.fixture(scope="module")
def solved(trainings):
    """The columns of `XOR_SOLVED` by name."""
    model = read_mps(trainings.model_path(trainings.row("xor--plain")))
    return dict(zip(model.column_names, columns_at(XOR, model, XOR_SOLVED), strict=True))


def test_the_measures_of_the_network_are_printed(judged, solved):
    table, facts = judged(solved)
    for words in ("train_accuracy 1.0", "errors 0", "weights 4", "activations 4", "neurons 2"):
        assert words in table
    assert facts["measures"].keys() == {
        "train_accuracy", "test_accuracy", "errors", "weights", "activations", "neurons"
    }  # fmt: skip


def test_a_network_that_runs_in_float64_is_not_called_float32(judged, solved):
    table, facts = judged(solved)
    assert "deployed_value -1.0" in table and "float32" not in table and "beats_all" not in table
    assert (facts["float32_value"], facts["float32_beats_all"]) == (-1.0, None)


def test_an_honest_file_has_the_value_of_its_network(judged, solved):
    table, facts = judged(solved)
    assert "exact_value -1.0" in table and "file_value -" in table and "another value" not in table
    assert (facts["file_value"], facts["row_violation"]) == (pytest.approx(-1.0), 0.0)


def test_columns_with_another_value_than_their_network_are_said_in_a_line(judged, solved):
    table, facts = judged({**solved, "E_0_0": 1.0})
    assert "the columns of the file have another value, -2, than a network that is read from them: -1" in table
    assert (facts["exact_value"], facts["file_value"]) == (-1.0, -2.0)


def test_a_file_with_the_network_alone_has_no_value_of_its_columns(judged, solved):
    table, facts = judged({name: value for name, value in solved.items() if name.startswith(NETWORK)})
    assert "exact_value -1.0" in table and "file_value" not in table and "row_violation" not in table
    assert (facts["file_value"], facts["row_violation"]) == (None, None)
