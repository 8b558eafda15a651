"""Small training problems, and the brute-force evaluation of networks on them: loops over exact numbers."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.datasets.labelled_data import GRID, INTEGER_SCALE, LabelledData, Split
from vnnbench.instances.step_networks.train_property import FACTOR, TrainProperty, Variant, train_property


def drawn_problem(
    variant: Variant,
    *,
    seed: int = 0,
    samples: int = 20,
    inputs: int = 3,
    classes: int = 3,
    neurons: int = 3,
    weight_limit: int = 1,
    weight_sum_limit: int | None = None,
) -> TrainProperty:
    """Return a problem whose classes are those of random points, with every class in it."""
    draws = np.random.default_rng(seed)
    points = draws.random((samples, inputs))
    labels = np.concatenate([np.arange(classes), draws.integers(0, classes, samples - classes)])
    return problem_of_points(points, labels, neurons, variant, weight_limit, weight_sum_limit)


def problem_of_points(
    points: Float64Array,
    labels: np.ndarray,
    neurons: int,
    variant: Variant,
    weight_limit: int = 1,
    weight_sum_limit: int | None = None,
) -> TrainProperty:
    """Return the problem of points in [0, 1] with these labels, which are training and test samples."""
    inputs = np.rint(points * INTEGER_SCALE) if variant.integer else np.rint(points * GRID) / GRID
    data = LabelledData(inputs, labels.astype(np.int64))
    features = tuple(f"f{j}" for j in range(inputs.shape[1]))
    split = Split("drawn", 0, features, tuple(f"c{k}" for k in range(labels.max() + 1)), data, data)
    return train_property(split, neurons, variant, weight_limit, weight_sum_limit)


def objective_by_hand(prop: TrainProperty, vector: Float64Array) -> Fraction:
    """Return the objective of a candidate, as the docstring of `train_property` states it.

    Fails if a number is outside its box, or a pre-activation between 0 and eps on some training sample.
    """
    n, m, K = prop.neurons, prop.n_inputs, prop.n_classes
    numbers = [Fraction(number) for number in vector.tolist()]
    assert len(numbers) == n * m + n + n * K + K
    parts = iter(numbers)
    w = [[next(parts) for _ in range(m)] for _ in range(n)]
    b = [next(parts) for _ in range(n)]
    q = [[next(parts) for _ in range(K)] for _ in range(n)]
    bF = [next(parts) for _ in range(K)]
    for box, held in (
        (prop.weight, chain(*w)),
        (prop.bias, b),
        (prop.output_weight, chain(*q)),
        (prop.output_bias, bF),
    ):
        for number in held:
            assert box.lower <= number <= box.upper
            assert not box.integer or number.denominator == 1
    assert prop.weight_sum_limit is None or sum(map(sum, w)) <= prop.weight_sum_limit
    inputs = [[Fraction(x) for x in row] for row in prop.training.inputs.tolist()]
    assert all(w[i][j] == 0 for j in range(m) if not any(row[j] for row in inputs) for i in range(n))

    def step(pre_activation: Fraction) -> int:
        assert pre_activation <= 0 or pre_activation >= Fraction(prop.epsilon)
        return int(pre_activation > 0)

    errors, active = 0, []
    for row, label in zip(inputs, prop.training.classes.tolist(), strict=True):
        st = [step(sum((w[i][j] * row[j] for j in range(m)), b[i])) for i in range(n)]
        active.append(st)
        for k in range(K):
            errors += step(sum((q[i][k] * st[i] for i in range(n)), bF[k])) != (k == label)
    terms = Fraction(0)
    terms += prop.variant.weights * sum(map(sum, w))
    terms += prop.variant.activations * sum(map(sum, active))
    terms += prop.variant.neurons * sum(any(st[i] for st in active) for i in range(n))
    return errors + Fraction(FACTOR) * terms
