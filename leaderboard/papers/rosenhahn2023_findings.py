"""What [R] finds about sparsity, over the runs of a ledger: differences in pairs of runs on the same data and split.

Only networks of ranked solvers are compared, each with one of the same setting and formulation, never across them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vnnbench.leaderboard.papers.rosenhahn2023 import CELL, DATA, Trained, parts_by
from vnnbench.leaderboard.papers.values import ROSENHAHN_FLAGS, ROSENHAHN_PLAIN, ROSENHAHN_VARIANTS
from vnnbench.leaderboard.ranking import aggregates
from vnnbench.leaderboard.ranking.aggregates import Numbers
from vnnbench.leaderboard.records.settings import Setting

SHIFT_SECONDS = 0.1
FORMULATIONS = ("plain", "tight")
"""The formulations whose times are compared: that of [R], and ours."""
_SPLIT = [*DATA, "network_seed", "seed", "permutation", "machine"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Differences of the test accuracy in pairs: their mean (-1 to 1; None without pairs), and how many are above,
    equal to and below 0."""

    mean: float | None
    better: int
    equal: int
    worse: int

    @property
    def pairs(self) -> int:
        return self.better + self.equal + self.worse

    @property
    def improves(self) -> bool | None:
        """Whether mean and most pairs are above 0; None where they disagree."""
        if self.mean is None or (self.better - self.worse) * self.mean <= 0:
            return None
        return self.mean > 0


@dataclass(frozen=True, slots=True)
class Overfitting:
    """How many networks, and their mean accuracies (0 to 1) on training and on test samples."""

    networks: int
    train: float | None
    test: float | None

    @property
    def excess(self) -> float | None:
        """The accuracy on training samples minus that on test samples."""
        return None if self.train is None or self.test is None else self.train - self.test


@dataclass(frozen=True, slots=True)
class Findings:
    """The findings of one setting and formulation.

    sparse: by variant, against that without sparsity, None for all together. by_flag: a term switched on, against the
    same other terms without it. plain, others: the variant without sparsity, and all others.
    """

    setting: Setting
    formulation: str
    sparse: dict[str | None, Difference]
    by_flag: dict[str, Difference]
    plain: Overfitting
    others: Overfitting

    @property
    def overfits(self) -> bool | None:
        """Whether networks without sparsity lose more accuracy on test samples than others; None: as much, or not
        known."""
        plain, others = self.plain.excess, self.others.excess
        if plain is None or others is None or abs(plain - others) < aggregates.SAME_VALUE:
            return None
        return plain > max(0.0, others)

    @property
    def weights_matter_most(self) -> bool | None:
        """Whether the term for the weights improves the test accuracy most; None: a term has no pair, or as much."""
        weights, *others = (self.by_flag[flag].mean for flag in ROSENHAHN_FLAGS)
        most = None if None in others else max(mean for mean in others if mean is not None)
        if weights is None or most is None or abs(weights - most) < aggregates.SAME_VALUE:
            return None
        return weights > max(0.0, most)


@dataclass(frozen=True, slots=True)
class Speedup:
    """The times of one setting on the same problems in both `FORMULATIONS`: how many pairs of runs, how many of each
    side are solved, and the shifted geometric means of seconds, an unsolved run counting as its limit."""

    setting: Setting
    pairs: int
    solved: tuple[int, int]
    seconds: tuple[float, float]

    @property
    def ratio(self) -> float | None:
        return aggregates.ratio(*self.seconds)


def find(trained: Trained) -> tuple[Findings, ...]:
    """Return the findings of every setting and formulation with a network, in their order."""
    networks = trained.ranked[trained.ranked["has_network"]]
    return tuple(
        Findings(
            setting=trained.settings[setting],
            formulation=formulation,
            sparse=_by_variant(own),
            by_flag={flag: _switched_on(own, place) for place, flag in enumerate(ROSENHAHN_FLAGS)},
            plain=_overfitting(own[own["variant"] == ROSENHAHN_PLAIN]),
            others=_overfitting(own[own["variant"] != ROSENHAHN_PLAIN]),
        )
        for (setting, formulation), own in parts_by(networks, CELL)
    )


def speedups(trained: Trained) -> Iterator[Speedup]:
    """Yield the times of every setting with runs on a problem in both formulations."""
    for (setting,), own in parts_by(trained.ranked, ["setting"]):
        plain, tight = (_once(own[own["formulation"] == name], [*_SPLIT, "problem"]) for name in FORMULATIONS)
        pairs = plain.merge(tight, on=[*_SPLIT, "problem"], suffixes=("_plain", "_tight"))
        if not pairs.empty:
            seconds = (_mean_seconds(pairs["seconds_plain"]), _mean_seconds(pairs["seconds_tight"]))
            solved = (int(pairs["solved_plain"].sum()), int(pairs["solved_tight"].sum()))
            yield Speedup(trained.settings[setting], len(pairs), solved, seconds)


def _once(runs: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """Return one run of each key: a ledger may hold two versions of one library, of which the later run counts."""
    return runs[[*key, "seconds", "solved", "test_accuracy"]].drop_duplicates(key, keep="last")


def _mean_seconds(seconds: pd.Series[float]) -> float:
    return aggregates.shifted_geometric_mean(np.asarray(seconds, np.float64), SHIFT_SECONDS, least=0.0) or 0.0


def _differences(networks: pd.DataFrame, variant: str, other: str) -> Numbers:
    """Return test accuracy with one variant minus that with another, of every split that has both."""
    own, others = (_once(networks[networks["variant"] == name], _SPLIT) for name in (variant, other))
    both = own.merge(others, on=_SPLIT, suffixes=("", "_other"))
    found: Numbers = (both["test_accuracy"] - both["test_accuracy_other"]).to_numpy(float)
    return found


def _by_variant(networks: pd.DataFrame) -> dict[str | None, Difference]:
    sparse = {
        variant: _differences(networks, variant, ROSENHAHN_PLAIN)
        for variant in ROSENHAHN_VARIANTS
        if variant != ROSENHAHN_PLAIN
    }
    together = {None: _difference(np.concatenate(list(sparse.values())))}
    return {variant: _difference(found) for variant, found in sparse.items() if found.size} | together


def _switched_on(networks: pd.DataFrame, place: int) -> Difference:
    """Return the differences that the flag at this place of a variant makes, all other flags being equal."""
    on = [variant for variant in ROSENHAHN_VARIANTS if variant.isdigit() and variant[place] == "1"]
    parts = [_differences(networks, variant, f"{variant[:place]}0{variant[place + 1 :]}") for variant in on]
    return _difference(np.concatenate(parts))


def _difference(found: Numbers) -> Difference:
    same = np.abs(found) < aggregates.SAME_VALUE
    better, worse = (found > 0) & ~same, (found < 0) & ~same
    return Difference(aggregates.mean(found), int(better.sum()), int(same.sum()), int(worse.sum()))


def _overfitting(networks: pd.DataFrame) -> Overfitting:
    train, test = (aggregates.mean(networks[name].to_numpy(float)) for name in ("train_accuracy", "test_accuracy"))
    return Overfitting(len(networks), train, test)
