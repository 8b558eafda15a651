"""Maxima of linear functions over a set, in float32: those of the support function, attained in the set."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from vnnbench.instances.bounds.support_function import Support
from vnnbench.instances.proofs.question import Part
from vnnbench.instances.properties.input_set import InputSet, Norm, box_set
from vnnbench.prover import region
from vnnbench.prover.region import Points, Region


def ball(random: np.random.Generator, n: int, radius: float) -> InputSet:
    """Draw a ball of L1 in the unit box, whose centre is on the box's surface in some coordinates."""
    centre = np.clip(random.uniform(-0.5, 1.5, size=n), 0.0, 1.0)
    return InputSet(Norm.L1, centre, radius, np.zeros(n), np.ones(n))


def region_of(input_set: InputSet) -> Region:
    radius = None if input_set.norm is Norm.BOX else Fraction(input_set.radius)
    return Region(Part(input_set.lower, input_set.upper, input_set.centre, radius))


@pytest.mark.parametrize("radius", [0.25, 5.0, 40.0, 1000.0])  # few inputs fill the ball, many, and all do not
def test_maxima_over_a_ball_are_those_of_the_support_function(radius):
    random = np.random.default_rng(0)
    input_set = ball(random, 90, radius)
    A = random.normal(size=(20, 90)).astype(np.float32)
    A[0, 3:] = 0
    values, points = region_of(input_set).maximum(A)
    np.testing.assert_allclose(values, Support(input_set).maximum(A.astype(np.float64)), rtol=1e-5)
    steps = region_of(input_set).all_steps(points)
    np.testing.assert_allclose((A * steps).sum(axis=1), values, rtol=1e-5)
    x = input_set.centre + steps
    assert (np.abs(steps).sum(axis=1) <= radius * (1 + 1e-6)).all()
    assert (x >= -1e-6).all() and (x <= 1 + 1e-6).all()


@pytest.mark.parametrize(("q", "n"), [(7, 3), (80, 16), (83, 16), (784, 16), (784, 128), (5, 5)])
def test_the_least_numbers_come_first_in_their_order(q, n):
    random = np.random.default_rng(q)
    numbers = -np.abs(random.normal(size=(30, q)).astype(np.float32)) * 10.0 ** random.integers(-30, 30, size=(30, 1))
    numbers = numbers.astype(np.float32)
    places = region._least(numbers, n)
    assert places.tolist() == numbers.argsort(axis=1)[:, :n].tolist()


def test_of_equal_numbers_each_place_comes_once():
    numbers = np.zeros((2, 83), dtype=np.float32)
    numbers[1] = -0.0
    numbers[1, [5, 82]] = -1.0
    places = region._least(numbers, 16)
    assert [len(set(row)) for row in places.tolist()] == [16, 16] and set(places[1, :2].tolist()) == {5, 82}


def test_the_maximum_over_a_box_is_at_its_corner():
    box = region_of(box_set(np.array([-1.0, 0.0, 2.0]), np.array([1.0, 1.0, 2.0])))
    values, points = box.maximum(np.array([[1, -2, 5]], dtype=np.float32))
    assert (box.centre + box.all_steps(points)).tolist() == [[1.0, 0.0, 2.0]]
    assert values.tolist() == [2.0]  # from the centre (0, 0.5, 2)


def test_points_of_different_widths_are_combined_by_rows():
    few = Points(np.array([[2], [1]]), np.array([[1], [2]], dtype=np.float32))
    many = Points(np.array([[0, 2], [1, 2]]), np.array([[3, 4], [5, 6]], dtype=np.float32))
    columns = np.eye(3, dtype=np.float32)
    combined = few.improved(many, np.array([False, True]))
    assert combined.times(columns).tolist() == [[0, 0, 1], [0, 5, 6]]
    assert many.improved(few, np.array([False, True])).times(columns).tolist() == [[3, 0, 4], [0, 2, 0]]
