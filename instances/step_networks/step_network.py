"""A network of step functions with one hidden layer, and its exact evaluation.

A candidate of a training problem is the vector of its parameters: w row by row (n m), b (n), q row by row (n K), and bF
(K). A step is 1 where its pre-activation exceeds eps / 2: neither of the two sides that a solver keeps apart, at least
eps and at most 0, is close to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from vnnbench.instances.arrays import BoolArray, Float64Array
from vnnbench.instances.datasets.labelled_data import GRID, LabelledData
from vnnbench.instances.step_networks.exact_sums import ExactSums, exact_sums, exact_total
from vnnbench.instances.step_networks.train_property import FACTOR, TrainProperty


@dataclass(frozen=True, slots=True, eq=False)
class StepNetwork:
    """A network: W (n, m), b (n,), Q (n, K), c (K,), all finite float64; Q and c are q and bF of `train_property`."""

    W: Float64Array
    b: Float64Array
    Q: Float64Array
    c: Float64Array
    epsilon: float

    @classmethod
    def of_vector(cls, prop: TrainProperty, vector: Float64Array) -> StepNetwork:
        """Return the network of a candidate (n_parameters,)."""
        w, b, q, c = parameter_blocks(prop, vector).values()
        return cls(w, b, q, c, prop.epsilon)

    def vector(self) -> Float64Array:
        """Return the candidate, of which this is the network."""
        return np.concatenate([self.W.ravel(), self.b, self.Q.ravel(), self.c])


def parameter_shapes(prop: TrainProperty) -> dict[str, tuple[int, ...]]:
    """Return the shapes of w, b, q and bF in the order in which a candidate holds them."""
    n, m, K = prop.neurons, prop.n_inputs, prop.n_classes
    return {"w": (n, m), "b": (n,), "q": (n, K), "bF": (K,)}


def parameter_blocks(prop: TrainProperty, vector: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """Return w, b, q and bF of a vector with one value for each parameter (n_parameters,)."""
    shapes = parameter_shapes(prop)
    parts = np.split(vector, np.cumsum([prod(shape) for shape in shapes.values()])[:-1])
    return {letter: part.reshape(shape) for (letter, shape), part in zip(shapes.items(), parts, strict=True)}


def n_parameters(prop: TrainProperty) -> int:
    """Return the length of a candidate."""
    return sum(map(prod, parameter_shapes(prop).values()))


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """A network on samples, exactly: pre-activations and steps, hidden (T, n) and of the outputs (T, K)."""

    hidden: ExactSums
    steps: BoolArray
    output: ExactSums
    outputs: BoolArray

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """Return the predicted classes (T,): the first whose output is 1, and class 0 if none is."""
        return np.asarray(np.argmax(self.outputs, axis=1))


def evaluate(network: StepNetwork, data: LabelledData) -> Evaluation:
    """Return the network's steps on the samples."""
    half = Fraction(network.epsilon) / 2
    hidden = exact_sums(data.on_grid, GRID, np.ascontiguousarray(network.W.T), network.b)
    steps = hidden.above(half)
    output = exact_sums(steps.astype(np.int64), 1, network.Q, network.c)
    return Evaluation(hidden, steps, output, output.above(half))


def wrong_outputs(outputs: BoolArray, data: LabelledData) -> BoolArray:
    """Return the errors E (T, K) of outputs against the one-hot classes."""
    return np.asarray(outputs != (np.arange(outputs.shape[1]) == data.classes[:, None]))


def objective(prop: TrainProperty, network: StepNetwork, steps: BoolArray, outputs: BoolArray) -> Fraction:
    """Return the objective of `train_property` for a network, exactly, from its steps on the training samples.

    steps: hidden (T, n); outputs (T, K).
    """
    terms = Fraction(0)
    if prop.variant.weights:
        terms += exact_total(network.W)
    if prop.variant.activations:
        terms += int(steps.sum())
    if prop.variant.neurons:
        terms += int(steps.any(axis=0).sum())
    return int(wrong_outputs(outputs, prop.training).sum()) + Fraction(FACTOR) * terms


def measures(prop: TrainProperty, network: StepNetwork, evaluation: Evaluation) -> dict[str, float]:
    """Return what [R], Table 3, reports about a network, and its errors on the training samples.

    Accuracies are shares of the samples. weights: hidden weights that are not 0; activations: hidden steps that are 1
    over all training samples; neurons: those with a step that is 1.
    """
    test = evaluate(network, prop.split.test)
    return {
        "train_accuracy": _accuracy(evaluation, prop.training),
        "test_accuracy": _accuracy(test, prop.split.test),
        "errors": int(wrong_outputs(evaluation.outputs, prop.training).sum()),
        "weights": int(np.count_nonzero(network.W)),
        "activations": int(evaluation.steps.sum()),
        "neurons": int(evaluation.steps.any(axis=0).sum()),
    }


def _accuracy(evaluation: Evaluation, data: LabelledData) -> float:
    return float((evaluation.predicted == data.classes).mean())
