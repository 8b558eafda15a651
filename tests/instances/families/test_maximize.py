from fractions import Fraction

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.brute_force import brute_force
from support.encodings import rows_of, surrogatelib, tight
from support.exact import extreme_points, forward
from support.networks import make_network, random_network
from support.properties import highest, make_box, make_set, members, targeted
from support.solving import optimum
from vnnbench.instances.bounds.levels import BoundLevel, bound_layers
from vnnbench.instances.errors import NetworkError, PropertyError
from vnnbench.instances.families import problem_of, read_problem
from vnnbench.instances.families.maximize import MaximizeProblem, unit_box_property
from vnnbench.instances.formulations.input_columns import parse_input_column
from vnnbench.instances.formulations.lifting import Lifter
from vnnbench.instances.formulations.milp import MIN_COEFFICIENT
from vnnbench.instances.formulations.mps import compress, mps_text, read_mps
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.pruning import prune
from vnnbench.instances.onnx_files.runtime import OnnxRuntime
from vnnbench.instances.onnx_files.writer import onnx_bytes
from vnnbench.instances.properties.input_set import InputSet, Norm, box_set
from vnnbench.instances.properties.property import MaximizeProperty
from vnnbench.instances.properties.property_file import property_json, read_property
from vnnbench.solvers.registry import installed_solvers

seeds = st.integers(0, 2**32 - 1)


ENCODERS = {"tight": tight, "surrogatelib": surrogatelib}


# -- property --------------------------------------------------------------------------------------------------------


@given(
    ends=st.lists(st.tuples(st.floats(-1e300, 1e300), st.floats(5e-324, 1e300)), min_size=1, max_size=6),
    output=st.integers(0, 9),
    dataset=st.none() | st.just("digits"),
    sample=st.none() | st.integers(0, 10**6),
)
@settings(deadline=None)
def test_property_is_read_back_bit_for_bit(tmp_path_factory, ends, output, dataset, sample):
    lower = np.array([a for a, _ in ends])
    s = box_set(lower, np.nextafter(lower + [b for _, b in ends], np.inf))
    path = tmp_path_factory.mktemp("property") / "p.json"
    path.write_bytes(property_json(MaximizeProperty(s, output, dataset, sample)))
    back = read_property(path)
    assert isinstance(back, MaximizeProperty)
    for name in ("centre", "lower", "upper"):
        assert getattr(back.input_set, name).tobytes() == getattr(s, name).tobytes()
    assert (back.input_set.radius, back.input_set.norm) == (None, Norm.BOX)
    assert (back.output, back.dataset, back.sample) == (output, dataset, sample)
    assert property_json(back) == path.read_bytes()


GOOD = {
    "family": "maximize",
    "norm": "box",
    "centre": [0.5, 0.5],
    "radius": None,
    "lower": [0.0, 0.0],
    "upper": [1.0, 1.0],
    "output": 0,
    "dataset": None,
    "sample": None,
}


def test_the_file_of_the_unit_box_is_what_the_design_says():
    assert orjson.loads(property_json(unit_box_property(2))) == GOOD


def bad_documents():
    yield from ({k: v for k, v in GOOD.items() if k != key} for key in GOOD)
    for key, values in {
        "family": ["verify", "train"],  # a verify property has other keys
        "norm": ["l1", "linf", None],  # an L1 ball needs a radius
        "radius": [1.0, 0, "1.0", True],
        "centre": [[2.0, 0.5], None],
        "output": [-1, None, "0", 0.0, True, [0]],
        "dataset": [3],
        "sample": ["17", 1.5],
    }.items():
        yield from (GOOD | {key: value} for value in values)


@pytest.mark.parametrize("document", list(bad_documents()), ids=lambda d: repr(d)[-60:])
def test_a_bad_file_is_one_line_that_names_it(document, tmp_path):
    path = tmp_path / "bad.json"
    path.write_bytes(orjson.dumps(document))
    with pytest.raises(PropertyError, match=r"bad\.json") as caught:
        read_property(path)
    assert "\n" not in str(caught.value)


