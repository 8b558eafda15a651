import dataclasses
import re
from fractions import Fraction
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from support.brute_force import brute_force
from support.encodings import rows_of, surrogatelib, tight
from support.networks import make_network, random_network
from support.properties import exact_value, highest, make_box, make_set, members, targeted
from support.solving import optimum
from vnnbench.instances.bounds.levels import BoundLevel, LayerBounds, bound_layers
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.formulations import tight as formulation_module
from vnnbench.instances.formulations.lifting import Lifter
from vnnbench.instances.formulations.milp import MIN_BIG_M, MIN_COEFFICIENT
from vnnbench.instances.formulations.relu_rows import ReluForm
from vnnbench.instances.formulations.tight import encode_tight
from vnnbench.instances.networks.network import Network
from vnnbench.instances.networks.pruning import prune
from vnnbench.solvers.registry import installed_solvers

HALF = [0.5, 0.25, 0.75, 0.5]


ENCODERS = {"tight": tight, "surrogatelib": surrogatelib}


def neurons(network, k, replaced):
    """Return the network with neurons of matrix k replaced: j -> (weights or one number for all of them, bias)."""
    matrices, biases = [np.array(W) for W in network.weights], [np.array(b) for b in network.biases]
    for j, (weights, bias) in replaced.items():
        matrices[k][j], biases[k][j] = weights, bias
    return dataclasses.replace(network, weights=tuple(matrices), biases=tuple(biases))


def without_columns(network, k, columns):
    """Return the network with all weights on these inputs of matrix k zero."""
    matrices = [np.array(W) for W in network.weights]
    matrices[k][:, columns] = 0
    return dataclasses.replace(network, weights=tuple(matrices))


PLAIN, TWO, DEEP = random_network((3, 3, 2), 1), random_network((4, 3, 3, 2), 3), random_network((2, 2, 2, 2, 2), 2)
POSITIVE = make_network((np.ones((2, 2)), [1, 2]), ([[1, 0], [0.5, 2]], [0.5, 0]), ([[1, -2], [-1, 1]], [0, 0.25]))

# The special cases that a formulation can get wrong.
CASES = {
    "one hidden layer": lambda: (PLAIN, make_set(HALF[:3], 0.8)),
    "two hidden layers": lambda: (TWO, make_set(HALF, 0.9)),
    "three hidden layers": lambda: (DEEP, make_set(HALF[:2], 0.7)),
    "stable neurons": lambda: (neurons(TWO, 0, {0: (0.1, 2.0), 1: (-0.1, -2.0)}), make_set(HALF, 0.5)),
    "all stable": lambda: (POSITIVE, make_set(HALF[:2], 0.6)),
    "constant neuron with positive bias": lambda: (neurons(TWO, 1, {0: (0, 0.7)}), make_set(HALF, 0.9)),
    "constant neuron in the first layer": lambda: (neurons(TWO, 0, {2: (0, 0.7)}), make_set(HALF, 0.9)),
    "dead neuron": lambda: (neurons(TWO, 0, {1: (0, 0)}), make_set(HALF, 0.9)),
    "dead first layer": lambda: (neurons(TWO, 0, {0: (0, 1), 1: (0, 0), 2: (0, -1)}), make_set(HALF, 0.9)),
    "dead last layer": lambda: (neurons(TWO, 1, {0: (0, 1), 1: (0, 0), 2: (0, -1)}), make_set(HALF, 0.9)),
    "pruned weights": lambda: (prune(TWO, structure="unstructured", rate=0.6), make_set(HALF, 0.9)),
    "pruned neurons": lambda: (prune(TWO, structure="structured", rate=0.34), make_set(HALF, 0.9)),
    "neurons that reach no output": lambda: (
        without_columns(without_columns(TWO, 1, [0]), 2, [1]),
        make_set(HALF, 0.9),
    ),
    "pixels at both ends": lambda: (TWO, make_set([0.0, 1.0, 0.5, 1.0], 0.9)),
    "pixels at the ends alone": lambda: (TWO, make_set([0.0, 1.0, 0.0, 1.0], 1.3)),
    "radius beyond the box": lambda: (PLAIN, make_set(HALF[:3], 50.0)),
    "tiny radius": lambda: (TWO, make_set(HALF, 1e-3)),
    "box wider than pixels": lambda: (PLAIN, make_set([-0.5, 0.25, 2.0], 3.0, -1.0, 2.0)),
    "target and source nearly equal": lambda: (
        neurons(PLAIN, 1, {1: (np.array(PLAIN.weights[1][0]) + np.float32([0, 3e-6, 0]), 0.1)}),
        make_set(HALF[:3], 0.8),
    ),
    "value constant": lambda: (neurons(PLAIN, 1, {1: (PLAIN.weights[1][0], 0.125)}), make_set(HALF[:3], 0.8)),
    "a pixel that nothing reads": lambda: (without_columns(PLAIN, 0, [1]), make_set(HALF[:3], 0.8)),
}


