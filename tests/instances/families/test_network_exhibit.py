"""The exhibit of a trained network: its features, its ONNX file, and the plane of two features, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from vnnbench.instances.datasets.labelled_data import LabelledData, Split
from vnnbench.instances.families.exhibit import Exhibit
from vnnbench.instances.families.network_exhibit import CELLS
from vnnbench.instances.families.train import TrainProblem
from vnnbench.instances.step_networks.onnx_writer import step_network_onnx
from vnnbench.instances.step_networks.step_network import StepNetwork
from vnnbench.instances.step_networks.train_property import TrainProperty, Variant, train_property

FLAGS = Variant(weights=False, activations=True, neurons=True)
INTEGER = Variant(weights=True, activations=True, neurons=True, integer=True)


def split(inputs: list[list[float]]) -> Split:
    data = LabelledData(np.array(inputs), np.array([0, 1]))
    names = tuple(f"feature {j}" for j in range(data.n_inputs))
    return Split("two", 0, names, ("left", "right"), data, data)


def exhibit(prop: TrainProperty, W: list[list[float]], b: list[float]) -> tuple[Exhibit, StepNetwork]:
    """Return the exhibit of a network whose second output is 1 where its first neuron is, and whose first is where it
    is not."""
    n = len(W)
    Q = np.zeros((n, 2))
    Q[0] = -1.0, 1.0
    network = StepNetwork(np.array(W), np.array(b), Q, np.array([prop.epsilon, 0.0]), prop.epsilon)
    found = TrainProblem(prop).exhibit(network.vector())
    assert found is not None
    return found, network


@pytest.fixture
def plane() -> TrainProperty:
    return train_property(split([[0.0, 0.0], [1.0, 1.0]]), 2, FLAGS)


def test_regions_are_the_classes_of_their_cells_and_a_line_is_where_a_step_is(plane):
    found, network = exhibit(plane, [[1.0, 0.0], [0.0, 0.0]], [-0.25, 0.0])
    shown = found.plane
    assert shown is not None and (shown.axes, shown.classes, shown.side) == (
        ("feature 0", "feature 1"), ("left", "right"), 1.0,
    )  # fmt: skip
    assert shown.lines.tolist() == [[1.0, 0.0, plane.epsilon / 2 + 0.25]]  # a neuron without weights has no line
    centres = (np.arange(CELLS) + 0.5) / CELLS
    expected = (centres > plane.epsilon / 2 + 0.25).astype(int)
    assert shown.regions.shape == (CELLS, CELLS) and (shown.regions == expected).all()  # by row of y, x along it
    assert found.file == ("onnx", step_network_onnx(network)) and found.noun == "network"


def test_the_plane_of_an_integer_network_spans_its_inputs():
    prop = train_property(split([[0.0, 10.0], [10.0, 0.0]]), 1, INTEGER)
    found, _ = exhibit(prop, [[0.0, 1.0]], [-4.0])
    shown = found.plane
    assert shown is not None and shown.side == 10.0
    assert shown.lines.tolist() == [[0.0, 1.0, 4.5]]
    centres = (np.arange(CELLS) + 0.5) / CELLS * 10
    assert (shown.regions == (centres > 4.5).astype(int)[:, None]).all()


def test_the_features_are_those_with_a_weight_in_some_neuron_and_only_two_are_a_plane():
    prop = train_property(split([[0.0, 0.5, 1.0], [1.0, 0.5, 0.0]]), 2, FLAGS)
    found, _ = exhibit(prop, [[1.0, 0.0, 0.0], [0.0, 0.0, -0.5]], [0.0, 0.0])
    assert found.names == {"features that it uses, 2 of 3": ("feature 0", "feature 2")}
    assert found.plane is None


def test_a_network_without_weights_uses_no_feature(plane):
    found, _ = exhibit(plane, [[0.0, 0.0], [0.0, 0.0]], [0.0, 0.0])
    assert found.names == {"features that it uses, 0 of 2": ()}
    assert found.plane is not None and found.plane.lines.shape == (0, 3) and (found.plane.regions == 0).all()


def test_an_evaluator_measures_the_network_of_a_candidate(plane):
    _, network = exhibit(plane, [[1.0, 0.0], [0.0, 0.0]], [-0.25, 0.0])
    found = TrainProblem(plane).evaluators({}).original.measures(network.vector())
    assert (found["train_accuracy"], found["test_accuracy"], found["errors"]) == (1.0, 1.0, 0)
    assert (found["weights"], found["activations"], found["neurons"]) == (1, 1, 1)
