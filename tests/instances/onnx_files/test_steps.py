"""The network on steps from a centre has exactly the values of the network at centre + p - m."""

from fractions import Fraction

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import vnnbench.instances.onnx_files.steps
from support.networks import make_network, random_network
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.onnx_files.reader import parse_onnx
from vnnbench.instances.onnx_files.runtime import OnnxRuntime
from vnnbench.instances.onnx_files.steps import on_steps
from vnnbench.instances.onnx_files.writer import onnx_bytes


def dyadic(random, n, high):
    """Numbers of [0, high] with few bits, so that float64 holds their sums."""
    return random.integers(0, int(high * 64) + 1, size=n) / 64


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=4), st.integers(0, 10_000))
def test_the_network_on_steps_has_the_exact_values_of_the_network(widths, seed):
    network, random = random_network(widths, seed), np.random.default_rng(seed)
    centre = dyadic(random, network.n_inputs, 1.0)
    exact = ExactNetwork(network)
    derived = on_steps(onnx_bytes(network), centre)
    on_pairs = ExactNetwork(parse_onnx(derived, "derived"))
    assert (on_pairs.n_inputs, on_pairs.n_outputs) == (2 * network.n_inputs, network.n_outputs)
    for _ in range(10):
        p, m = dyadic(random, network.n_inputs, 2.0), dyadic(random, network.n_inputs, 2.0)
        assert on_pairs.outputs(np.concatenate([p, m])) == exact.outputs(centre + p - m)


def test_onnx_runtime_computes_the_network_on_steps():
    network = random_network((3, 4, 2), 1)
    centre, step = np.array([0.5, 0.25, 1.0]), np.array([0.25, 0, 0, 0, 0.125, 0.5], dtype=np.float32)
    y = OnnxRuntime(on_steps(onnx_bytes(network), centre)).run(step)
    np.testing.assert_allclose(y, network.forward(centre + np.array([0.25, -0.125, -0.5])), rtol=1e-5, atol=1e-5)


def test_the_input_keeps_its_shape_and_type_behind_the_first_layer():
    """The network takes a 2x2 image in float64, the centre is not float32, and names of the steps are in use."""
    W = np.arange(4.0).reshape(4, 1)
    nodes = [helper.make_node("Flatten", ["steps"], ["x"]), helper.make_node("MatMul", ["x", "W0"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "image",
        [helper.make_tensor_value_info("steps", TensorProto.DOUBLE, ["batch", 1, 2, 2])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [1, 1])],
        [numpy_helper.from_array(W, "W0")],
    )
    data = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)]).SerializeToString()
    derived = on_steps(data, np.array([0.1, 0.2, 0.3, 0.4]))
    onnx.checker.check_model(onnx.load_model_from_string(derived), full_check=True)
    (y,) = ExactNetwork(parse_onnx(derived, "derived")).outputs([0, 0.5, 0, 0, 0, 0, 0, 0.25])
    assert y == 1 * (Fraction(0.2) + Fraction(1, 2)) + 2 * Fraction(0.3) + 3 * (Fraction(0.4) - Fraction(1, 4))
    assert OnnxRuntime(derived).run(np.zeros(8, dtype=np.float32)) == pytest.approx([0.2 + 0.6 + 1.2])


def test_a_centre_beyond_the_network_s_type_is_refused():
    data = onnx_bytes(make_network(([[1.0, 1.0]], [0.0])))
    with pytest.raises(NetworkError, match="the network is float32, which cannot hold the centre"):
        on_steps(data, np.array([0.1, 0.5]))
    with pytest.raises(NetworkError, match="the network is float32, which cannot hold the centre"):
        on_steps(data, np.array([1e300, 0.5]))


def test_a_network_that_grows_beyond_what_is_read_is_refused(monkeypatch):
    data = onnx_bytes(make_network(([[1.0, 1.0]], [0.0])))
    monkeypatch.setattr(vnnbench.instances.onnx_files.steps, "MAX_ONNX_BYTES", len(data) + 31)
    with pytest.raises(NetworkError, match=f"from the centre would hold more than {len(data) + 31} bytes"):
        on_steps(data, np.array([0.5, 0.5]))


def test_the_same_network_and_centre_give_the_same_bytes():
    data, centre = onnx_bytes(random_network((3, 4, 2), 1)), np.array([0.5, 0.25, 1.0])
    assert on_steps(data, centre) == on_steps(data, centre)