# -- problem ---------------------------------------------------------------------------------------------------------


def test_the_problem_is_read_from_its_property_file(tmp_path):
    path = tmp_path / "p.json"
    path.write_bytes(property_json(unit_box_property(3)))
    problem = read_problem(path)
    assert isinstance(problem, MaximizeProblem)
    assert (problem.family, problem.threshold, problem.centre.tolist()) == ("maximize", None, [0.5] * 3)
    assert problem.facts() == {
        "family": "maximize", "dataset": None, "norm": "box", "radius": None, "sample": None, "source": None,
        "target": None, "strict": 1, "threshold": None,
    }  # fmt: skip


def test_every_value_is_confirmed_and_never_an_answer():
    problem = MaximizeProblem(unit_box_property(1))
    for value in (Fraction(-5), Fraction(0), Fraction(7)):
        assert problem.confirms(value) and not problem.answers(value)
    assert not problem.excludes(-1e9, 0.0)


def test_columns_x_are_the_input_and_absent_ones_stay_in_the_middle():
    problem = MaximizeProblem(unit_box_property(3))
    assert problem.decoder(["h_1_0", "x_2", "x_0"])(np.array([9, 0.25, 1.0])).tolist() == [1.0, 0.5, 0.25]


def test_value_is_the_named_output_exactly():
    third = float(np.float32(1 / 3))
    network = make_network(([[1, 0], [third, 1]], [0, 0.25]))
    problem = MaximizeProblem(MaximizeProperty(box_set(np.zeros(2), np.ones(2)), 1, None, None))
    x = np.array([0.1, 1.0])
    value = Fraction(third) * Fraction(0.1) + 1 + Fraction(1, 4)
    assert problem.evaluate(ExactNetwork(network), x) == value
    deployed = problem.evaluate_deployed(OnnxRuntime(onnx_bytes(network)), x)
    assert deployed.beats_all is None
    assert deployed.value == pytest.approx(float(value), abs=1e-7)


# -- bounds ----------------------------------------------------------------------------------------------------------


def corners_and_gradients(network, input_set, seed):
    random = np.random.default_rng(seed)
    corners = np.where(random.random((8, input_set.n_inputs)) < 0.5, input_set.lower, input_set.upper)
    return extreme_points(network, input_set, seed) + [[Fraction(v) for v in x] for x in corners.tolist()]


@given(
    seed=seeds,
    widths=st.sampled_from([(1, 3, 1), (3, 4, 3, 1), (4, 3, 3, 2, 1), (12, 4, 1)]),
    scales=st.sampled_from([(0, 0), (-7, 4), (-2, 1)]),
    density=st.sampled_from([0.3, 1.0]),
    ends=st.lists(st.tuples(st.floats(-3, 3), st.floats(0, 2) | st.floats(0, 1e-300)), min_size=12, max_size=12),
)
@settings(max_examples=120, deadline=None)
def test_bounds_over_a_box_hold_exactly_at_extreme_points(seed, widths, scales, density, ends):
    network = random_network(widths, seed, scales=scales, density=density)
    lower = np.array([a for a, _ in ends[: widths[0]]])
    upper = lower + [b for _, b in ends[: widths[0]]]
    upper[0] = lower[0] + 0.5
    input_set = box_set(lower, upper)
    layers = bound_layers(network, input_set, BoundLevel.BACKWARD)
    for x in corners_and_gradients(network, input_set, seed):
        for pre_activations, layer in zip(forward(network, x), layers, strict=True):
            for z, low, high in zip(pre_activations, layer.lower.tolist(), layer.upper.tolist(), strict=True):
                assert low <= z <= high


