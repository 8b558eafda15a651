"""The prover as a reference: it reports exact values and sound bounds, stops when asked, and is judged like others."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.brute_force import brute_force
from support.silent import Silent
from support.solving import Recorder
from support.tiny_libraries import Question, tiny_box, tiny_network, tiny_property, write_library, write_tiny_library
from vnnbench.harness import run_plan
from vnnbench.instances.families import problem_of
from vnnbench.instances.library.library import Library
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import Network
from vnnbench.instances.onnx_files.writer import onnx_bytes
from vnnbench.instances.properties.input_set import InputSet, Norm, box_set
from vnnbench.instances.properties.property import ClosestProperty, MaximizeProperty, Property, VerifyProperty
from vnnbench.instances.properties.property_file import property_json
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.ledger.run_identity import StopGoal
from vnnbench.references.adapters import get_adapter
from vnnbench.references.inputs import NETWORK_NAME, PROPERTY_NAME
from vnnbench.runs.plan import RunLimits, parse_setting, plan_runs
from vnnbench.solvers.base import OptionError, SolveRequest, SolveResult, Termination

Prove = Callable[..., tuple[SolveResult, Recorder]]


@pytest.fixture
def prove(tmp_path: Path) -> Prove:
    def run(
        network: Network, prop: Property, told: Recorder | None = None, seconds: float = 60.0
    ) -> tuple[SolveResult, Recorder]:
        (tmp_path / NETWORK_NAME).write_bytes(onnx_bytes(network))
        (tmp_path / PROPERTY_NAME).write_bytes(property_json(prop))
        told = told or Recorder()
        return get_adapter("prover").solve(SolveRequest(tmp_path / "model", tmp_path / "log", seconds), told), told

    return run


@pytest.fixture
def endless() -> tuple[Network, VerifyProperty]:
    """A question that takes minutes: does the output of a 3x60 network exceed 20?"""
    random, widths = np.random.default_rng(0), (30, 60, 60, 60)
    hidden = [random.normal(size=(b, a)) / a**0.5 for a, b in itertools.pairwise(widths)]
    weights = (*hidden, np.vstack([random.normal(size=60), np.zeros(60)]))
    biases = (*(np.zeros(60) for _ in hidden), np.array([0.0, 20.0]))
    network = Network(tuple(W.astype(np.float32) for W in weights), tuple(b.astype(np.float32) for b in biases))
    return network, VerifyProperty(box_set(-np.ones(30), np.ones(30)), 1, (0,), True, None, None)


def test_what_is_reported_is_the_exact_value_of_a_witness_or_a_bound_above_every_value(prove: Prove) -> None:
    ends = []
    for seed in range(20):
        random = np.random.default_rng(seed)
        weights = tuple(random.normal(size=shape).astype(np.float32) for shape in [(6, 4), (3, 6)])
        network = Network(weights, tuple(random.normal(size=len(W)).astype(np.float32) for W in weights))
        ball = InputSet(Norm.L1, random.uniform(0.1, 0.9, size=4), 0.6, np.zeros(4), np.ones(4))
        prop = VerifyProperty(ball, 0, (1, 2), bool(seed % 2), None, None)
        result, told = prove(network, prop)
        ends.append(result.termination)
        assert told.names == ["x_0", "x_1", "x_2", "x_3"]
        assert result.nodes is not None
        assert result.nodes > 0 or result.termination is Termination.SOLUTION_FOUND  # by the ascent before any bound
        if result.termination is Termination.BOUND_REACHED:
            assert result.dual_bound is not None and result.dual_bound > -1e-12
            assert told.dual_bounds == [result.dual_bound] and told.incumbents == []
            assert brute_force(network, prop) <= -result.dual_bound + 1e-9
        else:
            (incumbent,), x = told.incumbents, np.array(told.incumbents[0].columns)
            value = problem_of(prop).evaluate(ExactNetwork(network), x)
            assert problem_of(prop).violation(x) == 0 and value is not None and problem_of(prop).answers(value)
            assert result.primal_bound == incumbent.objective == -float(value)
            assert result.dual_bound is None
    assert set(ends) == {Termination.BOUND_REACHED, Termination.SOLUTION_FOUND}


def test_the_bound_of_a_question_without_strictness_excludes_its_threshold(prove: Prove) -> None:
    """The largest value is -0.75; 0 itself would be an answer."""
    result, _ = prove(tiny_network(2.0), tiny_property(strict=False))
    assert result.dual_bound is not None and 0 < result.dual_bound <= 0.75


def test_the_search_ends_when_it_is_asked_to(prove: Prove, endless: tuple[Network, VerifyProperty]) -> None:
    started = time.monotonic()
    result, told = prove(*endless, told=Recorder(stop_when=lambda _: True))
    assert (result.termination, result.dual_bound, told.incumbents) == (Termination.INTERRUPTED, None, [])
    assert time.monotonic() - started < 20


def test_the_search_ends_at_its_time_limit(prove: Prove, endless: tuple[Network, VerifyProperty]) -> None:
    started = time.monotonic()
    result, told = prove(*endless, seconds=0.5)
    assert (result.termination, result.dual_bound, told.incumbents) == (Termination.TIME_LIMIT, None, [])
    assert time.monotonic() - started < 20


def test_a_maximum_is_reported_with_a_bound_that_meets_it(prove: Prove) -> None:
    random = np.random.default_rng(0)
    weights = tuple(random.normal(size=shape).astype(np.float32) for shape in [(5, 4), (5, 5), (1, 5)])
    network = Network(weights, tuple(random.normal(size=len(W)).astype(np.float32) for W in weights))
    prop = MaximizeProperty(box_set(-np.ones(4), np.ones(4)), 0, None, None)
    result, told = prove(network, prop)
    assert result.termination is Termination.OPTIMAL
    objectives = [incumbent.objective for incumbent in told.incumbents]
    assert objectives == sorted(objectives, reverse=True) and result.primal_bound == objectives[-1]
    assert result.primal_bound == pytest.approx(-brute_force(network, prop), rel=1e-6)
    assert result.dual_bound is not None and 0 <= result.primal_bound - result.dual_bound <= 1e-6 * max(
        1, abs(result.primal_bound)
    )
    assert told.dual_bounds == [result.dual_bound]
    value = problem_of(prop).evaluate(ExactNetwork(network), np.array(told.incumbents[-1].columns))
    assert value is not None and float(-value) == result.primal_bound


def test_a_least_distance_is_reported_with_a_radius_that_meets_it(prove: Prove) -> None:
    """With b = 1 the margin grows from -1/4 at the centre, in x_0 and x_1."""
    prop = ClosestProperty(tiny_box(), 0, (1,), Fraction(1, 8), None, None)
    result, told = prove(tiny_network(1.0), prop)
    assert result.termination is Termination.OPTIMAL
    assert result.primal_bound == pytest.approx(-brute_force(tiny_network(1.0), prop), abs=1e-6)
    assert result.dual_bound is not None and 0 <= result.primal_bound - result.dual_bound <= 1e-6
    assert told.incumbents[-1].objective == result.primal_bound

    result, told = prove(tiny_network(2.0), ClosestProperty(tiny_box(radius=0.25), 0, (1,), Fraction(1), None, None))
    assert (result.termination, result.dual_bound, told.incumbents) == (Termination.INFEASIBLE, 0.25, [])


def test_an_optimum_that_takes_too_long_has_a_bound_in_time(
    prove: Prove, endless: tuple[Network, VerifyProperty]
) -> None:
    network, prop = endless
    result, told = prove(network, MaximizeProperty(prop.input_set, 0, None, None), seconds=3.0)
    assert result.termination is Termination.TIME_LIMIT or result.wall_seconds < 3.0
    assert result.primal_bound == told.incumbents[-1].objective
    assert result.dual_bound is not None and result.dual_bound < result.primal_bound


def test_a_network_whose_bounds_overflow_gives_one_line(prove: Prove) -> None:
    huge = np.full((2, 2), 1e38, dtype=np.float32)
    network = Network((huge,) * 3, (np.zeros(2, dtype=np.float32),) * 3)
    prop = VerifyProperty(box_set(-np.ones(2), np.ones(2)), 0, (1,), True, None, None)
    result, _ = prove(network, prop)
    assert (result.termination, result.primal_bound, result.dual_bound) == (Termination.ERROR, None, None)
    assert result.message.endswith("the weights are too large; its bounds exceed float32")
    assert "\n" not in result.message


@pytest.mark.parametrize("name", ["prover", "pgd"])
def test_a_run_imports_no_package_that_its_version_has_not_imported(prove: Prove, tmp_path: Path, name: str) -> None:
    """Runs are forked from a process that has asked for the version; their imports would count as their time."""
    prove(tiny_network(1.0), tiny_property())
    script = f"""
