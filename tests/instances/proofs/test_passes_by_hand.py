"""Passes whose bounds are computed by hand, in both checkers."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from support.both_checkers import accepted, holds_from, proven_bounds, why_rejected
from support.networks import layer_of, make_network
from support.proof_trees import ONE_LEAF, PAIR, PAIR_BOUNDS, RELAXED, SPLIT, SQUARE, make_proof, make_tree
from support.properties import highest, make_box, make_set
from vnnbench.instances.networks.network import LayeredNetwork
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.linear_constraints import LinearConstraint
from vnnbench.instances.properties.rational_set import rational_set


def nudged(tree, place, direction):
    """Return the tree with the bound at this place moved to the next float32."""
    values = tree.bound_values.copy()
    values[place] = np.nextafter(values[place], np.float32(direction * math.inf))
    return replace(tree, bound_values=values)


@pytest.mark.parametrize(("tree", "upper"), [(RELAXED, 3.0), (SPLIT, 2.0)])
def test_the_pair_of_neurons_has_the_bound_computed_by_hand(tree, upper):
    assert holds_from(upper, tree, SQUARE, PAIR)


def test_a_negative_coefficient_takes_the_slope():
    # y = -h_1 - 2 h_2 with slopes 1/2 and 1/4: -z_1 / 2 - z_2 / 2 = -x_1 <= 1.
    network = make_network(([[1, 1], [1, -1]], [0, 0]), ([[-1, -2]], [0]))
    assert holds_from(1.0, replace(RELAXED, slopes=np.array([64, 32], dtype=np.uint8)), SQUARE, network)


def test_multipliers_are_in_the_order_of_the_path():
    # z_2 <= 0, with 1/2: y <= z_1 / 2 + 1 - z_2 / 2 = 1 + x_2. z_2 >= 0 and z_1 <= 0, with 0 and 1: y <= z_2 - z_1
    # = -2 x_2. z_2 >= 0 and z_1 >= 0: y <= 2 x_1.
    assert holds_from(2.0, replace(SPLIT, places=np.int32([1, 0])), SQUARE, PAIR)


def test_a_multiplier_counts_as_a_slope_of_its_phase():
    # y = h_1 + z_2 with z_1 = z_2 = x in [-1, 2]: with z_1 <= 0 and 1, x - x = 0; with z_1 >= 0 and 1/2, 5/2 x <= 5.
    network = LayeredNetwork(
        (layer_of(np.ones((2, 1)), np.zeros(2), np.array([True, False])), layer_of(np.ones((1, 2)), np.zeros(1), False))
    )
    tree = make_tree(
        splits=[1, -1, -1], places=[0], node_bounds=[0] * 3, node_closings=[0, 1, 1], closing_disjuncts=[0, 0],
        multipliers=[1, 0.5],
    )  # fmt: skip
    assert proven_bounds(make_proof(tree, upper=5.0), highest(make_box([-1], [2])), network) == [0, 5]


@pytest.mark.parametrize(("low", "high", "highest_value"), [(-1, 0, 0), (0, 1, 1)])
def test_a_relu_whose_bound_is_0_is_stable(low, high, highest_value):
    network = make_network(([[1]], [0]), ([[1]], [0]))
    tree = make_tree(
        bound_layers=[1, 1], bound_neurons=[0, 0], bound_kinds=[0, 1], bound_values=[low, high], splits=[-1],
        node_bounds=[2], node_closings=[1], closing_disjuncts=[0],
    )  # fmt: skip
    assert proven_bounds(make_proof(tree, upper=1.0), highest(make_box([low], [high])), network)[-1] == highest_value


def test_the_upper_line_has_the_rounded_slope_and_the_larger_intercept():
    # z = x in [-2, 1]: s = 1/3 rounded down, so the line must be raised by 1 - s > 2 s to reach 1 at z = 1; y = h.
    network = make_network(([[1]], [0]), ([[1]], [0]))
    tree = make_tree(
        **{name: numbers[:2] for name, numbers in PAIR_BOUNDS.items() if name != "bound_values"},
        bound_values=[-2, 1], splits=[-1], node_bounds=[2], node_closings=[1], closing_disjuncts=[0], slopes=[0],
    )  # fmt: skip
    assert holds_from(1.0, tree, highest(make_box([-2], [1])), network)
    # z in [-1, 2]: s = 2/3 rounded down too, and 2 (1 - s) > s: at x = 2 the value is 2 s + 2 (1 - s) = 2.
    tree = replace(tree, bound_values=np.array([-1, 2], dtype=np.float32))
    assert holds_from(2.0, tree, highest(make_box([-1], [2])), network)


def test_a_bound_without_a_tree_takes_the_steeper_slope_of_the_nearer_end():
    # z_1 = x in [-1, 2] has 2 > 1, so slope 1: -h_1 <= -x <= 1. z_2 = x in [-2, 1] has slope 0: -h_2 <= 0.
    network = make_network(([[1]], [0]), ([[1]], [0]), ([[1]], [0]))
    for low, high, least in ((-1, 2, -1), (-2, 1, 0), (-1, 1, 0)):
        tree = make_tree(
            bound_layers=[1, 1, 2, 2], bound_neurons=[0] * 4, bound_kinds=[0, 1, 0, 1],
            bound_values=[low, high, least, high], splits=[-1], node_bounds=[4], node_closings=[1],
            closing_disjuncts=[0], slopes=[0] if least == 0 else [0, 0],
        )  # fmt: skip
        prop = highest(make_box([low], [high]))
        assert accepted(make_proof(tree, upper=high + 0.01), prop, network)
        assert why_rejected(make_proof(nudged(tree, 2, 1), upper=high + 0.01), prop, network) == "a bound is not shown"


def test_the_bounds_of_a_node_hold_below_it_and_only_there():
    # Over x_1 <= 0 the child's bounds z_1 <= 1 and z_2 <= 1 count, and z_2 <= 3/2 is not better. With s = 1/3 rounded
    # down and t = 1 - s, y <= s (z_1 + z_2) + 2 (1 - s) = 2 s x_1 + 2 (1 - s) <= 2 - 2 s. Over x_1 >= 0 the root's
    # bounds give x_1 + 2 <= 3.
    tree = make_tree(
        bound_layers=[1] * 7, bound_neurons=[0, 0, 1, 1, 0, 1, 1], bound_kinds=[0, 1, 0, 1, 1, 1, 1],
        bound_values=[-2, 2, -2, 2, 1, 1, 1.5], splits=[0, -1, -1], places=[0], points=[0], node_bounds=[4, 3, 0],
        node_closings=[0, 1, 1], closing_disjuncts=[0, 0], slopes=[0, 0, 0, 0],
    )  # fmt: skip
    assert proven_bounds(make_proof(tree, upper=3.0), SQUARE, PAIR)[-2:] == [2 - 2 * Fraction(1 / 3), 3]


def test_a_tree_of_its_own_shows_a_bound():
    # z = h_1 + h_2 - 1 is at most 1 by the split above, and at least -1. So y = h <= z / 2 + 1 / 2 = (h_1 + h_2) / 2
    # <= (x_1 + 2) / 2 <= 3/2.
    network = make_network(([[1, 1], [1, -1]], [0, 0]), ([[1, 1]], [-1]), ([[1]], [0]))
    of_z = ([2, 2], [0, 0], [0, 3], [-1, 1])  # layers, neurons, kinds and values of its bounds
    tree = make_tree(
        **{name: [*numbers, *more] for (name, numbers), more in zip(PAIR_BOUNDS.items(), of_z, strict=True)},
        splits=[1, -1, 1, -1, -1, -1], places=[0, 1], node_bounds=[6], node_closings=[1], closing_disjuncts=[0],
        slopes=[77, 0, 0, 0], multipliers=[0.5, 0, 1, 0, 0],
    )  # fmt: skip
    assert holds_from(1.5, tree, SQUARE, network)
    assert why_rejected(make_proof(nudged(tree, 5, -1), upper=1.5), SQUARE, network) == "a bound is not shown"


def test_a_ball_in_a_part_goes_on_from_the_nearest_point():
    # y = x_1 + 2 x_2 in the ball of radius 1/2 around (1/4, 1/2). x_1 <= 1/2: from 5/4 x_2 goes up by 1/2: 9/4.
    # x_1 >= 1/2: the point (1/2, 1/2), with value 3/2, leaves a radius of 1/4: 3/2 + 2/4 = 2.
    prop, network = highest(make_set([0.25, 0.5], 0.5)), make_network(([[1, 2]], [0]))
    tree = make_tree(
        splits=[0, -1, -1], places=[0], points=[0.5], node_bounds=[0] * 3, node_closings=[0, 1, 1],
        closing_disjuncts=[0, 0],
    )  # fmt: skip
    assert proven_bounds(make_proof(tree, upper=2.25), prop, network) == [Fraction(9, 4), 2]
    # y = x_1 - 2 x_2: from -3/4 x_2 goes down by 1/2: 1/4. From (1/2, 1/2), with value -1/2, down by 1/4: 0.
    assert proven_bounds(make_proof(tree, upper=0.25), prop, make_network(([[1, -2]], [0]))) == [Fraction(1, 4), 0]
    # At x_1 >= 3/4 only that point is left, with value 7/4.
    tree = replace(tree, points=np.array([0.75]))
    assert proven_bounds(make_proof(tree, upper=2.25), prop, network) == [Fraction(9, 4), Fraction(7, 4)]


def test_a_ball_of_the_largest_change_is_a_box():
    # The ball of radius 1/4 around (1/4, 1/2), cut with [0, 1/2]^2, is [0, 1/2] x [1/4, 1/2]: y = x_1 - x_2 <= 1/4.
    ends = np.array([0.25, 0.5]), 0.25, np.zeros(2), np.full(2, 0.5)
    assert holds_from(0.25, make_tree(**ONE_LEAF), highest(InputSet(Norm.LINF, *ends)), make_network(([[1, -1]], [0])))


def test_the_box_of_a_ball_is_the_least_float64_box_that_contains_it():
    # The float64 of 1/2 - 0.1, computed, is above the exact difference of these float64: the next lower one counts.
    ball = InputSet(Norm.LINF, np.array([0.5]), 0.1, np.zeros(1), np.ones(1))
    assert Fraction(0.5 - 0.1) > Fraction(0.5) - Fraction(0.1)
    found = proven_bounds(make_proof(make_tree(**ONE_LEAF), upper=0.0), highest(ball), make_network(([[-1]], [0])))
    assert found == [-Fraction(float(np.nextafter(0.4, 0)))]


def test_constraints_count_by_their_multipliers():
    # In [0, 1]^2 with 1/2 <= x_1 + x_2 <= 4/3, y = x_1 + x_2 has x_1 + x_2 + (4/3 - x_1 - x_2) = 4/3, and its negative
    # has -x_1 - x_2 - (1/2 - x_1 - x_2) = -1/2.
    def cut(lower, upper):
        row = LinearConstraint(((0, 1), (1, 1)), lower, upper)
        return highest(rational_set([(Fraction(0), Fraction(1))] * 2, (row,)))

    both, only_most = cut(Fraction(1, 2), Fraction(4, 3)), cut(None, Fraction(4, 3))
    total, negative = make_network(([[1, 1]], [0])), make_network(([[-1, -1]], [0]))
    up = make_proof(make_tree(**ONE_LEAF, constraint_multipliers=[1]), upper=9.0)
    down = make_proof(make_tree(**ONE_LEAF, constraint_multipliers=[-1]), upper=9.0)
    assert proven_bounds(up, both, total) == [Fraction(4, 3)]
    assert proven_bounds(down, both, negative) == [Fraction(-1, 2)]
    lacking = "a multiplier asks for an end that its constraint does not have"
    assert why_rejected(down, only_most, negative) == lacking
    assert why_rejected(make_proof(make_tree(**ONE_LEAF), upper=9.0), both, total)  # a multiplier is missing


def test_divisors_and_neurons_without_relu_are_exact():
    # 3 z_1 = x, h_1 = z_1 without a ReLU; 7 y = -2 z_1 + 1: over [-1, 1] at most (2/3 + 1) / 7 = 5/21.
    first = layer_of(np.array([[1.0]]), np.zeros(1), False, np.array([3.0]))
    second = layer_of(np.array([[-2.0]]), np.ones(1), False, np.array([7.0]))
    proof, prop = make_proof(make_tree(**ONE_LEAF), upper=1.0), highest(make_box([-1], [1]))
    assert proven_bounds(proof, prop, LayeredNetwork((first, second))) == [Fraction(5, 21)]


def test_a_decimal_bound_counts_outwards():
    tenth = rational_set([(Fraction(0), Fraction(1, 10))])
    found = proven_bounds(make_proof(make_tree(**ONE_LEAF), upper=1.0), highest(tenth), make_network(([[1]], [0])))
    assert found == [Fraction(0.1)] and found[0] > Fraction(1, 10)
