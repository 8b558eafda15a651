from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.exact import forward, fractions
from support.networks import layer_of, make_network, mixed_network, random_network
from vnnbench.instances.networks.exact_evaluation import ExactNetwork, to_fraction, to_integers
from vnnbench.instances.networks.network import LayeredNetwork, Network
from vnnbench.instances.onnx_files.affine_maps import Windows, convolution

finite = st.floats(allow_nan=False, allow_infinity=False)
seeds = st.integers(0, 2**32 - 1)


@given(st.lists(finite, max_size=8))
def test_integers_read_back_exactly(values):
    numbers, exponent = to_integers(values)
    assert [to_fraction(n, exponent) for n in numbers] == [Fraction(v) for v in values]


@given(st.lists(finite, min_size=1, max_size=8))
def test_the_exponent_is_the_least(values):
    numbers, exponent = to_integers(values)
    assert exponent == 0 or any(n % 2 for n in numbers)


@pytest.mark.parametrize(
    "values",
    [[5e-324], [-5e-324, 1.7976931348623157e308], [2.2250738585072014e-308, 2.225073858507201e-308], [0.0, -0.0], []],
)
def test_extreme_numbers_are_exact(values):
    numbers, exponent = to_integers(values)
    assert [to_fraction(n, exponent) for n in numbers] == [Fraction(v) for v in values]


@pytest.mark.parametrize("low_bit", [1.0, 2.0**-9])
@pytest.mark.parametrize("high_bit", [2.0**51, 2.0**52, 2.0**53, 2.0**54, 2.0**62, 2.0**63, 2.0**64])
def test_integers_around_the_ends_of_int64_are_exact(low_bit, high_bit):
    values = [low_bit, high_bit, -high_bit, 2 * high_bit - high_bit * 2.0**-52, -2 * high_bit + high_bit * 2.0**-52]
    numbers, exponent = to_integers(values)
    assert [to_fraction(n, exponent) for n in numbers] == [Fraction(v) for v in values]


def test_integers_of_a_matrix_are_its_rows_in_order():
    assert to_integers([[1.0, 0.5], [-0.25, 3.0]]) == ([4, 2, -1, 12], 2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="finite"):
        to_integers([1.0, bad])
    with pytest.raises(ValueError, match="finite"):
        ExactNetwork(make_network(([[1.0, 1.0]], [0.0]))).outputs([0.0, bad])


def by_fractions(network, x):
    """Return the outputs at x, a list of Fractions, by the definition: a sum of products for every neuron."""
    for k, (W, b) in enumerate(zip(network.weights, network.biases, strict=True)):
        z = [
            sum((Fraction(w) * v for w, v in zip(row, x, strict=True)), Fraction(bias))
            for row, bias in zip(W.tolist(), b.tolist(), strict=True)
        ]
        x = [max(v, Fraction(0)) for v in z] if k < len(network.weights) - 1 else z
    return x


@given(
    seed=seeds,
    widths=st.lists(st.integers(1, 5), min_size=2, max_size=5),
    density=st.sampled_from([0.0, 0.2, 0.5, 1.0]),
    data=st.data(),
)
@settings(max_examples=150, deadline=None)
def test_outputs_are_those_of_fractions(seed, widths, density, data):
    network = random_network(widths, seed, scales=(-7, 4), density=density)
    x = data.draw(st.lists(finite, min_size=widths[0], max_size=widths[0]))
    assert ExactNetwork(network).outputs(x) == by_fractions(network, fractions(x))


@given(
    seed=seeds,
    widths=st.lists(st.integers(1, 5), min_size=2, max_size=5),
    density=st.sampled_from([0.2, 1.0]),
    data=st.data(),
)
@settings(max_examples=80, deadline=None)
def test_the_reference_in_integers_is_that_in_fractions_at_points_that_no_float64_holds(seed, widths, density, data):
    network = random_network(widths, seed, scales=(-7, 4), density=density)
    ends = [data.draw(st.lists(finite, min_size=widths[0], max_size=widths[0])) for _ in range(2)]
    x = [(a + b) / 2 for a, b in zip(*map(fractions, ends), strict=True)]
    layers = forward(network, x)
    for k, z in enumerate(layers, 1):
        assert z == by_fractions(Network(network.weights[:k], network.biases[:k]), x)
    assert len(layers) == len(network.weights)


