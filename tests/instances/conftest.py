"""Small networks, properties and sets, and the references the code is held against: plain Fractions, nothing shared
with the code under test. Fixtures return functions, so that hypothesis can use them."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from vnnbench.instances.datasets.dataset import load_dataset
from vnnbench.instances.files import sha256
from vnnbench.instances.formulations.mps import compress, mps_text
from vnnbench.instances.networks.network import Network
from vnnbench.instances.properties.input_set import InputSet, Norm, box_set
from vnnbench.instances.properties.property import MaximizeProperty, VerifyProperty
from vnnbench.solvers.base import SolveRequest, Termination
from vnnbench.solvers.registry import get_solver, installed_solvers


def _network(*layers):
    return Network(
        tuple(np.array(W, dtype=np.float32) for W, _ in layers), tuple(np.array(b, dtype=np.float32) for _, b in layers)
    )


def _random_network(widths, seed, *, scales=(0.0, 0.0), density=1.0):
    """Weights of magnitude 10**uniform(scales) times a normal number, a share `density` of them nonzero."""
    random = np.random.default_rng(seed)

    def draw(*shape):
        numbers = random.normal(size=shape) * 10.0 ** random.uniform(*scales, size=shape)
        numbers = np.where(np.abs(numbers) < 1e-7, 1e-7, numbers)
        return np.where(random.random(shape) < density, numbers, 0.0)

    return _network(*((draw(m, n), draw(m)) for n, m in itertools.pairwise(widths)))


def _input_set(centre, radius, lower=0.0, upper=1.0):
    centre = np.array(centre, dtype=np.float64)
    return InputSet(Norm.L1, centre, float(radius), np.full_like(centre, lower), np.full_like(centre, upper))


def _box(lower, upper):
    return box_set(np.array(lower, dtype=np.float64), np.array(upper, dtype=np.float64))


def _highest(input_set, output=0):
    return MaximizeProperty(input_set, output, None, None)


def _targeted(input_set, source=0, target=1, strict=True):
    return VerifyProperty(input_set, source, (target,), strict, None, None)


def _fractions(values):
    return [Fraction(v) for v in np.asarray(values, dtype=np.float64).tolist()]


def _forward(network, x):
    """All pre-activations, one list of Fractions per layer, at x, a list of Fractions."""
    h, layers = x, []
    for W, b in zip(network.weights, network.biases, strict=True):
        z = [
            sum((Fraction(w) * v for w, v in zip(row, h, strict=True) if w), Fraction(bias))
            for row, bias in zip(W.tolist(), b.tolist(), strict=True)
        ]
        layers.append(z)
        h = [max(v, Fraction(0)) for v in z]
    return layers


def _knapsack(input_set, row):
    """The point of the set that maximizes row @ x, row being Fractions: the dearest pixels move first, exactly."""
    x, lower, upper = (_fractions(a) for a in (input_set.centre, input_set.lower, input_set.upper))
    left = sum(hi - lo for lo, hi in zip(lower, upper, strict=True))  # enough for every corner, where there is no ball
    if input_set.radius is not None:
        left = Fraction(input_set.radius)
    for i in sorted(range(len(row)), key=lambda i: -abs(row[i])):
        if row[i] > 0:
            step = min(left, upper[i] - x[i])
            x[i] += step
        elif row[i] < 0:
            step = min(left, x[i] - lower[i])
            x[i] -= step
        else:
            break
        left -= step
    return x


def _vertices(input_set):
    """All vertices of a small set, as Fractions: pixels move one after the other, in every order to every side."""
    n = input_set.n_inputs
    found = set()
    for order in itertools.permutations(range(n)):
        for signs in itertools.product((1, -1), repeat=n):
            row = [Fraction(0)] * n
            for rank, (i, sign) in enumerate(zip(order, signs, strict=True)):
                row[i] = Fraction(sign * (n - rank))
                found.add(tuple(_knapsack(input_set, row)))
    return [list(point) for point in found]


def _gradient(network, x, layer, neuron):
    """Gradient of z_layer_neuron at x, a list of Fractions, in Fractions."""
    pre_activations = _forward(network, x)
    row = [Fraction(w) for w in network.weights[layer][neuron].tolist()]
    for k in range(layer - 1, -1, -1):
        row = [r if z > 0 else Fraction(0) for r, z in zip(row, pre_activations[k], strict=True)]
        columns = network.weights[k].T.tolist()
        row = [sum((r * Fraction(w) for r, w in zip(row, column, strict=True)), Fraction(0)) for column in columns]
    return row


def _extreme_points(network, input_set, seed=0):
    """Points of the set, as Fractions: the centre, the maximizer and minimizer of every first pre-activation, and
    where each deeper one is pushed by steps to the vertex that its gradient points to."""
    random = np.random.default_rng(seed)
    points = [_fractions(input_set.centre)]
    for row in network.weights[0].tolist():
        for sign in (1, -1):
            points.append(_knapsack(input_set, [sign * Fraction(w) for w in row]))
    for layer in range(1, len(network.weights)):
        for neuron, sign in itertools.product(range(network.weights[layer].shape[0]), (1, -1)):
            x = points[random.integers(len(points))]
            for _ in range(3):
                x = _knapsack(input_set, [sign * g for g in _gradient(network, x, layer, neuron)])
                points.append(x)
    return points


def _members(input_set, n, seed=0):
    """n float64 points exactly in the set: inside, on its boundary, at its corners, and the centre."""
    random = np.random.default_rng(seed)
    points = [input_set.centre]
    while len(points) < n:
        direction = random.normal(size=input_set.n_inputs) * (random.random(input_set.n_inputs) < random.random())
        norm = np.abs(direction).max() if input_set.norm is Norm.LINF else np.abs(direction).sum()
        radius = input_set.radius or float((input_set.upper - input_set.lower).sum())
        length = radius * random.choice([1.0, 3.0, random.random()])
        point = input_set.repair(input_set.centre + (direction / norm * length if norm else 0.0))
        assert point is not None
        points.append(point)
    return points


def _same_bits(one, other):
    pairs = zip(one.weights + one.biases, other.weights + other.biases, strict=True)
    return all(a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in pairs)


def _weights_sha256(results):
    """Of the networks of trained or finetuned results, one after the other."""
    arrays = (array for result in results for array in (*result.network.weights, *result.network.biases))
    return sha256(b"".join(array.tobytes() for array in arrays))


class _Deaf:
    """A listener that lets the solver work."""

    def on_columns(self, names):
        pass

    def on_incumbent(self, incumbent):
        pass

    def on_dual_bound(self, dual_bound):
        pass

    def should_stop(self):
        return False


def _optimum(solver, model, folder: Path):
    """The optimal value, - objective, by one solver through its adapter."""
    path = folder / "model.mps.gz"
    path.write_bytes(compress(mps_text(model)))
    result = get_solver(solver).solve(SolveRequest(path, folder / "log", time_limit_seconds=30.0), _Deaf())
    assert result.termination is Termination.OPTIMAL, result
    return -result.primal_bound


@pytest.fixture(scope="session")
def make_network():
    return _network


@pytest.fixture(scope="session")
def random_network():
    return _random_network


@pytest.fixture(scope="session")
def same_bits():
    return _same_bits


@pytest.fixture(scope="session")
def weights_sha256():
    return _weights_sha256


@pytest.fixture(scope="session")
def digits():
    """The data set, which nobody can change."""
    return load_dataset("digits", 8)


@pytest.fixture(scope="session")
def make_set():
    return _input_set


@pytest.fixture(scope="session")
def make_box():
    return _box


@pytest.fixture(scope="session")
def highest():
    return _highest


@pytest.fixture(scope="session")
def targeted():
    return _targeted


@pytest.fixture(scope="session")
def fractions():
    return _fractions


@pytest.fixture(scope="session")
def forward():
    return _forward


@pytest.fixture(scope="session")
def knapsack():
    return _knapsack


@pytest.fixture(scope="session")
def extreme_points():
    return _extreme_points


@pytest.fixture(scope="session")
def vertices():
    return _vertices


@pytest.fixture(scope="session")
def members():
    return _members


@pytest.fixture(scope="session")
def optimum():
    return _optimum


@pytest.fixture(scope="session")
def solver_names():
    """Every installed solver; the conformance suite names those that are missing."""
    return installed_solvers()
