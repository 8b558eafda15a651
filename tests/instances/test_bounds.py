from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instances import bounds as bounds_module
from instances.bounds import LayerBounds, backward_bounds
from instances.errors import NetworkError

seeds = st.integers(0, 2**32 - 1)


def sixteenths(seed, n):
    return np.random.default_rng(seed).integers(0, 17, size=n) / 16


def escapes(layers, network, points, forward):
    """(layer, neuron) pairs whose exact pre-activation leaves its bounds at one of the points. No tolerance."""
    found = set()
    for x in points:
        for k, (pre_activations, layer) in enumerate(zip(forward(network, x), layers, strict=True)):
            lower, upper = layer.lower.tolist(), layer.upper.tolist()
            found |= {(k, j) for j, z in enumerate(pre_activations) if not lower[j] <= z <= upper[j]}
    return found


@given(
    seed=seeds,
    widths=st.sampled_from([(1, 3, 2), (2, 3, 2), (3, 4, 3, 2), (4, 3, 3, 2, 2), (12, 4, 2)]),
    scales=st.sampled_from([(0, 0), (-7, 4), (-2, 1)]),
    density=st.sampled_from([0.3, 0.8, 1.0]),
    radius=st.sampled_from([1e-9, 0.3, 1.0, 2.7, 50.0]),
)
@settings(max_examples=120, deadline=None)
def test_bounds_hold_exactly_at_extreme_points(
    seed, widths, scales, density, radius, random_network, make_set, extreme_points, forward
):
    network = random_network(widths, seed, scales=scales, density=density)
    input_set = make_set(sixteenths(seed, widths[0]), radius)
    layers = backward_bounds(network, input_set)
    assert escapes(layers, network, extreme_points(network, input_set, seed), forward) == set()


@given(seed=seeds, centre=st.lists(st.floats(-1, 1), min_size=3, max_size=3), radius=st.floats(1e-12, 4))
@settings(max_examples=60, deadline=None)
def test_bounds_hold_exactly_for_centres_of_any_float64(
    seed, centre, radius, random_network, make_set, extreme_points, forward
):
    network = random_network((3, 3, 3, 2), seed, scales=(-3, 2))
    input_set = make_set(centre, radius, lower=-1.0)
    layers = backward_bounds(network, input_set)
    assert escapes(layers, network, extreme_points(network, input_set, seed), forward) == set()


@given(seed=seeds, n=st.integers(1, 30), radius=st.sampled_from([1e-6, 0.05, 0.4, 1.0, 3.3, 100.0]))
@settings(max_examples=100, deadline=None)
def test_the_first_layer_is_tight(seed, n, radius, random_network, make_set, knapsack, forward):
    network = random_network((n, 3), seed)
    input_set = make_set(sixteenths(seed, n), radius)
    (layer,) = backward_bounds(network, input_set)
    for j, row in enumerate(network.weights[0].tolist()):
        row = [Fraction(w) for w in row]
        largest = forward(network, knapsack(input_set, row))[0][j]
        least = forward(network, knapsack(input_set, [-w for w in row]))[0][j]
        assert largest <= layer.upper.tolist()[j] <= largest + Fraction(1, 10**9)
        assert least >= layer.lower.tolist()[j] >= least - Fraction(1, 10**9)


@pytest.mark.parametrize("radius", [0.5, 60.0, 250.0, 900.0, 1e4])
def test_the_first_layer_is_tight_however_many_pixels_the_ball_moves(
    radius, random_network, make_network, make_set, knapsack, forward
):
    # Ten times the coefficients that the knapsack looks at first; in half of the rows most weights are zero.
    n = 1300
    dense, sparse = random_network((n, 2), 1), random_network((n, 2), 2, density=0.05)
    weights = np.concatenate([dense.weights[0], sparse.weights[0]])
    network = make_network((weights, [0, 0, 0, 0]))
    input_set = make_set(np.random.default_rng(3).choice([0.0, 0.0, 0.25, 1.0], size=n), radius)
    (layer,) = backward_bounds(network, input_set)
    for j, row in enumerate(weights.tolist()):
        largest, least = (
            forward(network, knapsack(input_set, [sign * Fraction(w) for w in row]))[0][j] for sign in (1, -1)
        )
        assert largest <= layer.upper.tolist()[j] <= largest + Fraction(1, 10**8)
        assert least >= layer.lower.tolist()[j] >= least - Fraction(1, 10**8)


