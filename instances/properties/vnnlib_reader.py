"""The reader of VNN-LIB files, the properties of VNN-COMP, in which every number is exact.

    (declare-const X_0 Real)                            inputs X_0 .. X_n, outputs Y_0 .. Y_m, each once
    (assert (<= X_0 0.5))                               a bound; every input has both
    (assert (or (and (>= Y_1 Y_0) ..) (and ..)))        comparisons of outputs, in any nesting of and, or
    (assert (>= (+ Y_0 (* -1.0 Y_1)) 2e-1))

Several asserts hold together. Comparisons of outputs are all strict, < and >, or none is; bounds of inputs never are.
Disjuncts may bound inputs only if all have equal bounds. A byte order mark is skipped.
Source: the VNN-LIB standard, https://www.vnnlib.org, in the subset that VNN-COMP's benchmarks use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from math import prod
from pathlib import Path
from typing import TypeAlias

from vnnbench.instances.errors import PropertyError
from vnnbench.instances.files import read_plain
from vnnbench.instances.limits import MAX_INPUTS, MAX_VNNLIB_BYTES
from vnnbench.instances.properties.goals import Atom, OutputGoal
from vnnbench.instances.properties.input_set import rational_box_set
from vnnbench.instances.properties.property import LinearProperty, VerifyProperty
from vnnbench.instances.properties.s_expressions import Expression, Form, Word, parse_forms

MAX_DISJUNCTS, MAX_COMPARISONS = 10_000, 100_000
"""The limits after the asserts are written as one disjunction of conjunctions."""
MAX_READ_COMPARISONS = 2 * MAX_INPUTS + MAX_COMPARISONS
"""The limit of comparisons in the file, bounds of inputs included; each takes 25 us and 600 bytes."""

_VARIABLE = re.compile(r"[XY]_(0|[1-9]\d{0,8})", re.ASCII)
_NUMBER = re.compile(r"[-+]?(\d{1,1200}(\.\d{0,1200})?|\.\d{1,1200})([eE][-+]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Query:
    """The content of a file: a property for each of its input boxes, and the number of outputs that it declares.

    The file's answer is sat if that of any part is, and unsat if those of all parts are.
    """

    parts: tuple[VerifyProperty | LinearProperty, ...]
    n_outputs: int

    @property
    def prop(self) -> VerifyProperty | LinearProperty:
        """The only part. Raises `PropertyError` if there are several."""
        if len(self.parts) != 1:
            raise PropertyError(f"asks about {len(self.parts)} input boxes; one is expected")
        return self.parts[0]


def read_vnnlib(path: Path) -> Query:
    """Read a VNN-LIB file, gzipped when its name ends in .gz. Raises `PropertyError`, see `parse_vnnlib`."""
    return parse_vnnlib(read_plain(path, MAX_VNNLIB_BYTES, PropertyError), str(path))


def parse_vnnlib(data: bytes, source: str) -> Query:
    """Read a VNN-LIB file in memory; `source` names it in errors.

    The input set is exactly the box of the asserted bounds. If the whole goal is that one of some outputs reaches
    another, the property is one of classes. Raises `PropertyError`, naming the line, for everything that is not of the
    form in the module's docstring.
    """
    try:
        reader = _Reader()
        for form in parse_forms(data.decode("utf-8-sig")):
            reader.read(form)
        return reader.query()
    except UnicodeDecodeError as error:
        raise PropertyError(f"{source}: is not a text, so it is not a VNN-LIB file") from error
    except PropertyError as error:
        raise PropertyError(f"{source}: {error}") from error


@dataclass(frozen=True, slots=True)
class _Linear:
    """A linear function: the sum of coefficient * variable, plus a constant."""

    terms: dict[str, Fraction]
    constant: Fraction

    def plus(self, *others: _Linear, factor: Fraction) -> _Linear:
        terms, constant = dict(self.terms), self.constant
        for other in others:
            for name, coefficient in other.terms.items():
                terms[name] = terms.get(name, Fraction(0)) + factor * coefficient
            constant += factor * other.constant
        return _Linear(terms, constant)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A comparison, function >= 0 or, if it is strict, function > 0, with its line."""

    terms: dict[str, Fraction]
    constant: Fraction
    strict: bool
    line: int


_Conjunction: TypeAlias = list[_Comparison]
_Box: TypeAlias = dict[int, list[Fraction | None]]


