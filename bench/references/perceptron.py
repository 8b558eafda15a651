"""A heuristic for family `train`: averaged perceptrons, one against the rest, embedded in a network of step functions.

Neuron k is the perceptron of class k, and output k copies it; of more classes than neurons, the last have none. Where
the problem wants integers, the positive weights are scaled to the box and rounded. Each restart reads the samples in
another order. The local search (`step_search`) then fits the biases and drops what is useless.
Source: Freund and Schapire 1999, Machine Learning 37:277-296.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.step_networks.train_property import TrainProperty
from vnnbench.references.step_neuron import Int64Array
from vnnbench.references.step_search import Draft, empty_draft
from vnnbench.references.step_trainer import StepTrainer, Stopped
from vnnbench.solvers.base import Licence, SolveRequest

METHOD = "1"
"""The version of the method above, of the local search, and of its defaults. It changes when they change."""


class AveragedPerceptron(StepTrainer):
    """The heuristic as an adapter. Its options: restarts; epochs of training in each."""

    name: ClassVar[str] = "perceptron"
    title: ClassVar[str] = "averaged perceptron"
    module: ClassVar[str] = "sklearn"
    defaults: ClassVar[Mapping[str, int | float]] = {"restarts": 64, "epochs": 50}

    @classmethod
    def needs(cls) -> str:
        return "pip install scikit-learn"

    def version(self) -> str:
        import sklearn.linear_model

        return f"{METHOD}+scikit-learn-{sklearn.__version__}"

    def licence(self) -> Licence:
        return Licence("MIT, scikit-learn BSD 3")

    def drafts(self, prop: TrainProperty, request: SolveRequest, stopped: Stopped) -> Iterator[Draft]:
        from sklearn.linear_model import SGDClassifier

        options, training = self.options_of(request), prop.training
        if len(np.unique(training.classes)) == 1:
            return
        for restart in range(int(options["restarts"])):
            if stopped():
                return
            (state,) = np.random.SeedSequence([request.seed, restart]).generate_state(1)
            perceptrons = SGDClassifier(
                loss="perceptron", penalty=None, learning_rate="constant", eta0=1.0, average=True, tol=None,
                max_iter=int(options["epochs"]), random_state=int(state),
            ).fit(training.inputs, training.classes)  # fmt: skip
            yield _embedded(prop, perceptrons.classes_, perceptrons.coef_, perceptrons.intercept_)


def _embedded(prop: TrainProperty, classes: Int64Array, W: Float64Array, b: Float64Array) -> Draft:
    """Return the network of the perceptrons of these classes, W (K, m) and b (K,). Of two classes there is only that of
    the second, as scikit-learn has it."""
    if len(classes) == 2:
        W, b = np.concatenate([-W, W]), np.concatenate([-b, b])
    draft = empty_draft(prop)
    for i, (label, w, bias) in enumerate(zip(classes[: prop.neurons], W, b, strict=False)):
        draft.W[i], draft.b[i], draft.Q[i, label] = w, bias, 1.0
        if prop.weight.integer:
            draft.W[i] = np.rint(w.clip(0) / max(w.max(), 1e-9) * prop.weight.upper)
            share = (prop.training.classes == label).mean()
            draft.b[i] = -np.quantile(prop.training.inputs @ draft.W[i], 1 - share)
    return draft
