"""The reader of tables in CSV files of any origin: a line of names, then a sample a line, with a column of classes.

Fields are separated by commas and quoted by ", the text is UTF-8, and a name that ends in .gz is unzipped. A feature
is a number, or true or false for 1 and 0. Nothing in a file is executed.
"""

from __future__ import annotations

import csv
import io
import re
from array import array
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vnnbench.common.text import shortened
from vnnbench.instances.datasets.table import Origin, Table
from vnnbench.instances.errors import DataError
from vnnbench.instances.files import read_plain
from vnnbench.instances.limits import MAX_INPUTS, MAX_TABLE_BYTES, MAX_TABLE_FIELDS

MAX_VALUE = 1e15
"""The largest magnitude of a feature, and of a class that counts as a number; models have numbers up to it too."""
MAX_NAME = 255
"""Characters of the name of a column, or of a class."""
MAX_CLASSES = 1_000
"""Classes of a table: more are rather the values of a number."""

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")  # `float` takes 1_0, and any digits too
_WORDS = {"true": 1.0, "false": 0.0}
_GAPS = frozenset({"", "?", "na", "n/a", "nan", "null", "none"})
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_SHOWN_COLUMNS, _SHOWN_CHARACTERS = 5, 40
_INFINITE = re.compile("[+-]?inf(inity)?", re.IGNORECASE)


def read_csv(path: Path, name: str, target: str | None, ignored: Collection[str] = ()) -> Table:
    """Return the table of a CSV file, called `name`; see `parse_csv`. Raises `DataError`."""
    return parse_csv(read_plain(path, MAX_TABLE_BYTES, DataError), name, str(path), target, ignored)


def parse_csv(data: bytes, name: str, file: str, target: str | None, ignored: Collection[str] = ()) -> Table:
    """Return the table of a CSV file's bytes.

    target: the column of the classes; None is the last one. ignored: columns that are neither features nor classes.
    Classes are sorted, as numbers if all of them are: 1 and 1.0 are the same class then.

    Raises `DataError`, one line that names file, line and column: the file is too large, is not CSV, lacks the target
    column, has a column twice, a line with more or fewer fields, a gap, text or an infinite number in a feature, or
    less than two classes or more than `MAX_CLASSES`.
    """
    fields = data.count(b",") + data.count(b"\n") + data.count(b"\r")
    if fields > MAX_TABLE_FIELDS:
        raise DataError(f"{file}: holds more than {MAX_TABLE_FIELDS} fields, the most that is read")
    records = _records(data, file)
    line, header = next(records, (1, []))
    if not header:
        raise DataError(f"{file}: is empty; line 1 must hold the names of the columns")
    where = f"{file}, line {line}"
    target_index = _check_header(header, target, where)
    kept = [i for i, column in enumerate(header) if i != target_index and column not in ignored]
    if not kept:
        raise DataError(f"{where}: has no column beside {header[target_index]!r}; a table needs features")
    values, labels = array("d"), _Labels(file, header[target_index])
    for line, record in records:
        where = f"{file}, line {line}"
        if len(record) != len(header):
            raise DataError(f"{where}: has {len(record)} fields, but there are {len(header)} columns")
        labels.add(record[target_index], line)
        values.extend(_value(record[i], header[i], where) for i in kept)
    classes, samples = labels.classes()
    origin = Origin(file, header[target_index], tuple(classes.values()))
    return Table(
        name,
        tuple(header[i] for i in kept),
        tuple(classes),
        np.array(values).reshape(-1, len(kept)),
        samples,
        origin,
    )


class _Labels:
    """The classes of samples as they come: the labels, and a code for each sample.

    lines: the line on which each label stands first, in their order; the code of a label is its place in it.
    """

    def __init__(self, file: str, column: str) -> None:
        self.file, self.column = file, column
        self.lines: dict[str, int] = {}
        self.code_of: dict[str, int] = {}
        self.codes = array("q")  # a list takes four times the memory

    def add(self, label: str, line: int) -> None:
        """Add a sample's label. Raises `DataError`: it is a gap or cannot be a name, or there are too many classes."""
        if label not in self.code_of:
            self._check(label, f"{self.file}, line {line}, column {self.column!r}: ")
            self.lines[label], self.code_of[label] = line, len(self.code_of)
        self.codes.append(self.code_of[label])

    def classes(self) -> tuple[dict[str, int], npt.NDArray[np.int64]]:
        """Return the classes, sorted, with the line on which each stands first, and the class of each sample.

        Raises `DataError`: there are less than two.
        """
        if not self.codes:
            raise DataError(f"{self.file}: has no samples below its line of names")
        numeric = all(map(_is_number, self.lines))
        names = [repr(float(label) + 0.0).removesuffix(".0") if numeric else label for label in self.lines]  # -0.0 is 0
        lines: dict[str, int] = {}
        for name, line in zip(names, self.lines.values(), strict=True):
            lines.setdefault(name, line)
        if len(lines) == 1:
            raise DataError(
                f"{self.file}, line {lines[names[0]]}, column {self.column!r}: all samples are of class {names[0]!r}, "
                "as this one is; a table needs two classes"
            )
        ordered = sorted(lines, key=float if numeric else str)
        class_of = np.array([ordered.index(name) for name in names], np.int64)
        return {name: lines[name] for name in ordered}, class_of[np.array(self.codes)]

    def _check(self, label: str, where: str) -> None:
        if label.lower() in _GAPS:
            raise DataError(f"{where}{_gap(label)}; every sample needs a class")
        if len(label) > MAX_NAME or not label.isprintable():
            raise DataError(f"{where}the name of the class is not one line of at most {MAX_NAME} characters")
        if len(self.lines) == MAX_CLASSES:
            raise DataError(
                f"{where}{label!r} is one class too many: a table has at most {MAX_CLASSES}; name a column of classes"
            )


