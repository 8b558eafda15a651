"""The layouts of the solution files of solvers: one function for each.

Each takes all lines, in order, and stores the columns' values. It skips sections of rows by their position, never by
their names, which may be those of columns. It raises `SolutionError` for a line that does not belong to the layout, for
a count that does not agree, and for a file that ends too early.
"""

from __future__ import annotations

import re

from vnnbench.solvers.command_line.solution_columns import Columns, Lines, decimal, quoted, whole

# -- a line for each column: its name and its value ----------------------------------------------------------------


def read_names(lines: Lines, columns: Columns) -> None:
    """Read the layout of Gurobi, COPT and others: `name value`, with comments after #."""
    for line in lines:
        if not line.startswith("#"):
            _put_pair(lines, columns, line)
    lines.end_of_last()


def read_miplib(lines: Lines, columns: Columns) -> None:
    """Read the layout of MIPLIB: `=obj= value`, then `name value` without the zeros."""
    columns.zeros_left_out = True
    head = lines.take().split()
    if head[0] != "=obj=" or len(head) != 2:
        lines.fail("the file says that it has no solution")
    columns.objective = decimal(head[1])
    read_names(lines, columns)


def read_scip(lines: Lines, columns: Columns) -> None:
    """Read the layout of SCIP: `name value (obj:coefficient)` after status and objective, without the zeros."""
    columns.zeros_left_out = True
    line = lines.take()
    if line.startswith("solution status:"):
        line = lines.take()
    if not line.startswith("objective value:"):
        lines.fail("the file says that it has no solution")
    columns.objective = decimal(line.split()[-1])
    for line in lines:
        fields = line.split()
        if line.startswith("objective value:"):
            lines.fail("a second solution begins here; leave one")
        if line == "no solution available":
            lines.fail("the file says that it has no solution")
        if len(fields) != 3 or not re.fullmatch(r"\(obj:.*\)", fields[2]):
            lines.misplaced(line)
        columns.put(lines.number, fields[0], fields[1])


def read_lp_solve(lines: Lines, columns: Columns) -> None:
    """Read the layout of lp_solve: `name value` between two titles."""
    lines.skip_to(r"Actual values of the variables:")
    while (line := lines.take()) != "Actual values of the constraints:":
        _put_pair(lines, columns, line)
    _refuse_second(lines, r"Actual values of the variables:")


def _put_pair(lines: Lines, columns: Columns, line: str) -> None:
    fields = line.split()
    if len(fields) != 2:
        lines.fail(f"{quoted(line)} is not a column and its value, nor is the file of another layout that is known")
    columns.put(lines.number, fields[0], fields[1])


def _refuse_second(lines: Lines, pattern: str) -> None:
    for line in lines:
        if re.fullmatch(pattern, line):
            lines.fail("a second solution begins here; leave one")


# -- CBC, Xpress and MOSEK -----------------------------------------------------------------------------------------


def read_cbc(lines: Lines, columns: Columns) -> None:
    """Read the layout of CBC: `[**] number name value reduced_cost` after its status, by default without the zeros.

    ** marks a value outside of its bounds. With some options rows come first; then the numbers begin again.
    """
    columns.zeros_left_out = True
    columns.objective = decimal(lines.take().split()[-1])
    sections: list[list[tuple[int, int, str, str]]] = [[]]
    for line in lines:
        fields = line.split()
        if fields[0] == "**":
            del fields[0]
        number = whole(fields[0]) if len(fields) == 4 else None
        if number is None or decimal(fields[3]) is None:
            lines.misplaced(line)
        if sections[-1] and number <= sections[-1][-1][1]:
            sections.append([])
        if len(sections) > 2:
            lines.fail("a second solution begins here; leave one")
        sections[-1].append((lines.number, number, fields[1], fields[2]))
    for place, number, name, word in sections[-1]:
        columns.put(place, name, word, number)


def read_xpress(lines: Lines, columns: Columns) -> None:
    """Read the layout of Xpress, .slx: `C name value` between NAME and ENDATA."""
    lines.take()
    while (line := lines.take()) != "ENDATA":
        fields = line.split()
        if fields[0] == "NAME":
            lines.fail("a second solution begins here; leave one")
        if fields[0] != "C" or len(fields) != 3:
            lines.misplaced(line)
        columns.put(lines.number, fields[1], fields[2])
    lines.end()


def read_mosek(lines: Lines, columns: Columns) -> None:
    """Read the layout of MOSEK (.int, .bas, .sol): `number name status activity lower upper ...` of the variables."""
    lines.skip_to("VARIABLES")
    head = lines.take()
    if not head.startswith("INDEX"):
        lines.misplaced(head)
    for line in lines:
        fields = line.split()
        if re.fullmatch("[A-Z ]+", line):  # the next section
            break
        if whole(fields[0]) is None or len(fields) < 6 or len(fields[2]) != 2:
            lines.misplaced(line)
        columns.put(lines.number, fields[1], fields[3])
    _refuse_second(lines, "VARIABLES")


# -- GLPK, whose layouts HiGHS writes too --------------------------------------------------------------------------

_GLPK_WIDTHS = {"bas": (7, 5, 3), "ipt": (6, 4, 2), "mip": (6, 3, 2)}
"""By kind: fields of the line `s`, and of a column; the place of a column's value."""


