"""Proofs of tiny problems: accepted by both checkers, and true by brute force. `VNNBENCH_FUZZ_EXAMPLES=2000` makes
more examples."""

from __future__ import annotations

import itertools
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from support.brute_force import brute_force
from support.fraction_proofs import accepts
from support.fuzzing import EXAMPLES
from support.proving import SECONDS, assert_is_reached, proved
from support.random_problems import dense_network, random_layers, random_problem
from vnnbench.common.tolerances import BOUND_TOLERANCE
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.families import problem_of
from vnnbench.instances.networks.network import Layer, LayeredNetwork, everywhere, nowhere
from vnnbench.instances.proofs.checker import check_proof
from vnnbench.instances.proofs.proof_file import Claim, Proof
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.writing import tree_of
from vnnbench.instances.properties.goals import Atom, OutputGoal
from vnnbench.instances.properties.input_set import InputSet, Norm, box_set
from vnnbench.instances.properties.property import LinearProperty, MaximizeProperty, VerifyProperty
from vnnbench.prover import goal, search
from vnnbench.prover import prove as proving
from vnnbench.prover.aim import Decision, Optimum
from vnnbench.prover.device import Torch
from vnnbench.prover.proven_bounds import prove_bounds
from vnnbench.prover.search import Budget, Ending, Search
from vnnbench.prover.setting import Setting
from vnnbench.prover.sound import SoundBounds

EITHER_WAY = st.sampled_from([0, 20])
"""The most inputs at which a set is divided: no set, or every one here."""


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


