"""The ranks of the settings, their intervals, pairwise tests, and the ranks by other measures.

rank        1 + the number of better settings, by the shifted geometric mean of wall time with shift 10 s over the
            common set. A file that is not done, at an answer or at its end, counts as its time limit, as in H.
            Mittelmann's benchmarks; runs of settings with different limits are cut at the shortest
            (`common_sets.with_even_limits`). Equal means share a rank. A setting with a wrong answer anywhere in the
            ledger has no rank, and is below the line
pairs       a sign-flip test of the same mean (`sign_flips`), over independent problems: problems that share an image
            are one, with all their instances, seeds and permutations. Holm's correction over the pairs of the group
interval    of the rank: from 1 + the number of settings that are significantly better, to the number of settings less
            those that are significantly worse
measures    the ranks by other measures, see `MEASURES`, and at other tolerances

Source: S. Holm, Scand. J. Statist. 6 (1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vnnbench.leaderboard.ranking.common_sets import Contest, below_line_of
from vnnbench.leaderboard.ranking.outcomes import JudgedRuns
from vnnbench.leaderboard.ranking.sign_flips import FEWEST, flip_tests, least_p
from vnnbench.leaderboard.ranking.tolerance import TOLERANCES, violations_in_time
from vnnbench.leaderboard.records.settings import Setting

RANK_SHIFT = 10.0
SIGNIFICANCE = 0.05

MEASURES = {
    "sgm10": "shifted geometric mean, shift 10 s: the rank itself",
    "sgm1": "the same with shift 1 s",
    "sgm100": "the same with shift 100 s",
    "par2": "mean time, a file that is not done counting as twice its limit",
    "par10": "mean time, a file that is not done counting as ten times its limit",
    "solved": "number of files that are done, equal numbers as sgm10",
    "solved_by_all": "as sgm10, over the files that every ranked setting is done with",
    "answered": "as sgm10, with a spent run counting as its limit: how soon files give answers",
    **{
        f"{kind}_{name}": f"as sgm10, a counterexample counting if {text} it lies within {name} of the input set"
        for kind, text in (("as_given", "as given"), ("repaired", "before repair"))
        for name in TOLERANCES
    },
}
"""The measures that settings are ranked by, with their meanings.

Where a counterexample counts only by its tolerance, its run counts with its whole wall time: the arrival of the
candidate is known only for counterexamples within 1e-5. Runs whose tolerance was not measured stay as they are.
"""


def can_differ(problems: int, pairs: int) -> bool:
    """Return whether a test over so many independent problems could separate one of so many pairs."""
    return least_p(problems, pairs) < SIGNIFICANCE


@dataclass(frozen=True, slots=True)
class RankRow:
    """The rank of a setting in a group.

    rank_low, rank_high: its interval; None where there are fewer than `FEWEST` independent problems. by_measure: the
    rank by each of `MEASURES`, by name; None where there is nothing to compare by it.
    """

    group: tuple[object, ...]
    setting: Setting
    rank: int
    rank_low: int | None
    rank_high: int | None
    by_measure: dict[str, int | None]

    @property
    def flips(self) -> tuple[str, ...]:
        """The measures that give another rank."""
        return tuple(name for name, rank in self.by_measure.items() if rank not in (None, self.rank))


@dataclass(frozen=True, slots=True)
class PairRow:
    """Two ranked settings of a group, the faster one first.

    problems: the number of independent problems that the test is over. p: of the test; p_holm: corrected. differ:
    p_holm < 0.05.
    """

    group: tuple[object, ...]
    faster: Setting
    slower: Setting
    problems: int
    p: float
    p_holm: float
    differ: bool


def rank_settings(contests: Sequence[Contest], judged: JudgedRuns) -> tuple[tuple[RankRow, ...], tuple[PairRow, ...]]:
    """Return all ranks, by group and rank, and all pairs.

    The judged runs have even limits, and among their outcomes `below_line`: whether a run's setting is below the line.
    `contests` are those of these runs (`find_contests`).
    """
    outcomes, settings, groups = judged.outcomes, judged.settings, judged.groups
    below_line = below_line_of(judged)
    at_tolerance = _tolerance_seconds(judged)
    ranks: list[RankRow] = []
    pairs: list[PairRow] = []
    for contest in contests:
        group = contest.group
        own = [place for place, setting in enumerate(contest.settings) if (group, setting) not in below_line]
        if not own or not len(contest.runs):
            continue
        inside = replace(contest, settings=tuple(contest.settings[place] for place in own), runs=contest.runs[:, own])
        names, seconds = [settings[setting] for setting in inside.settings], inside.of(outcomes["seconds"])
        by_measure = _by_measure(inside, judged, at_tolerance)
        order = ranks_of(_mean_log(seconds, RANK_SHIFT).round(12))
        logs = cluster_logs(seconds, inside.clusters)
        tests = _pairs(groups[inside.group], names, order, logs)
        rows = [
            RankRow(
                group=groups[inside.group],
                setting=names[place],
                rank=int(order[place]),
                **_interval(names[place], len(names), len(logs), tests),
                by_measure={
                    name: None if own_ranks is None else int(own_ranks[place]) for name, own_ranks in by_measure.items()
                },
            )
            for place in range(len(names))
        ]
        ranks += sorted(rows, key=lambda row: (row.rank, row.setting.label))
        pairs += tests
    return tuple(ranks), tuple(pairs)


def ranks_of(badness: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the ranks along the last axis: 1 + the number of smaller values."""
    smaller: NDArray[np.int64] = np.sum(badness[..., :, None] > badness[..., None, :], axis=-1)
    return smaller + 1


