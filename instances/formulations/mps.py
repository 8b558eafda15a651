"""The writer and the reader of MPS files in the portable subset.

Files are free-format MPS without RANGES, SOS, indicators or quadratic sections. They have one objective row, with its
constant as the negated right-hand side, and explicit bounds for every integer column (`instances/README.md`, section
"The rules of a model file"). Numbers are written as the shortest decimals that read back bit for bit.
"""

from __future__ import annotations

import io
import zlib
from array import array
from collections.abc import Iterator
from itertools import chain, islice
from math import isfinite
from pathlib import Path
from typing import NoReturn

import numpy as np
import orjson

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import ModelError
from vnnbench.instances.files import read_plain
from vnnbench.instances.formulations.milp import OBJECTIVE, MilpModel
from vnnbench.instances.limits import MAX_MPS_BYTES, MAX_MPS_LINE, MAX_MPS_LINES, MAX_MPS_NAMES

# -- writing -----------------------------------------------------------------------------------------------------

_ENTRIES_AT_A_TIME = 1 << 14


def mps_text(model: MilpModel) -> bytes:
    """Return the file's uncompressed bytes. Raises `ModelError` if the reader would refuse the file as too large."""
    _check_size(model, 0, model.n_nonzeros)  # each has a line: no text of gigabytes is made
    file = io.BytesIO()
    file.writelines(f"{lines}\n".encode("ascii") for lines in _written(model))
    text = file.getvalue()
    _check_size(model, len(text), text.count(b"\n"))
    return text


def _written(model: MilpModel) -> Iterator[str]:
    """Yield the file's lines, some of them several in one string."""
    yield from (f"* {comment}".rstrip() for comment in model.comments)
    yield from (f"NAME {model.name}", "ROWS", f" N {OBJECTIVE}")
    yield from (f" {sense} {row}" for sense, row in zip(model.senses, model.row_names, strict=True))
    yield "COLUMNS"
    yield from _column_blocks(model)
    yield "RHS"
    if model.offset:
        yield f" RHS {OBJECTIVE} {-model.offset!r}"
    yield from (f" RHS {row} {rhs!r}" for row, rhs in zip(model.row_names, model.rhs.tolist(), strict=True) if rhs)
    yield "BOUNDS"
    for name, lower, upper, integer in zip(
        model.column_names, model.lower.tolist(), model.upper.tolist(), model.integer.tolist(), strict=True
    ):
        yield from _bound_lines(name, lower, upper, integer)
    yield "ENDATA"


def _check_size(model: MilpModel, n_bytes: int, n_lines: int) -> None:
    """Raise `ModelError` if a file of the model, with so many bytes and lines, would be refused."""
    excess = _excess(n_bytes, n_lines)
    if excess is None and max(model.n_rows, model.n_columns) > MAX_MPS_NAMES:
        excess = f"more than {MAX_MPS_NAMES} rows or columns"
    if excess is not None:
        raise ModelError(f"model {model.name}: would have {excess}, the most that is read")


def _excess(n_bytes: int, n_lines: int) -> str | None:
    """Return which limit such a file exceeds, such as "more than 4000000 lines", or None."""
    if n_bytes > MAX_MPS_BYTES:
        return f"more than {MAX_MPS_BYTES} bytes"
    return f"more than {MAX_MPS_LINES} lines" if n_lines > MAX_MPS_LINES else None


def compress(text: bytes) -> bytes:
    """Return the gzip of a text without name or time, so that the same model gives the same file.

    Columns repeat text of few lines before, so a window of 4 KiB finds it; the strategy `filtered` ignores digits that
    agree by chance. This is 2.6 times as fast as gzip at its level 6, and the file is 4 % smaller.
    """
    deflate = zlib.compressobj(level=4, wbits=16 + 12, memLevel=7, strategy=zlib.Z_FILTERED)
    return deflate.compress(text) + deflate.flush()


def _column_blocks(model: MilpModel) -> Iterator[str]:
    """Yield strings that hold the lines of one column each, or one marker line."""
    counts = np.bincount(model.indices, minlength=model.n_columns).tolist()
    objective, integer = model.objective.tolist(), model.integer.tolist()
    entries = chain.from_iterable(_entries_by_column(model))
    n_lines = 0
    inside_integers = False
    for j, name in enumerate(model.column_names):
        if integer[j] != inside_integers:
            inside_integers = not inside_integers
            yield f" MARKER{n_lines} 'MARKER' '{'INTORG' if inside_integers else 'INTEND'}'"
            n_lines += 1
        lines = [f"{OBJECTIVE} {objective[j]!r}"] if objective[j] else []
        lines += islice(entries, counts[j])
        if lines:
            yield f" {name} " + f"\n {name} ".join(lines)
            n_lines += len(lines)
    if inside_integers:
        yield f" MARKER{n_lines} 'MARKER' 'INTEND'"


