"""Graphs with branches, and every operator beyond the chain: exact outputs against ONNX Runtime, at random points."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from support.onnx_nodes import node
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import LayeredNetwork
from vnnbench.instances.onnx_files.reader import parse_onnx
from vnnbench.instances.onnx_files.runtime import OnnxRuntime


def many(op: str, inputs: str, outputs: str, **attributes: object) -> NodeProto:
    """Return a node with several outputs."""
    return helper.make_node(op, inputs.split(), outputs.split(), name=f"my_{op}", **attributes)


def model(nodes, shape, *, kind=TensorProto.FLOAT, opset=17, **arrays) -> bytes:
    """Return a graph "x" -> .. -> "y" with initializers."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, ir_version=8, opset_imports=opsets).SerializeToString()


def drawn(*shape: int, seed: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def assert_like_runtime(data: bytes, shape) -> LayeredNetwork:
    """Compare the network as read with ONNX Runtime at random points; return it."""
    network = parse_onnx(data, "network")
    exact, runtime = ExactNetwork(network), OnnxRuntime(data)
    n = int(np.prod([size if isinstance(size, int) and size > 0 else 1 for size in shape]))
    for seed in range(4):
        x = np.random.default_rng(seed).normal(scale=3.0, size=n).astype(np.float32)
        outputs = np.array([float(value) for value in exact.outputs(x)])
        np.testing.assert_allclose(outputs, runtime.run(x), rtol=1e-5, atol=1e-5)
    return network


def whole(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


IMAGE = (1, 2, 4, 5)
"""One sample with two channels."""
LEARNED = {"domain": "ai.onnx.ml"}
CASES = {
    "Scaler": (
        [node("Scaler", "x", "y", offset=[0.1, -0.2, 3.0], scale=[0.7, 2.0, -1.0], **LEARNED)], (1, 3), {},
    ),
    "Scaler by one number": ([node("Scaler", "x", "y", offset=[0.1], scale=[0.7], **LEARNED)], (1, 3), {}),
    "LeakyRelu": ([node("LeakyRelu", "x", "y", alpha=0.3)], (1, 5), {}),
    "LeakyRelu of a sum": ([node("Gemm", "x W", "z"), node("LeakyRelu", "z", "y")], (1, 3), {"W": drawn(3, 4)}),
    "LeakyRelu whose 1 - slope no float64 holds": ([node("LeakyRelu", "x", "y", alpha=1e-30)], (1, 3), {}),
    "PRelu": ([node("PRelu", "x s", "y")], IMAGE, {"s": drawn(2, 1, 1)}),
    "Abs": ([node("Abs", "x", "y")], (1, 4), {}),
    "Clip": ([node("Clip", "x low high", "y")], (1, 6), {"low": np.float32(-0.5), "high": np.float32(1.25)}),
    "Clip at one end": ([many("Clip", "x low", "y")], (1, 6), {"low": np.float32(0.1)}),
    "Max": ([node("Max", "x c d", "y")], (1, 4), {"c": drawn(4), "d": drawn(1, seed=3)}),
    "Min of branches": (
        [node("Gemm", "x V", "a"), node("Gemm", "x W", "b"), node("Min", "a b", "y")],
        (1, 3),
        {"V": drawn(3, 4), "W": drawn(3, 4, seed=1)},
    ),
    "MaxPool": ([node("MaxPool", "x", "y", kernel_shape=[2, 3], strides=[2, 1], pads=[1, 1, 0, 1])], IMAGE, {}),
    "MaxPool rounded up": ([node("MaxPool", "x", "y", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)], IMAGE, {}),
    "AveragePool rounded up": (
        [node("AveragePool", "x", "y", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)], IMAGE, {},
    ),
    "GlobalAveragePool": ([node("GlobalAveragePool", "x", "y")], IMAGE, {}),
    "GlobalMaxPool": ([node("GlobalMaxPool", "x", "y")], IMAGE, {}),
    "ReduceMean": ([node("ReduceMean", "x", "y", axes=[1, -1], keepdims=0)], IMAGE, {}),
    "ReduceSum": ([node("ReduceSum", "x a", "y")], IMAGE, {"a": whole(2)}),
    "ReduceMax": ([node("ReduceMax", "x", "y", axes=[3])], IMAGE, {}),
    "ReduceMin": ([node("ReduceMin", "x", "y", axes=[1, 2, 3])], IMAGE, {}),
    "Neg": ([node("Neg", "x", "n"), node("Relu", "n", "y")], (1, 4), {}),
    "Sum": ([node("Sum", "x c x", "y")], (1, 4), {"c": drawn(4)}),
    "Mean": ([node("Mean", "x c x", "y")], (1, 4), {"c": drawn(4)}),
    "Sub of branches": ([node("Relu", "x", "r"), node("Sub", "x r", "y")], (1, 4), {}),
    "a constant less a value": ([node("Sub", "c x", "y")], (1, 4), {"c": drawn(4)}),
    "Gemm with alpha, beta and transposes": (
        [node("Transpose", "x", "t"), node("Gemm", "t W b", "y", alpha=0.5, beta=0.3, transA=1, transB=1)],
        (1, 3),
        {"W": drawn(4, 3), "b": drawn(4)},
    ),
    "MatMul from the left": (
        [node("Transpose", "x", "t"), node("MatMul", "W t", "y")], (1, 3), {"W": drawn(4, 3)},
    ),
    "MatMul of many rows": ([node("MatMul", "x W", "y")], (1, 2, 4, 5), {"W": drawn(5, 3)}),
    "MatMul with a vector": ([node("MatMul", "x w", "y")], (1, 5), {"w": drawn(5)}),
    "Pad": ([node("Pad", "x p v", "y")], IMAGE, {"p": whole(0, 0, 1, 2, 0, 0, 0, 1), "v": np.float32(0.5)}),
    "Transpose": ([node("Transpose", "x", "t", perm=[0, 2, 3, 1]), node("Mul", "t c", "y")], IMAGE, {"c": drawn(2)}),
    "Squeeze and Unsqueeze": (
        [node("Squeeze", "x a", "s"), node("Unsqueeze", "s b", "u"), node("Add", "u c", "y")],
        (1, 1, 4),
        {"a": whole(1), "b": whole(0, -1), "c": drawn(3, 1, 1, 1)},
    ),
    "Flatten of another axis": (
        [node("Flatten", "x", "f", axis=2), node("Gemm", "f W", "y")], IMAGE, {"W": drawn(20, 2)},
    ),
    "Reshape with allowzero": (
        [node("Reshape", "x s", "r", allowzero=1), node("Gemm", "r W", "y")],
        IMAGE,
        {"s": whole(1, -1), "W": drawn(40, 2)},
    ),
    "Slice": (
        [node("Slice", "x a b c d", "y")], IMAGE,
        {"a": whole(3, -1), "b": whole(0, -9), "c": whole(2, 3), "d": whole(-2, -1)},
    ),
    "Gather": ([node("Gather", "x i", "y", axis=3)], IMAGE, {"i": np.array([[0, -1], [2, 0]])}),
    "Split and Concat": (
        [many("Split", "x s", "a b", axis=1), node("Relu", "a", "r"), node("Concat", "b r c", "y", axis=1)],
        (1, 5),
        {"s": whole(2, 3), "c": drawn(1, 2)},
    ),
    "Expand": ([node("Relu", "x", "r"), node("Expand", "r s", "e"), node("Add", "e c", "y")], (1, 1, 3),
               {"s": whole(2, 3), "c": drawn(2, 3)}),
    "Tile": ([node("Tile", "x r", "y")], (1, 3), {"r": whole(1, 2)}),
    "Dropout with a mask": ([many("Dropout", "x", "d mask"), node("Relu", "d", "y")], (1, 4), {}),
    "Dropout outside of training": (
        [node("Dropout", "x r t", "d"), node("Relu", "d", "y")], (1, 4), {"r": np.float32(0.5), "t": np.array(False)},
    ),
    "a residual block": (
        [
            node("Conv", "x W b", "c1", pads=[1, 1, 1, 1]), node("Relu", "c1", "r1"),
            node("Conv", "r1 V", "c2", pads=[1, 1, 1, 1]), node("Add", "c2 x", "s"), node("Relu", "s", "h"),
            node("Flatten", "h", "f"), node("Gemm", "f U", "y"),
        ],
        IMAGE,
        {"W": drawn(2, 2, 3, 3), "b": drawn(2), "V": drawn(2, 2, 3, 3, seed=2), "U": drawn(40, 3)},
    ),
    "a value that two branches read, one of them later": (
        [
            node("Gemm", "x W", "z"), node("Relu", "z", "a"), node("Gemm", "a V", "b"), node("Relu", "b", "c"),
            node("Concat", "c z", "d", axis=1), node("Gemm", "d U", "y"),
        ],
        (1, 3),
        {"W": drawn(3, 4), "V": drawn(4, 2), "U": drawn(6, 2)},
    ),
    "a view of an open batch": (
        [
            node("Shape", "x", "s"), node("Gather", "s zero", "n", axis=0), node("Unsqueeze", "n zeros", "u"),
            node("Concat", "u rest", "v", axis=0), node("Reshape", "x v", "f"), node("Gemm", "f W", "y"),
        ],
        ("batch", 2, 3),
        {"zero": np.int64(0), "zeros": whole(0), "rest": whole(-1), "W": drawn(6, 2)},
    ),
    "operators on weights": (
        [node("Identity", "W", "i"), node("Transpose", "i", "t"), node("Mul", "t c", "m"), node("MatMul", "x m", "y")],
        (1, 3),
        {"W": drawn(4, 3), "c": np.float32(0.1)},
    ),
    "an input without a sample's dimension": ([node("MatMul", "x W", "y")], (3,), {"W": drawn(3, 2)}),
    "an open batch written as -1": ([node("Gemm", "x W", "y")], (-1, 3), {"W": drawn(3, 2)}),
    "channels last": (
        [node("Transpose", "x", "t", perm=[0, 3, 1, 2]), node("Conv", "t W", "y")],
        (1, 4, 5, 2),
        {"W": drawn(3, 2, 2, 2)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_outputs_are_those_of_onnx_runtime(case):
    nodes, shape, arrays = CASES[case]
    assert_like_runtime(model(nodes, shape, **arrays), shape)


@pytest.mark.parametrize("forms", [{"value_float": 0.25}, {"value_floats": [0.25, 1.5, -1.0]}])
def test_constants_of_every_form_are_read(forms):
    nodes = [helper.make_node("Constant", [], ["c"], **forms), node("Add", "x c", "y")]
    assert_like_runtime(model(nodes, (1, 3)), (1, 3))


def test_a_network_in_float64_is_read_with_all_its_digits():
    third = 1 / 3
    arrays = {
        "W": np.array([[third, -third], [0.1, 0.7]]),
        "b": np.array([0.1, 1e-17]),
        "V": np.array([[1.0], [third]]),
    }
    nodes = [node("Gemm", "x W b", "z"), node("Relu", "z", "h"), node("MatMul", "h V", "y")]
    network = assert_like_runtime(model(nodes, (1, 2), kind=TensorProto.DOUBLE, **arrays), (1, 2))
    assert (network.layers[0].W == arrays["W"].T).all() and network.layers[0].b[1] == 1e-17


def test_a_cast_to_float64_within_a_network_is_read():
    nodes = [
        node("Relu", "x", "h"), node("Cast", "h", "d", to=TensorProto.DOUBLE), node("Mul", "d c", "m"),
        node("Cast", "m", "y", to=TensorProto.FLOAT),
    ]  # fmt: skip
    network = assert_like_runtime(model(nodes, (1, 2), c=np.array([1 / 3, 0.1])), (1, 2))
    assert network.layers[-1].W.toarray().tolist() == [[1 / 3, 0.0], [0.0, 0.1]]


def test_a_chain_has_the_same_layers_as_before():
    arrays = {"W": drawn(3, 4), "b": drawn(4), "V": drawn(4, 2)}
    nodes = [node("Gemm", "x W b", "z"), node("Relu", "z", "h"), node("Relu", "h", "g"), node("Gemm", "g V", "y")]
    first, last = assert_like_runtime(model(nodes, (1, 3), **arrays), (1, 3)).layers
    assert isinstance(first.W, np.ndarray) and isinstance(last.W, np.ndarray)
    assert (first.W == arrays["W"].T).all() and (first.b == arrays["b"]).all() and first.relu.all()
    assert (last.W == arrays["V"].T).all() and not last.relu.any()


def test_a_residual_sum_carries_its_input_on():
    nodes, shape, arrays = CASES["a residual block"]
    first, second, last = assert_like_runtime(model(nodes, shape, **arrays), shape).layers
    assert (first.n_outputs, int(first.relu.sum())) == (80, 40)
    assert first.copied()[40:].tolist() == list(range(40))
    assert second.relu.all() and last.n_outputs == 3


def test_a_leaky_relu_of_a_long_sum_writes_it_once():
    nodes, shape, arrays = CASES["LeakyRelu of a sum"]
    layers = assert_like_runtime(model(nodes, shape, **arrays), shape).layers
    assert [(layer.n_outputs, int(layer.relu.sum())) for layer in layers] == [(4, 0), (8, 4), (4, 0)]


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("Mul", "x x", "y")], "both depend on the input, which is not piecewise linear"),
        ([node("Softmax", "x", "s"), node("Relu", "s", "y")], r"\(Softmax\) is not piecewise linear"),
        ([node("Scaler", "x", "y", offset=[0.1], scale=[1.0, 2.0], **LEARNED)], "has 1 offsets and 2 scales"),
        ([node("Scaler", "x", "y", offset=[1], scale=[1.0], **LEARNED)], r"has offset = \[1\], which is not supported"),
        ([node("Normalizer", "x", "y", **LEARNED)], "is of domain 'ai.onnx.ml', which is not supported"),
        ([node("LeakyRelu", "x", "y", alpha=float("nan"))], "has alpha = nan, which is not supported"),
        ([node("LeakyRelu", "x", "y", alpha=float("inf"))], "computes with weights that are not finite"),
        (
            [node("MatMul", "a a", "m"), node("Add", "x m", "y")],
            "computes with constants alone; export the network with",
        ),
        ([node("Slice", "x a b", "y")], "has starts that is not a constant of whole numbers"),
        ([node("Gather", "x i", "y", axis=1)], "gathers beyond its values"),
        ([node("Concat", "x i", "y", axis=5)], "has axis 5, but its values have 2 dimensions"),
        ([many("Split", "x b", "a y", axis=1)], r"splits \[1, 3\] into \[2\], which does not fit"),
        ([node("Transpose", "x", "y", perm=[0, 0])], r"has perm = \[0, 0\]"),
        ([node("Expand", "x big", "y")], "gives .* values, more than"),
        ([many("Dropout", "x", "d mask"), node("Add", "d mask", "y")], "takes 'mask', which no node before it gives"),
        ([node("Dropout", "x r t", "y")], r"drops values at random \(training_mode\)"),
    ],
)
def test_what_cannot_be_read_is_named(nodes, message):
    arrays = {"a": drawn(1), "b": whole(2), "i": np.array([[7, 1]]), "big": whole(1 << 20, 3)}
    arrays |= {"r": np.float32(0.5), "t": np.array(True)}
    with pytest.raises(NetworkError, match=message) as caught:
        parse_onnx(model(nodes, (1, 3), **arrays), "some.onnx")
    assert "\n" not in str(caught.value)
