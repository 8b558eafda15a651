"""A TOML table read key by key: every key is checked, and a key that nobody asked for is an error."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn

from instances.files import read_plain

Check = Callable[[Any], Any]
"""Returns the value as it is used, or raises ValueError."""

MAX_BYTES = 1 << 20
_REQUIRED = object()


def read_toml(path: Path, error: Callable[[str], Exception]) -> str:
    """The text of a TOML file. Raises what `error` makes of one line: it cannot be read, or is too large or no text."""
    try:
        return read_plain(path, MAX_BYTES, error).decode("utf-8")
    except UnicodeDecodeError as problem:
        raise error(f"{path}: cannot be read (it is not UTF-8 text)") from problem


class Table:
    """A TOML table whose keys must all be taken. Errors are what `error` makes of one line that names file and key."""

    def __init__(self, values: dict[str, Any], source: str, prefix: str, error: Callable[[str], Exception]) -> None:
        self.values, self.source, self.prefix, self.error = dict(values), source, prefix, error
        self.known: list[str] = []

    @classmethod
    def parse(cls, text: str, source: str, error: Callable[[str], Exception]) -> Table:
        """The top table of a TOML text; `source` names it in errors. Raises what `error` makes."""
        try:
            return cls(tomllib.loads(text), source, "", error)
        except ValueError as problem:  # also for an integer of thousands of digits
            raise error(f"{source}: is not TOML ({problem})") from problem
        except RecursionError as problem:
            raise error(f"{source}: holds too many tables or lists within each other") from problem

    def take(self, key: str, check: Check, right: str, default: Any = _REQUIRED) -> Any:
        """The checked value of a key, or `default`; required where there is none. `right` says what it must be."""
        self.known.append(key)
        if key not in self.values:
            if default is not _REQUIRED:
                return default
            raise self.error(f"{self.source}: key {self.prefix}{key} is missing; it must be {right}")
        value = self.values.pop(key)
        try:
            return check(value)
        except ValueError:
            self.fail(key, value, right)

    def table(self, key: str, *, optional: bool = False) -> Table:
        """A table; one that is optional is empty where there is none."""
        values = self.take(key, instance_of(dict), f"a table, [{key}]", {} if optional else _REQUIRED)
        return self._of(key, values)

    def _of(self, key: str, values: dict[str, Any]) -> Table:
        return Table(values, self.source, f"{self.prefix}{key}.", self.error)

    def table_or_tables(self, key: str) -> list[Table]:
        """A table, or an array of at least one."""
        if not isinstance(self.values.get(key), list):
            return [self.table(key)]
        return self.tables(key) or [self.table(key)]

    def tables(self, key: str) -> list[Table]:
        """An array of tables, empty when there is none."""
        right = f"an array of tables, [[{key}]]"
        values = self.take(key, instance_of(list), right, [])
        if not all(isinstance(value, dict) for value in values):
            self.fail(key, values, right)
        return [self._of(key, value) for value in values]

    def finish(self) -> None:
        for key in self.values:
            close = get_close_matches(key, self.known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(self.known)}"
            raise self.error(f"{self.source}: unknown key {self.prefix}{key}; {hint}")

    def fail(self, key: str, value: Any, right: str) -> NoReturn:
        try:
            shown = repr(value)
        except ValueError:  # a hexadecimal integer may be of any length
            shown = "a number of thousands of digits"
        except RecursionError:
            shown = "too many tables or lists within each other"
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        raise self.error(f"{self.source}: {self.prefix}{key} is {shown}, it must be {right}")


def instance_of(kind: type) -> Check:
    def check(value: Any) -> Any:
        # TOML's true is no number here, though Python's is
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ValueError
        return value

    return check


def one_line(value: Any) -> str:
    text: str = instance_of(str)(value)
    if not text.isprintable():
        raise ValueError
    return text


def word_of(words: type[StrEnum]) -> Check:
    return lambda value: words(one_line(value))


def integer(lowest: int, highest: int) -> Check:
    def check(value: Any) -> int:
        whole: int = instance_of(int)(value)
        if not lowest <= whole <= highest:
            raise ValueError
        return whole

    return check


def number(lowest: float, highest: float, *, closed: bool = False) -> Check:
    """A number above `lowest`, or equal to it when `closed`."""

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError
        if not lowest <= value <= highest or (value == lowest and not closed):
            raise ValueError
        return float(value)

    return check


def interval(value: Any) -> tuple[float, float]:
    lowest, highest = (number(0.0, 1e6)(end) for end in instance_of(list)(value))
    if lowest > highest:
        raise ValueError
    return lowest, highest


def list_of(check: Check) -> Check:
    """At least one, all different, at most 1,000."""

    def check_all(value: Any) -> tuple[Any, ...]:
        items = tuple(check(item) for item in instance_of(list)(value))
        if not 1 <= len(items) <= 1000 or len(set(items)) != len(items):
            raise ValueError
        return items

    return check_all