import sys
from pathlib import Path
from vnnbench.references.adapters import get_adapter
from vnnbench.solvers.base import SolveRequest

class Deaf:
    on_columns = on_incumbent = on_dual_bound = lambda self, told: None
    should_stop = lambda self: False

solver, folder = get_adapter({name!r}), Path({str(tmp_path)!r})
solver.version()
before = set(sys.modules)
solver.solve(SolveRequest(folder / "model", folder / "log", 20.0, options={{"restarts": 1}}), Deaf())
print(*(module for module in set(sys.modules) - before if module.partition(".")[0] in ("onnx", "scipy", "torch")))
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []


def test_options_gaps_and_nodes_are_refused() -> None:
    prover = get_adapter("prover")
    with pytest.raises(OptionError, match="prover: no option 'restarts'"):
        prover.validate_options({"restarts": "1"})
    for limits in ((0.1, None), (0.0, 5)):
        with pytest.raises(OptionError, match="prover: not a MILP solver; leave out mip_gap and node_limit"):
            prover.validate_limits(*limits)


# -- through the harness -----------------------------------------------------------------------------------------------


def runs_of(
    library: Library,
    results: Path,
    goal: StopGoal = StopGoal.DECIDE,
    seconds: float = 60.0,
    memory_mebibytes: int = 2048,
) -> Any:
    limits = RunLimits(goal, time_limit_seconds=seconds, memory_limit_bytes=memory_mebibytes << 20)
    run_plan(plan_runs(library.rows, [parse_setting("prover")], [0], limits), library, results, 1, Silent())
    return read_runs(results / "ledger.sqlite").set_index("instance")


