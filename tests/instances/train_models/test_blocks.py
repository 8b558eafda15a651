"""Blocks of columns and rows: numbers broadcast to the shape of the block."""

from __future__ import annotations

import numpy as np

from vnnbench.instances.formulations.milp import MilpBuilder
from vnnbench.instances.step_networks.train_property import Box
from vnnbench.instances.train_models.blocks import Blocks


def test_bounds_costs_and_coefficients_broadcast_to_the_block():
    two, three = np.arange(2), np.array([0, 1, 5])
    blocks = Blocks(MilpBuilder("m"))
    x = blocks.columns("x", (two, three), np.array([[-1.0], [-2.0]]), 3.0, objective=np.array([1.0, 2.0, 4.0]))
    y = blocks.parameters("y", (three,), Box(0.0, 2.0, True), 0.5)
    z = blocks.binaries("z", (), 7.0)
    blocks.rows("r", (two, three), "G", np.array([[1.0], [2.0]]), [(x, 1.0), (y, np.array([[0.0], [-3.0]])), (z, -1.0)])
    model = blocks.builder.build()
    names = ("x_0_0", "x_0_1", "x_0_5", "x_1_0", "x_1_1", "x_1_5", "y_0", "y_1", "y_5", "z")
    assert model.column_names == names
    assert model.lower.tolist() == [-1] * 3 + [-2] * 3 + [0] * 4
    assert model.upper.tolist() == [3] * 6 + [2] * 3 + [1]
    assert model.objective.tolist() == [1, 2, 4, 1, 2, 4, 0.5, 0.5, 0.5, 7]
    assert model.integer.tolist() == [False] * 6 + [True] * 4
    assert (model.row_names[3], model.senses, model.rhs.tolist()) == ("r_1_0", "G" * 6, [1] * 3 + [2] * 3)
    rows = np.split(np.array(names)[model.indices], model.indptr[1:-1])
    assert [row.tolist() for row in rows[2:4]] == [["x_0_5", "z"], ["x_1_0", "y_0", "z"]]  # zeros are left out
    assert model.data[model.indptr[3] : model.indptr[4]].tolist() == [1, -3, -1]


def test_a_wide_row_has_an_axis_of_entries():
    blocks = Blocks(MilpBuilder("m"))
    x = blocks.columns("x", (np.arange(3),), 0.0, 1.0)
    blocks.wide_rows("limit", (), "L", 2.0, x, np.ones(3))
    model = blocks.builder.build()
    assert (model.row_names, model.indices.tolist(), model.rhs.tolist()) == (("limit",), [0, 1, 2], [2.0])
