"""What processes and the machine have used, read from /proc: memory, processor time, load by others, swapping."""

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
    """The processes below `pid`, children before grandchildren."""
    found: list[int] = []
    try:
        level = _children(pid)
    except FileNotFoundError:
        if not Path(f"/proc/{pid}").exists():
            return []
        with suppress(psutil.Error):  # a kernel that does not list children
            return [process.pid for process in psutil.Process(pid).children(recursive=True)]
        return []
    while level:
        found += level
        level = [grandchild for child in level for grandchild in _children_or_none(child)]
    return found


def _children(pid: int) -> list[int]:
    """By the threads that forked them. Raises `FileNotFoundError`."""
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
    """Resident set size, which counts shared pages whole; cheap. 0 when the process is gone."""
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    return 0


def proportional_bytes(pid: int) -> int:
    """Proportional set size, and what of it is swapped out: shared pages count in parts, so that a sum over processes
    counts every page once. The kernel walks all pages for it. Resident set size where the kernel does not tell."""
    with suppress(OSError):
        fields = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]]
        return sum(int(words[1]) * 1024 for words in fields if words[0] in ("Pss:", "SwapPss:"))
    return resident_bytes(pid)


def given_back_bytes(pid: int) -> int:
    """How far a process is below the most it has had resident; 0 when it is gone."""
    with suppress(OSError):
        fields = [line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
        marks = {words[0]: int(words[1]) * 1024 for words in fields if words[0] in ("VmHWM:", "VmRSS:")}
        return max(0, marks.get("VmHWM:", 0) - marks.get("VmRSS:", 0))
    return 0


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and of its children that it has waited for; 0 when it is gone."""
    with suppress(OSError):
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(ticks) for ticks in after_name[11:15]) / _TICKS
    return 0.0


@dataclass(frozen=True, slots=True)
class MachineLoad:
    """Counters of the machine at a moment: processor time spent on some cores, by anybody; bytes swapped in or out."""

    core_seconds: float
    swapped_bytes: int

    @classmethod
    def now(cls, cores: Sequence[int]) -> MachineLoad:
        """The counters of these cores."""
        return cls(_busy_seconds(Path("/proc/stat").read_text(), cores), _swapped_bytes())


def _busy_seconds(stat: str, cores: Iterable[int]) -> float:
    """user, nice, system, irq, softirq and steal of the lines cpuN; guests are counted within user."""
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
