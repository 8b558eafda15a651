import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from support.brute_force import brute_force
from support.exact import extreme_points, forward, knapsack, vertices
from support.networks import layer_of, make_network, mixed_network, random_network
from support.properties import highest, make_set, members
from vnnbench.instances.bounds import levels as bounds_module
from vnnbench.instances.bounds import linear_program, window_blocks
from vnnbench.instances.bounds import relaxation as relaxation_module
from vnnbench.instances.bounds.levels import BoundLevel, LayerBounds, bound_layers
from vnnbench.instances.bounds.lp import program_of
from vnnbench.instances.bounds.relaxation import Relaxation
from vnnbench.instances.bounds.support_function import Support
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.networks.network import LayeredNetwork, Network

seeds = st.integers(0, 2**32 - 1)


def sixteenths(seed, n):
    return np.random.default_rng(seed).integers(0, 17, size=n) / 16


def with_sparse_layers(network):
    """Return the same network with sparse matrices, as convolutions have them."""
    return LayeredNetwork(tuple(replace(layer, W=csr_array(layer.W)) for layer in network.layers))


def escapes(layers, network, points):
    """Return the (layer, neuron) pairs whose exact pre-activation is outside its bounds at a point."""
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
    level=st.sampled_from(BoundLevel),
)
@settings(max_examples=240, deadline=None)
def test_bounds_hold_exactly_where_gradient_ascent_ends(seed, widths, scales, density, radius, level):
    network = random_network(widths, seed, scales=scales, density=density)
    input_set = make_set(sixteenths(seed, widths[0]), radius)
    layers = bound_layers(network, input_set, level)
    assert escapes(layers, network, extreme_points(network, input_set, seed)) == set()


@given(
    seed=seeds,
    widths=st.sampled_from([(3, 4, 3, 2), (4, 3, 3, 2, 2), (12, 4, 2)]),
    scales=st.sampled_from([(0, 0), (-7, 4)]),
    density=st.sampled_from([0.3, 1.0]),
    radius=st.sampled_from([1e-9, 0.3, 1.0, 50.0]),
    least_weights=st.sampled_from([1, 1000]),
)
@settings(max_examples=100, deadline=None)
def test_bounds_of_sparse_layers_hold_exactly_with_blocks_and_without(
    seed, widths, scales, density, radius, least_weights
):
    network = random_network(widths, seed, scales=scales, density=density)
    input_set = make_set(sixteenths(seed, widths[0]), radius)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window_blocks, "_LEAST_WEIGHTS", least_weights)
        layers = bound_layers(with_sparse_layers(network), input_set, BoundLevel.BACKWARD)
    assert escapes(layers, network, extreme_points(network, input_set, seed)) == set()


@given(
    seed=seeds,
    widths=st.sampled_from([(2, 4, 2), (3, 4, 3, 2), (3, 3, 3, 3, 1)]),
    scales=st.sampled_from([(0, 0), (-7, 4)]),
    radius=st.sampled_from([0.2, 0.7, 1.5]),
    level=st.sampled_from(BoundLevel),
)
@settings(max_examples=120, deadline=None)
def test_bounds_hold_exactly_at_every_vertex_and_between_them(seed, widths, scales, radius, level):
    network = random_network(widths, seed, scales=scales)
    input_set = make_set(sixteenths(seed, widths[0]), radius)
    corners = vertices(input_set)
    middles = [
        [(a + b) / 2 for a, b in zip(one, other, strict=True)] for one, other in itertools.combinations(corners, 2)
    ]
    assert escapes(bound_layers(network, input_set, level), network, corners + middles[:60]) == set()


@given(
    seed=seeds,
    centre=st.lists(st.floats(-1, 1), min_size=3, max_size=3),
    radius=st.floats(1e-12, 4),
    level=st.sampled_from(BoundLevel),
)
@settings(max_examples=120, deadline=None)
def test_bounds_hold_exactly_for_centres_of_any_float64(seed, centre, radius, level):
    network = random_network((3, 3, 3, 2), seed, scales=(-3, 2))
    input_set = make_set(centre, radius, lower=-1.0)
    layers = bound_layers(network, input_set, level)
    assert escapes(layers, network, extreme_points(network, input_set, seed)) == set()


