"""The rules for near-copies, and cliques that agree with their pairs."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vnnbench.leaderboard.benchmark_sets.near_copies import KIND_COLUMNS, cover_by_cliques, near_copies

KIND = dict.fromkeys(KIND_COLUMNS, "same")
ONE = KIND | {"problem": "p0", "network": "n0", "rows": 1000, "columns": 1000, "nonzeros": 9000, "binaries": 50}
ANOTHER_SEED = {"problem": "p1", "network": "n1"}


def are_near(seconds: float = 20.0, **other: Any) -> bool:
    table = pd.DataFrame([ONE | {"seconds": 20.0}, ONE | {"seconds": seconds} | other])
    return near_copies(table) == {(0, 1)}


def test_same_question_in_another_formulation_is_a_near_copy_however_it_is_solved() -> None:
    assert are_near(seconds=2000.0, formulation="other", rows=1)


def test_another_surrogate_of_the_same_problem_is_not_a_near_copy() -> None:
    assert not are_near(network="n0-mag-u50", rate=0.5)


@pytest.mark.parametrize("sizes", [{}, {"rows": 1099}, {"binaries": 46}, {"columns": 1050}])
def test_another_seed_of_nearly_the_same_size_and_time_is_a_near_copy(sizes: dict[str, Any]) -> None:
    assert are_near(seconds=25.0, **ANOTHER_SEED, **sizes)


def test_unknown_sizes_are_alike() -> None:
    unknown = ONE | {"seconds": 20.0, "nonzeros": None}
    assert near_copies(pd.DataFrame([unknown, unknown | ANOTHER_SEED])) == {(0, 1)}


@pytest.mark.parametrize("change", [{"rows": 1101}, {"binaries": 45}, {"seconds": 25.26}, {"depth": 4}, {"rate": 0.5}])
def test_another_size_time_or_kind_is_not_a_near_copy(change: dict[str, Any]) -> None:
    assert not are_near(**{**ANOTHER_SEED, **change})


def test_below_a_second_times_are_noise() -> None:
    table = pd.DataFrame([ONE | {"seconds": 0.001}, ONE | {"seconds": 0.2} | ANOTHER_SEED])
    assert near_copies(table) == {(0, 1)}


@given(st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] < pair[1])))
def test_cliques_cover_every_pair_and_no_other(pairs: set[tuple[int, int]]) -> None:
    cliques = cover_by_cliques(pairs)
    assert {pair for clique in cliques for pair in combinations(clique, 2)} == pairs
    assert all(clique == sorted(set(clique)) for clique in cliques)


def test_all_near_each_other_are_one_clique() -> None:
    assert cover_by_cliques(set(combinations(range(30), 2))) == [list(range(30))]
