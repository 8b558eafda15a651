"""The use of processor time, memory and output by one run, and how it was counted.

The kernel counts where the run has a control group (`cgroups`). Otherwise the run's processes are sampled: what begins
and ends between two samples, and what `hidden_storage` cannot see, is missing.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from vnnbench.isolation.cgroups import RunGroup
from vnnbench.isolation.fork_client import Confined
from vnnbench.isolation.hidden_storage import HeldFiles, Identity, remove_segments, segments, segments_of, stored_bytes
from vnnbench.isolation.proc_readings import (
    Apart,
    ProcessTimes,
    descendants,
    given_back_bytes,
    proportional_bytes,
    resident_bytes,
)
from vnnbench.leaderboard.words import Counted

MAX_FILES = 10_000
_COUNT_SHARE = 0.005  # share of the time for counting: it is taken from the run, which is blocked meanwhile


@dataclass(frozen=True, slots=True)
class Look:
    """A sample of a run's use. memory_bytes: an upper bound on the present use. cpu_seconds: since the request.
    stored_bytes: the size of the run's files; None where they are too many, or nested too deeply, to be counted."""

    memory_bytes: int
    cpu_seconds: float
    stored_bytes: int | None


@dataclass(slots=True)
class Usage:
    """The use of one run. offered: the control group into which its worker was to be forked. folder: the run's folder.

    peak_memory_bytes: the largest use that was counted, or the worker's own high-water mark where that is larger; None
    before the first count.
    """

    confined: Confined
    offered: RunGroup | None
    folder: Path
    peak_memory_bytes: int | None = None
    _group: RunGroup | None = None
    _held: HeldFiles = field(init=False)
    _began: float = field(default_factory=time.time)
    _used_before: float = 0.0
    _own_seconds: dict[tuple[int, int], float] = field(default_factory=dict)
    _next_count: float = 0.0

    def __post_init__(self) -> None:
        self._held = HeldFiles(self.folder)

    @property
    def counted(self) -> Counted:
        """The means by which memory and processor time are counted."""
        if self._group is None:
            return Counted.SAMPLING
        return Counted.CGROUP if self._group.counts_memory else Counted.CGROUP_CPU

    def begin(self) -> None:
        """Begin to count for the run, before the worker gets its request: what the worker has used so far, and files
        that it has open, do not count."""
        processes = self._processes()
        self._held.give(processes)
        self._used_before, self._next_count = self._total_seconds(processes), 0.0

    def look(self, memory_limit: int) -> Look:
        """Take a sample. Memory is counted exactly where it may be over this limit, and from time to time."""
        processes = self._processes()
        self._held.look(processes)
        memory = self._memory_now(processes, memory_limit)
        cpu = max(0.0, self._total_seconds(processes) - self._used_before)
        return Look(memory, cpu, self._stored_bytes())

    def _processes(self) -> list[int]:
        """Return the worker and all processes that it started."""
        init = self.confined.init
        if init is None:
            return []
        if self.offered is not None:
            self._group = self.offered if self.offered.holds(init) else None
            self.offered = None
        return descendants(init)

    # -- processor time ----------------------------------------------------------------------------------------------

    def _total_seconds(self, processes: list[int]) -> float:
        """Return the processor time of all processes, also of those that have ended. Orphans become children of init,
        which waits for them. A child whose parent ignores SIGCHLD leaves no trace, so the time that each process had
        when it was last seen is kept."""
        known = 0.0
        for process in [self.confined.init, *processes] if self.confined.init is not None else []:
            if (times := ProcessTimes.of(process)) is not None:
                self._own_seconds[process, times.started] = times.own_seconds
                known += times.own_seconds + times.children_seconds
        return max(known, self._seen_seconds(), self._group_seconds() or 0.0)

    def _seen_seconds(self) -> float:
        return sum(self._own_seconds.values())

    def _group_seconds(self) -> float | None:
        with suppress(OSError, ValueError):
            return None if self._group is None else self._group.cpu_seconds()
        return None

    def final_cpu_seconds(self) -> float | None:
        """Return the processor time since the request, after all processes have ended; None where it was not counted to
        the end."""
        told = [seconds for seconds in (self._group_seconds(), self.confined.cpu_seconds) if seconds is not None]
        return max(0.0, max(*told, self._seen_seconds()) - self._used_before) if told else None

    # -- memory ------------------------------------------------------------------------------------------------------

    def _memory_now(self, processes: list[int], limit: int) -> int:
        due = time.monotonic() > self._next_count
        if self._group is not None and self._group.counts_memory:
            if due:
                self._look_thoroughly(processes)
            with suppress(OSError, ValueError):
                return self._remember(self._group.memory_bytes())
        most = sum(map(resident_bytes, processes)) + sum(self._held.shared.values())
        return self._count(processes) if due or most > limit else most

    def count_memory(self) -> int:
        """Count the present memory of all processes exactly, and return it."""
        self._next_count = 0.0
        return self._memory_now(self._processes(), 0)

    def _look_thoroughly(self, processes: list[int]) -> None:
        start = time.thread_time()
        self._held.look(processes, thorough=True)
        self._next_count = time.monotonic() + (time.thread_time() - start) / _COUNT_SHARE

    def _count(self, processes: list[int]) -> int:
        """Return the memory of these processes: pages in page tables in proportion, and shared memory in full, whether
        or not a process has it mapped."""
        start = time.thread_time()
        self._held.look(processes, thorough=True)
        mounted = self._held.private_file_systems(processes)
        shared = {file: size for file, size in self._held.shared.items() if file[0] not in mounted}
        attached = self._segment_bytes()
        apart = Apart(frozenset(shared), frozenset(device for device, size in mounted.items() if size), attached > 0)
        each = [proportional_bytes(process, apart) for process in processes]
        total = sum(each) + sum(shared.values()) + sum(mounted.values()) + attached
        if each:
            self._remember(each[0] + given_back_bytes(processes[0]))  # the worker's peak between two samples
        self._next_count = time.monotonic() + (time.thread_time() - start) / _COUNT_SHARE
        return self._remember(total)

    def _segment_bytes(self) -> int:
        """Return the bytes in System V shared memory, attached or not."""
        told = self.confined.segments()
        found = segments_of(self._creators(), self._began) if told is None else segments(told)
        return sum(segment.stored_bytes for segment in found)

    def _creators(self) -> set[int]:
        return {process for process, _ in self._own_seconds}

    def _remember(self, total: int) -> int:
        if total > 0:
            self.peak_memory_bytes = max(self.peak_memory_bytes or 0, total)
        return total

    # -- output ------------------------------------------------------------------------------------------------------

    def _stored_bytes(self) -> int | None:
        """Return the bytes in files in the run's folder and in unlinked files, each counted once, without holes; None
        where there are more than MAX_FILES, or where they are nested deeper than a path can be long."""
        sizes: dict[Identity, int] = dict(self._held.unlinked)
        n_entries, folders = 0, [str(self.folder)]
        while folders:  # os.walk recurses, and a solver can go deeper than Python
            try:
                for entry in _entries(folders.pop()):
                    n_entries += 1
                    if n_entries > MAX_FILES:
                        return None
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        with suppress(OSError):
                            found = entry.stat(follow_symlinks=False)
                            sizes[found.st_dev, found.st_ino] = stored_bytes(found)
            except OSError as error:
                if error.errno == errno.ENAMETOOLONG:
                    return None
        return sum(sizes.values())

    def exceeds_output(self, most_bytes: int) -> bool:
        """Return whether the run has written more than `most_bytes`, or more files than can be counted."""
        stored = self._stored_bytes()
        return stored is None or stored > most_bytes

    # -- the end -----------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Kill the processes that are still in the group, and remove shared memory that outlives processes."""
        if self._group is not None:
            self._group.kill()
        if self.confined.segments() is None:
            remove_segments(segments_of(self._creators(), self._began))

    def ran_out_of_memory(self) -> bool:
        """Return whether the kernel has killed a process at the memory limit of the group."""
        return self._group is not None and self._group.ran_out_of_memory()


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield the entries of a folder, also where the run took its permissions away. Raises `OSError`."""
    try:
        entries = os.scandir(folder)
    except PermissionError:
        os.chmod(folder, 0o700)  # noqa: PTH101 - paths are texts here
        entries = os.scandir(folder)
    with entries:
        yield from entries
