"""Tables for pandas users: every column has the dtype that the module's docstring gives, whatever the ledger holds."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from vnnbench.leaderboard.records.frames import FLAGS, dtype_of, instances_frame, runs_frame
from vnnbench.leaderboard.records.reader import read_runs


@pytest.fixture
def two_runs(ledger):
    """Two runs: one that found a counterexample, and one of which nearly nothing is known."""
    instance = ledger.instance("one")
    ledger.found("a", instance, 1.5, nodes=7)
    ledger.run("b", ledger.instance("two", depth=None), nodes=None, peak_memory_bytes=None)
    return ledger


def test_every_column_has_its_dtype(two_runs):
    runs, instances = runs_frame(two_runs.path), instances_frame(two_runs.path)
    assert len(runs) == len(instances) == 2
    for table in (runs, instances):
        assert {name: str(dtype) for name, dtype in table.dtypes.items()} == {
            name: str(dtype_of(str(name))) for name in table
        }
    assert {str(dtype) for dtype in runs.dtypes} == {"string", "Int64", "float64", "boolean", "datetime64[ms, UTC]"}
    assert {*runs} >= FLAGS
    assert [*runs] == [*read_runs(two_runs.path)]


def test_values_are_those_of_the_ledger_and_what_is_missing_is_missing(two_runs):
    runs = runs_frame(two_runs.path).set_index("run")
    assert runs.loc["a", "nodes"] == 7 and runs.loc["b", "nodes"] is pd.NA
    assert runs.loc["b", "peak_memory_bytes"] is pd.NA
    assert runs.loc["a", "first_success_seconds"] == 1.5
    assert math.isnan(runs.loc["b", "first_success_seconds"])
    assert runs.loc["a", "verdict"] == "adversarial"
    assert runs.loc["a", "started_at"].tzinfo is not None


def test_an_empty_ledger_has_the_same_dtypes(ledger, two_runs, tmp_path):
    empty = type(ledger)(tmp_path / "empty.sqlite")
    assert len(runs_frame(empty.path)) == 0
    assert runs_frame(empty.path).dtypes.equals(runs_frame(two_runs.path).dtypes)


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63)])
def test_the_largest_integers_beside_missing_ones_are_read(ledger, number):
    ledger.run("a", ledger.instance("one"), nodes=number)
    ledger.run("b", ledger.instance("two"), nodes=None)
    nodes = runs_frame(ledger.path).set_index("run")["nodes"]
    assert nodes["b"] is pd.NA and math.isclose(int(nodes["a"]), number)


def test_a_start_that_is_not_a_time_is_missing(ledger):
    ledger.run("a", ledger.instance("one"), started_at="yesterday, I think")
    assert runs_frame(ledger.path)["started_at"].isna().all()