def test_first_layer_over_a_box_by_hand():
    # x in [0, 1] x [-1, 2]: 3 x_0 - x_1 + 1/2 lies in [-2 + 1/2, 3 + 1 + 1/2]
    (layer,) = bound_layers(make_network(([[3, -1]], [0.5])), make_box([0, -1], [1, 2]), BoundLevel.BACKWARD)
    assert (layer.lower[0], layer.upper[0]) == pytest.approx((-1.5, 4.5), abs=1e-12)


def test_a_box_is_bounded_as_an_l1_ball_beyond_it():
    network = random_network((6, 5, 4, 1), 3)
    box = bound_layers(network, make_box(np.zeros(6), np.ones(6)), BoundLevel.BACKWARD)
    ball = bound_layers(network, make_set(np.full(6, 0.5), 100.0), BoundLevel.BACKWARD)
    for a, b in zip(box, ball, strict=True):
        assert a.lower == pytest.approx(b.lower, rel=1e-12) and a.upper == pytest.approx(b.upper, rel=1e-12)


# -- formulations ----------------------------------------------------------------------------------------------------


def test_file_by_hand():
    # z = 2 x_0 - x_1 - 1/2 over [0, 1] x [-1, 1/2] lies in [-1, 5/2]; value = 3 relu(z) - 1.
    network = make_network(([[2, -1]], [-0.5]), ([[3]], [-1]))
    model = tight(network, highest(make_box([0, -1], [1, 0.5]))).model
    assert model.column_names == ("x_0", "x_1", "h_1_0", "d_1_0", "z_1_0")
    assert (model.row_names, model.senses) == (("on_1_0", "ge_1_0", "off_1_0", "z_1_0"), "LGLE")
    assert model.lower.tolist() == pytest.approx([0, -1, 0, 0, -1], abs=1e-12)
    assert model.upper.tolist() == pytest.approx([1, 0.5, 2.5, 1, 2.5], abs=1e-12)
    assert (model.objective.tolist(), model.offset) == ([0, 0, -3, 0, 0], 1)
    rows = rows_of(model)
    assert rows["z_1_0"] == {"z_1_0": 1, "x_0": -2, "x_1": 1}
    assert rows["ge_1_0"] == {"h_1_0": 1, "z_1_0": -1}
    assert rows["off_1_0"] == pytest.approx({"h_1_0": 1, "z_1_0": -1, "d_1_0": 1}, abs=1e-12)
    assert rows["on_1_0"] == pytest.approx({"h_1_0": 1, "d_1_0": -2.5}, abs=1e-12)
    assert model.rhs.tolist() == pytest.approx([0, 0, 1, -0.5], abs=1e-12)
    assert model.comments[:3] == (
        "vnnbench instance, formulation tight; value = -objective = y_0",
        "input set: the bounds of x; columns x_i are the input; an absent pixel stays at its centre",
        "centre 0: 0.5 -0.25",
    )


def test_surrogatelib_has_no_rows_for_a_set_without_a_ball():
    prop = unit_box_property(3)
    model = surrogatelib(random_network((3, 4, 3, 1), 0), prop).model
    assert {name.split("_")[0] for name in model.column_names} == {"x", "y", "z", "h", "d"}
    assert {name.split("_")[0] for name in model.row_names} == {"z", "y", "lo", "off", "on"}
    assert {model.column_names[j]: model.objective[j] for j in np.flatnonzero(model.objective)} == {"y_0": -1}


def test_inputs_that_no_weight_reads_stay_in_the_surrogatelib_file(tmp_path):
    network = make_network(([[1, 0, 0], [-1, 0, 0]], [0, 0]), ([[1, 2]], [0]))
    prop = highest(make_box([-1, -1, 0], [1, 1, 0.5]))
    model = surrogatelib(network, prop).model
    assert rows_of(model)["box"] == {"x_1": 1, "x_2": 1}
    assert model.rhs[model.row_names.index("box")] == 1.5
    assert optimum("highs", model, tmp_path) == pytest.approx(2, abs=1e-6)
    assert Lifter(model, prop.input_set).lift(prop.input_set.upper).violated == ()


