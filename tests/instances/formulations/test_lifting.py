import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from support.exact import fractions, knapsack
from support.networks import make_network, random_network
from support.properties import exact_value, make_box, make_set, members, targeted
from vnnbench.instances.bounds.levels import BoundLevel, bound_layers
from vnnbench.instances.errors import ModelError
from vnnbench.instances.formulations.lifting import Lifter
from vnnbench.instances.formulations.milp import MilpBuilder
from vnnbench.instances.formulations.mps import compress, mps_text, read_mps
from vnnbench.instances.formulations.surrogatelib import encode_surrogatelib
from vnnbench.instances.formulations.tight import encode_tight
from vnnbench.instances.properties.input_set import box_set

SEED = 2  # unstable neurons in both hidden layers
CENTRE = [0.5, 0.0, 1.0, 0.25, 0.75, 0.125]
UNIT = box_set(np.array([0.0]), np.array([1.0]))


@pytest.fixture(scope="module", params=["tight", "surrogatelib"])
def instance(request, tmp_path_factory):
    """A network, its property, and its model as read back from the file."""
    network = random_network((6, 5, 4, 3), SEED)
    prop = targeted(make_set(CENTRE, 1.25))
    if request.param == "tight":
        encoding = encode_tight(network, prop, bound_layers(network, prop.input_set, BoundLevel.BACKWARD), "lifted")
    else:
        encoding = encode_surrogatelib(network, prop, "lifted")
    path = tmp_path_factory.mktemp("lifting") / "lifted.mps.gz"
    path.write_bytes(compress(mps_text(encoding.model)))
    return network, prop, read_mps(path), Fraction(encoding.constant_rounding)


def changed(model, **arrays):
    """Return the model with one entry of each named array replaced: name=(position, value)."""
    copies = {name: getattr(model, name).copy() for name in arrays}
    for name, (position, value) in arrays.items():
        copies[name][position] = value
    return dataclasses.replace(model, **copies)


def entry(model, row, column):
    """Return the position in `data` of a row's coefficient, by names."""
    r, j = model.row_names.index(row), model.column_names.index(column)
    return next(e for e in range(model.indptr[r], model.indptr[r + 1]) if model.indices[e] == j)


def test_points_of_the_set_satisfy_every_row_and_have_the_networks_value(instance):
    network, prop, model, rounding = instance
    lifter = Lifter(model, prop.input_set)
    for x in members(prop.input_set, 150):
        lifted = lifter.lift(x)
        assert lifted.violated == ()
        assert abs(exact_value(network, prop, x) + lifted.objective) <= rounding


def test_clean_input_is_lifted_to_the_clean_value(instance):
    network, prop, model, rounding = instance
    x = prop.input_set.centre
    lifted = Lifter(model, prop.input_set).lift(x)
    assert lifted.violated == ()
    assert abs(exact_value(network, prop, x) + lifted.objective) <= rounding


@pytest.mark.parametrize("pixel", range(6))
@pytest.mark.parametrize("side", [0.0, 1.0])
def test_a_pixel_beyond_its_box_by_one_ulp_is_reported(instance, pixel, side):
    prop, model = instance[1], instance[2]
    x = prop.input_set.centre.copy()
    x[pixel] = side
    lifter = Lifter(model, prop.input_set)
    assert lifter.lift(x).violated == ()
    x[pixel] = np.nextafter(side, np.inf if side else -np.inf)
    violated = lifter.lift(x).violated
    assert set(violated) & {f"x_{pixel}", f"p_{pixel}", f"m_{pixel}", f"a_{pixel}"}


def test_a_point_beyond_the_ball_by_one_ulp_violates_the_ball(instance):
    prop, model = instance[1], instance[2]
    lifter = Lifter(model, prop.input_set)
    on_the_ball = np.add(prop.input_set.centre, [0.5, 0.25, 0.0, 0.5, 0.0, 0.0])
    assert lifter.lift(on_the_ball).violated == ()
    on_the_ball[3] = np.nextafter(0.75, 1)
    assert lifter.lift(on_the_ball).violated == ("ball",)


