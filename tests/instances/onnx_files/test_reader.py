import gzip

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from support.networks import random_network, same_bits
from support.onnx_nodes import node
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.network import Network
from vnnbench.instances.onnx_files.operators import _REFUSAL_OF, _REFUSALS, SUPPORTED
from vnnbench.instances.onnx_files.reader import parse_onnx, parse_perceptron, read_onnx
from vnnbench.instances.onnx_files.runtime import OnnxRuntime
from vnnbench.instances.onnx_files.writer import onnx_bytes

# Files from elsewhere: y = W2 relu(W1 x + b1) + b2 with W1 (3, 4), W2 (2, 3), in other words.

RANDOM = np.random.default_rng(3)
BASE = Network(*(tuple(RANDOM.standard_normal(shape).astype(np.float32) for shape in shapes)
               for shapes in (((3, 4), (2, 3)), (3, 2))))  # fmt: skip
TENSORS = {"W1": BASE.weights[0], "b1": BASE.biases[0], "W2": BASE.weights[1], "b2": BASE.biases[1],
           "V1": BASE.weights[0].T.copy(), "V2": BASE.weights[1].T.copy()}  # fmt: skip


GEMM_CHAIN = (
    node("Gemm", "x W1 b1", "z", transB=1),
    node("Relu", "z", "h"),
    node("Gemm", "h W2 b2", "y", transB=1),
)


def model_bytes(nodes=GEMM_CHAIN, *, tensors=None, shape=(1, 4), kind=TensorProto.FLOAT, edit=None):
    arrays = TENSORS | (tensors or {})
    used = {name for n in nodes for name in n.input}
    initializers = [numpy_helper.from_array(a, name) for name, a in arrays.items() if name in used]
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        initializers,
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])
    if edit:
        edit(model)
    return model.SerializeToString()


@pytest.mark.parametrize(
    ("nodes", "shape"),
    [
        (GEMM_CHAIN, (1, 4)),
        (GEMM_CHAIN, ("batch", 4)),
        ((node("Gemm", "x V1 b1", "z"), *GEMM_CHAIN[1:]), (1, 4)),
        ((node("Flatten", "x", "f"), node("Gemm", "f W1 b1", "z", transB=1), *GEMM_CHAIN[1:]), (1, 1, 2, 2)),
        ((node("MatMul", "x V1", "m"), node("Add", "m b1", "z"), *GEMM_CHAIN[1:]), (1, 4)),
        ((node("MatMul", "x V1", "m"), node("Add", "b1 m", "z"), *GEMM_CHAIN[1:]), (1, 4)),
    ],
)
def test_other_ways_to_write_a_network_give_the_same_bits(nodes, shape):
    data = model_bytes(nodes, shape=shape)
    assert same_bits(parse_perceptron(data, "network"), BASE)
    x = np.array([0.1, -0.2, 0.3, 0.4], dtype=np.float32)
    np.testing.assert_allclose(OnnxRuntime(data).run(x), BASE.forward(x), rtol=1e-5)


