"""Networks in units have the same function and files within solvers' tolerances; ordinary networks do not change."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vnnbench.instances.formulations.scaling as scaling_module
import vnnbench.instances.formulations.tight as formulation_module
from support.networks import layer_of, random_network
from support.properties import highest, make_box, make_set, members, targeted
from support.solving import optimum
from vnnbench.instances.bounds.levels import BoundLevel, bound_layers
from vnnbench.instances.errors import NetworkError
from vnnbench.instances.families import problem_of
from vnnbench.instances.formulations.lifting import Lifter
from vnnbench.instances.formulations.mps import mps_text, parse_mps
from vnnbench.instances.formulations.scaling import choose_units
from vnnbench.instances.formulations.tight import bound_tight, encode_tight
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import LayeredNetwork
from vnnbench.instances.properties.input_set import InputSet, Norm, box_set
from vnnbench.instances.properties.linear_constraints import LinearConstraint
from vnnbench.instances.properties.property import ClosestProperty, MaximizeProperty, VerifyProperty
from vnnbench.instances.properties.rational_set import rational_set
from vnnbench.solvers.registry import installed_solvers

seeds = st.integers(0, 2**32 - 1)


def chain(*layers):
    """Return the network of layers (W, b) with a ReLU after all but the last."""
    arrays = [(np.array(W, dtype=np.float64), np.array(b, dtype=np.float64)) for W, b in layers]
    return LayeredNetwork(tuple(layer_of(W, b, relu=k < len(arrays) - 1) for k, (W, b) in enumerate(arrays)))


def ball(norm, n=3, radius=0.25):
    return InputSet(norm, np.full(n, 0.5), None if norm is Norm.BOX else radius, np.zeros(n), np.ones(n))


def properties(n=3):
    """Return properties with every kind of set and goal."""
    for norm in Norm:
        yield VerifyProperty(ball(norm, n), 0, (1,), True, None, None)
        yield VerifyProperty(ball(norm, n), 0, (1, 2), True, None, None)
    yield MaximizeProperty(ball(Norm.BOX, n), 1, None, None)
    tenth, unit = Fraction(1, 10), (Fraction(0), Fraction(1))
    rows = (
        LinearConstraint(((0, 3), (1, 7), (2, -7)), tenth, tenth),
        LinearConstraint(((0, 1), (1, 1)), None, Fraction(1, 2)),
    )
    yield VerifyProperty(rational_set([unit] * n, rows), 0, (1, 2), True, None, None)
    yield VerifyProperty(rational_set([(tenth, tenth), *[unit] * (n - 1)]), 0, (1,), True, None, None)
    for norm in (Norm.L1, Norm.LINF):
        yield ClosestProperty(ball(norm, n), 0, (1, 2), Fraction(1, 8), None, None)


def in_units(network, prop):
    """Return the encoding in units, whether the numbers need them or not."""
    bounds = bound_tight(network, prop, BoundLevel.BACKWARD)
    units = choose_units(network, prop, bounds, always=True)
    assert units is not None
    return formulation_module._smallest_fitting(formulation_module._Question(network, prop, bounds, units), "units")


def largest_on_an_interval(network, lower, upper):
    """Return the largest first output over an interval, exactly: by the pieces on which every neuron is linear."""
    pieces = [(Fraction(lower), Fraction(upper))]
    for k, layer in enumerate(network.layers[:-1]):
        cut = []
        for a, b in pieces:
            ends = [pre_activations(network, x, k) for x in (a, b)]
            zeros = {a + (b - a) * p / (p - q) for p, q in zip(*ends, strict=True) if p * q < 0}
            points = sorted({a, b, *zeros})
            cut += list(pairwise(points))
        pieces = cut
        assert layer.relu.all()
    return max(pre_activations(network, x, len(network.layers) - 1)[0] for piece in pieces for x in piece)


def pre_activations(network, x, k):
    """Return z of layer k at one input, in Fractions."""
    h = [x]
    for layer in network.layers[: k + 1]:
        z = [
            sum((Fraction(w) * v for w, v in zip(row, h, strict=True)), Fraction(b))
            for row, b in zip(layer.W.tolist(), layer.b.tolist(), strict=True)
        ]
        h = [max(v, Fraction(0)) for v in z]
    return z


@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_a_network_in_units_is_the_same_function(seed):
    network = random_network((3, 4, 4, 2), seed, scales=(-6, 6))
    prop = VerifyProperty(ball(Norm.BOX), 0, (1,), True, None, None)
    units = choose_units(network, prop, bound_layers(network, prop.input_set, BoundLevel.BACKWARD), always=True)
    x = np.random.default_rng(seed).random(3)
    scaled = ExactNetwork(units.network(network)).outputs(np.ldexp(x, -units.inputs))
    assert scaled == ExactNetwork(network).outputs(x)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, prop=st.sampled_from(list(properties())))
def test_a_file_in_units_holds_every_point_with_its_value(seed, prop):
    network = random_network((3, 4, 4, 3), seed, scales=(-3, 3))
    encoding, problem, exact = in_units(network, prop), problem_of(prop), ExactNetwork(network)
    lifter = Lifter(parse_mps(mps_text(encoding.model), "read"), prop.input_set)
    for x in members(prop.input_set, 6, seed):
        lifted, value = lifter.lift(x), problem.evaluate(exact, x)
        if value is None:  # the margin is not reached there
            assert lifted.violated
            assert all(name.startswith("goal_") for name in lifted.violated)
        else:
            assert lifted.violated == ()
            assert abs(value + lifted.objective) <= Fraction(encoding.constant_rounding)
    outside = prop.input_set.upper + 0.5
    own = ("x", "p", "m", "ball", "r", "equal", "least", "most")
    assert any(name.split("_")[0] in own for name in lifter.lift(outside).violated)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, prop=st.sampled_from(list(properties())))
def test_a_solution_in_units_decodes_to_its_input(seed, prop):
    network = random_network((3, 4, 3), seed)
    model = in_units(network, prop).model
    lifter, decode = Lifter(model, prop.input_set), problem_of(prop).decoder(model.column_names)
    for x in members(prop.input_set, 4, seed):
        decoded = decode(np.array([float(value) for value in lifter.columns(x)]))
        read = [
            i
            for i in range(3)
            if any(name.split("_")[1] == str(i) for name in model.column_names if name[0] in "xpm")
            and i not in prop.input_set.determined
        ]
        np.testing.assert_allclose(decoded[read], x[read], rtol=0, atol=2.0**-50)


# With one input, the exact maximum is found piece by piece.
HARD = {
    "a narrow box and a slope of 1e5": (
        chain(([[-0.44], [0.63]], [0.00364, -0.0052]), ([[18.8, -11.5], [-4.5, 8.6]], [1e-5, -2e-5]),
              ([[-164348.0, 40652.0]], [-0.027])),
        (0.008259130641818, 0.0082597080618143),
    ),
    "outputs of 1e4 over a width of 2e-5": (
        chain(([[1.0], [-1.0]], [-0.50001, 0.50001]), ([[3.0, -2.0], [1.0, 4.0]], [-1e-5, 0.0]),
              ([[4e8, -3e8]], [1e4])),
        (0.5, 0.50002),
    ),
    "a neuron of 1e-7 times 1e7": (chain(([[1e-7], [1e7]], [0.0, 0.0]), ([[1e7, -1e-7]], [-0.5])), (-1.0, 0.75)),
    "a neuron of 1e-10 times 1e10": (chain(([[1e-10], [1e10]], [0.0, 0.0]), ([[1e10, -1e-10]], [0.25])), (-1.0, 0.75)),
    "a narrow box far from 0": (chain(([[1.0], [2.0]], [-1e6, -2e6]), ([[1.0, -2.0]], [0.0])), (1e6 - 0.5, 1e6 + 0.25)),
}  # fmt: skip


@pytest.mark.parametrize("name", HARD)
def test_every_solver_is_right_about_numbers_below_its_tolerances(name, tmp_path):
    network, (lower, upper) = HARD[name]
    prop = MaximizeProperty(box_set(np.array([lower]), np.array([upper])), 0, None, None)
    encoding = encode_tight(network, prop, bound_tight(network, prop, BoundLevel.BACKWARD), "hard")
    right = float(largest_on_an_interval(network, lower, upper))
    for solver in set(installed_solvers()) & {"gurobi", "highs", "scip"}:
        assert optimum(solver, encoding.model, tmp_path) == pytest.approx(right, rel=1e-6, abs=1e-5), solver
    assert encoding.constant_rounding < 1e-6 * max(1.0, abs(right))


def test_gains_are_units():
    """For h = relu(x - 1/2), y = 1024 h over [0, 1], the gain of h and of x is 1024, so one unit is 2**-10."""
    network = chain(([[1.0]], [-0.5]), ([[1024.0]], [0.0]))
    prop = highest(make_box([0.0], [1.0]))
    model = encode_tight(network, prop, bound_tight(network, prop, BoundLevel.BACKWARD), "gain").model
    assert model.column_names[0] == "x_0_d10"
    assert (model.lower[0], model.upper[0]) == (-512.0, 512.0)
    (h,) = np.flatnonzero(model.objective)
    assert (model.column_names[h], model.objective[h]) == ("h_1_0", -1.0)
    assert model.upper[h] == pytest.approx(512.0)
    assert "u = 2**-K for _dK" in model.comments[1]


def test_a_dead_neuron_with_weights_too_small_for_a_file_is_a_zero():
    """h = relu(1e6 x_0 + x_1 - 1e9) is 0 everywhere, and in its unit the weights are below 1e-9."""
    network = chain(([[1e6, 1.0], [1.0, -1.0]], [-1e9, -0.5]), ([[1e6, 1e9]], [5.0]))
    prop = highest(make_box([0.0, 0.0], [1.0, 1.0]))
    encoding = encode_tight(network, prop, bound_tight(network, prop, BoundLevel.BACKWARD), "dead")
    assert encoding.constant_rounding < 1e-6
    assert not any(name.endswith("_1_0") for name in encoding.model.column_names)


def test_rows_with_divisors_are_divided_by_about_that(tmp_path):
    """With z = (1e-6 x - 5e-7) / 1e-6 and y = relu(z), a row that is off by 1e-6 would move y by 1."""
    layer = layer_of(np.array([[1e-6]]), np.array([-5e-7]), relu=True, divisor=np.array([1e-6]))
    network = LayeredNetwork((layer, layer_of(np.array([[1.0]]), np.array([0.0]), relu=False)))
    prop = MaximizeProperty(box_set(np.array([0.0]), np.array([0.75])), 0, None, None)
    model = encode_tight(network, prop, bound_tight(network, prop, BoundLevel.BACKWARD), "divided").model
    row = model.row_names.index("q_1_0")
    (own,) = (k for k in range(*model.indptr[row : row + 2]) if model.column_names[model.indices[k]] == "z_1_0")
    assert 0.7 < model.data[own] < 1.5
    for solver in set(installed_solvers()) & {"gurobi", "highs", "scip"}:
        assert optimum(solver, model, tmp_path) == pytest.approx(0.25, abs=1e-5), solver


def test_weights_too_small_for_a_file_do_not_loosen_a_margin(tmp_path):
    """With 20 weights of 9e-10 on neurons up to 1e6, y_1 - y_0 is about 0.018 x - 0.009, and 0.001 near x = 5/9."""
    n = 20
    network = chain((np.full((n, 1), 1e6), np.full(n, -1.0)), ([[0.0] * n, [9e-10] * n], [0.009, 0.0]))
    input_set = InputSet(Norm.LINF, np.zeros(1), 1.0, np.zeros(1), np.ones(1))
    prop = ClosestProperty(input_set, 0, (1,), Fraction(1, 1000), None, None)
    model = encode_tight(network, prop, bound_tight(network, prop, BoundLevel.BACKWARD), "near").model
    assert optimum("highs", model, tmp_path) == pytest.approx(-5 / 9, abs=1e-4)


def test_ordinary_networks_keep_their_columns():
    network, prop = random_network((4, 6, 6, 2), 1), targeted(make_set([0.25, 0.5, 0.75, 0.5], 0.6))
    assert choose_units(network, prop, bound_layers(network, prop.input_set, BoundLevel.BACKWARD)) is None


def test_a_value_that_a_file_cannot_hold_is_refused():
    """The bias of 2**80 takes all digits of the rest, and another bias takes it away again."""
    network = chain(([[1.0], [0.0]], [2.0**80, 2.0**80]), ([[1.0, -1.0]], [0.0]))
    prop = highest(make_box([0.0], [1.0]))
    with pytest.raises(NetworkError, match=r"lost: (its MILP would hold|its value, about .*, would move by)"):
        encode_tight(network, prop, bound_tight(network, prop, BoundLevel.BACKWARD), "lost")


def test_numbers_beyond_1e15_are_refused():
    network = chain(([[1.0]], [0.0]), ([[1.0]], [1e16]))
    prop = highest(make_box([-1.0], [1.0]))
    with pytest.raises(NetworkError, match=r"large: its MILP would hold 1e\+16; solvers accept numbers below 1e\+15"):
        encode_tight(network, prop, bound_tight(network, prop, BoundLevel.BACKWARD), "large")


def test_inputs_that_equalities_fix_are_fixed_in_units_too():
    s = rational_set(
        [(Fraction(1, 10), Fraction(9, 10)), (Fraction(3, 10), Fraction(3, 10)), (Fraction(0), Fraction(1))],
        (LinearConstraint(((0, 1), (1, 1)), Fraction(7, 10), Fraction(7, 10)),),
    )
    network = random_network((3, 4, 4, 3), 1, scales=(10, 17))
    encoding = in_units(network, prop := VerifyProperty(s, 0, (1,), True, None, None))
    lifted = Lifter(encoding.model, s).lift(s.centre)
    assert lifted.violated == ()
    value = problem_of(prop).evaluate(ExactNetwork(network), s.centre)
    assert abs(value + lifted.objective) <= Fraction(encoding.constant_rounding)


def test_gains_are_the_same_in_blocks_of_atoms(monkeypatch):
    network = random_network((3, 4, 4, 7), 5)
    prop = VerifyProperty(ball(Norm.BOX), 0, (1, 2, 3, 4, 5, 6), True, None, None)
    bounds = bound_tight(network, prop, BoundLevel.BACKWARD)
    chain = prop.goal.measured(network)
    whole = scaling_module._gains(chain, bounds)
    monkeypatch.setattr(scaling_module, "_ATOMS_AT_A_TIME", 4)
    for one, other in zip(whole, scaling_module._gains(chain, bounds), strict=True):
        np.testing.assert_array_equal(one, other)