def _entries_by_column(model: MilpModel) -> Iterator[list[str]]:
    """Yield lists of `row number`, the entries by column and then by row.

    Strings of all entries at once would take four times the memory of the text.
    """
    rows = np.repeat(np.arange(model.n_rows), np.diff(model.indptr))
    order = np.argsort(model.indices, kind="stable")
    row_names = np.array(model.row_names, dtype=object)
    for start in range(0, len(order), _ENTRIES_AT_A_TIME):
        some = order[start : start + _ENTRIES_AT_A_TIME]
        names, numbers = row_names[rows[some]].tolist(), _decimals(model.data[some])
        yield [f"{row} {number}" for row, number in zip(names, numbers, strict=True)]


def _decimals(values: Float64Array) -> list[str]:
    """Return the shortest decimals of finite numbers, at least one, that read back bit for bit."""
    return orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].decode().split(",")


def _bound_lines(name: str, lower: float, upper: float, integer: bool) -> list[str]:
    if integer and (lower, upper) == (0.0, 1.0):
        return [f" BV BOUND {name}"]
    if lower == upper:
        return [f" FX BOUND {name} {lower!r}"]
    lines = []
    if lower == -np.inf:
        lines.append(f" {'FR' if upper == np.inf else 'MI'} BOUND {name}")
    elif lower != 0 or integer or upper < 0:
        lines.append(f" LO BOUND {name} {lower!r}")
    if upper != np.inf:
        lines.append(f" UP BOUND {name} {upper!r}")
    return lines


# -- reading -----------------------------------------------------------------------------------------------------


def read_mps(path: Path) -> MilpModel:
    """Read a file of the portable subset, gzipped or not. Raises `ModelError` with file and line."""
    return parse_mps(uncompressed(path), str(path))


def uncompressed(path: Path) -> bytes:
    """Return the text of an MPS file, unzipped if its name ends in .gz. Raises `ModelError`."""
    return read_plain(path, MAX_MPS_BYTES, ModelError)


_BOUND_KINDS = ("BV", "FR", "MI", "LO", "UP", "FX")


