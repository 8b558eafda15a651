from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.networks import make_network, random_network
from support.properties import make_set, members, targeted
from support.solving import optimum
from vnnbench.instances.bounds.levels import BoundLevel, bound_layers
from vnnbench.instances.formulations.lifting import Lifter
from vnnbench.instances.formulations.milp import MIN_COEFFICIENT
from vnnbench.instances.formulations.mps import mps_text
from vnnbench.instances.formulations.surrogatelib import encode_surrogatelib
from vnnbench.instances.formulations.tight import encode_tight
from vnnbench.instances.networks.exact_evaluation import ExactNetwork


def entries(model):
    """Return (row, column) -> coefficient, by names."""
    return {
        (model.row_names[r], model.column_names[model.indices[e]]): model.data[e].item()
        for r in range(model.n_rows)
        for e in range(model.indptr[r], model.indptr[r + 1])
    }


@pytest.fixture(scope="module")
def full_size():
    """The model of the size in [P]: 2x32 on 28x28."""
    network = random_network((784, 32, 32, 10), 0, density=0.9)
    centre = np.random.default_rng(0).integers(0, 256, size=784).astype(np.float32) / np.float32(255)
    prop = targeted(make_set(centre, 4.75), source=3, target=8)
    return network, prop, encode_surrogatelib(network, prop, "full")


@pytest.fixture(scope="module")
def digits_size():
    network = random_network((64, 8, 8, 10), 5)
    centre = np.random.default_rng(5).integers(0, 17, size=64) / 16
    return network, targeted(make_set(centre, 0.5), source=4, target=9)


# -- the file of [P] -------------------------------------------------------------------------------------------------


def test_rows_and_columns_are_those_of_the_paper(full_size):
    """The paper has 1,770 columns and 1,835 rows."""
    model = full_size[2].model
    assert (model.n_columns, model.n_rows) == (784 + 784 + 10 + 3 * 64, 2 * 784 + 1 + 64 + 10 + 3 * 64)
    assert (model.n_columns, model.n_rows) == (1770, 1835)
    assert model.integer.sum() == 64


def test_names_are_unique_and_say_what_they_are(full_size):
    model = full_size[2].model
    assert len(set(model.column_names)) == model.n_columns and len(set(model.row_names)) == model.n_rows
    assert {name.split("_")[0] for name in model.column_names} == {"x", "a", "y", "z", "h", "d"}
    assert {name.split("_")[0] for name in model.row_names} == {"up", "dn", "ball", "z", "y", "lo", "off", "on"}
    assert all(name[0] == "d" for name, integer in zip(model.column_names, model.integer, strict=True) if integer)


def test_every_weight_and_bias_is_in_its_row_bit_for_bit(full_size):
    network, _, encoding = full_size
    found = entries(encoding.model)
    rhs = dict(zip(encoding.model.row_names, encoding.model.rhs.tolist(), strict=True))
    for k, (W, b) in enumerate(zip(network.weights, network.biases, strict=True), 1):
        row_of = (lambda j, k=k: f"z_{k}_{j}") if k < 3 else (lambda j: f"y_{j}")
        before = (lambda i: f"x_{i}") if k == 1 else (lambda i, k=k: f"h_{k - 1}_{i}")
        for j, (row, bias) in enumerate(zip(W.tolist(), b.tolist(), strict=True)):
            own = found[row_of(j), row_of(j)]
            assert abs(own) == 1 and rhs[row_of(j)] == own * bias
            assert {i: w for i, w in enumerate(row) if w} == {
                i: -own * found[row_of(j), before(i)] for i in range(len(row)) if (row_of(j), before(i)) in found
            }


def test_objective_is_source_minus_target_without_the_constant(full_size):
    model = full_size[2].model
    assert {model.column_names[j]: model.objective[j] for j in np.flatnonzero(model.objective)} == {"y_3": 1, "y_8": -1}
    assert model.offset == 0


def test_the_input_set_is_in_the_file_bit_for_bit(full_size):
    _, prop, encoding = full_size
    model, s = encoding.model, prop.input_set
    index = model.column_index()
    rhs = dict(zip(model.row_names, model.rhs.tolist(), strict=True))
    for i, centre in enumerate(s.centre.tolist()):
        assert (model.lower[index[f"x_{i}"]], model.upper[index[f"x_{i}"]]) == (0, 1)
        assert {abs(rhs[f"up_{i}"]), abs(rhs[f"dn_{i}"])} == {centre}
    assert rhs["ball"] == s.radius