@given(seed=seeds, n=st.integers(1, 30), radius=st.sampled_from([1e-6, 0.05, 0.4, 1.0, 3.3, 100.0]))
@settings(max_examples=100, deadline=None)
def test_the_first_layer_is_tight(seed, n, radius):
    network = random_network((n, 3), seed)
    input_set = make_set(sixteenths(seed, n), radius)
    (layer,) = bound_layers(network, input_set, BoundLevel.BACKWARD)
    for j, row in enumerate(network.weights[0].tolist()):
        row = [Fraction(w) for w in row]
        largest = forward(network, knapsack(input_set, row))[0][j]
        least = forward(network, knapsack(input_set, [-w for w in row]))[0][j]
        assert largest <= layer.upper.tolist()[j] <= largest + Fraction(1, 10**9)
        assert least >= layer.lower.tolist()[j] >= least - Fraction(1, 10**9)


@pytest.mark.parametrize("radius", [0.5, 60.0, 250.0, 900.0, 1e4])
def test_the_first_layer_is_tight_however_many_pixels_the_ball_moves(radius):
    # Ten times the coefficients that the knapsack looks at first; in half of the rows most weights are zero.
    n = 1300
    dense, sparse = random_network((n, 2), 1), random_network((n, 2), 2, density=0.05)
    weights = np.concatenate([dense.weights[0], sparse.weights[0]])
    network = make_network((weights, [0, 0, 0, 0]))
    input_set = make_set(np.random.default_rng(3).choice([0.0, 0.0, 0.25, 1.0], size=n), radius)
    (layer,) = bound_layers(network, input_set, BoundLevel.BACKWARD)
    for j, row in enumerate(weights.tolist()):
        largest, least = (
            forward(network, knapsack(input_set, [sign * Fraction(w) for w in row]))[0][j] for sign in (1, -1)
        )
        assert largest <= layer.upper.tolist()[j] <= largest + Fraction(1, 10**8)
        assert least >= layer.lower.tolist()[j] >= least - Fraction(1, 10**8)


def test_first_layer_by_hand():
    # Centre (1/2, 1/2), radius 3/4: 3 x_0 - x_1 rises by 3/2 with x_0 and by 1/4 with what is left for x_1.
    (layer,) = bound_layers(make_network(([[3, -1]], [0])), make_set([0.5, 0.5], 0.75), BoundLevel.BACKWARD)
    assert (layer.lower[0], layer.upper[0]) == pytest.approx((1 - 1.75, 1 + 1.75), abs=1e-12)


def test_a_relu_is_relaxed_by_its_chord():
    # z in [-1, 1] from x in [0, 1] at centre 1/2: relu(z) <= (z + 1) / 2, so -relu(z) + z / 2 + ... meets the chord.
    network = make_network(([[2], [2]], [-1, 1]), ([[1, -0.5]], [0]))
    output = bound_layers(network, make_set([0.5], 1.0), BoundLevel.BACKWARD)[-1]
    # y <= (z + 1) / 2 - (2 x + 1) / 2 = x - x - 1/2; interval bounds would give 1 - 1/2.
    assert output.upper[0] == pytest.approx(-0.5, abs=1e-12)


NARROWER = [
    (BoundLevel.INTERVAL, BoundLevel.BOX),
    (BoundLevel.BACKWARD, BoundLevel.INTERVAL),
    (BoundLevel.BACKWARD_OPT, BoundLevel.BACKWARD),
    (BoundLevel.LP, BoundLevel.BACKWARD),
    (BoundLevel.SPLIT, BoundLevel.LP),
]


@pytest.mark.parametrize(("level", "other"), NARROWER)
def test_a_level_is_narrower_than_the_one_before(level, other):
    network = random_network((16, 8, 8, 8, 4), 5)
    input_set = make_set(sixteenths(5, 16), 1.0)
    narrow, wide = (bound_layers(network, input_set, choice) for choice in (level, other))
    first, last = (sum(float((layer.upper - layer.lower).sum()) for layer in layers) for layers in (narrow, wide))
    assert first < 0.995 * last


