"""Sizes of a model's numbers, and warnings about what a solver would drop or scale badly."""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pytest

from vnnbench.instances.formulations.milp import MilpBuilder, MilpModel
from vnnbench.instances.formulations.numerics import Numerics, numerics


@pytest.fixture
def model() -> MilpModel:
    """A model with entries 0.5 and -3 of continuous columns, -20 and 4 of integer ones; other numbers do not count."""
    builder = MilpBuilder("n")
    x = builder.add_column("x", -1e7, 1e7)
    d = builder.add_column("d", 0.0, 1.0, integer=True)
    k = builder.add_column("k", 0.0, 9.0, integer=True)
    builder.set_objective(x, 1e8)
    builder.add_row("r", "L", 1e9, [x, d], [0.5, -20.0])
    builder.add_row("s", "G", 2e-9, [x, k], [-3.0, 4.0])
    return builder.build()


def test_sizes_are_those_of_the_matrix(model):
    assert numerics(model) == Numerics(0.5, 20.0, 4.0, 20.0, 100.0)


def test_sizes_without_numbers_are_none(model):
    assert numerics(replace(model, integer=np.zeros(3, dtype=bool))) == Numerics(0.5, 20.0, None, None, 100.0)
    empty = replace(model, data=np.zeros(4), objective=np.zeros(3))
    assert astuple(numerics(empty)) == (None, None, None, None, 0.0)
    assert list(numerics(empty).concerns(0.0, None)) == []


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((1.1e-9, 1.0, None, None), []),
        ((1e-9, 0.8, None, None), ["a coefficient is 1e-09: solvers drop those of at most 1e-09"]),
        ((1e-3, 1e6, 1e-3, 1e3), []),
        ((1e-3, 1.1e6, None, None), ["coefficients range from 0.001 to 1.1e+06: solvers scale a range above 1e+09"]),
        ((1.0, 2e3, 1.0, 2e3), ["a big-M is 2e+03: a binary at 1e-6, which counts as 0, relaxes its row by 0.002"]),
        ((1e-10, 1e7, 1.0, 1e7), ["a coefficient is 1e-10", "coefficients range from 1e-10 to", "a big-M is 1e+07"]),
    ],
)
def test_concerns_begin_beyond_the_limits(sizes, words):
    found = list(Numerics(*sizes, 1e-3).concerns(1e-6, None))
    assert len(found) == len(words)
    assert all(line.startswith(word) for line, word in zip(found, words, strict=True))


@pytest.mark.parametrize(("value", "size"), [(None, 1.0), (-0.5, 1.0), (-400.0, 400.0)])
def test_movements_of_the_value_are_judged_by_its_size(value, size):
    quiet, loud = Numerics(1.0, 1.0, None, None, 1e-3 * size), Numerics(1.0, 1.0, None, None, 2e-3 * size)
    assert list(quiet.concerns(1e-6 * size, value)) == []
    tolerance, rounding = loud.concerns(2.0 * size, value)
    assert tolerance.startswith(f"solvers' tolerances of 1e-06 can move the value by about {2e-3 * size:.3g}: ")
    assert rounding.endswith(f"that are left out, move the value by up to {2.0 * size:.3g}")