def test_violation_is_the_largest_amount_exactly(instance):
    """The ball has the radius 5/4; the pixels 0, 1, 3 may move by 1/2, 1 and 3/4 in the directions taken here."""
    prop, model = instance[1], instance[2]
    lifter, centre = Lifter(model, prop.input_set), np.array(CENTRE)
    assert lifter.lift(centre).violation == 0
    beyond_ball = lifter.lift(np.add(centre, [0.5, 0.25, 0, 0.625, 0, 0]))
    assert (beyond_ball.violated, beyond_ball.violation) == (("ball",), Fraction(1, 8))
    assert lifter.lift(np.add(centre, [0.5 + 2.0**-40, 0, 0, 0, 0, 0])).violation == Fraction(1, 2**40)
    assert lifter.lift(centre - [0, 2.0**-40, 0, 0, 0, 0]).violation == Fraction(1, 2**40)


def test_a_point_far_outside_is_reported(instance):
    prop, model = instance[1], instance[2]
    violated = Lifter(model, prop.input_set).lift(np.full(6, -3.0)).violated
    assert "ball" in violated and len(violated) > 5


def test_a_changed_weight_moves_the_objective_beyond_constant_rounding(instance):
    network, prop, model, rounding = instance
    row = next(row for row in model.row_names if row.startswith("z_1_"))
    column = next(name for name in ("m_0", "x_0") if name in model.column_names)
    place = entry(model, row, column)
    mutated = Lifter(changed(model, data=(place, model.data[place] * (1 + 1e-12))), prop.input_set)
    differences = [abs(exact_value(network, prop, x) + mutated.lift(x).objective) for x in members(prop.input_set, 60)]
    assert max(differences) > rounding


def test_a_changed_constant_moves_the_objective_beyond_constant_rounding(instance):
    network, prop, model, rounding = instance
    row = next(i for i, name in enumerate(model.row_names) if name.startswith("z_1_"))
    mutated = Lifter(changed(model, rhs=(row, np.nextafter(model.rhs[row], 9) + 1e-12)), prop.input_set)
    differences = [abs(exact_value(network, prop, x) + mutated.lift(x).objective) for x in members(prop.input_set, 60)]
    assert max(differences) > rounding


def test_a_changed_own_coefficient_violates_its_row(instance):
    prop, model = instance[1], instance[2]
    row = next(row for row in model.row_names if row.startswith("z_1_"))
    own = ("z" if f"z{row[1:]}" in model.column_names else "h") + row[1:]
    place = entry(model, row, own)
    mutated = changed(model, data=(place, np.nextafter(model.data[place], 9)))
    points = prop.input_set.centre + np.outer([1, 0.5, -0.25], [0.25, 0, 0, 0.125, -0.25, 0])
    assert any(row in Lifter(mutated, prop.input_set).lift(x).violated for x in points)


@pytest.mark.parametrize(
    ("row", "part", "sign", "ball"),
    [("on", "", 1, False), ("off", "", -1, False), ("on", "", 1, True), ("wu", "_1", 1, True), ("rl", "_0", -1, True)],
)
def test_a_big_m_that_is_too_small_is_reported_where_it_binds(row, part, sign, ball):
    """The pre-activation form reads a box; the partition form reads the steps in a ball."""
    network = random_network((6, 5, 4, 3), SEED)
    prop = targeted(make_set(CENTRE, 1.25) if ball else make_box([0] * 6, [1] * 6))
    model = encode_tight(network, prop, bound_layers(network, prop.input_set, BoundLevel.BACKWARD), "mutated").model
    name = next(name for name in model.row_names if name.startswith(f"{row}_1_") and name.endswith(part))
    neuron = int(name.split("_")[2])
    weights = [sign * w for w in fractions(network.weights[0][neuron])]
    x = np.array([float(v) for v in knapsack(prop.input_set, weights)])
    assert Lifter(model, prop.input_set).lift(x).violated == ()
    place = entry(model, name, f"d_1_{neuron}")
    shrunk = changed(model, data=(place, model.data[place] * (1 - 1e-9)))
    if row in ("off", "rl"):
        r = model.row_names.index(name)
        shrunk = changed(shrunk, rhs=(r, model.rhs[r] * (1 - 1e-9)))
    assert Lifter(shrunk, prop.input_set).lift(x).violated == (name,)


