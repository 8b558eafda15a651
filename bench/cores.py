"""Cores of its own for every run at a time: chosen from those this process may use, and kept from other harnesses.

A core is reserved by binding a socket in the kernel's abstract name space, which no two processes of a machine (of a
network namespace) can do for one name, and which ends with the process however it dies.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def reserved(runs: int, threads: int) -> Iterator[list[tuple[int, ...]]]:
    """For each of `runs` runs at a time, `threads` cores that no other harness here has; an empty tuple for each run
    for which not enough are left. Siblings of a core that is in use come last."""
    with ExitStack() as held:
        mine: list[int] = []
        for core in _by_distance():
            if len(mine) < runs * threads and _reserve(core, held):
                mine.append(core)
        sets = [tuple(sorted(mine[at : at + threads])) for at in range(0, len(mine) - threads + 1, threads)]
        yield sets + [()] * (runs - len(sets))


def _reserve(core: int, held: ExitStack) -> bool:
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0vnnbench-core-{core}")
    except OSError:
        claim.close()
        return False
    held.enter_context(claim)
    return True


def _by_distance() -> list[int]:
    """The cores this process may use: one hardware thread of each physical core, then the second ones, and so on."""
    cores = sorted(os.sched_getaffinity(0))
    return sorted(cores, key=lambda core: (_rank_among_siblings(core), core))


def _rank_among_siblings(core: int) -> int:
    """How many hardware threads of the same physical core come before this one."""
    path = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    try:
        text = path.read_text()
    except OSError:
        return 0
    siblings: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        siblings += range(int(first), int(last or first) + 1)
    return sum(sibling < core for sibling in siblings)
