"""The columns and rows of an unstable ReLU: h = max(z, 0), z = sum_i w_i v_i + c, lower < 0 < upper, d = 1 where z > 0.

Pre-activation form, with the long sum in one row:

    z_k_j:     z - sum_i w_i v_i = c
    ge_k_j:    h >= z
    off_k_j:   h <= z - lower (1 - d)
    on_k_j:    h <= upper d

Partition form (Tsay et al. 2021, arXiv:2102.04373): the terms, sorted by their coefficients, are divided into parts
S_n, each with its sum z_n in [L_n, U_n] and its contribution w_n to the output. It is between big-M, with one part, and
the convex hull, with a part for each term:

    z_k_j_n:   z_n - sum_{i in S_n} w_i v_i = 0
    z_k_j:     h >= sum_n z_n + c
    sum_k_j:   h = sum_n w_n + c d
    wl, wu:    L_n d <= w_n <= U_n d
    rl, ru:    L_n (1 - d) <= z_n - w_n <= U_n (1 - d)
    on_k_j:    h <= upper d

Substituted form, with the fewest columns and the long sum twice:

    z_k_j:     h >= sum_i w_i v_i + c
    off_k_j:   h <= sum_i w_i v_i + c - lower (1 - d)
    on_k_j:    h <= upper d
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from fractions import Fraction

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.formulations.milp import MIN_BIG_M, MilpBuilder, bound_in_file
from vnnbench.instances.rationals import float_above

PARTS = 2
"""The number of parts; more parts are tighter and add rows. Compared with no partition, two were faster on 4x32 with
Gurobi, HiGHS and SCIP; four, tried on 2x32, were faster with Gurobi and slower with the other two."""


LEAST_ROWS = 3
"""The rows of an unstable ReLU in the substituted form, which has the fewest."""


class ReluForm(Enum):
    """The forms of the unstable ReLUs in a file, from many columns to few.

    PARTITION: ReLUs that read the steps have the partition form, all others the pre-activation form. SUBSTITUTED: ReLUs
    without a divisor have the substituted form, all others the pre-activation form.
    """

    PARTITION = auto()
    PRE_ACTIVATION = auto()
    SUBSTITUTED = auto()


@dataclass(frozen=True, slots=True)
class Partition:
    """The input to the partition form.

    budget: an upper bound on the sum of all summands' columns, which are at least 0; infinite without such a row.
    """

    budget: float


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """The sum of coefficients[i] * column[i], plus a constant as the file holds it."""

    columns: list[int]
    coefficients: list[float]
    constant: float


def add_relu(builder: MilpBuilder, tag: str, lower: float, upper: float) -> tuple[int, int]:
    """Add the pre-activation form without the row z_k_j, and return the columns of h and z.

    lower < 0 < upper are bounds of the file's z.
    """
    lower, upper = min(lower, -MIN_BIG_M), max(upper, MIN_BIG_M)
    h, d = _output(builder, tag, upper)
    z = builder.add_column(f"z_{tag}", lower, upper)
    builder.add_row(f"ge_{tag}", "G", 0.0, [h, z], [1.0, -1.0])
    builder.add_row(f"off_{tag}", "L", -lower, [h, z, d], [1.0, -1.0, -lower])
    return h, z


def add_partitioned_relu(builder: MilpBuilder, tag: str, z: Sum, upper: float, partition: Partition) -> int:
    """Add the partition form, and return the column of h."""
    upper = max(upper, MIN_BIG_M)
    h, d = _output(builder, tag, upper)
    sums, passed = [], []
    for n, part in enumerate(np.array_split(np.argsort(z.coefficients, kind="stable"), PARTS)):
        columns, coefficients = [z.columns[i] for i in part], np.array(z.coefficients)[part]
        upper_ends = builder.upper_bounds(columns)
        least = -_most(-coefficients, upper_ends, partition.budget) + 0.0
        most = _most(coefficients, upper_ends, partition.budget)
        z_n = builder.add_column(f"z_{tag}_{n}", least, most)
        w_n = builder.add_column(f"w_{tag}_{n}", least, most)
        builder.add_row(f"z_{tag}_{n}", "E", 0.0, [z_n, *columns], [1.0, *(-coefficients)])
        builder.add_row(f"wl_{tag}_{n}", "G", 0.0, [w_n, d], [1.0, -least])
        builder.add_row(f"wu_{tag}_{n}", "L", 0.0, [w_n, d], [1.0, -most])
        builder.add_row(f"rl_{tag}_{n}", "G", least, [z_n, w_n, d], [1.0, -1.0, least])
        builder.add_row(f"ru_{tag}_{n}", "L", most, [z_n, w_n, d], [1.0, -1.0, most])
        sums.append(z_n)
        passed.append(w_n)
    builder.add_row(f"z_{tag}", "G", z.constant, [h, *sums], [1.0] + [-1.0] * PARTS)
    builder.add_row(f"sum_{tag}", "E", 0.0, [h, *passed, d], [1.0] + [-1.0] * PARTS + [-z.constant])
    return h


def add_substituted_relu(builder: MilpBuilder, tag: str, z: Sum, lower: float, upper: float) -> int:
    """Add the substituted form, and return the column of h."""
    lower, upper = min(lower, -MIN_BIG_M), max(upper, MIN_BIG_M)
    h, d = _output(builder, tag, upper)
    columns, coefficients = [h, *z.columns], [1.0, *(-c for c in z.coefficients)]
    builder.add_row(f"z_{tag}", "G", z.constant, columns, coefficients)
    # Rounded up: the row must not exclude a point that the exact sum allows.
    side = bound_in_file(float_above(Fraction(z.constant) - Fraction(lower)), 1)
    builder.add_row(f"off_{tag}", "L", side, [*columns, d], [*coefficients, -lower])
    return h


def can_partition(z: Sum) -> bool:
    """Return whether every part would have at least two terms."""
    return len(z.columns) >= 2 * PARTS


def _output(builder: MilpBuilder, tag: str, upper: float) -> tuple[int, int]:
    """Add columns h and d, and the row that all forms share."""
    h = builder.add_column(f"h_{tag}", 0.0, upper)
    d = builder.add_column(f"d_{tag}", 0.0, 1.0, integer=True)
    builder.add_row(f"on_{tag}", "L", 0.0, [h, d], [1.0, -upper])
    return h, d


def _most(coefficients: Float64Array, upper: Float64Array, budget: float) -> float:
    """Return the maximum of sum_i coefficients_i v_i over 0 <= v <= upper, sum v <= budget, rounded upwards.

    The result is 0 or at least MIN_BIG_M. It uses the dual of the fractional knapsack, where any t >= 0 gives a bound:
    t budget + sum_i upper_i max(coefficient_i - t, 0).
    """
    if not (coefficients > 0).any():
        return 0.0
    order = np.argsort(-coefficients, kind="stable")
    filled = np.flatnonzero(np.cumsum(upper[order]) >= budget)
    t = max(float(coefficients[order[filled[0]]]), 0.0) if len(filled) else 0.0
    most = float((upper * np.maximum(coefficients - t, 0.0)).sum()) + (t * budget if t else 0.0)
    # No term is negative, so the relative error of n roundings is below n u.
    return max(most * (1 + 2.0**-50 * (len(coefficients) + 8)), MIN_BIG_M)
