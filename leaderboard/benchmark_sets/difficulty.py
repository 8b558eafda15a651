"""The difficulty of an instance for the settings that ran it, determined by rules from the runs of one ledger.

easy      every run solved it, each within EASY_SECONDS
hard      some run solved it, and it is not easy
spent     no run solved it, and one of them is spent (`outcomes`): solving its file to the end does not answer the
          problem, so it is in no benchmark set
open      no run solved it, within the time limits that they had, and it is not spent
seconds   exp(mean over settings of mean over its runs of ln(t)): t is the time of a solved run, else the longest time
          limit of the runs on the instance; between 1 ms and LONGEST_SECONDS. A setting with more seeds does not count
          for more
band      OPEN, or the half of a decade that contains its seconds: 1 to 3, 3 to 10, ... up to LAST_BAND

Times are comparable within one type of CPU only. So all of this is derived from the runs of one, `measuring_cpu`, and
an instance that it did not run is not measured. But an instance that was solved, or whose file was solved to its end,
on another one is not open.

A run that was refused (by its licence or the operator) says nothing; a wrong run counts as unsolved. The words are
those of Gleixner et al. 2021, MIPLIB 2017, Math. Prog. Comp. 13; the rules are ours, because a ledger does not say what
many solvers can do within an hour.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise

import numpy as np
import pandas as pd

from vnnbench.leaderboard.ranking.aggregates import SHORTEST_SECONDS
from vnnbench.leaderboard.ranking.outcomes import judge_outcomes
from vnnbench.leaderboard.records.processors import CPU

EASY_SECONDS = 60.0
LONGEST_SECONDS = 1e9
"""A third of a century: a longer or infinite time in a ledger counts as this."""

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
"""The bands, from the easiest to the hardest."""


class Difficulty(StrEnum):
    """The difficulties, by the rules of the module's docstring."""

    EASY = "easy"
    HARD = "hard"
    OPEN = "open"
    SPENT = "spent"


RULES = {
    Difficulty.EASY: f"every run solved it, each within {EASY_SECONDS:g} s",
    Difficulty.HARD: "some run solved it, and it is not easy",
    Difficulty.OPEN: "no run solved it, nor its file to the end",
}


def measuring_cpu(runs: pd.DataFrame) -> str:
    """Return the type of CPU with the most runs; of several the first by name."""
    return str(runs.groupby(CPU, sort=True).size().idxmax())


def measure_difficulty(runs: pd.DataFrame) -> pd.DataFrame:
    """Return `difficulty`, `seconds` and `band`, one row per measured instance, indexed and sorted by its sha256."""
    judged = judge_outcomes(runs)
    outcomes = judged.outcomes.assign(
        instance_sha256=judged.runs["instance_sha256"], measures=judged.runs[CPU] == measuring_cpu(runs)
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
