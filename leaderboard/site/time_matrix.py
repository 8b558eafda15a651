"""The times in plots: settings on the problems on which the ranking compares them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from vnnbench.leaderboard.ranking.common_sets import find_contests, with_even_limits
from vnnbench.leaderboard.site.content import Contents, FileRanking, SettingPage


class Matrix:
    """The times of ranked settings on the triples of instance, seed and permutation that all of them ran.

    seconds (n, n_settings): NaN where the file is not done. limits (n,). instances: the hash of the instance of each
    triple. settings: one for each column.
    """

    def __init__(self, contents: Contents, ranking: FileRanking) -> None:
        ranked = [contents.page_of(row.setting).number for row in ranking.leaderboard.settings]
        runs, outcomes = contents.judged.runs, contents.judged.outcomes
        own = runs["run"].isin(contents.source.runs["run"].iloc[ranking.rows]) & outcomes["setting"].isin(ranked)
        rows = np.flatnonzero(own)
        self.settings: list[SettingPage] = []
        self.seconds, self.limits = np.empty((0, 0)), np.empty(0)
        self.instances: list[str] = []
        if not len(rows):
            return
        part = contents.judged.at(rows)
        part = part.with_outcomes(triple=pd.factorize(part.outcomes["triple"])[0])
        (contest,), _ = find_contests(part)
        outcomes = with_even_limits(part, [contest]).outcomes
        self.settings = [contents.settings[place] for place in contest.settings]
        times = np.where(contest.of(outcomes["finished"]) > 0, contest.of(outcomes["seconds"]), np.nan)
        self.seconds = times[:, : len(self.settings)]
        self.limits = contest.of(outcomes["limit"])[:, 0]
        self.instances = [str(digest) for digest in part.runs["instance_sha256"].to_numpy()[contest.runs[:, 0]]]

    def __len__(self) -> int:
        return len(self.seconds)
