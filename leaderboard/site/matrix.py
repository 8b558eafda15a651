"""The times that plots and contributions are made of: settings on the problems that the ranking compares them on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from leaderboard.ranking import common_runs
from leaderboard.site.contents import Contents


class Matrix:
    """The times of settings on the problems that all of them ran, as the ranking compares them.

    seconds (n_problems, n_settings): NaN where it is not solved. limits (n_problems,). instances: hash by problem.
    settings: which ones.
    """

    def __init__(self, contents: Contents, rows: np.ndarray) -> None:
        outcomes = contents.outcomes.iloc[rows].assign(group=0)
        numbers = sorted(outcomes["setting"].unique())
        outcomes["setting"] = outcomes["setting"].map({number: place for place, number in enumerate(numbers)})
        outcomes["triple"] = pd.factorize(outcomes["triple"])[0]
        own = [contents.settings[number].setting for number in numbers]
        inside, _ = common_runs(outcomes, own, [()])
        common = outcomes[inside].assign(instance=contents.source.runs["instance_sha256"].iloc[rows][inside])
        common["time"] = common["seconds"].where(common["solved"])
        table = common.pivot(index="triple", columns="setting", values="time")
        self.settings = [contents.settings[numbers[int(place)]] for place in table.columns]
        self.seconds = table.to_numpy(float).reshape(len(table), len(self.settings))
        first = common.drop_duplicates("triple").set_index("triple").loc[table.index]
        self.instances = [str(digest) for digest in first["instance"]]
        self.limits = first["limit"].to_numpy(float)

    def __len__(self) -> int:
        return len(self.seconds)
