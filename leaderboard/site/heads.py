"""Words and column heads for the tables of the site. The columns of the leaderboard are in `ranking.columns`."""

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
"""The words for verdicts and for the answer of an instance; each has a colour of its own."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column.

    title: its text. about: the meaning of the column, shown when the reader points at it. kind: text, number, link
    (text and address) or badge (a word of `WORDS`).
    """

    title: str
    about: str = ""
    kind: str = "number"
