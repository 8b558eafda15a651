"""Bounds over boxes that linear constraints among inputs cut, and over inputs at decimals."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.exact import forward
from support.networks import random_network
from vnnbench.instances.bounds.levels import BoundLevel, bound_layers
from vnnbench.instances.bounds.support_function import Support
from vnnbench.instances.properties.linear_constraints import LinearConstraint
from vnnbench.instances.properties.rational_set import rational_set

TENTH = Fraction(1, 10)
SETS = {
    "half-space": [LinearConstraint(((0, 1), (1, 1), (2, 1)), None, TENTH)],
    "slab": [LinearConstraint(((0, 3), (2, -7)), -TENTH, Fraction(1, 3))],
    "equality": [LinearConstraint(((0, 3), (1, 7), (2, -7)), TENTH, TENTH)],
    "equality and half-space": [
        LinearConstraint(((0, 1), (1, -3)), Fraction(0), Fraction(0)),
        LinearConstraint(((0, 1), (2, 1)), TENTH, None),
    ],
}


def cut(name):
    return rational_set([(-TENTH * (i + 1), Fraction(1)) for i in range(3)], tuple(SETS[name]))


def vertices(input_set):
    """Return the vertices of a set of three inputs, exactly: the points of it where three of its planes meet."""
    planes = [([Fraction(int(k == i)) for k in range(3)], end) for i in range(3) for end in input_set.bounds(i)]
    for row in input_set.constraints:
        coefficients = [Fraction(dict(row.terms).get(k, 0)) for k in range(3)]
        planes += [(coefficients, end) for end in {row.lower, row.upper} if end is not None]
    found = set()
    for three in itertools.combinations(planes, 3):
        x = _meet(*zip(*three, strict=True))
        if x is None or any(not input_set.bounds(i)[0] <= v <= input_set.bounds(i)[1] for i, v in enumerate(x)):
            continue
        if all(row.violation(x) == 0 for row in input_set.constraints):
            found.add(tuple(x))
    return [list(x) for x in found]


def _meet(rows, sides):
    """Return the only x with rows x = sides by Cramer's rule; None if there is not exactly one."""

    def determinant(m):
        return sum(m[0][i] * (m[1][i - 2] * m[2][i - 1] - m[1][i - 1] * m[2][i - 2]) for i in range(3))

    whole = determinant(rows)
    if whole == 0:
        return None
    replaced = [[[*row[:i], side, *row[i + 1 :]] for row, side in zip(rows, sides, strict=True)] for i in range(3)]
    return [determinant(matrix) / whole for matrix in replaced]


@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(list(SETS)), level=st.sampled_from(BoundLevel))
@settings(max_examples=100, deadline=None)
def test_bounds_hold_exactly_at_every_vertex_and_between_them(seed, name, level):
    network, input_set = random_network((3, 4, 3, 2), seed), cut(name)
    corners = vertices(input_set)
    middles = [[(a + b) / 2 for a, b in zip(*pair, strict=True)] for pair in itertools.combinations(corners, 2)]
    layers = bound_layers(network, input_set, level)
    for x in corners + middles:
        for z_exact, bounds in zip(forward(network, x), layers, strict=True):
            for z, lower, upper in zip(z_exact, bounds.lower.tolist(), bounds.upper.tolist(), strict=True):
                assert lower <= z <= upper


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("level", [BoundLevel.INTERVAL, BoundLevel.BACKWARD])
def test_the_first_layer_is_tight(name, level):
    network, input_set = random_network((3, 5), 3), cut(name)
    (layer,) = bound_layers(network, input_set, level)
    at_vertices = np.array([forward(network, x)[0] for x in vertices(input_set)], dtype=np.float64)
    np.testing.assert_allclose(layer.upper, at_vertices.max(axis=0), atol=1e-9)
    np.testing.assert_allclose(layer.lower, at_vertices.min(axis=0), atol=1e-9)


@pytest.mark.parametrize("name", SETS)
def test_maximizers_reach_the_maxima(name):
    support = Support(cut(name))
    A = np.random.default_rng(0).normal(size=(20, 3))
    points, values = support.maximizers(A)
    np.testing.assert_allclose(values, support.maximum(A), atol=1e-9)
    np.testing.assert_allclose(((points - support.centre) * A).sum(axis=1), values, atol=1e-12)


def test_an_input_at_a_decimal_moves_no_bound_by_more_than_its_rounding():
    network = random_network((3, 5, 2), 1)
    fixed = rational_set([(TENTH, TENTH), (Fraction(0), Fraction(1)), (TENTH, TENTH)])
    for bounds, z in zip(
        bound_layers(network, fixed, BoundLevel.BACKWARD), forward(network, [TENTH, Fraction(1), TENTH]), strict=True
    ):
        assert all(lo <= v <= hi for lo, v, hi in zip(bounds.lower.tolist(), z, bounds.upper.tolist(), strict=True))
    (first, _) = bound_layers(network, fixed, BoundLevel.BACKWARD)
    ends = np.array([forward(network, [TENTH, Fraction(v), TENTH])[0] for v in (0, 1)], dtype=np.float64)
    np.testing.assert_allclose(first.upper, ends.max(axis=0), atol=1e-12)
