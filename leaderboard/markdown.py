"""Markdown that shows a text as it is, whoever wrote it: names in a ledger are anyone's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def markdown_text(text: str) -> str:
    """Markdown that renders as this very text, in a table cell too. The text is one line (`tables.plain`)."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_~|\[\]])", r"\\\1", text)


def markdown_row(cells: Iterable[str]) -> str:
    """One row of a table; the cells are texts, not markdown."""
    return "| " + " | ".join(markdown_text(cell) for cell in cells) + " |"


def markdown_table(names: Sequence[str], numbers: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table whose first columns hold names, to the left, and the others numbers, to the right."""
    head = [markdown_row([*names, *numbers]), "|" + " --- |" * len(names) + " ---: |" * len(numbers)]
    return head + [markdown_row(row) for row in rows]
