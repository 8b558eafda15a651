"""The selection of a benchmark set from measured runs by a small MILP, as for MIPLIB 2017.

    min   sum_k weight_k (over_k + 1 under_k1 + 2 under_k2 + 3 under_k3 + 4 under_k4)
    s.t.  sum_i x_i = size                                              x_i = 1: instance i is in the set
          floor(s_k) <= sum_{i in k} x_i - over_k + sum_q under_kq <= ceil(s_k)     for every class k of every facet
          under_kq <= the q-th quarter of floor(s_k), in whole instances
          sum_{i in C} x_i <= 1                                         for every clique C of near-copies
          x binary, over, under >= 0 integer

A facet (FACETS) divides the instances into classes; s_k is the class's even share of the set, where a class with fewer
instances leaves the rest of its share to the others. The emptier a class is left, the more the next missing instance
costs, so that shortages are spread over classes. Difficulty weighs most, and instances that take less than a second are
taken only if the others are not enough: they say little about a solver. Open instances are a class like any other, so
that the set stays useful. Runs of references do not count, because the set is for solvers. HiGHS inside scipy solves
the MILP; the same runs and versions give the same set.
Source: Gleixner et al. 2021, MIPLIB 2017, Math. Prog. Comp. 13, 443-490.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, eye_array, hstack

from vnnbench.common.text import plain
from vnnbench.leaderboard.benchmark_sets.difficulty import (
    BANDS,
    BELOW_A_SECOND,
    RULES,
    Difficulty,
    measure_difficulty,
    measuring_cpu,
)
from vnnbench.leaderboard.benchmark_sets.near_copies import cover_by_cliques, near_copies
from vnnbench.leaderboard.ranking.outcomes import labelled_settings
from vnnbench.leaderboard.ranking.reference import without_reference
from vnnbench.leaderboard.records.processors import CPU
from vnnbench.leaderboard.records.settings import by_setting
from vnnbench.leaderboard.text import NONE
from vnnbench.leaderboard.words import LedgerError

DIFFICULTY_WEIGHT = 3
"""The weight of the facet difficulty; every other facet weighs 1."""

MAX_NODES = 2_000
"""The limit of branch-and-bound nodes: a limit in seconds would make the set depend on the machine. The best set found
until then is taken."""

_QUARTERS = 4
_INFEASIBLE = 2


class SelectionError(LedgerError):
    """There is no such set: run more instances, or choose fewer."""


@dataclass(frozen=True, slots=True)
class Share:
    """A class of a facet: its number of instances, the wanted numbers (at least, at most), and the number chosen."""

    facet: str
    name: str
    there: int
    least: int
    most: int
    chosen: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """An instance of the set, with its difficulty (`difficulty`)."""

    instance: str
    difficulty: Difficulty
    seconds: float


@dataclass(frozen=True, slots=True)
class Selection:
    """A benchmark set, from easy to open, then by name.

    measured: number of instances that `cpu` ran, without the spent ones; of the `cpus` types of CPU it is the one that
    measures (`difficulty`). spent: number of spent ones. elsewhere: number of instances that only other types ran.
    near_copies: number of pairs among the measured. settings: labels of the settings that measured. time_limits: in
    seconds, sorted. proven: whether it is proven that no set is more even.
    """

    chosen: tuple[Chosen, ...]
    shares: tuple[Share, ...]
    measured: int
    spent: int
    cpu: str
    cpus: int
    elsewhere: int
    near_copies: int
    settings: tuple[str, ...]
    time_limits: tuple[float, ...]
    proven: bool


def select_instances(runs: pd.DataFrame, size: int) -> Selection:
    """Choose `size` instances of a ledger (`reader.read_runs`). Raises `SelectionError`."""
    runs = without_reference(runs)
    instances = _measured(runs)
    is_spent = instances["difficulty"] == Difficulty.SPENT
    instances = instances[~is_spent]
    pairs = near_copies(instances)
    cliques = cover_by_cliques(pairs)
    classes = _classes(instances, size)
    solution = _solve(len(instances), size, classes, cliques) if size <= len(instances) else None
    if solution is None:
        raise SelectionError(_refusal(size, len(instances), cliques))
    chosen, proven = solution
    cpu = measuring_cpu(runs)
    measuring = runs[runs[CPU] == cpu]
    settings, _ = labelled_settings(by_setting(measuring))
    rows = instances.iloc[np.flatnonzero(chosen)]
    found = [
        Chosen(str(name), Difficulty(word), float(seconds))
        for name, word, seconds in zip(rows["instance"], rows["difficulty"], rows["seconds"], strict=True)
    ]
    order = list(Difficulty)
    return Selection(
        chosen=tuple(sorted(found, key=lambda one: (order.index(one.difficulty), one.instance))),
        shares=tuple(
            Share(own.facet, own.name, int(own.members.sum()), own.least, own.most, int((own.members & chosen).sum()))
            for own in classes
        ),
        measured=len(instances),
        spent=int(is_spent.sum()),
        cpu=cpu,
        cpus=int(runs[CPU].nunique()),
        elsewhere=int(runs["instance_sha256"].nunique() - measuring["instance_sha256"].nunique()),
        near_copies=len(pairs),
        settings=tuple(setting.label for setting in settings),
        time_limits=tuple(sorted(float(limit) for limit in measuring["time_limit_seconds"].unique())),
        proven=proven,
    )


def _measured(runs: pd.DataFrame) -> pd.DataFrame:
    """Return catalogue and difficulty of every instance with a run that counts, by name.

    Of several instances with one name, which a list of names cannot distinguish, it is the one that was run last.
    """
    if runs.empty:
        raise SelectionError("no instance can be chosen, because the ledger has no runs of solvers")
    newest = runs.drop_duplicates("instance_sha256", keep="last").set_index("instance_sha256")
    instances = newest.join(measure_difficulty(runs), how="inner")
    return instances.drop_duplicates("instance", keep="last").sort_values("instance")


# -- classes -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Class:
    """A class of a facet in the MILP.

    members (n,): whether each instance is in it. share: the wanted number of them; both whole numbers next to it are
    accepted.
    """

    facet: str
    name: str
    members: np.ndarray
    share: float
    weight: int

    @property
    def least(self) -> int:
        return floor(self.share)

    @property
    def most(self) -> int:
        return ceil(self.share)


FACETS = ("difficulty", "family", "architecture", "input side", "pruning", "rate", "formulation")


def _facet(instances: pd.DataFrame, facet: str) -> list[str]:
    """Return the class of every instance, in words; a dash if it has none."""
    columns = {
        "difficulty": ["band"],
        "architecture": ["depth", "width"],
        "input side": ["input_side"],
        "pruning": ["pruning", "structure", "finetuned"],
    }.get(facet, [facet])
    words = [[_word(value, name) for value in instances[name]] for name in columns]
    separator = "x" if facet == "architecture" else " "
    return [separator.join(part for part in parts if part) or NONE for parts in zip(*words, strict=True)]


def _word(value: object, column: str) -> str:
    if pd.isna(value) or value == "none":  # type: ignore[call-overload]
        return ""
    if column == "finetuned":
        return "finetuned" if value else ""
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _classes(instances: pd.DataFrame, size: int) -> list[_Class]:
    """Return every class of every facet that divides the instances, and always those of difficulty, the main criterion.

    Rates are balanced among pruned networks; the facet pruning balances the dense ones.
    """
    classes: list[_Class] = []
    for facet in FACETS:
        words = np.array(_facet(instances, facet), dtype=object)
        names = sorted(set(words.tolist()), key=lambda name: (BANDS.index(name) if name in BANDS else 0, name))
        to_share = float(size)
        if facet == "rate" and NONE in names:
            names.remove(NONE)
            to_share -= sum(own.share for own in classes if own.facet == "pruning" and own.name == NONE)
        if len(names) < 2 and facet != "difficulty":
            continue
        there = [int((words == name).sum()) for name in names]
        shares = _even_shares(there, [name == BELOW_A_SECOND for name in names], to_share)
        weight = DIFFICULTY_WEIGHT if facet == "difficulty" else 1
        classes += [
            _Class(facet, name, words == name, share, weight) for name, share in zip(names, shares, strict=True)
        ]
    return classes


def _even_shares(there: Sequence[int], is_last: Sequence[bool], size: float) -> list[float]:
    """Return each class's share of `size`: an even one, or all of the class if that is less.

    Classes that are last get only what the others cannot fill.
    """
    shares = [0.0] * len(there)
    left = size
    for turn in (False, True):
        waiting = sorted((k for k in range(len(there)) if is_last[k] is turn), key=lambda k: there[k])
        for place, k in enumerate(waiting):
            shares[k] = min(float(there[k]), left / (len(waiting) - place))
            left -= shares[k]
    return [round(share, 9) for share in shares]  # so that 3 * (10 / 3) is 10


# -- the MILP ----------------------------------------------------------------------------------------------------


def _solve(
    n: int, size: int, classes: Sequence[_Class], cliques: Sequence[Sequence[int]]
) -> tuple[np.ndarray, bool] | None:
    """Return x (n,) as booleans, and whether it is proven optimal; None if near-copies leave no set.

    Raises `SelectionError`.
    """
    least, most, weights = np.array([(own.least, own.most, own.weight) for own in classes], dtype=float).T
    quarters = np.diff([least * q // _QUARTERS for q in range(_QUARTERS + 1)], axis=0)
    members, each = csr_array(np.array([own.members for own in classes], dtype=float)), eye_array(len(classes))
    n_columns = n + (1 + _QUARTERS) * len(classes)
    constraints = [
        LinearConstraint(csr_array((np.ones(n), np.arange(n), [0, n]), shape=(1, n_columns)), size, size),
        LinearConstraint(hstack([members, -each, *[each] * _QUARTERS]), least, most),
    ]
    if cliques:
        constraints.append(LinearConstraint(_rows_of(cliques, n_columns), -np.inf, 1.0))
    upper = np.concatenate([np.ones(n), np.full(len(classes), float(size)), *quarters])
    solution = milp(
        np.concatenate([np.zeros(n), weights, *((q + 1) * weights for q in range(_QUARTERS))]),
        integrality=np.ones(n_columns),
        bounds=Bounds(0.0, upper),
        constraints=constraints,
        options={"node_limit": MAX_NODES, "mip_rel_gap": 0.0},
    )
    if solution.status == _INFEASIBLE:
        return None
    if solution.x is None:
        found = f"HiGHS found no set ({solution.message})"
        raise SelectionError(f"{size} instances cannot be chosen: {found}; ask for fewer")
    return solution.x[:n] > 0.5, solution.success


def _rows_of(cliques: Sequence[Sequence[int]], n_columns: int) -> csr_array:
    """Return a matrix (len(cliques), n_columns) with 1 where a column is in the row's clique."""
    starts = np.cumsum([0, *map(len, cliques)])
    members = np.concatenate([np.array(clique) for clique in cliques])
    return csr_array((np.ones(len(members)), members, starts), shape=(len(cliques), n_columns))


