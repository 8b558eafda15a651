"""The size of a model is checked before it is made."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from support.train_problems import split_of, variant
from vnnbench.instances.errors import ModelError
from vnnbench.instances.step_networks.train_property import train_property
from vnnbench.instances.train_models import TrainFormulation, encode

MEBIBYTE = 1 << 20


@pytest.mark.parametrize("formulation", list(TrainFormulation))
@pytest.mark.parametrize(
    ("samples", "inputs", "excess"),
    [(1_000, 1_000, "4000000 lines"), (15_000, 2, "500000 rows")],
)
def test_a_model_that_is_too_large_is_refused_in_one_line_before_it_is_made(samples, inputs, excess, formulation):
    X = np.random.default_rng(0).integers(0, 1024, size=(samples, inputs), endpoint=True) / 1024
    X[:, 0] = np.arange(samples) % 1024 / 1024
    X[:, 1] = np.arange(samples) // 1024 / 1024  # no two samples are equal
    prop = train_property(split_of(X, [0, 1, 2, 3, 4] * (samples // 5), 5), 8, variant("000"))
    tracemalloc.start()
    with pytest.raises(ModelError, match=rf"model m: {samples} samples of \d+ inputs and 8 neurons .* {excess}"):
        encode(prop, formulation, "m")
    assert tracemalloc.get_traced_memory()[1] < 60 * MEBIBYTE
    tracemalloc.stop()
