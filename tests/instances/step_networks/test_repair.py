"""Repair: the result is exactly feasible and has the steps of the rounded candidate, or there is none."""

from __future__ import annotations

import numpy as np
import pytest

from support.train_problems import is_clear, problem, random_problem, slow_run
from vnnbench.instances.step_networks.feasible_set import FeasibleSet
from vnnbench.instances.step_networks.random_networks import random_candidate
from vnnbench.instances.step_networks.repair import repair
from vnnbench.instances.step_networks.step_network import n_parameters
from vnnbench.instances.step_networks.train_property import TrainProperty


def repaired(prop: TrainProperty, candidate):
    """Return the repaired candidate, or None, after checking what holds of every one."""
    allowed = FeasibleSet(prop)
    found = repair(prop, allowed, candidate)
    if found is None:
        return None
    assert (found is candidate) == (allowed.violation(candidate) == 0)
    assert allowed.violation(found) == 0
    run, rounded = slow_run(prop, found, prop.training), slow_run(prop, allowed.rounded(candidate), prop.training)
    assert is_clear(prop, run) and (run.steps, run.outputs) == (rounded.steps, rounded.outputs)
    return found


def feasible_networks(seed, number=4):
    """Yield a random problem with each of some feasible candidates."""
    prop, random = random_problem(seed), np.random.default_rng(seed)
    for _ in range(number):
        found = repaired(prop, random_candidate(prop, random, 0.8))
        if found is not None:
            yield prop, found


@pytest.mark.parametrize("seed", range(60))
def test_a_repaired_network_is_feasible_and_has_the_same_steps(seed):
    prop, random = random_problem(seed), np.random.default_rng(seed)
    for size in (1.0, 1.0, 0.01, 1e300):
        repaired(prop, size * random.normal(size=n_parameters(prop)))


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("size", [1e-12, 1e-9, 1e-7, 1e-5])
def test_a_network_within_solvers_tolerances_of_a_feasible_one_is_repaired(seed, size):
    random = np.random.default_rng(seed)
    for prop, network in feasible_networks(seed):
        assert repaired(prop, network) is network
        near = network + size * random.uniform(-1, 1, len(network))
        assert repaired(prop, near) is not None, near


def one_neuron(prop, *numbers):
    """Return the network of these weights and bias, whose outputs are 0."""
    network = np.zeros(n_parameters(prop))
    network[: len(numbers)] = numbers
    return network


def test_the_bias_moves_to_the_nearest_with_clear_steps():
    prop = problem("000", neurons=1)
    found = repaired(prop, one_neuron(prop, 0.0, 0.0, prop.epsilon - 2e-5))  # on at all samples
    assert found is not None and found.tolist() == one_neuron(prop, 0.0, 0.0, prop.epsilon).tolist()
    found = repaired(prop, one_neuron(prop, 0.5, 0.0, 1e-5 - 0.5))  # off at all samples
    assert found is not None and found.tolist() == one_neuron(prop, 0.5, 0.0, -0.5).tolist()


def test_weights_are_scaled_where_no_bias_has_clear_steps():
    """Off at (0, 0) and (0, 1), on at (1, 0) and (1, 1), which are 0.9 eps apart."""
    prop = problem("000", neurons=1)
    found = repaired(prop, one_neuron(prop, 0.9 * prop.epsilon, 0.0, 1e-7))
    assert found is not None and found[0] == pytest.approx(prop.epsilon) and found[1] == 0


def test_the_linear_program_finds_weights_that_scaling_cannot():
    """The samples are 0.8 eps apart by either weight; the first cannot grow, so the second must."""
    prop = problem("000", neurons=1, samples=([[1 / 1024, 1 / 1024], [0.0, 0.0]], [1, 0]))
    assert prop.epsilon == 1.25 / 1024
    found = repaired(prop, one_neuron(prop, 1.0, 0.0, 0.25 / 1024))
    assert found is not None and found[0] + found[1] >= 1.25


def test_integer_weights_are_rounded_and_not_scaled():
    prop = problem("100", neurons=1)
    found = repaired(prop, one_neuron(prop, 1 - 1e-6, 1e-6, 1e-3 - 1))
    assert found is not None and found.tolist() == one_neuron(prop, 1.0, 0.0, prop.epsilon - 1).tolist()


def test_steps_that_no_feasible_network_has_are_not_repaired():
    """The weight is an integer of at most 1, so the samples on both sides are 0.8 eps apart."""
    prop = problem("100", neurons=1, samples=([[0.0, 1 / 1024], [0.0, 0.0]], [1, 0]))
    assert repaired(prop, one_neuron(prop, 0.0, 1.0, 0.25 / 1024)) is None


def test_weights_above_their_limit_are_not_repaired():
    prop = problem("100", neurons=1, weight_sum_limit=1)
    assert repaired(prop, one_neuron(prop, 1.0, 1.0, -1.0)) is None
