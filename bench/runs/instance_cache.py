"""A cache of what runs on the same instance share: its judge and its permuted files. Plans go instance by instance."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from vnnbench.instances.formulations.permutation import permuted_file
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.library import Library
from vnnbench.judging.judge import Judge

KEPT_PERMUTATIONS = 8
"""The permuted files that are kept beside those of the runs in progress: every seed needs an instance's permutations
again."""

_Key = TypeVar("_Key")
_Made = TypeVar("_Made")


class InstanceCache:
    """A cache of a library's newest instances for all threads of a plan. Runs only read what they get here, so that no
    run can influence the next.

    jobs: runs at a time. They may be on as many instances; one more is kept for runs that begin meanwhile.
    """

    def __init__(self, library: Library, jobs: int) -> None:
        self.library = library
        self._judges: _Newest[CatalogRow, Judge] = _Newest(jobs + 1, lambda row: Judge.of_instance(library, row))
        self._permuted = _Newest(jobs + KEPT_PERMUTATIONS, self._permute)

    def judge(self, row: CatalogRow) -> Judge:
        """Return the judge of an instance. Raises `InputError`."""
        return self._judges(row)

    def permuted(self, row: CatalogRow, number: int) -> bytes:
        """Return the model file of an instance's permutation `number`, 1 or more. Raises `InputError`."""
        return self._permuted((row, number))

    def _permute(self, key: tuple[CatalogRow, int]) -> bytes:
        row, number = key
        return permuted_file(self.judge(row).model, row.instance_sha256, number)


class _Newest(Generic[_Key, _Made]):
    """A thread-safe LRU cache: concurrent requests for one key wait for one computation."""

    def __init__(self, kept: int, make: Callable[[_Key], _Made]) -> None:
        self._kept, self._make = kept, make
        self._lock = threading.Lock()
        self._places: dict[_Key, _Place[_Made]] = {}

    def __call__(self, key: _Key) -> _Made:
        with self._lock:
            place = self._places.pop(key, None) or _Place()
            self._places[key] = place
            if len(self._places) > self._kept:
                del self._places[next(iter(self._places))]
        with place.lock:
            if place.made is None:  # also when an earlier computation failed
                place.made = self._make(key)
            return place.made


class _Place(Generic[_Made]):
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.made: _Made | None = None
