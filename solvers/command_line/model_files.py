"""Reading of model files as text: MPS, free or fixed, and GLPK's own format.

It reads the portable files of our libraries (instances/README.md, "The rules of a model file"), and what programs write
of these: several entries per line, other bound types, other names of the objective row. Ranges and quadratic parts are
refused.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from vnnbench.solvers.base import ModelAsRead

MAX_BYTES = 512 << 20
"""The size of a model, unzipped: ours have at most 160 MiB, and a program may write more digits of each number."""
_INFINITE_BOUND = 1e20  # CBC writes 1e30 for the bound of an integer column that has none


class ModelFormat(StrEnum):
    """A format of model files. MPS: free, or fixed without blanks in names. GLPK: what `glpsol --wglp` writes."""

    MPS = "mps"
    GLPK = "glpk"


def text_of(path: Path) -> str:
    """Return the text of a model file, unzipped if its name ends in .gz. Raises `ValueError`, one line."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"holds more than {MAX_BYTES} bytes, the most that is read")
        data = path.read_bytes()
        if path.suffix == ".gz":
            stream = zlib.decompressobj(wbits=31)
            data = stream.decompress(data, MAX_BYTES + 1)
            if len(data) > MAX_BYTES:
                raise ValueError(f"holds more than {MAX_BYTES} bytes, the most that is read")
            if not stream.eof:
                raise ValueError("is not one complete gzip stream")
        return data.decode("ascii")
    except (OSError, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(getattr(error, "strerror", None) or str(error)) from error


def parse_model(text: str, kind: ModelFormat, tolerance: float = 0.0) -> ModelAsRead:
    """Read a model. Raises `ValueError`, one line with the number of the line in the text."""
    program = _Program()
    take = _mps_line if kind is ModelFormat.MPS else _glpk_line
    for number, line in enumerate(text.splitlines(), 1):
        try:
            at_end = take(program, line)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            what = str(error) if type(error) is ValueError else f"not understood: {line[:60].strip()!r}"
            raise ValueError(f"line {number}: {what}") from error
        if at_end:
            return program.model(tolerance)
    raise ValueError("it ends before its end mark")


class _Program:
    """A linear program under construction; columns and rows by name, in the order of the text."""

    def __init__(self) -> None:
        self.section = self.objective_row = ""
        self.minimize, self.integer_block, self.offset = True, False, 0.0
        self.columns: dict[str, int] = {}
        self.lower: list[float] = []
        self.upper: list[float] = []
        self.integer: list[bool] = []
        self.objective: list[float] = []
        self.rows: dict[str, int] = {}
        self.sides: list[tuple[float, float]] = []
        self.free_rows: set[str] = set()
        self.entries: list[tuple[int, int, float]] = []

    def column(self, name: str, lower: float, upper: float, integer: bool) -> int:
        place = self.columns.setdefault(name, len(self.lower))
        if place == len(self.lower):
            self.lower.append(lower)
            self.upper.append(upper)
            self.integer.append(integer)
            self.objective.append(0.0)
        return place

    def row(self, name: str, lower: float, upper: float) -> None:
        if name in self.rows:
            raise ValueError(f"row {name} occurs twice")
        self.rows[name] = len(self.sides)
        self.sides.append((lower, upper))

    def model(self, tolerance: float) -> ModelAsRead:
        return ModelAsRead(
            minimize=self.minimize,
            offset=self.offset,
            column_names=list(self.columns),
            column_lower=[_bound(value) for value in self.lower],
            column_upper=[_bound(value) for value in self.upper],
            column_integer=self.integer,
            objective=self.objective,
            row_names=list(self.rows),
            row_lower=[lower for lower, _ in self.sides],
            row_upper=[upper for _, upper in self.sides],
            entries=self.entries,
            tolerance=tolerance,
        )


def _bound(value: float) -> float:
    return math.copysign(math.inf, value) if abs(value) >= _INFINITE_BOUND else value


# -- MPS ---------------------------------------------------------------------------------------------------------


def _mps_line(program: _Program, line: str) -> bool:
    """Take one line. Returns True at the end mark."""
    fields = line.split()
    if not fields or line.startswith("*"):
        return False
    if not line[0].isspace():
        program.section = fields[0]
        if program.section == "OBJSENSE" and len(fields) > 1:
            _sense(program, fields[1])
        return program.section == "ENDATA"
    match program.section:
        case "OBJSENSE":
            _sense(program, fields[0])
        case "ROWS":
            _mps_row(program, *fields)
        case "COLUMNS":
            _mps_column(program, fields)
        case "RHS":
            for row, value in _pairs(fields):
                _mps_side(program, row, value)
        case "BOUNDS":
            _mps_bound(program, fields)
        case section:
            raise ValueError(f"section {section[:40] or 'none'} is not known here")
    return False


def _sense(program: _Program, word: str) -> None:
    program.minimize = not word.upper().startswith("MAX")


def _mps_row(program: _Program, sense: str, name: str) -> None:
    if sense == "N":
        program.free_rows.add(name)
        program.objective_row = program.objective_row or name
    else:
        sides = {"L": (-math.inf, 0.0), "G": (0.0, math.inf), "E": (0.0, 0.0)}
        program.row(name, *sides[sense])


def _mps_column(program: _Program, fields: list[str]) -> None:
    if fields[1] == "'MARKER'":
        program.integer_block = fields[2] == "'INTORG'"
        return
    column = program.column(fields[0], 0.0, math.inf, program.integer_block)
    for row, value in _pairs(fields):
        if row == program.objective_row:
            program.objective[column] = value
        elif row not in program.free_rows:
            program.entries.append((program.rows[row], column, value))


def _pairs(fields: list[str]) -> Iterator[tuple[str, float]]:
    """Yield names with their numbers, which follow the name of a column or of a set, if there is one."""
    start = len(fields) % 2
    for place in range(start, len(fields), 2):
        yield fields[place], float(fields[place + 1])


def _mps_side(program: _Program, row: str, value: float) -> None:
    if row == program.objective_row:
        program.offset = 0.0 - value
    elif row not in program.free_rows:
        lower, upper = program.sides[program.rows[row]]
        program.sides[program.rows[row]] = (
            lower if math.isinf(lower) else value,
            upper if math.isinf(upper) else value,
        )


def _mps_bound(program: _Program, fields: list[str]) -> None:
    kind, column = fields[0], program.columns[fields[2]]
    if kind in ("BV", "LI", "UI"):
        program.integer[column] = True
    if kind in ("LO", "LI", "FX"):
        program.lower[column] = float(fields[3])
    if kind in ("UP", "UI", "FX"):
        program.upper[column] = float(fields[3])
    if kind == "BV":
        program.lower[column], program.upper[column] = 0.0, 1.0
    if kind in ("MI", "FR"):
        program.lower[column] = -math.inf
    if kind in ("PL", "FR"):
        program.upper[column] = math.inf
    if kind not in ("LO", "LI", "UP", "UI", "FX", "BV", "MI", "FR", "PL"):
        raise ValueError(f"bound type {kind[:40]} is not known here")


# -- GLPK's own format -------------------------------------------------------------------------------------------


def _glpk_line(program: _Program, line: str) -> bool:
    """Take one line. Returns True at the end mark.

    `p` announces the sizes and comes first. Rows and columns without a line of their own, `i` and `j`, have the
    defaults: rows are equal to 0, columns are binary in a mip and else continuous and at least 0. Their names come
    after that (`n`), the coefficients last (`a ROW COLUMN VALUE`, row 0 the objective, column 0 its constant).
    """
    fields = line.split()
    match fields[:1]:
        case ["p"]:
            _glpk_sizes(program, *fields[1:5])
        case ["i"]:
            program.sides[int(fields[1]) - 1] = _glpk_bounds(fields[2:])
        case ["j"]:
            _glpk_column(program, int(fields[1]) - 1, fields[2:])
        case ["n"] if fields[1] in ("i", "j"):
            names = program.rows if fields[1] == "i" else program.columns
            names[fields[3]] = int(fields[2]) - 1
        case ["a"]:
            _glpk_entry(program, int(fields[1]) - 1, int(fields[2]) - 1, float(fields[3]))
        case ["e"]:
            program.rows, program.columns = (_in_order(names) for names in (program.rows, program.columns))
            if len(program.rows) != len(program.sides) or len(program.columns) != len(program.lower):
                raise ValueError("a row or a column has no name")
            return True
    return False


def _glpk_sizes(program: _Program, kind: str, sense: str, rows: str, columns: str) -> None:
    program.section, program.minimize = kind, sense == "min"
    program.sides = [(0.0, 0.0)] * int(rows)
    program.lower = [0.0] * int(columns)
    program.upper = [1.0 if kind == "mip" else math.inf] * int(columns)
    program.integer = [kind == "mip"] * int(columns)
    program.objective = [0.0] * int(columns)


def _glpk_column(program: _Program, place: int, fields: list[str]) -> None:
    if program.section == "mip":
        program.integer[place] = fields[0] == "i"
        fields = fields[1:]
    program.lower[place], program.upper[place] = _glpk_bounds(fields)


def _glpk_bounds(fields: list[str]) -> tuple[float, float]:
    numbers = [float(field) for field in fields[1:]]
    match fields[0]:
        case "f":
            return -math.inf, math.inf
        case "l":
            return numbers[0], math.inf
        case "u":
            return -math.inf, numbers[0]
        case "d" | "s":
            return numbers[0], numbers[-1]
    raise ValueError(f"bound type {fields[0][:40]} is not known here")


def _glpk_entry(program: _Program, row: int, column: int, value: float) -> None:
    if row >= 0:
        program.entries.append((row, column, value))
    elif column >= 0:
        program.objective[column] = value
    else:
        program.offset = value


def _in_order(names: dict[str, int]) -> dict[str, int]:
    return dict(sorted(names.items(), key=lambda item: item[1]))