def _records(data: bytes, file: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, fields) of each record that is not a blank line."""
    # Line by line: one text may take four times the memory.
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="")
    reader = csv.reader(text, skipinitialspace=True, strict=True)
    try:
        for record in reader:
            if record:
                yield reader.line_num, [field.strip() for field in record]
    except csv.Error as error:
        raise DataError(f"{file}, line {reader.line_num}: is not a line of a CSV file ({error})") from error
    except UnicodeDecodeError as error:
        line = _line_of_other_text(data)
        raise DataError(f"{file}, line {line}: is not UTF-8 text; save the table as CSV in UTF-8") from error


def _line_of_other_text(data: bytes) -> int:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1
    raise AssertionError("the bytes are UTF-8")


def _check_header(header: list[str], target: str | None, where: str) -> int:
    """Check the names of the columns, and return the index of the target column. Raises `DataError`."""
    if len(header) > MAX_INPUTS:
        raise DataError(f"{where}: has {len(header)} columns; at most {MAX_INPUTS} are read")
    if len(header) == 1:
        for mark, separators in _OTHER_SEPARATORS.items():
            if mark in header[0]:
                raise DataError(f"{where}: separates columns by {separators}; they must be separated by commas")
    seen: set[str] = set()
    for number, column in enumerate(header, 1):
        if not column:
            raise DataError(f"{where}: column {number} has no name; name it or leave it out")
        if len(column) > MAX_NAME or not column.isprintable():
            raise DataError(f"{where}: the name of column {number} is not one line of at most {MAX_NAME} characters")
        if column in seen:
            raise DataError(f"{where}: column {column!r} is there twice; rename or remove one")
        seen.add(column)
    if target is None:
        return len(header) - 1
    if target not in seen:
        raise DataError(f"{where}: has no target column {target!r}; {_columns_instead(header, target)}")
    return header.index(target)


def _columns_instead(header: list[str], target: str) -> str:
    """Say which columns there are, in place of the target column that is missing."""
    shown = ", ".join(repr(shortened(column, _SHOWN_CHARACTERS)) for column in header[:_SHOWN_COLUMNS])
    more = f" and {len(header) - _SHOWN_COLUMNS} more" if len(header) > _SHOWN_COLUMNS else ""
    close = get_close_matches(target.lower(), [column.lower() for column in header], n=1)
    if not close:
        return f"its columns are {shown}{more}"
    meant = next(column for column in header if column.lower() == close[0])
    return f"did you mean {meant!r}? Its columns are {shown}{more}"


def _value(text: str, column: str, where: str) -> float:
    """Return the number of a feature's field. Raises `DataError`."""
    if _NUMBER.fullmatch(text):
        number = float(text)
        if abs(number) <= MAX_VALUE:
            return number
        raise DataError(f"{where}, column {column!r}: is {text[:40]}; numbers must lie within {MAX_VALUE:g} of 0")
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if text.lower() in _GAPS:
        raise DataError(f"{where}, column {column!r}: {_gap(text)}; fill it, or leave the sample or the column out")
    if _INFINITE.fullmatch(text):
        raise DataError(f"{where}, column {column!r}: is infinite; give a finite number")
    raise DataError(
        f"{where}, column {column!r}: is the text {text[:40]!r}, but a feature is a number; encode it as numbers, or "
        "leave the column out"
    )


def _gap(text: str) -> str:
    return f"has a gap ({text})" if text else "is empty"


def _is_number(label: str) -> bool:
    """Return whether a class counts as a number; float64 would take different longer ones for the same."""
    return _NUMBER.fullmatch(label) is not None and abs(float(label)) < MAX_VALUE
