"""The common set of each group: the triples that every setting ran, as matrices.

Times are comparable over the same problems only. They are therefore taken over the *common set* of the group: the
(instance, seed, permutation) triples that every setting ran, and that no setting was refused. A setting that was
refused everything has no times and does not empty the set for the others. `with_even_limits` handles settings with
different time limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vnnbench.leaderboard.ranking.outcomes import APART, JudgedRuns, with_limits

Places: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CommonSet:
    """The number of (instance, seed, permutation) triples in a group's common set, and why the others are left out.

    triples = common + refused + not_run_by_all. not_compared: labels of settings that were refused everything. unused:
    the data sets that have triples in the group, but none in the common set.
    """

    group: tuple[object, ...]
    triples: int
    common: int
    refused: int
    not_run_by_all: int
    not_compared: tuple[str, ...]
    unused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contest:
    """The common set of one group, which is given by its position.

    settings: positions of the compared settings, in order. runs (n_triples, n_settings): positions of their runs among
    the outcomes, one row per triple. clusters (n_triples,): the independent problem of each triple, numbered from 0:
    problems that share an image are one.
    """

    group: int
    settings: tuple[int, ...]
    runs: Places
    clusters: Places

    def of(self, column: pd.Series) -> NDArray[np.float64]:
        """Return a numeric column of the outcomes as a matrix (n_triples, n_settings)."""
        return column.to_numpy(float)[self.runs]


def below_line_of(judged: JudgedRuns) -> set[tuple[int, int]]:
    """Return the positions (group, setting) of all settings below the line, by the outcomes' `below_line`."""
    marked = judged.outcomes.loc[judged.outcomes["below_line"], ["group", "setting"]].drop_duplicates()
    return {(int(group), int(setting)) for group, setting in marked.itertuples(index=False, name=None)}


def find_contests(judged: JudgedRuns) -> tuple[list[Contest], tuple[CommonSet, ...]]:
    """Return every group's common set and its counts. A setting has one run per triple."""
    outcomes, settings, groups = judged.outcomes, judged.settings, judged.groups
    group, triple, setting = (outcomes[name].to_numpy() for name in ("group", "triple", "setting"))
    refused = outcomes["refused"].to_numpy(bool)
    compared = np.zeros((len(groups), len(settings)), dtype=bool)
    compared[group[~refused], setting[~refused]] = True
    listed = np.zeros_like(compared)
    listed[group, setting] = True

    triples = int(triple.max()) + 1
    group_of_triple = np.zeros(triples, dtype=np.int64)
    group_of_triple[triple] = group
    ran = np.bincount(triple[~refused], minlength=triples)
    wanted = compared.sum(axis=1)[group_of_triple]
    is_common = (ran == wanted) & (ran > 0)
    refusals = np.bincount(triple[refused & compared[group, setting]], minlength=triples) > 0
    refusals |= wanted == 0  # every setting of the group was refused everything

    def count(flags: np.ndarray) -> np.ndarray:
        return np.bincount(group_of_triple[flags], minlength=len(groups))

    unused = _unused(judged.runs["dataset"], group, is_common[triple])
    totals = zip(
        groups, count(is_common | True), count(is_common), count(~is_common & refusals), listed & ~compared, strict=True
    )
    sets = tuple(
        CommonSet(
            group=values,
            triples=int(total),
            common=int(inside),
            refused=int(out),
            not_run_by_all=int(total - inside - out),
            not_compared=tuple(settings[position].label for position in np.flatnonzero(absent)),
            unused=unused.get(number, ()),
        )
        for number, (values, total, inside, out, absent) in enumerate(totals)
    )
    inside = np.flatnonzero(is_common[triple] & ~refused)
    inside = inside[np.lexsort((setting[inside], triple[inside], group[inside]))]
    clusters = pd.factorize(independent_problems(judged.runs))[0]
    starts = np.searchsorted(group[inside], np.arange(len(groups) + 1))
    contests = []
    for number in range(len(groups)):
        places = tuple(np.flatnonzero(compared[number]).tolist())
        matrix = inside[starts[number] : starts[number + 1]].reshape(-1, max(len(places), 1))
        own = np.unique(clusters[matrix[:, 0]], return_inverse=True)[1]
        contests.append(Contest(number, places, matrix, own))
    return contests, sets


def _unused(datasets: pd.Series, group: NDArray[np.int64], is_common: NDArray[np.bool_]) -> dict[int, tuple[str, ...]]:
    """Return the data sets of each group that have no common triple, of the groups that have both such data sets and
    a common triple. The arguments are of every run: its data set, its group, and whether its triple is common."""
    named = datasets.notna().to_numpy(bool)
    runs = pd.DataFrame({"group": group, "dataset": datasets.astype(str).to_numpy(), "common": is_common})[named]
    there: dict[int, set[str]] = {}
    used: dict[int, set[str]] = {}
    for number, dataset, common in runs.drop_duplicates().itertuples(index=False, name=None):
        there.setdefault(number, set()).add(dataset)
        if common:
            used.setdefault(number, set()).add(dataset)
    return {number: tuple(sorted(there[number] - own)) for number, own in used.items()}


def independent_problems(runs: pd.DataFrame) -> pd.Series[str]:
    """Return the name of each run's image in its data set; of its problem where there is no image.

    Problems that share an image are not independent, so tests count an image once.
    """
    image = runs["dataset"].astype(str) + " " + runs["sample"].astype(str)
    return image.where(runs["sample"].notna(), "problem " + runs["problem"].astype(str))


def with_even_limits(judged: JudgedRuns, contests: Sequence[Contest]) -> JudgedRuns:
    """Return the same runs with one `limit` per triple of a common set: the shortest limit of the compared settings.

    Runs that took longer are cut there: what they reached later counts as not reached.
    """
    limit = judged.outcomes["limit"].to_numpy(float)
    shortest = limit.copy()
    for contest in contests:
        if contest.settings:
            shortest[contest.runs] = limit[contest.runs].min(axis=1, keepdims=True)
    return judged if (shortest == limit).all() else with_limits(judged, shortest)


def count_lacking(judged: JudgedRuns) -> tuple[tuple[str, int], ...]:
    """Return the settings that lack triples which others ran, on the same type of CPU and with the same goal, and how
    many they lack.

    A stopped plan is one cause. The result holds (label, number of triples), the largest number first.
    """
    of_run = judged.runs.groupby(list(APART), sort=False).ngroup().to_numpy()
    triple, setting = (judged.outcomes[name].to_numpy() for name in ("triple", "setting"))
    of_triple = np.zeros(int(triple.max()) + 1, dtype=np.int64)
    of_triple[triple] = of_run
    there = np.bincount(of_triple)
    size = len(there), len(judged.settings)
    ran = np.bincount(np.ravel_multi_index((of_run, setting), size), minlength=size[0] * size[1]).reshape(size)
    lacking = np.where(ran > 0, there[:, None] - ran, 0).sum(axis=0).tolist()
    found = [(own.label, number) for own, number in zip(judged.settings, lacking, strict=True) if number]
    return tuple(sorted(found, key=lambda one: (-one[1], one[0])))
