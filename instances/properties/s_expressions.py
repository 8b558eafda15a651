"""S-expressions, the nested lists of words of VNN-LIB files. Comments go from ; to the end of the line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from vnnbench.instances.errors import PropertyError

MAX_DEPTH = 64
"""The deepest nesting of lists."""
MAX_PARTS = 2_000_000
"""The most words and lists within one outermost list; each takes a hundred bytes."""

_TOKEN = re.compile(r";[^\n]*|[()]|[^\s();]+")


@dataclass(frozen=True, slots=True)
class Word:
    """A word and its line, from 1."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Form:
    """A list in parentheses and the line of its beginning, from 1."""

    items: tuple[Expression, ...]
    line: int

    @property
    def head(self) -> str:
        """The first item if it is a word, else the empty string."""
        first = self.items[0] if self.items else None
        return first.text if isinstance(first, Word) else ""


Expression: TypeAlias = Word | Form


def parse_forms(text: str) -> Iterator[Form]:
    """Yield the lists of the outermost level.

    Raises `PropertyError` with the line: parentheses that do not match, words outside of all lists, lists deeper than
    `MAX_DEPTH` or of more than `MAX_PARTS` parts.
    """
    stack: list[tuple[list[Expression], int]] = []
    line, seen, n_parts = 1, 0, 0
    for token in _TOKEN.finditer(text):
        line += text.count("\n", seen, token.start())
        seen = token.start()
        n_parts += 1
        if n_parts > MAX_PARTS:
            raise PropertyError(f"line {line}: one list holds more than {MAX_PARTS} words")
        match word := token.group():
            case "(":
                if len(stack) == MAX_DEPTH:
                    raise PropertyError(f"line {line}: more than {MAX_DEPTH} parentheses are nested")
                stack.append(([], line))
            case ")":
                if not stack:
                    raise PropertyError(f"line {line}: a closing parenthesis without an opening one")
                items, start = stack.pop()
                form = Form(tuple(items), start)
                if stack:
                    stack[-1][0].append(form)
                else:
                    n_parts = 0
                    yield form
            case _ if word[0] == ";":
                pass
            case _ if not stack:
                raise PropertyError(f"line {line}: {word[:40]!r} is outside of all parentheses")
            case _:
                stack[-1][0].append(Word(word, line))
    if stack:
        raise PropertyError(f"line {stack[0][1]}: a parenthesis is never closed; the file may be cut off")
