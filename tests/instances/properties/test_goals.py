from fractions import Fraction

import numpy as np
import pytest

from support.networks import make_network
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.properties.goals import Atom, any_target, margin, one_clause

TENTH = Fraction(1, 10)


def test_the_value_is_the_least_atom_of_the_best_disjunct():
    low, high = Atom(((0, Fraction(2)),), TENTH), Atom(((1, Fraction(-1)), (2, TENTH)))
    y = [Fraction(1), Fraction(3), Fraction(-1)]
    assert low.value(y) == Fraction(21, 10) and high.value(y) == Fraction(-31, 10)
    assert one_clause(((low, high),)).value(y) == Fraction(-31, 10)
    assert one_clause(((low,), (high,))).value(y) == Fraction(21, 10)
    assert one_clause(((low, high), (high,))).float_value([1.0, 3.0, -1.0]) == pytest.approx(-3.1)


def test_some_target_beats_the_source():
    goal = any_target((0, 2), 1)
    assert goal.value([Fraction(5), Fraction(4), Fraction(7)]) == 3
    assert goal.single is None and any_target((0,), 1).single == margin(0, 1)


def test_an_atom_reads_as_a_sum():
    assert str(margin(3, 1)) == "y_3 - y_1"
    assert str(Atom(((0, Fraction(-1, 2)), (1, Fraction(1, 3))), -TENTH)) == "- 0.5 y_0 + 1/3 y_1 - 0.1"


def test_the_chain_of_several_atoms_ends_with_their_layer():
    network = make_network(([[1, 0], [0, 1]], [0, 0]), ([[1, 0], [0, 1], [1, 1]], [0, 0, 0.5]))
    goal = one_clause(((margin(1, 0), Atom(((2, Fraction(1, 3)),), TENTH)), (margin(2, 0),)))
    *layers, last = goal.chain(network).layers
    assert len(layers) == 2 and not last.relu.any() and last.divisor is None
    assert last.W.tolist() == [[-1, 1, 0], [0, 0, 1 / 3], [-1, 0, 1]]
    assert last.b.tolist() == [0, 0.1, 0]
    assert one_clause(((margin(1, 0),),)).chain(network) is network
    outputs = np.array(ExactNetwork(network).outputs([0.25, 0.5]), dtype=float)
    assert (last.W @ outputs + last.b)[[0, 2]].tolist() == [0.25, 1.0]


@pytest.mark.parametrize(
    "terms", [(), ((0, Fraction(0)),), ((-1, Fraction(1)),), ((1, Fraction(1)), (1, Fraction(2)))], ids=repr
)
def test_an_atom_needs_different_outputs_with_coefficients(terms):
    with pytest.raises(PropertyError, match="atom"):
        Atom(terms)


@pytest.mark.parametrize("disjuncts", [(), ((),), ((margin(1, 0),), ())], ids=repr)
def test_a_goal_without_atoms_is_refused(disjuncts):
    with pytest.raises(PropertyError, match="needs a clause"):
        one_clause(disjuncts)