def test_stability_is_counted_by_box_bounds(full_size):
    network, prop, encoding = full_size
    W, b = network.layers[0].W, network.layers[0].b
    lower = np.minimum(W, 0) @ prop.input_set.upper + np.maximum(W, 0) @ prop.input_set.lower + b
    upper = np.maximum(W, 0) @ prop.input_set.upper + np.minimum(W, 0) @ prop.input_set.lower + b
    assert encoding.stable_active + encoding.stable_inactive + encoding.unstable == 64
    assert encoding.unstable >= ((lower < 0) & (upper > 0)).sum()


def test_stable_counts_by_hand():
    network = make_network(([[1], [-1], [2]], [0.5, -0.5, -1]), (np.ones((2, 3)), [0, 0]))
    encoding = encode_surrogatelib(network, targeted(make_set([0.5], 0.25)), "counts")
    # z over the box [0, 1]: [1/2, 3/2], [-3/2, -1/2], [-1, 1]
    assert (encoding.stable_active, encoding.stable_inactive, encoding.unstable) == (1, 1, 1)


def test_the_same_problem_is_the_same_bytes(digits_size):
    network, prop = digits_size
    first, second = (mps_text(encode_surrogatelib(network, prop, "same").model) for _ in range(2))
    assert first == second


# -- the same problem as `tight` ---------------------------------------------------------------------------------------


def test_both_formulations_of_a_digits_problem_have_the_same_optimum(digits_size, tmp_path):
    network, prop = digits_size
    tight = encode_tight(network, prop, bound_layers(network, prop.input_set, BoundLevel.BACKWARD), "tight")
    original = encode_surrogatelib(network, prop, "surrogatelib")
    assert tight.unstable < original.unstable
    values = [optimum("highs", encoding.model, tmp_path) for encoding in (tight, original)]
    assert values[0] == pytest.approx(values[1], abs=1e-5)
    clean = network.forward(prop.input_set.centre)
    assert values[0] > clean[9] - clean[4]


@given(
    seed=st.integers(0, 2**32 - 1),
    scales=st.sampled_from([(0, 0), (-7, 4), (-7, -7)]),
    radius=st.floats(1e-6, 4),
    centre=st.lists(st.floats(2e-9, 1) | st.just(0.0), min_size=3, max_size=3),
)
@settings(max_examples=40, deadline=None)
def test_lifted_points_of_any_network_satisfy_the_file_with_exactly_its_value(seed, scales, radius, centre):
    network = random_network((3, 4, 3, 2), seed, scales=scales, density=0.8)
    prop = targeted(make_set(centre, radius))
    encoding = encode_surrogatelib(network, prop, "lifted")
    lifter = Lifter(encoding.model, prop.input_set)
    assert encoding.constant_rounding == 0
    for x in members(prop.input_set, 10, seed):
        lifted = lifter.lift(x)
        outputs = ExactNetwork(network).outputs(x)
        assert lifted.violated == ()
        assert lifted.objective == outputs[0] - outputs[1]


@pytest.mark.parametrize("bias", [1e-6, -1e-6, 1e-6 + 5e-10, -1e-6 - 5e-10, 0.0, 17.3, -17.3, 3e9])
def test_a_neuron_whose_bound_is_nearly_zero_keeps_a_sound_file(bias):
    """PySCIPOpt-ML widens its bounds by 1e-6, so these big-M are in the range that SCIP takes for zero."""
    network = make_network(([[0, 0], [1, -1]], [bias, 0]), ([[1, 1], [2, -1]], [0, 0]))
    prop = targeted(make_set([0.5, 0.25], 0.5))
    encoding = encode_surrogatelib(network, prop, "edge")
    lifter = Lifter(encoding.model, prop.input_set)
    assert np.abs(encoding.model.data).min() >= MIN_COEFFICIENT
    for x in members(prop.input_set, 20):
        lifted = lifter.lift(x)
        outputs = ExactNetwork(network).outputs(x)
        assert lifted.violated == ()
        assert lifted.objective == outputs[0] - outputs[1]


def test_boxes_wider_than_pixels_are_not_cut():
    network = make_network(([[1], [-1]], [0, 0]), ([[0, 0], [1, 1]], [0, 0]))
    prop = targeted(make_set([0.5], 3.0, -2.0, 3.0))
    lifter = Lifter(encode_surrogatelib(network, prop, "wide").model, prop.input_set)
    lifted = lifter.lift(np.array([3.0]))
    assert lifted.violated == () and lifted.objective == Fraction(-3)
