"""The plans of training, finetuning and SPR that a suite states. Torch is not imported, so reading a suite is fast."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Optimizer(StrEnum):
    """The optimizers."""

    ADAM = "adam"
    SGD = "sgd"  # without momentum


class Init(StrEnum):
    """The distributions of initial weights; biases start as in torch.nn.Linear, uniform within 1 / sqrt(n_{k-1})."""

    XAVIER = "xavier"


@dataclass(frozen=True, slots=True)
class Compute:
    """The device to train on, "cpu" or "cuda", and the number of CPU threads. The bytes depend on the device."""

    device: str
    threads: int


ONE_THREAD = Compute("cpu", 1)


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How to train; the defaults are SurrogateLIB's (arXiv:2312.08074): Adam with L2 weight decay, Xavier uniform."""

    epochs: int
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    optimizer: Optimizer = Optimizer.ADAM
    init: Init = Init.XAVIER

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise ValueError(f"epochs is {self.epochs} and batch_size {self.batch_size}; both must be at least 1")
        if not (0 < self.learning_rate < math.inf and 0 <= self.weight_decay < math.inf):
            raise ValueError(
                f"learning_rate is {self.learning_rate} and weight_decay {self.weight_decay}; "
                "they must be finite, the first positive and the second not negative"
            )
        Optimizer(self.optimizer)
        Init(self.init)


@dataclass(frozen=True, slots=True)
class FinetuningPlan:
    """How surrogates are finetuned: in `rounds` that each prune further and then train for `epochs`.

    The defaults, 5 and 5, are those of [P]. Everything else is as in training.
    """

    rounds: int
    epochs: int

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.epochs < 1:
            raise ValueError(f"rounds is {self.rounds} and epochs {self.epochs}; both must be at least 1")


@dataclass(frozen=True, slots=True)
class SprPlan:
    """How neurons are pruned by the Structured Perspective Regularization (`spr`), as in [C].

    lambdas, alphas: the grid; the same cell is chosen for all seeds of an architecture. threshold: a neuron is removed
    if all its incoming weights are below it. accuracy_loss: the largest loss of test accuracy (0 to 1) of the chosen
    network against its baseline. finetuning_epochs: the epochs without the term, after neurons are removed. Everything
    else is as in training.
    """

    lambdas: tuple[float, ...]
    alphas: tuple[float, ...]
    threshold: float
    accuracy_loss: float
    finetuning_epochs: int
