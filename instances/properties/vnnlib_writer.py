"""The writer of VNN-LIB 1.0 files, and the meaning of a property in VNN-LIB: a set and a goal, both exact.

Every number is written as a decimal that ends, so it reads back as exactly the same rational; every dyadic number has
such a decimal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from math import prod

from vnnbench.instances.errors import PropertyError
from vnnbench.instances.properties.formulas import (
    AnyOf,
    Comparison,
    Formula,
    Letter,
    Relation,
    Statement,
    Variable,
    comparisons,
)
from vnnbench.instances.properties.input_set import Norm
from vnnbench.instances.properties.linear_constraints import LinearConstraint
from vnnbench.instances.properties.property import LinearProperty, Property, VerifyProperty
from vnnbench.instances.properties.statements import box_bounds, statement_of
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
    lower, upper = zip(*box_bounds(prop.input_set), strict=True)
    clauses = frozenset(
        frozenset(
            frozenset((frozenset(atom.terms), atom.constant, atom.strict) for atom in disjunct) for disjunct in clause
        )
        for clause in prop.goal.clauses
    )
    if prod(map(len, clauses)) <= _MULTIPLIED_OUT:
        clauses = frozenset({frozenset(frozenset().union(*chosen) for chosen in product(*clauses))})
    return Meaning(lower, upper, frozenset(prop.input_set.constraints), clauses)


@dataclass(frozen=True, slots=True)
class Notation:
    """How a version of VNN-LIB writes formulas.

    variable: the text of a variable. signs: those of a relation, for greater before less and for less before greater.
    """

    variable: Callable[[Variable], str]
    signs: Mapping[Relation, tuple[str, str]]

    def assertions(self, statement: Statement) -> Iterator[str]:
        """Yield the lines of the asserted formulas. Raises `PropertyError`: a number's decimals do not end."""
        for formula in statement.asserted:
            if isinstance(formula, AnyOf):
                yield "(assert (or"
                yield from (f"  {self._formula(part)}" for part in formula.parts)
                yield "))"
            else:
                yield f"(assert {self._formula(formula)})"

    def _formula(self, formula: Formula) -> str:
        if isinstance(formula, Comparison):
            return self._comparison(formula)
        word = "or" if isinstance(formula, AnyOf) else "and"
        return f"({word} {' '.join(map(self._formula, formula.parts))})"

    def _comparison(self, comparison: Comparison) -> str:
        """Return the text, as variable with variable if it is a difference of two, else function with number."""
        terms, constant = comparison.function.terms, comparison.function.constant
        greater_first, less_first = self.signs[comparison.relation]
        if sorted(terms.values()) == [-1, 1] and not constant:
            variables = {coefficient: variable for variable, coefficient in terms.items()}
            return f"({greater_first} {self.variable(variables[Fraction(1)])} {self.variable(variables[Fraction(-1)])})"
        sign, factor = (greater_first, 1) if next(iter(terms.values())) > 0 else (less_first, -1)
        texts = [self._term(variable, factor * coefficient) for variable, coefficient in terms.items()]
        left = texts[0] if len(texts) == 1 else f"(+ {' '.join(texts)})"
        return f"({sign} {left} {_number(-factor * constant)})"

    def _term(self, variable: Variable, coefficient: Fraction) -> str:
        name = self.variable(variable)
        return name if coefficient == 1 else f"(* {_number(coefficient)} {name})"


_NOTATION = Notation(str, {Relation.AT_LEAST: (">=", "<="), Relation.ABOVE: (">", "<"), Relation.EQUAL: ("=", "=")})


def vnnlib_bytes(prop: Property, n_outputs: int) -> bytes | None:
    """Return the VNN-LIB 1.0 file of the property on a network with this many outputs, or None.

    A strict goal is written as if it were not, with a comment that says so. It is None if 1.0 cannot say the set or the
    question, and if a number does not have a decimal that ends.
    """
    comments = []
    if isinstance(prop, VerifyProperty | LinearProperty) and prop.strict:
        comments.append(
            "; The goal is strict: it is not reached where both sides are equal. VNN-LIB has no way to say so."
        )
        prop = replace(prop, strict=False)
    try:
        return _text(statement_of(prop, n_outputs), comments)
    except PropertyError:
        return None


def exact_vnnlib_bytes(prop: Property, n_outputs: int) -> bytes:
    """Return the VNN-LIB 1.0 file of a property that 1.0 says exactly.

    Raises `PropertyError` with the reason: the goal is strict, or `vnnlib_bytes` is None.
    """
    statement = statement_of(prop, n_outputs)
    if any(c.relation is Relation.ABOVE for formula in statement.asserted for c in comparisons(formula)):
        raise PropertyError("the goal is strict, which VNN-LIB 1.0 cannot say")
    return _text(statement)


def _text(statement: Statement, comments: Sequence[str] = ()) -> bytes:
    return "".join(f"{line}\n" for line in (*comments, *_lines(statement))).encode("ascii")


def _lines(statement: Statement) -> Iterator[str]:
    for letter, count in ((Letter.INPUT, statement.n_inputs), (Letter.OUTPUT, statement.n_outputs)):
        yield from (f"(declare-const {Variable(letter, i)} Real)" for i in range(count))
    yield from _NOTATION.assertions(statement)


def _number(exact: Fraction) -> str:
    text = to_text(exact)
    if "/" in text:
        raise PropertyError("a number has decimals that do not end")
    return text if "." in text else f"{text}.0"
