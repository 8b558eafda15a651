"""The exact violation of boxes, integers, the limit of the weights, and steps that are not clear."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from support.train_problems import is_clear, problem, random_problem, slow_run, split_of, variant
from vnnbench.instances.step_networks.feasible_set import FeasibleSet
from vnnbench.instances.step_networks.step_network import n_parameters
from vnnbench.instances.step_networks.train_property import train_property


def violation(prop, **numbers):
    """Return the violation by the candidate that is 0 but for these places (w0 is the first weight, b0, q0, c0)."""
    n, m, K = prop.neurons, prop.n_inputs, prop.n_classes
    starts = {"w": 0, "b": n * m, "q": n * m + n, "c": n * m + n + n * K}
    vector = np.zeros(n_parameters(prop))
    for name, number in numbers.items():
        vector[starts[name[0]] + int(name[1:])] = number
    return FeasibleSet(prop).violation(vector)


def test_the_network_without_weights_is_feasible():
    for seed in range(60):
        prop = random_problem(seed)
        assert FeasibleSet(prop).violation(np.zeros(n_parameters(prop))) == 0


@pytest.mark.parametrize(
    ("name", "numbers", "expected"),
    [
        ("000", {"w0": 1.0, "b0": -1.0}, 0),
        ("000", {"w0": np.nextafter(1.0, 2)}, Fraction(1, 2**52)),
        ("000", {"w0": 5e-324}, None),
        ("000", {"q0": 1.5}, Fraction(1, 2)),
        ("100", {"w0": 1.0}, 0),
        ("100", {"w0": 0.25, "b0": -0.25}, Fraction(1, 4)),
        ("100", {"w0": -1.0}, 1),
        ("100", {"b0": -0.5}, 0),
        ("int", {"b0": -0.5}, Fraction(1, 2)),
        ("int", {"c0": 2.0, "q0": 1.0}, 0),
        ("int", {"c0": 3.0}, 1),
    ],
)
def test_the_violation_is_the_largest_distance_from_box_and_integers(name, numbers, expected):
    prop = problem(name)
    gap = Fraction(5e-324) / Fraction(prop.big_m)  # a weight that small leaves its samples between 0 and eps
    assert violation(prop, **numbers) == (gap if expected is None else expected)


def test_a_step_that_is_not_clear_violates_by_its_part_of_the_big_m():
    prop = problem("000", neurons=1)
    eps, M = Fraction(prop.epsilon), Fraction(prop.big_m)
    for bias, gap in ((eps / 2, eps / 2), (eps / 4, eps / 4), (eps * 7 / 8, eps / 8), (eps, 0), (Fraction(0), 0)):
        assert violation(prop, b0=float(bias)) == violation(prop, c0=float(bias)) == gap / M


def test_weights_above_their_limit_violate_it():
    prop = problem("100", weight_sum_limit=1)
    assert violation(prop, w0=1.0) == 0
    assert violation(prop, w0=1.0, w3=1.0) == 1


def test_an_input_that_is_0_in_all_training_samples_has_no_weight():
    prop = train_property(split_of([[0.0, 0.0], [1.0, 0.0]], [0, 1], 2, [[0.0, 1.0]]), 1, variant("000"))
    assert violation(prop, w0=1.0) == 0
    assert violation(prop, w1=1.0) == 1
    allowed = FeasibleSet(prop)
    assert allowed.rounded(np.ones(n_parameters(prop)))[:2].tolist() == [1.0, 0.0]


def test_huge_numbers_have_a_violation():
    prop = problem("110", weight_sum_limit=1)
    assert FeasibleSet(prop).violation(np.full(n_parameters(prop), 1.7e308)) > 1e308


@pytest.mark.parametrize("seed", range(60))
def test_feasible_means_in_the_boxes_with_clear_steps(seed):
    prop, random = random_problem(seed), np.random.default_rng(seed)
    allowed = FeasibleSet(prop)
    rounded = allowed.rounded(random.normal(size=n_parameters(prop)))
    assert (allowed.lower <= rounded).all() and (rounded <= allowed.upper).all()
    total = sum(map(Fraction, rounded[: prop.neurons * prop.n_inputs].tolist()))
    within = prop.weight_sum_limit is None or total <= prop.weight_sum_limit
    assert (allowed.violation(rounded) == 0) == (within and is_clear(prop, slow_run(prop, rounded, prop.training)))