def test_first_layer_by_hand(make_network, make_set):
    # Centre (1/2, 1/2), radius 3/4: 3 x_0 - x_1 rises by 3/2 with x_0 and by 1/4 with what is left for x_1.
    (layer,) = backward_bounds(make_network(([[3, -1]], [0])), make_set([0.5, 0.5], 0.75))
    assert (layer.lower[0], layer.upper[0]) == pytest.approx((1 - 1.75, 1 + 1.75), abs=1e-12)


def test_a_relu_is_relaxed_by_its_chord(make_network, make_set):
    # z in [-1, 1] from x in [0, 1] at centre 1/2: relu(z) <= (z + 1) / 2, so -relu(z) + z / 2 + ... meets the chord.
    network = make_network(([[2], [2]], [-1, 1]), ([[1, -0.5]], [0]))
    output = backward_bounds(network, make_set([0.5], 1.0))[-1]
    # y <= (z + 1) / 2 - (2 x + 1) / 2 = x - x - 1/2; interval bounds would give 1 - 1/2.
    assert output.upper[0] == pytest.approx(-0.5, abs=1e-12)


def test_bounds_of_deep_layers_hold_and_beat_intervals(random_network, make_set, extreme_points, forward):
    network = random_network((16, 8, 8, 8, 4), 5)
    input_set = make_set(sixteenths(5, 16), 1.0)
    layers = backward_bounds(network, input_set)
    assert escapes(layers, network, extreme_points(network, input_set), forward) == set()
    lower = upper = None
    for (W, b), layer in zip([(x.W, x.b) for x in network.layers], layers, strict=True):
        before = (input_set.lower, input_set.upper) if lower is None else (np.maximum(lower, 0), np.maximum(upper, 0))
        lower = np.minimum(W, 0) @ before[1] + np.maximum(W, 0) @ before[0] + b
        upper = np.maximum(W, 0) @ before[1] + np.minimum(W, 0) @ before[0] + b
        assert (layer.upper - layer.lower).sum() < (upper - lower).sum()


class _NumpyWithoutSteps:
    """numpy, but nextafter stays where it is."""

    def __getattr__(self, name):
        return (lambda x, _: x) if name == "nextafter" else getattr(np, name)


def test_without_the_rounding_error_term_bounds_are_wrong(
    random_network, make_set, extreme_points, forward, monkeypatch
):
    """The mutation that the exact comparison must catch, and that no tolerance would."""

    def all_escapes():
        found = []
        for seed in range(12):
            network = random_network((12, 4, 3, 2), seed)
            input_set = make_set(sixteenths(seed, 12), 1.7)
            points = extreme_points(network, input_set, seed)
            found += escapes(backward_bounds(network, input_set), network, points, forward)
        return found

    assert not all_escapes()
    initialize = bounds_module._Relaxation.__init__

    def without_error_term(self, *arguments):
        initialize(self, *arguments)
        self.unit = 0.0

    monkeypatch.setattr(bounds_module._Relaxation, "__init__", without_error_term)
    monkeypatch.setattr(bounds_module, "np", _NumpyWithoutSteps())
    assert len(all_escapes()) > 5


