"""The rows of a goal that is more than one atom to be maximized: several atoms, or a margin to be reached.

    goal_D_i:  t <= atom_Di + M_Di (1 - e_D)          t, the value, is maximized
    one:       sum_D e_D = 1                          the disjunct that counts; no e where one alone is left
    goal_D_i:  margin <= atom_Di + M_Di (1 - e_D)     family `closest`: the column r is minimized instead of t

M_Di is the largest amount by which any other disjunct, or the margin, can exceed the atom, from the atoms' bounds. A
disjunct that never exceeds another one is left out. Rows of a margin are rounded so that no point that reaches it is
lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vnnbench.instances.bounds.levels import LayerBounds
from vnnbench.instances.formulations.folding import ROUNDED_UP, FoldedLayer
from vnnbench.instances.formulations.milp import MIN_BIG_M, MilpBuilder, bound_in_file, in_file, rounding_in_file
from vnnbench.instances.networks.network import Layered
from vnnbench.instances.properties.goals import Atom, OutputGoal
from vnnbench.instances.properties.property import ClosestProperty, Property
from vnnbench.instances.rationals import float_above

_SLACK = 2.0**-30
"""Relative widening of M that covers the rounding of a right-hand side."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An atom over the outputs v_j of the last layer with columns: sum of coefficients[j] v_j + constant, exactly.

    error: bound on |the file's expression - the atom|. lower, upper: bounds of the file's expression; infinite for the
    only atom of a goal, which is not compared with others.
    """

    coefficients: dict[int, Fraction]
    constant: Fraction
    error: float
    lower: float
    upper: float


Disjuncts = dict[int, list[Expression]]
"""The disjuncts of a goal by their positions in it."""


def express(network: Layered, goal: OutputGoal, last: FoldedLayer, bounds: Sequence[LayerBounds]) -> Disjuncts:
    """Return the goal over the last hidden layer if it is a single atom, else over the outputs.

    Disjuncts that never exceed another one are left out. bounds: of the layers of the goal's chain.
    """
    if goal.single is not None:
        return {0: [_expression(*_through_outputs(goal.single, network), last)]}
    lower, upper = iter(bounds[-1].lower.tolist()), iter(bounds[-1].upper.tolist())
    disjuncts = {
        d: [_bounded(atom, last, next(lower), next(upper)) for atom in disjunct]
        for d, disjunct in enumerate(goal.disjuncts)
    }
    best = max(disjuncts, key=lambda d: _least(disjuncts[d]))
    floor = _least(disjuncts[best])
    return {d: disjunct for d, disjunct in disjuncts.items() if d == best or _most(disjunct) > floor}


def add_goal_rows(
    builder: MilpBuilder, disjuncts: Disjuncts, column_of: npt.NDArray[np.int64], prop: Property
) -> float:
    """Add the goal's columns and rows; column_of: the columns of the outputs that the expressions read.

    Returns the largest change of a row by rounding and dropped numbers, which is the change of the value, or of the
    margin that is to be reached.
    """
    margin = prop.margin if isinstance(prop, ClosestProperty) else None
    big_m = _big_m(disjuncts, margin)
    sides = {
        (d, i): Fraction(big_m[d, i]) + expression.constant
        for d, disjunct in disjuncts.items()
        for i, expression in enumerate(disjunct)
    }
    rounding = max(disjuncts[d][i].error + rounding_in_file(side) for (d, i), side in sides.items()) * ROUNDED_UP
    own: list[int] = []
    if margin is None:
        lower, upper = max(map(_least, disjuncts.values())), max(map(_most, disjuncts.values()))
        lower, upper = np.nextafter([lower - rounding, upper + rounding], [-np.inf, np.inf]).tolist()
        own = [builder.add_column("t", bound_in_file(lower, -1), bound_in_file(upper, 1))]
        builder.set_objective(own[0], -1.0)
    chosen: dict[int, int] = {}
    if len(disjuncts) > 1:
        chosen = {d: builder.add_column(f"e_{d}", 0.0, 1.0, integer=True) for d in disjuncts}
        builder.add_row("one", "E", 1.0, list(chosen.values()), np.ones(len(chosen)))
    for (d, i), side in sides.items():
        expression = disjuncts[d][i]
        columns = [*own, *column_of[list(expression.coefficients)].tolist()]
        values = [1.0] * len(own) + [-in_file(c) for c in expression.coefficients.values()]
        if chosen:
            columns, values = [*columns, chosen[d]], [*values, big_m[d, i]]
        rhs = in_file(side)
        if margin is not None:
            rhs = bound_in_file(float_above(side - margin + Fraction(expression.error)), 1)
        builder.add_row(f"goal_{d}_{i}", "L", rhs, columns, values)
    return rounding


def _big_m(disjuncts: Disjuncts, margin: Fraction | None) -> dict[tuple[int, int], float]:
    """Return M of every atom; 0 where there is only one disjunct."""
    found: dict[tuple[int, int], float] = {}
    for d, disjunct in disjuncts.items():
        others = [_most(other) for place, other in disjuncts.items() if place != d]
        most = float_above(margin) if margin is not None else max(others, default=0.0)
        for i, expression in enumerate(disjunct):
            slack = _SLACK * float_above(abs(expression.constant))
            m = (most - expression.lower) * (1 + _SLACK) + slack
            found[d, i] = max(m, MIN_BIG_M) if others else 0.0
    return found


def _least(disjunct: list[Expression]) -> float:
    return min(expression.lower for expression in disjunct)


def _most(disjunct: list[Expression]) -> float:
    return min(expression.upper for expression in disjunct)


def _through_outputs(atom: Atom, network: Layered) -> tuple[dict[int, Fraction], Fraction]:
    """Return the coefficients and the constant of an atom over the last hidden layer."""
    output = network.layers[-1]
    coefficients: dict[int, Fraction] = {}
    constant = atom.constant
    for k, factor in atom.terms:
        scale = factor if output.divisor is None else factor / Fraction(output.divisor[k])
        constant += scale * Fraction(output.b[k])
        neurons, weights = output.row(k)
        for j, weight in zip(neurons.tolist(), weights.tolist(), strict=True):
            coefficients[j] = coefficients.get(j, Fraction(0)) + scale * Fraction(weight)
    return {j: coefficients[j] for j in sorted(coefficients) if coefficients[j]}, constant


def _expression(coefficients: dict[int, Fraction], constant: Fraction, last: FoldedLayer) -> Expression:
    """Return the expression with the constants among the outputs folded, and with infinite bounds."""
    constant += sum((c * last.constant[j] for j, c in coefficients.items() if last.fixed[j]), Fraction(0))
    magnitude, error = last.magnitude, rounding_in_file(constant)
    for j, coefficient in coefficients.items():
        if last.fixed[j]:
            error += abs(float(coefficient)) * float(last.error[j])
        else:
            error += rounding_in_file(coefficient) * float(magnitude[j])
            error += abs(in_file(coefficient)) * float(last.error[j])
    variable = {j: coefficient for j, coefficient in coefficients.items() if not last.fixed[j]}
    return Expression(variable, constant, error * ROUNDED_UP, -np.inf, np.inf)


def _bounded(atom: Atom, outputs: FoldedLayer, lower: float, upper: float) -> Expression:
    """Return an atom over the outputs; lower, upper: bounds of its layer, which has the nearest float64 numbers."""
    free = _expression(dict(atom.terms), atom.constant, outputs)
    apart = abs(atom.constant - Fraction(float(atom.constant)))
    for k, coefficient in atom.terms:
        apart += abs(coefficient - Fraction(float(coefficient))) * Fraction(outputs.magnitude[k])
    widening = (float_above(apart) + free.error) * ROUNDED_UP
    lower, upper = float(np.nextafter(lower - widening, -np.inf)), float(np.nextafter(upper + widening, np.inf))
    return Expression(free.coefficients, free.constant, free.error, lower, upper)
