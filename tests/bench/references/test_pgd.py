"""The attack finds counterexamples, never leaves the set, repeats itself for a seed, and stops when it is asked to."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from support.brute_force import brute_force
from support.networks import layer_of, mixed_network
from support.silent import Silent
from vnnbench.cli import run_command
from vnnbench.harness import run_plan
from vnnbench.instances.families import problem_of
from vnnbench.instances.library.library import Library
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import LayeredNetwork, Network
from vnnbench.instances.onnx_files.affine_maps import diagonal
from vnnbench.instances.onnx_files.reader import read_onnx
from vnnbench.instances.onnx_files.writer import onnx_bytes
from vnnbench.instances.properties.goals import Atom, OutputGoal, margin, one_clause
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.linear_constraints import LinearConstraint
from vnnbench.instances.properties.property import (
    ClosestProperty,
    LinearProperty,
    MaximizeProperty,
    Property,
    VerifyProperty,
)
from vnnbench.instances.properties.property_file import property_json
from vnnbench.instances.properties.rational_set import rational_set
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.ledger.run_identity import StopGoal
from vnnbench.references.adapters import get_adapter
from vnnbench.references.inputs import NETWORK_NAME, PROPERTY_NAME
from vnnbench.references.pgd import Pgd, _Value
from vnnbench.runs.plan import RunLimits, parse_setting, plan_runs
from vnnbench.solvers.base import Incumbent, OptionError, SolveRequest, SolveResult, Termination


class Reports:
    """Keeps what the attack reports, and asks it to stop after so many incumbents."""

    def __init__(self, stop_after: float = float("inf")) -> None:
        self.names: list[str] = []
        self.incumbents: list[Incumbent] = []
        self.stop_after = stop_after

    def on_columns(self, names: Sequence[str]) -> None:
        self.names = list(names)

    def on_incumbent(self, incumbent: Incumbent) -> None:
        self.incumbents.append(incumbent)

    def on_dual_bound(self, dual_bound: float) -> None:
        raise AssertionError("it has no bound")

    def should_stop(self) -> bool:
        return len(self.incumbents) >= self.stop_after

    @property
    def points(self) -> list[np.ndarray]:
        return [np.array(incumbent.columns) for incumbent in self.incumbents]


Attack = Callable[..., tuple[SolveResult, Reports]]


@pytest.fixture
def attack(tmp_path: Path) -> Attack:
    def run(
        network: Network | bytes, prop: Property, told: Reports | None = None, **request: Any
    ) -> tuple[SolveResult, Reports]:
        data = network if isinstance(network, bytes) else onnx_bytes(network)
        (tmp_path / NETWORK_NAME).write_bytes(data)
        (tmp_path / PROPERTY_NAME).write_bytes(property_json(prop))
        told = told or Reports()
        asked = SolveRequest(tmp_path / "model.mps.gz", tmp_path / "log", **({"time_limit_seconds": 60.0} | request))
        return Pgd().solve(asked, told), told

    return run


def drawn(seed: int, norm: Norm, targets: tuple[int, ...] = (1, 2)) -> tuple[Network, VerifyProperty]:
    """A random network 4-6-3 and a set of radius 0.6 in the unit box."""
    generator = np.random.default_rng(seed)
    weights = tuple(generator.normal(size=shape).astype(np.float32) for shape in [(6, 4), (3, 6)])
    network = Network(weights, tuple(generator.normal(size=len(W)).astype(np.float32) for W in weights))
    centre = generator.uniform(0.1, 0.9, size=4)
    box = InputSet(norm, centre, None if norm is Norm.BOX else 0.6, np.zeros(4), np.ones(4))
    return network, VerifyProperty(box, 0, targets, True, None, None)


SHORT = {"restarts": 64, "steps": 50}
FOUND = Termination.SOLUTION_FOUND


@pytest.mark.parametrize("norm", list(Norm))
def test_every_point_is_in_the_set_with_its_value_and_mostly_the_best_is_found(attack: Attack, norm: Norm) -> None:
    gaps = []
    for seed in range(12):
        network, prop = drawn(seed, norm)
        result, told = attack(network, prop, options=SHORT)
        problem, exact = problem_of(prop), ExactNetwork(network)
        for point, incumbent in zip(told.points, told.incumbents, strict=True):
            assert problem.violation(point) == 0
            assert float(problem.replay(exact, point)) == pytest.approx(-incumbent.objective, abs=1e-9)
        best = max(-incumbent.objective for incumbent in told.incumbents)
        assert result.primal_bound == -best
        assert result.termination is (Termination.SOLUTION_FOUND if best >= 0 else Termination.UNRESOLVED)
        assert result.dual_bound is None
        gaps.append(brute_force(network, prop) - best)
    assert min(gaps) > -1e-6
    assert sum(gap < 0.02 for gap in gaps) >= 10


def test_the_same_seed_gives_the_same_points_and_another_does_not(attack: Attack) -> None:
    network, prop = drawn(3, Norm.L1)
    first, again, other = (attack(network, prop, seed=seed, options=SHORT)[1] for seed in (7, 7, 8))
    assert [point.tobytes() for point in first.points] == [point.tobytes() for point in again.points]
    assert [point.tobytes() for point in first.points] != [point.tobytes() for point in other.points]


def test_the_attack_stops_at_its_time_limit_and_returns_what_it_has(attack: Attack) -> None:
    network, prop = drawn(0, Norm.L1)
    started = time.monotonic()
    result, told = attack(network, prop, time_limit_seconds=0.3, options={"restarts": 10**6, "steps": 10**6})
    assert time.monotonic() - started < 30
    assert result.termination is Termination.TIME_LIMIT
    assert told.incumbents


def test_the_attack_stops_on_request(attack: Attack) -> None:
    network, prop = drawn(0, Norm.LINF)
    result, told = attack(network, prop, Reports(stop_after=1), options={"restarts": 10**6, "steps": 5})
    assert result.termination is Termination.INTERRUPTED
    assert len(told.incumbents) == 1


def test_goals_of_several_atoms_are_the_least_of_the_best_disjunct(attack: Attack) -> None:
    """The goal is that class 1 beats 0 and 2, or that class 2 beats 0 by 100, which is out of reach."""
    network, targeted = drawn(1, Norm.BOX)
    far = replace(margin(2, 0), constant=Fraction(-100))
    goal = one_clause(((margin(1, 0), margin(1, 2)), (far,)))
    prop = LinearProperty(targeted.input_set, goal, False, None, None)
    _, told = attack(network, prop, options=SHORT)
    best = max(told.incumbents, key=lambda incumbent: -incumbent.objective)
    outputs = ExactNetwork(network).outputs(np.array(best.columns))
    assert -best.objective == pytest.approx(float(min(outputs[1] - outputs[0], outputs[1] - outputs[2])), abs=1e-9)


def test_goals_of_several_clauses_are_the_least_of_the_clauses(attack: Attack) -> None:
    """The clauses are that class 1 or 2 beats 0 and that class 1 or 0 beats 2."""
    network, targeted = drawn(1, Norm.BOX)
    goal = OutputGoal((((margin(1, 0),), (margin(2, 0),)), ((margin(1, 2),), (margin(0, 2),))))
    prop = LinearProperty(targeted.input_set, goal, False, None, None)
    _, told = attack(network, prop, options=SHORT)
    best = max(told.incumbents, key=lambda incumbent: -incumbent.objective)
    y = ExactNetwork(network).outputs(np.array(best.columns))
    assert -best.objective == pytest.approx(float(min(max(y[1], y[2]) - y[0], max(y[1], y[0]) - y[2])), abs=1e-9)


def test_points_are_in_the_set_that_constraints_among_inputs_cut(attack: Attack) -> None:
    network, targeted = drawn(1, Norm.BOX)
    rows = (
        LinearConstraint(((0, 1), (1, 1), (2, 1)), None, Fraction(1)),
        LinearConstraint(((0, 3), (3, -7)), Fraction(1, 10), Fraction(1, 10)),
    )
    cut = rational_set([(Fraction(0), Fraction(1))] * 4, rows)
    prop = VerifyProperty(cut, targeted.source, targeted.targets, False, None, None)
    _, told = attack(network, prop, options=SHORT)
    assert told.incumbents
    for incumbent in told.incumbents:
        x = np.array(incumbent.columns)
        assert cut.violation(x) == 0
        outputs = ExactNetwork(network).outputs(cut.point(x))
        assert -incumbent.objective == pytest.approx(float(prop.goal.value(outputs)), abs=1e-9)


def test_without_a_threshold_the_attack_reports_the_values_that_it_reaches(attack: Attack) -> None:
    network, targeted = drawn(2, Norm.BOX)
    prop = MaximizeProperty(targeted.input_set, output=0, dataset=None, sample=None)
    result, told = attack(network, prop, options=SHORT)
    assert result.termination is Termination.SOLUTION_FOUND
    corners = np.array(np.meshgrid(*[[0.0, 1.0]] * 4)).reshape(4, -1).T
    assert -result.primal_bound >= network.forward(corners)[:, 0].max() - 1e-6  # type: ignore[operator]
    values = [-incumbent.objective for incumbent in told.incumbents]
    assert values == sorted(values)


def test_a_point_that_only_reaches_a_strict_threshold_is_not_reported(attack: Attack) -> None:
    """Two outputs are always the same, so the margin is 0 everywhere."""
    network = Network((np.zeros((2, 3), dtype=np.float32),), (np.ones(2, dtype=np.float32),))
    box = InputSet(Norm.BOX, np.full(3, 0.5), None, np.zeros(3), np.ones(3))
    strict = VerifyProperty(box, 0, (1,), True, None, None)
    for prop, termination in ((strict, Termination.UNRESOLVED), (replace(strict, strict=False), FOUND)):
        result, told = attack(network, prop, options=SHORT)
        assert (result.termination, result.primal_bound) == (termination, 0.0)
        assert told.incumbents


@pytest.mark.parametrize("norm", [Norm.L1, Norm.LINF])
def test_closest_points_reach_the_margin_and_are_mostly_near_the_optimum(attack: Attack, norm: Norm) -> None:
    gaps = []
    for seed in range(12):
        network, asked = drawn(seed, norm)
        prop = ClosestProperty(asked.input_set, 0, (1, 2), Fraction(1, 100), None, None)
        optimum = brute_force(network, prop)
        result, told = attack(network, prop, options=SHORT)
        for point, incumbent in zip(told.points, told.incumbents, strict=True):
            assert prop.input_set.violation(point) == 0
            assert float(prop.goal.value(ExactNetwork(network).outputs(point))) >= 0.01 - 1e-9
            assert incumbent.objective == pytest.approx(float(prop.input_set.distance(point)), abs=1e-12)
        if optimum == -np.inf:
            assert (told.incumbents, result.primal_bound, result.termination) == ([], None, Termination.UNRESOLVED)
        else:
            gaps.append(optimum + (result.primal_bound if result.primal_bound is not None else np.inf))
    assert len(gaps) >= 6
    assert min(gaps) > -1e-6
    assert sum(gap < 0.02 for gap in gaps) >= 0.7 * len(gaps)


def test_convolutions_are_attacked_as_they_are_stored(attack: Attack, tmp_path: Path) -> None:
    """The value sums relu(x * kernel) on a row of eight: positive kernel numbers pull every x to its upper end."""
    kernel = np.array([[[1.0, 2.0, 0.5]]], dtype=np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "W"], ["z"]),
        helper.make_node("Relu", ["z"], ["h"]),
        helper.make_node("Flatten", ["h"], ["f"]),
        helper.make_node("Gemm", ["f", "V"], ["y"]),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 8])
    told_of = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])
    arrays = [numpy_helper.from_array(kernel, "W"), numpy_helper.from_array(np.ones((6, 1), dtype=np.float32), "V")]
    model = helper.make_model(
        helper.make_graph(nodes, "graph", [given], [told_of], arrays),
        ir_version=8, opset_imports=[helper.make_opsetid("", 13)],
    )  # fmt: skip
    box = InputSet(Norm.BOX, np.zeros(8), None, np.full(8, -1.0), np.ones(8))
    prop = MaximizeProperty(box, output=0, dataset=None, sample=None)
    result, told = attack(model.SerializeToString(), prop, options=SHORT)
    assert result.primal_bound == pytest.approx(-6 * 3.5, abs=1e-9)
    exact = ExactNetwork(read_onnx(tmp_path / NETWORK_NAME))
    for point, incumbent in zip(told.points, told.incumbents, strict=True):
        assert float(problem_of(prop).replay(exact, point)) == pytest.approx(-incumbent.objective, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_neurons_without_relu_pass_their_value_on(seed: int) -> None:
    network = mixed_network((4, 5, 4, 2), seed)
    value = _Value(network, one_clause(((Atom(((1, Fraction(1)),)),),)))
    points = np.random.default_rng(seed).normal(size=(6, 4))
    reached, _ = value.with_gradient(torch.from_numpy(points))
    exact = ExactNetwork(network)
    assert reached.tolist() == pytest.approx([float(exact.outputs(point)[1]) for point in points], abs=1e-12)


def test_sparse_layers_take_the_memory_of_what_they_hold() -> None:
    """As a dense matrix, this layer takes 3.2 GB."""
    n = 20_000
    whole = layer_of(diagonal(np.full(n, 2.0)), np.zeros(n), relu=True, divisor=np.full(n, 4.0))
    network = LayeredNetwork((whole, layer_of(np.ones((1, n)), np.zeros(1), relu=False)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    value, gradient = _Value(network, one_clause(((Atom(((0, Fraction(1)),)),),))).with_gradient(
        torch.ones(2, n).double()
    )
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB
    assert value.tolist() == [n / 2, n / 2]
    assert (gradient == 0.5).all()


# -- numbers beyond what float64 holds ---------------------------------------------------------------------------


def powers(weight: float, layers: int, n_inputs: int = 2) -> Network:
    """y = weight ** layers x_0, for x_0 >= 0."""
    first = np.zeros((1, n_inputs), dtype=np.float32)
    first[0, 0] = weight
    weights = (first, *[np.full((1, 1), weight, dtype=np.float32)] * (layers - 1))
    return Network(weights, tuple(np.zeros(1, dtype=np.float32) for _ in weights))


@pytest.mark.parametrize("weight", [1e38, 1e-37])
def test_gradients_whose_squares_no_float64_holds_are_directions(attack: Attack, weight: float) -> None:
    ball = InputSet(Norm.L1, np.array([0.25, 0.5]), 0.5, np.zeros(2), np.ones(2))
    prop = MaximizeProperty(ball, output=0, dataset=None, sample=None)
    result, told = attack(powers(weight, 6), prop, options={"restarts": 1, "steps": 50})
    assert max(point[0] for point in told.points) == pytest.approx(0.75, abs=1e-6)
    assert result.primal_bound == pytest.approx(-0.75 * float(np.float32(weight)) ** 6, rel=1e-6)


def test_points_whose_values_overflow_are_reported_without_a_claim(attack: Attack, tmp_path: Path) -> None:
    box = InputSet(Norm.BOX, np.full(2, 0.5), None, np.full(2, 0.25), np.ones(2))
    prop = MaximizeProperty(box, output=0, dataset=None, sample=None)
    result, told = attack(powers(1e38, 9), prop, options=SHORT)
    assert (result.termination, result.primal_bound) == (FOUND, None)
    assert all(prop.input_set.violation(point) == 0 for point in told.points) and told.points


def test_points_without_a_value_are_not_reported(attack: Attack) -> None:
    """Every value is infinity minus infinity."""
    network = powers(1e38, 9)
    twice = Network(
        (*network.weights, np.ones((2, 1), dtype=np.float32)), (*network.biases, np.zeros(2, dtype=np.float32))
    )
    box = InputSet(Norm.BOX, np.full(2, 0.5), None, np.full(2, 0.25), np.ones(2))
    result, told = attack(twice, VerifyProperty(box, 0, (1,), True, None, None), options=SHORT)
    assert (result.termination, result.primal_bound, told.incumbents) == (Termination.UNRESOLVED, None, [])


def test_widest_box_is_searched_also_in_a_coordinate_without_gradient(attack: Attack) -> None:
    widest = np.full(2, np.finfo(np.float64).max)
    prop = MaximizeProperty(InputSet(Norm.BOX, np.zeros(2), None, -widest, widest), 0, None, None)
    result, _ = attack(powers(1e-30, 1), prop, options={"restarts": 2, "steps": 50})
    assert result.primal_bound == pytest.approx(-float(np.float32(1e-30)) * widest[0], rel=1e-6)


@pytest.mark.parametrize(
    "option",
    [
        {"restarts": "0"}, {"steps": "many"}, {"step_size": "inf"}, {"step": "1"}, {"restarts": "9" * 400},
        {"step_size": "1e10"},
    ],
)  # fmt: skip
def test_options_that_mean_nothing_are_refused(option: dict[str, str]) -> None:
    with pytest.raises(OptionError, match=f"pgd: .*{next(iter(option))}"):
        get_adapter("pgd").validate_options(option)


@pytest.mark.parametrize("limit", [(0.1, None), (0.0, 5)])
def test_gaps_and_nodes_are_refused(limit: tuple[float, int | None]) -> None:
    with pytest.raises(OptionError, match="leave out mip_gap and node_limit"):
        get_adapter("pgd").validate_limits(*limit)


# -- through the harness -----------------------------------------------------------------------------------------


def runs_of(library: Library, results: Path, goal: StopGoal, setting: str = "pgd:restarts=64") -> Any:
    limits = RunLimits(goal, time_limit_seconds=60.0, memory_limit_bytes=2 << 30)
    run_plan(plan_runs(library.rows, [parse_setting(setting)], [0], limits), library, results, 1, Silent())
    return read_runs(results / "ledger.sqlite").set_index("instance")


def test_counterexamples_are_judged_like_others_and_end_the_run(library: Library, tmp_path: Path) -> None:
    runs = runs_of(library, tmp_path / "results", StopGoal.DECIDE)
    assert (runs.loc["adv--tight", ["verdict", "evidence", "ended_by"]] == ["adversarial", "exact", "judge"]).all()
    assert (runs.loc["rob--tight", ["verdict", "termination", "ended_by"]] == ["unknown", "unresolved", "solver"]).all()
    assert (runs["fault"] == "none").all() and (runs["ranked"] == 0).all()
    assert runs["dual_bound"].isna().all()
    assert runs.loc["rob--tight", "best_exact_value"] == pytest.approx(-0.75, abs=1e-6)
    # the attack works on the surrogate of the second, whose largest value is not that of the dense network
    assert runs.loc["rob-mag-u10--tight", "claimed_value"] == pytest.approx(-0.25, abs=1e-6)
    assert runs.loc["rob-mag-u10--tight", "best_exact_value"] <= -0.75 + 1e-6


def test_values_and_distances_are_confirmed(values: Library, distances: Library, tmp_path: Path) -> None:
    runs = runs_of(values, tmp_path / "values", StopGoal.OPTIMIZE)
    assert (runs["verdict"] == "value").all()
    runs = runs_of(distances, tmp_path / "distances", StopGoal.OPTIMIZE)
    assert runs.loc["near--tight", "verdict"] == "value"
    assert -2.0 <= runs.loc["near--tight", "best_exact_value"] <= -1.0  # 1 is the least, see `distances`


def test_command_line_shows_the_attack_below_the_solvers_as_a_reference(
    library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["run", str(library.folder), "--results", str(tmp_path / "r"), "--time-limit", "20", "--solver", "highs"]
    assert run_command([*run, "--solver", "pgd:restarts=64", "--select", "adv--tight"]) == 0
    assert run_command(["leaderboard", str(tmp_path / "r")]) == 0
    out = capsys.readouterr().out
    ranked, _, approaches = out.partition("Approaches on problems")
    assert "pgd" not in ranked and "highs" in ranked and "pgd restarts=64 (not ranked)" in approaches
    assert "Reference, not ranked" in " ".join(approaches.split())  # what the other formats have
    assert run_command(["confirm", str(tmp_path / "r"), "--library", str(library.folder)]) == 0
