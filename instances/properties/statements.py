"""The statement of a property as formulas, which the writers of VNN-LIB files turn into text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import lcm

from vnnbench.instances.errors import PropertyError
from vnnbench.instances.properties.formulas import (
    AllOf,
    AnyOf,
    Comparison,
    Formula,
    Letter,
    Linear,
    Relation,
    Statement,
    Variable,
)
from vnnbench.instances.properties.goals import Atom
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.linear_constraints import LinearConstraint
from vnnbench.instances.properties.property import LinearProperty, Property, VerifyProperty
from vnnbench.instances.rationals import powers

Bounds = Sequence[tuple[Fraction, Fraction]]
"""The lower and the upper bound of each input, exactly."""


def statement_of(prop: Property, n_outputs: int) -> Statement:
    """Return the property on a network of so many outputs: bounds by input, constraints among inputs, then the goal.

    Raises `PropertyError`: it asks another question than yes or no, or its input set is an L1 ball.
    """
    asked = _yes_or_no(prop)
    if asked.input_set.norm is Norm.L1:
        raise PropertyError("the input set is an L1 ball, which VNN-LIB cannot say about the inputs themselves")
    bounds = box_bounds(asked.input_set)
    constraints = (part for constraint in asked.input_set.constraints for part in _constraint(constraint))
    return Statement(len(bounds), n_outputs, (*_box(bounds), *constraints, *_goal(asked)))


def statement_on_steps(prop: Property, n_outputs: int) -> Statement:
    """Return the property over an L1 ball as one over steps p, m >= 0 from its centre, for `onnx_files.steps`.

        p_i <= min(upper_i - centre_i, radius),  m_i <= min(centre_i - lower_i, radius),  sum(p) + sum(m) <= radius

    Its inputs are p, then m, (2 n_0,). These are just the steps whose x = centre + p - m is in the set: of such an x,
    p = max(x - centre, 0) and m = max(centre - x, 0) are steps, and |x - centre|_1 <= sum(p) + sum(m). Raises
    `PropertyError`: it asks another question than yes or no, or about another set.
    """
    asked = _yes_or_no(prop)
    input_set = asked.input_set
    radius = exact_radius(input_set)
    if input_set.norm is not Norm.L1 or radius is None:
        raise PropertyError(f"the input set is not an L1 ball but of norm {input_set.norm}")
    centre = [Fraction(v) for v in input_set.centre.tolist()]
    box = _set_bounds(input_set)
    up = [min(upper - c, radius) for (_, upper), c in zip(box, centre, strict=True)]
    down = [min(c - lower, radius) for (lower, _), c in zip(box, centre, strict=True)]
    bounds = [(Fraction(0), most) for most in (*up, *down)]
    steps = {Variable(Letter.INPUT, i): Fraction(-1) for i in range(len(bounds))}
    ball = _at_least_0(Linear(steps, radius))
    return Statement(len(bounds), n_outputs, (*_box(bounds), ball, *_goal(asked)))


def box_bounds(input_set: InputSet) -> Bounds:
    """Return the exact bounds of each input over a box, or an L-infinity ball intersected with one."""
    bounds, radius = _set_bounds(input_set), exact_radius(input_set)
    if radius is None:
        return bounds
    centre = [Fraction(v) for v in input_set.centre.tolist()]
    return [(max(lower, c - radius), min(upper, c + radius)) for (lower, upper), c in zip(bounds, centre, strict=True)]


def exact_radius(input_set: InputSet) -> Fraction | None:
    """Return the exact radius; None for a set without a ball."""
    if input_set.radius is None:
        return None
    return Fraction(input_set.radius) if input_set.exact.radius is None else input_set.exact.radius


def _set_bounds(input_set: InputSet) -> Bounds:
    return list(map(input_set.bounds, range(input_set.n_inputs)))


def _yes_or_no(prop: Property) -> VerifyProperty | LinearProperty:
    if not isinstance(prop, VerifyProperty | LinearProperty):
        raise PropertyError(f"the family is {prop.family}, and VNN-LIB asks only whether a goal can be reached")
    return prop


def _box(bounds: Bounds) -> Iterator[Formula]:
    for i, (lower, upper) in enumerate(bounds):
        x = Variable(Letter.INPUT, i)
        yield _at_least_0(Linear({x: Fraction(1)}, -lower))
        yield _at_least_0(Linear({x: Fraction(-1)}, upper))


def _constraint(constraint: LinearConstraint) -> Iterator[Formula]:
    function = Linear({Variable(Letter.INPUT, i): Fraction(coefficient) for i, coefficient in constraint.terms})
    if constraint.lower is not None:
        yield _at_least_0(function.plus(Linear({}, -constraint.lower)))
    if constraint.upper is not None:
        yield _at_least_0(Linear({}, constraint.upper).plus(function, factor=Fraction(-1)))


def _at_least_0(function: Linear) -> Comparison:
    """Return function >= 0 for a function of inputs, times a number with which all decimals end."""
    rest, _, _ = powers(lcm(*(number.denominator for number in (*function.terms.values(), function.constant))))
    return Comparison(function.times(Fraction(rest)), Relation.AT_LEAST, 0)


def _goal(prop: VerifyProperty | LinearProperty) -> Iterator[Formula]:
    for clause in prop.goal.clauses:
        disjuncts = [[_comparison(atom, prop.strict or atom.strict) for atom in disjunct] for disjunct in clause]
        if len(disjuncts) == 1:
            yield from disjuncts[0]
        else:
            yield AnyOf(tuple(AllOf(tuple(disjunct)) for disjunct in disjuncts))


def _comparison(atom: Atom, strict: bool) -> Comparison:
    function = Linear({Variable(Letter.OUTPUT, k): coefficient for k, coefficient in atom.terms}, atom.constant)
    return Comparison(function, Relation.ABOVE if strict else Relation.AT_LEAST, 0)
