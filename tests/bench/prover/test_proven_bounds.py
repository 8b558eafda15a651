"""Proven bounds of pre-activations: they hold at points of the set, narrow with more splits, and stop at a deadline."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from vnnbench.instances.networks.network import Layer, LayeredNetwork, everywhere, nowhere
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.proof_file import Claim, Proof, empty_tree
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.writing import ProvenBound
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.property import VerifyProperty
from vnnbench.prover import proven_bounds
from vnnbench.prover.proven_bounds import prove_bounds
from vnnbench.prover.relaxed import RelaxedNetwork
from vnnbench.prover.sound import SoundBounds


@pytest.fixture
def network() -> LayeredNetwork:
    """A network of layers with 12, 12 and 12 ReLUs, one of them without weights, and two outputs."""
    random, layers = np.random.default_rng(5), []
    for n_in in (6, 12, 12):
        W, b = random.normal(size=(12, n_in)), random.normal(size=12) / 4
        W[3], b[3] = 0.0, 0.0
        layers.append(Layer(W, b, everywhere(12)))
    return LayeredNetwork((*layers, Layer(random.normal(size=(2, 12)), np.zeros(2), nowhere(2))))


def proved_bounds(network, splits, *, is_over=False):
    n = network.layers[0].n_inputs
    prop = VerifyProperty(InputSet(Norm.L1, np.zeros(n), 1.0, -np.ones(n), np.ones(n)), 0, (1,), True, None, None)
    proof = Proof("p", "0", "0", Claim.EXCLUDED, None, None, np.empty(0), empty_tree())
    question, chain = Question.of(proof, prop), Chain(network)
    sound = SoundBounds(question, chain)
    proven = prove_bounds(sound, RelaxedNetwork(chain, question.whole), splits, lambda: is_over)
    n = chain.starts[-2]
    return sound.bounds.lower[:n], sound.bounds.upper[:n], proven


def width(lower, upper):
    unstable = (lower < 0) & (upper > 0)
    return (upper - lower)[unstable].sum()


def leaves(bound: ProvenBound) -> int:
    waiting, n = [bound.tree], 0
    while waiting:
        tree = waiting.pop()
        n += tree.children is None
        waiting += tree.children or ()
    return n


@pytest.mark.parametrize("splits", [None, 0, 5])
def test_bounds_hold_at_points_of_the_set_and_are_float32(network, splits):
    lower, upper, proven = proved_bounds(network, splits)
    random = np.random.default_rng(0)
    h = random.normal(size=(500, 6))
    h /= np.abs(h).sum(axis=1, keepdims=True)
    z = []
    for layer in network.layers[:3]:
        z.append(h @ layer.W.T + layer.b)
        h = layer.activate(z[-1])
    z = np.concatenate(z, axis=1)
    assert (z >= lower - 1e-9).all() and (z <= upper + 1e-9).all()
    assert all(Fraction(bound.value) == Fraction(float(np.float32(bound.value))) for bound in proven)


def test_more_splits_narrow_the_bounds(network):
    widths = [width(*proved_bounds(network, splits)[:2]) for splits in (None, 0, 3, 20)]
    assert all(later < earlier for earlier, later in itertools.pairwise(widths)), widths


def test_trees_of_earlier_layers_have_more_splits_and_the_first_layer_has_none(network):
    *_, proven = proved_bounds(network, 3)
    most = {bound.layer: 0 for bound in proven if bound.tree is not None}
    for bound in proven:
        if bound.tree is not None:
            most[bound.layer] = max(most[bound.layer], leaves(bound))
    assert most == {2: 6, 3: 3}  # 5 and 2 splits: 3 times and over the root of 3


def test_layers_of_a_very_deep_network_have_at_most_27_times_the_splits():
    layer, last = Layer(np.eye(1), np.zeros(1), everywhere(1)), Layer(np.eye(1), np.zeros(1), nowhere(1))
    of_layer = proven_bounds._by_layer(Chain(LayeredNetwork((*[layer] * 12, last))), 10)
    assert list(of_layer) == list(range(2, 13)) and list(of_layer.values()) == [270] * 3 + [90, 30, 10, 3, 1] + [0] * 3


def test_a_stable_relu_has_only_the_bound_that_shows_it(network):
    lower, upper, proven = proved_bounds(network, 3)
    recorded = {(bound.layer, bound.neuron, bound.is_upper) for bound in proven}
    for i, (least, most) in enumerate(zip(lower, upper, strict=True)):
        layer, j = i // 12 + 1, i % 12
        assert ((layer, j, True) in recorded) == (least < 0 or most <= 0)
        assert ((layer, j, False) in recorded) == (most > 0 or least >= 0)


def test_a_neuron_without_weights_is_bounded_exactly(network):
    lower, upper, _ = proved_bounds(network, None)
    assert lower[3::12].tolist() == upper[3::12].tolist() == [0.0] * 3


def test_trees_do_not_grow_when_time_is_over(network):
    *_, proven = proved_bounds(network, 50, is_over=True)
    assert all(leaves(bound) == 1 for bound in proven if bound.tree is not None)