@cache
def case(name):
    """Return network, property, the optimum by brute force, and the encodings of a case; each is made once."""
    network, input_set = CASES[name]()
    prop = targeted(input_set)
    encodings = {kind: encode(network, prop) for kind, encode in ENCODERS.items()}
    return SimpleNamespace(
        network=network, prop=prop, optimum=brute_force(network, prop), **encodings, encodings=encodings
    )


# -- the optimum ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_optimum_is_that_of_brute_force_over_activation_patterns(name, tmp_path):
    assert installed_solvers()
    instance = case(name)
    for kind, encoding in instance.encodings.items():
        for solver in installed_solvers():
            found = optimum(solver, encoding.model, tmp_path)
            assert found == pytest.approx(instance.optimum, abs=2e-5), (kind, solver)


@given(seed=st.integers(0, 2**32 - 1), widths=st.sampled_from([(2, 3, 2), (3, 2, 2, 3)]), radius=st.floats(0.01, 3))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_both_formulations_have_the_optimum_of_random_networks(seed, widths, radius, tmp_path_factory):
    network = random_network(widths, seed, density=0.8)
    centre = np.random.default_rng(seed).integers(0, 17, size=widths[0]) / 16
    prop = targeted(make_set(centre, radius), source=1, target=0)
    for encode in ENCODERS.values():
        found = optimum("highs", encode(network, prop).model, tmp_path_factory.mktemp("random"))
        assert found == pytest.approx(brute_force(network, prop), abs=2e-5)


# -- exactness -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", ENCODERS)
def test_constant_rounding_covers_the_file_exactly(name, kind):
    instance = case(name)
    encoding = instance.encodings[kind]
    lifter = Lifter(encoding.model, instance.prop.input_set)
    for x in members(instance.prop.input_set, 60):
        lifted = lifter.lift(x)
        assert lifted.violated == ()
        difference = exact_value(instance.network, instance.prop, x) + lifted.objective
        assert abs(difference) <= Fraction(encoding.constant_rounding)


@given(
    seed=st.integers(0, 2**32 - 1),
    widths=st.sampled_from([(3, 4, 2), (5, 4, 4, 3, 2)]),
    scales=st.sampled_from([(0, 0), (-2, 1), (-5, 3)]),
    density=st.sampled_from([0.5, 1.0]),
    radius=st.floats(1e-6, 4),
    centre=st.lists(st.floats(0, 1), min_size=5, max_size=5),
)
@example(seed=28748219, widths=(3, 4, 2), scales=(0, 0), density=0.5, radius=1.0, centre=[0, 3e-305, 3e-305, 0, 0])
@example(seed=28748219, widths=(3, 4, 2), scales=(0, 0), density=0.5, radius=1.0, centre=[0, 3e-320, 5e-324, 0, 0])
@settings(max_examples=150, deadline=None)
def test_lifted_points_of_any_network_and_centre_satisfy_the_tight_file(seed, widths, scales, density, radius, centre):
    network = random_network(widths, seed, scales=scales, density=density)
    prop = targeted(make_set(centre[: widths[0]], radius))
    encoding = tight(network, prop)
    lifter = Lifter(encoding.model, prop.input_set)
    for x in members(prop.input_set, 12, seed):
        lifted = lifter.lift(x)
        assert lifted.violated == ()
        assert abs(exact_value(network, prop, x) + lifted.objective) <= Fraction(encoding.constant_rounding)


def test_constant_rounding_is_needed_and_small():
    """The centre is 1/3 everywhere: folding it rounds, so the file and the network differ within constant_rounding."""
    network = random_network((6, 4, 4, 2), 8)
    prop = targeted(make_set(np.full(6, 1 / 3), 0.5))
    encoding = tight(network, prop)
    lifter = Lifter(encoding.model, prop.input_set)
    worst = max(abs(exact_value(network, prop, x) + lifter.lift(x).objective) for x in members(prop.input_set, 30))
    assert 0 < worst <= Fraction(encoding.constant_rounding) < Fraction(1, 10**13)


# -- structure -----------------------------------------------------------------------------------------------------


def names(encoding, prefix):
    return [name for name in encoding.model.column_names if name.startswith(prefix)]