def test_cancelling_terms_of_many_inputs_are_covered(make_network, make_set, knapsack, forward):
    """A centre and the ball's part cancel to nearly nothing; their rounding errors do not."""
    random = np.random.default_rng(0)
    row = random.uniform(0.5, 1.5, size=2000).astype(np.float32)
    network = make_network((np.stack([row, -row]), [0, 0]))
    input_set = make_set(random.uniform(0.1, 1.0, size=2000).astype(np.float32), 1e4)
    (layer,) = backward_bounds(network, input_set)
    points = [knapsack(input_set, [sign * Fraction(w) for w in row.tolist()]) for sign in (1, -1)]
    assert escapes([layer], network, points, forward) == set()
    assert abs(layer.lower[0]) < 1e-8  # all pixels can reach 0


def test_weights_whose_products_underflow_are_covered(make_network, make_set, forward):
    """1e38 six times, 1e-40 nine times: the backward products vanish, the value 1e-132 does not."""
    network = make_network(*[([[w]], [0]) for w in [1e38] * 6 + [1e-40] * 9])
    layers = backward_bounds(network, make_set([0.75], 0.25))
    assert forward(network, [Fraction(1)])[-1][0] > 0
    assert escapes(layers, network, [[Fraction(1, 2)], [Fraction(1)]], forward) == set()


def test_bounds_beyond_float64_are_refused(make_network, make_set):
    network = make_network(*[([[1e38]], [0])] * 9)
    with pytest.raises(NetworkError, match="layer 9: the weights are too large"):
        backward_bounds(network, make_set([0.75], 0.25))


def test_a_neuron_without_weights_has_exactly_its_bias(make_network, make_set):
    network = make_network(([[0, 0], [0, 0], [0, 0]], [0, 0.1, -0.1]), ([[1, 1, 1]], [0]))
    (hidden, output) = backward_bounds(network, make_set([0.5, 0.5], 1.0))
    bias = np.float32(0.1)
    assert hidden.lower.tolist() == hidden.upper.tolist() == [0, bias, -bias]
    assert hidden.stable_active.tolist() == [True, True, False]
    assert hidden.stable_inactive.tolist() == [False, False, True]
    assert output.lower[0] < bias < output.upper[0]


def test_layers_without_neurons_have_empty_bounds(make_network, make_set):
    network = make_network((np.zeros((0, 2)), np.zeros(0)), (np.zeros((2, 0)), [1.5, -2.0]))
    hidden, output = backward_bounds(network, make_set([0.5, 0.5], 1.0))
    assert hidden.lower.shape == hidden.upper.shape == (0,)
    assert output.lower.tolist() == output.upper.tolist() == [1.5, -2.0]


def test_pixels_without_room_do_not_move(make_network, make_set):
    input_set = make_set([0.0, 1.0], 5.0)
    (layer,) = backward_bounds(make_network(([[-1, 1], [1, -1]], [0, 0])), input_set)
    # x_0 cannot fall, x_1 cannot rise: -x_0 + x_1 lies in [-1, 1].
    assert layer.upper == pytest.approx([1, 1], abs=1e-12)
    assert layer.lower == pytest.approx([-1, -1], abs=1e-12)


def test_every_neuron_is_stable_or_unstable():
    ends = [-2.0, -0.0, 0.0, 3.0]
    lower, upper = zip(*[(a, b) for a in ends for b in ends if a <= b], strict=True)
    layer = LayerBounds(np.array(lower), np.array(upper))
    kinds = layer.stable_active.astype(int) + layer.stable_inactive + layer.unstable
    assert (kinds == 1).all()
    # [0, 0] counts as active, [-2, 0] as inactive.
    assert LayerBounds(np.array([0.0, -2.0]), np.array([0.0, 0.0])).stable_active.tolist() == [True, False]


def test_bounds_are_the_same_bits_twice(random_network, make_set):
    network, input_set = random_network((30, 10, 10, 3), 1), make_set(sixteenths(1, 30), 2.0)
    first, second = backward_bounds(network, input_set), backward_bounds(network, input_set)
    for a, b in zip(first, second, strict=True):
        assert a.lower.tobytes() + a.upper.tobytes() == b.lower.tobytes() + b.upper.tobytes()
