"""Proofs of tiny problems: accepted by both checkers, and true by brute force. `VNNBENCH_FUZZ_EXAMPLES=2000` makes
more examples."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.brute_force import brute_force
from support.fraction_proofs import accepts
from support.fuzzing import EXAMPLES
from support.random_problems import random_layers, random_problem
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.families import problem_of
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import Layer, LayeredNetwork, everywhere, nowhere
from vnnbench.instances.proofs.checker import check_proof
from vnnbench.instances.proofs.proof_file import Claim, Proof, empty_tree
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.writing import tree_of
from vnnbench.instances.properties.goals import Atom, OutputGoal
from vnnbench.instances.properties.input_set import InputSet, Norm, box_set
from vnnbench.instances.properties.property import LinearProperty, MaximizeProperty, VerifyProperty
from vnnbench.prover import goal
from vnnbench.prover.prove import prove
from vnnbench.prover.search import Ending
from vnnbench.prover.witness import Witnesses

SECONDS = 60.0


def claimed(claim, upper=None):
    """Return a proof that claims this, without its tree."""
    return Proof("p", "0", "0", claim, upper, None, np.empty(0), empty_tree())


def proved(network, prop, proof=None, **limits):
    """Return what proving a property finds, and the proof, checked, if it is a tree."""
    proof = claimed(Claim.EXCLUDED) if proof is None else proof
    question = Question.of(proof, prop)
    found = prove(question, network, Witnesses(prop, network, proof.upper), **{"seconds": SECONDS, **limits})
    if found.tree is None:
        return found, None
    proof = replace(proof, tree=tree_of(found.tree))
    check_proof(proof, prop, network)
    return found, proof


def verified_network(random, n_relus=8):
    """Draw a network with at most so many ReLUs and two outputs or more, and a ball or a box."""
    while True:
        network = random_layers(random, int(random.integers(1, 5)), 4)
        layers = network.layers
        if len(layers[-1].b) > 1 and 0 < sum(int(layer.relu.sum()) for layer in layers) <= n_relus:
            break
    n = layers[0].n_inputs
    lower, upper = -random.random(n), random.random(n)
    if random.random() < 0.4:
        return network, box_set(lower, upper)
    return network, InputSet(Norm.L1, np.zeros(n), float(random.uniform(0.1, 1.5)), lower, upper)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=max(1, EXAMPLES // 4), deadline=None)
def test_every_question_about_single_atoms_is_answered_and_brute_force_agrees(seed):
    random = np.random.default_rng(seed)
    network, input_set = verified_network(random)
    classes = random.permutation(network.layers[-1].n_outputs).tolist()
    prop = VerifyProperty(input_set, classes[0], tuple(classes[1:]), bool(random.random() < 0.5), None, None)
    found, proof = proved(network, prop)
    best = brute_force(network, prop)
    room = 1e-5 * (1 + abs(best))
    if found.ending is Ending.EXCLUDED:
        assert best < room and accepts(proof, prop, network)
    elif found.ending is Ending.WITNESS:
        problem = problem_of(prop)
        assert problem.violation(found.witness) == 0
        assert problem.answers(problem.evaluate(ExactNetwork(network), found.witness))
    else:
        assert abs(best) < room, f"not answered, though the best value is {best}"


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=max(1, EXAMPLES // 4), deadline=None)
def test_what_is_answered_about_any_goal_and_set_is_true(seed):
    network, prop = random_problem(np.random.default_rng(seed), most_neurons=5)
    if not isinstance(prop, VerifyProperty | LinearProperty):
        return
    found, proof = proved(network, prop)
    if proof is not None:
        assert accepts(proof, prop, network)
    elif found.witness is not None:
        problem = problem_of(prop)
        assert problem.violation(found.witness) == 0
        assert problem.answers(problem.evaluate(ExactNetwork(network), found.witness))


@pytest.fixture
def maximum():
    """A network of 3 inputs whose first output is to be maximized over a box, and that maximum."""
    random = np.random.default_rng(3)
    while True:
        network, _ = verified_network(random)
        prop = MaximizeProperty(
            box_set(-np.ones(network.layers[0].n_inputs), np.ones(network.layers[0].n_inputs)), 0, None, None
        )
        best = brute_force(network, prop)
        if len(network.layers) > 2 and 0.5 < abs(best) < 100:
            return network, prop, best


def test_an_upper_bound_just_above_the_maximum_is_proved(maximum):
    network, prop, best = maximum
    upper = best + 1e-3 * abs(best)
    found, proof = proved(network, prop, claimed(Claim.UPPER, upper))
    assert found.ending is Ending.EXCLUDED
    assert check_proof(proof, prop, network).upper == Fraction(upper)


def test_a_number_below_the_maximum_is_refuted_by_a_point_above_it(maximum):
    network, prop, best = maximum
    upper = best - 1e-3 * abs(best)
    found, _ = proved(network, prop, claimed(Claim.UPPER, upper))
    assert found.ending is Ending.WITNESS
    assert problem_of(prop).evaluate(ExactNetwork(network), found.witness) > upper


def test_a_search_without_time_ends_open_with_a_bound(maximum):
    network, prop, best = maximum
    found, _ = proved(network, prop, claimed(Claim.UPPER, best + 1e-9 * abs(best)), seconds=-1.0)
    assert found.ending in (Ending.BUDGET, Ending.EXCLUDED)
    if found.ending is Ending.BUDGET:
        assert found.witness is None and found.tree is None and np.isfinite(found.bound)


def test_time_is_kept():
    random, widths = np.random.default_rng(0), (30, 60, 60, 60)
    layers = [
        Layer(random.normal(size=(b, a)) / a**0.5, np.zeros(b), everywhere(b)) for a, b in itertools.pairwise(widths)
    ]
    network = LayeredNetwork((*layers, Layer(random.normal(size=(1, 60)), np.zeros(1), nowhere(1))))
    prop = MaximizeProperty(box_set(-np.ones(30), np.ones(30)), 0, None, None)
    started = time.monotonic()
    found, _ = proved(network, prop, claimed(Claim.UPPER, 20.0), seconds=1.0)
    assert found.ending is Ending.BUDGET and time.monotonic() - started < 10


def test_a_tree_is_found_with_few_open_nodes_too(maximum):
    network, prop, best = maximum
    found, _ = proved(network, prop, claimed(Claim.UPPER, best + 1e-3 * abs(best)), most_open_nodes=1)
    assert found.ending is Ending.EXCLUDED


def test_atoms_that_exclude_each_other_are_excluded_by_a_mean_of_them():
    network = LayeredNetwork((Layer(np.array([[1.0], [-1.0]]), np.zeros(2), nowhere(2)),))
    atoms = tuple(Atom(((k, Fraction(1)),), Fraction(-1, 10)) for k in range(2))  # x >= 0.1 and -x >= 0.1
    prop = LinearProperty(box_set(-np.ones(1), np.ones(1)), OutputGoal(((atoms,),)), False, None, None)
    found, proof = proved(network, prop)
    assert found.ending is Ending.EXCLUDED and sum(proof.tree.weights) == 1 and (proof.tree.weights > 0).all()


def test_a_goal_of_too_many_atoms_is_refused(monkeypatch):
    network = LayeredNetwork((Layer(np.eye(3), np.zeros(3), nowhere(3)),))
    prop = VerifyProperty(box_set(np.zeros(3), np.ones(3)), 0, (1, 2), True, None, None)
    assert prove(Question.about(prop), network, Witnesses(prop, network), 5.0).ending is Ending.WITNESS
    monkeypatch.setattr(goal, "_MOST_ATOMS", 1)
    with pytest.raises(PropertyError, match="its goal has 2 atoms; the prover takes 1"):
        prove(Question.about(prop), network, Witnesses(prop, network), 5.0)
