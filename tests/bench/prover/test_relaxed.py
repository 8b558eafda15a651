"""The relaxation in float32: the bounds of the one in float64 that it follows, over random cases."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from vnnbench.instances.bounds.levels import BoundLevel, bound_layers
from vnnbench.instances.bounds.relaxation import Choice, Relaxation
from vnnbench.instances.bounds.support_function import Support
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.network import Layer, LayeredNetwork, nowhere
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.question import Part
from vnnbench.instances.proofs.reading import Bounds
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.prover import region, relaxed
from vnnbench.prover.cases import Cases
from vnnbench.prover.device import CPU, Torch
from vnnbench.prover.relaxed import Functions, RelaxedNetwork
from vnnbench.prover.steps import OF_CASE, Schedule, descend

M = 30


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


class Example:
    """A network of layers with 6, 5 and 4 neurons, one of them without a ReLU and one with divisors, over a ball; and
    functions of its last layer over random cases."""

    def __init__(self, random: np.random.Generator) -> None:
        sizes, layers = (8, 6, 5, 4), []
        for n_in, n_out in itertools.pairwise(sizes):
            W, b = random.normal(size=(n_out, n_in)), random.normal(size=n_out) / 4
            layers.append(Layer(W, b, random.random(n_out) < 0.9, np.full(n_out, 3.0) if n_out == 5 else None))
        self.network = LayeredNetwork((*layers, Layer(np.eye(4), np.zeros(4), nowhere(4))))
        centre = random.random(8)
        self.input_set = InputSet(Norm.L1, centre, 1.5, np.zeros(8), np.ones(8))
        self.found = bound_layers(self.network, self.input_set, BoundLevel.BACKWARD)
        self.chain = Chain(self.network)
        self.bounds = Bounds(*(np.concatenate([getattr(b, end) for b in self.found]) for end in ("lower", "upper")))
        part = Part(self.input_set.lower, self.input_set.upper, centre, Fraction(1.5))
        self.relaxed = RelaxedNetwork(self.chain, part)
        self.functions = Functions(*self.float32(random.normal(size=(M, 4)), random.normal(size=M)), depth=3)
        n = self.chain.starts[3]
        self.lines = self.relaxed.lines(self.bounds, 3)
        can_split = self.bounds.unstable(self.chain.relu[:n])
        self.phase = np.where(can_split, random.choice([-1, 0, 0, 1], size=(M, n)), 0).astype(np.int8)
        (self.choice,) = self.float32(random.random((M, n)))

    @staticmethod
    def float32(*arrays):
        return tuple(array.astype(np.float32) for array in arrays)

    def cases(self) -> Cases:
        return replace(Cases.undivided(M, self.choice[0], 0), phase=self.phase, choice=self.choice)

    def reference(self, choice: np.ndarray) -> tuple[Relaxation, list[Choice]]:
        """Return the relaxation in float64 and the same choices in it."""
        relaxation = Relaxation(self.network.layers, Support(self.input_set))
        for layer, found in zip(self.network.layers[:3], self.found, strict=False):
            relaxation.append(layer, found.lower, found.upper)
        choice = np.where(self.lines.free, choice, self.lines.slope_below).astype(np.float64)
        inside = [slice(*self.chain.starts[k : k + 2]) for k in range(3)]
        return relaxation, [Choice(choice[:, s], self.phase[:, s], choice[:, s]) for s in inside]


def test_bounds_and_where_they_are_attained_are_those_of_the_relaxation_in_float64(random):
    example = Example(random)
    fixed = example.lines.fixed(example.phase)
    below = fixed.slope_below + fixed.free * example.choice
    found = example.relaxed.relax(example.functions, fixed, below, example.phase * example.choice)
    relaxation, choices = example.reference(example.choice)
    A, constant = (array.astype(np.float64) for array in (example.functions.A, example.functions.constant))
    expected = relaxation.descent(A, constant, choices)
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-4, atol=1e-4)
    gap = np.where(fixed.free, found.A * (found.h - np.maximum(found.z, 0)), 0)
    np.testing.assert_allclose(found.z, np.concatenate(expected.z, axis=1), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(gap, np.concatenate(expected.gap, axis=1), rtol=1e-3, atol=1e-3)


def test_steps_lower_every_bound_or_leave_it_and_what_they_return_has_that_bound(random):
    example = Example(random)
    before, _ = descend(example.relaxed, example.functions, example.lines, example.cases(), Schedule(0))
    after, relaxed = descend(example.relaxed, example.functions, example.lines, example.cases(), OF_CASE)
    assert (after.value <= before.value).all() and (after.value < before.value - 0.01).sum() > M / 2
    assert (after.value == relaxed.value).all()
    relaxation, choices = example.reference(after.choice)
    A, constant = (array.astype(np.float64) for array in (example.functions.A, example.functions.constant))
    np.testing.assert_allclose(after.value, relaxation.maximum(A, constant, choices), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("radius", [None, 0.2, 1.5, 3.0])
def test_steps_by_torch_are_those_by_numpy(random, radius, monkeypatch):
    monkeypatch.setattr(region, "_FEW_INPUTS", 2)  # of 8, so that balls are filled in more than one turn
    example = Example(random)
    ball = Part(np.zeros(8), np.ones(8), example.input_set.centre, None if radius is None else Fraction(radius))
    found = []
    for device in (CPU, Torch("cpu")):
        network = RelaxedNetwork(example.chain, ball, device)
        found.append((network, *descend(network, example.functions, example.lines, example.cases(), OF_CASE)))
    (network, cases, relaxed), (_, by_torch, relaxed_by_torch) = found
    for name in ("value", "choice", "square", "of_split"):
        assert isinstance(getattr(by_torch, name), np.ndarray)
        np.testing.assert_allclose(getattr(by_torch, name), getattr(cases, name), rtol=1e-3, atol=1e-4)
    assert (by_torch.split == cases.split).all()
    np.testing.assert_allclose(relaxed_by_torch.A, relaxed.A, rtol=1e-3, atol=1e-4)
    steps = [network.region.all_steps(one.points) for one in (relaxed_by_torch, relaxed)]
    np.testing.assert_allclose(*steps, rtol=1e-3, atol=1e-4)


def test_only_a_free_unstable_relu_is_split(random):
    example = Example(random)
    after, _ = descend(example.relaxed, example.functions, example.lines, example.cases(), OF_CASE)
    free = example.lines.fixed(example.phase).free
    rows = np.flatnonzero(after.split >= 0)
    assert free[rows, after.split[rows]].all()
    assert ((after.split < 0) == ~free.any(axis=1)).all()


def test_both_cases_of_a_split_fix_its_relu_with_a_bound_that_is_not_larger(random):
    example = Example(random)
    after, _ = descend(example.relaxed, example.functions, example.lines, example.cases(), OF_CASE)
    parents = after.rows(np.flatnonzero(after.split >= 0))
    children = parents.children()
    at = np.arange(len(children.split)), children.split
    assert children.phase[at].tolist() == [-1, 1] * len(parents.split)
    others = np.ones_like(children.phase, dtype=bool)
    others[at] = False
    for own, theirs in ((children.choice, parents.choice), (children.phase, parents.phase)):
        assert (own == np.repeat(theirs, 2, axis=0))[others].all()
    functions = example.functions.rows(np.repeat(np.flatnonzero(after.split >= 0), 2))
    bounded, _ = descend(example.relaxed, functions, example.lines, children, Schedule(0))
    assert (parents.of_split < 0).any() and (parents.of_split > 0).any()
    assert (bounded.value <= np.repeat(parents.value, 2) + 1e-4).all()


def test_the_coefficient_of_a_relu_that_is_named_anew_is_that_of_its_activation(random):
    example = Example(random)
    after, relaxed = descend(example.relaxed, example.functions, example.lines, example.cases(), OF_CASE)
    named = after.naming(np.where(np.arange(M) % 2, after.split, 2), relaxed.A)
    assert (named.of_split[1::2] == after.of_split[1::2]).all()
    assert named.split[::2].tolist() == [2] * (M // 2) and (named.of_split[::2] == relaxed.A[::2, 2]).all()


def test_without_neurons_that_are_off_all_is_the_same_at_the_others(random):
    example = Example(random)
    upper = np.where(example.chain.relu & (random.random(len(example.bounds.upper)) < 0.4), -0.1, example.bounds.upper)
    bounds = Bounds(np.minimum(example.bounds.lower, upper), upper)
    reduced = example.relaxed.without_off(bounds, 3)
    off = example.chain.relu & (upper <= 0)
    assert off.sum() > 4 and reduced.neurons.tolist() == np.flatnonzero(~off).tolist()
    n, kept = example.chain.starts[3], reduced.neurons[: reduced.starts[3]]
    is_kept = np.isin(np.arange(n), kept)
    phase, choice = np.where(is_kept, example.phase, 0).astype(np.int8), np.where(is_kept, example.choice, 0)
    outputs = is_kept[example.chain.starts[2] :]
    functions = replace(example.functions, A=example.functions.A * outputs)
    found = {}
    for network, columns in ((example.relaxed, slice(None)), (reduced, kept)):
        lines = network.lines(bounds, 3).fixed(phase[:, columns])
        own = choice[:, columns]
        of_outputs = replace(functions, A=functions.A if network is example.relaxed else functions.A[:, outputs])
        below = lines.slope_below + lines.free * own
        found[network] = network.relax(of_outputs, lines, below, phase[:, columns] * own)
    whole, some = found[example.relaxed], found[reduced]
    np.testing.assert_allclose(some.value, whole.value, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(some.z, whole.z[:, kept], rtol=1e-3, atol=1e-3)
    numbers = reduced.at_all(some.A)
    np.testing.assert_allclose(numbers[:, kept], whole.A[:, kept], rtol=1e-4, atol=1e-4)
    assert numbers.shape == (M, len(example.chain.relu)) and not numbers[:, off].any()


def test_layers_after_those_asked_about_keep_all_neurons(random):
    example = Example(random)
    off = Bounds(np.full_like(example.bounds.lower, -2.0), np.full_like(example.bounds.upper, -1.0))
    reduced = example.relaxed.without_off(off, 1)
    assert reduced.starts[1] == (~example.chain.relu[:6]).sum() and np.diff(reduced.starts)[1:].tolist() == [5, 4, 4]


def test_values_and_gradients_at_points_are_those_of_the_network(random):
    example = Example(random)
    _, points = example.relaxed.region.maximum(random.normal(size=(M, 8)).astype(np.float32))
    h = example.relaxed.forward(points)
    x = (example.relaxed.region.centre + example.relaxed.region.all_steps(points)).astype(np.float64)

    def value(x):
        for layer in example.network.layers:
            x = layer.activate((x @ layer.W.T + layer.b) / (1.0 if layer.divisor is None else layer.divisor))
        return (x * example.functions.A).sum(axis=1)

    np.testing.assert_allclose((h[-1] * example.functions.A).sum(axis=1), value(x), rtol=1e-4, atol=1e-4)
    gradient, step = example.relaxed.gradient(example.functions.A, h), 1e-6 * random.normal(size=8)
    np.testing.assert_allclose(value(x + step) - value(x), gradient @ step, rtol=1e-3, atol=1e-10)


def test_layers_too_large_for_dense_matrices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    network = LayeredNetwork((Layer(np.eye(4), np.zeros(4), nowhere(4)),))
    part = Part(np.zeros(4), np.ones(4), np.zeros(4), None)
    RelaxedNetwork(Chain(network), part)
    monkeypatch.setattr(relaxed, "_MOST_WEIGHTS", 15)
    with pytest.raises(NetworkError, match="have 16 numbers, zeros included; the prover takes 15"):
        RelaxedNetwork(Chain(network), part)