def test_partition_form_by_hand():
    # z = 2 x_0 - x_1 - 1/2 at centre (1/2, 1/4): c = 1/4; z in [-1, 5/4]; value = 3 relu(z) - 1 - relu(z) = 2 h - 1.
    network = make_network(([[2, -1]], [-0.5]), ([[1], [3]], [0, -1]))
    model = tight(network, targeted(make_set([0.5, 0.25], 0.5))).model
    assert model.column_names == (
        "p_0", "p_1", "m_0", "m_1", "h_1_0", "d_1_0", "z_1_0_0", "w_1_0_0", "z_1_0_1", "w_1_0_1",
    )  # fmt: skip
    assert model.objective.tolist() == [0, 0, 0, 0, -2, 0, 0, 0, 0, 0]
    assert model.offset == 1
    # What lowers z, -2 m_0 - p_1, is in [-1, 0] within the radius; what raises it, 2 p_0 + m_1, in [0, 1].
    assert model.lower.tolist() == pytest.approx([0, 0, 0, 0, 0, 0, -1, -1, 0, 0], abs=1e-8)
    assert model.upper.tolist() == pytest.approx([0.5, 0.5, 0.5, 0.25, 1.25, 1, 0, 0, 1, 1], abs=1e-8)
    assert model.integer.tolist() == [name == "d_1_0" for name in model.column_names]
    rows, sides = (
        rows_of(model),
        dict(zip(model.row_names, zip(model.senses, model.rhs.tolist(), strict=True), strict=True)),
    )
    assert rows["ball"] == {"p_0": 1, "p_1": 1, "m_0": 1, "m_1": 1}
    assert rows["on_1_0"] == pytest.approx({"h_1_0": 1, "d_1_0": -1.25}, abs=1e-12)
    assert (rows["z_1_0_0"], sides["z_1_0_0"]) == ({"z_1_0_0": 1, "m_0": 2, "p_1": 1}, ("E", 0))
    assert (rows["z_1_0_1"], sides["z_1_0_1"]) == ({"z_1_0_1": 1, "p_0": -2, "m_1": -1}, ("E", 0))
    assert (rows["z_1_0"], sides["z_1_0"]) == ({"h_1_0": 1, "z_1_0_0": -1, "z_1_0_1": -1}, ("G", 0.25))
    assert rows["sum_1_0"] == {"h_1_0": 1, "w_1_0_0": -1, "w_1_0_1": -1, "d_1_0": -0.25}
    assert rows["wl_1_0_0"] == pytest.approx({"w_1_0_0": 1, "d_1_0": 1}, abs=1e-8)
    assert rows["ru_1_0_1"] == pytest.approx({"z_1_0_1": 1, "w_1_0_1": -1, "d_1_0": 1}, abs=1e-8)
    assert sides["ru_1_0_1"] == ("L", pytest.approx(1, abs=1e-8))


def test_substituted_form_by_hand(monkeypatch):
    # z = 2 x_0 - x_1 - 1/2 in [-3/2, 3/2] over the unit box; value = 3 relu(z) + 1.
    network = make_network(([[2, -1]], [-0.5]), ([[3]], [1]))
    monkeypatch.setattr(formulation_module, "FREE_LICENCE_SIZE", 4)
    model = tight(network, highest(make_box([0, 0], [1, 1]))).model
    assert model.column_names == ("x_0", "x_1", "h_1_0", "d_1_0")
    rows = rows_of(model)
    assert rows["z_1_0"] == {"h_1_0": 1, "x_0": -2, "x_1": 1}
    assert rows["off_1_0"] == pytest.approx({"h_1_0": 1, "x_0": -2, "x_1": 1, "d_1_0": 1.5}, abs=1e-12)
    assert rows["on_1_0"] == pytest.approx({"h_1_0": 1, "d_1_0": -1.5}, abs=1e-12)
    assert (model.row_names, model.senses) == (("on_1_0", "z_1_0", "off_1_0"), "LGL")
    assert model.rhs.tolist() == pytest.approx([0, -0.5, 1.0], abs=1e-12)


@pytest.mark.parametrize("form", ReluForm)
@pytest.mark.parametrize("seed", range(4))
def test_every_form_has_the_same_optimum_and_lifts_exactly(form, seed, tmp_path):
    network, prop = random_network((4, 4, 3, 2), seed), targeted(make_set([0.25, 0.5, 0.75, 0.5], 0.6))
    bounds = bound_layers(network, prop.input_set, BoundLevel.BACKWARD_OPT)
    encoding = formulation_module._encode(formulation_module._Question(network, prop, bounds), "form", form)
    assert optimum("highs", encoding.model, tmp_path) == pytest.approx(brute_force(network, prop), abs=1e-6)
    lifter = Lifter(encoding.model, prop.input_set)
    for x in members(prop.input_set, 20, seed):
        lifted = lifter.lift(x)
        assert lifted.violated == ()
        assert abs(lifted.objective + exact_value(network, prop, x)) <= Fraction(encoding.constant_rounding)


