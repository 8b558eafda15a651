"""Which proofs both checkers accept, and for which damage they reject one, on problems that are computed by hand."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from support.both_checkers import accepted, holds_from, proven_bounds, why_rejected
from support.networks import make_network
from support.proof_trees import ONE_LEAF, PAIR, SPLIT, SQUARE, make_proof, make_tree
from support.properties import highest, make_box, make_set, targeted
from vnnbench.instances.proofs.proof_file import Claim
from vnnbench.instances.properties.goals import Atom, OutputGoal
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.property import ClosestProperty, LinearProperty, VerifyProperty

UNIT, FUNNEL = make_box([0], [1]), make_network(([[1], [-1]], [0, 0]))  # y_0 = x, y_1 = -x
HALF = Fraction(1, 2)


def test_an_empty_part_is_a_leaf_with_nothing():
    prop, network = highest(make_set([0.25, 0.5], 0.5)), make_network(([[1, 2]], [0]))
    tree = make_tree(
        splits=[0, -1, -1], places=[0], points=[np.nextafter(0.75, 1)], node_bounds=[0] * 3, node_closings=[0, 1, 0],
        closing_disjuncts=[0],
    )  # fmt: skip
    assert proven_bounds(make_proof(tree, upper=2.25), prop, network) == [Fraction(9, 4)]
    closed = replace(tree, node_closings=np.int32([0, 1, 1]), closing_disjuncts=np.int32([0, 0]))
    assert why_rejected(make_proof(closed, upper=2.25), prop, network) == "an empty part has bounds or closings"
    split = make_tree(
        splits=[0, -1, 0, -1, -1], places=[0, 1], points=[0.76, 0.5], node_bounds=[0] * 5,
        node_closings=[0, 1, 0, 0, 0], closing_disjuncts=[0],
    )  # fmt: skip
    assert why_rejected(make_proof(split, upper=2.25), prop, network) == "an empty part is split"
    touching = replace(tree, points=np.array([0.75]))
    assert "a leaf is open" in str(why_rejected(make_proof(touching, upper=2.25), prop, network))


def conjunction(*strict):
    """Ask for y_0 >= 1/2 and y_1 >= -1/2, each strictly or not."""
    atoms = tuple(Atom(((k, Fraction(1)),), c, s) for k, (c, s) in enumerate(zip((-HALF, HALF), strict, strict=True)))
    return LinearProperty(UNIT, OutputGoal(((atoms,),)), False, None, None)


def test_weighted_atoms_exclude_at_0_where_one_that_counts_is_strict():
    # (y_0 - 1/2) / 2 + (y_1 + 1/2) / 2 = 0 for every x; with weights 0 and 1 it is 1/2 - x, at most 1/2.
    half = make_proof(make_tree(**ONE_LEAF, weights=[0.5, 0.5]), Claim.EXCLUDED)
    assert accepted(half, conjunction(True, False), FUNNEL)
    assert accepted(half, conjunction(False, True), FUNNEL)
    assert not accepted(half, conjunction(False, False), FUNNEL)
    for weights, reason in (
        ([0.5, 0.25], "the weights of a closing do not sum to 1"),
        ([1.5, -0.5], "weights holds a negative number"),
        ([0, 1], "a closing does not close its disjunct"),
    ):
        proof = make_proof(make_tree(**ONE_LEAF, weights=weights), Claim.EXCLUDED)
        assert why_rejected(proof, conjunction(True, False), FUNNEL) == reason


def test_a_strict_atom_of_weight_0_does_not_exclude_at_0():
    # y_0 - 1 <= 0 alone shows 0, which only its own strictness excludes.
    atoms = Atom(((0, Fraction(1)),), Fraction(-1)), Atom(((1, Fraction(1)),), Fraction(2), True)
    proof = make_proof(make_tree(**ONE_LEAF, weights=[1, 0]), Claim.EXCLUDED)
    first_strict = (replace(atoms[0], strict=True), replace(atoms[1], strict=False))
    for disjunct, is_accepted in ((atoms, False), (first_strict, True)):
        prop = LinearProperty(UNIT, OutputGoal(((disjunct,),)), False, None, None)
        assert accepted(proof, prop, FUNNEL) == is_accepted


def test_a_clause_needs_all_its_disjuncts_closed_on_the_path():
    # y_0 = x reaches 3/4, or y_1 = -x reaches -1/4: over x >= 1/2 the second is excluded, over x <= 1/2 the first.
    reaches = [Atom(((0, Fraction(1)),), Fraction(-3, 4)), Atom(((1, Fraction(1)),), Fraction(1, 4))]
    halves = {"splits": [0, -1, -1], "places": [0], "points": [0.5], "node_bounds": [0] * 3}
    both = LinearProperty(UNIT, OutputGoal(tuple(((atom,),) for atom in reaches)), False, None, None)
    one = LinearProperty(UNIT, OutputGoal((tuple((atom,) for atom in reaches),)), False, None, None)
    tree = make_tree(**halves, node_closings=[0, 1, 1], closing_disjuncts=[0, 1])
    assert accepted(make_proof(tree, Claim.EXCLUDED), both, FUNNEL)
    assert not accepted(make_proof(tree, Claim.EXCLUDED), one, FUNNEL)
    # At most 1/4: over x <= 1/2 the values are -1/4 and 1/4, over x >= 1/2 they are 1/4 and -1/4.
    tree = make_tree(**halves, node_closings=[1, 1, 2], closing_disjuncts=[1, 0, 1, 0])
    assert holds_from(0.25, tree, one, FUNNEL)


@pytest.mark.parametrize("strict", [True, False])
def test_a_strict_property_is_excluded_at_0(strict):
    # y_1 - y_0 = -2 x over [0, 1] is at most 0.
    assert accepted(make_proof(make_tree(**ONE_LEAF), Claim.EXCLUDED), targeted(UNIT, strict=strict), FUNNEL) == strict


def test_closest_excludes_a_ball_in_which_the_margin_is_not_reached():
    # y_1 - y_0 = 3/4 - 2 x reaches the margin, 1/4, at x = 1/4, which is 1/4 away from the centre.
    network = make_network(([[1], [-1]], [0, 0.75]))
    ball = InputSet(Norm.LINF, np.array([0.5]), 0.5, np.zeros(1), np.ones(1))
    prop = ClosestProperty(ball, 0, (1,), Fraction(1, 4), None, None)

    def why(radius):
        return why_rejected(make_proof(make_tree(**ONE_LEAF), Claim.EXCLUDED, radius=radius), prop, network)

    assert why(0.25 - 2.0**-54) is None
    assert why(0.25) == "a closing does not close its disjunct"
    assert why(0.0) == why(0.75) == "the radius is not positive, or exceeds that of the set"
    assert why(None) == "a radius belongs to closest, where the claim is excluded"


def test_a_witness_must_be_in_the_set_exactly():
    prop, network = highest(make_set([0.5, 0.5], 0.25)), make_network(([[1, 2]], [0]))
    nothing = make_tree()
    assert accepted(make_proof(nothing, None, witness=[0.5, 0.75]), prop, network)
    outside = make_proof(nothing, None, witness=[0.5, np.nextafter(0.75, 1)])
    assert why_rejected(outside, prop, network) == "the witness is not in the set"
    for wrong in ([0.5], [0.5, 0.5, 0.5]):
        assert why_rejected(make_proof(nothing, None, witness=wrong), prop, network)
    assert why_rejected(make_proof(nothing, None), prop, network) == "there is neither a tree nor a witness"


def test_a_witness_must_have_a_value():
    # For closest only where y_1 - y_0 = -2 x reaches the margin, 1; else not where it is 0 but a strict atom fails.
    closest = ClosestProperty(make_set([0], 1, lower=-1), 0, (1,), Fraction(1), None, None)
    mixed = conjunction(True, False)
    for prop, x, has_value in (
        (closest, -0.5, True), (closest, np.nextafter(-0.5, 0), False), (mixed, 0.5, False), (mixed, 1.0, True),
        (conjunction(False, False), 0.5, True),
    ):  # fmt: skip
        reason = why_rejected(make_proof(make_tree(), None, witness=[x]), prop, FUNNEL)
        assert reason == (None if has_value else "the problem has no value at the witness")


def damaged(**arrays):
    """Return the split tree with other arrays."""
    return replace(SPLIT, **{name: np.array(numbers, getattr(SPLIT, name).dtype) for name, numbers in arrays.items()})


DAMAGES = {
    "a slope beyond 1": (damaged(slopes=[129]), "a slope exceeds 1"),
    "a negative multiplier": (damaged(multipliers=[0.5, 0, 1, 0, -0.5]), "multipliers holds a negative number"),
    "a missing leaf": (
        damaged(splits=[1, -1, 1, -1], node_bounds=[4, 0, 0, 0], node_closings=[0, 1, 0, 1], closing_disjuncts=[0, 0]),
        "node_bounds ends too early",
    ),
    "a leaf too many": (
        damaged(splits=[1, -1, 1, -1, -1, -1], node_bounds=[4, 0, 0, 0, 0, 0], node_closings=[0, 1, 0, 1, 1, 0]),
        "splits has 1 numbers left over",
    ),
    "an open leaf": (
        damaged(node_closings=[0, 1, 0, 1, 0], closing_disjuncts=[0, 0], multipliers=[0.5, 0, 1]),
        "a leaf is open: no clause has all its disjuncts closed",
    ),
    "a lower bound nudged": (damaged(bound_values=[-1.99, 2, -2, 2]), "a bound is not shown"),
    "an upper bound nudged": (damaged(bound_values=[-2, 1.99, -2, 2]), "a bound is not shown"),
    "a lower bound for an upper one": (damaged(bound_kinds=[0, 1, 0, 0]), "a bound is not shown"),
    "a bound that is not there": (
        damaged(bound_neurons=[0, 0, 1, 0]),
        "a pass goes through neuron 1 of layer 1, which lacks a bound",
    ),
    "a kind that is not there": (damaged(bound_kinds=[0, 1, 0, 4]), "a bound is of kind 4"),
    "a bound of another layer": (damaged(bound_layers=[1, 1, 1, 2]), "a bound is of a ReLU that there is not"),
    "a ReLU split twice": (damaged(places=[0, 0]), "neuron 0 of layer 1 is split twice on a path"),
    "a split of no ReLU": (
        damaged(splits=[2, -1, 1, -1, -1]),
        "a split is of neuron 0 of layer 2, where no ReLU may be split",
    ),
    "a negative place": (
        damaged(places=[-1, 1]),
        "a split is of neuron -1 of layer 1, where no ReLU may be split",
    ),
    "a negative count": (
        damaged(node_closings=[0, 1, -1, 1, 1]),
        "a node has a negative number of bounds or closings",
    ),
    "a disjunct that is not there": (
        damaged(closing_disjuncts=[0, 0, 1]),
        "a closing is of a disjunct that there is not",
    ),
    "too large a multiplier": (
        damaged(multipliers=[0.5, 0, 1, 0, 0.5]),
        "a closing does not close its disjunct",
    ),
    "a slope left over": (damaged(slopes=[77, 77]), "slopes has 1 numbers left over"),
    "a slope short": (damaged(slopes=[]), "slopes ends too early"),
    "a point left over": (damaged(points=[0.5]), "points has 1 numbers left over"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_proof_is_rejected_for_its_damage(name):
    tree, reason = DAMAGES[name]
    assert why_rejected(make_proof(tree, upper=2.0), SQUARE, PAIR) == reason


@pytest.mark.parametrize("point", [-1.0, 1.0, 1.5])
def test_a_point_lies_strictly_inside_its_part(point):
    tree = make_tree(
        splits=[0, -1, -1], places=[0], points=[point], node_bounds=[0] * 3, node_closings=[1, 0, 0],
        closing_disjuncts=[0],
    )  # fmt: skip
    network = make_network(([[1, 2]], [0]))
    reason = "a point is not strictly inside the box of its part"
    assert why_rejected(make_proof(tree, upper=3.0), SQUARE, network) == reason
    assert accepted(make_proof(replace(tree, points=np.zeros(1)), upper=3.0), SQUARE, network)


def test_another_network_and_another_radius_are_rejected():
    other = make_network(([[1, 1], [1, -1]], [0, 0]), ([[1, 1]], [2.0**-20]))
    assert why_rejected(make_proof(SPLIT, upper=2.0), SQUARE, other)
    network, tree = make_network(([[1, 2]], [0])), make_tree(**ONE_LEAF)
    assert accepted(make_proof(tree, upper=2.25), highest(make_set([0.25, 0.5], 0.5)), network)
    assert why_rejected(make_proof(tree, upper=2.25), highest(make_set([0.25, 0.5], 0.5 + 2.0**-50)), network)


def test_bounds_are_in_the_order_of_their_layers():
    network = make_network(([[1]], [0]), ([[1]], [0]), ([[1]], [0]))
    tree = make_tree(
        bound_layers=[1, 1, 2, 2], bound_neurons=[0] * 4, bound_kinds=[0, 1, 0, 1], bound_values=[0, 1, 0, 1],
        splits=[-1], node_bounds=[4], node_closings=[1], closing_disjuncts=[0],
    )  # fmt: skip
    assert accepted(make_proof(tree, upper=1.0), highest(UNIT), network)
    mixed = replace(tree, bound_layers=np.int16([1, 1, 2, 1]))
    reason = "the bounds of a node are not in the order of their layers"
    assert why_rejected(make_proof(mixed, upper=1.0), highest(UNIT), network) == reason


def test_the_tree_of_a_bound_splits_earlier_relus_only():
    network = make_network(([[1]], [0]), ([[1]], [0]), ([[1]], [0]))
    tree = make_tree(
        bound_layers=[1, 1, 2], bound_neurons=[0] * 3, bound_kinds=[0, 1, 3], bound_values=[-1, 1, 1],
        splits=[1, -1, -1, -1], places=[0], node_bounds=[3], node_closings=[1], closing_disjuncts=[0],
        multipliers=[0, 0], slopes=[0],
    )  # fmt: skip
    prop = highest(make_box([-1], [1]))
    lacking = "a pass goes through neuron 0 of layer 2, which lacks a bound"
    assert why_rejected(make_proof(tree, upper=1.0), prop, network) == lacking  # of the closing
    assert why_rejected(make_proof(replace(tree, splits=np.int16([2, -1, -1, -1])), upper=1.0), prop, network) == (
        "a split is of neuron 0 of layer 2, where no ReLU may be split"
    )
    assert why_rejected(make_proof(replace(tree, splits=np.int16([0, -1, -1, -1])), upper=1.0), prop, network) == (
        "a split is of neuron 0 of layer 0, where no ReLU may be split"
    )


def test_several_targets_are_disjuncts():
    # Over [0, 1], y_1 - y_0 = -2 x <= 0 and y_2 - y_0 = -x - 1 <= -1.
    network = make_network(([[1], [-1], [0]], [0, 0, -1]))
    prop = VerifyProperty(UNIT, 0, (1, 2), True, None, None)
    tree = make_tree(splits=[-1], node_bounds=[0], node_closings=[2], closing_disjuncts=[1, 0])
    assert proven_bounds(make_proof(tree, Claim.EXCLUDED), prop, network) == [-1, 0]
    assert why_rejected(make_proof(replace(tree, closing_disjuncts=np.int32([0, 0])), Claim.EXCLUDED), prop, network)
