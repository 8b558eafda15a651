"""The writer of VNN-LIB 2.0 files, which can say strict goals.

    (vnnlib-version <2.0>)
    (declare-network network
      (declare-input X real [1,784])
      (declare-output Y real [1,10])
    )
    (assert (>= X[0,3] 0.25))
    (assert (> Y[0,7] Y[0,2]))

The element type is `real`, since that is how the judge evaluates a network. Numbers are decimals without exponents.
Source: the VNN-LIB 2.0 standard, https://www.vnnlib.org.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import prod

from vnnbench.instances.errors import PropertyError
from vnnbench.instances.properties.formulas import Letter, Relation, Statement, Variable, comparisons
from vnnbench.instances.properties.vnnlib_writer import Notation

SIGNS = {Relation.AT_LEAST: (">=", "<="), Relation.ABOVE: (">", "<"), Relation.EQUAL: ("==", "==")}
"""The signs of a relation, for greater before less and for less before greater."""


def vnnlib2_bytes(
    statement: Statement, input_shape: Sequence[int], output_shape: Sequence[int], comments: Sequence[str] = ()
) -> bytes:
    """Return the VNN-LIB 2.0 file of a statement about a network whose tensors have these shapes.

    Inputs and outputs are numbered in the order of their dimensions. comments: lines that come first. Raises
    `PropertyError`: a number has no decimal that ends, or is beyond float64, which the official parser reads it as.
    """
    if (prod(input_shape), prod(output_shape)) != (statement.n_inputs, statement.n_outputs):
        raise ValueError(f"{statement.n_inputs} inputs and {statement.n_outputs} outputs do not fill the shapes")
    _check_range(statement)
    shapes = {Letter.INPUT: tuple(input_shape), Letter.OUTPUT: tuple(output_shape)}
    notation = Notation(lambda variable: _element(variable, shapes[variable.letter]), SIGNS)
    lines = [
        *(f"; {comment}" for comment in comments),
        "(vnnlib-version <2.0>)",
        "(declare-network network",
        f"  (declare-input {Letter.INPUT} real {_indices(input_shape)})",
        f"  (declare-output {Letter.OUTPUT} real {_indices(output_shape)})",
        ")",
        *notation.assertions(statement),
    ]
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def _element(variable: Variable, shape: tuple[int, ...]) -> str:
    """Return the text of a variable as an element of a tensor of this shape; one without dimensions is its only one."""
    indices, rest = [], variable.number
    for size in reversed(shape):
        rest, index = divmod(rest, size)
        indices.append(index)
    return f"{variable.letter}{_indices(indices[::-1])}" if shape else str(variable.letter)


def _indices(numbers: Sequence[int]) -> str:
    return f"[{','.join(map(str, numbers))}]"


_SMALLEST, _LARGEST = Fraction(sys.float_info.min), Fraction(sys.float_info.max)


def _check_range(statement: Statement) -> None:
    for number in _numbers(statement):
        if number and not _SMALLEST <= abs(number) <= _LARGEST:
            raise PropertyError("a number is beyond float64, which the parser of VNN-LIB 2.0 refuses")


def _numbers(statement: Statement) -> Iterator[Fraction]:
    for formula in statement.asserted:
        for comparison in comparisons(formula):
            yield from comparison.function.terms.values()
            yield comparison.function.constant
