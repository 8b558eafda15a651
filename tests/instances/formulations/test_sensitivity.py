"""Bounds on how far tolerances can move a value, on files whose gains are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from support.networks import make_network
from support.properties import make_set
from support.train_problems import problem
from vnnbench.instances.bounds.levels import BoundLevel
from vnnbench.instances.formulations.milp import MilpBuilder
from vnnbench.instances.formulations.sensitivity import tolerance_reach
from vnnbench.instances.formulations.surrogatelib import encode_surrogatelib
from vnnbench.instances.formulations.tight import bound_tight, encode_tight
from vnnbench.instances.properties.property import VerifyProperty
from vnnbench.instances.train_models import encode


def test_sensitivity_of_a_chain_of_rows_by_hand():
    """For value = 5 h, h = relu(z), z = 3 x, M = 7 of the row on, the gains are 5 (h), 5 (z, its row), 15 (x), 35."""
    builder = MilpBuilder("chain")
    x = builder.add_column("x_0", -1.0, 1.0)
    h = builder.add_column("h_1_0", 0.0, 7.0)
    d = builder.add_column("d_1_0", 0.0, 1.0, integer=True)
    z = builder.add_column("z_1_0", -7.0, 7.0)
    builder.set_objective(h, -5.0)
    builder.add_row("on_1_0", "L", 0.0, [h, d], [1.0, -7.0])
    builder.add_row("z_1_0", "E", 0.0, [z, x], [1.0, -3.0])
    expected = 1e-6 * math.sqrt(5**2 + 15**2 + 5**2 + 35**2)
    assert tolerance_reach(builder.build()) == pytest.approx(expected, rel=5e-3)


def test_sensitivity_of_a_divisor_by_hand():
    """For value = y and 0.5 y = x, a row that is off by 1e-6 moves y by 2e-6."""
    builder = MilpBuilder("divided")
    x = builder.add_column("x_0", 0.0, 1.0)
    y = builder.add_column("z_1_0", 0.0, 2.0)
    builder.set_objective(y, -1.0)
    builder.add_row("q_1_0", "E", 0.0, [y, x], [0.5, -1.0])
    assert tolerance_reach(builder.build()) == pytest.approx(1e-6 * math.sqrt(1 + 2**2 + 2**2), rel=5e-3)


@pytest.mark.parametrize("targets", [(1,), (1, 2)])
@pytest.mark.parametrize("k", [0, 6, 12])
def test_sensitivity_grows_with_the_slope_in_surrogatelib_and_not_in_tight(k, targets):
    """Hidden weights are 2**k, and outputs compensate for them or not; `surrogatelib` has no units."""
    random = np.random.default_rng(0)
    W, V = random.normal(size=(4, 3)), random.normal(size=(3, 4))
    input_set = make_set([0.25, 0.5, 0.75], 0.6)
    prop = VerifyProperty(input_set, 0, targets, True, None, None)
    gentle, steep = (make_network((W, np.zeros(4)), (V * scale, np.zeros(3))) for scale in (1.0, 2.0**k))

    def tight(network):
        return tolerance_reach(encode_tight(network, prop, bound_tight(network, prop, BoundLevel.BACKWARD), "t").model)

    if len(targets) == 1:
        reaches = [tolerance_reach(encode_surrogatelib(network, prop, "s").model) for network in (gentle, steep)]
        assert reaches[1] > 0.3 * 2**k * reaches[0]
    # The big-M remain, in units of the value.
    largest_m = 2.0**k * np.abs(V).sum() * np.abs(W).max() * 3
    assert tight(steep) < 1e-6 * (100 + largest_m)


def test_integer_columns_of_an_objective_are_added_and_not_taken_for_independent():
    """E = 1 - d and F >= d; -4 d + 3 E + 2 F + g moves by 4 + 3 + 1 for d, E and g, and independently by 2 for F."""
    builder = MilpBuilder("binaries")
    d, g = (builder.add_column(name, 0.0, 1.0, integer=True) for name in "dg")
    E, F = (builder.add_column(name, 0.0, 1.0) for name in "EF")
    builder.add_row("error", "E", 1.0, [E, d], [1.0, 1.0])
    builder.add_row("relaxed", "G", 0.0, [F, d], [1.0, -1.0])
    for column, cost in ((d, -4.0), (E, 3.0), (F, 2.0), (g, 1.0)):
        builder.set_objective(column, cost)
    assert tolerance_reach(builder.build()) == pytest.approx(1e-6 * (4 + 3 + 1 + 2), rel=5e-3)


@pytest.mark.parametrize(("name", "weights"), [("000", 0.0), ("011", 8 * 0.1 + 2 * 0.1), ("100", 4 * 0.1)])
def test_errors_and_sparsity_terms_of_a_training_model_all_count(name, weights):
    """The 8 errors of XOR count 1 each, in either formulation; 8 steps, 2 switches and 4 weights 0.1 each."""
    for formulation in ("plain", "tight"):
        model = encode(problem(name), formulation, "m")
        assert tolerance_reach(model) == pytest.approx(1e-6 * (8 + weights), rel=5e-3)
