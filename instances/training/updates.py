"""The steps of an optimizer on the parameters of a stack.

The functions of `torch.optim` are called and not its classes: the first object of these loads torch's compiler, which
takes every worker process more than a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from vnnbench.instances.training.plan import Optimizer, TrainingPlan

ADAM_BETAS = (0.9, 0.999)
ADAM_EPSILON = 1e-8
"""The defaults of torch.optim.Adam."""


def fresh_optimizer(
    plan: TrainingPlan, parameters: Sequence[Tensor], gradients: Sequence[Tensor]
) -> Callable[[], None]:
    """Return a function that changes the parameters by a step of the plan's optimizer, from their present gradients."""
    steps = {Optimizer.ADAM: _adam_steps, Optimizer.SGD: _sgd_steps}[plan.optimizer]
    return steps(plan, list(parameters), list(gradients))


def _adam_steps(plan: TrainingPlan, parameters: list[Tensor], gradients: list[Tensor]) -> Callable[[], None]:
    means, squares = ([torch.zeros_like(gradient) for gradient in gradients] for _ in range(2))
    counts = [gradient.new_zeros(()) for gradient in gradients]
    beta1, beta2 = ADAM_BETAS

    @torch.no_grad()
    def step() -> None:
        adam(
            parameters, gradients, means, squares, [], counts, fused=True, amsgrad=False, maximize=False,
            beta1=beta1, beta2=beta2, eps=ADAM_EPSILON, lr=plan.learning_rate, weight_decay=plan.weight_decay,
        )  # fmt: skip

    return step


def _sgd_steps(plan: TrainingPlan, parameters: list[Tensor], gradients: list[Tensor]) -> Callable[[], None]:
    @torch.no_grad()
    def step() -> None:
        sgd(
            parameters, gradients, [], fused=True, nesterov=False, maximize=False,
            momentum=0.0, dampening=0.0, lr=plan.learning_rate, weight_decay=plan.weight_decay,
        )  # fmt: skip

    return step