@pytest.mark.parametrize("goal", list(StopGoal))
def test_counterexamples_are_judged_exactly_and_bounds_are_claims(
    library: Library, tmp_path: Path, goal: StopGoal
) -> None:
    runs = runs_of(library, tmp_path / "results", goal)
    assert (runs["fault"] == "none").all() and (runs["ranked"] == 0).all()
    assert runs.loc["adv--tight", ["verdict", "evidence"]].tolist() == ["adversarial", "exact"]
    assert runs.loc["rob--tight", ["verdict", "evidence"]].tolist() == ["robust", "claimed"]
    assert -0.75 <= runs.loc["rob--tight", "dual_bound"] < 0
    assert runs.loc["rob--tight", "nodes"] >= 1 or goal is StopGoal.DECIDE  # which ends a run at its bound


def test_a_bound_for_a_surrogate_says_nothing_about_the_dense_network(library: Library, tmp_path: Path) -> None:
    """The largest value of the surrogate is -0.25."""
    runs = runs_of(library, tmp_path / "results", StopGoal.OPTIMIZE)
    run = runs.loc["rob-mag-u10--tight"]
    assert run[["verdict", "evidence", "termination", "ended_by"]].tolist() == [
        "unknown", "none", "bound_reached", "solver",
    ]  # fmt: skip
    assert -0.25 <= run["dual_bound"] < 0


def test_a_witness_of_a_surrogate_is_judged_on_the_dense_network(tmp_path: Path) -> None:
    """With b = 1.5 the largest value is -0.25, but 0.25 on the surrogate."""
    runs = runs_of(write_tiny_library(tmp_path / "library", {"near": 1.5}), tmp_path / "results")
    run = runs.loc["near-mag-u10--tight"]
    assert run[["verdict", "termination", "fault"]].tolist() == ["unknown", "solution_found", "none"]
    assert 0 < run["claimed_value"] <= 0.25 and run["best_exact_value"] <= -0.25
    assert runs.loc["near--tight", "verdict"] == "robust"


@pytest.mark.parametrize(("limits", "end"), [({"seconds": 1.0}, "time"), ({"memory_mebibytes": 64}, "memory")])
def test_a_run_that_a_limit_ends_leaves_the_question_open(
    tmp_path: Path, endless: tuple[Network, VerifyProperty], limits: dict[str, Any], end: str
) -> None:
    network, prop = endless
    library = write_library(tmp_path / "library", {"open": Question(prop, network, network)})
    runs = runs_of(library, tmp_path / "results", **limits)
    assert (runs["verdict"] == "unknown").all() and (runs["fault"] == "none").all()
    assert runs["dual_bound"].isna().all() and (runs["incumbents"] == 0).all()
    assert ((runs["termination"] == f"{end}_limit").fillna(False) | (runs["ended_by"] == end)).all()


@pytest.mark.parametrize("name", ["values", "distances"])
def test_optima_are_judged_exactly(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    library = request.getfixturevalue(name)
    runs = runs_of(library, tmp_path / "results", StopGoal.OPTIMIZE)
    assert (runs["fault"] == "none").all() and (runs["verdict"] == "value").all()
    dense = runs.loc["top--tight" if name == "values" else "near--tight"]
    assert dense["termination"] == "optimal" and dense["evidence"] == "exact"
    assert 0 <= dense["dual_bound"] - dense["best_exact_value"] <= 1e-6
    if name == "distances":
        assert dense["best_exact_value"] == pytest.approx(-1, abs=1e-6)