@given(seed=st.integers(0, 2**32 - 1), few_inputs=EITHER_WAY)
@settings(max_examples=max(1, EXAMPLES // 4), deadline=None)
def test_every_question_about_single_atoms_is_answered_and_brute_force_agrees(seed, few_inputs):
    random = np.random.default_rng(seed)
    network, input_set = verified_network(random)
    classes = random.permutation(network.layers[-1].n_outputs).tolist()
    prop = VerifyProperty(input_set, classes[0], tuple(classes[1:]), bool(random.random() < 0.5), None, None)
    aim, ending, proof = proved(network, prop, few_inputs)
    best = brute_force(network, prop)
    room = 1e-5 * (1 + abs(best))
    if ending is Ending.EXCLUDED:
        assert best < room and accepts(proof, prop, network)
    elif ending is Ending.WITNESS:
        assert_is_reached(aim, network, prop)
        assert problem_of(prop).answers(aim.value)
    else:
        assert abs(best) < room, f"not answered, though the best value is {best}"


@given(seed=st.integers(0, 2**32 - 1), few_inputs=EITHER_WAY)
@settings(max_examples=max(1, EXAMPLES // 10), deadline=None)
def test_a_device_of_torch_answers_as_numpy_does(seed, few_inputs):
    random = np.random.default_rng(seed)
    network, input_set = verified_network(random)
    prop = VerifyProperty(input_set, 0, tuple(range(1, network.layers[-1].n_outputs)), True, None, None)
    assume(abs(brute_force(network, prop)) > 1e-4)
    _, ending, proof = proved(network, prop, few_inputs, device=Torch("cpu"))
    assert ending is proved(network, prop, few_inputs)[1]
    assert ending is Ending.WITNESS or accepts(proof, prop, network)


@given(seed=st.integers(0, 2**32 - 1), few_inputs=EITHER_WAY)
@settings(max_examples=max(1, EXAMPLES // 4), deadline=None)
def test_what_is_answered_about_any_goal_and_set_is_true(seed, few_inputs):
    network, prop = random_problem(np.random.default_rng(seed), most_neurons=5)
    if not isinstance(prop, VerifyProperty | LinearProperty):
        return
    aim, ending, proof = proved(network, prop, few_inputs, seconds=5.0)
    assert proof is None or accepts(proof, prop, network)
    if ending is Ending.WITNESS:
        assert_is_reached(aim, network, prop)
        assert problem_of(prop).answers(aim.value)


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


@pytest.mark.parametrize("few_inputs", [0, 20])
def test_the_maximum_and_a_bound_that_meets_it_are_found(maximum, few_inputs):
    network, prop, best = maximum
    aim, ending, proof = proved(network, prop, few_inputs)
    assert ending is Ending.EXCLUDED
    assert_is_reached(aim, network, prop)
    assert aim.value == pytest.approx(best, rel=1e-6)
    assert aim.value <= check_proof(proof, prop, network).upper <= aim.value + BOUND_TOLERANCE * max(1, abs(aim.value))


@given(seed=st.integers(0, 2**32 - 1), few_inputs=EITHER_WAY)
@settings(max_examples=max(1, EXAMPLES // 4), deadline=None)
def test_the_interval_of_any_maximum_holds_what_brute_force_finds(seed, few_inputs):
    random = np.random.default_rng(seed)
    network, input_set = verified_network(random)
    prop = MaximizeProperty(input_set, 0, None, None)
    aim, _, proof = proved(network, prop, few_inputs, seconds=1.0)
    assert_is_reached(aim, network, prop)
    assert accepts(proof, prop, network)
    assume(abs(aim.value) < 1e9)  # brute force is by linear programs, which fail on larger numbers
    best = brute_force(network, prop)
    room = 1e-5 * (1 + abs(best))
    assert aim.value - room <= best <= proof.upper + room


@pytest.mark.parametrize("few_inputs", [0, 20])
@pytest.mark.parametrize("norm", [Norm.BOX, Norm.L1])
@pytest.mark.parametrize("seed", range(4))
def test_the_interval_of_a_maximum_closes(seed, norm, few_inputs):
    network = dense_network(np.random.default_rng(seed), (6, 6, 5, 1))
    box = -np.ones(6), np.ones(6)
    input_set = box_set(*box) if norm is Norm.BOX else InputSet(norm, np.full(6, 0.25), 1.5, *box)
    aim, ending, proof = proved(network, MaximizeProperty(input_set, 0, None, None), few_inputs)
    assert ending is Ending.EXCLUDED and accepts(proof, MaximizeProperty(input_set, 0, None, None), network)
    assert aim.value <= proof.upper <= aim.value + BOUND_TOLERANCE * max(1, abs(aim.value))


@pytest.mark.parametrize("few_inputs", [0, 20])
def test_a_search_without_time_ends_with_an_interval(maximum, few_inputs):
    network, prop, best = maximum
    aim, ending, proof = proved(network, prop, few_inputs, seconds=-1.0)
    assert ending in (Ending.BUDGET, Ending.EXCLUDED)
    assert accepts(proof, prop, network)
    assert aim.value <= best + 1e-6 * abs(best) and best - 1e-6 * abs(best) <= proof.upper < np.inf


@pytest.fixture
def large():
    """A network of 3x60, and its output over a box, whose maximum takes minutes."""
    random, widths = np.random.default_rng(0), (30, 60, 60, 60)
    layers = [
        Layer(random.normal(size=(b, a)) / a**0.5, np.zeros(b), everywhere(b)) for a, b in itertools.pairwise(widths)
    ]
    network = LayeredNetwork((*layers, Layer(random.normal(size=(1, 60)), np.zeros(1), nowhere(1))))
    return network, box_set(-np.ones(30), np.ones(30))


def test_time_is_kept_and_more_of_it_gives_a_narrower_interval(large):
    network, box = large
    uppers = []
    for seconds in (-1.0, 1.0):
        started = time.monotonic()
        aim, ending, proof = proved(network, MaximizeProperty(box, 0, None, None), seconds=seconds)
        assert ending is Ending.BUDGET and time.monotonic() - started < 10
        assert aim.value < proof.upper
        uppers.append(proof.upper)
    assert uppers[1] < uppers[0]


def test_a_question_that_stays_open_gets_a_bound_and_its_best_point(large):
    network, box = large
    atom = Atom(((0, Fraction(1)),), Fraction(-20))
    prop = LinearProperty(box, OutputGoal((((atom,),),)), True, None, None)
    aim, ending, proof = proved(network, prop, seconds=0.5)
    assert ending is Ending.BUDGET
    assert_is_reached(aim, network, prop)
    assert aim.value < 0 < proof.upper
    assert check_proof(proof, prop, network).upper == Fraction(proof.upper)


def test_the_bound_of_a_search_for_several_disjuncts_never_rises(large):
    network, box = large
    random = np.random.default_rng(1)
    network = LayeredNetwork((*network.layers[:-1], Layer(random.normal(size=(5, 60)), np.zeros(5), nowhere(5))))
    prop = VerifyProperty(box, 0, (1, 2, 3, 4), True, None, None)
    question = Question.about(prop)
    setting = Setting.of(question, network, Decision(problem_of(prop), network, question, least=Fraction(10**6)))
    sound = SoundBounds(setting.question, setting.chain)
    found = Search(setting, sound, prove_bounds(sound, setting.network, None, lambda: False))
    bounds = []
    for cases in (1, 100, 500, 2_000):
        assert found.run(Budget(cases, lambda: False, float("inf"))) is Ending.BUDGET
        bounds.append(found.bound)
    assert all(later < earlier for earlier, later in itertools.pairwise(bounds)), bounds


def test_the_tree_of_an_interval_stays_small(large, monkeypatch):
    network, box = large
    prop, leaves = MaximizeProperty(box, 0, None, None), []
    for most in (10_000, 200):
        monkeypatch.setattr(search, "_OPEN_NODES", (most,))
        setting = Setting.of(Question.about(prop), network, Optimum(problem_of(prop), network))
        sound = SoundBounds(setting.question, setting.chain)
        proven = prove_bounds(sound, setting.network, None, lambda: False)
        found = Search(setting, sound, proven)
        assert found.run(Budget(2_000, lambda: False, float("inf"))) is Ending.BUDGET
        found.finish(SECONDS)
        proof = Proof("p", "0", "0", Claim.UPPER, found.largest_closing, None, np.empty(0), tree_of(found.nodes()))
        leaves.append(check_proof(proof, prop, network).leaves)
    assert leaves[1] < 200 + 2 * 128 < leaves[0]


def test_a_tree_is_found_with_few_open_nodes_too(maximum):
    network, prop, best = maximum
    _, ending, proof = proved(network, prop, few_inputs=0, open_bytes=1.0)
    assert ending is Ending.EXCLUDED and proof.upper == pytest.approx(best, rel=1e-5)


def test_atoms_that_exclude_each_other_are_excluded_by_a_mean_of_them():
    network = LayeredNetwork((Layer(np.array([[1.0], [-1.0]]), np.zeros(2), nowhere(2)),))
    atoms = tuple(Atom(((k, Fraction(1)),), Fraction(-1, 10)) for k in range(2))  # x >= 0.1 and -x >= 0.1
    prop = LinearProperty(box_set(-np.ones(1), np.ones(1)), OutputGoal(((atoms,),)), False, None, None)
    _, ending, proof = proved(network, prop)
    assert ending is Ending.EXCLUDED and sum(proof.tree.weights) == 1 and (proof.tree.weights > 0).all()


def test_a_point_that_meets_two_atoms_at_once_is_found():
    """7 y_1 is just between 2.9999 y_0 and 3 y_0 - 1e-5: the best point of the mean alone breaks an atom."""
    network = LayeredNetwork((Layer(np.eye(2), np.zeros(2), nowhere(2)),))
    atoms = (
        Atom(((0, Fraction(3)), (1, Fraction(-7))), Fraction(-1, 10**5)),
        Atom(((0, Fraction("-2.9999")), (1, Fraction(7)))),
    )
    prop = LinearProperty(box_set(np.zeros(2), np.ones(2)), OutputGoal(((atoms,),)), False, None, None)
    aim, ending, _ = proved(network, prop)
    assert ending is Ending.WITNESS
    assert_is_reached(aim, network, prop)


def test_a_goal_of_too_many_atoms_is_refused(monkeypatch):
    network = LayeredNetwork((Layer(np.eye(3), np.zeros(3), nowhere(3)),))
    prop = VerifyProperty(box_set(np.zeros(3), np.ones(3)), 0, (1, 2), True, None, None)
    assert proved(network, prop)[1] is Ending.WITNESS
    monkeypatch.setattr(goal, "_MOST_ATOMS", 1)
    with pytest.raises(PropertyError, match="its goal has 2 atoms; the prover takes 1"):
        proved(network, prop)


def test_the_next_round_has_as_many_splits_as_fit_into_half_of_the_time_left():
    assert proving._next_splits(None, 1.0, 1000.0, 1.0) == 3
    assert proving._next_splits(None, 1.0, 1000.0, 5.0) == 15
    assert proving._next_splits(None, 1.0, 1.0, 5.0) is None
    assert proving._next_splits(15, 17.0, 1000.0, 1.0) == 60
    assert proving._next_splits(15, 17.0, 100.0, 1.0) == 48  # 50 s for the first cases of all trees, 2 s, and splits
    assert proving._next_splits(15, 17.0, 60.0, 1.0) is None  # 28 splits are less than twice as many
    assert proving._next_splits(960, 1.0, 1e9, 5.0) is None
