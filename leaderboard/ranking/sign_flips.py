"""Sign-flip tests: whether two settings differ by more than chance, over independent problems.

If two settings were alike, each problem could as well have come out the other way round. So the difference of their
means is compared with those that come out when the signs of the problems' differences are flipped, all combinations
being equally likely:

    p = share of the combinations s with |sum_i s_i d_i| >= |sum_i d_i|

d_i: the difference of the two settings in independent problem i. All combinations are taken if at most 12 d_i are not
0; else 10,000 are drawn, always the same, and the one that was observed is counted with them.

Sources: R. A. Fisher, The Design of Experiments (1935), section 21; for whole blocks of dependent observations:
A. Winkler et al., NeuroImage 92 (2014); for the count of draws: B. Phipson, G. Smyth, Stat. Appl. Genet. Mol. Biol. 9
(2010).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

DRAWS = 10_000
FEWEST = 6
"""With fewer independent problems no test can find a difference: of five, p is at least 2 / 2^5 > 5 %."""
_EXACTLY = 12
_AT_ONCE = 1 << 23  # signs in memory at a time, 64 MB
_SAME = 1e-9  # sums that differ by so little, relative to the largest possible one, are equal


def flip_tests(sums: NDArray[np.float64]) -> dict[tuple[int, int], float]:
    """Return p for every pair of settings (i, j), i < j.

    sums (n_problems, n_settings): of each independent problem, the sum of what settings are compared by.
    """
    sums = np.asarray(sums - sums.mean(axis=1, keepdims=True), dtype=np.float64)  # for precision; no difference changes
    found, drawn = {}, []
    for i, j in combinations(range(sums.shape[1]), 2):
        differences = sums[:, i] - sums[:, j]
        differences = differences[differences.round(12) != 0]
        if len(differences) <= _EXACTLY:
            found[i, j] = _exact_p(differences)
        else:
            drawn.append((i, j))
    return found | (_drawn_p(sums, drawn) if drawn else {})


def least_p(problems: int, pairs: int) -> float:
    """Return the least p that a number of independent problems can have, corrected for a number of pairs by Holm."""
    all_equal = 2.0 ** (1 - problems) if problems <= _EXACTLY else max(1 / (1 + DRAWS), 2.0 ** (1 - problems))
    return min(1.0, pairs * all_equal)


def _exact_p(differences: NDArray[np.float64]) -> float:
    n = len(differences)
    signs = 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    least = abs(differences.sum()) - _SAME * np.abs(differences).sum()
    return float(np.mean(np.abs(signs @ differences) >= least))


def _drawn_p(sums: NDArray[np.float64], pairs: list[tuple[int, int]]) -> dict[tuple[int, int], float]:
    first, second = np.array(pairs).T
    differences = sums[:, first] - sums[:, second]
    least = np.abs(differences.sum(axis=0)) - _SAME * np.abs(differences).sum(axis=0)
    extreme = np.zeros(len(pairs))
    for signs in _signs(len(sums)):
        flipped = signs @ sums
        extreme += np.count_nonzero(np.abs(flipped[:, first] - flipped[:, second]) >= least, axis=0)
    return dict(zip(pairs, ((1 + extreme) / (1 + DRAWS)).tolist(), strict=True))


def _signs(problems: int) -> Iterator[NDArray[np.float64]]:
    """Yield the drawn combinations of signs, some rows (n, n_problems) at a time."""
    rng, left = np.random.default_rng(0), DRAWS
    while left:
        size = min(left, max(1, _AT_ONCE // problems))
        bits = np.unpackbits(np.frombuffer(rng.bytes(size * -(-problems // 8)), np.uint8).reshape(size, -1), axis=1)
        yield np.where(bits[:, :problems], -1.0, 1.0)
        left -= size
