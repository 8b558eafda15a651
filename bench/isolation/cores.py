"""The reservation of cores: each run gets cores of its own, which other harnesses on the machine do not use.

A core is reserved by binding a socket to a name in the kernel's abstract name space. Only one process of a machine (of
a network namespace) can bind a name, and the kernel releases it when the process ends, however it dies.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from vnnbench.leaderboard.text import count


@dataclass(frozen=True, slots=True)
class Reservation:
    """The cores that are reserved for a plan.

    sets: for each of the runs at a time, `threads` cores, or an empty tuple where too few were left.
    usable: the number of cores that this process may use. taken: how many of those that were tried another harness has.
    """

    sets: list[tuple[int, ...]]
    threads: int
    usable: int
    taken: int

    @property
    def shortage(self) -> str | None:
        """A line about the runs that have no cores of their own; None where all have."""
        without = self.sets.count(())
        if not without:
            return None
        taken = f", {self.taken} of them used by another vnnbench" if self.taken else ""
        return (
            f"{count(len(self.sets), 'job')} x {count(self.threads, 'thread')} on "
            f"{count(self.usable, 'core')}{taken}: too few are left for {count(without, 'job')}, whose runs "
            "count as disturbed"
        )


@contextmanager
def reserved(runs: int, threads: int) -> Iterator[Reservation]:
    """Reserve cores that no other harness here has, for `runs` runs at a time with `threads` each. Hardware threads of
    a physical core of which another thread is in use come last."""
    with ExitStack() as held:
        mine: list[int] = []
        taken = 0
        cores = _by_distance()
        for core in cores:
            if len(mine) == runs * threads:
                break
            if _reserve(core, held):
                mine.append(core)
            else:
                taken += 1
        sets = [tuple(sorted(mine[at : at + threads])) for at in range(0, len(mine) - threads + 1, threads)]
        yield Reservation(sets + [()] * (runs - len(sets)), threads, len(cores), taken)


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
    """Return the cores that this process may use: one hardware thread of each physical core, then the second, etc."""
    cores = sorted(os.sched_getaffinity(0))
    return sorted(cores, key=lambda core: (_rank_among_siblings(core), core))


def _rank_among_siblings(core: int) -> int:
    """Return how many hardware threads of the same physical core come before this one."""
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
