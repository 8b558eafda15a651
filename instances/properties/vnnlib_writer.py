"""The writer of VNN-LIB files, and the meaning of a property in VNN-LIB: a box and a goal, both exact.

Every number is written as a decimal that ends, so it reads back as exactly the same rational; every dyadic number has
such a decimal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import prod

from vnnbench.instances.properties.goals import Atom, Clause
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.linear_constraints import LinearConstraint
from vnnbench.instances.properties.property import LinearProperty, Property, VerifyProperty
from vnnbench.instances.rationals import to_text

_Atom = tuple[frozenset[tuple[int, Fraction]], Fraction, bool]
_Clause = frozenset[frozenset[_Atom]]


_MULTIPLIED_OUT = 10_000
"""The most disjuncts of the one clause that several clauses are multiplied out to."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """The box lower <= x <= upper, the constraints, and the clauses of the goal, with all parts in a fixed order.

    Clauses are multiplied out where that is small, as in libraries of earlier versions.
    """

    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]
    constraints: frozenset[LinearConstraint]
    clauses: frozenset[_Clause]


def meaning(prop: Property) -> Meaning | None:
    """Return the property in VNN-LIB's terms, or None if VNN-LIB cannot express it.

    It cannot express L1 balls, and questions other than yes or no. The strictness of a whole property is left out.
    """
    if not isinstance(prop, VerifyProperty | LinearProperty) or prop.input_set.norm is Norm.L1:
        return None
    lower, upper = _box(prop.input_set)
    clauses = frozenset(
        frozenset(
            frozenset((frozenset(atom.terms), atom.constant, atom.strict) for atom in disjunct) for disjunct in clause
        )
        for clause in prop.goal.clauses
    )
    if prod(map(len, clauses)) <= _MULTIPLIED_OUT:
        clauses = frozenset({frozenset(frozenset().union(*chosen) for chosen in product(*clauses))})
    return Meaning(lower, upper, frozenset(prop.input_set.constraints), clauses)


def vnnlib_bytes(prop: Property, n_outputs: int) -> bytes | None:
    """Return the VNN-LIB file of the property on a network with this many outputs, or None.

    It is None if `meaning` is, and if a number does not have a decimal that ends.
    """
    said = meaning(prop)
    if said is None or not isinstance(prop, VerifyProperty | LinearProperty):
        return None
    numbers = [
        *said.lower,
        *said.upper,
        *(end for c in prop.input_set.constraints for end in (c.lower, c.upper) if end is not None),
        *(n for atom in prop.goal.atoms for n in (*dict(atom.terms).values(), atom.constant)),
    ]
    if any("/" in to_text(number) for number in numbers):
        return None
    return "".join(f"{line}\n" for line in _lines(prop, said, n_outputs)).encode("ascii")


def _box(s: InputSet) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]]:
    """Return the set's ends by input, exactly, for a box, or an L-infinity ball intersected with one."""
    lower, upper = map(list, zip(*map(s.bounds, range(s.n_inputs)), strict=True))
    if s.radius is not None:
        radius = Fraction(s.radius) if s.exact.radius is None else s.exact.radius
        centre = [Fraction(v) for v in s.centre.tolist()]
        lower = [max(bound, c - radius) for bound, c in zip(lower, centre, strict=True)]
        upper = [min(bound, c + radius) for bound, c in zip(upper, centre, strict=True)]
    return tuple(lower), tuple(upper)


def _lines(prop: VerifyProperty | LinearProperty, said: Meaning, n_outputs: int) -> Iterator[str]:
    if prop.strict:
        yield "; The goal is strict: it is not reached where both sides are equal. VNN-LIB has no way to say so."
    for letter, count in (("X", len(said.lower)), ("Y", n_outputs)):
        yield from (f"(declare-const {letter}_{i} Real)" for i in range(count))
    for i, (lower, upper) in enumerate(zip(said.lower, said.upper, strict=True)):
        yield f"(assert (>= X_{i} {_number(lower)}))"
        yield f"(assert (<= X_{i} {_number(upper)}))"
    for constraint in prop.input_set.constraints:
        terms = " ".join(f"X_{i}" if c == 1 else f"(* {_number(Fraction(c))} X_{i})" for i, c in constraint.terms)
        if constraint.lower is not None:
            yield f"(assert (>= (+ {terms}) {_number(constraint.lower)}))"
        if constraint.upper is not None:
            yield f"(assert (<= (+ {terms}) {_number(constraint.upper)}))"
    for clause in prop.goal.clauses:
        yield from _clause_lines(clause)


def _clause_lines(clause: Clause) -> Iterator[str]:
    if len(clause) == 1:
        yield from (f"(assert {_comparison(atom)})" for atom in clause[0])
        return
    yield "(assert (or"
    for disjunct in clause:
        yield f"  (and {' '.join(map(_comparison, disjunct))})"
    yield "))"


def _comparison(atom: Atom) -> str:
    """Return the text of atom >= 0 (> 0), as greater >= less if the atom is a difference of two outputs."""
    sign = ">" if atom.strict else ">="
    if sorted(c for _, c in atom.terms) == [-1, 1] and not atom.constant:
        output = {c: k for k, c in atom.terms}
        return f"({sign} Y_{output[Fraction(1)]} Y_{output[Fraction(-1)]})"
    terms = [f"Y_{k}" if c == 1 else f"(* {_number(c)} Y_{k})" for k, c in atom.terms]
    left = terms[0] if len(terms) == 1 else f"(+ {' '.join(terms)})"
    return f"({sign} {left} {_number(-atom.constant)})"


def _number(exact: Fraction) -> str:
    text = to_text(exact)
    return text if "." in text else f"{text}.0"