@pytest.mark.parametrize("level", [BoundLevel.INTERVAL, BoundLevel.BACKWARD, BoundLevel.BACKWARD_OPT, BoundLevel.SPLIT])
def test_no_bound_is_wider_than_that_of_the_level_built_on(level):
    base = {BoundLevel.INTERVAL: BoundLevel.BOX, BoundLevel.BACKWARD: BoundLevel.INTERVAL}.get(
        level, BoundLevel.BACKWARD
    )
    network, input_set = random_network((16, 8, 8, 4), 2), make_set(sixteenths(2, 16), 1.5)
    for narrow, wide in zip(*(bound_layers(network, input_set, choice) for choice in (level, base)), strict=True):
        assert (narrow.lower >= wide.lower - 1e-12).all()
        assert (narrow.upper <= wide.upper + 1e-12).all()


def test_optimized_slopes_come_close_to_the_linear_program():
    network, input_set = random_network((20, 12, 12, 12, 3), 7), make_set(sixteenths(7, 20), 1.0)
    widths = {
        level: sum(float((b.upper - b.lower).sum()) for b in bound_layers(network, input_set, level))
        for level in (BoundLevel.BACKWARD, BoundLevel.BACKWARD_OPT, BoundLevel.LP)
    }
    gained, possible = (widths[BoundLevel.BACKWARD] - widths[x] for x in (BoundLevel.BACKWARD_OPT, BoundLevel.LP))
    assert 0.9 * possible < gained < 1.05 * possible


@pytest.mark.parametrize("level", [BoundLevel.BACKWARD_OPT, BoundLevel.LP, BoundLevel.SPLIT])
def test_a_level_reaches_the_largest_value_of_a_small_network_or_more(level):
    for seed in range(8):
        network, input_set = random_network((3, 4, 3, 1), seed), make_set(sixteenths(seed, 3), 0.5)
        largest = brute_force(network, highest(input_set))
        assert largest <= bound_layers(network, input_set, level)[-1].upper[0] + 1e-9


def test_splitting_every_unstable_relu_is_exact():
    # y = relu(x - 1/2) - relu(1/2 - x) = x - 1/2 on [0, 1], two unstable ReLUs: no relaxation of each alone sees it.
    network = make_network(([[1], [-1]], [-0.5, 0.5]), ([[1, -1]], [0]))
    input_set = make_set([0.5], 1.0)
    upper = {level: bound_layers(network, input_set, level)[-1].upper[0] for level in BoundLevel}
    assert upper[BoundLevel.SPLIT] == pytest.approx(0.5, abs=1e-6)
    assert upper[BoundLevel.LP] == pytest.approx(0.5, abs=1e-6)


def test_a_program_cut_off_keeps_the_bounds_before(monkeypatch):
    network, input_set = random_network((16, 8, 8, 4), 2), make_set(sixteenths(2, 16), 1.5)
    monkeypatch.setattr(linear_program, "MAX_SIMPLEX_ITERATIONS", 0)
    cut, before = (bound_layers(network, input_set, level) for level in (BoundLevel.LP, BoundLevel.BACKWARD))
    for one, other in zip(cut, before, strict=True):
        assert (one.upper <= other.upper).all()
        assert (one.lower >= other.lower).all()


def test_programs_give_the_same_bits_with_any_number_of_threads():
    network, input_set = random_network((16, 24, 24, 4), 2), make_set(sixteenths(2, 16), 1.5)
    one, three = (bound_layers(network, input_set, BoundLevel.LP, threads=n) for n in (1, 3))
    for a, b in zip(one, three, strict=True):
        assert a.lower.tobytes() + a.upper.tobytes() == b.lower.tobytes() + b.upper.tobytes()


@given(seed=seeds, size=st.sampled_from([1e-3, 1.0, 1e6]))
@settings(max_examples=40, deadline=None)
def test_any_duals_prove_a_bound(seed, size):
    """The proof takes whatever a solver says, and its bound is never below the program's optimum."""
    network, input_set = random_network((6, 5, 5, 2), 3), make_set(sixteenths(3, 6), 0.8)
    support = Support(input_set)
    relaxation = Relaxation(network.layers, support)
    for layer, bounds in zip(network.layers[:2], bound_layers(network, input_set, BoundLevel.BACKWARD), strict=False):
        relaxation.append(layer, bounds.lower, bounds.upper)
    program = program_of(relaxation)
    A = network.layers[2].W
    costs = A @ program.outputs
    random = np.random.default_rng(seed)
    duals = size * random.normal(size=(len(A), len(program.row_lower)))
    assert (program.proven(costs, duals) >= program.maxima(A) - 1e-12).all()