def test_a_model_beyond_the_free_licence_is_written_in_the_first_form_that_fits(monkeypatch):
    network, prop = random_network((6, 6, 5, 2), 1), targeted(make_set([0.5] * 6, 1.0))
    bounds = bound_layers(network, prop.input_set, BoundLevel.BACKWARD)
    models = [
        formulation_module._encode(formulation_module._Question(network, prop, bounds), "x", form).model
        for form in ReluForm
    ]
    sizes = [max(model.n_rows, model.n_columns) for model in models]
    assert sizes[0] > sizes[1] > sizes[2]
    for limit, wanted in ((sizes[0], 0), (sizes[0] - 1, 1), (sizes[1] - 1, 2), (sizes[2] - 1, 0)):
        monkeypatch.setattr(formulation_module, "FREE_LICENCE_SIZE", limit)
        assert tight(network, prop).model.column_names == models[wanted].column_names


def test_forms_whose_relus_alone_are_beyond_the_free_licence_are_not_tried(monkeypatch):
    network, prop = random_network((6, 6, 5, 2), 1), highest(make_box([0] * 6, [1] * 6))
    tried, encode = [], formulation_module._encode
    monkeypatch.setattr(formulation_module, "_encode", lambda *given: tried.append(given) or encode(*given))
    encoding = tight(network, prop)
    relus = int(encoding.model.integer.sum())
    for limit, n_tried in ((3 * relus - 1, 1), (3 * relus, 3)):
        tried.clear()
        monkeypatch.setattr(formulation_module, "FREE_LICENCE_SIZE", limit)
        assert tight(network, prop).model.row_names == encoding.model.row_names
        assert len(tried) == n_tried


def test_all_stable_network_is_a_linear_program():
    encoding = case("all stable").tight
    assert not encoding.model.integer.any()
    assert (encoding.stable_active, encoding.stable_inactive, encoding.unstable) == (4, 0, 0)


def test_stable_neurons_have_no_binary_and_inactive_ones_no_column():
    encoding = case("stable neurons").tight
    assert "h_1_0" in encoding.model.column_names
    assert not {"d_1_0", "z_1_0", "h_1_1", "d_1_1"} & set(encoding.model.column_names)
    assert encoding.stable_active >= 1 and encoding.stable_inactive >= 1


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("constant neuron with positive bias", ["h_2_0", "d_2_0"]),
        ("constant neuron in the first layer", ["h_1_2", "d_1_2"]),
        ("dead neuron", ["h_1_1", "d_1_1"]),
        ("neurons that reach no output", ["h_1_0", "h_2_1"]),
        ("dead last layer", ["h_1_0", "h_2_0", "h_2_1", "h_2_2"]),
        ("pixels at both ends", ["m_0", "p_1", "p_3"]),
        ("a pixel that nothing reads", ["p_1", "m_1"]),
    ],
)
def test_what_cannot_matter_has_no_column(name, absent):
    assert not set(absent) & set(case(name).tight.model.column_names)


def test_a_dead_neuron_is_not_counted_as_unstable():
    alive, dead = case("two hidden layers").tight, case("dead neuron").tight
    hidden = 6
    for encoding in (alive, dead):
        assert encoding.stable_active + encoding.stable_inactive + encoding.unstable == hidden
    assert case("dead first layer").tight.unstable == 0


def test_a_constant_value_keeps_the_pixels_and_no_neuron():
    model = case("value constant").tight.model
    assert len(model.column_names) == 6 and names(case("value constant").tight, "h_") == []
    assert case("value constant").optimum == pytest.approx(-model.offset)


def test_big_m_is_never_so_small_that_a_reader_drops_it():
    network = neurons(random_network((2, 2, 2), 0), 0, {0: (1e-7, -5e-8), 1: (-1e-7, 5e-8)})
    encoding = tight(network, targeted(make_set([0.5, 0.5], 1.0)))
    # Weights of 1e-7, biases of 5e-8 and box bounds of 1e-8; the first two stay, no big-M shrinks below its least.
    assert np.abs(encoding.model.data).min() >= MIN_COEFFICIENT
    big_m = [v for v in np.abs(encoding.model.data) if v < 1 and v not in (np.float32(1e-7), np.float32(5e-8))]
    assert big_m and min(big_m) >= MIN_BIG_M


