from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.networks import make_network, random_network
from vnnbench.instances.networks.network import Network
from vnnbench.instances.networks.pruning import Method, kept_neurons, prune, pruned_count, weight_masks, zero_share

RATES = [0.3, 0.5, 0.8, 0.9, 0.95]
METHODS = (Method.MAGNITUDE, Method.RANDOM)
KEPT_0, KEPT_1 = [2, 4, 8], [0, 2, 7]  # the neurons that stay of ten, by key


@pytest.mark.parametrize(
    ("rate", "size", "count"),
    [
        (0.3, 32, 10),  # 9.6
        (0.5, 5, 3),  # 2.5, a tie
        (0.95, 10, 10),  # 9.5, a tie, which 0.95 * 10 in float64 would only meet by luck
        (0.35, 10, 4),  # 3.5, a tie; the float64 nearest to 0.35 lies below it
        (0.145, 100, 15),  # 14.5; 0.145 * 100 is 14.499999999999998 in float64
        (0.9, 784 * 32, 22579),  # 22579.2
        (Fraction(9, 50), 25, 5),  # 4.5
        (0.01, 10, 0),
    ],
)
def test_counts_are_rounded_half_up_in_exact_arithmetic(rate, size, count):
    assert pruned_count(rate, size) == count


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.5, float("nan"), float("inf")])
@pytest.mark.parametrize("structure", ["structured", "unstructured"])
def test_a_rate_outside_0_and_1_is_refused(rate, structure):
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        prune(random_network((3, 3, 3), 0), structure=structure, rate=rate)


def test_unknown_words_are_refused():
    with pytest.raises(ValueError, match="nothing"):
        prune(random_network((3, 3, 3), 0), structure="nothing", rate=0.5)
    with pytest.raises(ValueError, match="guess"):
        prune(random_network((3, 3, 3), 0), structure="structured", rate=0.5, method="guess")


@pytest.mark.parametrize("rate", RATES)
def test_unstructured_zeroes_the_smallest_weights_of_every_matrix_and_no_bias(rate):
    dense = random_network((20, 8, 8, 5), 0)
    sparse = prune(dense, structure="unstructured", rate=rate)
    for W, V in zip(dense.weights, sparse.weights, strict=True):
        gone = V == 0
        assert gone.sum() == pruned_count(rate, W.size)
        assert np.abs(W[gone]).max() < np.abs(W[~gone]).min()
        assert (V[~gone] == W[~gone]).all()
    assert all((b == c).all() for b, c in zip(dense.biases, sparse.biases, strict=True))


def test_among_equal_weights_the_first_go():
    network = Network((np.array([[1, -1, 1], [-1, 0, 2]], dtype=np.float32),), (np.zeros(2, dtype=np.float32),))
    assert prune(network, structure="unstructured", rate=0.5).weights[0].tolist() == [[0, 0, 1], [-1, 0, 2]]


def test_zeros_count_among_the_smallest():
    network = Network((np.array([[0, 3, 0, 1]], dtype=np.float32),), (np.zeros(1, dtype=np.float32),))
    assert prune(network, structure="unstructured", rate=0.5).weights[0].tolist() == [[0, 3, 0, 1]]
    assert prune(network, structure="unstructured", rate=0.75).weights[0].tolist() == [[0, 3, 0, 0]]


def test_structured_by_hand():
    # Incoming norms: layer 1 is 5, 1, 2, 1, so neurons 1 and 3 go; layer 2, before that, is 1, 9, 8.06, 4: 0 and 3 go.
    W1 = np.array([[3, 4], [0, 1], [2, 0], [1, 0]], dtype=np.float32)
    W2 = np.array([[0, 1, 0, 0], [0, 9, 0, 0], [1, 0, 0, 8], [0, 0, 4, 0]], dtype=np.float32)
    W3 = np.array([[10, 20, 30, 40]], dtype=np.float32)
    biases = tuple(np.arange(n, dtype=np.float32) for n in (4, 4, 1))
    narrow = prune(Network((W1, W2, W3), biases), structure="structured", rate=0.5)
    assert [W.tolist() for W in narrow.weights] == [[[3, 4], [2, 0]], [[0, 0], [1, 0]], [[20, 30]]]
    assert [b.tolist() for b in narrow.biases] == [[0, 2], [1, 2], [0]]


@pytest.mark.parametrize("rate", RATES)
def test_structured_is_the_dense_network_with_the_neurons_outgoing_columns_at_zero(rate):
    dense = random_network((6, 7, 5, 3), 1)
    kept = kept_neurons(dense, rate)
    weights = [W.copy() for W in dense.weights]
    for k, neurons in enumerate(kept):
        gone = np.setdiff1d(np.arange(len(weights[k])), neurons)
        weights[k + 1][:, gone] = 0
    silenced = Network(tuple(weights), dense.biases)
    narrow = prune(dense, structure="structured", rate=rate)
    assert narrow.hidden_widths == tuple(len(neurons) for neurons in kept)
    x = np.random.default_rng(2).standard_normal((10, 6))
    np.testing.assert_allclose(narrow.forward(x), silenced.forward(x), rtol=1e-12, atol=1e-12)


def test_among_equal_neurons_the_first_go():
    W = np.ones((4, 2), dtype=np.float32)
    network = Network((W, np.ones((1, 4), dtype=np.float32)), (W[:, 0].copy(), W[:1, 0].copy()))
    assert kept_neurons(network, 0.5)[0].tolist() == [2, 3]


