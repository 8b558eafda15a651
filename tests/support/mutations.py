"""Mutations of valid files: of bytes, of lines of text, and of JSON documents."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DataObject

T = TypeVar("T")

NUMBERS = (
    "", "0", "-0.0", "1", "-1", "1.5", "1e999", "-1e999", "1e-999", "5e-324", "1.7976931348623157e308", "nan", "inf",
    "-inf", "9" * 5000, "1_0", "0x10", "1/3", "2147483648", "9007199254740993", "18446744073709551616", "1e100",
    "\u0661", "0.1", "1e-1199",
)  # fmt: skip
"""Numbers, and texts that are almost numbers, in place of others."""
WORDS = (
    "", "\0", "\x1b[31m", "\r", "\u2028", "\x85", "\ud7ff", "true", "null", "[]", "{}", "(", ")", "'", '"', "..",
    "/", "%s", "{0}", "../outside/secret", "a" * 3000, "\u00e9", ";", "#", "*", "=",
)  # fmt: skip
"""Words in place of others: control characters, brackets, paths, templates and long ones."""
BYTES = (*(text.encode() for text in (*NUMBERS, *WORDS)), b"\xff", b"\xc3", b"\xed\xa0\x80", b"\x80" * 4 + b"\x10")
"""These as bytes, and some that are not UTF-8 or are lengths beyond the end of a file."""
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, 0.0, -0.0, 0.5, -1.5, 1e308, 5e-324, "", "0.1", "1/3",
    "0.5", "1/0", "1e999", "nan", "\0", "\n", "\x1b[31m", "../outside/secret", "a" * 3000, [], {}, [[]], [0], [None],
    {"a": 1},
)  # fmt: skip
"""Values that JSON and TOML may hold in place of others."""
_DEEP = re.compile(r'"@(\d+)@"')
_TOKEN = re.compile(r"[^\s()\[\]{},=\"]+")


class Mutator:
    """Draws mutations from the data of a hypothesis example.

    An original is never altered: every method `mutate_...` returns a copy with one to four mutations.
    """

    def __init__(self, data: DataObject) -> None:
        self._data = data

    def number(self, lowest: int, highest: int) -> int:
        """Draw a whole number, both ends included."""
        return self._data.draw(st.integers(lowest, highest))

    def choice(self, items: Sequence[T]) -> T:
        """Draw one of the items."""
        return items[self.number(0, len(items) - 1)]

    def _part(self, length: int) -> tuple[int, int]:
        """Draw the ends of a slice; most slices are short."""
        start = self.number(0, length)
        return start, min(length, start + self.choice((0, 1, 2, 4, 8, 64, 4096)))

    def mutate_bytes(self, original: bytes) -> bytes:
        """Flip bits, and cut, double, move and replace parts."""
        mutated = bytearray(original)
        for _ in range(self.number(1, 4)):
            start, end = self._part(len(mutated))
            match self.number(0, 6):
                case 0 if start < len(mutated):
                    mutated[start] ^= 1 << self.number(0, 7)
                case 1 if start < len(mutated):
                    mutated[start] = self.choice((0, 1, 0x7F, 0x80, 0xFF))
                case 2:
                    del mutated[start:]
                case 3:
                    del mutated[start:end]
                case 4:
                    mutated[start:start] = self.choice(BYTES)
                case 5:
                    mutated[start:start] = mutated[start:end]
                case _:
                    source = self.number(0, len(mutated))
                    mutated[start:end] = mutated[source : source + end - start]
        return bytes(mutated)

    def mutate_text(self, original: str, words: tuple[str, ...] = ()) -> bytes:
        """Cut, double and swap lines, and replace words, by these among others; now and then mutate the bytes, too."""
        lines = original.split("\n")
        for _ in range(self.number(1, 3)):
            i, j = self.number(0, len(lines) - 1), self.number(0, len(lines) - 1)
            match self.number(0, 8):
                case 0 if len(lines) > 1:
                    del lines[i]
                case 1:
                    lines.insert(j, lines[i])
                case 2:
                    lines[i], lines[j] = lines[j], lines[i]
                case 3:
                    lines.insert(i, self.choice((*words, *WORDS)))
                case 4:
                    lines[i] += self.choice((*words, *WORDS, *NUMBERS))
                case _:
                    lines[i] = self._with_other_word(lines[i], lines[j], words)
        text = "\n".join(lines).encode()
        return self.mutate_bytes(text) if self.number(0, 9) == 0 else text

    def _with_other_word(self, line: str, other: str, words: tuple[str, ...]) -> str:
        tokens, others = list(_TOKEN.finditer(line)), _TOKEN.findall(other)
        if not tokens:
            return self.choice((*words, *WORDS))
        token = self.choice(tokens)
        if " = " in line and self.number(0, 1):
            return f"{line.partition(' = ')[0]} = {self.choice((*words, *NUMBERS))}"
        kind = self.number(0, 3)
        new = self.choice(others) if kind == 0 and others else self.choice((NUMBERS, words or WORDS, WORDS)[kind % 3])
        return line[: token.start()] + new + line[token.end() :]

    def mutate_document(self, original: Any) -> Any:
        """Change values, keys and items somewhere in a JSON document.

        A value "@n@" of the copy stands for n lists within each other, see `mutate_json`.
        """
        for _ in range(self.number(1, 3)):
            original = self._document(original)
        return original

    def _document(self, value: Any) -> Any:
        if isinstance(value, dict) and value and self.number(0, 7):
            key = self.choice(sorted(value))
            match self.number(0, 6):
                case 0:
                    return {k: v for k, v in value.items() if k != key}
                case 1:
                    return {**value, self.choice(WORDS): value[key]}
                case 2:
                    return {**value, key: value[self.choice(sorted(value))]}
                case _:
                    return {**value, key: self._document(value[key])}
        if isinstance(value, list) and value and self.number(0, 7):
            i = self.number(0, len(value) - 1)
            match self.number(0, 4):
                case 0:
                    return [*value[:i], *value[i + 1 :]]
                case 1:
                    return [*value, value[i]]
                case _:
                    return [*value[:i], self._document(value[i]), *value[i + 1 :]]
        match self.number(0, 9):
            case 0:
                return [value]
            case 1:
                return f"@{self.choice((10, 900, 1020, 5000))}@"
            case _:
                return self.choice(VALUES)

    def mutate_json(self, original: Any) -> bytes:
        """Return a mutated document as JSON text, with its lists within each other, which `json` could not write; now
        and then mutate the text, too."""
        text = json.dumps(self.mutate_document(original), ensure_ascii=False)
        text = _DEEP.sub(lambda match: "[" * int(match[1]) + "]" * int(match[1]), text)
        return self.mutate_text(text.replace(", ", ",\n")) if self.number(0, 4) == 0 else text.encode()