@pytest.mark.parametrize("kind", ["upper", "lower"])
def test_a_bound_that_cuts_the_set_is_reported(kind, instance):
    prop, model = instance[1], instance[2]
    lifter = Lifter(model, prop.input_set)
    x = np.add(prop.input_set.centre, [0.25, 0.25, -0.25, 0.25, 0, 0])
    column = next(name for name in ("p_0", "x_0") if name in model.column_names)
    assert lifter.lift(x).violated == ()
    j = model.column_names.index(column)
    lifted_value = 0.25 if column == "p_0" else 0.75
    beyond = np.nextafter(lifted_value, -1 if kind == "upper" else 2)
    mutated = changed(model, **{kind: (j, beyond)})
    assert Lifter(mutated, prop.input_set).lift(x).violated == (column,)


def test_a_pixel_without_any_column_stays_at_its_centre_and_is_ignored():
    network = make_network(([[1, 0]], [-0.5]), ([[1], [2]], [0, 0]))
    prop = targeted(make_set([0.5, 0.5], 0.25))
    model = encode_tight(network, prop, bound_layers(network, prop.input_set, BoundLevel.BACKWARD), "absent").model
    lifter = Lifter(model, prop.input_set)
    clean, moved = (lifter.lift(np.array([0.75, x])) for x in (0.5, 99.0))
    assert moved == clean and clean.violated == ()


def test_numbers_of_very_different_sizes_are_lifted_exactly():
    network = make_network(([[1e4, 1e-7]], [-1e-7]), ([[1e-7], [1e4]], [1e4, 1e-7]))
    prop = targeted(make_set([0.5, 2.0**-1074], 1.0))
    encoding = encode_tight(network, prop, bound_layers(network, prop.input_set, BoundLevel.BACKWARD), "wide")
    x = np.array([0.25, 2.0**-1000])
    lifted = Lifter(encoding.model, prop.input_set).lift(x)
    assert lifted.violated == ()
    assert abs(exact_value(network, prop, x) + lifted.objective) <= Fraction(encoding.constant_rounding)


def tiny_model(rows, columns=("x_0", "h_1_0")):
    builder = MilpBuilder("tiny")
    index = {name: builder.add_column(name, 0.0, 9.0) for name in columns}
    for name, terms in rows.items():
        builder.add_row(name, "E", 0.0, [index[c] for c in terms], list(terms.values()))
    return builder.build()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (tiny_model({"z_1_0": {"h_1_0": 1, "x_0": -1, "mystery": 1}}, ("x_0", "h_1_0", "mystery")), "too early"),
        (tiny_model({"r": {"x_0": 1, "w_1": 1}}, ("x_0", "w_1")), "no known meaning"),
        (tiny_model({"z_1_0": {"h_2_0": 1, "x_0": 1}, "z_2_0": {"h_2_0": 1}}, ("x_0", "h_2_0")), "too early"),
    ],
)
def test_a_column_without_a_known_meaning_is_one_line(model, message):
    with pytest.raises(ModelError, match=message) as caught:
        Lifter(model, UNIT).lift(np.array([0.25]))
    assert "\n" not in str(caught.value)


def test_a_row_name_without_a_layer_is_one_line():
    with pytest.raises(ModelError, match="row z_one_0 is not named z_layer_neuron"):
        Lifter(tiny_model({"z_one_0": {"x_0": 1, "h_1_0": 1}}), UNIT)


@pytest.mark.parametrize("x", [np.zeros(5), np.zeros(7), np.zeros((1, 6)), np.full(6, np.nan)])
def test_a_vector_that_is_not_an_input_is_refused(x, instance):
    with pytest.raises(ValueError, match=r"shape|finite"):
        Lifter(instance[2], instance[1].input_set).lift(x)
