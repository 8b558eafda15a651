"""The exact evaluation of step networks, against Fractions and by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from support.train_problems import problem, random_problem, slow_objective, slow_run, split_of, variant
from vnnbench.instances.families.train import TrainEvaluator
from vnnbench.instances.step_networks.step_network import StepNetwork, evaluate, measures, n_parameters
from vnnbench.instances.step_networks.train_property import train_property

EXTREME = [0.0, -0.0, 5e-324, -5e-324, 1e-300, 0.1, -1 / 3, 1.0, -1.0, 1e300, -1e300]


def objective(prop, vector):
    """Return the objective of a candidate."""
    return -TrainEvaluator(prop).value(vector)


@pytest.mark.parametrize("seed", range(40))
def test_steps_and_objective_equal_those_of_fractions(seed):
    prop, random = random_problem(seed), np.random.default_rng(seed)
    for vector in (
        random.uniform(-1, 1, n_parameters(prop)),
        random.choice(EXTREME, n_parameters(prop)),
        random.choice([0.0, prop.epsilon / 2, prop.epsilon, -prop.epsilon], n_parameters(prop)),
    ):
        network = StepNetwork.of_vector(prop, vector)
        found, slow = evaluate(network, prop.training), slow_run(prop, vector, prop.training)
        assert (found.steps.tolist(), found.outputs.tolist()) == (slow.steps, slow.outputs)
        for sums, exact in ((found.hidden, slow.hidden), (found.output, slow.output)):
            assert [[sums.fraction(n) for n in row] for row in sums.numerators.tolist()] == exact
        assert objective(prop, vector) == slow_objective(prop, vector)


def test_a_vector_and_its_network_are_the_same_numbers():
    prop = problem("000", n_classes=3)
    vector = np.arange(n_parameters(prop), dtype=np.float64)
    network = StepNetwork.of_vector(prop, vector)
    assert network.W.tolist() == [[0, 1], [2, 3]] and network.b.tolist() == [4, 5]
    assert network.Q.tolist() == [[6, 7, 8], [9, 10, 11]] and network.c.tolist() == [12, 13, 14]
    assert network.vector().tolist() == vector.tolist()


@pytest.mark.parametrize(("part", "step"), [(0, False), (1, False), (2, True)])
def test_a_step_is_0_at_half_of_epsilon_and_1_above(part, step):
    """The only neuron is its bias: exactly eps / 2, the number below, and the number above."""
    prop = problem("000", neurons=1)
    half = prop.epsilon / 2
    vector = np.zeros(n_parameters(prop))
    vector[2] = [half, np.nextafter(half, 0), np.nextafter(half, 1)][part]
    assert evaluate(StepNetwork.of_vector(prop, vector), prop.training).steps.tolist() == [[step]] * 4


def test_the_first_class_is_predicted_where_no_output_or_several_are_1():
    prop = train_property(split_of([[0.0], [1.0]], [0, 1], 3), 1, variant("000"))
    network = StepNetwork(np.array([[1.0]]), np.zeros(1), np.array([[0.0, 1.0, 1.0]]), np.zeros(3), prop.epsilon)
    found = evaluate(network, prop.training)
    assert found.outputs.tolist() == [[False] * 3, [False, True, True]]
    assert found.predicted.tolist() == [0, 1]


def test_measures_count_weights_activations_and_neurons_of_the_training_samples():
    split = split_of([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1], 2, [[0.0, 1.0], [1.0, 1.0]])
    prop = train_property(split, 3, variant("111"))
    network = StepNetwork(
        W=np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]),
        b=np.array([0.0, -1.0, -1.0]),  # on at samples 1 and 2; at 2; at none
        Q=np.array([[-1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]),
        c=np.array([1.0, 0.0]),
        epsilon=prop.epsilon,
    )
    found = evaluate(network, prop.training)
    assert measures(prop, network, found) == {
        "train_accuracy": 1.0, "test_accuracy": 0.5, "errors": 0, "weights": 4, "activations": 3, "neurons": 2,
    }  # fmt: skip
    assert objective(prop, network.vector()) == Fraction(0.1) * (4 + 3 + 2)
