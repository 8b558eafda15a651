"""The reader of VNN-LIB files, the properties of VNN-COMP, in which every number is exact.

Those of version 2.0, as the text shows, are read by `vnnlib2_reader`. Version 1.0 is read here:

    (declare-const X_0 Real)                            inputs X_0 .. X_n, outputs Y_0 .. Y_m, each once
    (assert (<= X_0 0.5))                               a bound; every input has both
    (assert (or (and (>= Y_1 Y_0) ..) (and ..)))        comparisons in any nesting of and, or
    (assert (>= (+ Y_0 (* -1.0 Y_1)) 2e-1))             linear terms, with <=, >=, <, > or =

A comparison is about inputs alone or outputs alone. Several asserts hold together. A byte order mark is skipped. What
the formulas mean is decided by `questions`.
Source: the VNN-LIB standard, https://www.vnnlib.org, in the subset that VNN-COMP's benchmarks use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from vnnbench.instances.errors import PropertyError
from vnnbench.instances.files import read_plain
from vnnbench.instances.limits import MAX_INPUTS, MAX_VNNLIB_BYTES
from vnnbench.instances.properties import vnnlib2_reader
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
    checked,
    compare,
)
from vnnbench.instances.properties.questions import MAX_ATOMS, Query, query_of
from vnnbench.instances.properties.s_expressions import Expression, Form, Word, parse_forms

MAX_READ_COMPARISONS = 2 * MAX_INPUTS + MAX_ATOMS
"""The limit of comparisons in the file, bounds of inputs included; each takes 25 us and 600 bytes."""

_VARIABLE = re.compile(r"[XY]_(0|[1-9]\d{0,8})", re.ASCII)
_NUMBER = re.compile(r"[-+]?(\d{1,1200}(\.\d{0,1200})?|\.\d{1,1200})([eE][-+]?\d{1,3})?", re.ASCII)
_SIGNS = {
    "<=": Relation.AT_LEAST,
    ">=": Relation.AT_LEAST,
    "<": Relation.ABOVE,
    ">": Relation.ABOVE,
    "=": Relation.EQUAL,
}


def read_vnnlib(path: Path) -> Query:
    """Read a VNN-LIB file, gzipped when its name ends in .gz. Raises `PropertyError`, see `parse_vnnlib`."""
    return parse_vnnlib(read_plain(path, MAX_VNNLIB_BYTES, PropertyError), str(path))


def parse_vnnlib(data: bytes, source: str) -> Query:
    """Read a VNN-LIB file in memory; `source` names it in errors.

    Raises `PropertyError`, naming the line, for everything that is not of the form in the module's docstring, and as
    `query_of` does.
    """
    try:
        text = data.decode("utf-8-sig")
        return query_of(vnnlib2_reader.parse_statement(text) if vnnlib2_reader.is_version_2(text) else _statement(text))
    except UnicodeDecodeError as error:
        raise PropertyError(f"{source}: is not a text, so it is not a VNN-LIB file") from error
    except PropertyError as error:
        raise PropertyError(f"{source}: {str(error).removeprefix('property: ')}") from error


def _statement(text: str) -> Statement:
    reader = _Reader()
    for form in parse_forms(text):
        reader.read(form)
    return reader.statement()


@dataclass(slots=True)
class _Reader:
    """The state of reading: the declared variables by name, and the asserts."""

    variables: dict[str, Variable] = field(default_factory=dict)
    asserted: list[Formula] = field(default_factory=list)
    n_comparisons: int = 0

    def read(self, form: Form) -> None:
        match form.items:
            case (Word("declare-const"), Word(name, line), Word("Real")):
                self._declare(name, line)
            case (Word("declare-const"), Word(name, line), Word(sort)):
                raise PropertyError(f"line {line}: declares {name[:40]!r} as {sort[:40]!r}; only Real is supported")
            case (Word("assert"), formula):
                self.asserted.append(self._formula(formula))
            case _:
                raise PropertyError(
                    f"line {form.line}: {form.head[:40]!r} is not supported; supported are "
                    "(declare-const X_i Real), (declare-const Y_i Real) and (assert ..)"
                )

    def statement(self) -> Statement:
        counts = {}
        for letter in Letter:
            numbers = sorted(variable.number for variable in self.variables.values() if variable.letter is letter)
            if not numbers or numbers != list(range(len(numbers))):
                raise PropertyError(f"declares {len(numbers)} constants {letter}_i, which must count from {letter}_0")
            counts[letter] = len(numbers)
        return Statement(counts[Letter.INPUT], counts[Letter.OUTPUT], tuple(self.asserted))

    def _declare(self, name: str, line: int) -> None:
        if not _VARIABLE.fullmatch(name):
            raise PropertyError(f"line {line}: constant {name[:40]!r} must be called X_i or Y_i")
        if name in self.variables:
            raise PropertyError(f"line {line}: {name} is declared twice")
        self.variables[name] = Variable(Letter(name[0]), int(name[2:]))

    def _formula(self, expression: Expression) -> Formula:
        if isinstance(expression, Form):
            match expression.items:
                case (Word("<=" | "<" as sign), left, right):
                    return self._comparison(right, left, _SIGNS[sign], expression.line)
                case (Word(">=" | ">" | "=" as sign), left, right):
                    return self._comparison(left, right, _SIGNS[sign], expression.line)
                case (Word("or"), _, *_):
                    return AnyOf(tuple(map(self._formula, expression.items[1:])))
                case (Word("and"), _, *_):
                    return AllOf(tuple(map(self._formula, expression.items[1:])))
        text = expression.text if isinstance(expression, Word) else expression.head
        if text in _SIGNS:
            raise PropertyError(f"line {expression.line}: {text!r} compares two terms, as in ({text} Y_0 1.0)")
        raise PropertyError(
            f"line {expression.line}: {text[:40]!r} is not supported here; supported are and, or, and (s a b) with s "
            "one of <=, >=, <, >, ="
        )

    def _comparison(self, greater: Expression, less: Expression, relation: Relation, line: int) -> Comparison:
        self.n_comparisons += 1
        if self.n_comparisons > MAX_READ_COMPARISONS:
            raise PropertyError(f"line {line}: more than {MAX_READ_COMPARISONS} comparisons, the most that is read")
        return compare(self._linear(greater), self._linear(less), relation, line)

    def _linear(self, term: Expression) -> Linear:
        if isinstance(term, Word):
            if term.text in self.variables:
                return Linear({self.variables[term.text]: Fraction(1)})
            return Linear({}, _number(term))
        match term.items:
            case (Word("+"), first, *rest):
                return self._sum(first, rest, Fraction(1))
            case (Word("-"), only):
                return self._linear(only).times(Fraction(-1))
            case (Word("-"), first, *rest):
                return self._sum(first, rest, Fraction(-1))
            case (Word("*"), first, second):
                left, right = self._linear(first), self._linear(second)
                if left.terms:
                    left, right = right, left
                if not left.terms:
                    return right.times(left.constant)
        raise PropertyError(
            f"line {term.line}: {term.head[:40]!r} is not a linear term; supported are +, -, and * with a constant"
        )

    def _sum(self, first: Expression, rest: Iterable[Expression], factor: Fraction) -> Linear:
        return self._linear(first).plus(*map(self._linear, rest), factor=factor)


def _number(word: Word) -> Fraction:
    if not _NUMBER.fullmatch(word.text):
        raise PropertyError(f"line {word.line}: {word.text[:40]!r} is neither a declared constant nor a decimal number")
    return checked(Fraction(word.text), word.line)