class _Parser:
    """The state of one pass over the lines; `fail` names the place.

    entry_rows, entry_columns, entry_values: the coefficients, by column. newest, seen: the newest column and its rows.
    bounds: by column, a bit for each kind of bound that it has.
    """

    def __init__(self, source: str) -> None:
        self.source, self.line, self.section = source, 0, ""
        self.name, self.objective_row = "", ""
        self.comments: list[str] = []
        self.senses: list[str] = []
        self.rows: dict[str, int] = {}
        self.columns: dict[str, int] = {}
        self.newest: str | None = None
        self.integer: list[bool] = []
        self.inside_integers = False
        self.entry_rows, self.entry_columns, self.entry_values = array("q"), array("q"), array("d")
        self.seen: set[int] = set()
        self.objective: dict[int, float] = {}
        self.rhs: dict[int | None, float] = {}
        self.lower: list[float] = []
        self.upper: list[float] = []
        self.bounds = bytearray()

    def fail(self, what: str) -> NoReturn:
        raise ModelError(f"{self.source}: line {self.line}: {what}")

    def number(self, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            self.fail(f"{text[:40]!r} is not a number")
        if not isfinite(value) or "_" in text:
            self.fail(f"{text[:40]!r} is not a finite number")
        return value

    def row_line(self, fields: list[str]) -> None:
        if len(fields) != 2 or fields[0] not in ("N", "L", "G", "E"):
            self.fail("a row must be `N|L|G|E name`")
        sense, name = fields
        if name in self.rows or name == self.objective_row:
            self.fail(f"row {name} is declared twice")
        if sense == "N":
            if self.objective_row:
                self.fail("there is a second objective row")
            self.objective_row = name
        else:
            if len(self.rows) == MAX_MPS_NAMES:
                self.fail(f"has more than {MAX_MPS_NAMES} rows, the most that is read")
            self.rows[name] = len(self.rows)
            self.senses.append(sense)

    def column_line(self, fields: list[str]) -> None:
        if len(fields) != 3:
            self.fail("a column entry must be `column row number`")
        name, row, value = fields
        if row == "'MARKER'":
            if value not in ("'INTORG'", "'INTEND'"):
                self.fail(f"unknown marker {value[:40]}")
            self.inside_integers = value == "'INTORG'"
            return
        if name != self.newest:
            self.new_column(name)
        column = len(self.columns) - 1
        place = self.rows.get(row)
        if place is not None:
            if place in self.seen:
                self.fail(f"column {name} has two entries in row {row}")
            self.seen.add(place)
            self.entry_rows.append(place)
            self.entry_columns.append(column)
            self.entry_values.append(self.number(value))
        elif row == self.objective_row:
            if column in self.objective:
                self.fail(f"column {name} has two objective entries")
            self.objective[column] = self.number(value)
        else:
            self.fail(f"unknown row {row[:40]}")

    def new_column(self, name: str) -> None:
        if name in self.columns:
            self.fail(f"the entries of column {name} are not in one block")
        if len(self.columns) == MAX_MPS_NAMES:
            self.fail(f"has more than {MAX_MPS_NAMES} columns, the most that is read")
        self.columns[name] = len(self.columns)
        self.newest = name
        self.seen.clear()
        self.bounds.append(0)
        self.integer.append(self.inside_integers)
        self.lower.append(0.0)
        self.upper.append(np.inf)

    def rhs_line(self, fields: list[str]) -> None:
        if len(fields) != 3 or (fields[1] not in self.rows and fields[1] != self.objective_row):
            self.fail("a right-hand side must be `RHS row number` with a known row")
        row = self.rows.get(fields[1])  # None: the objective's
        if row in self.rhs:
            self.fail(f"row {fields[1]} has two right-hand sides")
        self.rhs[row] = self.number(fields[2])

    def bound_line(self, fields: list[str]) -> None:
        kind = fields[0]
        if len(fields) != (3 if kind in ("BV", "FR", "MI") else 4) or fields[2] not in self.columns:
            self.fail("a bound must be `LO|UP|FX set column number` or `BV|FR|MI set column` with a known column")
        column = self.columns[fields[2]]
        if kind not in _BOUND_KINDS:
            self.fail(f"bound type {kind[:40]} is outside the portable subset")
        bit = 1 << _BOUND_KINDS.index(kind)
        if self.bounds[column] & bit:
            self.fail(f"column {fields[2]} has two {kind} bounds")
        self.bounds[column] |= bit
        if kind == "BV":
            self.lower[column], self.upper[column], self.integer[column] = 0.0, 1.0, True
        elif kind in ("FR", "MI"):
            self.lower[column] = -np.inf
        elif kind == "LO":
            self.lower[column] = self.number(fields[3])
        elif kind == "UP":
            self.upper[column] = self.number(fields[3])
        else:
            self.lower[column] = self.upper[column] = self.number(fields[3])

    def model(self) -> MilpModel:
        if not self.objective_row or not self.columns:
            self.fail("the file has no objective row or no column")
        for name, column in self.columns.items():
            if self.integer[column] and self.upper[column] == np.inf:
                self.fail(f"integer column {name} has no explicit upper bound: readers disagree about the default")
            if not self.lower[column] <= self.upper[column]:
                self.fail(f"column {name} has an empty domain: a negative upper bound needs an explicit lower one")
        rows = np.frombuffer(self.entry_rows, dtype=np.int64)
        order = np.argsort(rows, kind="stable")  # within a row the columns keep their order
        n = len(self.columns)
        return MilpModel(
            name=self.name,
            comments=tuple(self.comments),
            column_names=tuple(self.columns),
            lower=np.array(self.lower),
            upper=np.array(self.upper),
            integer=np.array(self.integer, dtype=bool),
            objective=np.array([self.objective.get(j, 0.0) for j in range(n)]),
            offset=-self.rhs.get(None, 0.0) + 0.0,  # + 0.0: no negative zero
            row_names=tuple(self.rows),
            senses="".join(self.senses),
            rhs=np.array([self.rhs.get(row, 0.0) for row in self.rows.values()]),
            indptr=np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(self.rows)))]).astype(np.int64),
            indices=np.frombuffer(self.entry_columns, dtype=np.int64)[order],
            data=np.frombuffer(self.entry_values, dtype=np.float64)[order],
        )


def parse_mps(text: bytes, source: str) -> MilpModel:
    """Parse the portable subset; `source` names the file in errors. Raises `ModelError`."""
    parser = _Parser(source)
    if not text.isascii():
        raise ModelError(f"{source}: is not an ASCII text")
    if (excess := _excess(len(text), text.count(b"\n"))) is not None:
        raise ModelError(f"{source}: has {excess}, the most that is read")
    actions = {
        "ROWS": parser.row_line,
        "COLUMNS": parser.column_line,
        "RHS": parser.rhs_line,
        "BOUNDS": parser.bound_line,
    }
    # One by one: a list of short lines would take a hundred times their memory.
    for parser.line, line in enumerate(io.TextIOWrapper(io.BytesIO(text), "ascii", newline="\n"), 1):
        if line[0] == "*":
            if not parser.section:
                parser.comments.append(line[1:].strip())
            continue
        if len(line) > MAX_MPS_LINE and len(line.removesuffix("\n")) > MAX_MPS_LINE:
            parser.fail(f"has more than {MAX_MPS_LINE} characters, the most that is read of a line")
        fields = line.split()
        if not fields:
            continue
        if line[0] == " ":
            if parser.section not in actions:
                parser.fail("there is data before the first section")
            actions[parser.section](fields)
        elif fields[0] == "ENDATA":
            break
        elif fields[0] in actions or fields[0] == "NAME":
            parser.section = fields[0]
            parser.name = fields[1] if fields[0] == "NAME" and len(fields) > 1 else parser.name
        else:
            parser.fail(f"section {fields[0][:40]} is outside the portable subset")
    else:
        parser.fail("the file ends without ENDATA")
    return parser.model()
