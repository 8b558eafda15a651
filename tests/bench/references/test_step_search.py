"""Every network that the search returns is feasible and worth what it says, and no change of a weight improves it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from support.train_problems import drawn_problem, objective_by_hand, problem_of_points
from vnnbench.instances.families.train import TrainProblem
from vnnbench.instances.step_networks.train_property import VARIANTS, Box, TrainProperty, Variant
from vnnbench.references.step_search import Draft, StepSearch, empty_draft


def drawn_draft(prop: TrainProperty, seed: int) -> Draft:
    draws = np.random.default_rng(seed)
    n, m, K = prop.neurons, prop.n_inputs, prop.n_classes
    W = draws.integers(0, 2, (n, m)).astype(float) if prop.weight.integer else 5.0 * draws.normal(size=(n, m))
    through = prop.training.inputs[draws.integers(0, prop.training.n_samples, n)]
    return Draft(W, -(W * through).sum(axis=1), draws.integers(-1, 2, (n, K)).astype(float), np.ones(K))


def going_on() -> bool:
    return False


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_networks_are_feasible_and_their_objective_is_that_of_brute_force(variant: Variant) -> None:
    for seed in range(8):
        prop = drawn_problem(variant, seed=seed, weight_limit=1 + seed % 2, classes=2 + seed % 3)
        found = StepSearch(prop, seed).improve(drawn_draft(prop, seed), going_on)
        assert found is not None
        vector = found[0].vector()
        assert TrainProblem(prop).violation(vector) == 0
        assert found[1] == pytest.approx(float(objective_by_hand(prop, vector)), abs=1e-9)
        empty = StepSearch(prop, seed).improve(empty_draft(prop), going_on)
        assert empty is not None and found[1] <= empty[1] + 2  # hardly ever worse than nothing


def test_no_change_of_one_integer_weight_and_its_bias_improves_a_network() -> None:
    prop = drawn_problem(VARIANTS[-1], samples=12, inputs=2, classes=2, neurons=2)
    found = StepSearch(prop, 0).improve(drawn_draft(prop, 3), going_on)
    assert found is not None
    least, (n, m) = found[1], found[0].W.shape
    problem = TrainProblem(prop)
    for i in range(n):
        for j in range(m):
            for value in (0.0, 1.0):
                for bias in range(int(prop.bias.lower), int(prop.bias.upper) + 1):
                    W, b = found[0].W.copy(), found[0].b.copy()
                    W[i, j], b[i] = value, bias
                    vector = replace(found[0], W=W, b=b).vector()
                    if problem.violation(vector) == 0:
                        assert float(objective_by_hand(prop, vector)) >= least - 1e-9


def test_useless_weights_and_neurons_are_dropped() -> None:
    """The class is whether the first input is large: one weight and one neuron decide it."""
    points = np.random.default_rng(0).random((20, 3))
    prop = problem_of_points(points, (points[:, 0] > 0.5).astype(int).tolist(), 3, Variant(True, False, True))
    begin = Draft(np.ones((3, 3)), np.full(3, -1.5), np.array([[-1.0, 1.0]] * 3), np.array([0.0, 1.0]))
    found = StepSearch(prop, 0).improve(begin, going_on)
    assert found is not None and found[1] == pytest.approx(0.2)
    assert found[0].W.tolist().count([0.0, 0.0, 0.0]) == 2


@pytest.mark.parametrize("limit", [0, 2])
def test_the_limit_on_the_sum_of_weights_is_kept(limit: int) -> None:
    prop = drawn_problem(Variant(True, False, False), weight_sum_limit=limit)
    found = StepSearch(prop, 0).improve(drawn_draft(prop, 0), going_on)
    assert found is not None and found[0].W.sum() <= limit
    objective_by_hand(prop, found[0].vector())


@pytest.mark.parametrize("variant", [VARIANTS[0], VARIANTS[-1]], ids=lambda variant: variant.name)
def test_samples_without_any_input_have_networks_too(variant: Variant) -> None:
    prop = problem_of_points(np.zeros((5, 2)), [0, 1, 1, 1, 0], 2, variant)
    for begin in (empty_draft(prop), drawn_draft(prop, 0)):
        found = StepSearch(prop, 0).improve(begin, going_on)
        assert found is not None and 4 <= found[1] < 5
        assert found[1] == pytest.approx(float(objective_by_hand(prop, found[0].vector())))


def test_a_large_margin_is_kept_at_the_outputs() -> None:
    """With eps = 1/4 no output can want more than four of its neurons."""
    drawn = drawn_problem(Variant(False, False, False), neurons=8, samples=30)
    prop = replace(drawn, epsilon=0.25, output_bias=Box(-0.75, 1.0, False))
    for seed in range(10):
        begin = replace(drawn_draft(prop, seed), Q=np.ones((8, 3)), thresholds=np.full(3, 6.0))
        found = StepSearch(prop, seed).improve(begin, going_on)
        assert found is not None
        assert found[1] == objective_by_hand(prop, found[0].vector())


def test_a_stop_ends_the_search_with_what_it_has() -> None:
    prop = drawn_problem(Variant(False, True, False), neurons=3)
    assert StepSearch(prop, 0).improve(drawn_draft(prop, 0), lambda: True) is None
    polls = iter([False] * 4)
    found = StepSearch(prop, 0).improve(drawn_draft(prop, 0), lambda: next(polls, True))
    assert found is not None and found[1] == pytest.approx(float(objective_by_hand(prop, found[0].vector())))