@dataclass(slots=True)
class _Reader:
    """The state of reading: declarations, comparisons outside of disjunctions, and disjunctions."""

    declared: dict[str, list[int]] = field(default_factory=lambda: {"X": [], "Y": []})
    names: set[str] = field(default_factory=set)
    common: _Conjunction = field(default_factory=list)
    choices: list[list[_Conjunction]] = field(default_factory=list)
    n_comparisons: int = 0

    def read(self, form: Form) -> None:
        match form.items:
            case (Word("declare-const"), Word(name, line), Word("Real")):
                self._declare(name, line)
            case (Word("declare-const"), Word(name, line), Word(sort)):
                raise PropertyError(f"line {line}: declares {name[:40]!r} as {sort[:40]!r}; only Real is supported")
            case (Word("assert"), formula):
                disjuncts = self._disjuncts(formula)
                if len(disjuncts) == 1:
                    self.common += disjuncts[0]
                else:
                    self.choices.append(disjuncts)
                    _check_count(self.choices)  # checked at once: each may have as many comparisons as allowed in total
            case _:
                raise PropertyError(
                    f"line {form.line}: {form.head[:40]!r} is not supported; supported are "
                    "(declare-const X_i Real), (declare-const Y_i Real) and (assert ..)"
                )

    def query(self) -> Query:
        for letter, numbers in self.declared.items():
            if not numbers or sorted(numbers) != list(range(len(numbers))):
                raise PropertyError(f"declares {len(numbers)} constants {letter}_i, which must count from {letter}_0")
        conjunctions = [[c for part in parts for c in part] for parts in product(*self.choices)]
        box = self._box(conjunctions)
        common = [_atom(c) for c in self.common if not _is_of_inputs(c)]
        if len(conjunctions) * len(common) > MAX_COMPARISONS:
            raise PropertyError(f"compares outputs more than {MAX_COMPARISONS} times, the most that is read")
        disjuncts = [(*common, *(_atom(c) for c in part if not _is_of_inputs(c))) for part in conjunctions]
        if not all(disjuncts):
            raise PropertyError("lacks a comparison of outputs, at least in one disjunct; each disjunct needs one")
        goal, strict = OutputGoal(tuple(disjuncts)), self._is_strict(conjunctions)
        lower, upper = [], []
        for i in range(len(self.declared["X"])):
            ends = box.get(i, [None, None])
            if ends[0] is None or ends[1] is None:
                side = "lower" if ends[0] is None else "upper"
                raise PropertyError(f"X_{i} has no {side} bound; every input needs both")
            lower.append(ends[0])
            upper.append(ends[1])
        return Query((_property(lower, upper, goal, strict),), len(self.declared["Y"]))

    def _is_strict(self, conjunctions: list[_Conjunction]) -> bool:
        """Return whether the comparisons of outputs are strict. Raises `PropertyError`: only some are."""
        every = [*self.common, *(c for conjunction in conjunctions for c in conjunction)]
        of_outputs = [comparison for comparison in every if not _is_of_inputs(comparison)]
        other = next((c for c in of_outputs if c.strict != of_outputs[0].strict), None)
        if other is not None:
            raise PropertyError(f"line {other.line}: some comparisons of outputs are strict and some are not")
        return of_outputs[0].strict

    def _declare(self, name: str, line: int) -> None:
        if not _VARIABLE.fullmatch(name):
            raise PropertyError(f"line {line}: constant {name[:40]!r} must be called X_i or Y_i")
        if name in self.names:
            raise PropertyError(f"line {line}: {name} is declared twice")
        self.names.add(name)
        self.declared[name[0]].append(int(name[2:]))

    # -- formulas

    def _disjuncts(self, formula: Expression) -> list[_Conjunction]:
        """Return the formula as a disjunction of conjunctions."""
        if isinstance(formula, Form):
            match formula.items:
                case (Word("<=" | "<" as sign), left, right):
                    return [[self._comparison(right, left, sign == "<", formula.line)]]
                case (Word(">=" | ">" as sign), left, right):
                    return [[self._comparison(left, right, sign == ">", formula.line)]]
                case (Word("or"), _, *_):
                    disjuncts: list[_Conjunction] = []
                    for part in formula.items[1:]:
                        disjuncts += self._disjuncts(part)
                        _check_count([disjuncts])
                    return disjuncts
                case (Word("and"), _, *_):
                    parts = [self._disjuncts(part) for part in formula.items[1:]]
                    _check_count(parts)
                    return [[c for part in chosen for c in part] for chosen in product(*parts)]
        text = formula.text if isinstance(formula, Word) else formula.head
        raise PropertyError(
            f"line {formula.line}: {text[:40]!r} is not supported here; supported are and, or, and (s a b) with s "
            "one of <=, >=, <, >"
        )

    def _comparison(self, greater: Expression, less: Expression, strict: bool, line: int) -> _Comparison:
        self.n_comparisons += 1
        if self.n_comparisons > MAX_READ_COMPARISONS:
            raise PropertyError(f"line {line}: more than {MAX_READ_COMPARISONS} comparisons, the most that is read")
        difference = self._linear(greater).plus(self._linear(less), factor=Fraction(-1))
        terms = {name: coefficient for name, coefficient in difference.terms.items() if coefficient}
        letters = {name[0] for name in terms}
        if letters == {"X"} and len(terms) > 1:
            raise PropertyError(f"line {line}: compares several inputs; only bounds on each input are supported")
        if len(letters) != 1:
            what = "inputs with outputs" if letters else "numbers alone"
            raise PropertyError(f"line {line}: compares {what}, which is not supported")
        if strict and letters == {"X"}:
            raise PropertyError(f"line {line}: bounds an input strictly; use <= and >=")
        for number in (*terms.values(), difference.constant):
            _checked(number, line)
        return _Comparison(terms, difference.constant, strict, line)

    def _linear(self, term: Expression) -> _Linear:
        if isinstance(term, Word):
            if term.text in self.names:
                return _Linear({term.text: Fraction(1)}, Fraction(0))
            return _Linear({}, _number(term))
        match term.items:
            case (Word("+"), first, *rest):
                return self._sum(first, rest, Fraction(1))
            case (Word("-"), only):
                return _Linear({}, Fraction(0)).plus(self._linear(only), factor=Fraction(-1))
            case (Word("-"), first, *rest):
                return self._sum(first, rest, Fraction(-1))
            case (Word("*"), first, second):
                left, right = self._linear(first), self._linear(second)
                if left.terms:
                    left, right = right, left
                if not left.terms:
                    return _Linear({}, Fraction(0)).plus(right, factor=left.constant)
        raise PropertyError(
            f"line {term.line}: {term.head[:40]!r} is not a linear term; supported are +, -, and * with a constant"
        )

    def _sum(self, first: Expression, rest: Iterable[Expression], factor: Fraction) -> _Linear:
        return self._linear(first).plus(*map(self._linear, rest), factor=factor)

    # -- bounds

    def _box(self, conjunctions: list[_Conjunction]) -> _Box:
        """Return [lower, upper] by input, from the common comparisons and from equal bounds in all disjuncts."""
        common: _Box = {}
        for comparison in self.common:
            _narrow(common, comparison)
        own = []
        for conjunction in conjunctions:
            box = {i: list(ends) for i, ends in common.items()} if any(map(_is_of_inputs, conjunction)) else common
            for comparison in conjunction:
                _narrow(box, comparison)
            own.append(box)
            if box != own[0]:
                line = next(c.line for chosen in conjunctions for c in chosen if _is_of_inputs(c))
                raise PropertyError(f"line {line}: disjuncts bound inputs differently; write one file for each set")
        return own[0]


