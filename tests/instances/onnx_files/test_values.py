"""Affine maps of blocks: joined where that is exact, blocks of their own elsewhere, and as many as fit into memory."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.onnx_files import layering, values
from vnnbench.instances.onnx_files.affine_maps import Windows, convolution, diagonal
from vnnbench.instances.onnx_files.layering import layered
from vnnbench.instances.onnx_files.values import Blocks, WeightCount, exact_sum


def test_a_matrix_times_picked_numbers_is_one_layer():
    blocks = Blocks(3)
    picked = blocks.input().rows(np.array([2, 0])).times_signs(np.array([1.0, -1.0]))
    network = layered(blocks, blocks.linear(picked, np.array([[0.1, 0.3]])))
    assert [layer.W.toarray().tolist() for layer in network.layers] == [[[-0.3, 0.0, 0.1]]]


def test_a_product_that_float64_may_not_hold_is_a_layer_of_its_own():
    blocks = Blocks(2)
    once = blocks.linear(blocks.input(), np.full((2, 2), 0.1))
    network = layered(blocks, blocks.linear(once, np.full((1, 2), 0.3)))
    assert [layer.n_outputs for layer in network.layers] == [2, 1]


def test_a_number_that_is_picked_twice_does_not_add_weights_up():
    # 0.1 x + 0.2 x is not 0.30000000000000004 x.
    blocks = Blocks(1)
    twice = blocks.input().rows(np.array([0, 0]))
    exact = ExactNetwork(layered(blocks, blocks.linear(twice, np.array([[0.1, 0.2]])))).outputs([1.0])
    assert exact == [Fraction(0.1) + Fraction(0.2)]


def test_the_sum_of_two_branches_that_float64_does_not_hold_is_exact():
    blocks = Blocks(1)
    small = blocks.linear(blocks.input(), diagonal(np.array([2.0**-60])))
    total = blocks.add(blocks.input(), small)
    assert ExactNetwork(layered(blocks, total)).outputs([1.0]) == [1 + Fraction(1, 2**60)]


def test_a_value_minus_itself_is_zero():
    blocks = Blocks(2)
    zero = blocks.add(blocks.input(), blocks.input().times_signs(-np.ones(2)))
    assert ExactNetwork(layered(blocks, zero)).outputs([0.3, -7.0]) == [0, 0]


def test_a_relu_of_relus_is_nothing_new():
    blocks = Blocks(2)
    once = blocks.relu(blocks.input())
    assert blocks.relu(once) is once


@pytest.mark.parametrize(("a", "b", "held"), [(1.0, 0.5, True), (1.0, 2.0**-60, False)])
def test_a_sum_is_exact_or_refused(a, b, held):
    assert (exact_sum(np.array([a]), np.array([b])) is not None) == held


def test_the_convolutions_of_cifar_biasfield_are_not_too_large():
    # VNN-COMP 2022: 45,056 ReLUs.
    count, shape = WeightCount(), (3, 32, 32)
    for n_maps, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1)):
        windows = Windows((3, 3), (stride, stride), (1, 1), (1, 1), (1, 1))
        W, shape = convolution(np.ones((n_maps, shape[0], 3, 3)), shape, windows, groups=1)
        count.add(W)
    assert (count.neurons, count.sparse) == (45_056, 9_417_408)


def test_too_many_layers_neurons_or_weights_are_refused(monkeypatch):
    def chain(n_layers: int, size: int):
        blocks = Blocks(size)
        value = blocks.input()
        for _ in range(n_layers):
            value = blocks.relu(blocks.linear(value, np.eye(size)))
        return layered(blocks, value)

    monkeypatch.setattr(layering, "MAX_LAYERS", 3)
    with pytest.raises(NetworkError, match="has more than 3 layers"):
        chain(3, 1)
    monkeypatch.setattr(values, "MAX_DENSE_WEIGHTS", 20)
    with pytest.raises(NetworkError, match="has more than 20 weights in matrices"):
        chain(2, 4)
    monkeypatch.setattr(layering, "MAX_NEURONS", 2)
    blocks = Blocks(3)
    later = blocks.relu(blocks.relu(blocks.linear(blocks.input(), np.eye(3))).times_signs(-np.ones(3)))
    with pytest.raises(NetworkError, match="carries more than 2 numbers from layer to layer"):
        layered(blocks, blocks.add(later, blocks.input()))
    monkeypatch.setattr(values, "MAX_NEURONS", 5)
    with pytest.raises(NetworkError, match="has more than 5 neurons in all"):
        chain(2, 3)