def _refusal(size: int, n: int, cliques: Sequence[Sequence[int]]) -> str:
    """Return why there is no such set, and the size of the largest one."""
    most = _most_apart(n, cliques)
    why = "no other instance was measured and is not spent"
    if most < n:
        why = f"the others of the {n} that were measured and are not spent are near-copies"
    return f"{size} instances cannot be chosen, at most {most}: {why}"


def _most_apart(n: int, cliques: Sequence[Sequence[int]]) -> int:
    """Return the largest number of instances without two near-copies."""
    if not cliques:
        return n
    rows = LinearConstraint(_rows_of(cliques, n), -np.inf, 1.0)
    solution = milp(-np.ones(n), integrality=np.ones(n), bounds=Bounds(0, 1), constraints=rows)
    return round(float(-solution.fun))


# -- the file ----------------------------------------------------------------------------------------------------


def selection_text(selection: Selection) -> str:
    """Return a list for `--select @FILE`: the names, one per line, with comments on how they were chosen."""
    limits = ", ".join(f"{limit:g} s" for limit in selection.time_limits)
    lines = [
        f"{len(selection.chosen)} of {selection.measured} instances, chosen by vnnbench select as MIPLIB 2017 was",
        f"measured with: {', '.join(selection.settings)}",
        f"on CPU: {selection.cpu}",
        f"time limit: {limits}",
    ]
    text = [f"# {plain(line)}" for line in lines]
    for difficulty, rule in RULES.items():
        own = [chosen for chosen in selection.chosen if chosen.difficulty is difficulty]
        text += ["", f"# {difficulty}, {len(own)}: {rule}"]
        text += [plain(chosen.instance) for chosen in own]
    return "\n".join(text) + "\n"