class _NumpyWithoutSteps:
    """The module numpy, but nextafter stays where it is."""

    def __getattr__(self, name):
        return (lambda x, _: x) if name == "nextafter" else getattr(np, name)


def _network_with_stable_first_layer(seed):
    """Draw a network that relaxes nothing before its second layer, so that its bounds there are reached."""
    drawn = random_network((12, 4, 3, 2), seed)
    return Network(drawn.weights, (drawn.biases[0] + np.float32(40), drawn.biases[1], drawn.biases[2]))


def _network_of_many_inputs(seed):
    return random_network((80, 6, 2), seed)


def _as_drawn(network):
    return network


@pytest.mark.parametrize(
    ("level", "draw", "form", "radius"),
    [
        (BoundLevel.BOX, _network_of_many_inputs, _as_drawn, 200.0),
        (BoundLevel.INTERVAL, _network_of_many_inputs, _as_drawn, 1.7),
        (BoundLevel.BACKWARD, _network_with_stable_first_layer, _as_drawn, 1.7),
        (BoundLevel.BACKWARD, _network_with_stable_first_layer, with_sparse_layers, 1.7),
        (BoundLevel.BACKWARD_OPT, _network_with_stable_first_layer, _as_drawn, 1.7),
        (BoundLevel.SPLIT, _network_with_stable_first_layer, _as_drawn, 1.7),
    ],
)
def test_without_its_rounding_error_term_a_level_is_wrong(level, draw, form, radius, monkeypatch):
    """The exact comparison must catch this mutation, which no tolerance would."""

    def all_escapes():
        found = []
        for seed in range(16):
            network = draw(seed)
            input_set = make_set(sixteenths(seed, network.n_inputs), radius, -1 / 3, 4 / 3)
            points = extreme_points(network, input_set, seed)
            found += escapes(bound_layers(form(network), input_set, level), network, points)
        return found

    assert not all_escapes()
    initialize = Relaxation.__init__

    def without_error_term(self, *arguments):
        initialize(self, *arguments)
        self.unit = 0.0

    monkeypatch.setattr(Relaxation, "__init__", without_error_term)
    for module in (bounds_module, relaxation_module):
        monkeypatch.setattr(module, "np", _NumpyWithoutSteps())
    assert len(all_escapes()) > 5


def _proven_exactly(program, cost, dual):
    """Return the bound that the duals prove, in Fractions."""
    value = Fraction(0)
    reduced = [Fraction(c) for c in cost.tolist()]
    matrix = program.matrix.toarray().tolist()
    for y, row, low, high in zip(
        dual.tolist(), matrix, program.row_lower.tolist(), program.row_upper.tolist(), strict=True
    ):
        side = high if y > 0 else low
        if y == 0 or np.isinf(side):
            continue
        value += Fraction(y) * Fraction(side)
        reduced = [r - Fraction(y) * Fraction(a) if a else r for r, a in zip(reduced, row, strict=True)]
    ends = zip(reduced, program.lower.tolist(), program.upper.tolist(), strict=True)
    return value + sum((r * Fraction(high if r > 0 else low) for r, low, high in ends), Fraction(0))


def test_the_proof_by_duals_is_rounded_upwards_and_wrong_without(monkeypatch):
    network, input_set = random_network((12, 6, 5, 2), 3), make_set(sixteenths(3, 12) * 0.7, 0.8)
    relaxation = Relaxation(network.layers, Support(input_set))
    for layer, bounds in zip(network.layers[:2], bound_layers(network, input_set, BoundLevel.BACKWARD), strict=False):
        relaxation.append(layer, bounds.lower, bounds.upper)
    program = program_of(relaxation)
    costs = np.repeat(network.layers[2].W @ program.outputs, 20, axis=0)
    duals = np.random.default_rng(0).normal(size=(len(costs), len(program.row_lower)))
    exact = [_proven_exactly(program, *pair) for pair in zip(costs, duals, strict=True)]

    def too_low():
        return sum(value < least for value, least in zip(program.proven(costs, duals).tolist(), exact, strict=True))

    assert too_low() == 0
    monkeypatch.setattr(linear_program, "UNIT_ROUNDOFF", 0.0)
    monkeypatch.setattr(linear_program, "np", _NumpyWithoutSteps())
    assert too_low() > 5


