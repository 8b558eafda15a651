import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from instances.errors import NetworkError
from instances.network import Network
from instances.onnx_files import OnnxRuntime, onnx_bytes, parse_onnx, read_onnx, write_onnx
from instances.pruning import prune


def random_network(*widths, seed=0):
    rng = np.random.default_rng(seed)
    weights = [rng.standard_normal((m, n)).astype(np.float32) for n, m in pairwise(widths)]
    return Network(tuple(weights), tuple(rng.standard_normal(len(W)).astype(np.float32) for W in weights))


def same_bits(one, other):
    pairs = zip(one.weights + one.biases, other.weights + other.biases, strict=True)
    return all(a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in pairs)


networks = st.builds(
    lambda widths, seed, rate: prune(random_network(*widths, seed=seed), structure="unstructured", rate=rate),
    st.lists(st.integers(1, 6), min_size=2, max_size=5),
    st.integers(0, 1000),
    st.sampled_from([0.01, 0.5, 0.9]),
)


@settings(deadline=None)
@given(networks, st.integers(0, 1000))
def test_onnx_runtime_agrees_with_forward(network, seed):
    x = np.random.default_rng(seed).uniform(-1, 1, network.n_inputs).astype(np.float32)
    y = OnnxRuntime(onnx_bytes(network)).run(x)
    assert y.dtype == np.float32
    assert y.shape == (network.n_outputs,)
    np.testing.assert_allclose(y, network.forward(x), rtol=1e-4, atol=1e-4)


@settings(deadline=None)
@given(networks)
def test_the_same_bits_come_back(network):
    assert same_bits(parse_onnx(onnx_bytes(network), "network"), network)


def test_extreme_float32_values_come_back():
    extreme = np.array([[-0.0, 1e-45, -1e-38, 3.4028235e38, 0.1]], dtype=np.float32)
    network = Network((extreme,), (np.array([-0.0], dtype=np.float32),))
    assert same_bits(parse_onnx(onnx_bytes(network), "network"), network)


def test_narrowed_and_dead_networks_come_back_and_run():
    narrow = prune(random_network(6, 9, 9, 3), structure="structured", rate=0.95)
    no_weights, sum_of_two = np.zeros((2, 3), np.float32), np.ones((1, 2), np.float32)
    dead = Network((no_weights, sum_of_two), (-np.ones(2, np.float32), np.ones(1, np.float32)))
    for network in (narrow, dead):
        assert same_bits(parse_onnx(onnx_bytes(network), "network"), network)
        x = np.full(network.n_inputs, 0.5, dtype=np.float32)
        np.testing.assert_allclose(OnnxRuntime(onnx_bytes(network)).run(x), network.forward(x), rtol=1e-5)


def test_file_has_fixed_names_versions_and_shapes(tmp_path):
    network = random_network(4, 3, 2)
    write_onnx(network, tmp_path / "network.onnx")
    model = onnx.load(tmp_path / "network.onnx")
    onnx.checker.check_model(model, full_check=True)
    for values, expected in ((model.graph.input, ("input", [1, 4])), (model.graph.output, ("output", [1, 2]))):
        assert [(v.name, [d.dim_value for d in v.type.tensor_type.shape.dim]) for v in values] == [expected]
    assert (model.producer_name, model.producer_version, model.ir_version) == ("vnnbench", "", 8)
    assert same_bits(read_onnx(tmp_path / "network.onnx"), network)


def test_bytes_are_the_same_in_another_process():
    code = (
        "import sys, numpy as np; from instances.network import Network; from instances.onnx_files import onnx_bytes;"
        "W = np.arange(6, dtype=np.float32).reshape(2, 3); b = np.ones(2, dtype=np.float32);"
        "sys.stdout.buffer.write(onnx_bytes(Network((W,), (b,))))"
    )
    here = onnx_bytes(Network((np.arange(6, dtype=np.float32).reshape(2, 3),), (np.ones(2, dtype=np.float32),)))
    child = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        check=True,
    )
    assert child.stdout == here


# Files from elsewhere: y = W2 relu(W1 x + b1) + b2 with W1 (3, 4), W2 (2, 3), in other words.

BASE = random_network(4, 3, 2, seed=3)
TENSORS = {"W1": BASE.weights[0], "b1": BASE.biases[0], "W2": BASE.weights[1], "b2": BASE.biases[1],
           "V1": BASE.weights[0].T.copy(), "V2": BASE.weights[1].T.copy()}  # fmt: skip


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs.split(), [output], name=f"my_{output}", **attributes)


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
def test_other_ways_to_write_the_same_network(nodes, shape):
    data = model_bytes(nodes, shape=shape)
    assert same_bits(parse_onnx(data, "network"), BASE)
    x = np.array([0.1, -0.2, 0.3, 0.4], dtype=np.float32)
    np.testing.assert_allclose(OnnxRuntime(data).run(x), BASE.forward(x), rtol=1e-5)


