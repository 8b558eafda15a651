"""Random networks for a training problem, with which the check of a library tests its files."""

from __future__ import annotations

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.step_networks.step_network import StepNetwork
from vnnbench.instances.step_networks.train_property import Box, TrainProperty


def random_candidate(prop: TrainProperty, generator: np.random.Generator, density: float) -> Float64Array:
    """Return a random candidate, most of whose neurons and outputs are on at some training samples and off at others.

    density: the probability that a weight is drawn from its box, rather than 0. The candidate may be infeasible: where
    no bias in its box has all samples clearly on their sides.
    """
    n, m, K, X = prop.neurons, prop.n_inputs, prop.n_classes, prop.training.inputs
    W = _drawn(prop.weight, (n, m), generator) * ((generator.random((n, m)) < density) & prop.used_inputs)
    if prop.weight_sum_limit is not None:
        order = generator.permutation(n * m)
        W.ravel()[order[np.cumsum(W.ravel()[order]) > prop.weight_sum_limit]] = 0.0
    sums = X @ W.T
    b = _biases(sums, prop.bias, prop.epsilon, generator)
    Q = _drawn(prop.output_weight, (n, K), generator)
    c = _biases((sums + b > prop.epsilon / 2) @ Q, prop.output_bias, prop.epsilon, generator)
    return StepNetwork(W, b, Q, c, prop.epsilon).vector()


def _drawn(box: Box, shape: tuple[int, int], generator: np.random.Generator) -> Float64Array:
    if box.integer:
        return generator.integers(int(box.lower), int(box.upper), size=shape, endpoint=True).astype(np.float64)
    return generator.uniform(box.lower, box.upper, size=shape)


def _biases(sums: Float64Array, box: Box, epsilon: float, generator: np.random.Generator) -> Float64Array:
    """Return a bias for each neuron (k,), from its weighted sums (T, k): the next higher sum reaches eps."""
    return np.array([_bias(np.unique(of_neuron), box, epsilon, generator) for of_neuron in sums.T])


def _bias(sums: Float64Array, box: Box, epsilon: float, generator: np.random.Generator) -> float:
    biases = -sums[:-1][np.diff(sums) >= epsilon]
    biases = biases[(box.lower <= biases) & (biases <= box.upper)]
    return float(generator.choice(biases)) if len(biases) else float(np.clip(-sums[-1], box.lower, box.upper))
