"""The optimum of a small network by linear programs, one for every activation pattern."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from scipy.optimize import linprog

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.networks.network import Layered
from vnnbench.instances.properties.goals import Atom
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.property import ClosestProperty, Property


def brute_force(network: Layered, prop: Property) -> float:
    """Return the largest value over the set, -inf where there is none.

    With x = centre + p - m, 0 <= p, m, the network is affine for each pattern of its ReLUs; a linear program in p, m
    and v, the value or the radius, finds the best point of each pattern and disjunct.
    """
    input_set = prop.input_set
    reach = input_set.radius if input_set.norm is Norm.LINF and input_set.radius else np.inf
    rooms = np.concatenate([input_set.upper - input_set.centre, input_set.centre - input_set.lower])
    bounds = [*((0, room) for room in np.minimum(rooms, reach)), (None, None)]
    v = np.eye(len(bounds))[-1]
    objective = v if isinstance(prop, ClosestProperty) else -v
    best = -np.inf
    for pattern in itertools.product((0.0, 1.0), repeat=sum(int(layer.relu.sum()) for layer in network.layers)):
        A, c, rows, sides = _affine_piece(network, input_set, pattern)
        for chosen in itertools.product(*prop.goal.clauses):  # a disjunct of each clause
            disjunct = tuple(atom for part in chosen for atom in part)
            more_rows, more_sides = _goal_rows(prop, disjunct, A, c)
            solved = linprog(objective, np.array([*rows, *more_rows]), [*sides, *more_sides], bounds=bounds)
            if solved.status == 0:
                best = max(best, -solved.fun)
    return best


def _affine_piece(
    network: Layered, input_set: InputSet, pattern: Sequence[float]
) -> tuple[Float64Array, Float64Array, list[Float64Array], list[float]]:
    """Return (A, c, rows, sides): the outputs are A (p, m, v) + c where rows (p, m, v) <= sides, which say that the
    point is in an L1 ball and that the ReLUs are on (1) and off (0) as in the pattern."""
    n = input_set.n_inputs
    A, c = np.hstack([np.eye(n), -np.eye(n), np.zeros((n, 1))]), input_set.centre
    rows: list[Float64Array] = []
    sides: list[float] = []
    place = 0
    if input_set.norm is Norm.L1 and input_set.radius is not None:
        rows.append(np.append(np.ones(2 * n), 0.0))
        sides.append(input_set.radius)
    for constraint in input_set.constraints:
        of_steps = np.array([float(c) for _, c in constraint.terms]) @ A[[i for i, _ in constraint.terms]]
        at_centre = float(constraint.value([Fraction(v) for v in input_set.centre.tolist()]))
        for side, end in ((-1, constraint.lower), (1, constraint.upper)):
            if end is not None:
                rows.append(side * of_steps)
                sides.append(side * (float(end) - at_centre))
    for layer in network.layers:
        divisor = np.ones(layer.n_outputs) if layer.divisor is None else layer.divisor
        A, c = layer.W @ A / divisor[:, None], (layer.W @ c + layer.b) / divisor
        relu = np.flatnonzero(layer.relu)
        on = np.array(pattern[place : place + len(relu)])
        place += len(relu)
        sign = 1 - 2 * on  # z >= 0 where on, z <= 0 where off
        rows += list(sign[:, None] * A[relu])
        sides += list(-sign * c[relu])
        A[relu], c[relu] = on[:, None] * A[relu], on * c[relu]
    return A, c, rows, sides


def _goal_rows(
    prop: Property, disjunct: Sequence[Atom], A: Float64Array, c: Float64Array
) -> tuple[list[Float64Array], list[float]]:
    """Return (rows, sides) for a disjunct on the outputs A (p, m, v) + c: v is at most every atom; for the closest
    point every atom reaches the margin, and v is at least the length of p - m."""
    goals = [sum(float(f) * A[k] for k, f in atom.terms) for atom in disjunct]
    constants = [sum(float(f) * c[k] for k, f in atom.terms) + float(atom.constant) for atom in disjunct]
    *steps, v = np.eye(A.shape[1])
    if not isinstance(prop, ClosestProperty):
        return [v - goal for goal in goals], constants
    n = prop.input_set.n_inputs
    if prop.input_set.norm is Norm.L1:
        lengths = [np.sum(steps, axis=0)]
    else:
        lengths = [p + m for p, m in zip(steps[:n], steps[n:], strict=True)]
    return (
        [*(-goal for goal in goals), *(length - v for length in lengths)],
        [*(constant - float(prop.margin) for constant in constants), *[0.0] * len(lengths)],
    )
