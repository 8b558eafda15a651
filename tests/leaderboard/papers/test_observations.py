"""Verdicts on a paper's observations: what confirms, contradicts, and what is too little."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from vnnbench.leaderboard.papers.observations import Claim, Observation, Verdict, verdict_of

HOLDS, FAILS, UNCLEAR = (Claim("", mean, 10, 10, p) for mean, p in ((0.4, 0.01), (-0.4, 0.01), (0.4, 0.2)))
WITHOUT_PAIRS = Claim("", None, 0, 0, 1.0)


def claim(values, problems=None):
    names = pd.Series([str(i) for i in range(len(values))] if problems is None else problems)
    return Claim.of("", np.array(values, dtype=np.float64), names)


def test_p_of_a_claim_is_that_of_flipping_its_problems():
    """Of eight problems with equal signs, two of the 2^8 combinations are as extreme."""
    assert claim([1.0] * 8) == Claim("", 1.0, 8, 8, 2 / 2**8)
    assert claim([-1.0] * 8).p == 2 / 2**8
    assert claim([]) == WITHOUT_PAIRS
    assert claim([0.0] * 8).p == 1.0


def test_pairs_on_one_image_count_once():
    found = claim([1.0] * 8, ["a", "b"] * 4)
    assert (found.pairs, found.problems, found.p) == (8, 2, 0.5)


@pytest.mark.parametrize(
    ("claims", "verdict"),
    [
        ((HOLDS, HOLDS), Verdict.CONFIRMED), ((HOLDS, UNCLEAR), Verdict.OPEN), ((HOLDS, FAILS), Verdict.CONTRADICTED),
        ((UNCLEAR, FAILS), Verdict.CONTRADICTED), ((HOLDS, WITHOUT_PAIRS), Verdict.OPEN),
        ((WITHOUT_PAIRS, FAILS), Verdict.CONTRADICTED),
    ],
)  # fmt: skip
def test_an_observation_is_as_its_claims(claims, verdict):
    assert Observation("i", "", claims).verdict is verdict


def test_one_failure_of_many_claims_needs_a_smaller_p():
    """p 0.01 is at most 5 % / 5, and more than 5 % / 6."""
    assert Observation("i", "", (FAILS, *[UNCLEAR] * 4)).verdict is Verdict.CONTRADICTED
    assert Observation("i", "", (FAILS, *[UNCLEAR] * 5)).verdict is Verdict.OPEN


def test_a_conclusion_is_as_its_observations():
    observed = {"i": Verdict.CONFIRMED, "ii": Verdict.OPEN, "iii": Verdict.CONTRADICTED, "iv": Verdict.CONFIRMED}
    assert verdict_of(("i", "iv"), observed) is Verdict.CONFIRMED
    assert verdict_of(("i", "ii"), observed) is Verdict.OPEN
    assert verdict_of(("i", "ii", "iii"), observed) is Verdict.CONTRADICTED
