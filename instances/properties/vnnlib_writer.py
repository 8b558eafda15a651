"""The writer of VNN-LIB files, and the meaning of a property in VNN-LIB: a box and a goal, both exact.

Every number is written as a decimal that ends, so it reads back as exactly the same rational; every dyadic number has
such a decimal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from vnnbench.instances.properties.goals import Atom, OutputGoal
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.property import LinearProperty, Property, VerifyProperty
from vnnbench.instances.rationals import to_text


@dataclass(frozen=True, slots=True)
class Meaning:
    """The box lower <= x <= upper, and the disjuncts of the goal, with terms and atoms in a fixed order."""

    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]
    disjuncts: frozenset[frozenset[tuple[frozenset[tuple[int, Fraction]], Fraction]]]


def meaning(prop: Property) -> Meaning | None:
    """Return the property in VNN-LIB's terms, without its strictness, or None if VNN-LIB cannot express it.

    It cannot express L1 balls, and questions other than yes or no.
    """
    if not isinstance(prop, VerifyProperty | LinearProperty) or prop.input_set.norm is Norm.L1:
        return None
    lower, upper = _box(prop.input_set)
    disjuncts = frozenset(
        frozenset((frozenset(atom.terms), atom.constant) for atom in disjunct) for disjunct in prop.goal.disjuncts
    )
    return Meaning(lower, upper, disjuncts)


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
        *(n for atom in prop.goal.atoms for n in (*dict(atom.terms).values(), atom.constant)),
    ]
    if any("/" in to_text(number) for number in numbers):
        return None
    return "".join(f"{line}\n" for line in _lines(prop, said, n_outputs)).encode("ascii")


def _box(s: InputSet) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]]:
    """Return the set's ends by input, exactly, for a box, or an L-infinity ball intersected with one."""
    lower = [s.exact.lower.get(i, Fraction(v)) for i, v in enumerate(s.lower.tolist())]
    upper = [s.exact.upper.get(i, Fraction(v)) for i, v in enumerate(s.upper.tolist())]
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
    yield from _goal_lines(prop.goal)


def _goal_lines(goal: OutputGoal) -> Iterator[str]:
    if len(goal.disjuncts) == 1:
        yield from (f"(assert {_comparison(atom)})" for atom in goal.atoms)
        return
    yield "(assert (or"
    for disjunct in goal.disjuncts:
        yield f"  (and {' '.join(map(_comparison, disjunct))})"
    yield "))"


def _comparison(atom: Atom) -> str:
    """Return the text of atom >= 0, as greater >= less if the atom is a difference of two outputs."""
    if sorted(c for _, c in atom.terms) == [-1, 1] and not atom.constant:
        output = {c: k for k, c in atom.terms}
        return f"(>= Y_{output[Fraction(1)]} Y_{output[Fraction(-1)]})"
    terms = [f"Y_{k}" if c == 1 else f"(* {_number(c)} Y_{k})" for k, c in atom.terms]
    left = terms[0] if len(terms) == 1 else f"(+ {' '.join(terms)})"
    return f"(>= {left} {_number(-atom.constant)})"


def _number(exact: Fraction) -> str:
    text = to_text(exact)
    return text if "." in text else f"{text}.0"
