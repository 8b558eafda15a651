"""Small random problems of every kind that a proof can be about: networks, sets, goals and families."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.networks.network import Layer, LayeredNetwork, everywhere, nowhere
from vnnbench.instances.properties.goals import Atom, OutputGoal
from vnnbench.instances.properties.input_set import ExactNumbers, InputSet, Norm
from vnnbench.instances.properties.linear_constraints import LinearConstraint, normalized
from vnnbench.instances.properties.property import (
    ClosestProperty,
    LinearProperty,
    MaximizeProperty,
    Property,
    VerifyProperty,
)
from vnnbench.instances.properties.rational_set import rational_set
from vnnbench.instances.rationals import float_above

_DIVISORS = [1.0, 2.0, 3.0, 9.0, 0.1, 255.0]


def random_problem(random: np.random.Generator, most_neurons: int = 6) -> tuple[LayeredNetwork, Property]:
    """Draw a network of 1 to 4 layers with at most this many inputs and neurons in each, and a property of it."""
    n_inputs = int(random.integers(1, most_neurons + 1))
    network = random_layers(random, n_inputs, most_neurons)
    return network, random_property(random, random_set(random, n_inputs), network.layers[-1].n_outputs)


def random_layers(random: np.random.Generator, n_inputs: int, most_neurons: int = 6) -> LayeredNetwork:
    """Draw a network whose numbers are eighths, or are of about the same size, or different ones; some are 0.

    Some layers are sparse, some have divisors, and some neurons lack a ReLU.
    """
    exponents = [None, [0], np.arange(-12, 13), [-1060, -80, 0, 20]][random.choice(4, p=[0.4, 0.25, 0.25, 0.1])]

    def draw(*shape: int) -> Float64Array:
        numbers = random.integers(-16, 17, size=shape) / 8
        if exponents is not None:
            numbers = random.normal(size=shape) * 2.0 ** random.choice(exponents, size=shape)
        return np.where(random.random(shape) < 0.8, numbers, 0.0)

    layers, n_layers, width = [], int(random.integers(1, 5)), n_inputs
    for k in range(n_layers):
        W = draw(int(random.integers(1, most_neurons + 1)), width)
        width, b = len(W), draw(len(W))
        relu = np.zeros(width, bool) if k == n_layers - 1 else random.random(width) < random.choice([0.6, 1.0])
        divisor = random.choice(_DIVISORS, size=width) if random.random() < 0.2 else None
        layers.append(Layer(csr_array(W) if random.random() < 0.2 else W, b, relu, divisor))
    return LayeredNetwork(tuple(layers))


def dense_network(random: np.random.Generator, widths: Sequence[int]) -> LayeredNetwork:
    """Draw a network with a ReLU behind every hidden neuron. widths: of the input and of all layers."""
    layers, last = [], len(widths) - 2
    for k, (n_in, n_out) in enumerate(pairwise(widths)):
        W, b = random.normal(size=(n_out, n_in)) / n_in**0.5, random.normal(size=n_out) / 4
        layers.append(Layer(W, b, nowhere(n_out) if k == last else everywhere(n_out)))
    return LayeredNetwork(tuple(layers))


def random_set(random: np.random.Generator, n: int) -> InputSet:
    """Draw a ball in a box, a box, one with rational bounds, or one with constraints among inputs."""
    kinds = [Norm.L1, Norm.L1, Norm.LINF, Norm.BOX, "rational", "constraints", "constraints"]
    kind = kinds[random.integers(len(kinds))]
    if kind == "rational":
        return rational_set(_rational_bounds(random, n))
    if kind == "constraints":
        return _constrained(random, max(n, 2)) if n > 1 else rational_set(_rational_bounds(random, n))
    lower = random.integers(-8, 5, size=n) / 8
    upper = lower + random.integers(0 if n > 1 else 1, 9, size=n) / 8
    if random.random() < 0.5:
        lower, upper = lower - random.random(n) / 8, upper + random.random(n) / 8
    centre = np.clip(lower + random.choice([0.0, 0.5, 0.25, random.random()], size=n) * (upper - lower), lower, upper)
    if kind == Norm.BOX:
        return InputSet(Norm.BOX, centre, None, lower, upper)
    radius = Fraction(int(random.integers(1, 13)), int(random.choice([8, 10])))
    at = float_above(radius)
    return InputSet(Norm(kind), centre, at, lower, upper, ExactNumbers(None if Fraction(at) == radius else radius))


def _rational_bounds(random: np.random.Generator, n: int) -> list[tuple[Fraction, Fraction]]:
    """Draw bounds in tenths, of which some fix an input."""
    bounds = []
    for _ in range(n):
        lower, width = int(random.integers(-10, 6)), int(random.choice([0, 1, 3, 7, 10]))
        bounds.append((Fraction(lower, 10), Fraction(lower + width, 10)))
    return bounds


def _constrained(random: np.random.Generator, n: int) -> InputSet:
    """Draw a box with one to three constraints around a point inside, of one end, of two, or equalities."""
    bounds = _rational_bounds(random, n)
    middle = [(lower + upper) / 2 for lower, upper in bounds]
    constraints = []
    for kind in random.choice(["least", "most", "both", "equal"], size=random.integers(1, 4), p=[0.3, 0.3, 0.2, 0.2]):
        chosen = random.permutation(n)[: random.integers(2, n + 1)].tolist()
        terms, _ = normalized({i: Fraction(int(random.choice([-3, -2, -1, 1, 2, 3]))) for i in chosen})
        value = sum((c * middle[i] for i, c in terms), Fraction(0))
        below, above = (value - Fraction(int(random.integers(1, 8)), 10) * sign for sign in (1, -1))
        ends = {"least": (below, None), "most": (None, above), "both": (below, above), "equal": (value, value)}
        constraints.append(LinearConstraint(terms, *ends[kind]))
    try:
        return rational_set(bounds, tuple(constraints))
    except PropertyError:  # the equalities contradict each other, or there is no room
        return _constrained(random, n)


def random_property(random: np.random.Generator, input_set: InputSet, n_outputs: int) -> Property:
    """Draw a property of any family on a set."""
    families = ["maximize", "goal", "goal"]
    if n_outputs > 1:
        families += ["verify", "verify"] if input_set.radius is None else ["verify", "closest", "closest"]
    family = random.choice(families)
    if family == "maximize":
        return MaximizeProperty(input_set, int(random.integers(n_outputs)), None, None)
    if family == "goal":
        return _random_goal(random, input_set, n_outputs)
    source, *targets = random.permutation(n_outputs).tolist()
    chosen = tuple(targets[: random.integers(1, len(targets) + 1)])
    if family == "verify":
        return VerifyProperty(input_set, source, chosen, bool(random.random() < 0.5), None, None)
    return ClosestProperty(input_set, source, chosen, Fraction(int(random.integers(1, 20)), 10), None, None)


def _random_goal(random: np.random.Generator, input_set: InputSet, n_outputs: int) -> LinearProperty:
    """Draw clauses of disjuncts of atoms, of which all are strict, none is, or some are."""
    strict = random.choice(["all", "none", "some", "some"])

    def atom(number: int) -> Atom:
        outputs = random.permutation(n_outputs)[: random.integers(1, n_outputs + 1)].tolist()
        terms = tuple((k, _random_rational(random) or Fraction(1)) for k in outputs)
        return Atom(terms, _random_rational(random), strict == "some" and number > 0 and bool(random.random() < 0.5))

    clauses = []
    for _ in range(random.integers(1, 4)):
        disjuncts = [tuple(map(atom, range(random.integers(1, 4)))) for _ in range(random.integers(1, 4))]
        clauses.append(tuple(disjuncts))
    return LinearProperty(input_set, OutputGoal(tuple(clauses)), strict == "all", None, None)


def _random_rational(random: np.random.Generator) -> Fraction:
    return Fraction(int(random.integers(-20, 21)), int(random.choice([1, 3, 10])))
