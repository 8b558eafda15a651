"""A TOML table read key by key: every key is checked, and a key that nobody asked for is an error."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, NoReturn

from vnnbench.instances.errors import SuiteError

Check = Callable[[Any], Any]
"""Returns the value as it is used, or raises ValueError."""


class Table:
    """A TOML table whose keys must all be taken; errors name the file and the key."""

    def __init__(self, values: dict[str, Any], source: str, prefix: str) -> None:
        self.values, self.source, self.prefix = dict(values), source, prefix
        self.known: list[str] = []

    def take(self, key: str, check: Check, right: str, default: Any = None) -> Any:
        """The value of a key; required unless there is a default. `right` says what it must be."""
        self.known.append(key)
        if key not in self.values:
            if default is not None:
                return default
            raise SuiteError(f"{self.source}: key {self.prefix}{key} is missing; it must be {right}")
        value = self.values.pop(key)
        try:
            return check(value)
        except ValueError:
            self.fail(key, value, right)

    def table(self, key: str) -> Table:
        values = self.take(key, instance_of(dict), f"a table, [{key}]")
        return Table(values, self.source, f"{self.prefix}{key}.")

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
        return [Table(value, self.source, f"{self.prefix}{key}.") for value in values]

    def finish(self) -> None:
        for key in self.values:
            close = get_close_matches(key, self.known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(self.known)}"
            raise SuiteError(f"{self.source}: unknown key {self.prefix}{key}; {hint}")

    def fail(self, key: str, value: Any, right: str) -> NoReturn:
        try:
            shown = repr(value)
        except ValueError:  # a hexadecimal integer may be of any length
            shown = "a number of thousands of digits"
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        raise SuiteError(f"{self.source}: {self.prefix}{key} is {shown}, it must be {right}")


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
