"""Family `train`: which network of step functions, with few weights, activations and neurons, explains the data?

Candidates are networks (`step_networks.step_network`): their weights are what is sought, and the property holds the
data, exactly. value(x) = -objective of `step_networks.train_property`, without a threshold. Source: [R] Rosenhahn 2023,
JOTA 199:931-954.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Self

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.families.base import (
    CandidateLifter,
    Decoder,
    DeployedValue,
    Evaluator,
    Evaluators,
    Fact,
    Problem,
)
from vnnbench.instances.families.exhibit import Exhibit
from vnnbench.instances.families.network_exhibit import network_exhibit
from vnnbench.instances.formulations.milp import MilpModel
from vnnbench.instances.onnx_files.runtime import run_samples
from vnnbench.instances.step_networks.feasible_set import FeasibleSet
from vnnbench.instances.step_networks.onnx_writer import step_network_onnx
from vnnbench.instances.step_networks.random_networks import random_candidate
from vnnbench.instances.step_networks.repair import repair
from vnnbench.instances.step_networks.step_network import (
    StepNetwork,
    evaluate,
    measures,
    n_parameters,
    objective,
)
from vnnbench.instances.step_networks.train_file import parse_train
from vnnbench.instances.step_networks.train_property import TrainProperty
from vnnbench.instances.train_models.columns import NetworkDecoder
from vnnbench.instances.train_models.lifting import TrainLifter

_TERMS = ("weights", "activations", "neurons")
_DRAWS = 10
"""The random networks that are drawn until one can be repaired."""


class TrainProblem(Problem):
    """A training problem; candidates are networks (n_parameters,)."""

    family = TrainProperty.family
    candidate_text = "a network"
    confirmed_text = "an objective that is reached"
    threshold = None
    strict = True  # no meaning without a threshold

    def __init__(self, prop: TrainProperty) -> None:
        self.property = prop
        self._set = FeasibleSet(prop)

    @classmethod
    def of_document(cls, document: dict[str, Any]) -> Self:
        return cls(parse_train(document))

    def evaluators(self, data: Mapping[str, bytes]) -> Evaluators:
        evaluator = TrainEvaluator(self.property)
        return Evaluators(evaluator, evaluator)

    def lifter(self, model: MilpModel) -> CandidateLifter:
        return TrainLifter(model, self.property)

    @property
    def centre(self) -> Float64Array:
        """Return the network without weights, which errs once for every training sample."""
        return np.zeros(n_parameters(self.property))

    def points(self, generator: np.random.Generator) -> Iterator[tuple[str, Float64Array]]:
        """Yield the network without weights, and random ones: three with all weights, with half, and with a fifth."""
        yield "the network without weights", self.centre
        for density in 3 * (1.0, 0.5, 0.2):
            draws = (self.repair(random_candidate(self.property, generator, density)) for _ in range(_DRAWS))
            if (network := next((found for found in draws if found is not None), None)) is not None:
                yield f"a random network with a share of {density:g} of its weights", network

    def decoder(self, column_names: Sequence[str]) -> Decoder:
        return NetworkDecoder(self.property, column_names)

    def columns_read(self, column_names: Sequence[str]) -> frozenset[str]:
        return frozenset(NetworkDecoder(self.property, column_names).read)

    def violation(self, candidate: Float64Array) -> Fraction:
        return self._set.violation(candidate)

    def repair(self, candidate: Float64Array) -> Float64Array | None:
        return repair(self.property, self._set, candidate)

    @property
    def value_is_column(self) -> bool:
        """Return whether the objective has the kill switches, which a solution may leave on."""
        return self.property.variant.neurons

    def facts(self) -> dict[str, Fact]:
        prop = self.property
        return {
            **super().facts(),
            "dataset": prop.split.dataset,
            "depth": 1,
            "width": prop.neurons,
            "variant": prop.variant.name,
            "samples": prop.training.n_samples,
            "features": prop.n_inputs,
        }

    def question(self) -> str:
        prop = self.property
        wanted = ["few errors"]
        wanted += [f"few {term}" for term, flag in zip(_TERMS, prop.variant.flags, strict=True) if flag]
        network = "an integer network" if prop.variant.integer else "a network"
        return (
            f"{network} of {prop.neurons} step neurons with {', '.join(wanted)} on {prop.training.n_samples} samples "
            f"of {prop.split.dataset}"
        )

    def exhibit(self, candidate: Float64Array) -> Exhibit:
        return network_exhibit(self.property, StepNetwork.of_vector(self.property, candidate))


class TrainEvaluator(Evaluator):
    """The objective of networks on the training samples, exactly, and as deployed: in float64 by ONNX Runtime."""

    def __init__(self, prop: TrainProperty) -> None:
        self._prop = prop

    def value(self, candidate: Float64Array) -> Fraction:
        network = StepNetwork.of_vector(self._prop, candidate)
        found = evaluate(network, self._prop.training)
        return -objective(self._prop, network, found.steps, found.outputs)

    def replay(self, candidate: Float64Array) -> Fraction:
        return self.value(candidate)

    def measures(self, candidate: Float64Array) -> dict[str, float]:
        network = StepNetwork.of_vector(self._prop, candidate)
        return measures(self._prop, network, evaluate(network, self._prop.training))

    def deployed(self, candidate: Float64Array) -> DeployedValue:
        network = StepNetwork.of_vector(self._prop, candidate)
        outputs, steps = run_samples(step_network_onnx(network), self._prop.training.inputs)
        return DeployedValue(float(-objective(self._prop, network, steps > 0, outputs > 0)), None)
