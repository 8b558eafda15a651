"""Near-copies: pairs of instances that measure nearly the same. A benchmark set holds at most one of such a pair.

    question   they have the same problem on the same network: only formulation or bounds differ
    twins      they differ only in the seed of network and image (KIND_COLUMNS agree), and by at most a tenth in rows,
               columns, nonzeros and binaries, and a quarter in seconds + 1

The second is a distance in logarithms, so it does not depend on the size, and is symmetric; seconds are shifted because
below one they are noise. Gleixner et al. 2021 also take few instances of one source, and compare features.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

KIND_COLUMNS = (
    "family", "suite", "dataset", "input_side", "depth", "width", "pruning", "structure", "rate", "finetuned",
    "formulation", "bounds", "norm",
)  # fmt: skip
SIZE_COLUMNS = ("rows", "columns", "nonzeros", "binaries")
SIZE_FACTOR = 1.1
SECONDS_FACTOR = 1.25

Pairs = set[tuple[int, int]]
"""Pairs of positions (i, j) with i < j."""


def near_copies(instances: pd.DataFrame) -> Pairs:
    """Return the near-copies among instances: one row each, with the catalogue's columns and `seconds`."""
    pairs: Pairs = set()
    for positions in _together(instances, ("problem", "network")):
        pairs.update(combinations(positions, 2))
    features = _features(instances)
    for positions in _together(instances, KIND_COLUMNS):
        pairs.update((positions[i], positions[j]) for i, j in _near(features[positions]))
    return pairs


def _together(instances: pd.DataFrame, columns: tuple[str, ...]) -> list[list[int]]:
    """Return the positions of instances that agree in these columns, in groups of two or more."""
    code = instances.groupby(list(columns), dropna=False, sort=True).ngroup().to_numpy()
    groups = np.split(np.argsort(code, kind="stable"), np.cumsum(np.bincount(code))[:-1])
    return [positions.tolist() for positions in groups if len(positions) > 1]


def _features(instances: pd.DataFrame) -> np.ndarray:
    """Return features (n, 5): two instances are near if no coordinate differs by more than 1.

    A size of 0 or null counts as 1.
    """
    sizes = instances[list(SIZE_COLUMNS)].astype(float).fillna(1.0).clip(lower=1.0).to_numpy()
    seconds = instances[["seconds"]].to_numpy(float) + 1.0
    return np.hstack([np.log(sizes) / np.log(SIZE_FACTOR), np.log(seconds) / np.log(SECONDS_FACTOR)])


def _near(features: np.ndarray) -> Pairs:
    return set(KDTree(features).query_pairs(1.0, p=np.inf))


def cover_by_cliques(pairs: Pairs) -> list[list[int]]:
    """Return cliques, each sorted, that cover every pair; they are found greedily, so they are few but not fewest.

    The rows "at most one of a clique" are equivalent to those of its pairs, with a tighter linear relaxation.
    """
    neighbours: dict[int, set[int]] = {}
    for i, j in pairs:
        neighbours.setdefault(i, set()).add(j)
        neighbours.setdefault(j, set()).add(i)
    left, cliques = set(pairs), []
    for i, j in sorted(pairs):
        if (i, j) not in left:
            continue
        clique, common = [i, j], neighbours[i] & neighbours[j]
        for other in sorted(common):
            if other in common:
                clique.append(other)
                common &= neighbours[other]
        clique.sort()
        left.difference_update(combinations(clique, 2))
        cliques.append(clique)
    return cliques
