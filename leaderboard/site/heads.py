"""Words and heads of all tables of the site. The columns of the leaderboard are in `ranking.columns`."""

from __future__ import annotations

from dataclasses import dataclass

WORDS = {
    "adversarial": "counterexample",
    "robust": "robust, claimed",
    "value": "value",
    "unknown": "unknown",
    "undecided": "undecided",
    "contradicted": "contradicted",
}
"""How verdicts, and what is known of an instance, are shown; each has a colour of its own."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column.

    title: its text. about: what the column means, shown on pointing at it. kind: text, number, link (text and address)
    or badge (a word of `WORDS`).
    """

    title: str
    about: str = ""
    kind: str = "number"
