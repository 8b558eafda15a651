"""Readings from /proc: memory and processor time of processes, load by other work on the machine, swapping."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def descendants(pid: int) -> list[int]:
    """Return the processes below `pid`, children before grandchildren."""
    found: list[int] = []
    try:
        level = _children(pid)
    except FileNotFoundError:
        if not Path(f"/proc/{pid}").exists():
            return []
        with suppress(psutil.Error):  # this kernel does not list children
            return [process.pid for process in psutil.Process(pid).children(recursive=True)]
        return []
    while level:
        found += level
        level = [grandchild for child in level for grandchild in _children_or_none(child)]
    return found


def _children(pid: int) -> list[int]:
    """Return the children of a process, collected from all of its threads. Raises `FileNotFoundError`."""
    lists = [Path(f"/proc/{pid}/task/{pid}/children").read_text()]
    for task in Path(f"/proc/{pid}/task").iterdir():
        if task.name != str(pid):
            with suppress(OSError):
                lists.append((task / "children").read_text())
    return [int(child) for text in lists for child in text.split()]


def _children_or_none(pid: int) -> list[int]:
    with suppress(OSError):
        return _children(pid)
    return []


def resident_bytes(pid: int) -> int:
    """Return the resident set size, which is cheap to read and counts shared pages fully; 0 when it is gone."""
    return _resident_bytes(f"/proc/{pid}") or _resident_bytes(_folder_with_memory(pid))


def _resident_bytes(folder: str) -> int:
    with suppress(OSError):
        return int(Path(folder, "statm").read_text().split()[1]) * _PAGE_BYTES
    return 0


def _folder_with_memory(pid: int) -> str:
    """Return the folder in which /proc shows the memory of a process: once its first thread has exited, only the
    folders of other threads do."""
    folder = f"/proc/{pid}"
    if not _resident_bytes(folder):
        with suppress(OSError):
            return next((str(task) for task in Path(folder, "task").iterdir() if _resident_bytes(str(task))), folder)
    return folder


_PARTS = ("Pss:", "SwapPss:", "Private_Hugetlb:", "Shared_Hugetlb:")


def proportional_bytes(pid: int, apart: Apart | None = None) -> int:
    """Return the proportional set size of a process, including what is swapped out.

    Shared pages count in proportion, so that a sum over processes counts every page once. The kernel walks all pages
    for it. Where the kernel does not report it, this is the resident set size. apart: mappings that are left out.
    """
    with suppress(OSError):
        folder = _folder_with_memory(pid)
        text = Path(folder, "smaps" if apart else "smaps_rollup").read_text(errors="replace")
        total, counts = 0, True
        for words in (line.split(None, 5) for line in text.splitlines()):
            if words[0].endswith(":"):
                total += int(words[1]) * 1024 if counts and words[0] in _PARTS else 0
            else:
                counts = not apart or not apart.holds(words)
        return total
    return resident_bytes(pid)


@dataclass(frozen=True, slots=True)
class Apart:
    """The mappings of shared memory that is counted elsewhere, in full: of these files (device, inode), of all files of
    these devices (numbers as in `os.stat`), of System V segments."""

    files: frozenset[tuple[int, int]] = frozenset()
    devices: frozenset[int] = frozenset()
    segments: bool = False

    def __bool__(self) -> bool:
        return bool(self.files or self.devices or self.segments)

    def holds(self, words: Sequence[str]) -> bool:
        """Return whether a mapping is one of them, given the fields of its line in /proc/PID/maps. A private mapping is
        not, because a page that was written to belongs to the process alone."""
        if not words[1].endswith("s"):
            return False
        if len(words) > 5 and words[5].startswith("/SYSV"):
            return self.segments
        major, minor = (int(part, 16) for part in words[3].split(":"))
        device = os.makedev(major, minor)
        return device in self.devices or (device, int(words[4])) in self.files


def given_back_bytes(pid: int) -> int:
    """Return by how much the resident memory of a process is below its maximum so far; 0 when it is gone."""
    with suppress(OSError):
        fields = [line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
        marks = {words[0]: int(words[1]) * 1024 for words in fields if words[0] in ("VmHWM:", "VmRSS:")}
        return max(0, marks.get("VmHWM:", 0) - marks.get("VmRSS:", 0))
    return 0


@dataclass(frozen=True, slots=True)
class ProcessTimes:
    """The processor time of a process, and of the children that it has waited for, in seconds. started: in ticks since
    the machine's start, which distinguishes it from a later process with the same number."""

    started: int
    own_seconds: float
    children_seconds: float

    @classmethod
    def of(cls, pid: int) -> ProcessTimes | None:
        """Return the times of a process; None when it is gone."""
        with suppress(OSError):
            after_name = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            user, system, children_user, children_system = (int(ticks) / _TICKS for ticks in after_name[11:15])
            return cls(int(after_name[19]), user + system, children_user + children_system)
        return None


@dataclass(frozen=True, slots=True)
class MachineLoad:
    """The counters of the machine: processor time that all processes spent on some cores; bytes swapped in or out."""

    core_seconds: float
    swapped_bytes: int

    @classmethod
    def now(cls, cores: Sequence[int]) -> MachineLoad:
        """Return the present counters, for these cores."""
        return cls(_busy_seconds(Path("/proc/stat").read_text(), cores), _swapped_bytes())


def _busy_seconds(stat: str, cores: Iterable[int]) -> float:
    """Return the sum of user, nice, system, irq, softirq and steal in the lines cpuN of /proc/stat; guests are counted
    within user."""
    names = {f"cpu{core}" for core in cores}
    fields = [line.split() for line in stat.splitlines()]
    return (
        sum(int(words[place]) for words in fields if words and words[0] in names for place in (1, 2, 3, 6, 7, 8))
        / _TICKS
    )


def _swapped_bytes() -> int:
    with suppress(OSError):
        fields = [line.split() for line in Path("/proc/vmstat").read_text().splitlines()]
        return sum(int(value) * _PAGE_BYTES for name, value in fields if name in ("pswpin", "pswpout"))
    return 0