def _number(word: Word) -> Fraction:
    if not _NUMBER.fullmatch(word.text):
        raise PropertyError(f"line {word.line}: {word.text[:40]!r} is neither a declared constant nor a decimal number")
    return _checked(Fraction(word.text), word.line)


_LARGEST, _MOST_BITS = 10**100, 1200
"""The largest number, far beyond every network, with room in float64 for sums; and the most bits of a denominator,
enough for every float64."""


def _checked(number: Fraction, line: int) -> Fraction:
    if abs(number.numerator) > _LARGEST * number.denominator or number.denominator.bit_length() > _MOST_BITS:
        raise PropertyError(f"line {line}: a number exceeds {_LARGEST:.0e} or is more precise than any float64")
    return number


def _check_count(parts: list[list[_Conjunction]]) -> None:
    n = prod(len(part) for part in parts)
    if n > MAX_DISJUNCTS or (n > 1 and n * sum(max(map(len, part)) for part in parts) > MAX_COMPARISONS):
        raise PropertyError(f"its asserts make {n} disjuncts when they are written as one, which is too many")


def _is_of_inputs(comparison: _Comparison) -> bool:
    return next(iter(comparison.terms))[0] == "X"


def _narrow(box: _Box, comparison: _Comparison) -> None:
    """Narrow a box by a x + c >= 0: x >= -c / a if a > 0, else x <= -c / a. Comparisons of outputs have no effect."""
    if not _is_of_inputs(comparison):
        return
    ((name, coefficient),) = comparison.terms.items()
    bound = _checked(-comparison.constant / coefficient, comparison.line)
    ends = box.setdefault(int(name[2:]), [None, None])
    if coefficient > 0:
        ends[0] = bound if ends[0] is None else max(ends[0], bound)
    else:
        ends[1] = bound if ends[1] is None else min(ends[1], bound)


def _atom(comparison: _Comparison) -> Atom:
    terms = sorted((int(name[2:]), coefficient) for name, coefficient in comparison.terms.items())
    return Atom(tuple(terms), comparison.constant)


def _property(
    lower: list[Fraction], upper: list[Fraction], goal: OutputGoal, strict: bool
) -> VerifyProperty | LinearProperty:
    """Return a property, which is one of classes if the goal is that one of some outputs reaches another."""
    input_set = rational_box_set(lower, upper)
    pairs = [_margin(disjunct) for disjunct in goal.disjuncts]
    sources = {pair[1] for pair in pairs if pair}
    targets = tuple(pair[0] for pair in pairs if pair)
    if None in pairs or len(sources) != 1 or len(set(targets)) < len(targets):
        return LinearProperty(input_set, goal, strict, dataset=None, sample=None)
    return VerifyProperty(input_set, sources.pop(), targets, strict, dataset=None, sample=None)


def _margin(disjunct: tuple[Atom, ...]) -> tuple[int, int] | None:
    """Return (target, source) if the disjunct is y_target - y_source alone, else None."""
    if len(disjunct) != 1 or disjunct[0].constant or len(disjunct[0].terms) != 2:
        return None
    by_coefficient = {coefficient: k for k, coefficient in disjunct[0].terms}
    if set(by_coefficient) != {1, -1}:
        return None
    return by_coefficient[Fraction(1)], by_coefficient[Fraction(-1)]
