"""The rows of a goal that is more than one atom to be maximized: several atoms, or a margin to be reached.

    goal_D_i:  t <= atom_Di + M_Di (1 - e_D)          t, the value, is maximized
    one:       sum_D e_D = 1                          the disjunct that counts; no e where one alone is left
    goal_D_i:  margin <= atom_Di + M_Di (1 - e_D)     family `closest`: the column r is minimized instead of t

M_Di is the largest amount by which any other disjunct, or the margin, can exceed the atom, from the atoms' bounds. A
disjunct that never exceeds another one is left out. Rows of a margin are rounded so that no point that reaches it is
lost.

A goal of several clauses C has these rows for each, named goal_C_D_i, one_C and e_C_D; t is then at most the least of
them. A clause with two disjuncts has one binary, e_C_0, and 1 - e_C_0 in place of the other. A clause that always
exceeds another one is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from vnnbench.instances.bounds.levels import LayerBounds
from vnnbench.instances.formulations.folding import ROUNDED_UP, FoldedLayer
from vnnbench.instances.formulations.milp import MIN_BIG_M, MilpBuilder, apart, bound_in_file, in_file, rounding_in_file
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
"""The disjuncts of a clause by their positions in it."""

Clauses = dict[int, Disjuncts]
"""The clauses of a goal by their positions in it."""


def express(network: Layered, goal: OutputGoal, last: FoldedLayer, bounds: Sequence[LayerBounds]) -> Clauses:
    """Return the goal over the last hidden layer if it is a single atom, else over the outputs.

    Disjuncts that never exceed another one are left out, and clauses that always do. bounds: of the layers of the
    goal's chain.
    """
    if goal.single is not None:
        return {0: {0: [_expression(*_through_outputs(goal.single, network), last)]}}
    lower, upper = iter(bounds[-1].lower.tolist()), iter(bounds[-1].upper.tolist())
    clauses = {
        c: _best({d: [_bounded(atom, last, next(lower), next(upper)) for atom in one] for d, one in enumerate(clause)})
        for c, clause in enumerate(goal.clauses)
    }
    binding = min(clauses, key=lambda c: _ceiling(clauses[c]))
    ceiling = _ceiling(clauses[binding])
    return {c: clause for c, clause in clauses.items() if c == binding or _floor(clause) < ceiling}


def expressions(clauses: Clauses) -> Iterator[Expression]:
    """Yield the atoms of all clauses."""
    for clause in clauses.values():
        for disjunct in clause.values():
            yield from disjunct


def _best(disjuncts: Disjuncts) -> Disjuncts:
    """Return the disjuncts of a clause without those that never exceed another one."""
    best = max(disjuncts, key=lambda d: _least(disjuncts[d]))
    floor = _least(disjuncts[best])
    return {d: disjunct for d, disjunct in disjuncts.items() if d == best or _most(disjunct) > floor}


def add_goal_rows(builder: MilpBuilder, clauses: Clauses, column_of: npt.NDArray[np.int64], prop: Property) -> float:
    """Add the goal's columns and rows; column_of: the columns of the outputs that the expressions read.

    Returns the largest change of a row by rounding and dropped numbers, which is the change of the value, or of the
    margin that is to be reached.
    """
    margin = prop.margin if isinstance(prop, ClosestProperty) else None
    several = len(prop.goal.clauses) > 1
    limit = _limit(clauses) if several else np.inf
    rows = [row for c, clause in clauses.items() for row in _rows(c, clause, margin, limit, several)]
    rounding = max(row.expression.error + rounding_in_file(row.side) for row in rows) * ROUNDED_UP
    own: list[int] = []
    if margin is None:
        lower, upper = min(map(_floor, clauses.values())), min(map(_ceiling, clauses.values()))
        lower, upper = np.nextafter([lower - rounding, upper + rounding], [-np.inf, np.inf]).tolist()
        lower, upper = bound_in_file(lower, -1), bound_in_file(upper, 1)
        own = [builder.add_column("t", lower, apart(lower, upper))]
        builder.set_objective(own[0], -1.0)
    binaries = {c: _add_binaries(builder, clause, f"_{c}" if several else "") for c, clause in clauses.items()}
    for row in rows:
        coefficients = row.expression.coefficients
        columns = [*own, *column_of[list(coefficients)].tolist()]
        values = [1.0] * len(own) + [-in_file(coefficient) for coefficient in coefficients.values()]
        if row.big_m:
            columns, values = [*columns, binaries[row.clause][row.binary]], [*values, row.big_m]
        rhs = in_file(row.side)
        if margin is not None:
            rhs = bound_in_file(float_above(row.side - margin + Fraction(row.expression.error)), 1)
        builder.add_row(row.name, "L", rhs, columns, values)
    return rounding


@dataclass(frozen=True, slots=True)
class _Row:
    """A row  t - expression + big_m binary <= side, without its constant part.

    big_m: M where the binary chooses the disjunct by 1, -M where it does so by 0, 0 where nothing is chosen. binary:
    the disjunct that the binary is named after.
    """

    name: str
    clause: int
    binary: int
    expression: Expression
    big_m: float

    @property
    def side(self) -> Fraction:
        return Fraction(max(self.big_m, 0.0)) + self.expression.constant


def _rows(c: int, clause: Disjuncts, margin: Fraction | None, limit: float, several: bool) -> Iterator[_Row]:
    """Yield the rows of a clause."""
    first = next(iter(clause))
    one_binary = several and len(clause) == 2
    for (d, i), m in _big_m(clause, margin, limit).items():
        by_zero = one_binary and d != first
        name = f"goal_{c}_{d}_{i}" if several else f"goal_{d}_{i}"
        yield _Row(name, c, first if by_zero else d, clause[d][i], -m if by_zero else m)


def _add_binaries(builder: MilpBuilder, clause: Disjuncts, prefix: str) -> dict[int, int]:
    """Add the binaries of a clause, and return their columns by disjunct; `prefix` names the clause, if any does."""
    if len(clause) == 1:
        return {}
    named = list(clause)[:1] if prefix and len(clause) == 2 else list(clause)
    binaries = {d: builder.add_column(f"e{prefix}_{d}", 0.0, 1.0, integer=True) for d in named}
    if len(named) > 1:
        builder.add_row(f"one{prefix}", "E", 1.0, list(binaries.values()), np.ones(len(binaries)))
    return binaries


def _limit(clauses: Clauses) -> float:
    """Return an upper bound of t, the least over the clauses, with room for the rounding of any row."""
    largest = max(
        float_above(abs(expression.constant)) + abs(expression.lower) + abs(expression.upper)
        for expression in expressions(clauses)
    )
    return min(map(_ceiling, clauses.values())) + _SLACK * largest


def _big_m(clause: Disjuncts, margin: Fraction | None, limit: float) -> dict[tuple[int, int], float]:
    """Return M of every atom of a clause; 0 where there is only one disjunct. limit: an upper bound of t."""
    found: dict[tuple[int, int], float] = {}
    for d, disjunct in clause.items():
        others = [_most(other) for place, other in clause.items() if place != d]
        most = float_above(margin) if margin is not None else min(max(others, default=0.0), limit)
        for i, expression in enumerate(disjunct):
            slack = _SLACK * float_above(abs(expression.constant))
            m = (most - expression.lower) * (1 + _SLACK) + slack
            found[d, i] = max(m, MIN_BIG_M) if others else 0.0
    return found


def _floor(clause: Disjuncts) -> float:
    """Return a lower bound of a clause's value."""
    return max(map(_least, clause.values()))


def _ceiling(clause: Disjuncts) -> float:
    """Return an upper bound of a clause's value."""
    return max(map(_most, clause.values()))


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
