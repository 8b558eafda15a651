import numpy as np
import pytest
from scipy.sparse import csr_array
from threadpoolctl import threadpool_info, threadpool_limits

from support.networks import layer_of
from support.properties import make_set
from vnnbench.instances.bounds import window_blocks
from vnnbench.instances.bounds.levels import BoundLevel, bound_layers
from vnnbench.instances.bounds.window_blocks import WindowBlocks, first_inputs
from vnnbench.instances.networks.network import Layer, LayeredNetwork
from vnnbench.instances.onnx_files.affine_maps import Windows, convolution


def convolution_of(n_maps, shape, stride=1, *, kernel=3, padding=1, seed=0):
    """Return the matrix of a random convolution on values of this shape, and its output's shape."""
    weights = np.random.default_rng(seed).normal(size=(n_maps, shape[0], kernel, kernel)) / kernel
    pads = (padding, padding)
    return convolution(weights, shape, Windows((kernel, kernel), (stride, stride), (1, 1), pads, pads), groups=1)


def unsorted(W):
    """Return the same matrix with the entries of each row in descending order of their columns."""
    spans = [np.arange(start, end)[::-1] for start, end in zip(W.indptr[:-1], W.indptr[1:], strict=True)]
    order = np.concatenate(spans)
    return csr_array((W.data[order], W.indices[order], W.indptr), shape=W.shape)


def scattered(seed=0):
    """Return a matrix of 60 x 50 whose rows have nothing in common, some of them empty or all in one column."""
    random = np.random.default_rng(seed)
    W = np.where(random.random((60, 50)) < 0.1, random.normal(size=(60, 50)), 0.0)
    W[::7] = 0.0
    W[1::9, 5] = 1.0
    return csr_array(W)


MATRICES = {
    "padded": convolution_of(8, (4, 6, 6))[0],
    "strided": convolution_of(16, (3, 7, 5), stride=2)[0],
    "unsorted": unsorted(convolution_of(8, (4, 6, 6))[0]),
    "few maps": convolution_of(1, (2, 6, 6))[0],
    "scattered": scattered(),
    "no weights": csr_array((5, 4), dtype=np.float64),
    "no rows": csr_array((0, 4), dtype=np.float64),
    "a convolution beside copies": csr_array(np.vstack([convolution_of(8, (4, 6, 6))[0].toarray(), np.eye(144)])),
}


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 1.0])
def test_a_product_by_blocks_is_the_product_with_the_matrix(name, share):
    W, random = MATRICES[name], np.random.default_rng(1)
    neurons = np.flatnonzero(random.random(W.shape[0]) < share)
    T = random.normal(size=(len(neurons), 10))
    product, inputs = WindowBlocks.of(W).through(T, neurons)
    whole = np.zeros((W.shape[1], 10))
    whole[inputs] = product
    assert np.abs(whole - W.toarray()[neurons].T @ T).max() < 1e-13


def test_inputs_far_from_the_neurons_that_are_read_are_left_out():
    W, (n_maps, rows, columns) = convolution_of(8, (4, 20, 20))
    neurons = np.arange(n_maps) * rows * columns + 10 * columns + 10  # all maps at the place (10, 10)
    _, inputs = WindowBlocks.of(W).through(np.ones((n_maps, 1)), neurons)
    y, x = inputs % 400 // 20, inputs % 20
    assert (y.min(), y.max(), x.min(), x.max()) == (9, 11, 9, 11)


def test_a_block_holds_all_maps_of_one_window():
    W, (n_maps, rows, columns) = convolution_of(16, (4, 9, 9), stride=3, padding=0)
    blocks = WindowBlocks.of(W)
    assert len(blocks.rest_rows) == 0
    assert len(blocks.blocks) == rows * columns
    assert all(block.weights.shape == (n_maps, 4 * 9) for block in blocks.blocks)


def test_what_shares_no_window_stays_sparse():
    blocks = WindowBlocks.of(scattered())
    assert blocks.blocks == ()
    assert blocks.rest.nnz == scattered().nnz


