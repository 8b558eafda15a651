"""What [R] finds about sparsity, over the runs of a ledger: tests over the splits of the data.

Only networks of ranked solvers are compared, each with one of the same setting and formulation, never across them.
Pairs of one split are not independent, because they share its samples and often a network: so a split counts once, with
the means over its pairs.
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
from vnnbench.leaderboard.ranking.ranks import SIGNIFICANCE
from vnnbench.leaderboard.records.processors import CPU
from vnnbench.leaderboard.records.settings import Setting

SHIFT_SECONDS = 0.1
FORMULATIONS = ("plain", "tight")
"""The formulations whose times are compared: that of [R], and ours."""
LEAST_SPLITS = 6
"""The least number of unequal splits whose sign test can decide: 2 / 2^6 = 0.03."""
_SPLIT = ["dataset", "samples", "features", "network_seed"]
_PAIR = [*DATA, "network_seed", "seed", "permutation", CPU]


@dataclass(frozen=True, slots=True)
class Difference:
    """Differences of an accuracy, one for each split: their mean (-1 to 1; None without splits), and how many are
    above, equal to and below 0."""

    mean: float | None
    above: int
    equal: int
    below: int

    @property
    def splits(self) -> int:
        return self.above + self.equal + self.below

    @property
    def p(self) -> float:
        """The p of the two-sided exact sign test that a difference is as often above 0 as below; 1 if all are 0."""
        from scipy.stats import binomtest  # imported here: most commands do not need it, and it takes most of a second

        unequal = self.above + self.below
        return float(binomtest(self.above, unequal).pvalue) if unequal else 1.0

    @property
    def is_above(self) -> bool | None:
        """Whether the differences are above 0 (True) or below (False); None: the test does not decide, or the mean has
        the other sign."""
        if self.mean is None or (self.above - self.below) * self.mean <= 0 or self.p > SIGNIFICANCE:
            return None
        return self.mean > 0


@dataclass(frozen=True, slots=True)
class Overfitting:
    """The excess of networks: their accuracy on training samples minus that on test samples (-1 to 1).

    plain, others: means over the splits, of the variant without sparsity and of all others; None without splits.
    difference: the first minus the second.
    """

    plain: float | None
    others: float | None
    difference: Difference


@dataclass(frozen=True, slots=True)
class Findings:
    """The findings of one setting and formulation, as differences of test accuracy.

    sparse: of all variants together against that without sparsity; by_variant: of each. by_flag: of a term switched on,
    against the same other terms without it.
    """

    setting: Setting
    formulation: str
    sparse: Difference
    by_variant: dict[str, Difference]
    by_flag: dict[str, Difference]
    overfitting: Overfitting

    @property
    def weights_matter_most(self) -> bool | None:
        """Whether the term for the weights improves the test accuracy, and by the largest mean.

        False: it reduces it, or a term with a larger mean improves it. None: neither.
        """
        weights, *others = (self.by_flag[flag] for flag in ROSENHAHN_FLAGS)
        if weights.is_above is False or any(term.is_above and _is_larger(term, weights) for term in others):
            return False
        return True if weights.is_above and all(_is_larger(weights, term) for term in others) else None


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
    networks = networks.assign(excess=networks["train_accuracy"] - networks["test_accuracy"])
    return tuple(
        _findings(trained.settings[setting], formulation, own)
        for (setting, formulation), own in parts_by(networks, CELL)
    )


def speedups(trained: Trained) -> Iterator[Speedup]:
    """Yield the times of every setting with runs on a problem in both formulations."""
    for (setting,), own in parts_by(trained.ranked, ["setting"]):
        plain, tight = (_once(own[own["formulation"] == name], [*_PAIR, "problem"]) for name in FORMULATIONS)
        pairs = plain.merge(tight, on=[*_PAIR, "problem"], suffixes=("_plain", "_tight"))
        if not pairs.empty:
            seconds = (_mean_seconds(pairs["seconds_plain"]), _mean_seconds(pairs["seconds_tight"]))
            solved = (int(pairs["solved_plain"].sum()), int(pairs["solved_tight"].sum()))
            yield Speedup(trained.settings[setting], len(pairs), solved, seconds)


def _once(runs: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """Return one run of each key: a ledger may hold two versions of one library, of which the later run counts."""
    return runs.drop_duplicates(key, keep="last")


def _mean_seconds(seconds: pd.Series[float]) -> float:
    return aggregates.shifted_geometric_mean(np.asarray(seconds, np.float64), SHIFT_SECONDS, least=0.0) or 0.0


def _findings(setting: Setting, formulation: str, networks: pd.DataFrame) -> Findings:
    once = _once(networks, [*_PAIR, "variant"])
    sparse = _pairs(once, {name: ROSENHAHN_PLAIN for name in ROSENHAHN_VARIANTS if name != ROSENHAHN_PLAIN})
    others, plain = _by_split(sparse, "excess")
    return Findings(
        setting=setting,
        formulation=formulation,
        sparse=_improvement(sparse),
        by_variant={str(variant): _improvement(own) for (variant,), own in parts_by(sparse, ["variant"])},
        by_flag={flag: _improvement(_pairs(once, _without_flag(at))) for at, flag in enumerate(ROSENHAHN_FLAGS)},
        overfitting=Overfitting(aggregates.mean(plain), aggregates.mean(others), _difference(plain, others)),
    )


def _without_flag(place: int) -> dict[str, str]:
    """Return the variants with the flag at this place, each with the one whose other flags are equal."""
    on = [variant for variant in ROSENHAHN_VARIANTS if variant.isdigit() and variant[place] == "1"]
    return {variant: f"{variant[:place]}0{variant[place + 1 :]}" for variant in on}


def _pairs(networks: pd.DataFrame, partners: dict[str, str]) -> pd.DataFrame:
    """Return the networks of the variants in `partners`, each beside that of its partner on the same split.

    The columns about the partner end in _partner.
    """
    own = networks[networks["variant"].isin(partners)]
    own = own.assign(variant_partner=own["variant"].map(partners))
    values = ["variant", "test_accuracy", "excess"]
    beside = networks[[*_PAIR, *values]].rename(columns={name: f"{name}_partner" for name in values})
    return own.merge(beside, on=[*_PAIR, "variant_partner"])


def _by_split(pairs: pd.DataFrame, value: str) -> tuple[Numbers, Numbers]:
    """Return the means of a value over the pairs of each split: of the networks, and of their partners."""
    means = pairs.groupby(_SPLIT, dropna=False)[[value, f"{value}_partner"]].mean()
    return means[value].to_numpy(np.float64), means[f"{value}_partner"].to_numpy(np.float64)


def _improvement(pairs: pd.DataFrame) -> Difference:
    return _difference(*_by_split(pairs, "test_accuracy"))


def _difference(values: Numbers, others: Numbers) -> Difference:
    found = values - others
    same = np.abs(found) < aggregates.SAME_VALUE
    above, below = (found > 0) & ~same, (found < 0) & ~same
    return Difference(aggregates.mean(found), int(above.sum()), int(same.sum()), int(below.sum()))


def _is_larger(difference: Difference, other: Difference) -> bool:
    """Return whether the mean of the first is larger; False if one is not known."""
    if difference.mean is None or other.mean is None:
        return False
    return difference.mean - other.mean > aggregates.SAME_VALUE
