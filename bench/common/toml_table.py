"""TOML from any source: its size and nesting are limited, every key is checked, and an unknown key is an error.

Errors are of a class that the caller gives. Each is one line: the file, the key, its value and what it must be.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, NoReturn

MAX_TOML_BYTES, MAX_TOML_DOTS = 64 * 1024, 2_000
"""The most bytes of a suite's or solver's TOML, and the most dots in a line of it. Those that come with vnnbench have
2 kB; a list has at most 1,000 numbers. For a key with n dots Python's parser needs memory proportional to n squared."""
REQUIRED: Any = object()
"""A marker in place of a default: the key is required."""

_TOO_DEEP = "has too many tables or lists within each other"

Check = Callable[[Any], Any]
"""A function that returns the value of a key as it is used, or raises ValueError."""


def parse_toml(text: str, source: str, error: type[Exception]) -> Table:
    """Return the table of a TOML text; `source` names it in errors, which are of the class `error`."""
    if max(line.count(".") for line in text.split("\n")) > MAX_TOML_DOTS:
        raise error(f"{source}: has a line of more than {MAX_TOML_DOTS} dots; shorten it")
    try:
        return Table(tomllib.loads(text), source, "", error)
    except ValueError as reason:  # also for an integer of thousands of digits
        raise error(f"{source}: is not TOML ({reason})") from reason
    except RecursionError as reason:
        raise error(f"{source}: {_TOO_DEEP}") from reason


class Table:
    """A TOML table, from which every key must be taken. Errors are of the class `error`, and name file and key."""

    def __init__(self, values: dict[str, Any], source: str, prefix: str, error: type[Exception]) -> None:
        self.values, self.source, self.prefix, self.error = dict(values), source, prefix, error
        self.known: list[str] = []

    def take(self, key: str, check: Check, right: str, default: Any = REQUIRED) -> Any:
        """Return the checked value of a key, which is required unless there is a default. `right` says in errors what
        it must be."""
        self.known.append(key)
        if key not in self.values:
            if default is REQUIRED:
                close = get_close_matches(key, self.values, n=1)
                hint = f"; there is {self.prefix}{close[0]}, which is not known" if close else ""
                raise self.error(f"{self.source}: key {self.prefix}{key} is missing; it must be {right}{hint}")
            return default
        value = self.values.pop(key)
        try:
            return check(value)
        except CheckError as reason:
            self.fail(key, value, f"{right}: {reason}")
        except ValueError:
            self.fail(key, value, right)

    def table(self, key: str, *, optional: bool = False) -> Table:
        """Return the table of a key; an empty one where it is optional and missing."""
        values = self.take(key, instance_of(dict), f"a table, [{key}]", {} if optional else REQUIRED)
        return self._within(key, values)

    def table_or_tables(self, key: str) -> list[Table]:
        """Return the tables of a key that has one table or an array of at least one."""
        if not isinstance(self.values.get(key), list):
            return [self.table(key)]
        return self.tables(key) or [self.table(key)]

    def tables(self, key: str) -> list[Table]:
        """Return the array of tables of a key; an empty one where the key is missing."""
        right = f"an array of tables, [[{key}]]"
        values = self.take(key, instance_of(list), right, [])
        if not all(isinstance(value, dict) for value in values):
            self.fail(key, values, right)
        return [self._within(key, value) for value in values]

    def finish(self) -> None:
        """Raise an error for the first key that was not taken."""
        for key in self.values:
            close = get_close_matches(key, self.known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(self.known)}"
            raise self.error(f"{self.source}: unknown key {self.prefix}{key}; {hint}")

    def fail(self, key: str, value: Any, right: str) -> NoReturn:
        """Raise the error that the value of a key is not `right`."""
        try:
            shown = repr(value)
        except ValueError:  # a hexadecimal integer may be of any length
            shown = "a number of thousands of digits"
        except RecursionError as reason:
            raise self.error(f"{self.source}: {_TOO_DEEP}") from reason
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        raise self.error(f"{self.source}: {self.prefix}{key} is {shown}, it must be {right}")

    def _within(self, key: str, values: dict[str, Any]) -> Table:
        return Table(values, self.source, f"{self.prefix}{key}.", self.error)


class CheckError(ValueError):
    """A value does not pass a check; the message says why, where that does not follow from what it must be."""


def instance_of(kind: type) -> Check:
    def check(value: Any) -> Any:
        # in Python True is an int; TOML's true is not a number
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


def one_of(words: Collection[str]) -> Check:
    def check(value: Any) -> str:
        if (text := one_line(value)) not in words:
            raise ValueError
        return text

    return check


def integer(lowest: int, highest: int) -> Check:
    def check(value: Any) -> int:
        whole: int = instance_of(int)(value)
        if not lowest <= whole <= highest:
            raise ValueError
        return whole

    return check


def number(lowest: float, highest: float, *, closed: bool = False) -> Check:
    """Return a check for a number above `lowest`, or equal to it when `closed`, and at most `highest`."""

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
    """Return a check for a list of 1 to 1,000 items, all different, each of which passes `check`."""

    def check_all(value: Any) -> tuple[Any, ...]:
        items = tuple(check(item) for item in instance_of(list)(value))
        if not 1 <= len(items) <= 1000 or len(set(items)) != len(items):
            raise ValueError
        return items

    return check_all
