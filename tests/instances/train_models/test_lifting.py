"""Lifting of networks into both formulations, in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from support.train_problems import problem, random_problem, slow_objective, split_of, variant
from vnnbench.instances.errors import ModelError
from vnnbench.instances.families.train import TrainProblem
from vnnbench.instances.formulations.milp import MilpBuilder
from vnnbench.instances.formulations.mps import mps_text, parse_mps
from vnnbench.instances.step_networks.random_networks import random_candidate
from vnnbench.instances.step_networks.step_network import StepNetwork, n_parameters
from vnnbench.instances.step_networks.train_property import train_property
from vnnbench.instances.train_models import encode
from vnnbench.instances.train_models.lifting import TrainLifter
from vnnbench.instances.train_models.rounding import objective_rounding


def read(prop, formulation):
    """Return the model as its file holds it."""
    return parse_mps(mps_text(encode(prop, formulation, "m")), "m")


def feasible(prop, seed, number=3):
    """Yield feasible candidates."""
    random, asked = np.random.default_rng(seed), TrainProblem(prop)
    for _ in range(number):
        found = asked.repair(random_candidate(prop, random, 0.8))
        if found is not None:
            yield found


@pytest.mark.parametrize("seed", range(80))
def test_a_feasible_network_is_in_both_files_with_its_objective(seed):
    prop = random_problem(seed)
    for formulation in ("plain", "tight"):
        model = read(prop, formulation)
        lifter, rounding = TrainLifter(model, prop), Fraction(objective_rounding(model))
        for network in (np.zeros(n_parameters(prop)), *feasible(prop, seed)):
            lifted = lifter.lift(network)
            assert (lifted.violated, lifted.violation) == ((), 0)
            assert lifted.candidate is not None
            assert abs(lifted.objective - slow_objective(prop, lifted.candidate)) <= rounding
            assert slow_objective(prop, lifted.candidate) <= slow_objective(prop, network)
            if prop.n_classes > 2 or formulation == "plain":
                assert slow_objective(prop, lifted.candidate) == slow_objective(prop, network)
            assert lifter.lift(lifted.candidate).candidate.tolist() == lifted.candidate.tolist()


def test_the_file_without_a_second_output_holds_the_better_of_the_two():
    """Output 0 is always wrong; output 1 is right at (1) and 1 at no other sample."""
    prop = train_property(split_of([[0.0], [1.0]], [0, 1]), 1, variant("000"))
    network = StepNetwork(np.ones((1, 1)), np.zeros(1), np.array([[1.0, 1.0]]), np.zeros(2), prop.epsilon)
    assert slow_objective(prop, network.vector()) == 2
    lifted = TrainLifter(read(prop, "tight"), prop).lift(network.vector())
    assert lifted.objective == 0 and lifted.candidate is not None
    assert StepNetwork.of_vector(prop, lifted.candidate).Q.tolist() == [[-1.0, 1.0]]
    assert TrainLifter(read(prop, "plain"), prop).lift(network.vector()).objective == 2


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("formulation", ["plain", "tight"])
def test_an_infeasible_network_violates_the_file(seed, formulation):
    prop, random = random_problem(seed), np.random.default_rng(seed)
    asked, lifter = TrainProblem(prop), TrainLifter(read(prop, formulation), prop)
    for network in feasible(prop, seed):
        for change in (3.0, -3.0, 0.3, prop.epsilon / 4, -prop.epsilon / 4):
            changed = network.copy()
            changed[random.integers(len(network))] += change
            held = lifter.lift(changed).candidate
            assert held is not None
            lifted, violation = lifter.lift(changed), asked.violation(held)
            assert bool(lifted.violated) == (lifted.violation > 0)
            if formulation == "plain" or prop.n_classes > 2:
                assert (violation > 0) == (asked.violation(changed) > 0)
            if violation > 0 and (formulation == "plain" or prop.n_classes > 2):
                assert lifted.violated


def test_a_weight_without_a_column_is_a_violation():
    prop = train_property(split_of([[0.0, 0.5], [0.0, 0.25]], [0, 1], 2, [[1.0, 0.0]]), 1, variant("000"))
    network = np.zeros(n_parameters(prop))
    network[0] = -0.25
    lifted = TrainLifter(read(prop, "plain"), prop).lift(network)
    assert (lifted.violated, lifted.violation) == (("w_0_0",), Fraction(1, 4))


def test_a_neuron_between_its_sides_violates_its_row_by_the_gap():
    prop = problem("000", neurons=1)
    network = np.zeros(n_parameters(prop))
    network[2] = prop.epsilon / 4
    lifted = TrainLifter(read(prop, "plain"), prop).lift(network)
    assert lifted.violated == tuple(f"off_{t}_0" for t in range(4))
    assert lifted.violation == Fraction(prop.epsilon) / 4


def with_column(*names):
    """Return a model of these columns, each in a row of its own, and an empty row."""
    builder = MilpBuilder("m")
    builder.add_row("empty", "L", 0.0, [], [])
    for name in names:
        builder.add_row(f"r_{name}", "L", 1.0, [builder.add_column(name, 0.0, 1.0)], [1.0])
    builder.add_row("last", "G", -1.0, [], [])
    return builder.build()


@pytest.mark.parametrize("name", ["x_0", "w_0", "w_0_2", "st_4_0", "st_99999999_0", "E_0_2", "one_1", "KS", "w_00_0"])
def test_a_column_without_a_meaning_is_one_line(name):
    with pytest.raises(ModelError, match=r"^m: (a )?column .* (no known meaning|not about this problem)"):
        TrainLifter(with_column("b_0", name), problem("000"))


def test_a_row_without_entries_is_compared_with_0():
    prop = problem("000")
    lifted = TrainLifter(with_column("b_0", "one"), prop).lift(np.zeros(n_parameters(prop)))
    assert lifted.violated == ()
    builder = MilpBuilder("m")
    builder.add_row("wrong", "G", 1.0, [], [])
    builder.add_row("r", "L", 1.0, [builder.add_column("one", 0.0, 1.0)], [1.0])
    lifted = TrainLifter(builder.build(), prop).lift(np.zeros(n_parameters(prop)))
    assert (lifted.violated, lifted.violation) == (("wrong",), 1)


def test_a_neuron_that_is_used_comes_first_in_an_ordered_file():
    prop = problem("001", neurons=3)
    network = StepNetwork(
        W=np.array([[0.0, 0.0], [1.0, 1.0], [-1.0, -1.0]]),
        b=np.array([-1.0, -1.0, 1.0]),  # at no sample; at (1, 1); at (0, 0)
        Q=np.zeros((3, 2)),
        c=np.zeros(2),
        epsilon=prop.epsilon,
    )
    lifted = TrainLifter(read(prop, "tight"), prop).lift(network.vector())
    assert lifted.violated == () and lifted.candidate is not None
    assert StepNetwork.of_vector(prop, lifted.candidate).b.tolist() == [1.0, -1.0, -1.0]
    assert StepNetwork.of_vector(prop, lifted.candidate).W.tolist() == [[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0]]
