import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.networks import random_network, same_bits
from vnnbench.instances.networks.network import Network
from vnnbench.instances.networks.pruning import prune
from vnnbench.instances.onnx_files.reader import parse_perceptron, read_perceptron
from vnnbench.instances.onnx_files.runtime import OnnxRuntime
from vnnbench.instances.onnx_files.writer import onnx_bytes, write_onnx

drawn = given(
    st.lists(st.integers(1, 6), min_size=2, max_size=5), st.integers(0, 1000), st.sampled_from([0.01, 0.5, 0.9])
)


@settings(deadline=None)
@drawn
def test_onnx_runtime_agrees_with_forward(widths, seed, rate):
    network = prune(random_network(widths, seed), structure="unstructured", rate=rate)
    x = np.random.default_rng(seed).uniform(-1, 1, network.n_inputs).astype(np.float32)
    y = OnnxRuntime(onnx_bytes(network)).run(x)
    assert y.dtype == np.float32
    assert y.shape == (network.n_outputs,)
    np.testing.assert_allclose(y, network.forward(x), rtol=1e-4, atol=1e-4)


@settings(deadline=None)
@drawn
def test_the_same_bits_come_back(widths, seed, rate):
    network = prune(random_network(widths, seed), structure="unstructured", rate=rate)
    assert same_bits(parse_perceptron(onnx_bytes(network), "network"), network)


def test_extreme_float32_values_come_back():
    extreme = np.array([[-0.0, 1e-45, -1e-38, 3.4028235e38, 0.1]], dtype=np.float32)
    network = Network((extreme,), (np.array([-0.0], dtype=np.float32),))
    assert same_bits(parse_perceptron(onnx_bytes(network), "network"), network)


def test_narrowed_and_dead_networks_come_back_and_run():
    narrow = prune(random_network((6, 9, 9, 3), 0), structure="structured", rate=0.95)
    no_weights, sum_of_two = np.zeros((2, 3), np.float32), np.ones((1, 2), np.float32)
    dead = Network((no_weights, sum_of_two), (-np.ones(2, np.float32), np.ones(1, np.float32)))
    for network in (narrow, dead):
        assert same_bits(parse_perceptron(onnx_bytes(network), "network"), network)
        x = np.full(network.n_inputs, 0.5, dtype=np.float32)
        np.testing.assert_allclose(OnnxRuntime(onnx_bytes(network)).run(x), network.forward(x), rtol=1e-5)


def test_file_has_fixed_names_versions_and_shapes(tmp_path):
    network = random_network((4, 3, 2), 0)
    write_onnx(network, tmp_path / "network.onnx")
    model = onnx.load(tmp_path / "network.onnx")
    onnx.checker.check_model(model, full_check=True)
    for values, expected in ((model.graph.input, ("input", [1, 4])), (model.graph.output, ("output", [1, 2]))):
        assert [(v.name, [d.dim_value for d in v.type.tensor_type.shape.dim]) for v in values] == [expected]
    assert (model.producer_name, model.producer_version, model.ir_version) == ("vnnbench", "", 8)
    assert same_bits(read_perceptron(tmp_path / "network.onnx"), network)


def test_bytes_are_the_same_in_another_process():
    code = (
        "import sys, numpy as np; from vnnbench.instances.networks.network import Network;"
        "from vnnbench.instances.onnx_files.writer import onnx_bytes;"
        "W = np.arange(6, dtype=np.float32).reshape(2, 3); b = np.ones(2, dtype=np.float32);"
        "sys.stdout.buffer.write(onnx_bytes(Network((W,), (b,))))"
    )
    here = onnx_bytes(Network((np.arange(6, dtype=np.float32).reshape(2, 3),), (np.ones(2, dtype=np.float32),)))
    child = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        check=True,
    )
    assert child.stdout == here


def test_run_refuses_other_types_and_lengths():
    runtime = OnnxRuntime(onnx_bytes(random_network((4, 3, 2), 0)))
    with pytest.raises(TypeError, match="float64"):
        runtime.run(np.zeros(4))
    with pytest.raises(ValueError, match="reshape"):
        runtime.run(np.zeros(5, dtype=np.float32))
