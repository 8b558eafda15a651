"""The lines of a solution file, read one after the other, and the values of the columns."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from typing import NoReturn

from vnnbench.common.numbers import finite

_DECIMAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"\d{1,18}", re.ASCII)


class SolutionError(ValueError):
    """A solution file is not understood; the message is one line that names the file's line and can be printed."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")


def decimal(word: str) -> float | None:
    """Return the float64 nearest to a decimal number; None for other words, infinities and numbers that overflow."""
    if not _DECIMAL.fullmatch(word):
        return None
    return finite(float(word))


def whole(word: str) -> int | None:
    """Parse a whole number of at most 18 digits; None for all other words."""
    return int(word) if _WHOLE.fullmatch(word) else None


def quoted(text: str) -> str:
    """Return the beginning of a text from a file, in quotes and safe to print."""
    text = text.strip()
    return ascii(text if len(text) <= 40 else f"{text[:37]}...")


class Columns:
    """The values of an instance's columns, as far as they are known.

    zeros_left_out: whether the layout leaves zeros out, so that an absent column is 0.
    objective: the objective that the file states, in layouts in which the columns can be compared with it; else None.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.zeros_left_out = False
        self.objective: float | None = None
        self._places = {name: place for place, name in enumerate(names)}
        self._values: list[float | None] = [None] * len(names)

    def put(self, line: int, name: str, word: str, number: int | None = None) -> None:
        """Take the value of a column, and check its number from 0 on where the file has one. Raises `SolutionError`."""
        place = self._places.get(name)
        if place is None:
            raise SolutionError(line, f"{quoted(name)} is not a column of the instance")
        if number not in (None, place):
            raise SolutionError(line, f"column {name} has the number {number}, in the instance it has {place}")
        value = decimal(word)
        if value is None:
            raise SolutionError(line, f"column {name} is {quoted(word)}, it must be a finite decimal number")
        if self._values[place] is not None:
            raise SolutionError(line, f"column {name} has a value already, {self._values[place]!r}")
        self._values[place] = value

    def put_numbered(self, line: int, number: int | None, word: str) -> None:
        """Take the value of a column that the file knows by its number from 0 on. Raises `SolutionError`."""
        if number is None or not 0 <= number < len(self.names):
            raise SolutionError(line, f"is not a column's line: the instance has {len(self.names)} columns")
        self.put(line, self.names[number], word)

    def check_count(self, line: int, said: int | None) -> None:
        """Check the number of columns that the file states. Raises `SolutionError`."""
        if said != len(self.names):
            raise SolutionError(line, f"it is of {said} columns, the instance has {len(self.names)}")

    def absent(self) -> list[str]:
        """Return the names of the columns that have no value."""
        return [name for name, value in zip(self.names, self._values, strict=True) if value is None]

    def values(self) -> array[float]:
        """Return a value for each column, 0 for those that have none."""
        return array("d", [0.0 if value is None else value for value in self._values])


class Lines:
    """The lines of a text, one after the other, without blank ones; `number` is that of the last one, from 1 on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = text.split("\n")
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        """Yield the lines that are left."""
        while self.number < len(self._lines):
            line = self._lines[self.number].strip()
            self.number += 1
            if line:
                yield line

    def take(self) -> str:
        """Return the next line. Raises `SolutionError` if there is none."""
        line = next(iter(self), None)
        if line is None:
            self.fail("the file ends here; it may be cut off")
        return line

    def expect(self, line: str) -> None:
        """Check the next line. Raises `SolutionError`."""
        found = self.take()
        if found != line:
            self.fail(f"{quoted(found)} stands where {line!r} must be")

    def skip_to(self, pattern: str) -> str:
        """Return the next line that the pattern matches. Raises `SolutionError` if there is none."""
        wanted = re.compile(pattern)
        while not wanted.fullmatch(line := self.take()):
            pass
        return line

    def count(self, pattern: str) -> int:
        """Return the number in the next line, by a pattern with one group. Raises `SolutionError`."""
        found = re.fullmatch(pattern, line := self.take())
        number = found and whole(found[1].lstrip("-"))
        if found is None or number is None:
            self.misplaced(line)
        return -number if found[1].startswith("-") else number

    def end(self) -> None:
        """Check that nothing is left. Raises `SolutionError`."""
        for line in self:
            self.misplaced(line)

    def end_of_last(self) -> None:
        """Check that the last line is whole, so that half of a number is not taken for it. Raises `SolutionError`."""
        if self._lines[-1].strip():
            self.fail("the last line may be cut off, for no line break ends it")

    def misplaced(self, line: str) -> NoReturn:
        self.fail(f"{quoted(line)} has no place here")

    def fail(self, what: str) -> NoReturn:
        raise SolutionError(self.number, what)