@pytest.mark.parametrize("nonzeros", [0, 1, 2, 6, 7, 9])
def test_sparse_rows_are_exact(nonzeros):
    row = np.zeros(9)
    row[9 - nonzeros :] = np.arange(1, nonzeros + 1) * 0.1
    network = make_network((np.stack([row, -row]), [0.3, -1e-7]), ([[1e4, -1e-7]], [1e-7]))
    x = np.linspace(-1, 1, 9) / 3
    assert ExactNetwork(network).outputs(x) == by_fractions(network, fractions(x))


def random_convolution(seed, stride, padding):
    """Return a chain of two convolutions on values of shape (2, 5, 5), the second with divisors, and a dense layer."""
    random = np.random.default_rng(seed)
    windows = Windows((3, 3), (stride, stride), (1, 1), (padding, padding), (padding, padding))
    first, shape = convolution(random.normal(size=(4, 2, 3, 3)), (2, 5, 5), windows, groups=1)
    second, _ = convolution(random.normal(size=(4, 2, 1, 1)), shape, Windows((1, 1), *[(1, 1)] * 2, *[(0, 0)] * 2), 2)
    n, m = first.shape[0], second.shape[0]
    layers = (
        layer_of(first, random.normal(size=n), relu=True),
        layer_of(second, random.normal(size=m), relu=random.random(m) < 0.5, divisor=random.uniform(0.1, 9.0, size=m)),
        layer_of(random.normal(size=(2, m)), random.normal(size=2), relu=False),
    )
    return LayeredNetwork(layers)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [0, 1])
def test_convolutions_are_those_of_fractions(stride, padding):
    network = random_convolution(stride, stride, padding)
    x = np.random.default_rng(5).normal(size=50)
    h = fractions(x)
    for layer in network.layers:
        W = layer.W if isinstance(layer.W, np.ndarray) else layer.W.toarray()
        divisor = np.ones(len(W)) if layer.divisor is None else layer.divisor
        rows = zip(W.tolist(), layer.b.tolist(), divisor.tolist(), layer.relu.tolist(), strict=True)
        z = [
            ((sum((Fraction(w) * v for w, v in zip(row, h, strict=True)), Fraction(b)) / Fraction(q)), relu)
            for row, b, q, relu in rows
        ]
        h = [max(value, Fraction(0)) if relu else value for value, relu in z]
    assert ExactNetwork(network).outputs(x) == h


def test_a_convolution_holds_its_kernels_and_windows_once():
    layer = ExactNetwork(random_convolution(0, 1, 0))._layers[0]
    assert len(layer.rows) == 4 * 9
    assert len({id(weights) for _, weights in layer.rows}) == 4
    assert len(layer.gathers) == 9


def test_float32_arithmetic_would_differ():
    # 0.1f + 2**-60 keeps both terms; -0.1f cancels the first.
    network = make_network(([[1.0, 1.0]], [-0.1]))
    tenth = float(np.float32(0.1))
    assert ExactNetwork(network).outputs([tenth, 2.0**-60]) == [Fraction(1, 2**60)]


def test_hidden_layers_are_rectified_and_the_output_is_not():
    network = make_network(([[1.0], [-1.0]], [0.0, 0.0]), ([[-1.0, -1.0]], [0.0]))
    assert ExactNetwork(network).outputs([3.0]) == [-3] == ExactNetwork(network).outputs([-3.0])


def test_layers_without_neurons_and_layers_of_zeros_leave_the_bias():
    empty = make_network((np.zeros((0, 2)), np.zeros(0)), (np.zeros((2, 0)), [1.5, -2.0]))
    zeros = make_network((np.zeros((3, 2)), np.zeros(3)), (np.ones((2, 3)), [1.5, -2.0]))
    for network in (empty, zeros):
        assert ExactNetwork(network).outputs([0.3, 0.4]) == [Fraction(3, 2), -2]


def test_wrong_number_of_inputs_is_refused():
    with pytest.raises(ValueError, match="3 inputs were given to a network with 2"):
        ExactNetwork(make_network(([[1.0, 1.0]], [0.0]))).outputs([0.0, 0.0, 0.0])


@given(seed=seeds)
@settings(max_examples=40, deadline=None)
def test_neurons_without_relu_pass_their_value_on_exactly(seed):
    network = mixed_network((4, 5, 4, 2), seed)
    x = np.random.default_rng(seed).normal(size=4)
    h = fractions(x)
    for layer in network.layers:
        rows = zip(layer.W.tolist(), layer.b.tolist(), layer.relu.tolist(), strict=True)
        z = [(sum((Fraction(w) * v for w, v in zip(row, h, strict=True)), Fraction(b)), relu) for row, b, relu in rows]
        h = [max(value, Fraction(0)) if relu else value for value, relu in z]
    assert ExactNetwork(network).outputs(x) == h
