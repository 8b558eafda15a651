from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.networks import make_network
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.network import LayeredNetwork, Network, nowhere
from vnnbench.instances.onnx_files.agreement import check_agreement, float32_error
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
    assert float32_error(network, np.array([2.0, 1.0])) == pytest.approx([16 * 2 * 2.0**-24 * 11])


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
    assert float32_error(network, np.array([0.5, 0.0]))[0] >= 2.0**-126
