"""Division of the set at its inputs: goals that need it, its bounds, its order and what it leaves open."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from support.fraction_proofs import accepts
from support.proving import assert_is_reached, proved
from support.random_problems import dense_network
from vnnbench.instances.networks.network import Layer, LayeredNetwork, nowhere
from vnnbench.instances.proofs.checker import check_proof
from vnnbench.instances.proofs.proof_file import INPUT
from vnnbench.instances.properties.goals import Atom, OutputGoal
from vnnbench.instances.properties.input_set import InputSet, Norm, box_set
from vnnbench.instances.properties.property import LinearProperty, MaximizeProperty
from vnnbench.prover import division
from vnnbench.prover.search import Ending


def atom(sign: int, constant: Fraction) -> Atom:
    """sign y_0 + constant >= 0, or > 0."""
    return Atom(((0, Fraction(sign)),), constant)


def copied(n: int) -> LayeredNetwork:
    """y = x."""
    return LayeredNetwork((Layer(np.eye(n), np.zeros(n), nowhere(n)),))


@pytest.mark.parametrize("n", [1, 30])
@pytest.mark.parametrize("gap", [Fraction(1, 10), Fraction(1, 1000)])
def test_clauses_that_hold_apart_are_excluded_although_no_relu_is_left_to_split(n, gap):
    clauses = (((atom(1, -gap),),), ((atom(-1, -gap),),))  # x_0 >= gap and x_0 <= -gap
    prop = LinearProperty(box_set(-np.ones(n), np.ones(n)), OutputGoal(clauses), False, None, None)
    _, ending, proof = proved(copied(n), prop)
    assert ending is Ending.EXCLUDED and accepts(proof, prop, copied(n))
    assert (proof.tree.splits == INPUT).any() and set(proof.tree.places) == {0}


def test_a_disjunct_that_is_closed_over_a_part_is_not_closed_again_below():
    """x_0 >= 2 never holds; that 0.4 <= |x_0| <= 0.3 does not, needs parts."""
    clauses = (
        ((atom(1, Fraction(-2)),), (atom(1, Fraction(-2, 5)),), (atom(-1, Fraction(-2, 5)),)),
        ((atom(1, Fraction(3, 10)), atom(-1, Fraction(3, 10))),),
    )
    prop = LinearProperty(box_set(-np.ones(1), np.ones(1)), OutputGoal(clauses), False, None, None)
    _, ending, proof = proved(copied(1), prop)
    assert ending is Ending.EXCLUDED and accepts(proof, prop, copied(1))
    assert (proof.tree.splits == INPUT).any()
    assert np.count_nonzero(proof.tree.closing_disjuncts == 0) == 1


@pytest.fixture
def network() -> LayeredNetwork:
    return dense_network(np.random.default_rng(2), (3, 8, 8, 8, 1))


def test_parts_have_bounds_of_their_own_and_only_narrower_ones(network):
    prop = MaximizeProperty(box_set(-np.ones(3), np.ones(3)), 0, None, None)
    aim, ending, proof = proved(network, prop)
    assert ending is Ending.EXCLUDED and accepts(proof, prop, network)
    assert_is_reached(aim, network, prop)
    assert np.count_nonzero(proof.tree.splits == INPUT) > 3
    assert np.count_nonzero(proof.tree.node_bounds) > 3 and proof.tree.node_bounds[1:].max() < 2 * 24


def test_a_ball_in_a_much_larger_box_is_divided_within_its_radius(network):
    ball = InputSet(Norm.L1, np.full(3, 0.5), 2.0, np.full(3, -1e6), np.full(3, 1e6))
    prop = MaximizeProperty(ball, 0, None, None)
    _, ending, proof = proved(network, prop)
    assert ending is Ending.EXCLUDED and accepts(proof, prop, network)
    assert len(proof.tree.points) > 3 and 0 < np.abs(proof.tree.points - 0.5).max() < 2


def test_with_many_open_parts_the_newest_are_divided_first(network, monkeypatch):
    monkeypatch.setattr(division, "_MOST_OPEN", 1)
    prop = MaximizeProperty(box_set(-np.ones(3), np.ones(3)), 0, None, None)
    _, ending, proof = proved(network, prop)
    assert ending is Ending.EXCLUDED and accepts(proof, prop, network)


def test_a_division_without_time_leaves_an_interval_that_more_time_narrows(network):
    prop = MaximizeProperty(box_set(-np.ones(3), np.ones(3)), 0, None, None)
    uppers = []
    for seconds in (-1.0, 0.3, 60.0):
        aim, _, proof = proved(network, prop, seconds=seconds)
        assert accepts(proof, prop, network)
        uppers.append(check_proof(proof, prop, network).upper)
        assert aim.value <= uppers[-1]
    assert uppers[0] >= uppers[1] >= uppers[2] and uppers[0] > uppers[2]


def test_a_single_point_cannot_be_divided():
    """1/3 is not a float64, so that the box around it holds points that meet the goal; no candidate does."""
    third = Fraction(1, 3)
    clauses = (((atom(1, -third),),), ((atom(-1, third),),))  # x_0 = 1/3
    point = np.array([1 / 3])
    prop = LinearProperty(box_set(point, point), OutputGoal(clauses), False, None, None)
    _, ending, proof = proved(copied(1), prop)
    assert ending is Ending.EXCLUDED and not (proof.tree.splits == INPUT).any()
