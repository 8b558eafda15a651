"""Text for display: numbers with or without their nouns, and text of any origin escaped for markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

NONE = "–"
"""The text that is shown for a missing number or text."""
TRIPLES = "triples of instance, seed and permutation"
"""What identifies a run of a setting, in words; a permutation of 0 is the file as it is."""


def count(number: int, thing: str) -> str:
    """Return a number with its noun, such as "1 pair" or "2 pairs"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def count_runs(runs: int, attempts: int) -> str:
    """Return "4 runs" if there is one attempt at each, else such as "4 runs (5 attempts)"."""
    return count(runs, "run") + (f" ({attempts} attempts)" if attempts > runs else "")


def span(values: Sequence[float]) -> str:
    """Return the range of some numbers, "60 to 300", or the number, "60", if all are equal."""
    return f"{min(values):g}" if min(values) == max(values) else f"{min(values):g} to {max(values):g}"


def markdown_text(text: str) -> str:
    """Return markdown that renders as exactly this text, in a table cell too. The text is one line (`plain`)."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_~|\[\]])", r"\\\1", text)


def markdown_row(cells: Iterable[str]) -> str:
    """Return one row of a markdown table; the cells are texts, not markdown."""
    return "| " + " | ".join(markdown_text(cell) for cell in cells) + " |"


def markdown_table(names: Sequence[str], numbers: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a markdown table: first the columns of names, to the left, then numbers, to the right."""
    head = [markdown_row([*names, *numbers]), "|" + " --- |" * len(names) + " ---: |" * len(numbers)]
    return head + [markdown_row(row) for row in rows]


def format_number(value: float | None) -> str:
    """Return a number with three significant digits, or all of its integer part: 0.123, 12.3, 1234; or `NONE`."""
    if value is None:
        return NONE
    if value == 0:
        return "0"
    if abs(value) >= 99.95:
        return f"{value:.0f}"
    return f"{value:#.3g}".removesuffix(".")


def format_count(number: int | None) -> str:
    """Return all digits of an integer, or `NONE`."""
    return NONE if number is None else str(number)


def format_percent(share: float | None, digits: int = 0) -> str:
    """Return a share (0 to 1) in percent, with `digits` digits after the point, or `NONE`. A zero has no minus sign."""
    return NONE if share is None else f"{100 * share:z.{digits}f}%"


def interval_text(low: int | None, high: int | None) -> str:
    """Return an interval such as 1-3, or 2 if both ends are equal."""
    return format_count(low) if low == high else f"{low}-{high}"


def with_minus(number: str) -> str:
    """Return a number's text with a minus sign, which is as wide as a digit, in place of a leading hyphen."""
    return number.replace("-", "−", 1) if number.startswith("-") else number
