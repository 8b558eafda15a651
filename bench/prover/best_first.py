"""What is open in a search, in the order in which it is taken."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Generic, TypeVar

_T = TypeVar("_T")


class BestFirst(Generic[_T]):
    """Things with a bound and a number of their own: the largest bound comes first, of equal ones the least number.

    most: with as many things, a new one comes before all others, the newest first, so that there are hardly more.
    """

    def __init__(self, most: float) -> None:
        self.most = most
        self._heap: list[tuple[float, int, _T]] = []

    def push(self, bound: float, number: int, thing: _T) -> None:
        key = (-float("inf"), -number) if len(self._heap) >= self.most else (-bound, number)
        heapq.heappush(self._heap, (*key, thing))

    def pop(self) -> _T:
        return heapq.heappop(self._heap)[2]

    def copy(self) -> BestFirst[_T]:
        other: BestFirst[_T] = BestFirst(self.most)
        other._heap = list(self._heap)
        return other

    def __len__(self) -> int:
        return len(self._heap)

    def __iter__(self) -> Iterator[_T]:
        return (thing for _, _, thing in self._heap)
