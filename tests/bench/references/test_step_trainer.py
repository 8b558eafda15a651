"""Both heuristics of family `train` report feasible networks with exact objectives, the same ones for a seed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.silent import Silent
from support.solving import Recorder
from support.train_problems import drawn_problem, objective_by_hand
from vnnbench.cli import run_command
from vnnbench.harness import run_plan
from vnnbench.instances.families.train import TrainProblem
from vnnbench.instances.files import sha256, write_atomic
from vnnbench.instances.formulations.mps import compress, mps_text
from vnnbench.instances.formulations.numerics import numerics
from vnnbench.instances.layout import CATALOG, MANIFEST, model_file, property_file
from vnnbench.instances.library.catalog import CatalogRow, catalog_bytes
from vnnbench.instances.library.library import Library, instance_sha256, manifest_bytes
from vnnbench.instances.step_networks.train_file import train_json
from vnnbench.instances.step_networks.train_property import VARIANTS, TrainProperty, Variant
from vnnbench.instances.train_models import encode
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.ledger.run_identity import StopGoal
from vnnbench.references.adapters import get_adapter
from vnnbench.references.inputs import PROPERTY_NAME
from vnnbench.runs.plan import RunLimits, parse_setting, plan_runs
from vnnbench.solvers.base import OptionError, SolveRequest, SolveResult, Termination

NAMES = ("straight-through", "perceptron")
SHORT = {"straight-through": {"restarts": 20, "steps": 30}, "perceptron": {"restarts": 5, "epochs": 5}}
ALL = Variant(True, True, True)

Train = Callable[..., tuple[SolveResult, Recorder]]


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def train(tmp_path: Path, name: str) -> Train:
    def run(prop: TrainProperty, told: Recorder | None = None, **request: Any) -> tuple[SolveResult, Recorder]:
        (tmp_path / PROPERTY_NAME).write_bytes(train_json(prop))
        told = told or Recorder()
        asked = {"time_limit_seconds": 60.0, "options": SHORT[name]} | request
        return get_adapter(name).solve(SolveRequest(tmp_path / "model.mps.gz", tmp_path / "log", **asked), told), told

    return run


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_every_network_is_feasible_and_its_objective_is_that_of_brute_force(train: Train, variant: Variant) -> None:
    prop = drawn_problem(variant, weight_limit=2, classes=4)  # more classes than neurons
    result, told = train(prop)
    problem = TrainProblem(prop)
    decode = problem.decoder(told.names)
    for incumbent in told.incumbents:
        vector = decode(np.array(incumbent.columns))
        assert problem.violation(vector) == 0
        assert incumbent.objective == pytest.approx(float(objective_by_hand(prop, vector)), abs=1e-9)
    objectives = [incumbent.objective for incumbent in told.incumbents]
    assert objectives == sorted(set(objectives), reverse=True) and objectives[-1] == result.primal_bound
    assert (result.termination, result.dual_bound) == (Termination.SOLUTION_FOUND, None)


def test_the_same_seed_gives_the_same_networks_and_another_does_not(train: Train) -> None:
    """With four samples of each of five classes no start ends in an optimum."""
    prop = drawn_problem(Variant(False, True, False), samples=20, inputs=4, classes=5, neurons=4)
    first, again, other = (
        [incumbent.columns.tobytes() for incumbent in train(prop, seed=seed)[1].incumbents]
        for seed in (2**63 - 1, 2**63 - 1, 8)
    )
    assert first == again != other


def test_a_time_limit_is_kept_and_what_was_found_is_returned(train: Train, name: str) -> None:
    prop = drawn_problem(ALL, samples=60, inputs=200)
    endless = {**SHORT[name], "restarts": 10**6}
    started = time.monotonic()
    result, told = train(prop, time_limit_seconds=0.5, options=endless)
    assert time.monotonic() - started < 10
    assert result.termination is Termination.TIME_LIMIT
    assert told.incumbents


def test_a_stop_is_obeyed(train: Train, name: str) -> None:
    told = Recorder(stop_when=lambda recorder: bool(recorder.incumbents))
    result, _ = train(drawn_problem(ALL), told, options={**SHORT[name], "restarts": 10**6})
    assert (result.termination, len(told.incumbents)) == (Termination.INTERRUPTED, 1)


def test_one_class_among_the_training_samples_is_learned(train: Train) -> None:
    drawn = drawn_problem(Variant(False, False, False))
    training = replace(drawn.training, classes=np.full(drawn.training.n_samples, 1))
    result, _ = train(replace(drawn, split=replace(drawn.split, training=training)))
    assert result.primal_bound == 0


@pytest.mark.parametrize("option", [{"restarts": "0"}, {"restarts": "many"}, {"step_size": "1"}])
def test_options_that_mean_nothing_are_refused(name: str, option: dict[str, str]) -> None:
    with pytest.raises(OptionError, match=f"{name}: .*{next(iter(option))}"):
        get_adapter(name).validate_options(option)


def test_gaps_and_nodes_are_refused(name: str) -> None:
    with pytest.raises(OptionError, match="leave out mip_gap and node_limit"):
        get_adapter(name).validate_limits(0.1, None)


# -- through the harness -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library of one training problem, `drawn`."""
    folder, prop = tmp_path_factory.mktemp("problems"), drawn_problem(ALL)
    model, text = encode(prop, "plain", "drawn--plain"), train_json(prop)
    facts = {field.name: None for field in fields(CatalogRow)} | TrainProblem(prop).facts() | model.counts()
    row = CatalogRow(**facts | asdict(numerics(model)) | {
        "instance": "drawn--plain", "instance_sha256": instance_sha256(mps_text(model), {}, text), "problem": "drawn",
        "suite": "tiny", "seed": 0, "pruning": "none", "structure": "none", "finetuned": 0, "formulation": "plain",
        "bounds": "none", "constant_rounding": 0.0, "model": model_file("drawn--plain"),
        "property": property_file("drawn"), "centre_value": -20.0,
    })  # fmt: skip
    files = {row.property: text, row.model: compress(mps_text(model)), CATALOG: catalog_bytes([row])}
    for relative, content in files.items():
        write_atomic(folder / relative, content)
    hashes = {relative: sha256(content) for relative, content in files.items()}
    write_atomic(folder / MANIFEST, manifest_bytes("tiny", None, [], hashes))
    return Library.open(folder)


def test_networks_are_judged_like_those_of_solvers(problems: Library, name: str, tmp_path: Path) -> None:
    limits = RunLimits(StopGoal.OPTIMIZE, time_limit_seconds=60.0, memory_limit_bytes=2 << 30)
    setting = parse_setting(f"{name}:restarts=3")
    run_plan(plan_runs(problems.rows, [setting], [0], limits), problems, tmp_path / "results", 1, Silent())
    (run,) = read_runs(tmp_path / "results" / "ledger.sqlite").to_dict("records")
    assert (run["verdict"], run["evidence"], run["fault"], run["ranked"]) == ("value", "exact", "none", 0)
    assert run["termination"] == "solution_found" and run["message"] == ""
    assert run["claimed_value"] == pytest.approx(run["best_exact_value"], abs=1e-9)


def test_an_instance_of_another_family_is_refused_in_one_line(
    library: Library, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", str(library.folder), "--results", str(tmp_path / "r"), "--goal", "optimize", "--solver", name]
    assert run_command(command) == 2
    first = library.rows[0].instance
    told = f"Error: --solver {name}: {first} is of family verify, and {name} is for train; leave it out with --select\n"
    assert " ".join(capsys.readouterr().err.split()) == told.strip()
    assert not (tmp_path / "r").exists()
