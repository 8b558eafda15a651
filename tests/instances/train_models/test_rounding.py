"""The rounding of an objective whose activations of equal samples are added up."""

from __future__ import annotations

from fractions import Fraction

import pytest

from support.train_problems import problem
from vnnbench.instances.train_models import encode
from vnnbench.instances.train_models.rounding import objective_rounding

THREE_EQUAL = ([[0.0, 1.0]] * 3 + [[1.0, 1.0]], [0, 1, 0, 1])


def test_three_activations_that_cost_as_one_are_rounded():
    model = encode(problem("010", 2, THREE_EQUAL), "tight", "m")
    exact = 2 * abs(Fraction(0.1 * 3) - 3 * Fraction(0.1))
    assert exact > 0 and objective_rounding(model) == pytest.approx(float(exact), rel=1e-15)
    assert Fraction(objective_rounding(model)) >= exact


@pytest.mark.parametrize(("name", "formulation"), [("010", "plain"), ("111", "plain"), ("101", "tight")])
def test_an_objective_without_merged_activations_is_exact(name, formulation):
    assert objective_rounding(encode(problem(name, 2, THREE_EQUAL), formulation, "m")) == 0
