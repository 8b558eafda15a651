"""What a paper says it observed, and whether our runs confirm it: claims about means, each with a sign-flip test.

A claim is that the mean of a number over pairs of runs is above 0; the module of the paper says which number. Pairs on
one image are not independent, so images are flipped whole (`sign_flips`).

An observation is confirmed if every one of its claims has a mean above 0 with p at most 5 %; contradicted if one has a
mean below 0 with p at most 5 % divided by the number of claims (Bonferroni), which chance alone does in one of 40; too
few if no claim has enough images for any p of 5 %; else it is open. A claim without a pair is neither. A conclusion is
confirmed if all of its observations are, contradicted if one is, too few if all are, else open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vnnbench.leaderboard.ranking.ranks import SIGNIFICANCE
from vnnbench.leaderboard.ranking.sign_flips import FEWEST, flip_tests
from vnnbench.leaderboard.text import markdown_table


class Verdict(StrEnum):
    """What our runs say about an observation."""

    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"
    OPEN = "open"
    TOO_FEW = "too few"

    @classmethod
    def of(cls, holds: bool | None) -> Verdict:
        """Return the verdict on what holds (True), fails (False) or is not decided (None)."""
        return {True: cls.CONFIRMED, False: cls.CONTRADICTED, None: cls.OPEN}[holds]


@dataclass(frozen=True, slots=True)
class Claim:
    """One part of an observation: that a mean is above 0. It is about shares, or the natural logarithm of a factor.

    mean: None without a pair. problems: independent ones. p: of the two-sided sign-flip test that the mean is 0.
    """

    text: str
    mean: float | None
    pairs: int
    problems: int
    p: float
    is_factor: bool = False

    @classmethod
    def of(cls, text: str, values: NDArray[np.float64], problems: pd.Series[str], *, is_factor: bool = False) -> Claim:
        """Test the mean of values (n,) of pairs, each with the name of its independent problem (n,)."""
        if not len(values):
            return cls(text, None, 0, 0, 1.0, is_factor)
        places, names = pd.factorize(problems)
        sums = np.bincount(places, weights=values)
        p = flip_tests(np.stack([sums, np.zeros_like(sums)], axis=1))[0, 1]
        return cls(text, float(values.mean()), len(values), len(names), p, is_factor)


@dataclass(frozen=True, slots=True)
class Observation:
    """A numbered observation of a paper in our words, with its claims."""

    number: str
    text: str
    claims: tuple[Claim, ...]

    @property
    def verdict(self) -> Verdict:
        known = [(claim.mean, claim.p) for claim in self.claims if claim.mean is not None]
        if any(mean < 0 and p * len(self.claims) <= SIGNIFICANCE for mean, p in known):
            return Verdict.CONTRADICTED
        if all(claim.problems < FEWEST for claim in self.claims):
            return Verdict.TOO_FEW
        holds = len(known) == len(self.claims) and all(mean > 0 and p <= SIGNIFICANCE for mean, p in known)
        return Verdict.CONFIRMED if holds else Verdict.OPEN


def verdict_of(numbers: Iterable[str], observed: Mapping[str, Verdict]) -> Verdict:
    """Return the verdict on the conclusion from the observations of these numbers."""
    verdicts = {observed[number] for number in numbers}
    if Verdict.CONTRADICTED in verdicts:
        return Verdict.CONTRADICTED
    return verdicts.pop() if len(verdicts) == 1 else Verdict.OPEN


def named_verdicts(observed: Iterable[tuple[str, Mapping[str, Verdict]]]) -> str:
    """Return a sentence for each decided verdict that says which runs gave it on which observation; observed: what the
    runs are of, with the verdict on each number."""
    of = list(observed)
    sentences = []
    for verdict in (Verdict.CONFIRMED, Verdict.CONTRADICTED):
        named = {
            number: [name for name, found in of if found[number] is verdict] for number in (of[0][1] if of else ())
        }
        listed = [f"{number} by {' and '.join(names)}" for number, names in named.items() if names]
        sentences += [f"{verdict.capitalize()}: {'; '.join(listed)}."] if listed else []
    return " ".join(sentences)


def verdict_table(observed: Iterable[tuple[str, str, Sequence[Verdict]]]) -> str:
    """Return as markdown how often each verdict, in the order of `Verdict`, was reached on observations: their numbers,
    texts and verdicts."""
    rows = [
        [number, text, *(str(verdicts.count(verdict)) for verdict in Verdict)] for number, text, verdicts in observed
    ]
    return "\n".join(markdown_table(["", "observation"], ["conf.", "contr.", "open", "too few"], rows))
