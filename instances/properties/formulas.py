"""Formulas over a network's inputs and outputs, as a VNN-LIB file of either version states them; all numbers are exact.

    comparison    sum of coefficient * variable + constant  >= 0, > 0 or = 0
    formula       a comparison, or all of several formulas, or any of them

The readers of files make a `Statement`; `questions` turns it into properties.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple, TypeAlias

from vnnbench.instances.errors import PropertyError


class Letter(StrEnum):
    """Whether a variable is an input, X, or an output, Y."""

    INPUT = "X"
    OUTPUT = "Y"


class Variable(NamedTuple):
    """An input or output of the network, by its number from 0."""

    letter: Letter
    number: int

    def __str__(self) -> str:
        return f"{self.letter}_{self.number}"


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear function: the sum of coefficient * variable, plus a constant."""

    terms: Mapping[Variable, Fraction]
    constant: Fraction = Fraction(0)

    def plus(self, *others: Linear, factor: Fraction = Fraction(1)) -> Linear:
        """Return this function plus `factor` times each of the others."""
        terms, constant = dict(self.terms), self.constant
        for other in others:
            for variable, coefficient in other.terms.items():
                terms[variable] = terms.get(variable, Fraction(0)) + factor * coefficient
            constant += factor * other.constant
        return Linear(terms, constant)

    def times(self, factor: Fraction) -> Linear:
        """Return `factor` times this function."""
        return Linear({}).plus(self, factor=factor)


class Relation(StrEnum):
    """The relation of a function to 0."""

    AT_LEAST = ">="
    ABOVE = ">"
    EQUAL = "="


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of a linear function with 0, and its line in the file, from 1.

    function: of inputs only or of outputs only, without coefficients 0.
    """

    function: Linear
    relation: Relation
    line: int

    @property
    def is_of_inputs(self) -> bool:
        return next(iter(self.function.terms)).letter is Letter.INPUT


@dataclass(frozen=True, slots=True)
class AllOf:
    """The conjunction of formulas."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The disjunction of formulas."""

    parts: tuple[Formula, ...]


Formula: TypeAlias = Comparison | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class Statement:
    """The content of a file: the numbers of inputs and outputs it declares, and the formulas that hold together."""

    n_inputs: int
    n_outputs: int
    asserted: tuple[Formula, ...]


def comparisons(formula: Formula) -> Iterator[Comparison]:
    """Yield the comparisons of a formula, in its order."""
    if isinstance(formula, Comparison):
        yield formula
    else:
        for part in formula.parts:
            yield from comparisons(part)


def compare(greater: Linear, less: Linear, relation: Relation, line: int) -> Comparison:
    """Return the comparison greater >= less (or >, =).

    Raises `PropertyError`, naming the line: it compares inputs with outputs, or only numbers are left; or a number is
    too large or too precise (`checked`).
    """
    difference = greater.plus(less, factor=Fraction(-1))
    terms = {variable: coefficient for variable, coefficient in difference.terms.items() if coefficient}
    letters = {variable.letter for variable in terms}
    if len(letters) != 1:
        what = "inputs with outputs, which is not supported" if letters else "what is the same for all inputs"
        raise PropertyError(f"line {line}: compares {what}")
    for number in (*terms.values(), difference.constant):
        checked(number, line)
    return Comparison(Linear(terms, difference.constant), relation, line)


LARGEST, MOST_BITS = 10**100, 1200
"""The largest number, far beyond every network, with room in float64 for sums; and the most bits of a denominator,
enough for every float64."""


def checked(number: Fraction, line: int) -> Fraction:
    """Return the number. Raises `PropertyError`, naming the line, if it exceeds what files may hold."""
    if abs(number.numerator) > LARGEST * number.denominator or number.denominator.bit_length() > MOST_BITS:
        raise PropertyError(f"line {line}: a number exceeds {LARGEST:.0e} or is more precise than any float64")
    return number
