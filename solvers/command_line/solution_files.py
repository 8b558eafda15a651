"""Solution files of any solver: their layout is recognized by its beginning, and they are read strictly.

A column has the value that the file gives it, or the file is refused. A line that does not belong to the layout is an
error that names it. An absent column is 0 only in a layout that leaves zeros out, and an error in all others.

    layout               absent   recognized by
    CPLEX, XML           error    <
    HiGHS, raw           error    Model status
    HiGHS, sparse        0        the same, with a negative number of columns
    HiGHS, pretty        error    Columns / Index
    HiGHS, old raw       error    n m : Number of columns
    GLPK, --write        error    c ... / s bas|ipt|mip          also HiGHS, glpsol raw
    GLPK, --output       error    Problem: / Rows: / Columns:    also HiGHS, glpsol pretty
    CBC                  0        ... - objective value ...
    SCIP                 0        solution status: or objective value:
    MIPLIB               0        =obj=
    MOSEK                error    NAME : or VARIABLES or CONSTRAINTS
    Xpress, .slx         error    NAME
    lp_solve             error    Value of objective function:
    names                error    everything else: Gurobi, COPT and others
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from vnnbench.solvers.command_line.solution_columns import Columns, Lines, SolutionError
from vnnbench.solvers.command_line.solution_layouts import (
    read_cbc,
    read_glpk,
    read_glpk_printed,
    read_highs,
    read_highs_numbered,
    read_highs_pretty,
    read_lp_solve,
    read_miplib,
    read_mosek,
    read_names,
    read_scip,
    read_xpress,
)
from vnnbench.solvers.command_line.solution_xml import read_cplex

BYTES_PER_COLUMN = 1 << 10
"""A solution file has a line or two for each column and row, with a name of at most 255 characters each."""
LEAST_MAX_BYTES = 1 << 20


def max_bytes(n_columns: int) -> int:
    """Return how many bytes a solution file of an instance with so many columns may have."""
    return LEAST_MAX_BYTES + BYTES_PER_COLUMN * n_columns


class SolutionFormat(StrEnum):
    """A layout that a TOML may require; without it, every layout is read.

    CBC: CBC's. GLPK: what `glpsol --write` writes, columns by their number in the model file. NAMES: a line with name
    and value for each column: Gurobi, COPT, SCIP, MIPLIB, HiGHS (raw and sparse), and others.
    """

    CBC = "cbc"
    GLPK = "glpk"
    NAMES = "names"


@dataclass(frozen=True, slots=True)
class Solution:
    """The content of a solution file.

    columns: one value per column of the instance, in its order; 0 for those that are not needed.
    absent: how many of them the file leaves out, as zeros.
    complete: whether the file gives every column of the instance, as a value or as a zero that it leaves out.
    objective: the one that the file states, in layouts that leave zeros out; else None.
    """

    columns: array[float]
    absent: int
    complete: bool
    objective: float | None


@dataclass(frozen=True, slots=True)
class _Layout:
    title: str
    begins: re.Pattern[str]
    read: Callable[[Lines, Columns], None]
    format: SolutionFormat | None = None


def _layout(
    title: str, begins: str, read: Callable[[Lines, Columns], None], kind: SolutionFormat | None = None
) -> _Layout:
    return _Layout(title, re.compile(rf"\s*+(?:{begins})"), read, kind)  # *+: no blank is given back


_LAYOUTS = (
    _layout("CPLEX, XML", "<", read_cplex),
    _layout("HiGHS, raw or sparse", r"Model status *\n", read_highs, SolutionFormat.NAMES),
    _layout("HiGHS, pretty", r"Columns *\n *Index ", read_highs_pretty),
    _layout("HiGHS, old raw", r"\d+ \d+ : Number of columns", read_highs_numbered),
    _layout("glpsol --write", r"(?:c(?: .*)?\n)*s (?:bas|ipt|mip) ", read_glpk, SolutionFormat.GLPK),
    _layout("glpsol --output", r"Problem: .*\nRows: .*\nColumns: ", read_glpk_printed),
    _layout("CBC", r"[^#\n].* - objective value \S+ *(?:\n|\Z)", read_cbc, SolutionFormat.CBC),
    _layout("SCIP", "solution status:|objective value:|no solution available", read_scip, SolutionFormat.NAMES),
    _layout("MIPLIB", "=(?:obj|infeas|unkn|unbd)=", read_miplib, SolutionFormat.NAMES),
    _layout("MOSEK", r"NAME *:|(?:VARIABLES|CONSTRAINTS) *\n *INDEX ", read_mosek),
    _layout("Xpress", r"NAME\b", read_xpress),
    _layout("lp_solve", "Value of objective function:|Actual values of the variables:", read_lp_solve),
    _layout("names and values", "", read_names, SolutionFormat.NAMES),
)
"""The first whose beginning matches counts."""


def text_of_solution(data: bytes) -> str:
    """Return the text of a solution file, without a byte order mark, with line feeds only. Raises `ValueError`."""
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8 text") from error


def read_columns(
    text: str,
    names: Sequence[str],
    wanted: SolutionFormat | None = None,
    zeros_left_out: bool = False,
    needed: Collection[str] | None = None,
) -> Solution:
    """Read the values of the columns with these names from a solution file.

    wanted: the layout that is required; None: any. zeros_left_out: an absent column is 0, whatever the layout. needed:
    the columns that must be there where zeros are not left out; None: all.
    Raises `SolutionError`: another layout, or an unknown one; a line that does not belong to it; a column that the
    instance does not have, that is absent, or that occurs twice; a value that is not a finite decimal number.
    """
    layout = next(layout for layout in _LAYOUTS if layout.begins.match(text))
    if not text.strip():
        raise SolutionError(1, "the file is empty")
    if wanted not in (None, layout.format):
        raise SolutionError(1, f"the layout is that of {layout.title}; [solution] format wants {wanted}")
    columns = Columns(names)
    layout.read(Lines(text), columns)
    absent = columns.absent()
    complete = not absent or columns.zeros_left_out or zeros_left_out
    if not complete:
        missing = [name for name in absent if needed is None or name in needed]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise SolutionError(text.count("\n") + 1, f"the file ends, and column {missing[0]}{more} had no line")
        absent = []
    return Solution(columns.values(), len(absent), complete, columns.objective if columns.zeros_left_out else None)
