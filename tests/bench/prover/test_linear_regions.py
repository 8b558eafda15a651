"""Linear programs over parts of the set: their solutions are points of it, their duals bounds that a proof can hold."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from vnnbench.instances.networks.network import Layer, LayeredNetwork, everywhere, nowhere
from vnnbench.instances.proofs.chain import Chain
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.reading import Fixed, OfDisjunct
from vnnbench.instances.properties.goals import Atom, OutputGoal
from vnnbench.instances.properties.input_set import InputSet, Norm, box_set
from vnnbench.instances.properties.linear_constraints import LinearConstraint
from vnnbench.instances.properties.property import LinearProperty
from vnnbench.prover.linear_regions import LinearRegions, Vertex
from vnnbench.prover.proven_bounds import prove_bounds
from vnnbench.prover.relaxed import RelaxedNetwork
from vnnbench.prover.sound import SoundBounds


class Example:
    """h = (max(x_0, 0), max(x_0 + x_1 - 1, 0)) over a set, and y_0 = h_0 - 3 h_1, y_1 = -y_0."""

    def __init__(self, input_set: InputSet, output: int = 0) -> None:
        self.network = LayeredNetwork(
            (
                Layer(np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([0.0, -1.0]), everywhere(2)),
                Layer(np.array([[1.0, -3.0], [-1.0, 3.0]]), np.zeros(2), nowhere(2)),
            )
        )
        goal = OutputGoal((((Atom(((output, Fraction(1)),)),),),))
        self.question = Question.about(LinearProperty(input_set, goal, True, None, None))
        self.chain = Chain(self.network)
        relaxed = RelaxedNetwork(self.chain, self.question.whole)
        self.sound = SoundBounds(self.question, self.chain)
        prove_bounds(self.sound, relaxed, None, lambda: False)
        self.bounds = self.sound.bounds
        self.regions = LinearRegions(self.question, self.chain, self.question.whole, self.bounds)

    def maximum(self, first: int, second: int, A: object = ((1, 0),), constant: object = (0,)) -> Vertex:
        """Return the maximum where the two ReLUs have these phases."""
        vertex = self.regions.maximum(A, constant, np.array([first, second, 0, 0], dtype=np.int8))
        assert vertex is not None
        return vertex

    def shown(self, vertex: Vertex, first: int, second: int) -> float:
        """Return the bound of the output that a proof shows with the multipliers."""
        passes = self.sound.passes(
            [OfDisjunct(0, [Fraction(1)])],
            [Fixed(np.arange(2), np.array([first, second]) > 0)],
            vertex.multipliers.astype(np.float32)[None],
            vertex.constraint_multipliers.astype(np.float32)[None],
            is_final=np.array([True]),
        )
        return float(self.sound.of(passes)[0])


BOX = box_set(-np.ones(2), np.ones(2))


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        ((1, -1), 1.0),  # x_0 = 1, where x_1 <= 0
        ((1, 1), 1.0),  # the same point: x_0 + x_1 = 1
        ((-1, -1), 0.0),
    ],
)
def test_the_bound_that_the_duals_show_is_the_value_of_the_solution(phases, expected):
    example = Example(BOX)
    vertex = example.maximum(*phases)
    assert example.shown(vertex, *phases) == pytest.approx(expected, abs=1e-6)
    x = vertex.x
    assert max(x[0], 0) - 3 * max(x.sum() - 1, 0) == pytest.approx(expected, abs=1e-6)


def test_an_empty_part_gets_a_bound_far_below_its_value():
    """x_0 <= 0 and x_0 + x_1 >= 1 meet in (0, 1) alone; in a smaller box nowhere."""
    example = Example(box_set(-np.ones(2), np.array([1.0, 0.5])))
    vertex = example.maximum(-1, 1)
    assert example.shown(vertex, -1, 1) < -100


def test_a_ball_is_respected():
    example = Example(InputSet(Norm.L1, np.zeros(2), 0.75, -np.ones(2), np.ones(2)))
    vertex = example.maximum(1, 0)
    assert np.abs(vertex.x).sum() <= 0.75 + 1e-9
    assert vertex.x[0] == pytest.approx(0.75)


def test_constraints_among_inputs_have_multipliers_of_either_end():
    below = LinearConstraint(((0, 2), (1, -1)), None, Fraction(0))  # with x_0 + x_1 <= 1: x_0 <= 1/3
    example = Example(InputSet(Norm.BOX, np.zeros(2), None, -np.ones(2), np.ones(2), constraints=(below,)))
    vertex = example.maximum(1, -1)
    assert vertex.constraint_multipliers[0] > 0
    assert example.shown(vertex, 1, -1) == pytest.approx(1 / 3, abs=1e-6)

    above = LinearConstraint(((0, 1), (1, -1)), Fraction(-1, 4), None)  # y_1 = 2 x_0 + 3 x_1 - 3 where both are on
    upper = np.array([0.5, 1.0])
    example = Example(InputSet(Norm.BOX, np.zeros(2), None, -np.ones(2), upper, constraints=(above,)), output=1)
    vertex = example.maximum(1, 1, A=((0, 1),))
    assert vertex.constraint_multipliers[0] < 0
    assert example.shown(vertex, 1, 1) == pytest.approx(1 / 4, abs=1e-6)


def test_atoms_that_exclude_each_other_are_weighed():
    """The least of y_0 and 1/2 - y_0 is at most their mean, 1/4."""
    vertex = Example(BOX).maximum(1, -1, A=((1, 0), (0, 1)), constant=(0, 0.5))
    assert vertex.weights.tolist() == pytest.approx([0.5, 0.5])


def test_phases_at_a_point_are_those_of_its_pre_activations():
    regions = Example(BOX).regions
    assert regions.phases_at(np.array([0.5, 0.25])).tolist() == [1, -1, 0, 0]
    assert regions.phases_at(np.array([-0.5, 1.0])).tolist() == [-1, -1, 0, 0]


def test_numbers_beyond_float64_have_no_solution():
    assert Example(BOX).regions.maximum(np.full((1, 2), 1e308), np.zeros(1), np.array([1, 1, 0, 0], np.int8)) is None
