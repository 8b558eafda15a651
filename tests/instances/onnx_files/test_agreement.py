from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from support.networks import make_network
from support.onnx_nodes import node
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.network import LayeredNetwork, Network, nowhere
from vnnbench.instances.onnx_files.agreement import check_agreement, rounding_error
from vnnbench.instances.onnx_files.reader import parse_file
from vnnbench.instances.onnx_files.runtime import OnnxRuntime
from vnnbench.instances.onnx_files.writer import onnx_bytes


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 40), min_size=2, max_size=4))
def test_rounding_in_float32_is_within_the_error(seed, widths):
    random = np.random.default_rng(seed)
    layers = zip(widths[1:], widths[:-1], strict=True)
    weights = tuple(random.normal(size=shape).astype(np.float32) for shape in layers)
    network = Network(weights, tuple(random.normal(size=n).astype(np.float32) for n in widths[1:]))
    points = random.normal(size=(5, widths[0])).astype(np.float32) * np.float32(10.0 ** random.uniform(-3, 3))
    check_agreement(network, OnnxRuntime(onnx_bytes(network)), points, "network")


def test_another_network_does_not_agree():
    network = make_network(([[1.0, 2.0], [0.5, -1.0]], [0.0, 0.5]), ([[1.0, -1.0]], [0.25]))
    runtime, x = OnnxRuntime(onnx_bytes(network)), np.array([0.5, 0.25], np.float32)
    check_agreement(network, runtime, [x], "a.onnx")
    first, last = network.layers
    for other in (replace(first, b=first.b + np.array([1e-4, 0.0])), replace(first, relu=nowhere(2), W=first.W * -1)):
        with pytest.raises(NetworkError, match=r"^a\.onnx: output 0 is .*, but 0\.75 by ONNX Runtime"):
            check_agreement(LayeredNetwork((other, last)), runtime, [x], "a.onnx")


def test_another_number_of_outputs_does_not_agree():
    one, two = (make_network((np.ones((n, 2)), np.zeros(n))) for n in (1, 2))
    with pytest.raises(NetworkError, match="gives 2 values, but 1 in ONNX Runtime"):
        check_agreement(two, OnnxRuntime(onnx_bytes(one)), [np.zeros(2, np.float32)], "a.onnx")


def test_the_error_of_one_sum_is_that_of_the_textbook():
    network = make_network(([[3.0, -4.0]], [1.0]))
    # Two products, the bias and one more: sqrt(4) u (3 * 2 + 4 * 1 + 1), times 16.
    assert rounding_error(network, np.array([2.0, 1.0])) == pytest.approx([16 * 2 * 2.0**-24 * 11])


def test_weights_that_overflow_are_one_line():
    huge = [([[3e38]], [0.0])] * 9
    with pytest.raises(NetworkError, match="exceed"):
        check_agreement(
            make_network(*huge), OnnxRuntime(onnx_bytes(make_network(*huge))), [np.ones(1, np.float32)], "a"
        )
    large = [([[3e38]], [0.0])] * 3
    with pytest.raises(NetworkError, match=r"output 0 is 2\.7e\+115, but inf by ONNX Runtime"):
        check_agreement(
            make_network(*large), OnnxRuntime(onnx_bytes(make_network(*large))), [np.ones(1, np.float32)], "a"
        )


@pytest.mark.parametrize("size", [1e-42, 1e-38])
def test_underflow_is_explained_by_float32(size):
    """A kernel may take weights and products below 2**-126 for 0."""
    network = make_network(([[size, 1.0]], [0.0]), ([[1.0]], [size]))
    check_agreement(network, OnnxRuntime(onnx_bytes(network)), [np.array([0.5, 0.0], np.float32)], "a.onnx")
    assert rounding_error(network, np.array([0.5, 0.0]))[0] >= 2.0**-126


def half_network(random: np.random.Generator, widths: list[int], kind: str) -> bytes:
    """Return a perceptron with float16 weights: all in float16; between float32 inputs and outputs; weights only."""
    half, single = TensorProto.FLOAT16, TensorProto.FLOAT
    h, nodes, weights = "x", [], []
    if kind == "between casts":
        nodes.append(node("Cast", "x", "h", to=half))
        h = "h"
    for k, (n_out, n_in) in enumerate(zip(widths[1:], widths[:-1], strict=True)):
        arrays = {f"W{k}": random.normal(size=(n_in, n_out)), f"b{k}": random.normal(size=n_out)}
        weights += [numpy_helper.from_array(array.astype(np.float16), name) for name, array in arrays.items()]
        names = [f"W{k}", f"b{k}"]
        if kind == "weights only":
            nodes += [node("Cast", name, f"{name}s", to=single) for name in names]
            names = [f"{name}s" for name in names]
        nodes += [node("Gemm", f"{h} {names[0]} {names[1]}", f"z{k}"), node("Relu", f"z{k}", f"h{k}")]
        h = f"h{k}"
    nodes.append(node("Cast", h, "y", to=half if kind == "all" else single))
    value = helper.make_tensor_value_info("x", half if kind == "all" else single, [1, widths[0]])
    output = helper.make_tensor_value_info("y", half if kind == "all" else single, None)
    graph = helper.make_graph(nodes, "half", [value], [output], weights)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(1, 40), min_size=2, max_size=4),
    st.sampled_from(["all", "between casts", "weights only"]),
)
def test_rounding_in_float16_is_within_the_error(seed, widths, kind):
    random = np.random.default_rng(seed)
    data = half_network(random, widths, kind)
    file, runtime = parse_file(data, "network"), OnnxRuntime(data)
    assert file.computes_in_half == (kind != "weights only")
    assert runtime.point_type == (np.float16 if kind == "all" else np.float32)
    points = random.normal(size=(5, widths[0])).astype(np.float32) * np.float32(10.0 ** random.uniform(-2, 1))
    check_agreement(file.network, runtime, points, "network")


def test_another_network_in_float16_does_not_agree():
    data = half_network(np.random.default_rng(0), [3, 4], "all")
    (*before, last) = parse_file(data, "network").network.layers
    other = LayeredNetwork((*before, replace(last, b=last.b + 0.5)))
    with pytest.raises(NetworkError, match="which rounding does not explain"):
        check_agreement(other, OnnxRuntime(data), [np.full(3, 0.5, np.float32)], "a.onnx")


def test_outputs_beyond_float16_are_one_line():
    data = half_network(np.random.default_rng(0), [3, 4], "all")
    with pytest.raises(NetworkError, match="but inf by ONNX Runtime"):
        check_agreement(parse_file(data, "a").network, OnnxRuntime(data), [np.full(3, 60000, np.float32)], "a.onnx")
