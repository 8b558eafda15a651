"""Projections onto input sets are feasible, and no other point of the set is nearer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.references.projection import project_l1, projection_onto

N = 6


def rows(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.atleast_2d(values))


def test_inside_the_box_projection_is_soft_thresholding() -> None:
    step = rows(np.array([3.0, -1.0, 0.5]))
    room = torch.full((3,), 10.0, dtype=torch.float64)
    assert project_l1(step, 2.0, room, room).tolist() == [[2.0, 0.0, 0.0]]
    assert project_l1(step, 3.0, room, room).tolist() == [[2.5, -0.5, 0.0]]
    assert project_l1(step, 4.5, room, room).tolist() == [[3.0, -1.0, 0.5]]


def test_a_coordinate_at_its_bound_leaves_its_length_to_the_others() -> None:
    step = rows(np.array([3.0, -2.0]))
    below, above = torch.tensor([1.0, 5.0]).double(), torch.tensor([0.5, 5.0]).double()
    assert project_l1(step, 2.0, below, above).tolist() == [[0.5, -1.5]]


@given(seed=st.integers(0, 2**32 - 1), radius=st.floats(1e-3, 5.0), zeros=st.booleans())
def test_no_point_of_the_set_is_nearer(seed: int, radius: float, zeros: bool) -> None:
    """p is the projection of s onto a convex set exactly when (s - p) (q - p) <= 0 for all its points q."""
    generator = np.random.default_rng(seed)
    step = generator.normal(size=(4, N)) * generator.choice([0.1, 1.0, 10.0])
    below, above = generator.uniform(0, 1, size=(2, N)) * (generator.integers(0, 2, size=(2, N)) if zeros else 1)
    found = project_l1(rows(step), radius, torch.from_numpy(below), torch.from_numpy(above)).numpy()
    assert (np.abs(found).sum(axis=1) <= radius + 1e-12).all()  # rounded at the size of the steps
    assert (found >= -below).all() and (found <= above).all()
    for q in generator.uniform(-below, above, size=(50, N)):
        inside = q * min(1.0, radius / max(np.abs(q).sum(), 1e-300))
        assert (((step - found) * (inside - found)).sum(axis=1) <= 1e-9).all()
    for i in range(N):  # the vertices of the ball, as far as the box lets them
        for end in (min(radius, above[i]), -min(radius, below[i])):
            vertex = np.zeros(N)
            vertex[i] = end
            assert (((step - found) * (vertex - found)).sum(axis=1) <= 1e-9).all()


def furthest(direction: np.ndarray, radius: float, below: np.ndarray, above: np.ndarray) -> float:
    """max direction q over {q : |q|_1 <= radius, -below <= q <= above}: a fractional knapsack, the steepest first."""
    reached, left = 0.0, radius
    for i in np.argsort(-np.abs(direction)):
        step = min(left, above[i] if direction[i] > 0 else below[i])
        reached, left = reached + abs(direction[i]) * step, left - step
    return reached


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 40),
    radius=st.sampled_from([0.0, 0.25, 1.0, 3.0, 100.0]),
    grid=st.booleans(),
    scale=st.sampled_from([1e-6, 1.0, 1e6]),
)
def test_no_point_of_the_whole_set_is_nearer(seed: int, n: int, radius: float, grid: bool, scale: float) -> None:
    """p is the projection of s exactly when it lies in the set and max over its points q of (s - p) q is (s - p) p; the
    maximum is found without projecting. On a grid: with ties, zeros and coordinates without room."""
    generator = np.random.default_rng(seed)
    step, below, above = generator.normal(size=n), *generator.uniform(size=(2, n))
    if grid:
        step, below, above = np.round(2 * step) / 2, np.round(2 * below) / 2, np.round(2 * above) / 2
    step, below, above, radius = scale * step, scale * below, scale * above, scale * radius
    (found,) = project_l1(rows(step), radius, torch.from_numpy(below), torch.from_numpy(above)).numpy()
    size = scale * n
    assert np.abs(found).sum() <= radius + 1e-15 * n * size
    assert (found >= -below).all() and (found <= above).all()
    rest = step - found
    assert furthest(rest, radius, below, above) <= rest @ found + 1e-14 * n * size**2


@pytest.mark.parametrize("norm", list(Norm))
def test_projected_points_are_in_the_set_but_for_rounding_and_those_in_it_stay(norm: Norm) -> None:
    generator = np.random.default_rng(0)
    centre = generator.uniform(0.2, 0.8, size=N)
    ball = InputSet(norm, centre, None if norm is Norm.BOX else 0.4, np.zeros(N), np.ones(N))
    project = projection_onto(ball)
    found = project(rows(generator.normal(size=(100, N)) * 3))
    assert max(ball.violation(x) for x in found.numpy()) < 1e-14
    assert torch.allclose(project(found), found, rtol=0, atol=1e-14)
