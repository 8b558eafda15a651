"""The formulation `plain`: its sizes, and the numbers of its file."""

from __future__ import annotations

import numpy as np
import pytest

from support.train_problems import problem, random_problem, split_of, variant
from vnnbench.instances.formulations.milp import MIN_COEFFICIENT
from vnnbench.instances.formulations.mps import mps_text, parse_mps
from vnnbench.instances.step_networks.train_property import train_property
from vnnbench.instances.train_models import TrainFormulation, encode


@pytest.mark.parametrize("name", ["000", "001", "110", "int"])
@pytest.mark.parametrize(("neurons", "n_classes", "limit"), [(1, 2, None), (3, 4, None), (2, 3, 5)])
def test_sizes_are_those_of_the_formula(name, neurons, n_classes, limit):
    T, m, n, K = 5, 3, neurons, n_classes
    split = split_of(np.arange(15).reshape(5, 3) % 4, [0, 1, 0, 1, 1], K)
    limit = limit if variant(name).weights else None
    model = encode(train_property(split, n, variant(name), weight_sum_limit=limit), "plain", "m")
    switches = n if variant(name).neurons else 0
    assert model.n_columns == T * (2 * n + n * K + 3 * K) + n * m + n + n * K + K + switches
    assert model.senses.count("E") == T * (n + 2 * K)
    assert model.n_rows - model.senses.count("E") == T * (2 * n + 4 * n * K + 2 * K + switches) + (limit is not None)


def test_inputs_that_are_0_in_all_training_samples_have_no_columns():
    split = split_of([[0.0, 0.5, 0.0], [0.0, 0.25, 0.0]], [0, 1], 2, [[1.0, 0.0, 0.0]])
    for formulation in TrainFormulation:
        model = encode(train_property(split, 2, variant("100"), weight_sum_limit=1), formulation, "m")
        weights = [name for name in model.column_names if name.startswith("w_")]
        assert weights == ["w_0_1", "w_1_1"]


def matrix(model):
    """Return the entries by row and column, in order."""
    rows = np.repeat(np.arange(model.n_rows), np.diff(model.indptr))
    return sorted(zip(rows.tolist(), model.indices.tolist(), model.data.tolist(), strict=True))


@pytest.mark.parametrize("formulation", list(TrainFormulation))
@pytest.mark.parametrize("seed", range(40))
def test_the_file_keeps_the_rules_of_a_model_file(seed, formulation):
    """It reads back bit for bit; no reader drops a number; integer columns have finite bounds; every name is short."""
    model = encode(random_problem(seed), formulation, "m")
    text = mps_text(model)
    read = parse_mps(text, "m")
    assert mps_text(read) == text
    for part in ("lower", "upper", "rhs", "objective"):
        assert np.array_equal(getattr(model, part), getattr(read, part))
    assert matrix(model) == matrix(read)
    for kept in (model.lower, model.upper, model.rhs, model.objective, model.data):
        assert (np.abs(kept[kept != 0]) > MIN_COEFFICIENT).all() and np.isfinite(kept).all()
    assert np.array_equal(model.integer, read.integer) and model.offset == read.offset == 0
    assert max(map(len, (*model.column_names, *model.row_names))) <= 255
    assert not any(section in text for section in (b"RANGES", b"SOS", b"INDICATORS", b"GENCONS"))


def test_the_comments_say_what_the_problem_is():
    model = encode(problem("101", 3), "plain", "m")
    assert model.comments == (
        "train, formulation plain: 4 samples of 2 inputs, 3 hidden neurons, 2 classes, variant 101",
        "a step is 1 from 0.001220703125 on and 0 up to 0; columns w_I_J, b_I, q_I_K, bF_K are the network",
    )
