"""What training asks of a device: operations that a GPU computes deterministically, and errors that are one line."""

from __future__ import annotations

import re

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from vnnbench.instances.errors import DeviceError
from vnnbench.instances.networks.pruning import Method, Structure
from vnnbench.instances.training.batched import device_errors, generator, generators_on, reproducible_torch
from vnnbench.instances.training.dense import train
from vnnbench.instances.training.finetuning import Surrogate, finetune
from vnnbench.instances.training.plan import FinetuningPlan, Optimizer, SprPlan, TrainingPlan
from vnnbench.instances.training.spr import SprCell, SprTraining, train_spr

PLANS = [TrainingPlan(epochs=1, optimizer=optimizer) for optimizer in Optimizer]
SPR = SprPlan(lambdas=(0.01,), alphas=(0.5,), threshold=0.01, accuracy_loss=0.5, finetuning_epochs=1)


class Operations(TorchDispatchMode):
    """Collects the names of the operations that run inside it, gradients included."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        self.names.add(function._schema.name.removeprefix("aten::"))
        return function(*arguments, **(options or {}))


def refused_on_a_gpu(names: set[str]) -> list[str]:
    """Return the operations that torch's documentation lists as without a deterministic implementation."""
    documentation = torch.use_deterministic_algorithms.__doc__
    assert documentation is not None
    listing = documentation.split("operations will throw")[1].split("In addition")[0]
    listed = {
        re.sub("[._]", "", name.rsplit(".", 1)[-1]).lower() for name in re.findall(r":\w+:`torch\.([^`]+)`", listing)
    }
    assert {"nllloss", "cumsum", "histc"} <= listed
    return sorted(name for name in names if any(one in name.replace("_", "") for one in listed - {"put"}))


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.optimizer)
def test_training_needs_no_operation_that_is_not_deterministic_on_a_gpu(digits, plan):
    with Operations() as used:
        dense = [result.network for result in train(digits, [8, 8], [0, 1], plan)]
        surrogates = [
            Surrogate(f"s{i}", network, f"d{i}", Method.MAGNITUDE, structure, 0.5)
            for i, network in enumerate(dense)
            for structure in Structure
        ]
        finetune(digits, surrogates, plan, FinetuningPlan(rounds=1, epochs=1))
        train_spr(digits, [SprTraining(i, network, SprCell(0.01, 0.5)) for i, network in enumerate(dense)], plan, SPR)
    assert {"baddbmm", "_log_softmax_backward_data", "scatter_"} <= used.names
    assert refused_on_a_gpu(used.names) == []


def test_generators_of_the_cpu_stay_as_they_are():
    generators = [generator("a"), generator("b")]
    assert generators_on("cpu", generators) == generators


def test_a_gpu_has_generators_of_its_own():
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    orders = [
        [torch.randperm(1000, generator=g, device="cuda").tolist() for g in generators_on("cuda", generators)]
        for generators in ([generator("a"), generator("b")], [generator("a")])
    ]
    assert orders[0][0] == orders[1][0] != orders[0][1]


def test_a_loss_that_a_gpu_refuses_is_recognized():
    with Operations() as used:
        torch.nn.functional.cross_entropy(torch.zeros(2, 3, 4), torch.zeros(2, 4, dtype=torch.long))
    assert refused_on_a_gpu(used.names) == ["nll_loss2d_forward"]


def test_errors_of_a_gpu_are_one_line_and_others_stay_as_they_are():
    with pytest.raises(DeviceError, match=r"^--device cuda: CUDA error: an illegal access$"), device_errors("cuda"):
        raise RuntimeError("CUDA error: an illegal access\nCUDA kernel errors might be reported later")
    with pytest.raises(DeviceError, match=r"^--device cuda: RuntimeError$"), reproducible_torch(1, "cuda"):
        raise RuntimeError
    with pytest.raises(RuntimeError, match="a bug"), reproducible_torch():
        raise RuntimeError("a bug")
    with pytest.raises(ValueError, match="not of the device"), reproducible_torch(1, "cuda"):
        raise ValueError("not of the device")
