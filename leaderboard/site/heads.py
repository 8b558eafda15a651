"""Words and column heads for the tables of the site. The columns of the leaderboard are in `ranking.columns`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vnnbench.leaderboard.words import Evidence, Verdict

WORDS = {
    "adversarial": "counterexample",
    "robust": "robust, claimed",
    "certified": "robust, certified",
    "value": "value",
    "unknown": "unknown",
    "undecided": "undecided",
    "contradicted": "contradicted",
}
"""The words for verdicts and for the answer of an instance; each has a colour of its own."""


def word_of(run: Mapping[str, Any]) -> str:
    """Return the key in `WORDS` of a run's verdict; a robust claim is certified if a checked proof shows the same."""
    is_certified = run["verdict"] == Verdict.ROBUST and run["evidence"] == Evidence.CERTIFICATE
    return "certified" if is_certified else str(run["verdict"])


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column.

    title: its text. about: the meaning of the column, shown when the reader points at it. kind: text, number, link
    (text and address) or badge (a word of `WORDS`).
    """

    title: str
    about: str = ""
    kind: str = "number"