def test_cancelling_terms_of_many_inputs_are_covered():
    """A centre and the ball's part cancel to nearly nothing; their rounding errors do not cancel."""
    random = np.random.default_rng(0)
    row = random.uniform(0.5, 1.5, size=2000).astype(np.float32)
    network = make_network((np.stack([row, -row]), [0, 0]))
    input_set = make_set(random.uniform(0.1, 1.0, size=2000).astype(np.float32), 1e4)
    (layer,) = bound_layers(network, input_set, BoundLevel.BACKWARD)
    points = [knapsack(input_set, [sign * Fraction(w) for w in row.tolist()]) for sign in (1, -1)]
    assert escapes([layer], network, points) == set()
    assert abs(layer.lower[0]) < 1e-8  # all pixels can reach 0


@pytest.mark.parametrize("form", [_as_drawn, with_sparse_layers])
@pytest.mark.parametrize("level", BoundLevel)
def test_weights_whose_products_underflow_are_covered(level, form):
    """The weights are 1e38 six times and 1e-40 nine times: the backward products vanish, the value 1e-132 does not."""
    network = make_network(*[([[w]], [0]) for w in [1e38] * 6 + [1e-40] * 9])
    layers = bound_layers(form(network), make_set([0.75], 0.25), level)
    assert forward(network, [Fraction(1)])[-1][0] > 0
    assert escapes(layers, network, [[Fraction(1, 2)], [Fraction(1)]]) == set()


@pytest.mark.parametrize("level", BoundLevel)
def test_bounds_beyond_float64_are_refused(level):
    network = make_network(*[([[1e38]], [0])] * 9)
    with pytest.raises(NetworkError, match="layer 9: the weights are too large"):
        bound_layers(network, make_set([0.75], 0.25), level)


@pytest.mark.parametrize("level", BoundLevel)
def test_a_neuron_without_weights_has_exactly_its_bias(level):
    network = make_network(([[0, 0], [0, 0], [0, 0]], [0, 0.1, -0.1]), ([[1, 1, 1]], [0]))
    (hidden, output) = bound_layers(network, make_set([0.5, 0.5], 1.0), level)
    bias = np.float32(0.1)
    assert hidden.lower.tolist() == hidden.upper.tolist() == [0, bias, -bias]
    assert hidden.stable_active.tolist() == [True, True, False]
    assert hidden.stable_inactive.tolist() == [False, False, True]
    assert output.lower[0] < bias < output.upper[0]


@pytest.mark.parametrize("level", BoundLevel)
def test_layers_without_neurons_have_empty_bounds(level):
    network = make_network((np.zeros((0, 2)), np.zeros(0)), (np.zeros((2, 0)), [1.5, -2.0]))
    hidden, output = bound_layers(network, make_set([0.5, 0.5], 1.0), level)
    assert hidden.lower.shape == hidden.upper.shape == (0,)
    assert output.lower.tolist() == output.upper.tolist() == [1.5, -2.0]


def test_pixels_without_room_do_not_move():
    input_set = make_set([0.0, 1.0], 5.0)
    (layer,) = bound_layers(make_network(([[-1, 1], [1, -1]], [0, 0])), input_set, BoundLevel.BACKWARD)
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


@pytest.mark.parametrize("level", BoundLevel)
def test_bounds_are_the_same_bits_twice(level):
    network, input_set = random_network((30, 10, 10, 3), 1), make_set(sixteenths(1, 30), 2.0)
    first, second = (
        bound_layers(network, input_set, level),
        bound_layers(network, input_set, level),
    )
    for a, b in zip(first, second, strict=True):
        assert a.lower.tobytes() + a.upper.tobytes() == b.lower.tobytes() + b.upper.tobytes()