def test_absent_biases_are_zero():
    nodes = (node("MatMul", "x V1", "z"), node("Relu", "z", "h"), node("Gemm", "h V2", "y"))
    network = parse_perceptron(model_bytes(nodes), "network")
    assert [b.tolist() for b in network.biases] == [[0, 0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ((node("Sigmoid", "x", "y"),), r"'my_y' \(Sigmoid\) is not piecewise linear; it is cut off at the end"),
        ((node("TopK", "x", "y"),), r"'my_y' \(TopK\) is not supported; supported are Abs, Add, "),
        ((node("Where", "x x x", "y"),), r"'my_y' \(Where\) .* may jump; train the network with Max, Min or Clip"),
        (
            (node("Tanh", "x", "y"),),
            "is not piecewise linear; train the network with Relu, LeakyRelu or Clip in its place",
        ),
        ((node("QLinearConv", "x", "y"),), "is not supported; export the network before it is quantized"),
        ((node("Loop", "x", "y"),), "export the network without control flow, for one sample of fixed shape"),
        ((node("LayerNormalization", "x", "y"),), "train the network with BatchNormalization in its place"),
        ((*GEMM_CHAIN[:2], node("Gemm", "h W2 b2", "y", gain=1.0)), "has gain = 1.0, .*; export it without it"),
        (
            (*GEMM_CHAIN[:2], node("Gemm", "h W2 b2", "y", transB=2)),
            "'my_y' .* transB = 2, which is not supported; export it with 0 or 1",
        ),
        (
            (node("Flatten", "x", "f", axis=3), *GEMM_CHAIN),
            "has axis 3, but its values have 2 dimensions; export the network again, for",
        ),
        ((node("Div", "W2 x", "y"),), r"'my_y' \(Div\) divides by a value that depends on the input"),
        ((*GEMM_CHAIN[:2], node("Mul", "h h", "y")), "multiplies two values that both depend on the input"),
        ((*GEMM_CHAIN[:2], node("Gemm", "h V2 b1", "y")), r"'my_y' .* bias of shape \(3,\)"),
        (
            (*GEMM_CHAIN[:2], node("Gemm", "later W2 b2", "y", transB=1)),
            "'my_y' .* takes 'later', which no node before",
        ),
        ((*GEMM_CHAIN[:2], node("MatMul", "V2 h", "y")), "'my_y' .* takes 2 values by its weights, but gets 1"),
        ((*GEMM_CHAIN[:2], node("Gemm", "h W2 b2", "w", transB=1)), "gives the output 'y', which does not depend on"),
        ((*GEMM_CHAIN[:2], node("Gemm", "h W2 b2", "y")), "takes 2 values by its weights, but gets 3"),
        ((*GEMM_CHAIN[:2], node("Gemm", "h W1 b1", "y", transB=1)), "takes 4 values by its weights, but gets 3"),
        ((), "does not hold nodes"),
    ],
)
def test_what_is_not_supported_is_named(nodes, message):
    with pytest.raises(NetworkError, match=message):
        parse_onnx(model_bytes(nodes), "some.onnx")


def outside(model):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"


def twice(model):
    model.graph.initializer.append(model.graph.initializer[0])


def short(model):
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-4]


def own_operator(model):
    model.functions.append(helper.make_function("", "Relu", ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"])], []))


def other_domain(model):
    model.graph.node[1].domain = "com.example"


def two_outputs(model):
    model.graph.output.append(model.graph.output[0])


def two_inputs(model):
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1, 2]))


def old(model):
    model.opset_import[0].version = 6


def unused_outside(model):
    outside(model)
    tensor = model.graph.initializer.pop(0)
    tensor.name = "unused"
    model.graph.initializer.append(tensor)


def negative_size(model):
    model.graph.initializer[0].dims[0] = -3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tensors": {"W1": BASE.weights[0].astype(np.float64)}}, "'W1' are float64; they must be float32"),
        ({"tensors": {"b1": BASE.biases[0].astype(np.float16)}}, "'b1' are float16; they must be float32"),
        ({"tensors": {"W1": np.full((3, 4), np.nan, np.float32)}}, "'W1' are not all finite"),
        ({"tensors": {"b2": np.full(2, np.inf, np.float32)}}, "'b2' are not all finite"),
        ({"tensors": {"W1": np.ones((3, 0), np.float32)}}, "they must be a matrix"),
        ({"tensors": {"W1": np.ones((3, 2, 2), np.float32)}}, "takes an operand of shape .3, 2, 2."),
        ({"kind": TensorProto.BFLOAT16}, "input 'x' is bfloat16; it must be float16, float32 or float64"),
        ({"kind": TensorProto.DOUBLE}, "'W1' are float32; they must be float64"),
        ({"shape": (1, 5)}, "takes 4 values by its weights, but gets 5"),
        ({"shape": (1, "n")}, "export it with fixed sizes, only the first may be open"),
        ({"shape": (1, 0)}, "export it with fixed sizes, only the first may be open"),
        ({"shape": (1, 2**40)}, "takes 1099511627776 values, more than 1000000"),
        ({"shape": (2, 4)}, r"has shape \[2, 4\]; export it for one sample, \[1, 4\]"),
        ({"shape": (1, 2, 2)}, "put a Flatten before it"),
        ({"edit": outside}, "'W1' are outside the file"),
        ({"edit": twice}, "same name to two weights"),
        ({"edit": short}, "do not fill their shape"),
        ({"edit": own_operator}, "its own operators"),
        ({"edit": other_domain}, "domain 'com.example', .*; export it with ONNX's own operators"),
        ({"edit": two_outputs}, "has 2 outputs, it must have one beside labels; export it with its scores only"),
        ({"edit": two_inputs}, "has 2 inputs, it must have one; export it with the others joined to it"),
        ({"edit": old}, "is of opset 6"),
        ({"edit": unused_outside}, "'unused' are outside the file"),
        ({"edit": negative_size}, "do not fill their shape"),
    ],
)
def test_unsafe_contents_are_named(changes, message):
    data = model_bytes(**changes)
    with pytest.raises(NetworkError, match=message) as caught:
        parse_onnx(data, "some.onnx")
    assert str(caught.value).startswith("some.onnx: ")
    assert "\n" not in str(caught.value)
    with pytest.raises(NetworkError):
        OnnxRuntime(data)