def test_objective_coefficient_below_what_readers_keep_is_dropped_within_constant_rounding():
    tiny = float(np.float32(2e-10))
    network = make_network(([[1, 0], [0, 1]], [-0.5, -0.5]), ([[0, 1], [tiny, 2]], [0, 0]))
    prop = targeted(make_set([0.5, 0.5], 1.0))
    encoding = tight(network, prop)
    assert all(c == 0 or abs(c) >= MIN_COEFFICIENT for c in encoding.model.objective)
    lifter = Lifter(encoding.model, prop.input_set)
    differences = [abs(exact_value(network, prop, x) + lifter.lift(x).objective) for x in members(prop.input_set, 40)]
    assert 0 < max(differences) <= Fraction(encoding.constant_rounding) < Fraction(2, 10**10)


def test_neurons_that_read_only_pixels_without_room_are_constant():
    # Pixel 0 stays at 1/2, so h_0 = 1/2 whatever the input; only h_1 has a column.
    network = make_network(([[1, 0], [0, 1]], [0, -0.5]), ([[1, 0], [0, 1]], [0, 0]))
    box = make_set([0.5, 0.5], 0.25)
    box = dataclasses.replace(box, lower=np.array([0.5, 0.0]), upper=np.array([0.5, 1.0]))
    encoding = tight(network, targeted(box))
    assert encoding.model.column_names == ("p_1", "m_1", "h_1_1", "d_1_1", "z_1_1")
    assert encoding.model.offset == 0.5
    frozen = make_network(([[1, 0], [2, 0]], [0, -0.5]), ([[1, 0], [0, 1]], [0, 0]))
    assert tight(frozen, targeted(box)).model.column_names == ("p_1", "m_1")


def test_rounding_of_the_least_numbers_is_not_lost():
    # z = x_0 at centre 2**-1074 folds to 0; a quarter of that is below float64, but not zero.
    network = make_network(([[1, 1]], [0]), ([[0], [0.25]], [0, 0]))
    prop = targeted(make_set([5e-324, 0.0], 0.5))
    encoding = tight(network, prop)
    lifted = Lifter(encoding.model, prop.input_set).lift(prop.input_set.centre)
    difference = abs(exact_value(network, prop, prop.input_set.centre) + lifted.objective)
    assert 0 < difference <= Fraction(encoding.constant_rounding)


def test_leading_comment_decodes_to_the_centre():
    centre = np.random.default_rng(4).random(11)
    encoding = tight(random_network((11, 2, 2), 0), targeted(make_set(centre, np.float64(0.7))))
    text = " ".join(re.sub(r"^centre \d+: ", "", line) for line in encoding.model.comments if "centre " in line[:7])
    assert [float(word) for word in text.split()] == centre.tolist()
    assert "|x - centre|_1 <= 0.7 within" in encoding.model.comments[1]
    assert max(len(line) for line in encoding.model.comments) < 200


def test_loose_but_sound_bounds_give_the_same_optimum(tmp_path):
    network = random_network((3, 3, 2), 1)
    prop = targeted(make_set(HALF[:3], 0.8))
    loose = [
        LayerBounds(b.lower - 1.0, b.upper + 1.0) for b in bound_layers(network, prop.input_set, BoundLevel.BACKWARD)
    ]
    encoding = encode_tight(network, prop, loose, "loose")
    assert encoding.unstable == 3
    assert optimum("highs", encoding.model, tmp_path) == pytest.approx(brute_force(network, prop), abs=2e-5)


def test_layers_without_neurons_make_the_value_constant():
    network = make_network((np.zeros((0, 2)), np.zeros(0)), (np.zeros((2, 0)), [1.5, -2.0]))
    model = tight(network, targeted(make_set([0.5, 0.5], 1.0))).model
    assert (model.offset, model.row_names) == (3.5, ("ball",))


def test_network_without_hidden_layer_is_refused_in_one_line():
    network = make_network((np.eye(2), [0, 0]))
    with pytest.raises(NetworkError, match="no hidden layer"):
        tight(network, targeted(make_set([0.5, 0.5], 1.0)))


def test_encoding_leaves_its_input_as_it_was():
    network: Network = random_network((4, 3, 3, 2), 3)
    prop = targeted(make_set(HALF, 0.9))
    bounds = bound_layers(network, prop.input_set, BoundLevel.BACKWARD)
    before = [(b.lower.copy(), b.upper.copy()) for b in bounds]
    encode_tight(network, prop, bounds, "once")
    for (lower, upper), b in zip(before, bounds, strict=True):
        assert lower.tobytes() == b.lower.tobytes() and upper.tobytes() == b.upper.tobytes()
