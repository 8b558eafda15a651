"""Every operator is compared with ONNX Runtime, and with PyTorch in float64, which shares nothing with the reader."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from torch.nn import functional

from support.networks import layer_of
from support.onnx_nodes import node
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import LayeredNetwork
from vnnbench.instances.onnx_files.reader import parse_onnx
from vnnbench.instances.onnx_files.runtime import OnnxRuntime

seeds = st.integers(0, 2**32 - 1)


def model_bytes(nodes, shape, *, constant_nodes=(), opset=13, **arrays):
    """Return a chain "x" -> .. -> "y"; arrays are initializers, those named in `constant_nodes` Constant nodes."""
    tensors = {name: numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()}
    constants = [helper.make_node("Constant", [], [name], value=tensors.pop(name)) for name in constant_nodes]
    graph = helper.make_graph(
        [*constants, *nodes],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        list(tensors.values()),
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", opset)])
    return model.SerializeToString()


def floats(random, *shape):
    return random.normal(size=shape).astype(np.float32)


def check(data, x, expected):
    """Check the exact outputs at x up to float64 rounding, and those of ONNX Runtime up to float32 rounding."""
    exact = np.array([float(value) for value in ExactNetwork(parse_onnx(data, "network")).outputs(x.ravel())])
    np.testing.assert_allclose(exact, np.asarray(expected).ravel(), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(exact, OnnxRuntime(data).run(x.ravel()), rtol=1e-4, atol=1e-4)


def double(array):
    return torch.from_numpy(np.asarray(array, dtype=np.float64))


@settings(deadline=None, max_examples=150)
@given(seeds, st.data())
def test_convolutions_are_exact(seed, data):
    random = np.random.default_rng(seed)
    n_axes, groups = data.draw(st.integers(1, 2)), data.draw(st.integers(1, 3))
    n_read, n_written = groups * data.draw(st.integers(1, 2)), groups * data.draw(st.integers(1, 2))

    def each(low, high):
        return data.draw(st.lists(st.integers(low, high), min_size=n_axes, max_size=n_axes))

    kernel, strides, dilations, before, after = each(1, 3), each(1, 3), each(1, 2), each(0, 2), each(0, 2)
    size = [
        n + max(0, d * (k - 1) + 1 - n - p - q)
        for n, k, d, p, q in zip(each(1, 6), kernel, dilations, before, after, strict=True)
    ]
    attributes = {"strides": strides, "dilations": dilations, "pads": before + after, "group": groups}
    W, b = floats(random, n_written, n_read // groups, *kernel), floats(random, n_written)
    with_bias = data.draw(st.booleans())
    nodes = [node("Conv", "x W b" if with_bias else "x W", "y", **attributes)]
    x = floats(random, 1, n_read, *size)
    padding = [n for pair in reversed(list(zip(before, after, strict=True))) for n in pair]
    convolve = functional.conv1d if n_axes == 1 else functional.conv2d
    expected = convolve(
        functional.pad(double(x), padding), double(W), double(b) if with_bias else None, strides, 0, dilations, groups
    )
    check(model_bytes(nodes, x.shape, W=W, b=b), x, expected)


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"])
@pytest.mark.parametrize("operator", ["Conv", "AveragePool"])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_automatic_padding_is_that_of_onnx_runtime(operator, auto_pad, stride):
    random = np.random.default_rng(stride)
    W, x = floats(random, 2, 2, 3, 4), floats(random, 1, 2, 7, 6)
    inputs = "x W" if operator == "Conv" else "x"
    given = {"kernel_shape": [3, 4], "strides": [stride, stride], "auto_pad": auto_pad}
    data = model_bytes([node(operator, inputs, "y", **given)], x.shape, W=W)
    exact = [float(value) for value in ExactNetwork(parse_onnx(data, "network")).outputs(x.ravel())]
    np.testing.assert_allclose(exact, OnnxRuntime(data).run(x.ravel()), rtol=1e-5, atol=1e-5)


@settings(deadline=None, max_examples=100)
@given(seeds, st.data())
def test_averages_are_exact(seed, data):
    random = np.random.default_rng(seed)
    n_axes, n_channels, include = data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2)), data.draw(st.booleans())

    def each(low, high):
        return data.draw(st.lists(st.integers(low, high), min_size=n_axes, max_size=n_axes))

    kernel, strides = each(1, 4), each(1, 3)
    padding = [min(p, k // 2) for p, k in zip(each(0, 2), kernel, strict=True)]  # PyTorch takes no more than this
    size = [n + max(0, k - n - 2 * p) for n, k, p in zip(each(1, 6), kernel, padding, strict=True)]
    attributes = {"kernel_shape": kernel, "strides": strides, "pads": padding * 2, "count_include_pad": int(include)}
    x = floats(random, 1, n_channels, *size)
    pool = functional.avg_pool1d if n_axes == 1 else functional.avg_pool2d
    expected = pool(double(x), kernel, strides, padding, count_include_pad=include)
    check(model_bytes([node("AveragePool", "x", "y", **attributes)], x.shape), x, expected)


def test_an_average_of_three_is_a_third_exactly():
    data = model_bytes([node("AveragePool", "x", "y", kernel_shape=[3])], (1, 1, 3))
    assert ExactNetwork(parse_onnx(data, "network")).outputs([1.0, 0.0, 0.0]) == [Fraction(1, 3)]


@settings(deadline=None, max_examples=50)
@given(seeds, st.booleans(), st.sampled_from([None, 1e-3]))
def test_batch_normalization_is_exact(seed, after_convolution, epsilon):
    random = np.random.default_rng(seed)
    gamma, shift, mean = (floats(random, 3) for _ in range(3))
    variance = random.uniform(0.1, 4.0, 3).astype(np.float32)
    W, b, x = floats(random, 3, 2, 2, 2), floats(random, 3), floats(random, 1, 2 if after_convolution else 3, 4, 4)
    nodes = [node("Conv", "x W b", "c")] if after_convolution else []
    given_epsilon = {} if epsilon is None else {"epsilon": epsilon}
    nodes.append(node("BatchNormalization", f"{'c' if nodes else 'x'} gamma shift mean variance", "y", **given_epsilon))
    z = functional.conv2d(double(x), double(W), double(b)) if after_convolution else double(x)
    scale = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + float(np.float32(epsilon or 1e-5)))
    expected = double(scale)[:, None, None] * (z - double(mean)[:, None, None]) + double(shift)[:, None, None]
    arrays = {"gamma": gamma, "shift": shift, "mean": mean, "variance": variance, "W": W, "b": b}
    used = {name for n in nodes for name in n.input}
    check(model_bytes(nodes, x.shape, **{k: v for k, v in arrays.items() if k in used}), x, expected)


def test_the_scale_of_a_batch_normalization_is_a_float64_and_nothing_else_is_rounded():
    arrays = {
        "gamma": np.array([3.0], np.float32), "shift": np.array([2.0**-100], np.float32),
        "mean": np.array([2.0**60], np.float32), "variance": np.array([2.0], np.float32),
    }  # fmt: skip
    data = model_bytes([node("BatchNormalization", "x gamma shift mean variance", "y")], (1, 1), **arrays)
    scale = Fraction(3.0 / np.sqrt(2.0 + float(np.float32(1e-5))))
    expected = scale * (Fraction(1, 8) - 2**60) + Fraction(1, 2**100)
    assert ExactNetwork(parse_onnx(data, "network")).outputs([0.125]) == [expected]


@pytest.mark.parametrize("constant_nodes", [(), ("mean", "deviation")])
def test_scaled_inputs_are_exact(constant_nodes):
    random = np.random.default_rng(3)
    mean, deviation = floats(random, 3, 1, 1), np.array([0.1, -0.3, 7.0], np.float32).reshape(1, 3, 1, 1)
    x = floats(random, 1, 3, 2, 2)
    nodes = [node("Sub", "x mean", "a"), node("Div", "a deviation", "y")]
    data = model_bytes(nodes, x.shape, constant_nodes=constant_nodes, mean=mean, deviation=deviation)
    assert len(parse_onnx(data, "network").layers) == 1
    check(data, x, (double(x) - double(mean)) / double(deviation))
    numbers = zip(x.ravel().tolist(), np.repeat(mean, 4).tolist(), np.repeat(deviation, 4).tolist(), strict=True)
    expected = [(Fraction(v) - Fraction(m)) / Fraction(d) for v, m, d in numbers]
    assert ExactNetwork(parse_onnx(data, "network")).outputs(x.ravel()) == expected


@pytest.mark.parametrize(
    ("operator", "inputs", "function"),
    [
        ("Add", "x c", lambda x, c: x + c),
        ("Add", "c x", lambda x, c: x + c),
        ("Sub", "x c", lambda x, c: x - c),
        ("Sub", "c x", lambda x, c: c - x),
        ("Mul", "x c", lambda x, c: x * c),
        ("Mul", "c x", lambda x, c: c * x),
        ("Div", "x c", lambda x, c: x / c),
    ],
)
@pytest.mark.parametrize("shape", [(), (1,), (2,), (3, 2), (1, 3, 1)])
def test_elementwise_operators_broadcast_exactly(operator, inputs, function, shape):
    random = np.random.default_rng(5)
    c, x = np.asarray(random.normal(size=shape), dtype=np.float32), floats(random, 1, 3, 2)
    W = floats(random, 6, 4)
    nodes = [node(operator, inputs, "a"), node("Relu", "a", "h"), node("Flatten", "h", "f"), node("MatMul", "f W", "y")]
    data = model_bytes(nodes, x.shape, c=c, W=W)
    check(data, x, torch.relu(double(function(x.astype(np.float64), c.astype(np.float64)))).reshape(1, 6) @ double(W))


def test_sums_that_no_float64_holds_stay_apart():
    large, small = np.array([2.0**60], np.float32), np.array([2.0**-60], np.float32)
    nodes = [node("Add", "x large", "a"), node("Add", "a small", "b"), node("Sub", "b large", "y")]
    network = parse_onnx(model_bytes(nodes, (1, 1), large=large, small=small), "network")
    assert ExactNetwork(network).outputs([0.0]) == [Fraction(1, 2**60)]


def test_quotients_of_quotients_are_exact():
    third, seventh = np.array([3.0, -3.0], np.float32), np.array([7.0, 0.75], np.float32)
    nodes = [
        node("Div", "x third", "a"),
        node("Add", "a one", "b"),
        node("Div", "b seventh", "c"),
        node("Relu", "c", "y"),
    ]
    data = model_bytes(nodes, (1, 2), third=third, seventh=seventh, one=np.ones(2, np.float32))
    outputs = ExactNetwork(parse_onnx(data, "network")).outputs([1.0, -1.0])
    assert outputs == [Fraction(4, 21), Fraction(16, 9)]


def test_relus_on_the_input_in_a_row_and_at_the_end_change_what_they_should():
    nodes = [node("Relu", "x", "a"), node("Relu", "a", "b"), node("Add", "b c", "d"), node("Relu", "d", "y")]
    data = model_bytes(nodes, (1, 3), c=np.array([-1.0, -1.0, 5.0], np.float32))
    network = parse_onnx(data, "network")
    assert [(layer.relu.any(), layer.relu.all()) for layer in network.layers] == [(True, True)] * 2 + [(False, False)]
    assert ExactNetwork(network).outputs([0.5, 3.0, -4.0]) == [0, 2, 5]
    check(data, np.array([0.5, 3.0, -4.0], np.float32), [0, 2, 5])


def test_linear_layers_in_a_row_and_higher_dimensions_are_exact():
    random = np.random.default_rng(9)
    x, V, W, b = floats(random, 1, 1, 1, 5), floats(random, 5, 4), floats(random, 3, 4), floats(random, 3)
    nodes = [node("MatMul", "x V", "a"), node("Flatten", "a", "f"), node("Gemm", "f W b", "g", transB=1)]
    nodes.append(node("Identity", "g", "y"))
    data = model_bytes(nodes, x.shape, V=V, W=W, b=b)
    assert len(parse_onnx(data, "network").layers) == 2
    check(data, x, double(x).reshape(1, 5) @ double(V) @ double(W).T + double(b))


@pytest.mark.parametrize("target", [[1, 12], [1, -1], [-1, 12], [0, 12], [1, 3, 4], [0, 4, 3], [1, 1, -1]])
def test_reshapes_keep_the_order_of_the_values(target):
    x, W = floats(np.random.default_rng(2), 1, 3, 2, 2), floats(np.random.default_rng(3), 12, 2)
    nodes = [node("Reshape", "x s", "r"), node("Flatten", "r", "f"), node("MatMul", "f W", "y")]
    data = model_bytes(nodes, x.shape, s=np.array(target, np.int64), W=W)
    check(data, x, double(x).reshape(1, 12) @ double(W))


@settings(deadline=None, max_examples=30)
@given(seeds)
def test_a_convolutional_network_is_exact(seed):
    random = np.random.default_rng(seed)
    arrays = {
        "mean": np.array(0.1307, np.float32), "deviation": np.array(0.3081, np.float32),
        "W1": floats(random, 4, 1, 3, 3), "b1": floats(random, 4),
        "gamma": floats(random, 4), "shift": floats(random, 4), "running": floats(random, 4),
        "variance": random.uniform(0.5, 2.0, 4).astype(np.float32),
        "W2": floats(random, 2, 2, 2, 2), "W3": floats(random, 3, 2), "b3": floats(random, 3),
    }  # fmt: skip
    nodes = [
        node("Sub", "x mean", "n1"), node("Div", "n1 deviation", "n2"),
        node("Conv", "n2 W1 b1", "c1", strides=[2, 2], pads=[1, 1, 1, 1]),
        node("BatchNormalization", "c1 gamma shift running variance", "bn"), node("Relu", "bn", "h1"),
        node("Conv", "h1 W2", "c2", group=2), node("Relu", "c2", "h2"),
        node("AveragePool", "h2", "p", kernel_shape=[3, 3]), node("Flatten", "p", "f"),
        node("Gemm", "f W3 b3", "y", transB=1),
    ]  # fmt: skip
    x = random.uniform(0, 1, (1, 1, 8, 8)).astype(np.float32)
    a = {name: double(array) for name, array in arrays.items()}
    h = functional.conv2d((double(x) - a["mean"]) / a["deviation"], a["W1"], a["b1"], stride=2, padding=1)
    epsilon = float(np.float32(1e-5))
    h = torch.relu(functional.batch_norm(h, a["running"], a["variance"], a["gamma"], a["shift"], eps=epsilon))
    h = functional.avg_pool2d(torch.relu(functional.conv2d(h, a["W2"], groups=2)), 3)
    check(model_bytes(nodes, x.shape, **arrays), x, functional.linear(h.flatten(1), a["W3"], a["b3"]))


W22, ONE = np.ones((1, 1, 2, 2), np.float32), np.ones(1, np.float32)


@pytest.mark.parametrize(
    ("nodes", "arrays", "message"),
    [
        ([node("Tanh", "x", "y")], {}, r"'my_y' \(Tanh\) is not piecewise linear; train the network with Relu"),
        ([node("Conv", "x W", "y", auto_pad="OTHER")], {"W": W22}, "'my_y' .* auto_pad = b'OTHER'"),
        ([node("Conv", "x W", "y", kernel_shape=[3, 3])], {"W": W22}, r"'my_y' .* kernel_shape = \[2, 2\]"),
        ([node("Conv", "x W", "y", strides=[0, 1])], {"W": W22}, r"'my_y' .* strides = \[0, 1\]"),
        ([node("Conv", "x W", "y", pads=[1, 1])], {"W": W22}, r"'my_y' .* pads = \[1, 1\]"),
        ([node("Conv", "x W", "y", pads=[-1, 0, 0, 0])], {"W": W22}, r"'my_y' .* pads = \[-1, 0, 0, 0\]"),
        ([node("Conv", "x W", "y", group=2)], {"W": W22}, "'my_y' .* in 2 groups do not fit"),
        ([node("Conv", "x W", "y", group=0)], {"W": W22}, "'my_y' .* in 0 groups do not fit"),
        ([node("Conv", "x W", "y")], {"W": np.ones((1, 2, 2, 2), np.float32)}, "'my_y' .* do not fit an input"),
        ([node("Conv", "x W", "y")], {"W": np.ones((1, 1, 2), np.float32)}, "'my_y' .* weights of shape"),
        ([node("Conv", "x W", "y", dilations=[4, 1])], {"W": W22}, r"'my_y' .* kernel \(2, 2\) does not fit"),
        ([node("Conv", "x W b", "y")], {"W": W22, "b": np.ones(2, np.float32)}, r"'my_y' .* bias of shape \(2,\)"),
        ([node("Conv", "x W", "y", pads=[999999, 0, 999999, 0])], {"W": W22}, "at most 1000000"),
        (
            [node("AveragePool", "x", "y", kernel_shape=[2, 2], ceil_mode=1, count_include_pad=1)],
            {},
            "'my_y' .* ceil_mode = 1 and count_include_pad = 1",
        ),
        ([node("AveragePool", "x", "y")], {}, r"'my_y' .* kernel_shape = \[\]"),
        ([node("AveragePool", "x", "y", kernel_shape=[1, 1], pads=[1, 1, 1, 1])], {}, "over padding only"),
        ([node("Div", "x c", "y")], {"c": np.zeros(1, np.float32)}, "'my_y' .* divides by 0"),
        ([node("Mul", "x c", "y")], {"c": np.ones((3, 4), np.float32)}, r"shapes \[1, 1, 4, 4\] and \[3, 4\]"),
        ([node("Mul", "x x", "y")], {}, "'my_y' .* both depend on the input"),
        ([node("Mul", "x c", "y")], {"c": np.ones(1)}, "'c' are float64; they must be float32"),
        ([node("BatchNormalization", "x o o o n", "y")], {"o": ONE, "n": -ONE}, "variance that is not positive"),
        ([node("BatchNormalization", "x o o o o", "y", training_mode=1)], {"o": ONE}, "training_mode = 1"),
        ([node("BatchNormalization", "x o o o t", "y")], {"o": ONE, "t": np.ones(2, np.float32)}, "constants of shape"),
        ([node("BatchNormalization", "x o o o", "y")], {"o": ONE}, "has an operand 5 that is not a constant"),
        ([node("Reshape", "x s", "y")], {"s": np.array([2, 9])}, r"turns \[1, 1, 4, 4\] into \[2, 9\]"),
        ([node("Reshape", "x s", "y")], {"s": np.array([-1, -1])}, "which is not as many values"),
        ([node("Reshape", "x s", "y")], {"s": np.array([1, 5])}, "which is not as many values"),
        ([node("Reshape", "x o", "y")], {"o": ONE}, "has shape that is not a constant of whole numbers"),
        ([node("MatMul", "x m", "y")], {"m": np.ones((3, 2), np.float32)}, "takes 3 values by its weights, but gets 4"),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_named(nodes, arrays, message):
    with pytest.raises(NetworkError, match=message) as caught:
        parse_onnx(model_bytes(nodes, (1, 1, 4, 4), **arrays), "some.onnx")
    assert str(caught.value).startswith("some.onnx: ")
    assert "\n" not in str(caught.value)


def test_constant_nodes_without_numbers_are_named():
    constant = helper.make_node("Constant", [], ["c"], name="my_c", value_string="one")
    data = model_bytes([constant, node("Add", "x c", "y")], (1, 4))
    with pytest.raises(NetworkError, match=r"node 'my_c' \(Constant\) holds a value_string, which is not supported"):
        parse_onnx(data, "some.onnx")


@settings(deadline=None, max_examples=50)
@given(seeds, st.sampled_from([1.0, 3.0, 0.75, 2.0**-30, 2.0**30 * 5]))
def test_exact_chains_with_divisors_are_those_of_fractions(seed, scale):
    random = np.random.default_rng(seed)
    from scipy.sparse import csr_array

    W1 = np.where(random.random((4, 3)) < 0.5, random.normal(size=(4, 3)), 0.0)
    W2, b1, b2 = random.normal(size=(2, 4)), random.normal(size=4), random.normal(size=2)
    d1, d2 = scale * random.integers(1, 9, 4).astype(np.float64), random.uniform(0.1, 3.0, 2)
    network = LayeredNetwork((layer_of(csr_array(W1), b1, True, d1), layer_of(W2, b2, False, d2)))
    x = random.normal(size=3)
    h = [Fraction(v) for v in x.tolist()]
    for W, b, d, relu in ((W1, b1, d1, True), (W2, b2, d2, False)):
        h = [
            (sum((Fraction(w) * v for w, v in zip(row, h, strict=True)), Fraction(bias))) / Fraction(divisor)
            for row, bias, divisor in zip(W.tolist(), b.tolist(), d.tolist(), strict=True)
        ]
        h = [max(v, Fraction(0)) for v in h] if relu else h
    assert ExactNetwork(network).outputs(x) == h


def test_what_onnx_runtime_refuses_when_it_runs_is_one_line(capfd):
    pool = node("AveragePool", "x", "y", kernel_shape=[1], strides=[3], auto_pad="SAME_UPPER")
    with pytest.raises(NetworkError, match=r"^a\.onnx: ONNX Runtime refuses it"):
        OnnxRuntime(model_bytes([pool], (1, 1, 6)), "a.onnx").run(np.zeros(6, np.float32))
    assert capfd.readouterr().err == ""


def test_mutated_files_are_read_or_named():
    random = np.random.default_rng(1)
    arrays = {
        "m": floats(random, 1),
        "W": floats(random, 2, 1, 2, 2),
        "b": floats(random, 2),
        "V": floats(random, 2, 2),
    }
    nodes = [
        node("Sub", "x m", "a"), node("Conv", "a W b", "c", pads=[1, 0, 0, 1], strides=[2, 2]), node("Relu", "c", "h"),
        node("AveragePool", "h", "p", kernel_shape=[2, 2]), node("Flatten", "p", "f"), node("MatMul", "f V", "y"),
    ]  # fmt: skip
    data = model_bytes(nodes, (1, 1, 4, 4), **arrays)
    assert parse_onnx(data, "some.onnx").layers[-1].n_outputs == 2
    mutations = [data[:length] for length in range(0, len(data), 3)]
    for _ in range(600):
        mutated = bytearray(data)
        for place in random.integers(0, len(data), random.integers(1, 4)):
            mutated[place] = random.integers(0, 256)
        mutations.append(bytes(mutated))
    for mutated in mutations:
        try:
            network = parse_onnx(mutated, "some.onnx")
        except NetworkError as error:
            assert str(error).startswith("some.onnx: ") and "\n" not in str(error)
        else:
            ExactNetwork(network).outputs(np.zeros(network.layers[0].n_inputs))


def test_names_that_are_not_text_and_line_breaks_in_names_are_one_line():
    data = model_bytes([node("AveragePool", "x", "y", kernel_shape=[1])], ("batch", 1, 6))
    with pytest.raises(NetworkError, match="ONNX Runtime refuses it"):
        OnnxRuntime(data.replace(b"batch", b"b\xb2tch"), "a.onnx")
    with pytest.raises(
        NetworkError, match=r"^a\.onnx: node 'my_y' \(AveragePool\) has kernel\\nshape = \[1\]"
    ) as caught:
        parse_onnx(data.replace(b"kernel_shape", b"kernel\nshape"), "a.onnx")
    assert "\n" not in str(caught.value)
