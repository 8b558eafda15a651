"""Networks that torch exports, by its default exporter and by TorchScript: read as they are, exactly."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.onnx_files.agreement import check_agreement
from vnnbench.instances.onnx_files.external_data import read_whole
from vnnbench.instances.onnx_files.reader import parse_file, parse_onnx
from vnnbench.instances.onnx_files.runtime import OnnxRuntime


class Residual(nn.Module):
    """A convolution, one with a residual sum, and a view of an open batch."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.second, self.last = nn.Conv2d(3, 3, 3, padding=1), nn.Linear(48, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.relu(self.norm(self.first(x)))
        h = torch.relu(self.second(h) + h)
        return self.last(h.view(x.size(0), -1))


class Branches(nn.Module):
    """Two halves of a layer, each through other piecewise-linear functions."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 6), nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        one, other = self.first(x).chunk(2, dim=1)
        h = torch.maximum(one, other.abs())
        return self.last(nn.functional.hardtanh(h) + nn.functional.relu6(one) - nn.functional.leaky_relu(other, 0.2))


NETWORKS = {
    "perceptron": (lambda: nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Dropout(), nn.Linear(5, 3)), (1, 4)),
    "convolutions": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.BatchNorm2d(2), nn.PReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(8, 3),
        ),
        (1, 1, 8, 8),
    ),
    "adaptive average": (
        lambda: nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)),
        (1, 1, 6, 6),
    ),
    "residual": (Residual, (1, 2, 4, 4)),
    "branches": (Branches, (1, 4)),
}  # fmt: skip


def exported(module: nn.Module, shape: tuple[int, ...], exporter: str, folder: Path) -> bytes:
    """Return the file of a module, with the weights in it."""
    if exporter == "default":
        pytest.importorskip("onnxscript", reason="onnxscript, which torch's default exporter needs, is not installed")
    sample, path = torch.zeros(shape, dtype=next(module.parameters()).dtype), folder / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of the exporters
        torch.onnx.export(module, (sample,), str(path), dynamo=exporter == "default")
    return read_whole(path)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("exporter", ["default", "TorchScript"])
def test_an_exported_network_is_read_exactly(name: str, exporter: str, tmp_path: Path) -> None:
    make, shape = NETWORKS[name]
    torch.manual_seed(0)
    module = make().eval()
    data = exported(module, shape, exporter, tmp_path)
    exact, runtime = ExactNetwork(parse_onnx(data, name)), OnnxRuntime(data)
    doubled = module.double()
    for seed in range(3):
        x = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
        outputs = [float(value) for value in exact.outputs(x.ravel())]
        with torch.no_grad():
            expected = doubled(torch.from_numpy(x.astype(np.float64))).ravel()
        np.testing.assert_allclose(outputs, expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(outputs, runtime.run(x.ravel()), rtol=1e-4, atol=1e-4)


class Labels(nn.Module):
    """A classifier that gives its label beside its probabilities."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scores = self.scores(x)
        return scores.argmax(dim=1), scores.softmax(dim=1)


class Label(Labels):
    """A classifier that gives its label alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scores(x).argmax(dim=-1)


CLASSIFIERS = {
    "Softmax": lambda: nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1)),
    "LogSoftmax": lambda: nn.Sequential(nn.Linear(4, 3), nn.LogSoftmax(dim=-1)),
    "label and Softmax": Labels,
    "ArgMax": Label,
}


@pytest.mark.parametrize("end", CLASSIFIERS)
@pytest.mark.parametrize("exporter", ["default", "TorchScript"])
def test_an_exported_classifier_has_the_scores_before_its_end(end: str, exporter: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = CLASSIFIERS[end]().eval()
    linear = next(child for child in module.modules() if isinstance(child, nn.Linear))
    data = exported(module, (1, 4), exporter, tmp_path)
    file, x = parse_file(data, end), np.random.default_rng(0).normal(size=4).astype(np.float32)
    assert file.end.operators == end.split()[-1]
    outputs = [float(value) for value in ExactNetwork(file.network).outputs(x)]
    np.testing.assert_allclose(outputs, linear(torch.from_numpy(x)).detach(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(outputs, OnnxRuntime(data).run(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("exporter", ["default", "TorchScript"])
def test_an_exported_network_in_float16_is_read_exactly(exporter: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    make, shape = NETWORKS["adaptive average"]
    module = make().eval().half()
    data = exported(module, shape, exporter, tmp_path)
    network = parse_file(data, "half").network
    points = np.random.default_rng(0).normal(size=(3, 36)).astype(np.float16).astype(np.float32)
    check_agreement(network, OnnxRuntime(data), points, "half")
    doubled = module.double()
    for x in points:
        outputs = [float(value) for value in ExactNetwork(network).outputs(x)]
        expected = doubled(torch.from_numpy(x.astype(np.float64)).reshape(shape)).ravel().detach()
        np.testing.assert_allclose(outputs, expected, rtol=1e-9, atol=1e-9)
