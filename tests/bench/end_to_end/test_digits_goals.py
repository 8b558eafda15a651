"""The built-in suite digits-goals, from the grid to the leaderboard: one network, every goal and norm, every solver."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from support.solving import optimum
from vnnbench.cli import run_command
from vnnbench.instances.bounds.levels import BoundLevel, bound_layers
from vnnbench.instances.formulations.tight import encode_tight
from vnnbench.instances.library.library import Library
from vnnbench.instances.onnx_files.reader import read_onnx
from vnnbench.instances.properties.property import VerifyProperty
from vnnbench.instances.properties.property_file import read_property
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.solvers.registry import installed_solvers

SEED = "digits-8x8-2x16-s2"


@pytest.fixture(scope="module")
def goals(tmp_path_factory):
    """The library, and the runs of every solver on its dense instances by problem and solver."""
    folder = tmp_path_factory.mktemp("goals")
    library, results = folder / "library", folder / "results"
    assert run_command(["generate", "digits-goals", "--out", str(library), "--select", f"{SEED}-*"]) == 0
    command = ["run", str(library), "--results", str(results), "--goal", "optimize", "--time-limit", "60"]
    for solver in installed_solvers():
        command += ["--solver", solver]
    assert run_command(command) == 0
    assert run_command(["confirm", str(results), "--library", str(library)]) == 0
    assert run_command(["leaderboard", str(results), "--by", "family", "--by", "norm"]) == 0
    runs = read_runs(results / "ledger.sqlite")
    return Library.open(library), runs[runs.termination != "license_limit"]


def best(library: Library, prop: VerifyProperty, folder: Path) -> float:
    """Return the largest value on the dense network, by HiGHS."""
    network = read_onnx(library.folder / f"networks/{SEED}.onnx")
    bounds = bound_layers(prop.goal.chain(network), prop.input_set, BoundLevel.BACKWARD)
    return optimum("highs", encode_tight(network, prop, bounds, "again").model, folder)


def value(runs, question: str) -> float:
    """Return the confirmed optimum, on which all solvers agree."""
    found = runs[runs.problem == f"{SEED}-{question}"]
    found = found[found.network == found.dense_network].best_exact_value
    assert len(found) >= 2 and found.max() == pytest.approx(found.min(), abs=1e-5)
    return float(found.max())


def test_the_library_has_no_findings(goals, capsys):
    library, _ = goals
    assert len(library.rows) == 12
    assert run_command(["check", str(library.folder)]) == 0
    assert "12 instances" in capsys.readouterr().out


def test_every_solver_ends_and_none_is_wrong(goals):
    _, runs = goals
    assert set(runs.termination) == {"optimal"}
    assert set(runs.fault) <= {"none", "tolerance"}
    dense = runs[runs.network == runs.dense_network]
    assert set(dense[dense.family == "closest"].verdict) == {"value"}
    assert set(dense[dense.family == "verify"].verdict) <= {"adversarial", "robust"}


@pytest.mark.parametrize("norm", ["l1", "linf"])
def test_untargeted_is_the_best_of_all_targets(norm, goals, tmp_path):
    library, runs = goals
    prop = read_property(library.folder / f"properties/{SEED}-{norm}-untargeted.json")
    each = [best(library, replace(prop, targets=(target,)), tmp_path) for target in prop.targets]
    assert len(each) == 9
    assert value(runs, f"{norm}-untargeted") == pytest.approx(max(each), abs=1e-5)


@pytest.mark.parametrize("norm", ["l1", "linf"])
def test_within_the_closest_distance_no_class_reaches_the_margin(norm, goals, tmp_path):
    library, runs = goals
    radius = -value(runs, f"{norm}-closest")
    prop = read_property(library.folder / f"properties/{SEED}-{norm}-untargeted.json")
    margins = [
        best(library, replace(prop, input_set=replace(prop.input_set, radius=share * radius)), tmp_path)
        for share in (0.999, 1.001)
    ]
    assert margins[0] < 0.01 < margins[1]