def test_absent_biases_are_zero():
    nodes = (node("MatMul", "x V1", "z"), node("Relu", "z", "h"), node("Gemm", "h V2", "y"))
    network = parse_onnx(model_bytes(nodes), "network")
    assert [b.tolist() for b in network.biases] == [[0, 0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ((node("Sigmoid", "x", "y"),), r"'my_y' \(Sigmoid\) is not supported; supported are Gemm, MatMul"),
        ((*GEMM_CHAIN[:2], node("Gemm", "h W2 b2", "y", transB=1, alpha=2.0)), "'my_y' .* alpha = 2.0"),
        ((node("Gemm", "x W1 b1", "z", transB=1), node("Gemm", "z W2 b2", "y", transB=1)), "without a Relu between"),
        ((*GEMM_CHAIN[:2], node("Gemm", "h W2 b2", "z2", transB=1), node("Relu", "z2", "y")), "ends with Relu"),
        ((node("Relu", "x", "h"), GEMM_CHAIN[2]), "follows no weights"),
        ((node("Flatten", "x", "y"),), "holds no weights"),
        ((node("Flatten", "x", "f", axis=0), *GEMM_CHAIN), "axis = 0"),
        ((*GEMM_CHAIN[:2], node("Gemm", "z W2 b2", "y", transB=1)), "'my_y' .* takes \\['z'\\], not just 'h'"),
        ((*GEMM_CHAIN[:2], node("Add", "h h", "y")), "'my_y'"),
        ((*GEMM_CHAIN[:2], node("MatMul", "V2 h", "y")), "'my_y'"),
        ((*GEMM_CHAIN, node("Add", "y b2", "w")), "adds to what is not a MatMul"),
        ((*GEMM_CHAIN[:2], node("Gemm", "h W2 b2", "w", transB=1)), "the last node gives 'w', not the output 'y'"),
        ((GEMM_CHAIN[0], GEMM_CHAIN[1], node("Gemm", "h W2 b2", "y")), "bias of shape"),
        ((GEMM_CHAIN[0], GEMM_CHAIN[1], node("Gemm", "h W1 b1", "y", transB=1)), "layer 2 takes 4 values"),
        ((), "no nodes"),
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tensors": {"W1": BASE.weights[0].astype(np.float64)}}, "'W1' are double, they must be float32"),
        ({"tensors": {"b1": BASE.biases[0].astype(np.float16)}}, "'b1' are float16, they must be float32"),
        ({"tensors": {"W1": np.full((3, 4), np.nan, np.float32)}}, "'W1' are not all finite"),
        ({"tensors": {"b2": np.full(2, np.inf, np.float32)}}, "'b2' are not all finite"),
        ({"tensors": {"W1": np.ones((3, 0), np.float32)}}, "they must be a matrix"),
        ({"tensors": {"W1": np.ones((3, 2, 2), np.float32)}}, "they must be a matrix"),
        ({"kind": TensorProto.DOUBLE}, "input 'x' is double"),
        ({"shape": (1, 5)}, r"take 4 values, the input is \[5\]"),
        ({"shape": (2, 4)}, "must be one sample"),
        ({"shape": (1, 2, 2)}, "put a Flatten before it"),
        ({"edit": outside}, "'W1' lie outside the file"),
        ({"edit": twice}, "same name to two weights"),
        ({"edit": short}, "do not fill their shape"),
        ({"edit": own_operator}, "operators of its own"),
        ({"edit": other_domain}, "domain 'com.example'"),
        ({"edit": two_outputs}, "1 inputs and 2 outputs"),
    ],
)
def test_what_cannot_be_trusted_is_named(changes, message):
    data = model_bytes(**changes)
    with pytest.raises(NetworkError, match=message) as caught:
        parse_onnx(data, "some.onnx")
    assert str(caught.value).startswith("some.onnx: ")
    assert "\n" not in str(caught.value)
    with pytest.raises(NetworkError):
        OnnxRuntime(data)


@pytest.mark.parametrize("data", [b"", b"\x00", b"not a network", b"\xff" * 100])
def test_a_file_that_is_no_network_is_one_line(tmp_path, data):
    path = tmp_path / "bad.onnx"
    path.write_bytes(data)
    with pytest.raises(NetworkError, match=r"bad\.onnx: ") as caught:
        read_onnx(path)
    assert "\n" not in str(caught.value)


def test_every_truncation_is_an_error():
    data = onnx_bytes(random_network(3, 2, 2))
    for length in range(len(data)):
        try:
            network = parse_onnx(data[:length], "network")
        except NetworkError:
            continue
        # Only the version fields at the end may be missing without harm to the network.
        assert same_bits(network, random_network(3, 2, 2))


def test_missing_and_unreadable_paths(tmp_path):
    with pytest.raises(NetworkError, match=r"none\.onnx: cannot be read \(No such file"):
        read_onnx(tmp_path / "none.onnx")
    with pytest.raises(NetworkError, match="is not a file"):
        read_onnx(tmp_path)


def test_run_refuses_other_types_and_lengths():
    runtime = OnnxRuntime(onnx_bytes(BASE))
    with pytest.raises(TypeError, match="float64"):
        runtime.run(np.zeros(4))
    with pytest.raises(ValueError, match="reshape"):
        runtime.run(np.zeros(5, dtype=np.float32))