@pytest.mark.parametrize("data", [b"", b"\x00", b"not a network", b"\xff" * 100])
def test_a_file_that_is_not_a_network_is_one_line(tmp_path, data):
    path = tmp_path / "bad.onnx"
    path.write_bytes(data)
    with pytest.raises(NetworkError, match=r"bad\.onnx: ") as caught:
        read_onnx(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (
            (node("Gemm", "x W1 b1", "z", transB=1), node("Gemm", "z W2 b2", "y", transB=1)),
            "layer 1 has neurons without a Relu",
        ),
        (
            (*GEMM_CHAIN[:2], node("Gemm", "h W2 b2", "z2", transB=1), node("Relu", "z2", "y")),
            "layer 3 is neither",
        ),
        ((node("Relu", "x", "r"), node("Gemm", "r W1 b1", "z", transB=1), *GEMM_CHAIN[1:]), "layer 1 is neither"),
        ((node("Sub", "x c", "r"), node("Gemm", "r W1 b1", "z", transB=1), *GEMM_CHAIN[1:]), "layer 1 is neither"),
        ((*GEMM_CHAIN[:2], node("Gemm", "h W2 b2", "w", transB=1), node("Add", "w tiny", "y")), "not float32"),
    ],
)
def test_chains_that_are_not_perceptrons_are_read_and_named(nodes, message):
    tensors = {"c": np.ones(4, np.float32), "tiny": np.full(2, 2.0**-40, np.float32)}
    data = model_bytes(nodes, tensors=tensors)
    assert parse_onnx(data, "some.onnx").layers[-1].n_outputs == 2
    with pytest.raises(NetworkError, match=rf"^some\.onnx: is not a multilayer perceptron: .*{message}"):
        parse_perceptron(data, "some.onnx")


def test_every_truncation_is_an_error():
    data = onnx_bytes(random_network((3, 2, 2), 0))
    for length in range(len(data)):
        try:
            network = parse_perceptron(data[:length], "network")
        except NetworkError:
            continue
        # Only the version fields at the end may be missing without harm to the network.
        assert same_bits(network, random_network((3, 2, 2), 0))


def test_missing_and_unreadable_paths_are_one_line(tmp_path):
    with pytest.raises(NetworkError, match=r"none\.onnx: cannot be read \(No such file"):
        read_onnx(tmp_path / "none.onnx")
    with pytest.raises(NetworkError, match="is not a file"):
        read_onnx(tmp_path)


def test_gzipped_files_are_read_and_broken_ones_named(tmp_path):
    path = tmp_path / "network.onnx.gz"
    path.write_bytes(gzip.compress(onnx_bytes(BASE)))
    assert [layer.n_outputs for layer in read_onnx(path).layers] == [3, 2]
    path.write_bytes(gzip.compress(onnx_bytes(BASE))[:-9])
    with pytest.raises(NetworkError, match="is not one complete gzip stream"):
        read_onnx(path)
    path.write_bytes(onnx_bytes(BASE))
    with pytest.raises(NetworkError, match="is not a gzip file"):
        read_onnx(path)


def test_files_beyond_the_largest_size_are_not_unzipped(tmp_path, monkeypatch):
    path = tmp_path / "network.onnx.gz"
    path.write_bytes(gzip.compress(bytes(10_000)))
    monkeypatch.setattr("vnnbench.instances.onnx_files.reader.MAX_ONNX_BYTES", 9_999)
    with pytest.raises(NetworkError, match="holds more than 9999 bytes"):
        read_onnx(path)


def test_operators_with_a_refusal_of_their_own_are_not_read():
    assert len(_REFUSAL_OF) == sum(len(operators.split()) for _, operators in _REFUSALS)
    assert not set(_REFUSAL_OF) & set(SUPPORTED)
