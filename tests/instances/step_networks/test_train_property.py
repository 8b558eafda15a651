"""The boxes and eps of training problems, and the rules on which formulations and judge rely."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from support.train_problems import problem, random_problem, slow_run, split_of, variant
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.step_networks.feasible_set import FeasibleSet
from vnnbench.instances.step_networks.step_network import n_parameters
from vnnbench.instances.step_networks.train_property import (
    EPSILON_PER_BIG_M,
    MIN_EPSILON,
    VARIANTS,
    Box,
    check_property,
    train_property,
)


def test_there_are_nine_variants_with_names_of_their_own():
    assert [found.name for found in VARIANTS] == ["000", "001", "010", "011", "100", "101", "110", "111", "int"]


@pytest.mark.parametrize("seed", range(80))
def test_epsilon_is_large_enough_for_the_big_m_and_the_big_m_for_every_pre_activation(seed):
    prop, random = random_problem(seed), np.random.default_rng(seed)
    assert max(MIN_EPSILON, EPSILON_PER_BIG_M * prop.big_m) <= prop.epsilon <= 1
    allowed = FeasibleSet(prop)
    corners = [allowed.lower, allowed.upper, np.where(random.random(n_parameters(prop)) < 0.5, *2 * [allowed.lower])]
    corners += [np.where(random.random(n_parameters(prop)) < 0.5, allowed.lower, allowed.upper) for _ in range(10)]
    for corner in corners:
        total = corner[: prop.neurons * prop.n_inputs].sum()
        if prop.weight_sum_limit is not None and total > prop.weight_sum_limit:
            continue
        run = slow_run(prop, corner, prop.training)
        values = [value for sums in (*run.hidden, *run.output) for value in sums]
        assert max(values) <= prop.big_m and min(values) >= prop.epsilon - prop.big_m


@pytest.mark.parametrize("name", [found.name for found in VARIANTS])
def test_the_box_of_output_biases_maps_onto_itself_under_the_complement(name):
    for neurons in (1, 2, 8):
        prop = problem(name, neurons)
        box = prop.output_bias
        assert (prop.epsilon - box.upper, prop.epsilon - box.lower) == (box.lower, box.upper)


def test_a_limit_on_the_weights_makes_the_big_m_smaller():
    split = split_of(np.ones((2, 100)), [0, 1])
    assert train_property(split, 2, variant("100")).big_m == 101
    assert train_property(split, 2, variant("100"), weight_sum_limit=5).big_m == 6


def test_an_integer_network_with_too_large_sums_is_refused_in_one_line():
    split = split_of(np.full((2, 3_000), 10.0), [0, 1])
    with pytest.raises(PropertyError, match=r"^data set tiny: a big-M of 30001 needs an epsilon of 1\.20004 to 1"):
        train_property(split, 2, variant("int"))
    assert train_property(split, 2, variant("int"), weight_sum_limit=50).epsilon == 1


def test_a_continuous_network_with_too_large_sums_is_refused_in_one_line():
    split = split_of(np.ones((2, 30_000)), [0, 1])
    with pytest.raises(PropertyError, match=r"^data set tiny: a big-M of 30002\.2 needs an epsilon of 1\.2"):
        train_property(split, 2, variant("000"))


@pytest.mark.parametrize(
    ("name", "changes", "error"),
    [
        ("000", {"neurons": 0}, "there are 0 neurons; there must be 1 to 1000"),
        ("000", {"neurons": 10**6}, "there are 1000000 neurons; there must be 1 to 1000"),
        ("000", {"weight_sum_limit": 3}, "only sparse weights may have a weight_sum_limit"),
        ("100", {"weight": Box(-1.0, 1.0, True)}, "sparse weights must lie in a box from 0 on"),
        ("000", {"output_weight": Box(-1.0, 0.5, False)}, "the box of output weights must be symmetric"),
        ("000", {"output_bias": Box(-1.0, 1.0, False)}, "the ends of the box of output biases must have the sum eps"),
        ("int", {"output_bias": Box(-2.0, 2.0, True)}, "the ends of the box of output biases must have the sum eps"),
        (
            "000",
            {"epsilon": 2 / 4096, "output_bias": Box(2 / 4096 - 1, 1.0, False)},
            "a big-M of 3.00049 needs an epsilon",
        ),
        ("000", {"weight": Box(-1000.0, 1000.0, False)}, "a big-M of 2001 needs an epsilon of 0.0800"),
    ],
)
def test_a_broken_rule_is_refused(name, changes, error):
    with pytest.raises(PropertyError, match=f"^data set tiny: {error}"):
        check_property(replace(problem(name), **changes))


@pytest.mark.parametrize(
    ("samples", "n_inputs", "neurons", "error"),
    [
        (2, 500_000, 1, "a network of 1 neurons has more than 500000 weights and biases"),
        (200_000, 1, 10, "a network of 10 neurons has more than 2000000 steps at 200001 samples"),
    ],
)
def test_a_problem_too_large_for_a_judge_is_refused(samples, n_inputs, neurons, error):
    split = split_of(np.zeros((samples, n_inputs)), np.zeros(samples, dtype=int).tolist())
    with pytest.raises(PropertyError, match=error):
        train_property(split, neurons, variant("000"))


def test_inputs_of_an_integer_network_are_integers():
    with pytest.raises(PropertyError, match="inputs of an integer network must be integers"):
        train_property(split_of([[0.5], [1.0]], [0, 1]), 1, variant("int"))
