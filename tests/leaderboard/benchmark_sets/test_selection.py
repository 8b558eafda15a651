"""Benchmark sets chosen from ledgers made by hand."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import Any

import pytest

from vnnbench.leaderboard.benchmark_sets.near_copies import near_copies
from vnnbench.leaderboard.benchmark_sets.selection import (
    Selection,
    SelectionError,
    _even_shares,
    _measured,
    select_instances,
    selection_text,
)


class Measured:
    """Adds instances, each of a problem and size of its own, so that none is a near-copy unless it is made one."""

    def __init__(self, ledger: Any) -> None:
        self.ledger, self.numbers = ledger, count()

    def __call__(self, name: str, seconds: float | None, **columns: Any) -> None:
        number = next(self.numbers)
        own = {"problem": f"p{number}", "network": f"n{number}", "dense_network": f"n{number}", "rows": 2**number}
        sha = self.ledger.instance(name, **(own | {"depth": 2, "width": 32} | columns))
        if seconds is None:
            self.ledger.run(f"r{number}", sha)
        else:
            self.ledger.found(f"r{number}", sha, seconds)

    def choose(self, size: int) -> Selection:
        return select_instances(self.ledger.runs(), size)


@pytest.fixture
def measured(ledger: Any) -> Measured:
    return Measured(ledger)


def names(selection: Selection) -> set[str]:
    return {chosen.instance for chosen in selection.chosen}


def test_selection_has_each_difficulty_and_nothing_below_a_second(measured: Measured) -> None:
    for name, seconds in {"a": 0.1, "b": 0.2, "c": 1.5, "d": 5.0, "e": 50.0, "f": None}.items():
        measured(name, seconds)
    selection = measured.choose(4)
    assert names(selection) == {"c", "d", "e", "f"}
    assert selection.proven
    assert [(chosen.instance, chosen.difficulty.value) for chosen in selection.chosen] == [
        ("c", "easy"), ("d", "easy"), ("e", "easy"), ("f", "open"),
    ]  # fmt: skip


def test_below_a_second_fills_up_what_the_others_cannot(measured: Measured) -> None:
    for name, seconds in {"a": 0.1, "b": 0.2, "c": 1.5}.items():
        measured(name, seconds)
    assert "c" in names(measured.choose(2))
    assert names(measured.choose(3)) == {"a", "b", "c"}


def test_architectures_are_balanced_within_a_difficulty(measured: Measured) -> None:
    for i in range(6):
        measured(f"small{i}", 5.0, width=32)
    for i in range(3):
        measured(f"large{i}", 5.0, width=64)
    assert Counter(name[:5] for name in names(measured.choose(6))) == {"small": 3, "large": 3}


def test_rates_are_balanced_among_the_pruned(measured: Measured) -> None:
    for i in range(6):
        measured(f"dense{i}", 5.0)
        for rate in (0.5, 0.9):
            pruned = {"pruning": "magnitude", "structure": "unstructured", "rate": rate}
            measured(f"{rate}-{i}", 5.0, network=f"pruned{i}{rate}", **pruned)
    selection = measured.choose(8)
    assert Counter(name.partition("-")[0].rstrip("012345") for name in names(selection))["dense"] == 4
    assert {share.name: (share.least, share.chosen) for share in selection.shares if share.facet == "rate"} == {
        "0.5": (2, 2), "0.9": (2, 2),
    }  # fmt: skip


def test_difficulty_weighs_more_than_balance(measured: Measured) -> None:
    """Two widths and two bands: balance of widths alone would take both of width 64, which are below a second."""
    measured("a", 5.0)
    measured("b", 20.0)
    measured("c", 0.1, width=64)
    measured("d", 0.1, width=64)
    assert names(measured.choose(2)) == {"a", "b"}


def test_a_shortage_is_shared_by_all_values_rather_than_one_missing(measured: Measured) -> None:
    """Four of each of three widths are wanted, but each of width 16 is a near-copy of one of 32: these share four."""
    for i in range(4):
        for width in (16, 32):
            measured(f"{width}-{i}", 5.0, width=width, problem=f"p{i}", network=f"n{i}", dense_network=f"n{i}")
    for i in range(8):
        measured(f"64-{i}", 5.0, width=64)
    chosen = Counter(name.partition("-")[0] for name in names(measured.choose(12)))
    assert chosen == {"16": 2, "32": 2, "64": 8}


def test_no_two_near_copies_and_the_size_is_exact(measured: Measured) -> None:
    for i in range(8):
        for formulation in ("tight", "surrogatelib"):
            columns = {"problem": f"p{i}", "network": f"n{i}", "dense_network": f"n{i}", "rows": 1000 + 30 * i}
            measured(f"{i}-{formulation}", 2.0 + i, formulation=formulation, **columns)
    table = _measured(measured.ledger.runs())
    pairs = near_copies(table)
    assert len(pairs) > 8  # questions, and twins
    for size in range(1, 5):
        selection = measured.choose(size)
        chosen = {i for i, name in enumerate(table["instance"]) if name in names(selection)}
        assert len(selection.chosen) == size == len(chosen)
        assert not [pair for pair in pairs if chosen >= set(pair)]
        assert selection.near_copies == len(pairs)


def test_too_large_a_size_is_refused_with_the_largest_possible(measured: Measured) -> None:
    with pytest.raises(SelectionError, match="the ledger has no runs"):
        measured.choose(1)
    for formulation in ("tight", "surrogatelib"):
        measured(formulation, 5.0, problem="p", network="n", formulation=formulation)
    measured("other", 5.0)
    measured("spent", None, network="pruned")
    measured.ledger.run("end", "sha-spent", solver="scip", termination="optimal", claimed_value=0.5, dual_bound=0.5)
    for size in (3, 4):
        why = "the others of the 3 that were measured and are not spent are near-copies"
        with pytest.raises(SelectionError, match=f"^{size} instances cannot be chosen, at most 2: {why}$"):
            measured.choose(size)
    assert measured.choose(2).spent == 1


def test_too_large_a_size_without_near_copies_and_only_spent_ones_are_refused(measured: Measured) -> None:
    measured("spent", None, network="pruned")
    measured.ledger.run("end", "sha-spent", solver="scip", termination="optimal", claimed_value=0.5, dual_bound=0.5)
    with pytest.raises(SelectionError, match="at most 0: no other instance was measured"):
        measured.choose(1)
    measured("a", 5.0)
    measured("b", 50.0)
    with pytest.raises(SelectionError, match="3 instances cannot be chosen, at most 2: no other instance was measured"):
        measured.choose(3)


def test_set_is_of_the_type_of_cpu_with_the_most_runs_and_says_so(measured: Measured) -> None:
    measured("a", 5.0)
    measured("b", 50.0)
    measured.ledger.machine("m2")
    measured.ledger.run("there", measured.ledger.instance("c", network="c"), machine="m2", time_limit_seconds=7.0)
    selection = measured.choose(2)
    assert names(selection) == {"a", "b"}
    assert (selection.cpu, selection.cpus, selection.elsewhere) == ("m1", 2, 1)
    assert selection.time_limits == (100.0,)
    assert "# on CPU: m1" in selection_text(selection).splitlines()


def test_the_same_runs_give_the_same_set_in_whatever_order_they_came(measured: Measured) -> None:
    for i in range(20):
        measured(f"i{i:02}", 1.5 + i % 4, width=32 * (1 + i % 2))
    runs = measured.ledger.runs()
    assert select_instances(runs, 7) == select_instances(runs.iloc[::-1].reset_index(drop=True), 7)


def test_even_shares_give_the_rest_of_small_classes_to_the_others() -> None:
    assert _even_shares([1, 10, 10], [False] * 3, 9) == [1, 4, 4]
    assert _even_shares([100, 2, 3], [True, False, False], 4) == [0, 2, 2]
    assert _even_shares([100, 2, 3], [True, False, False], 9) == [4, 2, 3]
    assert _even_shares([5, 5, 5], [False] * 3, 10) == pytest.approx([10 / 3] * 3)


def test_file_holds_the_names_and_the_rules_and_no_line_of_a_hostile_name(measured: Measured) -> None:
    measured("good", 5.0)
    measured("bad\nother", None)
    lines = selection_text(measured.choose(2)).splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == ["good", "bad\\nother"]
    assert "# measured with: highs" in lines
    assert "# time limit: 100 s" in lines
    assert "# easy, 1: every run solved it, each within 60 s" in lines
    assert "# open, 1: no run solved it, nor its file to the end" in lines
