"""The ascent stays in the set, and on tiny networks it mostly finds the largest value that brute force finds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from support.brute_force import brute_force
from vnnbench.instances.families.verify import VerifyProblem
from vnnbench.instances.generation.frank_wolfe import ascend
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import Network
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.property import VerifyProperty

N_INPUTS = 4


def case(seed, norm, targets=(1, 2)):
    """Return a random network 4-3-3 and a set of radius 0.6 in the unit box."""
    generator = np.random.default_rng(seed)
    shapes = [(3, N_INPUTS), (3, 3)]
    weights = tuple(generator.normal(size=shape).astype(np.float32) for shape in shapes)
    network = Network(weights, tuple(generator.normal(size=rows).astype(np.float32) for rows, _ in shapes))
    centre = generator.uniform(0.1, 0.9, size=N_INPUTS)
    radius = None if norm is Norm.BOX else 0.6
    box = InputSet(norm, centre, radius, np.zeros(N_INPUTS), np.ones(N_INPUTS))
    return network, VerifyProperty(box, 0, targets, True, None, None)


def value(network, prop, x):
    return float(VerifyProblem(prop).goal_value(ExactNetwork(network), x))


@pytest.mark.parametrize("norm", list(Norm))
def test_the_point_is_in_the_set_and_mostly_the_best_there_is(norm):
    gaps = []
    for seed in range(30):
        network, prop = case(seed, norm)
        x = ascend(network, prop, "key")
        assert prop.input_set.violation(x) == 0
        gaps.append(brute_force(network, prop) - value(network, prop, x))
    assert min(gaps) > -1e-6
    assert sum(gap < 1e-6 for gap in gaps) >= 20  # it may end at a kink, where the gradient points nowhere better


def test_one_target_is_no_more_than_all_of_them():
    network, prop = case(0, Norm.L1)
    each = [value(network, p, ascend(network, p, "key")) for p in (replace(prop, targets=(k,)) for k in prop.targets)]
    assert value(network, prop, ascend(network, prop, "key")) == pytest.approx(max(each), abs=1e-9)


def test_the_same_key_gives_the_same_bits():
    network, prop = case(1, Norm.L1)
    assert (ascend(network, prop, "key") == ascend(network, prop, "key")).all()


def test_where_nothing_rises_the_answer_is_the_centre():
    network, prop = case(2, Norm.LINF)
    flat = Network((np.zeros_like(network.weights[0]), network.weights[1]), network.biases)
    assert value(flat, prop, ascend(flat, prop, "key")) == value(flat, prop, prop.input_set.centre)
