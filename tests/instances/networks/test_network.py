import numpy as np
import pytest

from vnnbench.instances.networks.network import MIN_WEIGHT, Network, accuracy, drop_tiny_weights


def matrix(rows):
    return np.array(rows, dtype=np.float32)


# h = relu(x_0 - x_1, x_1 - 1), y = (h_0 + 2 h_1, -h_0 + 0.5)
BY_HAND = Network(
    (matrix([[1, -1], [0, 1]]), matrix([[1, 2], [-1, 0]])),
    (matrix([0, -1]), matrix([0, 0.5])),
)


def test_forward_by_hand():
    # x = (3, 2): z = (1, 1), y = (3, -0.5); x = (0, 0): z = (0, -1), y = (0, 0.5)
    assert BY_HAND.forward([3, 2]).tolist() == [3, -0.5]
    assert BY_HAND.forward([[3, 2], [0, 0]]).tolist() == [[3, -0.5], [0, 0.5]]


def test_dimensions_are_those_of_the_layers():
    assert (BY_HAND.n_inputs, BY_HAND.hidden_widths, BY_HAND.n_outputs) == (2, (2,), 2)


def test_accuracy_is_the_share_of_labels_with_the_largest_output():
    images = matrix([[3, 2], [0, 0], [3, 2], [0, 0]])
    assert accuracy(BY_HAND, images, np.array([0, 1, 1, 1])) == 0.75


def test_the_first_of_equal_outputs_counts():
    constant = Network((matrix([[0], [0]]),), (matrix([1, 1]),))
    assert accuracy(constant, matrix([[0], [1]]), np.array([0, 1])) == 0.5


def test_weights_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        BY_HAND.weights[0][0, 0] = 2


def test_float64_weights_are_refused():
    with pytest.raises(TypeError, match="float32"):
        Network((np.eye(2),), (np.zeros(2, dtype=np.float32),))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="not finite"):
        Network((matrix([[bad]]),), (matrix([0]),))


def test_layers_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        Network((matrix([[1, 2]]), matrix([[1, 2]])), (matrix([0]), matrix([0])))


def test_tiny_weights_become_zero_and_others_keep_their_bits():
    weights = matrix([[1e-43, -9.9e-8, 1e-7, -1e-7, 0.5, 0]])
    kept = drop_tiny_weights(weights)
    assert kept.dtype == np.float32
    assert ((kept == 0) | (np.abs(kept) >= MIN_WEIGHT)).all()
    assert kept[0, 2:].tobytes() == weights[0, 2:].tobytes()
    assert kept[0, :2].tolist() == [0, 0]
