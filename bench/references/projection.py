"""Projections onto an input set, for many points at once, in torch's float64: exact up to rounding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from vnnbench.instances.arrays import magnitudes
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.linear_constraints import float_matrix

_ROUNDS = 10
"""The number of rounds over all constraints: what is left outside the set, the repair of a candidate moves into it."""

Projection = Callable[[Tensor], Tensor]


def projection_onto(input_set: InputSet) -> Projection:
    """Return the Euclidean projection of points (B, n_0) onto the set. For a box, also L-infinity, it is clipping.

    With constraints among inputs the points are only moved near the set.
    """
    lower, upper = (torch.from_numpy(np.array(bound)) for bound in input_set.hull)
    if input_set.constraints:
        matrix, *ends = float_matrix(input_set.constraints, magnitudes(*input_set.hull))
        rows = [torch.from_numpy(part) for part in (matrix.toarray(), *ends)]
        return lambda x: move_near(x, lower, upper, *rows)
    if input_set.norm is not Norm.L1 or input_set.radius is None:
        return lambda x: torch.clamp(x, lower, upper)
    centre, radius = torch.from_numpy(np.array(input_set.centre)), input_set.radius
    return lambda x: centre + project_l1(x - centre, radius, centre - lower, upper - centre)


def move_near(x: Tensor, lower: Tensor, upper: Tensor, matrix: Tensor, row_lower: Tensor, row_upper: Tensor) -> Tensor:
    """Return points (B, n_0) near {x : lower <= x <= upper, row_lower <= matrix x <= row_upper}, by projecting `x` onto
    one of these constraints after the other, again and again. Source: Bregman 1965, Soviet Math. Doklady 6."""
    for _ in range(_ROUNDS):
        for row, least, most in zip(matrix, row_lower, row_upper, strict=True):
            value = x @ row
            x = x - (value - torch.clamp(value, least, most))[:, None] * row / (row @ row)
        x = torch.clamp(x, lower, upper)
    return x


def project_l1(step: Tensor, radius: float, below: Tensor, above: Tensor) -> Tensor:
    """Return the points of {d : |d|_1 <= radius, -below <= d <= above} that are nearest to the rows of `step` (B, n).

        d_i = sign(s_i) clip(|s_i| - t, 0, c_i)    c_i: below_i or above_i, by the sign of s_i; both >= 0

    with the least t >= 0 at which |d|_1 <= radius. |d|_1 falls with t, linearly between the numbers |s_i| - c_i, where
    coordinate i begins to shrink, and |s_i|, where it reaches 0. Sorting these numbers finds t.
    Source: Croce and Hein 2021, arXiv:2103.01208.
    """
    size = step.abs()
    room = torch.where(step > 0, above, below)
    begins, ends = (size - room).clamp(min=0.0), size
    places, order = torch.sort(torch.cat([begins, ends], dim=1), dim=1)
    change = torch.cat([-torch.ones_like(begins), torch.ones_like(ends)], dim=1).gather(1, order)
    slope = torch.cumsum(change, dim=1)
    length = torch.minimum(size, room).sum(dim=1, keepdim=True)
    fall = torch.cumsum(slope[:, :-1] * places.diff(dim=1), dim=1)
    lengths = length + torch.cat([torch.zeros_like(length), fall], dim=1)
    last = ((lengths > radius).sum(dim=1, keepdim=True) - 1).clamp(min=0)
    excess = (lengths.gather(1, last) - radius).clamp(min=0.0)
    t = places.gather(1, last) + excess / (-slope.gather(1, last)).clamp(min=1.0)
    t = torch.where(length > radius, t, torch.zeros_like(t))
    return torch.sign(step) * torch.minimum((size - t).clamp(min=0.0), room)
