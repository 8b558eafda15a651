"""Words, numbers and column heads of all tables of the site."""

from __future__ import annotations

from dataclasses import dataclass

from vnnbench.leaderboard.tables.build import format_number as _plain_number

WORDS = {
    "adversarial": "counterexample",
    "robust": "robust, claimed",
    "value": "value",
    "unknown": "unknown",
    "undecided": "undecided",
    "contradicted": "contradicted",
}
"""How verdicts, and what is known of an instance, are shown; each has a colour of its own."""


def format_number(value: float | None) -> str:
    """As in all tables, with a minus that is as wide as a digit."""
    return with_minus(_plain_number(value))


def with_minus(number: str) -> str:
    """A number's text with the sign that is as wide as a digit."""
    return number.replace("-", "−", 1) if number.startswith("-") else number


@dataclass(frozen=True, slots=True)
class Column:
    """title: its head; about: what it means, shown on pointing at it. kind: text, number, link (text and address) or
    badge (a word of `WORDS`)."""

    title: str
    about: str = ""
    kind: str = "number"