def read_glpk(lines: Lines, columns: Columns) -> None:
    """Read the layout of `glpsol --write`: comments `c`, a line `s kind rows columns status ... objective`, rows `i`,
    columns `j number [status] value [dual]`, and `e o f`."""
    head = next(line.split() for line in lines if line.split()[0] == "s")
    width, column_width, place = _GLPK_WIDTHS[head[1]]
    if len(head) != width:
        lines.misplaced(" ".join(head))
    if head[4] in ("u", "n"):
        lines.fail("the file says that it has no solution")
    columns.check_count(lines.number, whole(head[3]))
    rows = 0
    while (line := lines.take()) != "e o f":
        fields = line.split()
        if fields[0] not in ("i", "j") or len(fields) != column_width:
            lines.misplaced(line)
        if fields[0] == "i":
            rows += 1
        else:
            number = whole(fields[1])
            columns.put_numbered(lines.number, None if number is None else number - 1, fields[place])
    if rows != whole(head[2]):
        lines.fail(f"there are {rows} rows, not {head[2]}")
    lines.end()


_GLPK_MARKS = ("*", "B", "NL", "NU", "NF", "NS")


def read_glpk_printed(lines: Lines, columns: Columns) -> None:
    """Read the layout of `glpsol --output`: a table of rows, then one of columns, `number name [mark] activity ...`; a
    name of more than 12 characters has a line of its own."""
    lines.skip_to(r"Rows: .*")
    n_columns = lines.count(r"Columns: +(\d+)\b.*")
    columns.check_count(lines.number, n_columns)
    if lines.skip_to(r"Status: .*").endswith(("EMPTY", "UNDEFINED")):
        lines.fail("the file says that it has no solution")
    lines.skip_to(r"No\. +Column name .*")
    lines.skip_to(r"-+ .*")
    for expected in range(1, len(columns.names) + 1):
        line = lines.take()
        number, *fields = line.split()
        if whole(number) != expected or not fields:
            lines.misplaced(line)
        name, *fields = fields
        fields = fields or lines.take().split()
        if fields[0] in _GLPK_MARKS:
            del fields[0]
        if not fields or not all(decimal(word) is not None or word in ("=", "<", "eps") for word in fields[1:]):
            lines.misplaced(line)
        columns.put(lines.number, name, fields[0], expected - 1)
    lines.skip_to(r"End of output")
    lines.end()


# -- HiGHS ---------------------------------------------------------------------------------------------------------


def read_highs(lines: Lines, columns: Columns) -> None:
    """Read the raw layout of HiGHS, `name value` for all columns, then rows, duals and basis; or its sparse one,
    `name value number` without the zeros, with a negative number of columns."""
    lines.expect("Model status")
    lines.take()
    lines.expect("# Primal solution values")
    if lines.take() == "None":
        lines.fail("the file says that it has no solution")
    lines.take()  # its objective
    count = lines.count(r"# Columns (-?\d+)")
    columns.zeros_left_out = sparse = count <= 0
    if not sparse:
        columns.check_count(lines.number, count)
    for _ in range(abs(count)):
        line = lines.take()
        fields = line.split()
        if len(fields) != (3 if sparse else 2):
            lines.misplaced(line)
        columns.put(lines.number, fields[0], fields[1], _number_of(lines, fields[2]) if sparse else None)
    if sparse:
        return lines.end()
    for _ in range(lines.count(r"# Rows (\d+)")):
        lines.take()
    return _refuse_second(lines, "Model status")


def read_highs_pretty(lines: Lines, columns: Columns) -> None:
    """Read the pretty layout of HiGHS: `Index [Status] Lower Upper Primal [Dual] Type Name`, then a table of rows."""
    lines.expect("Columns")
    last = -2 if "Type" in lines.take().split() else -1
    while (line := lines.take()) != "Rows":
        fields = line.split()
        body = fields[1:last]
        if body and decimal(body[0]) is None and body[0] not in ("inf", "-inf"):
            del body[0]  # the status
        if len(body) not in (3, 4):
            lines.fail(f"{quoted(line)} holds no column with its bounds and its value")
        columns.put(lines.number, fields[-1], body[2], _number_of(lines, fields[0]))
    lines.skip_to(r"Model status: .*")
    _refuse_second(lines, "Columns")


def read_highs_numbered(lines: Lines, columns: Columns) -> None:
    """Read the old raw layout of HiGHS: `value [dual] [basis]` in the order of the columns, then of the rows."""
    n_columns, n_rows = (whole(word) for word in lines.take().split()[:2])
    columns.check_count(lines.number, n_columns)
    parts = [lines.take() for _ in range(3)]
    if parts[0] != "T Primal solution":
        lines.fail("the file says that it has no solution")
    width = sum(part.startswith("T ") for part in parts)
    lines.expect("Columns")
    for number in range(len(columns.names)):
        columns.put_numbered(lines.number + 1, number, _of_width(lines, width)[0])
    lines.expect("Rows")
    for _ in range(n_rows or 0):
        _of_width(lines, width)
    lines.end()


def _of_width(lines: Lines, width: int) -> list[str]:
    line = lines.take()
    fields = line.split()
    if len(fields) != width:
        lines.misplaced(line)
    return fields


def _number_of(lines: Lines, word: str) -> int:
    number = whole(word)
    if number is None:
        lines.fail(f"{quoted(word)} is not a column's number")
    return number