def _exact_chain(layers, x):
    """Return all z of a chain at x, in Fractions."""
    found = []
    for layer in layers:
        W = layer.W if isinstance(layer.W, np.ndarray) else layer.W.toarray()
        divisor = np.ones(len(layer.b)) if layer.divisor is None else layer.divisor
        z = [
            (sum((Fraction(w) * v for w, v in zip(row, x, strict=True)), Fraction(0)) + Fraction(b)) / Fraction(q)
            for row, b, q in zip(W.tolist(), layer.b.tolist(), divisor.tolist(), strict=True)
        ]
        found.append(z)
        x = [max(v, Fraction(0)) if has_relu else v for v, has_relu in zip(z, layer.relu, strict=True)]
    return found


@given(seed=seeds, radius=st.sampled_from([0.3, 1.5, 30.0]), level=st.sampled_from(BoundLevel))
@settings(max_examples=60, deadline=None)
def test_bounds_hold_exactly_for_linear_sparse_and_divided_layers(seed, radius, level):
    drawn = random_network((6, 6, 5, 4, 2), seed, density=0.6).layers
    divisor = np.random.default_rng(seed).uniform(0.1, 9.0, size=6)
    scaling = layer_of(csr_array(np.eye(6)), -np.full(6, 0.13), relu=False, divisor=divisor)
    sparse = layer_of(csr_array(drawn[1].W), drawn[1].b, relu=True, divisor=np.full(5, 3.0))
    linear = layer_of(drawn[2].W, drawn[2].b, relu=False)
    network = LayeredNetwork((scaling, drawn[0], sparse, linear, drawn[3]))
    input_set = make_set(sixteenths(seed, 6), radius)
    bounds = bound_layers(network, input_set, level)
    for x in members(input_set, 12, seed):
        for layer, pre_activations in zip(
            bounds, _exact_chain(network.layers, [Fraction(v) for v in x.tolist()]), strict=True
        ):
            ends = zip(layer.lower.tolist(), pre_activations, layer.upper.tolist(), strict=True)
            assert all(low <= z <= high for low, z, high in ends)


@given(seed=seeds, radius=st.sampled_from([0.3, 1.5]), level=st.sampled_from(BoundLevel))
@settings(max_examples=60, deadline=None)
def test_bounds_hold_exactly_where_some_neurons_have_no_relu(seed, radius, level):
    network = mixed_network((5, 6, 5, 4, 2), seed)
    input_set = make_set(sixteenths(seed, 5), radius)
    bounds = bound_layers(network, input_set, level)
    for x in members(input_set, 12, seed):
        exact = _exact_chain(network.layers, [Fraction(v) for v in x.tolist()])
        for layer, pre_activations in zip(bounds, exact, strict=True):
            ends = zip(layer.lower.tolist(), pre_activations, layer.upper.tolist(), strict=True)
            assert all(low <= z <= high for low, z, high in ends)


@pytest.mark.parametrize("level", BoundLevel)
def test_a_neuron_that_is_carried_on_keeps_its_bounds(level):
    # z_1 = x_0 - x_1 / 3; the second layer has it again, as it is and through a ReLU.
    first = layer_of(np.array([[1.0, -1 / 3]]), np.zeros(1), relu=False)
    second = layer_of(np.array([[1.0], [1.0]]), np.zeros(2), relu=np.array([False, True]))
    network = LayeredNetwork((first, second, layer_of(np.ones((1, 2)), np.zeros(1), relu=False)))
    found = bound_layers(network, make_set([0.5, 0.5], 0.7), level)
    assert found[1].lower.tolist() == [found[0].lower[0]] * 2
    assert found[1].upper.tolist() == [found[0].upper[0]] * 2


def test_linear_layers_do_not_widen_bounds():
    # x / 3, then relu(3 v - 1/2) as one neuron: as tight as relu(x - 1/2).
    third = layer_of(np.eye(1), np.zeros(1), relu=False, divisor=np.full(1, 3.0))
    network = LayeredNetwork((third, *make_network(([[3]], [-0.5]), ([[1]], [0])).layers))
    _, hidden, _ = bound_layers(network, make_set([0.5], 1.0), BoundLevel.INTERVAL)
    assert (hidden.lower[0], hidden.upper[0]) == pytest.approx((-0.5, 0.5), abs=1e-12)
