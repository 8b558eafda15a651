from __future__ import annotations

import numpy as np
import pytest

from vnnbench.instances.datasets.splits import make_split
from vnnbench.instances.datasets.table_sources import load_table, named_table
from vnnbench.instances.onnx_files.runtime import run_samples
from vnnbench.instances.step_networks.onnx_writer import scaling_operations, step_network_onnx
from vnnbench.instances.step_networks.step_network import StepNetwork, evaluate, n_parameters
from vnnbench.instances.step_networks.train_property import VARIANTS, TrainProperty, train_property

TABLE = load_table(named_table("wine"))
INTEGER = VARIANTS[-1]


def drawn(variant_place: int) -> tuple[TrainProperty, StepNetwork]:
    """A problem on wine, and a random network for it."""
    variant = VARIANTS[variant_place]
    prop = train_property(make_split(TABLE, 1, integer=variant.integer), 4, variant)
    vector = np.random.default_rng(0).uniform(-1, 1, n_parameters(prop))
    return prop, StepNetwork.of_vector(prop, vector)


@pytest.mark.parametrize("variant_place", [0, -1])
def test_the_file_has_the_steps_of_exact_arithmetic(variant_place):
    prop, network = drawn(variant_place)
    outputs, steps = run_samples(step_network_onnx(network), prop.training.inputs)
    found = evaluate(network, prop.training)
    assert (outputs == found.outputs).all() and (steps == found.steps).all()
    assert 0 < steps.mean() < 1


@pytest.mark.parametrize("variant_place", [0, -1])
def test_with_its_scaling_the_file_takes_features_as_they_are_in_the_table(variant_place):
    prop, network = drawn(variant_place)
    scaling = scaling_operations(prop.split, integer=prop.variant.integer)
    assert prop.split.origin is not None and scaling
    for data, rows in (
        (prop.training, prop.split.origin.training_rows),
        (prop.split.test, prop.split.origin.test_rows),
    ):
        assert (data.classes == TABLE.labels[list(rows)]).all()
        outputs, steps = run_samples(step_network_onnx(network, scaling), TABLE.values[list(rows)])
        found = evaluate(network, data)
        assert (outputs == found.outputs).all() and (steps == found.steps).all()


def test_the_same_network_gives_the_same_bytes():
    prop, network = drawn(0)
    scaling = scaling_operations(prop.split, integer=False)
    assert step_network_onnx(network, scaling) == step_network_onnx(network, scaling) != step_network_onnx(network)