def test_pixels_without_room_have_no_column_and_fold():
    network = make_network(([[1, 2]], [-1]), ([[1]], [0]))
    model = tight(network, highest(make_box([0, 0.5], [2, 0.5]))).model
    assert model.column_names == ("x_0", "h_1_0", "d_1_0", "z_1_0")
    assert rows_of(model)["z_1_0"] == {"z_1_0": 1, "x_0": -1}
    assert model.rhs[model.row_names.index("z_1_0")] == 0  # 2 * 1/2 - 1


def test_a_value_that_no_input_moves_is_a_file_that_solvers_read(tmp_path):
    """A pruned network may be left without a path from input to output."""
    network = make_network(([[0, 0], [1, 1]], [0.5, 0]), ([[2, 0]], [0.25]))
    prop = highest(make_box([0, -2], [1, -1]))
    model = tight(network, prop).model
    assert (model.column_names, model.row_names) == (("x_0", "x_1"), ("box",))
    assert (model.offset, model.rhs.tolist()) == (-1.25, [0])
    for solver in installed_solvers():
        assert optimum(solver, model, tmp_path) == 1.25
    lifter = Lifter(model, prop.input_set)
    for x in ([0, -2], [1, -1], [0.5, -1.5]):
        lifted = lifter.lift(np.array(x, dtype=float))
        assert (lifted.violated, lifted.objective) == ((), Fraction(-5, 4))
    assert "x_1" in lifter.lift(np.array([0, -3.0])).violated


@pytest.mark.parametrize("value", [1e-12, -1e-12, 5e-324])
def test_bounds_too_small_for_a_file_are_widened(value):
    network = make_network(([[1, 1]], [-0.5]), ([[1]], [0]))
    ends = sorted([value, 1.0 if value > 0 else -1.0])
    prop = highest(make_box([ends[0], 0], [ends[1], 1]))
    model = tight(network, prop).model
    assert model.lower[0] <= ends[0] and model.upper[0] >= ends[1]
    assert all(b == 0 or abs(b) >= MIN_COEFFICIENT for b in (model.lower[0], model.upper[0]))
    for x in (prop.input_set.lower, prop.input_set.upper):
        assert Lifter(model, prop.input_set).lift(x).violated == ()


@given(
    seed=seeds,
    widths=st.sampled_from([(3, 4, 1), (5, 4, 4, 3, 1)]),
    scales=st.sampled_from([(0, 0), (-2, 1), (-5, 3)]),
    density=st.sampled_from([0.3, 1.0]),
    ends=st.lists(st.tuples(st.floats(-2, 2), st.floats(0, 3) | st.just(0.0)), min_size=5, max_size=5),
)
@settings(max_examples=120, deadline=None)
def test_lifted_points_satisfy_the_tight_file_and_points_outside_do_not(seed, widths, scales, density, ends):
    network = random_network(widths, seed, scales=scales, density=density)
    lower = np.array([a for a, _ in ends[: widths[0]]])
    upper = lower + [b for _, b in ends[: widths[0]]]
    upper[0] = lower[0] + 1
    prop = highest(box_set(lower, upper))
    problem, exact = problem_of(prop), ExactNetwork(network)
    encoding = tight(network, prop)
    lifter = Lifter(encoding.model, prop.input_set)
    corners = [lower, upper, np.where(np.arange(len(lower)) % 2, lower, upper)]
    for x in [*members(prop.input_set, 8, seed), *corners]:
        lifted = lifter.lift(x)
        assert lifted.violated == ()
        assert abs(problem.evaluate(exact, x) + lifted.objective) <= Fraction(encoding.constant_rounding)
    for column in filter(None, map(parse_input_column, encoding.model.column_names)):
        x, pixel = prop.input_set.centre.copy(), column.pixel
        x[pixel] = np.nextafter(upper[pixel], np.inf)
        if column.from_centre:  # the end of a step is rounded outwards
            x[pixel] += 2.0**-40 * (upper[pixel] - lower[pixel])
        end = (x[pixel] - (prop.input_set.centre[pixel] if column.from_centre else 0.0)) / column.unit
        if abs(end) > MIN_COEFFICIENT * (1 + 2.0**-30):  # the end itself must be one that a file can hold
            assert column.name in lifter.lift(x).violated


