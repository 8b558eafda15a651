"""Both formulations of a training problem have its optimum: that of each other, and that of brute force."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linprog

from support.solving import Recorder, optimum
from support.train_problems import problem, random_problem, split_of, variant
from vnnbench.instances.families.train import TrainProblem
from vnnbench.instances.formulations.mps import mps_text, parse_mps
from vnnbench.instances.step_networks.train_property import Box, train_property
from vnnbench.instances.train_models import TrainFormulation, encode
from vnnbench.instances.train_models.tight import ALL, Ingredient, encode_tight
from vnnbench.solvers.base import SolveRequest, Termination
from vnnbench.solvers.registry import get_solver

FORMULATIONS = list(TrainFormulation)


# -- brute force -------------------------------------------------------------------------------------------------------


def numbers(box: Box):
    """Return the integers of a box."""
    return range(int(box.lower), int(box.upper) + 1)


def separates(X, pattern, weight: Box, bias: Box, epsilon: float) -> bool:
    """Return whether one neuron has these steps at the inputs X (T, m), by a linear program."""
    rows = np.concatenate([X, np.ones((len(X), 1))], axis=1) * np.where(pattern, -1.0, 1.0)[:, None]
    ends = [(weight.lower, weight.upper)] * X.shape[1] + [(bias.lower, bias.upper)]
    return bool(linprog(np.zeros(X.shape[1] + 1), rows, np.where(pattern, -epsilon, 0.0), bounds=ends).status == 0)


def patterns(X, weight: Box, bias: Box, epsilon: float):
    """Return all steps (T,) that one neuron can have at inputs, with the least sum of weights for each; 0 if they are
    not integers."""
    if not weight.integer:
        tried = itertools.product((False, True), repeat=len(X))
        return {pattern: 0 for pattern in tried if separates(X, pattern, weight, bias, epsilon)}
    found: dict[tuple[bool, ...], int] = {}
    for w in itertools.product(numbers(weight), repeat=X.shape[1]):
        for b in numbers(bias):
            pattern = tuple((X @ w + b >= epsilon).tolist())
            found[pattern] = min(found.get(pattern, 10**9), sum(w))
    return found


def brute_force(prop) -> Fraction:
    """Return the optimal objective of a problem whose weights and biases are all integers or none is."""
    weights, activations, neurons = prop.variant.flags
    best, cheapest = {}, Fraction(10**9)
    hidden = patterns(prop.training.inputs, prop.weight, prop.bias, prop.epsilon)
    for steps in itertools.combinations_with_replacement(hidden, prop.neurons):
        rows = tuple(zip(*steps, strict=True))
        terms = sum(
            hidden[pattern] * weights + sum(pattern) * activations + any(pattern) * neurons for pattern in steps
        )
        if rows not in best:
            outputs = patterns(np.array(rows, dtype=np.float64), prop.output_weight, prop.output_bias, prop.epsilon)
            best[rows] = sum(
                min(np.count_nonzero(np.array(pattern) != (prop.training.classes == k)) for pattern in outputs)
                for k in range(prop.n_classes)
            )
        cheapest = min(cheapest, best[rows] + Fraction(0.1) * terms)
    return cheapest


@pytest.mark.parametrize(
    ("name", "neurons", "samples", "n_classes"),
    [
        ("int", 1, ([[0, 0], [2, 1], [2, 1], [1, 0]], [0, 1, 0, 1]), 2),
        ("int", 2, ([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]), 2),
        ("int", 2, ([[0, 1], [1, 0], [2, 1], [1, 2], [1, 2]], [0, 1, 2, 1, 2]), 3),
        ("000", 1, ([[0.0, 0.0], [0.5, 1.0], [1.0, 0.5], [1.0, 1.0]], [0, 1, 0, 1]), 2),
        ("000", 2, ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]), 2),
        ("001", 2, ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]), 2),
        ("011", 2, ([[0.0, 0.5], [0.5, 0.0], [1.0, 0.5], [1.0, 0.5]], [0, 1, 2, 1]), 3),
        ("010", 1, ([[0.25, 0.0], [0.25, 0.0], [0.25, 0.0], [1.0, 0.0]], [0, 0, 1, 1]), 2),
    ],
)
def test_the_optimum_is_that_of_brute_force(name, neurons, samples, n_classes, tmp_path):
    prop = problem(name, neurons, samples, n_classes)
    wanted = pytest.approx(float(brute_force(prop)), abs=1e-6)
    for formulation in FORMULATIONS:
        assert -optimum("highs", encode(prop, formulation, "m"), tmp_path) == wanted


# -- one against the other ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_both_formulations_have_the_same_optimum(seed, tmp_path):
    prop = random_problem(seed, (4, 6), (1, 2))
    plain, tight = (optimum("highs", encode(prop, formulation, "m"), tmp_path) for formulation in FORMULATIONS)
    assert plain == pytest.approx(tight, abs=1e-5)


@pytest.mark.parametrize("ingredient", list(Ingredient))
@pytest.mark.parametrize("seed", [1, 9, 26, 38])
def test_each_ingredient_keeps_the_optimum_alone_and_as_the_only_one_left_out(ingredient, seed, tmp_path):
    prop = random_problem(seed, (4, 5), (2, 2))
    wanted = pytest.approx(optimum("highs", encode(prop, "plain", "m"), tmp_path), abs=1e-5)
    assert optimum("highs", encode_tight(prop, "m", {ingredient}), tmp_path) == wanted
    assert optimum("highs", encode_tight(prop, "m", ALL - {ingredient}), tmp_path) == wanted


@pytest.mark.parametrize("formulation", FORMULATIONS)
@pytest.mark.parametrize(
    "samples",
    [
        ([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]], [0, 1, 1]),  # no input has a weight
        ([[1.0, 0.5], [1.0, 0.5]], [1, 1]),  # one class, one group
        ([[1.0, 0.0], [0.0, 1.0]], [0, 1]),
    ],
)
def test_degenerate_data_have_models_with_the_same_optimum(samples, formulation, tmp_path):
    for name, errors in (("000", {3: 2.0, 2: 0.0}[len(samples[1])]), ("111", None)):
        limits = {"weight_sum_limit": 1} if name == "111" else {}
        prop = problem(name, 2, samples, **limits)
        found = -optimum("highs", encode(prop, formulation, "m"), tmp_path)
        assert found == pytest.approx(-optimum("highs", encode(prop, "plain", "m"), tmp_path), abs=1e-6)
        assert errors is None or found == pytest.approx(errors, abs=1e-6)


# -- the way of a solution ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("formulation", FORMULATIONS)
@pytest.mark.parametrize("seed", range(12))
def test_an_optimal_solution_decodes_to_a_network_with_the_claimed_objective(seed, formulation, tmp_path):
    prop = random_problem(seed, (4, 6), (1, 2))
    asked, model = TrainProblem(prop), parse_mps(mps_text(encode(prop, formulation, "m")), "m")
    (tmp_path / "m.mps").write_bytes(mps_text(model))
    recorder = Recorder()
    result = get_solver("highs").solve(
        SolveRequest(tmp_path / "m.mps", tmp_path / "log", time_limit_seconds=60.0), recorder
    )
    assert result.termination is Termination.OPTIMAL and result.primal_bound is not None
    network = asked.repair(asked.decoder(recorder.names)(np.array(recorder.incumbents[-1].columns)))
    assert network is not None
    lifted = asked.lifter(model).lift(network)
    assert lifted.violated == ()
    assert float(lifted.objective) == pytest.approx(result.primal_bound, abs=1e-5)
    assert -asked.evaluators({}).own.value(network) == pytest.approx(result.primal_bound, abs=1e-5)


def test_classes_that_have_no_sample_are_learned_as_absent(tmp_path):
    prop = train_property(split_of([[0.0], [1.0]], [0, 2], 4), 1, variant("000"))
    for formulation in FORMULATIONS:
        assert optimum("highs", encode(prop, formulation, "m"), tmp_path) == pytest.approx(0, abs=1e-6)
