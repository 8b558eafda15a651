"""The reader of VNN-LIB 2.0 files: the official parser checks syntax and types, and its tree becomes a statement.

    (vnnlib-version <2.0>)
    (declare-network f (declare-input X real [1,784]) (declare-output Y real [1,10]))
    (assert (<= X[0,3] 0.5))
    (assert (or (> Y[0,7] Y[0,2]) (>= (* 2.0 Y[0,1]) 0.25)))

One network with one input and one output is read, in any floating point type; elements are numbered in the order of
dimensions. Numbers are the exact rationals of their digits, never the parser's floats. The parser is compiled code
that recurses and trusts its input, so nesting, sizes and what it would misread are checked before.
Source: the VNN-LIB 2.0 standard and the package `vnnlib`, https://www.vnnlib.org.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod

import vnnlib

from vnnbench.instances.errors import PropertyError
from vnnbench.instances.limits import MAX_INPUTS
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
from vnnbench.instances.properties.s_expressions import MAX_DEPTH

MAX_WORDS = 1_400_000
"""The most words and numbers of a file, without indices and parentheses: 4 for each of two bounds of `MAX_INPUTS`
inputs, and as many for 30,000 atoms. Each takes up to 750 bytes."""
TYPES = ("real", "Real", "float16", "float32", "float64")
"""Element types that are read; whatever the type, a network is judged in real arithmetic."""

_IS_VERSION_2 = re.compile(r"(?:\s++|;[^\n]*+)*+\(\s*+(?:vnnlib-version|declare-network)\b")
_VERSION = re.compile(r"\(vnnlib-version\s*<([0-9]+\.[0-9]+)>")
_COMMENT = re.compile(r";[^\n]*")
_MISREAD = re.compile(r"[\0\"]|[^\0-\x7f]|\[[^\]]*?[^\]0-9,\s]")
_BRACKETS = re.compile(r"\[[^\]\n]*")
_WORD = re.compile(r"[()]|[^\s()]+")
_SYNTAX_ERROR = re.compile(r"Parse error: syntax error at line (\d+), column \d+: '(.*)'", re.DOTALL)
_MAX_DIGITS = 2_402
"""The longest number: 1,200 digits before and after its point, and a sign."""


def is_version_2(text: str) -> bool:
    """Return whether a VNN-LIB file is of version 2: whether it begins with a version or a network."""
    return _IS_VERSION_2.match(text) is not None


def parse_statement(text: str) -> Statement:
    """Return what a VNN-LIB 2.0 file states.

    Raises `PropertyError`, mostly with the line: the text is not VNN-LIB 2.0, is too large, or holds what is not
    supported: several networks, inputs or outputs, hidden nodes, other types, !=, and products of variables.
    """
    plain = _COMMENT.sub("", text)
    _check_text(plain)
    query = _parse(plain)
    if len(query.networks) != 1:
        raise PropertyError(f"line {_line_of(plain, 'network', 1)}: declares another network; one is supported")
    (network,) = query.networks
    tensors = {}
    for letter, word, definitions in (
        (Letter.INPUT, "input", network.inputs),
        (Letter.OUTPUT, "output", network.outputs),
    ):
        if len(definitions) != 1:
            raise PropertyError(f"line {_line_of(plain, word, 1)}: declares another {word}; one is supported")
        line = _line_of(plain, word, 0)
        tensors[definitions[0].name] = _tensor(letter, definitions[0], line)
    asserted = tuple(_formula(assertion.expr, tensors) for assertion in query.assertions)
    inputs, outputs = tensors.values()
    return Statement(prod(inputs.shape), prod(outputs.shape), asserted)


# -- the parser


def _check_text(plain: str) -> None:
    """Raise `PropertyError` for what would make the parser crash or take too much memory, or what it would misread.

    It recurses, ends at a NUL character, and reads the index 0.5 as 0. plain: the text without comments.
    """
    version = _VERSION.search(plain)
    if version is not None and version[1] != "2.0":
        raise PropertyError(f"is of VNN-LIB {version[1][:20]}; versions 1.0 and 2.0 are read")
    if misread := _MISREAD.search(plain):
        raise PropertyError(f"line {_line_at(plain, misread.end() - 1)}: {_fault(misread.group())}")
    depth = n_words = 0
    plain = _BRACKETS.sub("", plain)
    for word in _WORD.finditer(plain):
        sign = word.group()
        depth += (sign == "(") - (sign == ")")
        n_words += sign not in "()"
        if depth > MAX_DEPTH:
            raise PropertyError(f"line {_line_at(plain, word.start())}: more than {MAX_DEPTH} parentheses are nested")
    if n_words > MAX_WORDS:
        raise PropertyError(f"holds {n_words} words and numbers; at most {MAX_WORDS} are read")


def _fault(found: str) -> str:
    if found == '"':
        return "a hidden node, which only a quoted name declares, is not supported"
    if found[0] == "[":
        return f"{found[-1]!r} stands in brackets, which hold sizes or indices, integers from 0"
    return f"{found!r} stands outside of comments, which only ASCII characters may"


def _parse(plain: str) -> vnnlib.Query:
    try:
        return vnnlib.parse_query_string(plain)
    except vnnlib.VNNLibException as error:
        raise PropertyError(_complaint(str(error))) from error
    except IndexError as error:  # std::out_of_range, of a number
        raise PropertyError(_beyond(plain)) from error
    except Exception as error:  # whatever compiled code may raise
        raise PropertyError(f"cannot be read as VNN-LIB 2.0 ({type(error).__name__}: {str(error)[:200]})") from error


def _complaint(message: str) -> str:
    """Return the parser's message in one line: a syntax error, or the first of its report of types."""
    if found := _SYNTAX_ERROR.match(message):
        line, token = found.groups()
        if not token:
            return f"line {line}: the file ends before it is complete; it may be cut off"
        hint = "; its numbers have no exponent" if re.fullmatch("[eE][0-9]*", token) else ""
        return f"line {line}: {token[:40]!r} is not expected here in VNN-LIB 2.0{hint}"
    try:
        first = json.loads(message)["errors"][0]
        symbol = first["offendingSymbol"][:40]
        hint = f"; write {symbol}.0" if re.fullmatch("-?[0-9]+", symbol) else ""
        return f"line {first['line']}: {first['message']} ({symbol}): {first['hint']}{hint}"
    except (ValueError, KeyError, IndexError, TypeError):
        return f"cannot be read as VNN-LIB 2.0 ({message[:200]})"


