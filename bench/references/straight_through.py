"""A heuristic for family `train`: gradient training of a network of step functions, with restarts and a local search.

    h_i = [w_i x + b_i > 0]        o_k = sum_i q_ik h_i - t_k        output k is 1 where o_k >= 0
    loss = sum over samples and outputs of max(0, 1/2 - y_k o_k) + 0.1 (the sparsity terms of the problem)

with y_k = 1 for the sample's class, else -1. q is rounded to -1, 0 and 1, and w to integers where the problem wants
them. Gradients pass a rounding as if it were not there, and a step as if it were the sigmoid of SLOPE (w x + b) / |w|:
the straight-through estimator. Restarts train side by side, BATCH at a time. The local search (`step_search`) starts
from each network twice: as it was drawn, because training leads many to the same, and as it was after the step with the
best objective, where the margin eps does not count.
Source: Bengio, Leonard and Courville 2013, arXiv:1308.3432; Adam: Kingma and Ba 2015, arXiv:1412.6980.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from vnnbench.instances.step_networks.train_property import FACTOR, TrainProperty
from vnnbench.instances.training.batched import generator, reproducible_torch
from vnnbench.references.step_search import Draft
from vnnbench.references.step_trainer import StepTrainer, Stopped
from vnnbench.solvers.base import Licence, SolveRequest

METHOD = "1"
"""The version of the method above, of the local search, and of its defaults. It changes when they change."""
BATCH = 16
SLOPE = 6.0
_WEIGHTS_TO_BEGIN_WITH = 3
"""The mean number of weights of a neuron before training, where weights are integers and cost something."""


class StraightThrough(StepTrainer):
    """The heuristic as an adapter. Its options: restarts; steps of training in each; rate of learning."""

    name: ClassVar[str] = "straight-through"
    title: ClassVar[str] = "straight-through training"
    module: ClassVar[str] = "torch"
    defaults: ClassVar[Mapping[str, int | float]] = {"restarts": 256, "steps": 200, "rate": 0.05}

    def version(self) -> str:
        return f"{METHOD}+torch-{torch.__version__.partition('+')[0]}"

    def licence(self) -> Licence:
        return Licence("MIT, torch BSD 3")

    def drafts(self, prop: TrainProperty, request: SolveRequest, stopped: Stopped) -> Iterator[Draft]:
        options = self.options_of(request)
        restarts = int(options["restarts"])
        for first in range(0, restarts, BATCH):
            draws = generator(f"straight-through/{request.seed}/{first}")
            with reproducible_torch(request.threads):
                stack = _Stack(prop, min(BATCH, restarts - first), draws)
                drafts = stack.drafts() + stack.trained(int(options["steps"]), options["rate"], stopped)
            if stopped():
                return
            yield from drafts


class _Stack:
    """Networks that train side by side: W (R, n, m), b (R, n, 1), Q (R, n, K), t (R, K, 1)."""

    def __init__(self, prop: TrainProperty, restarts: int, draws: torch.Generator) -> None:
        self._property, weight = prop, prop.weight
        self._X = torch.tensor(prop.training.inputs, dtype=torch.float32)
        targets = torch.nn.functional.one_hot(torch.tensor(prop.training.classes), prop.n_classes)
        self._signs = 2.0 * targets.T - 1.0
        n, m, K = prop.neurons, prop.n_inputs, prop.n_classes
        self._used = torch.tensor(prop.used_inputs, dtype=torch.float32)
        if weight.integer:
            few = min(0.5, _WEIGHTS_TO_BEGIN_WITH / m)
            chosen = torch.rand(restarts, n, m, generator=draws) < few
            self._W = (0.45 * torch.rand(restarts, n, m, generator=draws) + 0.5 * chosen) * weight.upper
        else:
            self._W = torch.randn(restarts, n, m, generator=draws)
        through = self._X[torch.randint(len(self._X), (restarts, n), generator=draws)]
        self._b = -(self._rounded_weights() * through).sum(dim=2, keepdim=True)
        self._Q = 0.7 * torch.randn(restarts, n, K, generator=draws)
        self._t = torch.full((restarts, K, 1), 0.5)

    def drafts(self) -> list[Draft]:
        """Return the networks as they are."""
        return _drafts([part.detach() for part in self._rounded()])

    def trained(self, steps: int, rate: float, stopped: Stopped) -> list[Draft]:
        """Return the networks after so many steps of Adam, or as many as a stop leaves."""
        parameters = [part.requires_grad_() for part in (self._W, self._b, self._Q, self._t)]
        optimizer = torch.optim.Adam(parameters, lr=rate)
        best = torch.full((len(self._W),), torch.inf)
        kept = [part.detach() for part in self._rounded()]
        for _ in range(steps):
            if stopped():
                break
            rounded = self._rounded()
            loss, objective = self._loss(*rounded)
            better = objective < best
            best = torch.where(better, objective, best)
            pairs = zip(rounded, kept, strict=True)
            kept = [torch.where(better[:, None, None], new.detach(), old) for new, old in pairs]
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        return _drafts(kept)

    def _rounded(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return W, b, Q and t as they are used; gradients pass the roundings."""
        return self._rounded_weights(), self._b, _round(self._Q.clamp(-1, 1)), self._t

    def _rounded_weights(self) -> Tensor:
        weight = self._property.weight
        W = self._W if not weight.integer else _round(self._W.clamp(weight.lower, weight.upper))
        return W * self._used

    def _loss(self, W: Tensor, b: Tensor, Q: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum of the restarts' losses, and the objective of each (R,)."""
        z = W @ self._X.T + b
        size = torch.linalg.vector_norm(W.detach(), dim=2, keepdim=True).clamp(min=1e-3)
        soft = torch.sigmoid(SLOPE * z / size)
        h = soft + ((z > 0).float() - soft).detach()
        o = Q.transpose(1, 2) @ h - t
        flags = self._property.variant
        terms = flags.weights * W.sum(dim=(1, 2)) + flags.activations * h.sum(dim=(1, 2))
        terms = FACTOR * (terms + flags.neurons * h.amax(dim=2).sum(dim=1))
        hinge = (0.5 - self._signs * o).clamp(min=0).sum(dim=(1, 2))
        errors = ((o >= 0).float() != (self._signs > 0)).sum(dim=(1, 2))
        return (hinge + terms).sum(), (errors + terms).detach()


def _drafts(parts: Sequence[Tensor]) -> list[Draft]:
    """Return the networks of W, b, Q and t as they are used."""
    arrays = [part.double().numpy() for part in parts]
    return [Draft(W, b[:, 0], Q, np.ceil(t[:, 0])) for W, b, Q, t in zip(*arrays, strict=True)]


def _round(x: Tensor) -> Tensor:
    """Return x rounded, with the gradient of x."""
    return x + (torch.round(x) - x).detach()
