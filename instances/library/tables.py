"""The tables of a library as CSV: a line of columns, then a record a line, with numbers that read back bit for bit."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from vnnbench.common.numbers import MAX_INTEGER, MAX_REAL, MAX_SECONDS
from vnnbench.instances.errors import LibraryError
from vnnbench.instances.limits import MAX_CATALOG_FIELDS, MAX_INSTANCES


def table_bytes(columns: Sequence[str], records: Iterable[Sequence[Any]]) -> bytes:
    """Return the bytes of a table; None is an empty field."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if value is None else value for value in record] for record in records)
    return buffer.getvalue().encode()


def read_records(data: bytes, path: Path, columns: Sequence[str], advice: str) -> Iterable[tuple[int, dict[str, str]]]:
    """Yield (line, fields by column); there may be others than `columns`, because later versions may add some.

    Raises LibraryError, whose message ends in `advice` where the whole table is wrong.
    """
    if data.count(b",") > MAX_CATALOG_FIELDS:
        raise LibraryError(f"{path}: holds more than {MAX_CATALOG_FIELDS} fields, the most that is read")
    try:
        # Line by line: one text may take four times the memory.
        reader = csv.reader(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline=""), strict=True)
        header = next(reader, [])
        if len(set(header)) != len(header):
            raise LibraryError(f"{path}: has a column twice; {advice}")
        missing = [column for column in columns if column not in header]
        if missing:
            raise LibraryError(f"{path}: lacks column {missing[0]}; {advice}")
        for row, record in enumerate(reader, 1):
            if row > MAX_INSTANCES:
                raise LibraryError(f"{path}: has more than {MAX_INSTANCES} rows, the most that is read")
            if len(record) != len(header):
                raise LibraryError(f"{path}, line {reader.line_num}: {len(record)} fields for {len(header)} columns")
            yield reader.line_num, dict(zip(header, record, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise LibraryError(f"{path}: is not a CSV file ({error}); {advice}") from error


def read_field(text: str, kind: str, where: str, column: str, *, optional: bool) -> Any:
    """Return a field as one of the kinds of `FIELDS`; an optional one is None where it is empty.

    Raises LibraryError, which begins with `where`.
    """
    if not text:
        if optional:
            return None
        raise LibraryError(f"{where}{column} is empty")
    try:
        return FIELDS[kind][0](text)
    except ValueError:
        raise LibraryError(f"{where}{column} is {text[:40]!r}, it must be {FIELDS[kind][1]}") from None


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError
    return text


def _count(text: str) -> int:
    """Return an integer; all integers of a library's tables are numbers or counts, so they are not negative."""
    if not re.fullmatch("[0-9]{1,19}", text) or (number := int(text)) > MAX_INTEGER:
        raise ValueError
    return number


def _flag(text: str) -> int:
    if text not in ("0", "1"):
        raise ValueError
    return int(text)


def _finite(text: str) -> float:
    if not abs(number := float(text)) <= MAX_REAL:
        raise ValueError
    return number


def _share(text: str) -> float:
    if not 0 <= (number := float(text)) <= 1:
        raise ValueError
    return number


def _measure(text: str) -> float:
    if (number := _finite(text)) < 0:
        raise ValueError
    return number


def _limit(text: str) -> float:
    if not 0 < (number := float(text)) <= MAX_SECONDS:
        raise ValueError
    return number


FIELDS: dict[str, tuple[Callable[[str], Any], str]] = {
    "str": (_printable, "a text of one line"),
    "int": (_count, f"an integer from 0 to {MAX_INTEGER}"),
    "flag": (_flag, "0 or 1"),
    "float": (_finite, "a finite number"),
    "measure": (_measure, "a finite number, not negative"),
    "limit": (_limit, f"a number above 0 and at most {MAX_SECONDS}"),
    "share": (_share, "a number from 0 to 1"),
}
"""The kinds of fields: how each is read, and what it must be."""