def _beyond(plain: str) -> str:
    """Return the complaint about the first number that the parser cannot hold, as float64 or as a 64-bit integer."""
    for word in re.finditer(r"(?<![\w.])-?[0-9]+(?:\.[0-9]+)?", plain):
        text = word.group()
        size = abs(float(text))
        smallest = sys.float_info.min if re.search("[1-9]", text) else 0.0
        if not smallest <= size <= (sys.float_info.max if "." in text else 2.0**62):
            return f"line {_line_at(plain, word.start())}: {text[:40]} is beyond what the parser of VNN-LIB 2.0 holds"
    return "holds a number beyond what the parser of VNN-LIB 2.0 holds"


def _line_at(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _line_of(plain: str, word: str, which: int) -> int:
    """Return the line of a declaration of a network, an input or an output: of the first (0), the second (1) .."""
    places = [found.start() for found in re.finditer(rf"\(declare-{word}", plain)]  # a name may follow without a blank
    return _line_at(plain, places[min(which, len(places) - 1)])


# -- the tree


@dataclass(frozen=True, slots=True)
class _Tensor:
    letter: Letter
    shape: tuple[int, ...]

    def element(self, indices: Sequence[int], line: int) -> Variable:
        """Return the element with these indices, one for each dimension. Raises `PropertyError`: there is none."""
        number = 0
        for size, index in zip(self.shape, indices, strict=True):
            if not 0 <= index < size:
                raise PropertyError(f"line {line}: index {index} is not one of a dimension of {size}")
            number = number * size + index
        return Variable(self.letter, number)


def _tensor(letter: Letter, definition: vnnlib.InputDefinition | vnnlib.OutputDefinition, line: int) -> _Tensor:
    name = str(definition).split()[2]
    if name not in TYPES:
        raise PropertyError(f"line {line}: the type {name[:40]!r} is not supported; supported are {', '.join(TYPES)}")
    shape = tuple(definition.shape)
    if prod(shape) > MAX_INPUTS:
        raise PropertyError(f"line {line}: declares {prod(shape)} elements; at most {MAX_INPUTS} are read")
    return _Tensor(letter, shape)


_RELATIONS = {
    vnnlib.GreaterEqual: (Relation.AT_LEAST, 1),
    vnnlib.LessEqual: (Relation.AT_LEAST, -1),
    vnnlib.GreaterThan: (Relation.ABOVE, 1),
    vnnlib.LessThan: (Relation.ABOVE, -1),
    vnnlib.Equal: (Relation.EQUAL, 1),
}
"""By the kind of comparison, the relation to 0 of left - right (1) or right - left (-1)."""


def _formula(node: vnnlib.BoolExpr, tensors: dict[str, _Tensor]) -> Formula:
    if isinstance(node, vnnlib.Comparison):
        return _comparison(node, tensors)
    if isinstance(node, vnnlib.And | vnnlib.Or):
        parts = tuple(_formula(part, tensors) for part in node.args)
        return AllOf(parts) if isinstance(node, vnnlib.And) else AnyOf(parts)
    raise PropertyError(f"holds {str(node)[:40]!r}, which is not supported")


def _comparison(node: vnnlib.Comparison, tensors: dict[str, _Tensor]) -> Comparison:
    line = _line(node)
    if type(node) not in _RELATIONS:
        raise PropertyError(f"line {line}: != is not supported; write < or >")
    relation, sign = _RELATIONS[type(node)]
    difference = _Sum(tensors)
    difference.add(node.lhs, Fraction(sign))
    difference.add(node.rhs, Fraction(-sign))
    return compare(Linear(difference.terms, difference.constant), Linear({}), relation, line)


@dataclass(slots=True)
class _Sum:
    """A linear function, term by term."""

    tensors: dict[str, _Tensor]
    terms: dict[Variable, Fraction] = field(default_factory=dict)
    constant: Fraction = Fraction(0)

    def add(self, term: vnnlib.ArithExpr, factor: Fraction) -> None:
        """Add `factor` times a term. Raises `PropertyError`: it is not linear."""
        if isinstance(term, vnnlib.Var):
            variable = self.tensors[term.name].element(term.indices, term.line)
            self.terms[variable] = self.terms.get(variable, Fraction(0)) + factor
        elif isinstance(term, vnnlib.Literal):
            self.constant += factor * _number(term)
        elif isinstance(term, vnnlib.Negate):
            self.add(term.expr, -factor)
        elif isinstance(term, vnnlib.Plus):
            for part in term.args:
                self.add(part, factor)
        elif isinstance(term, vnnlib.Minus):
            self.add(term.head, factor)
            for part in term.rest:
                self.add(part, -factor)
        elif isinstance(term, vnnlib.Multiply):
            self._add_product(term, factor)
        else:
            raise PropertyError(f"line {_line(term)}: {str(term)[:40]!r} is not supported")

    def _add_product(self, term: vnnlib.Multiply, factor: Fraction) -> None:
        line = _line(term)
        functions: list[_Sum] = []
        for part in term.args:
            value = _Sum(self.tensors)
            value.add(part, Fraction(1))
            if value.terms:
                functions.append(value)
            else:
                factor = checked(factor * value.constant, line)
        if len(functions) > 1:
            raise PropertyError(f"line {line}: multiplies variables; only products with numbers are supported")
        for function in functions:
            for variable, coefficient in function.terms.items():
                product = checked(factor * coefficient, line)
                self.terms[variable] = self.terms.get(variable, Fraction(0)) + product
            factor = checked(factor * function.constant, line)
        self.constant += factor


def _number(literal: vnnlib.Literal) -> Fraction:
    if len(literal.lexeme) > _MAX_DIGITS:
        raise PropertyError(f"line {literal.line}: a number of more than {_MAX_DIGITS} digits")
    return checked(Fraction(literal.lexeme), literal.line)


def _line(node: vnnlib.Node) -> int:
    """Return the line of the first variable or number of a formula or term."""
    while not isinstance(node, vnnlib.Var | vnnlib.Literal):
        node = node.children()[0]
    return node.line
