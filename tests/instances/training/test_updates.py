import subprocess
import sys

import pytest
import torch

from vnnbench.instances.training.plan import Optimizer, TrainingPlan
from vnnbench.instances.training.updates import fresh_optimizer


@pytest.mark.parametrize(("optimizer", "kind"), [(Optimizer.ADAM, torch.optim.Adam), (Optimizer.SGD, torch.optim.SGD)])
def test_steps_have_the_bits_of_torchs_optimizers(optimizer, kind):
    plan = TrainingPlan(epochs=1, learning_rate=0.01, weight_decay=0.1, optimizer=optimizer)
    random = torch.Generator().manual_seed(0)
    starts = [torch.randn(shape, generator=random) for shape in ((3, 7, 5), (3, 1, 5))]
    ours, theirs = ([start.clone().requires_grad_() for start in starts] for _ in range(2))
    gradients = [torch.empty_like(start) for start in starts]
    for parameter, gradient in zip(theirs, gradients, strict=True):
        parameter.grad = gradient
    step = fresh_optimizer(plan, ours, gradients)
    reference = kind(theirs, lr=plan.learning_rate, weight_decay=plan.weight_decay, fused=True)
    for _ in range(10):
        for gradient in gradients:
            gradient.normal_(generator=random)
        step()
        reference.step()
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(ours, starts, strict=True))


def test_training_does_not_load_the_compiler_of_torch():
    code = """if True:
        import sys
        from vnnbench.instances.datasets.dataset import load_dataset
        from vnnbench.instances.training.dense import train
        from vnnbench.instances.training.plan import Optimizer, TrainingPlan
        digits = load_dataset("digits", 8)
        for optimizer in Optimizer:
            train(digits, [4], [0], TrainingPlan(epochs=1, optimizer=optimizer))
        sys.exit("torch._dynamo" in sys.modules)
    """
    subprocess.run([sys.executable, "-c", code], check=True)
