"""How difficult an instance was for the settings that ran it. Told by rule, from the runs of one ledger.

easy      every run solved it, each within EASY_SECONDS
hard      some run solved it, and it is not easy
spent     no run solved it, and one of them is spent (`outcomes`): who solves its file to the end has not answered the
          problem, so that it is in no benchmark set
open      no run solved it, within the time limits that they had, and it is not spent
seconds   exp(mean over settings of mean over its runs of ln(t)): t is the time of a solved run, else the time limit,
          of several the longest that a run had on it; between 1 ms and LONGEST_SECONDS. No setting counts for more
          because it has more seeds
band      OPEN, or the half of a decade that its seconds fall into: 1 to 3, 3 to 10, ... up to LAST_BAND

Times compare within one machine only: all of this is told from the runs of one, `measuring_machine`, and an instance
that it did not run is not measured. But what was solved, or came to its end, on another machine is not open.

A run that was refused (its licence, the operator) says nothing; a wrong one has solved nothing. The words are those of
Gleixner et al. 2021, MIPLIB 2017, Math. Prog. Comp. 13; the rules are ours, for what many solvers can do within an hour
is not what a ledger tells.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise

import numpy as np
import pandas as pd

from vnnbench.leaderboard.ranking.aggregates import SHORTEST_SECONDS
from vnnbench.leaderboard.ranking.outcomes import judge_outcomes

EASY_SECONDS = 60.0
LONGEST_SECONDS = 1e9
"""A third of a century: what a ledger calls longer, or infinite, is taken for this."""

OPEN_BAND = "open"
BELOW_A_SECOND = "< 1 s"
_EDGES = (1, 3, 10, 30, 100, 300, 1000)
LAST_BAND = f">= {_EDGES[-1]} s"
BANDS = (
    BELOW_A_SECOND,
    *(f"{low} to {high} s" for low, high in pairwise(_EDGES)),
    LAST_BAND,
    OPEN_BAND,
)
"""From the easiest to the hardest."""


class Difficulty(StrEnum):
    """Told by the rules of the module's docstring."""

    EASY = "easy"
    HARD = "hard"
    OPEN = "open"
    SPENT = "spent"


RULES = {
    Difficulty.EASY: f"every run solved it, each within {EASY_SECONDS:g} s",
    Difficulty.HARD: "some run solved it, and it is not easy",
    Difficulty.OPEN: "no run solved it, nor its file to the end",
}


def measuring_machine(runs: pd.DataFrame) -> str:
    """The machine with the most runs; of several the first by name."""
    return str(runs.groupby("machine", sort=True).size().idxmax())


def measure_difficulty(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per measured instance, indexed by `instance_sha256` and sorted by it: `difficulty`, `seconds`, `band`."""
    outcomes = judge_outcomes(runs).outcomes.assign(
        instance_sha256=runs["instance_sha256"], measures=runs["machine"] == measuring_machine(runs)
    )
    outcomes = outcomes[~outcomes["refused"]]
    anywhere = outcomes.groupby("instance_sha256", sort=True)[["solved", "spent"]].any()
    outcomes = outcomes[outcomes["measures"]]
    instances = outcomes.groupby("instance_sha256", sort=True)
    all_solved = instances["solved"].all()
    any_solved, any_spent = (anywhere.loc[all_solved.index, name] for name in ("solved", "spent"))
    words = np.select(
        [all_solved & (instances["seconds"].max() <= EASY_SECONDS), any_solved, any_spent],
        [Difficulty.EASY.value, Difficulty.HARD.value, Difficulty.SPENT.value],
        Difficulty.OPEN.value,
    )
    seconds_of_runs = outcomes["seconds"].where(outcomes["solved"], instances["limit"].transform("max"))
    logs = np.log(seconds_of_runs.clip(SHORTEST_SECONDS, LONGEST_SECONDS)).rename("log")
    per_setting = logs.groupby([outcomes["instance_sha256"], outcomes["setting"]], sort=True).mean()
    seconds = np.exp(per_setting.groupby(level="instance_sha256", sort=True).mean()).to_numpy(float)
    band = np.array(BANDS)[np.searchsorted(_EDGES, seconds, side="right")]
    return pd.DataFrame(
        {"difficulty": words, "seconds": seconds, "band": np.where(any_solved, band, OPEN_BAND)}, index=any_solved.index
    )
