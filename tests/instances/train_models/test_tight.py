"""The ingredients of `tight`, by their rows and columns; that they keep the optimum is tested in `test_encode`."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from support.train_problems import problem, random_problem, split_of, variant
from vnnbench.instances.step_networks.train_property import train_property
from vnnbench.instances.train_models import tight
from vnnbench.instances.train_models.tight import Ingredient, encode_tight

MEBIBYTE = 1 << 20


def names(found, letter):
    """Return the names of a letter among columns or rows."""
    return [name for name in found if name.split("_")[0] == letter]


def entries(model, row):
    """Return a row's coefficients by column."""
    span = slice(*model.indptr[[row := model.row_names.index(row), row + 1]])
    return {
        model.column_names[j]: value for j, value in zip(model.indices[span], model.data[span].tolist(), strict=True)
    }


def covers(X):
    """Return the pairs (s, t) with X[s] <= X[t] and no sample between, of equal samples the smaller number first."""
    below = {
        (s, t)
        for s in range(len(X))
        for t in range(len(X))
        if s != t and (X[s] <= X[t]).all() and ((X[s] != X[t]).any() or s < t)
    }
    return {(s, t) for s, t in below if not any((s, r) in below and (r, t) in below for r in range(len(X)))}


@pytest.mark.parametrize("seed", range(40))
def test_monotone_rows_are_about_neighbours_in_the_order_of_the_inputs(seed):
    prop = random_problem(seed)
    model = encode_tight(prop, "m", {Ingredient.MONOTONE})
    wanted = covers(prop.training.inputs) if prop.variant.weights else set()
    found = names(model.row_names, "less")
    assert set(found) == {f"less_{s}_{t}_{i}" for s, t in wanted for i in range(prop.neurons)}
    for row in found:
        _, s, t, i = row.split("_")
        assert entries(model, row) == {f"st_{s}_{i}": 1.0, f"st_{t}_{i}": -1.0}


def test_monotone_rows_of_many_samples_and_inputs_take_little_memory():
    X = np.random.default_rng(0).integers(0, 2, size=(1_000, 400)).astype(np.float64)
    X[1] = np.minimum(X[0], X[1])
    tracemalloc.start()
    found = tight._neighbours(X)
    assert tracemalloc.get_traced_memory()[1] < 50 * MEBIBYTE
    tracemalloc.stop()
    assert np.argwhere(found).tolist() == [[1, 0]]


def test_monotone_rows_have_a_limit(monkeypatch):
    monkeypatch.setattr(tight, "MAX_PAIRS", 2)
    monkeypatch.setattr(tight, "MAX_COMPARED", 4)
    split = split_of([[float(t)] for t in range(6)], [0, 1] * 3)
    model = encode_tight(train_property(split, 1, variant("100")), "m")
    assert names(model.row_names, "less") == ["less_0_1_0", "less_1_2_0"]


def test_equal_samples_are_one_with_their_number_in_the_objective():
    """Three equal samples of classes 0, 0, 1: an output errs at one of them at least, and at two with E = 1."""
    prop = problem("010", 1, ([[0.0, 1.0], [1.0, 1.0], [0.0, 1.0], [0.0, 1.0]], [0, 1, 0, 1]))
    model = encode_tight(prop, "m", {Ingredient.MERGED})
    costs = dict(zip(model.column_names, model.objective.tolist(), strict=True))
    assert names(model.column_names, "st") == ["st_0_0", "st_1_0"]
    assert (costs["st_0_0"], costs["st_1_0"]) == (0.1 * 3, 0.1)
    assert (costs["E_0_0"], costs["E_0_1"], costs["E_1_0"], costs["one"]) == (1.0, 1.0, 1.0, 2.0)


def test_the_second_of_two_outputs_has_no_columns_and_counts_twice():
    model = encode_tight(problem("000"), "m", {Ingredient.COMPLEMENT})
    assert names(model.column_names, "bF") == ["bF_0"]
    errors = model.objective[[name.startswith("E_") for name in model.column_names]]
    assert errors.tolist() == [2.0] * 4
    three = encode_tight(problem("000", n_classes=3), "m", {Ingredient.COMPLEMENT})
    assert names(three.column_names, "bF") == ["bF_0", "bF_1", "bF_2"]


def test_the_big_m_is_that_of_the_sample():
    prop = problem("100", 1, ([[0.0, 1.0], [1.0, 1.0]], [0, 1]))
    model = encode_tight(prop, "m", {Ingredient.BIG_M})
    assert entries(model, "off_0_0") == {"sp_0_0": 1.0, "st_0_0": -2.0}
    assert entries(model, "off_1_0") == {"sp_1_0": 1.0, "st_1_0": -3.0}
    assert entries(model, "on_0_0") == {"sp_0_0": 1.0, "st_0_0": -2.0 - prop.epsilon}