def cluster_logs(seconds: NDArray[np.float64], clusters: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the sum of ln(max(1, t + 10)) by cluster (n_clusters, n_settings).

    seconds (n_triples, n_settings): the times t.
    """
    logs = np.log(np.maximum(1.0, seconds + RANK_SHIFT))
    return np.stack([np.bincount(clusters, weights=column) for column in logs.T], axis=1)


def holm(p: Sequence[float]) -> list[float]:
    """Apply Holm's step-down correction: p_(i) becomes max over j <= i of min(1, (m - j + 1) p_(j)), j from 1."""
    order = np.argsort(p, kind="stable")
    corrected = np.minimum(1.0, np.maximum.accumulate(np.asarray(p, float)[order] * np.arange(len(p), 0, -1)))
    found = np.empty(len(p))
    found[order] = corrected
    return found.tolist()


def _pairs(
    group: tuple[object, ...], names: list[Setting], ranks: NDArray[np.int64], logs: NDArray[np.float64]
) -> list[PairRow]:
    order = np.argsort(ranks, kind="stable")
    tests = sorted(flip_tests(logs[:, order]).items())
    return [
        PairRow(group, names[order[i]], names[order[j]], len(logs), p, corrected, corrected < SIGNIFICANCE)
        for ((i, j), p), corrected in zip(tests, holm([p for _, p in tests]), strict=True)
    ]


def _interval(setting: Setting, n_settings: int, problems: int, tests: Sequence[PairRow]) -> dict[str, int | None]:
    """Return the ends of the interval of a setting's rank."""
    if problems < FEWEST:
        return {"rank_low": None, "rank_high": None}
    better = sum(pair.differ for pair in tests if pair.slower == setting)
    worse = sum(pair.differ for pair in tests if pair.faster == setting)
    return {"rank_low": 1 + better, "rank_high": n_settings - worse}


def _tolerance_seconds(judged: JudgedRuns) -> pd.DataFrame:
    """Return every run's seconds at each tolerance, by the name of the measure."""
    runs, outcomes = judged.runs, judged.outcomes
    seconds, limit = outcomes["seconds"].to_numpy(float), outcomes["limit"].to_numpy(float)
    success, finished, wrong = (outcomes[name].to_numpy(bool) for name in ("counterexamples", "finished", "wrong"))
    whole = np.where(success & finished, seconds, np.minimum(runs["wall_seconds"].to_numpy(float), limit))
    depends = runs["threshold"].notna() & runs["primal_steps"].notna() & runs["goal"].isin(["find", "decide"])
    depends &= ~(finished & ~success)  # a run that ended in another way does not depend on it
    violations = violations_in_time(runs)
    return pd.DataFrame(
        {
            f"{kind}_{name}": np.where(depends, np.where((violation <= tolerance) & ~wrong, whole, limit), seconds)
            for kind in ("as_given", "repaired")
            for violation in [violations[kind].to_numpy(float)]  # NaN (no candidate) is within no tolerance
            for name, tolerance in TOLERANCES.items()
        }
    )


def _by_measure(
    contest: Contest, judged: JudgedRuns, at_tolerance: pd.DataFrame
) -> dict[str, NDArray[np.int64] | None]:
    """Return the ranks of the contest's settings by each of `MEASURES`."""
    outcomes = judged.outcomes
    seconds, limit, finished = (contest.of(outcomes[name]) for name in ("seconds", "limit", "finished"))
    easy = finished.all(axis=1)
    order = ranks_of(_mean_log(seconds, RANK_SHIFT).round(12))
    badness: dict[str, NDArray[Any] | None] = {
        "sgm10": _mean_log(seconds, RANK_SHIFT),
        "sgm1": _mean_log(seconds, 1.0),
        "sgm100": _mean_log(seconds, 100.0),
        "par2": np.where(finished, seconds, 2 * limit).mean(axis=0),
        "par10": np.where(finished, seconds, 10 * limit).mean(axis=0),
        "solved": order - (len(order) + 1) * finished.sum(axis=0),
        "solved_by_all": _mean_log(seconds[easy], RANK_SHIFT) if easy.any() else None,
        "answered": _mean_log(np.where(contest.of(outcomes["solved"]), seconds, limit), RANK_SHIFT),
        **{str(name): _mean_log(contest.of(at_tolerance[name]), RANK_SHIFT) for name in at_tolerance},
    }
    return {
        name: None if values is None else ranks_of(values.astype(float).round(12)) for name, values in badness.items()
    }


def _mean_log(seconds: NDArray[np.float64], shift: float) -> NDArray[np.float64]:
    """Return the mean logarithm, which orders settings as the shifted geometric mean does."""
    means: NDArray[np.float64] = np.log(np.maximum(1.0, seconds + shift)).mean(axis=0)
    return means