@pytest.mark.parametrize("kind", ENCODERS)
def test_an_instance_as_read_is_the_network(kind, tmp_path):
    network = random_network((6, 5, 4, 1), 2)
    prop = unit_box_property(6)
    encoding = ENCODERS[kind](network, prop)
    (tmp_path / "m.mps.gz").write_bytes(compress(mps_text(encoding.model)))
    lifter = Lifter(read_mps(tmp_path / "m.mps.gz"), prop.input_set)
    for x in members(prop.input_set, 60):
        lifted = lifter.lift(x)
        assert lifted.violated == ()
        assert lifted.objective == -ExactNetwork(network).outputs(x)[0]  # biases are float32: nothing is rounded
    for pixel in range(6):
        for side, beyond in ((0.0, -5e-324), (1.0, np.nextafter(1.0, 2))):
            x = prop.input_set.centre.copy()
            x[pixel] = side
            assert lifter.lift(x).violated == ()
            x[pixel] = beyond
            assert f"x_{pixel}" in lifter.lift(x).violated


CASES = {
    "one hidden layer": lambda draw: draw((3, 4, 1), 1),
    "two hidden layers": lambda draw: draw((4, 3, 3, 1), 3),
    "three hidden layers": lambda draw: draw((2, 2, 2, 2, 1), 2),
    "pruned weights": lambda draw: prune(draw((4, 4, 3, 1), 5), structure="unstructured", rate=0.6),
    "pruned neurons": lambda draw: prune(draw((4, 3, 3, 1), 5), structure="structured", rate=0.34),
    "several outputs": lambda draw: draw((3, 4, 3), 6),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", ENCODERS)
def test_optimum_is_that_of_brute_force_over_activation_patterns(name, kind, tmp_path):
    network = CASES[name](random_network)
    n = network.n_inputs
    prop = highest(make_box(np.linspace(-1, 0, n), np.linspace(1, 0.5, n)), output=network.n_outputs - 1)
    best = brute_force(network, prop)
    model = ENCODERS[kind](network, prop).model
    for solver in installed_solvers():
        assert optimum(solver, model, tmp_path) == pytest.approx(best, abs=2e-5)


def test_a_box_asks_verify_questions_too(tmp_path):
    network = random_network((3, 4, 3), 4)
    prop = targeted(make_box([0.25] * 3, [0.75] * 3), source=2, target=0)
    for encode in ENCODERS.values():
        found = optimum("highs", encode(network, prop).model, tmp_path)
        assert found == pytest.approx(brute_force(network, prop), abs=2e-5)


def test_an_output_may_be_maximized_over_a_ball(tmp_path):
    network = random_network((3, 4, 1), 4)
    prop = highest(make_set([0.5, 0.25, 0.0], 0.75))
    for encode in ENCODERS.values():
        found = optimum("highs", encode(network, prop).model, tmp_path)
        assert found == pytest.approx(brute_force(network, prop), abs=2e-5)


def test_network_without_hidden_layer_is_refused_in_one_line():
    with pytest.raises(NetworkError, match="no hidden layer"):
        tight(make_network(([[1, 1]], [0])), unit_box_property(2))


def test_unit_box_needs_an_input():
    with pytest.raises(PropertyError):
        unit_box_property(0)
    assert isinstance(unit_box_property(1).input_set, InputSet)
