"""The random networks with which a library's files are checked."""

from __future__ import annotations

import numpy as np
import pytest

from support.train_problems import random_problem, split_of, variant
from vnnbench.instances.step_networks.feasible_set import FeasibleSet
from vnnbench.instances.step_networks.random_networks import random_candidate
from vnnbench.instances.step_networks.step_network import StepNetwork, evaluate
from vnnbench.instances.step_networks.train_property import VARIANTS, train_property


@pytest.mark.parametrize("seed", range(60))
def test_numbers_are_in_their_boxes_and_within_the_limit(seed):
    prop, random = random_problem(seed), np.random.default_rng(seed)
    allowed = FeasibleSet(prop)
    for density in (1.0, 0.3):
        candidate = random_candidate(prop, random, density)
        assert allowed.rounded(candidate).tolist() == candidate.tolist()
        if prop.weight_sum_limit is not None:
            assert candidate[: prop.neurons * prop.n_inputs].sum() <= prop.weight_sum_limit


@pytest.mark.parametrize("name", [found.name for found in VARIANTS])
def test_neurons_are_on_at_some_samples_and_off_at_others(name):
    random = np.random.default_rng(1)
    X = random.integers(0, 10, size=(40, 6), endpoint=True).astype(np.float64)
    X = X if name == "int" else np.rint(X / 10 * 1024) / 1024
    prop = train_property(split_of(X, random.integers(2, size=40).tolist()), 8, variant(name))
    network = StepNetwork.of_vector(prop, random_candidate(prop, random, 1.0))
    found = evaluate(network, prop.training)
    assert (found.steps.any(axis=0) & ~found.steps.all(axis=0)).sum() >= 6
    assert found.outputs.any()
