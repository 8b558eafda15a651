"""The order of what is open in a search."""

from __future__ import annotations

from vnnbench.prover.best_first import BestFirst


def filled(most: float) -> BestFirst[str]:
    queue: BestFirst[str] = BestFirst(most)
    for number, (bound, name) in enumerate([(1.0, "low"), (2.0, "first of equals"), (2.0, "second"), (3.0, "high")]):
        queue.push(bound, number, name)
    return queue


def test_the_largest_bound_comes_first_and_of_equal_ones_the_least_number():
    queue = filled(float("inf"))
    assert [queue.pop() for _ in range(4)] == ["high", "first of equals", "second", "low"]


def test_with_as_many_as_it_should_hold_the_newest_comes_first():
    queue = filled(2)
    assert [queue.pop() for _ in range(4)] == ["high", "second", "first of equals", "low"]


def test_a_copy_stays_what_it_is():
    queue = filled(float("inf"))
    copy = queue.copy()
    queue.pop()
    assert len(queue) == 3 and len(copy) == 4 and set(copy) - set(queue) == {"high"}