def test_a_neuron_always_stays():
    narrow = prune(random_network((4, 4, 1, 2), 0), structure="structured", rate=0.95)  # 3.8 and 0.95 round to all
    assert narrow.hidden_widths == (1, 1)


@given(seed=st.integers(0, 100), low=st.sampled_from(RATES[:-1]), method=st.sampled_from(METHODS))
def test_masks_are_nested(seed, low, method):
    network = random_network((5, 4, 3), seed)
    by = {"method": method, "key": f"net-s{seed}"}
    for kept_more, kept_less in zip(weight_masks(network, low, **by), weight_masks(network, 0.95, **by), strict=True):
        assert (kept_more | ~kept_less).all()
    for more, less in zip(kept_neurons(network, low, **by), kept_neurons(network, 0.95, **by), strict=True):
        assert set(less) <= set(more)


@pytest.mark.parametrize("rate", RATES)
def test_random_pruning_takes_as_many_as_magnitude_and_others(rate):
    dense = random_network((20, 8, 8, 5), 0)
    by_magnitude = prune(dense, structure="unstructured", rate=rate)
    at_random = prune(dense, structure="unstructured", rate=rate, method="random", key="net-s0")
    for V, U, W in zip(at_random.weights, by_magnitude.weights, dense.weights, strict=True):
        assert (V == 0).sum() == (U == 0).sum()
        assert ((V == 0) != (U == 0)).any()
        assert (V[V != 0] == W[V != 0]).all()
    narrow = prune(dense, structure="structured", rate=rate, method="random", key="net-s0")
    assert narrow.hidden_widths == prune(dense, structure="structured", rate=rate).hidden_widths


def test_random_pruning_is_fixed_by_its_key_forever():
    network = random_network((4, 10, 2), 0)
    by_key = {key: kept_neurons(network, 0.7, method="random", key=key)[0].tolist() for key in ("a-s0", "a-s1")}
    assert by_key == {"a-s0": KEPT_0, "a-s1": KEPT_1}
    other_weights = random_network((4, 10, 2), 1)
    assert kept_neurons(other_weights, 0.7, method="random", key="a-s0")[0].tolist() == KEPT_0


def test_layers_of_one_shape_are_pruned_at_random_differently():
    first, second, _ = weight_masks(random_network((8, 8, 8, 2), 0), 0.5, method="random", key="net-s0")
    assert (first != second).any()


def test_random_pruning_without_a_key_is_refused():
    with pytest.raises(ValueError, match="needs a key"):
        prune(random_network((3, 3, 3), 0), structure="structured", rate=0.5, method="random")


def test_pruned_weights_and_neurons_are_pruned_again_first():
    # By magnitude 0.1 and 0.2 would go at one half; the first weight is gone already.
    network = Network((np.array([[9, 0.1, 0.2, 5]], dtype=np.float32),), (np.zeros(1, dtype=np.float32),))
    left = (np.array([[False, True, True, True]]),)
    assert weight_masks(network, 0.5, left=left)[0].tolist() == [[False, False, True, True]]
    wide = Network((np.array([[9], [1], [2], [5]], dtype=np.float32), np.ones((1, 4), dtype=np.float32)),
                   (np.zeros(4, dtype=np.float32), np.zeros(1, dtype=np.float32)))  # fmt: skip
    assert kept_neurons(wide, 0.5, left=(np.array([1, 2, 3]),))[0].tolist() == [2, 3]


def test_share_of_zeros_is_of_the_dense_networks_weights_and_counts_its_own():
    # 8 + 4 weights, two of them zero; biases do not count
    dense = make_network(
        ([[1, -0.5], [0.25, 0], [-1, 0.5], [0.5, 0.5]], [0, 0, 0, 0]), ([[1, -1, 0, 0.25]], [0]),
    )  # fmt: skip
    assert zero_share(dense, dense) == 2 / 12
    by_magnitude = prune(dense, structure="unstructured", rate=0.5)  # magnitude pruning takes the zeros first
    assert zero_share(by_magnitude, dense) == 0.5
    left = make_network(([[1, 0], [0.25, 0], [0, 0.5], [0, 0.5]], [0, 0, 0, 0]), ([[0, 0, 0, 0.25]], [0]))
    assert zero_share(left, dense) == 7 / 12  # of the half that was drawn, one was zero already
    narrow = make_network(([[1, -0.5], [-1, 0.5]], [0, 0]), ([[1, 0]], [0]))
    assert zero_share(narrow, dense) == 7 / 12  # 5 weights of 12 are left of neurons 1 and 3, and not zero


@pytest.mark.parametrize("rate", RATES)
def test_share_of_zeros_exceeds_the_rate_of_random_pruning_by_what_the_dense_network_adds(rate):
    dense = random_network((40, 30, 10), 3, density=0.9)
    own = zero_share(dense, dense)
    assert zero_share(prune(dense, structure="unstructured", rate=rate), dense) == pytest.approx(rate, abs=1e-3)
    share = zero_share(prune(dense, structure="unstructured", rate=rate, method="random", key="k"), dense)
    assert own > 0.05 and share == pytest.approx(rate + (1 - rate) * own, abs=0.02)
