"""Small problems of family `train`, and a slow reference in Fractions that shares nothing with the code under test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import mul

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.datasets.labelled_data import GRID, INTEGER_SCALE, LabelledData, Split
from vnnbench.instances.families.train import TrainProblem
from vnnbench.instances.step_networks.step_network import StepNetwork
from vnnbench.instances.step_networks.train_property import VARIANTS, TrainProperty, Variant, train_property

Samples = tuple[Sequence[Sequence[float]], Sequence[int]]
"""Inputs and classes."""
XOR: Samples = ([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0])
"""Samples that no single neuron separates."""


def variant(name: str) -> Variant:
    """Return one of the nine variants by its name, such as 101 or int."""
    return next(found for found in VARIANTS if found.name == name)


def split_of(inputs: npt.ArrayLike, classes: Sequence[int], n_classes: int = 2, test: npt.ArrayLike = ()) -> Split:
    """Return a split with these training samples; test samples are of class 0, one of zeros if none is given."""
    X = np.array(inputs, dtype=np.float64)
    beyond = np.array(test, dtype=np.float64).reshape(-1, X.shape[1])
    if not len(beyond):
        beyond = np.zeros((1, X.shape[1]))
    names = tuple(f"x{j}" for j in range(X.shape[1])), tuple(f"c{k}" for k in range(n_classes))
    training = LabelledData(X, np.array(classes, dtype=np.int64))
    return Split("tiny", 0, *names, training, LabelledData(beyond, np.zeros(len(beyond), dtype=np.int64)))


def problem(name: str, neurons: int = 2, samples: Samples = XOR, n_classes: int = 2, **limits: int) -> TrainProperty:
    """Return the problem of a variant, such as 101 or int, on these samples."""
    return train_property(split_of(*samples, n_classes), neurons, variant(name), **limits)


XOR_SOLVED = StepNetwork(
    W=np.ones((2, 2)),
    b=np.array([0.0, -1.0]),
    Q=np.array([[-1.0, 1.0], [1.0, -1.0]]),
    c=np.array([1.0, 0.0]),
    epsilon=1.0,
).vector()
"""An integer network of two neurons without an error on XOR, of value -1: the first neuron is on where an input is 1,
the second where both are."""


def random_problem(seed: int, samples: tuple[int, int] = (4, 8), neurons: tuple[int, int] = (1, 3)) -> TrainProperty:
    """Return a problem of 2 to 4 classes and 2 or 3 inputs, of a variant that is drawn as well.

    Among its samples are duplicates, of equal and of different classes; an input may be constant, or 0.
    """
    random = np.random.default_rng(seed)
    chosen = VARIANTS[random.integers(len(VARIANTS))]
    n_samples, n_inputs = random.integers(*samples, endpoint=True), random.integers(2, 4)
    n_classes, steps = int(random.integers(2, 5)), 3 if chosen.integer else random.choice([1, 2, 4, GRID])
    X = random.integers(0, steps, size=(n_samples, n_inputs), endpoint=True) / (1 if chosen.integer else steps)
    classes = random.integers(n_classes, size=n_samples)
    for _ in range(random.integers(3)):
        one, other = random.integers(n_samples, size=2)
        X[one], classes[one] = X[other], random.choice([classes[one], classes[other]])
    if random.random() < 0.3:
        X[:, random.integers(n_inputs)] = random.choice([0.0, 1.0])
    weight_limit = int(random.choice([1, 3]))
    weight_sum_limit = int(random.integers(0, 5)) if chosen.weights and random.random() < 0.4 else None
    split = split_of(X, classes.tolist(), n_classes, random.integers(0, 2, size=(3, n_inputs)))
    return train_property(split, int(random.integers(*neurons, endpoint=True)), chosen, weight_limit, weight_sum_limit)


def problem_of_points(
    points: Float64Array, classes: Sequence[int], neurons: int, asked: Variant, **limits: int | None
) -> TrainProperty:
    """Return the problem of points in [0, 1] of these classes, rounded as a split's."""
    inputs = np.rint(points * INTEGER_SCALE) if asked.integer else np.rint(points * GRID) / GRID
    return train_property(split_of(inputs, classes, max(classes) + 1), neurons, asked, **limits)  # type: ignore[arg-type]


def drawn_problem(
    asked: Variant, seed: int = 0, samples: int = 20, inputs: int = 3, classes: int = 3, neurons: int = 3, **limits: int
) -> TrainProperty:
    """Return a problem of random points and classes, with every class in it."""
    random = np.random.default_rng(seed)
    points = random.random((samples, inputs))
    labels = [*range(classes), *random.integers(0, classes, samples - classes).tolist()]
    return problem_of_points(points, labels, neurons, asked, **limits)


@dataclass(frozen=True)
class SlowRun:
    """Pre-activations and steps by sample, of the hidden neurons and of the outputs."""

    hidden: list[list[Fraction]]
    steps: list[list[bool]]
    output: list[list[Fraction]]
    outputs: list[list[bool]]


def slow_run(prop: TrainProperty, vector: Float64Array, data: LabelledData) -> SlowRun:
    """Return what the network of a candidate does on samples."""
    n, m, K = prop.neurons, prop.n_inputs, prop.n_classes
    numbers, half = list(map(Fraction, vector.tolist())), Fraction(prop.epsilon) / 2
    w = [numbers[i * m : (i + 1) * m] for i in range(n)]
    b, rest = numbers[n * m : n * m + n], numbers[n * m + n :]
    q, c = [rest[i * K : (i + 1) * K] for i in range(n)], rest[n * K :]
    samples = [list(map(Fraction, x)) for x in data.inputs.tolist()]
    hidden = [[sum(map(mul, row, x), bias) for row, bias in zip(w, b, strict=True)] for x in samples]
    steps = [[value > half for value in sums] for sums in hidden]
    output = [[sum((q[i][k] for i in range(n) if on[i]), c[k]) for k in range(K)] for on in steps]
    return SlowRun(hidden, steps, output, [[value > half for value in sums] for sums in output])


def slow_objective(prop: TrainProperty, vector: Float64Array) -> Fraction:
    """Return the objective of the problem at a candidate."""
    run, (weights, activations, neurons) = slow_run(prop, vector, prop.training), prop.variant.flags
    errors = sum(
        output != (k == label)
        for outputs, label in zip(run.outputs, prop.training.classes.tolist(), strict=True)
        for k, output in enumerate(outputs)
    )
    terms = Fraction(0)
    if weights:
        terms += sum(map(Fraction, vector[: prop.neurons * prop.n_inputs].tolist()), Fraction(0))
    if activations:
        terms += sum(on for steps in run.steps for on in steps)
    if neurons:
        terms += sum(any(steps[i] for steps in run.steps) for i in range(prop.neurons))
    return Fraction(errors) + Fraction(0.1) * terms


def is_clear(prop: TrainProperty, run: SlowRun) -> bool:
    """Return whether no pre-activation lies between 0 and eps."""
    values = [value for sums in (*run.hidden, *run.output) for value in sums]
    return all(value <= 0 or value >= Fraction(prop.epsilon) for value in values)


def objective_by_hand(prop: TrainProperty, vector: Float64Array) -> Fraction:
    """Return the objective at a candidate. Fails if the candidate is not feasible."""
    assert TrainProblem(prop).violation(vector) == 0
    assert is_clear(prop, slow_run(prop, vector, prop.training))
    return slow_objective(prop, vector)
