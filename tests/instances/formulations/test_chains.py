"""The tight formulation of chains beyond perceptrons: linear layers, sparse weights, divisors, tiny weights."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from support.brute_force import brute_force
from support.encodings import tight
from support.networks import layer_of, mixed_network, random_network
from support.properties import members
from support.solving import optimum
from vnnbench.instances.bounds.levels import BoundLevel, bound_layers
from vnnbench.instances.errors import ModelError, NetworkError
from vnnbench.instances.formulations.lifting import Lifter
from vnnbench.instances.formulations.milp import MIN_COEFFICIENT, MilpBuilder
from vnnbench.instances.formulations.mps import compress, mps_text, read_mps
from vnnbench.instances.formulations.tight import encode_tight
from vnnbench.instances.networks.network import LayeredNetwork
from vnnbench.instances.properties.goals import Atom, one_clause
from vnnbench.instances.properties.input_set import InputSet, Norm, box_set
from vnnbench.instances.properties.property import LinearProperty, MaximizeProperty, VerifyProperty

TARGETED, UNTARGETED, MAXIMIZED = "targeted", "untargeted", "maximized"


def outputs(network, x):
    """Return y(x) by Fractions, sharing nothing with the code under test."""
    v = [Fraction(value) for value in x.tolist()]
    for layer in network.layers:
        W = layer.W if isinstance(layer.W, np.ndarray) else layer.W.toarray()
        divisors = np.ones(len(layer.b)) if layer.divisor is None else layer.divisor
        v = [
            sum((Fraction(w) * u for w, u in zip(row, v, strict=True)), Fraction(b)) / Fraction(divisor)
            for row, b, divisor in zip(W.tolist(), layer.b.tolist(), divisors.tolist(), strict=True)
        ]
        v = [max(z, Fraction(0)) if has_relu else z for z, has_relu in zip(v, layer.relu, strict=True)]
    return v


def chain(widths, seed, relus, *, sparse=False, divided=False, scales=(0.0, 0.0), density=1.0):
    random = np.random.default_rng(seed)
    layers = []
    for (n, m), relu in zip(itertools.pairwise(widths), relus, strict=True):
        W = random.normal(size=(m, n)) * 10.0 ** random.uniform(*scales, size=(m, n))
        W = np.where(random.random((m, n)) < density, W, 0.0)
        b, divisor = random.normal(size=m), random.uniform(0.1, 5.0, size=m) if divided else None
        layers.append(layer_of(csr_array(W) if sparse else W, b, relu, divisor))
    return LayeredNetwork(tuple(layers))


def question(kind, n_inputs, radius=0.6, norm=Norm.L1, seed=0):
    centre = np.random.default_rng(seed).integers(0, 17, size=n_inputs) / 16
    s = InputSet(norm, centre, radius, np.zeros(n_inputs), np.ones(n_inputs))
    match kind:
        case "targeted":
            return VerifyProperty(s, 0, (1,), True, None, None)
        case "untargeted":
            return VerifyProperty(s, 0, (1, 2), True, None, None)
        case "maximized":
            return MaximizeProperty(s, 1, None, None)


def assert_lifted(network, prop, encoding, points, folder):
    (folder / "m.mps.gz").write_bytes(compress(mps_text(encoding.model)))
    lifter = Lifter(read_mps(folder / "m.mps.gz"), prop.input_set)
    for x in points:
        lifted = lifter.lift(x)
        assert lifted.violated == ()
        value = prop.goal.value(outputs(network, x))
        assert abs(value + lifted.objective) <= Fraction(encoding.constant_rounding)


RELUS = [(True, False), (False, True, False), (True, False, True, False), (False, False)]


@pytest.mark.parametrize("kind", [TARGETED, UNTARGETED, MAXIMIZED])
@pytest.mark.parametrize("relus", RELUS, ids=repr)
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("divided", [False, True])
def test_lifted_points_satisfy_the_file_of_any_chain(kind, relus, sparse, divided, tmp_path):
    widths = (*(4, 5, 4, 3, 3)[: len(relus)], 3)
    network = chain(widths, 5, relus, sparse=sparse, divided=divided, density=0.7)
    for norm, radius in ((Norm.L1, 0.6), (Norm.LINF, 0.3)):
        prop = question(kind, 4, radius, norm)
        encoding = tight(network, prop)
        assert encoding.constant_rounding < 1e-11
        assert_lifted(network, prop, encoding, members(prop.input_set, 15), tmp_path)


@pytest.mark.parametrize("kind", [TARGETED, UNTARGETED])
@pytest.mark.parametrize("seed", range(6))
def test_the_optimum_is_that_of_a_network_with_relus_behind_some_neurons(kind, seed, tmp_path):
    network = mixed_network((3, 4, 4, 3), seed)
    for norm, radius in ((Norm.L1, 0.6), (Norm.LINF, 0.3)):
        prop = question(kind, 3, radius, norm, seed)
        encoding = tight(network, prop)
        assert_lifted(network, prop, encoding, members(prop.input_set, 10), tmp_path)
        assert optimum("highs", encoding.model, tmp_path) == pytest.approx(brute_force(network, prop), abs=1e-6)


def test_a_neuron_that_is_carried_on_costs_no_row_and_no_column():
    # h = relu(x_0 - 1/2, x_1 - 1/2); h_0 passes two more layers before the sum of both.
    hidden = layer_of(np.eye(2), -np.full(2, 0.5), relu=True)
    summed = layer_of(np.ones((1, 2)), np.zeros(1), relu=False)
    carried = layer_of(np.eye(2), np.zeros(2), relu=np.array([False, True]))
    plain, longer = LayeredNetwork((hidden, summed)), LayeredNetwork((hidden, carried, carried, summed))
    prop = MaximizeProperty(InputSet(Norm.LINF, np.full(2, 0.5), 0.5, np.zeros(2), np.ones(2)), 0, None, None)
    models = [tight(network, prop).model for network in (plain, longer)]
    assert models[0].n_rows == models[1].n_rows
    assert models[0].n_columns == models[1].n_columns


@given(
    seed=st.integers(0, 2**32 - 1),
    relus=st.sampled_from(RELUS),
    scales=st.sampled_from([(-12, 0), (-3, 2)]),
    kind=st.sampled_from([TARGETED, UNTARGETED, MAXIMIZED]),
    divided=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_weights_too_small_for_a_file_are_left_out_within_constant_rounding(
    seed, relus, scales, kind, divided, tmp_path_factory
):
    network = chain((*(4, 5, 4, 3, 3)[: len(relus)], 3), seed, relus, scales=scales, divided=divided, density=0.8)
    prop = question(kind, 4, seed=seed)
    encoding = tight(network, prop)
    assert (np.abs(encoding.model.data) >= MIN_COEFFICIENT).all()
    assert_lifted(network, prop, encoding, members(prop.input_set, 8, seed), tmp_path_factory.mktemp("tiny"))


def test_the_range_of_a_dropped_weight_widens_bounds_and_constant_rounding(tmp_path):
    # z = x_0 - 1/2 + 5e-10 x_1 over [0, 1]^2; the file knows z = x_0 - 1/2 alone.
    first = layer_of(np.array([[1.0, 5e-10]]), np.array([-0.5]), relu=True)
    network = LayeredNetwork((first, layer_of(np.array([[2.0]]), np.zeros(1), relu=False)))
    s = InputSet(Norm.BOX, np.array([0.5, 0.5]), None, np.zeros(2), np.ones(2))
    prop = LinearProperty(s, one_clause(((Atom(((0, Fraction(1)),)),),)), True, None, None)
    encoding = tight(network, prop)
    assert encoding.model.column_names == ("x_0", "h_1_0", "d_1_0", "z_1_0")
    assert 1e-9 <= encoding.constant_rounding < 1.001e-9
    assert encoding.model.upper[1] >= 0.5 + 5e-10
    corners = [np.array(x) for x in itertools.product((0.0, 1.0), repeat=2)]
    assert_lifted(network, prop, encoding, corners, tmp_path)


def test_a_relu_that_is_never_on_is_the_constant_zero_whatever_weights_it_loses(tmp_path):
    # z_0 <= -1e-10 on the box, but what the dropped weight can do to it is 5e-10; its output has the weight 1000.
    first = layer_of(np.array([[5e-10], [1.0]]), np.array([-6e-10, -0.5]), relu=True)
    network = LayeredNetwork((first, layer_of(np.array([[1000.0, 1.0]]), np.zeros(1), relu=False)))
    s = InputSet(Norm.BOX, np.array([0.5]), None, np.zeros(1), np.ones(1))
    prop = LinearProperty(s, one_clause(((Atom(((0, Fraction(1)),)),),)), True, None, None)
    encoding = tight(network, prop)
    assert encoding.stable_inactive == 1
    assert encoding.constant_rounding == 0
    assert_lifted(network, prop, encoding, [np.array([x]) for x in (0.0, 0.5, 1.0)], tmp_path)


def test_a_neuron_of_dropped_weights_alone_is_a_constant_within_constant_rounding(tmp_path):
    first = layer_of(np.array([[5e-10], [1.0]]), np.array([0.25, 0.0]), relu=True)
    network = LayeredNetwork((first, layer_of(np.array([[4.0, 1.0]]), np.zeros(1), relu=False)))
    s = InputSet(Norm.BOX, np.array([0.5]), None, np.zeros(1), np.ones(1))
    prop = LinearProperty(s, one_clause(((Atom(((0, Fraction(1)),)),),)), True, None, None)
    encoding = tight(network, prop)
    assert "h_1_0" not in encoding.model.column_names and encoding.model.offset == -1.0
    assert 2e-9 <= encoding.constant_rounding < 2.001e-9
    assert_lifted(network, prop, encoding, [np.array([x]) for x in (0.0, 0.5, 1.0)], tmp_path)


def test_file_of_a_divided_linear_layer_by_hand():
    # 3 z_1 = x - 1/2; h_2 = relu(z_1 - 1/8); y = h_2
    layers = (
        layer_of(np.array([[1.0]]), np.array([-0.5]), False, np.array([3.0])),
        layer_of(csr_array([[1.0]]), np.array([-0.125]), True),
        layer_of(np.array([[1.0]]), np.zeros(1), False),
    )
    s = InputSet(Norm.BOX, np.array([0.5]), None, np.zeros(1), np.ones(1))
    prop = MaximizeProperty(s, 0, None, None)
    model = tight(LayeredNetwork(layers), prop).model
    assert model.row_names == ("q_1_0", "on_2_0", "ge_2_0", "off_2_0", "z_2_0")
    assert model.column_names == ("x_0", "z_1_0", "h_2_0", "d_2_0", "z_2_0")
    assert model.data[:2].tolist() == [3, -1] and model.rhs[0] == -0.5
    assert (model.lower[1], model.upper[1]) == pytest.approx((-1 / 6, 1 / 6), abs=1e-12)
    lifted = Lifter(model, s).lift(np.array([1.0]))
    assert (lifted.violated, lifted.objective) == ((), Fraction(1, 8) - Fraction(1, 6))


def test_linear_layers_have_no_neurons_by_stability():
    network = chain((4, 5, 4, 3), 5, (False, True, False))
    encoding = tight(network, question(TARGETED, 4))
    assert encoding.stable_active + encoding.stable_inactive + encoding.unstable == 4


def test_sparse_and_dense_weights_give_the_same_file():
    for kind in (TARGETED, UNTARGETED):
        dense, sparse = (chain((4, 5, 4, 3), 5, (True, True, False), sparse=s, density=0.5) for s in (False, True))
        prop = question(kind, 4)
        bounds = bound_layers(prop.goal.chain(dense), prop.input_set, BoundLevel.BACKWARD)
        texts = [mps_text(encode_tight(network, prop, bounds, "m").model) for network in (dense, sparse)]
        assert texts[0] == texts[1]


def test_optimum_of_a_chain_is_that_of_the_perceptron_it_equals(tmp_path):
    network = random_network((4, 3, 3), 4)
    W, b = network.layers[0].W, network.layers[0].b
    doubled = np.array([3.0, 0.7, 1.3])  # divided and multiplied by hand
    split = LayeredNetwork(
        (
            layer_of(np.eye(4) * 0.25, np.zeros(4), False),
            layer_of(csr_array(4 * W * doubled[:, None]), b * doubled, True, doubled),
            network.layers[1],
        )
    )
    for kind in (TARGETED, UNTARGETED, MAXIMIZED):
        prop = question(kind, 4)
        found = optimum("highs", tight(split, prop).model, tmp_path)
        assert found == pytest.approx(brute_force(network, prop), abs=2e-5)


def test_a_divisor_that_readers_drop_is_refused_in_one_line():
    layers = (layer_of(np.eye(1), np.zeros(1), True, np.array([1e-10])), layer_of(np.eye(1), np.zeros(1), False))
    prop = MaximizeProperty(InputSet(Norm.BOX, np.array([0.5]), None, np.zeros(1), np.ones(1)), 0, None, None)
    with pytest.raises(NetworkError, match="divisor"):
        encode_tight(LayeredNetwork(layers), prop, [], "tiny")


def test_a_row_without_an_output_to_divide_is_one_line():
    builder = MilpBuilder("bad")
    x = builder.add_column("x_0", 0.0, 1.0)
    builder.add_row("q_1_0", "E", 0.0, [x], [3.0])
    with pytest.raises(ModelError, match="row q_1_0 has no output to define"):
        Lifter(builder.build(), box_set(np.array([0.0]), np.array([1.0])))