def test_neurons_of_one_window_have_the_same_first_input():
    W, (n_maps, *_) = convolution_of(4, (2, 6, 6), padding=0)
    by_place = first_inputs(W).reshape(n_maps, -1)
    assert (by_place == by_place[0]).all()
    assert len(set(by_place[0].tolist())) == by_place.shape[1]
    assert first_inputs(unsorted(W)).tolist() == first_inputs(W).tolist()
    assert first_inputs(csr_array((2, 3), dtype=np.float64)).tolist() == [-1, -1]


def convolutional_network(seed, *, divided):
    """Return a chain of an affine layer, two convolutions, one with a mask of ReLUs, and two dense layers."""
    random = np.random.default_rng(seed)
    shape, layers = (3, 6, 6), [layer_of(random.normal(size=(108, 5)), random.normal(size=108), relu=False)]
    for stride, relu in ((1, True), (2, random.random(16 * 9) < 0.7)):
        W, shape = convolution_of(8 * stride, shape, stride, seed=seed + stride)
        b = 0.3 * random.normal(size=W.shape[0])
        divisor = random.uniform(0.5, 2.0, size=len(b)) if divided else None
        layers.append(layer_of(csr_array(W), b, relu, divisor))
    for n_outputs, relu in ((12, True), (3, False)):
        n_inputs = layers[-1].n_outputs
        layers.append(layer_of(random.normal(size=(n_outputs, n_inputs)) / 9, random.normal(size=n_outputs), relu))
    return LayeredNetwork(tuple(layers))


def with_dense_layers(network):
    """Return the same network with dense matrices, whose bounds are computed without blocks."""
    layers = (
        Layer(layer.W if isinstance(layer.W, np.ndarray) else layer.W.toarray(), layer.b, layer.relu, layer.divisor)
        for layer in network.layers
    )
    return LayeredNetwork(tuple(layers))


@pytest.mark.parametrize("level", [BoundLevel.BACKWARD, BoundLevel.BACKWARD_OPT])
@pytest.mark.parametrize("divided", [False, True])
@pytest.mark.parametrize("radius", [0.02, 0.6])
def test_bounds_by_blocks_are_those_of_dense_matrices(level, divided, radius):
    network = convolutional_network(3, divided=divided)
    input_set = make_set([0.5] * 5, radius)
    found, reference = (bound_layers(chain, input_set, level) for chain in (network, with_dense_layers(network)))
    unstable = sum(int((own.unstable & layer.relu).sum()) for own, layer in zip(found, network.layers, strict=True))
    assert unstable > 5
    for own, other in zip(found, reference, strict=True):
        for one, same in ((own.lower, other.lower), (own.upper, other.upper)):
            assert np.abs(one - same).max() <= 1e-11 * np.abs(same).max()


def test_blocks_are_used_for_convolutions_but_not_for_dense_layers(monkeypatch):
    calls, through = [], WindowBlocks.through
    monkeypatch.setattr(WindowBlocks, "through", lambda *given: calls.append(1) or through(*given))
    network, input_set = convolutional_network(3, divided=False), make_set([0.5] * 5, 0.3)
    bound_layers(with_dense_layers(network), input_set, BoundLevel.BACKWARD)
    assert not calls
    bound_layers(network, input_set, BoundLevel.BACKWARD)
    assert calls
    assert window_blocks._LEAST_WEIGHTS <= 8 * 27  # the first convolution of this network has blocks


def test_blocks_are_multiplied_on_one_thread_because_more_would_change_bits(monkeypatch):
    threads, through = set(), WindowBlocks.through

    def seen(*given):
        threads.update(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")
        return through(*given)

    monkeypatch.setattr(WindowBlocks, "through", seen)
    with threadpool_limits(limits=2, user_api="blas"):
        bound_layers(convolutional_network(3, divided=False), make_set([0.5] * 5, 0.3), BoundLevel.BACKWARD)
    assert threads == {1}
