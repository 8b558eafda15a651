"""Control groups (cgroup v2): each run has one of its own, where the harness may make one.

The kernel counts the processor time of all processes that were ever in a group, even of those for which no parent
waited, and, where the memory controller is on, every page that was charged to the group, mapped or not. Where no group
can be made, `usage` samples /proc.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import re
import signal
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_NAME = "vnnbench-{}-{}"  # process number of the harness, number of the run
_SYS_CLONE3, _CLONE_INTO_CGROUP = 435, 0x200000000  # the same number on every architecture
_CLONE_ARGUMENTS = struct.Struct("11Q")
_REMOVAL_SECONDS = 5.0
_numbers = itertools.count()


@contextmanager
def run_group(memory_bytes: int) -> Iterator[RunGroup | None]:
    """Make a new group whose memory the kernel limits, and in the end empty and remove it. Yields None where no group
    can be made."""
    home = _home()
    group = None if home is None else RunGroup.make_in(home, memory_bytes)
    try:
        yield group
    finally:
        if group is not None:
            group.kill()
            group.remove()


@dataclass(frozen=True, slots=True)
class RunGroup:
    """The control group of one run, which is a folder in the kernel's cgroup file system. counts_memory: whether the
    memory controller is on in it."""

    folder: Path
    counts_memory: bool

    @classmethod
    def make_in(cls, parent: Path, memory_bytes: int) -> RunGroup | None:
        """Make a new group in the group `parent` and return it; None where it cannot be made."""
        folder = parent / _NAME.format(os.getpid(), next(_numbers))
        try:
            folder.mkdir()
        except OSError:
            return None
        group = cls(folder, (folder / "memory.max").exists())
        try:
            group.cpu_seconds()
            if group.counts_memory:
                (folder / "memory.max").write_text(str(memory_bytes))
                with suppress(OSError):  # a kernel without swapping
                    (folder / "memory.swap.max").write_text("0")
        except (OSError, ValueError):
            group.remove()
            return None
        return group

    def holds(self, pid: int) -> bool:
        """Return whether this process is in the group."""
        with suppress(OSError):
            return str(pid) in (self.folder / "cgroup.procs").read_text().split()
        return False

    def cpu_seconds(self) -> float:
        """Return the processor time of all processes that are or were in the group. Raises `OSError`, `ValueError`."""
        return _count(self.folder / "cpu.stat", "usage_usec") / 1e6

    def memory_bytes(self) -> int:
        """Return the anonymous and shared memory charged to the group, mapped or not, including what is swapped out,
        but without the cache of files, which the kernel can reclaim. Raises `OSError`, `ValueError`."""
        stat = self.folder / "memory.stat"
        swapped = self.folder / "memory.swap.current"
        return _count(stat, "anon") + _count(stat, "shmem") + (int(swapped.read_text()) if swapped.exists() else 0)

    def ran_out_of_memory(self) -> bool:
        """Return whether the kernel has killed a process of the group at its memory limit."""
        with suppress(OSError, ValueError):
            return self.counts_memory and _count(self.folder / "memory.events", "oom_kill") > 0
        return False

    def kill(self) -> None:
        """Send SIGKILL to all processes in the group, including those that they fork meanwhile."""
        with suppress(OSError):  # a kernel older than 5.14
            (self.folder / "cgroup.kill").write_text("1")

    def remove(self) -> None:
        """Remove the group and the groups inside it once they are empty; what cannot be removed stays."""
        wait = 1e-4
        while not self._is_removed() and wait < _REMOVAL_SECONDS:
            time.sleep(wait)
            wait *= 2

    def _is_removed(self) -> bool:
        for path, _, _ in os.walk(self.folder, topdown=False):
            with suppress(OSError):
                Path(path).rmdir()
        return not self.folder.exists()


def fork_into(folder: str) -> int | None:
    """Fork as `os.fork` does, with the child in this group from the beginning; None where that cannot be done.

    That saves the 12 ms which `join` takes. Neither Python nor the C library notice the fork, so this process must not
    have threads, whose locks would stay locked in the child.
    """
    try:
        group = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        arguments = _CLONE_ARGUMENTS.pack(_CLONE_INTO_CGROUP, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, group)
        # PyDLL keeps Python's global lock; otherwise the child would wait for it.
        pid = ctypes.PyDLL(None).syscall(_SYS_CLONE3, arguments, ctypes.c_size_t(len(arguments)))
    finally:
        os.close(group)
    return None if pid < 0 else int(pid)


def join(folder: str) -> None:
    """Move this process into a group unless it is in it; where that is refused, it stays where it is."""
    group = Path(folder, "cgroup.procs")
    with suppress(OSError):
        if str(os.getpid()) not in group.read_text().split():
            group.write_text("0")


def _count(path: Path, name: str) -> int:
    """Return the number of this name in a file of lines with a name and a number. Raises `OSError`, `ValueError`."""
    found = re.search(rf"^{name} (\d+)$", path.read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(f"{path}: has no line {name}")
    return int(found[1])


@cache
def _home() -> Path | None:
    """Return the group in which the groups of runs are made: that of this process, or the one around it, which has the
    memory controller where systemd manages a user's processes. Groups that a killed harness left there are removed."""
    usable: dict[Path, bool] = {}
    with suppress(OSError):
        mounts, membership = (Path(f"/proc/self/{name}").read_text() for name in ("mountinfo", "cgroup"))
        for parent in parents(mounts, membership):
            if (trial := RunGroup.make_in(parent, 1 << 30)) is not None:
                trial.remove()
                _remove_leftovers(parent)
                usable[parent] = trial.counts_memory
    return max(usable, key=lambda parent: usable[parent], default=None)


def parents(mounts: str, membership: str) -> Iterator[Path]:
    """Yield the folder of a process's own group and that of the group around it, as far as they are visible.

    mounts, membership: the text of its /proc/PID/mountinfo and /proc/PID/cgroup.
    """
    own = next((line[3:] for line in membership.splitlines() if line.startswith("0::")), None)
    rows = [line.split(" ") for line in mounts.splitlines()]
    mounted = [(words[3], words[4]) for words in rows if words[words.index("-") + 1] == "cgroup2"]
    if own is None or not mounted:
        return
    root, point = mounted[-1]
    if not Path(own).is_relative_to(root) or ".." in Path(own).parts:  # it is outside the mounted hierarchy
        return
    folder = Path(point) / Path(own).relative_to(root)
    yield folder
    if folder != Path(point):
        yield folder.parent


def _remove_leftovers(parent: Path) -> None:
    for folder in parent.glob(_NAME.format("*", "*")):
        harness = folder.name.split("-")[1]
        if not Path(f"/proc/{harness}").exists():
            with suppress(OSError):
                folder.rmdir()
