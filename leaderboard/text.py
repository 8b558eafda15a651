"""Text as it may be shown, whoever wrote it: one visible line, plain or in markdown; and numbers as text, alone or with
their nouns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

NONE = "–"
"""What stands for a number or a text that there is not."""


def count(number: int, thing: str) -> str:
    """Such as "1 pair", "2 pairs"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def count_runs(runs: int, attempts: int) -> str:
    """Such as "4 runs", where there is one attempt at each, else "4 runs (5 attempts)"."""
    return count(runs, "run") + (f" ({attempts} attempts)" if attempts > runs else "")


def span(values: Sequence[float]) -> str:
    """One number where all are the same, else the range: "60", "60 to 300"."""
    return f"{min(values):g}" if min(values) == max(values) else f"{min(values):g} to {max(values):g}"


def markdown_text(text: str) -> str:
    """Markdown that renders as this very text, in a table cell too. The text is one line (`plain`)."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_~|\[\]])", r"\\\1", text)


def markdown_row(cells: Iterable[str]) -> str:
    """One row of a table; the cells are texts, not markdown."""
    return "| " + " | ".join(markdown_text(cell) for cell in cells) + " |"


def markdown_table(names: Sequence[str], numbers: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table whose first columns hold names, to the left, and the others numbers, to the right."""
    head = [markdown_row([*names, *numbers]), "|" + " --- |" * len(names) + " ---: |" * len(numbers)]
    return head + [markdown_row(row) for row in rows]


def format_number(value: float | None) -> str:
    """Return three significant digits, and never fewer than the integer part has: 0.123, 12.3, 123, 1234; or `NONE`."""
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
    """Return a share (0 to 1) in percent, with so many digits after the point, or `NONE`."""
    return NONE if share is None else f"{100 * share:.{digits}f}%"


def interval_text(low: int | None, high: int | None) -> str:
    """Return such as 1-3, or 2 where both ends are the same."""
    return format_count(low) if low == high else f"{low}-{high}"


def with_minus(number: str) -> str:
    """Return a number's text with the sign that is as wide as a digit."""
    return number.replace("-", "−", 1) if number.startswith("-") else number


def triples(permutations: int) -> str:
    """Return the words for what a run has beside its setting; permutations are named where there are any."""
    return "instance-seed-permutation triples" if permutations else "instance-seed pairs"
