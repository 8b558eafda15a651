"""What processes hold beyond their page tables and the files in the run's folder, read from /proc.

Unlinked files; memory in files of the kernel (memfd, POSIX and System V segments), mapped or not; file systems in
memory that the processes have mounted for themselves. Not seen: a descriptor that is on its way through a socket, and
without privileges a file that is mapped while no descriptor is left.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

Identity = tuple[int, int]
"""Device and inode of a file."""

_BLOCK_BYTES = 512  # of st_blocks, whatever the file system
_IPC_RMID = 0
SEGMENTS_PATH = Path("/proc/sysvipc/shm")
_IN_MEMORY = ("tmpfs", "ramfs", "hugetlbfs")


def stored_bytes(found: os.stat_result) -> int:
    """What a file takes, without its holes."""
    return found.st_blocks * _BLOCK_BYTES


class HeldFiles:
    """The files that a run's processes hold, each counted once, in bytes.

    unlinked: of no name any more, and not in memory. shared: in memory, and not in `folder`, the run's. Files that were
    held when the run began (`give`) are not the run's.
    """

    def __init__(self, folder: Path) -> None:
        self.unlinked: dict[Identity, int] = {}
        self.shared: dict[Identity, int] = {}
        self._folder_device = folder.stat().st_dev
        self._devices = {device: kind for device, kind, _ in _mounts("self")}
        self._in_memory = {device for device, kind in self._devices.items() if kind in _IN_MEMORY} | {_memfd_device()}
        self._given: frozenset[Identity] = frozenset()
        self._mapped: list[os.stat_result] = []

    def give(self, processes: Collection[int]) -> None:
        """Take what they hold now for given."""
        self.look(processes, thorough=True)
        self._given = frozenset([*self.unlinked, *self.shared])
        self._mapped, self.unlinked, self.shared = [], {}, {}

    def look(self, processes: Collection[int], thorough: bool = False) -> None:
        """Look at their descriptors; thorough: also at those of threads that have their own, and at mappings."""
        if thorough:
            self._mapped = [found for process in processes for found in _deleted_mappings(process)]
        found = {
            (file.st_dev, file.st_ino): file
            for process in processes
            for folder in (_descriptor_folders(process) if thorough else [f"/proc/{process}/fd"])
            for file in _open_files(folder)
        }
        found |= {(file.st_dev, file.st_ino): file for file in self._mapped}
        kept = {identity: file for identity, file in found.items() if identity not in self._given}
        self.unlinked = {key: stored_bytes(file) for key, file in kept.items() if self._is_unlinked(file)}
        self.shared = {key: stored_bytes(file) for key, file in kept.items() if self._is_shared(file)}

    def _is_unlinked(self, file: os.stat_result) -> bool:
        return file.st_nlink == 0 and (file.st_dev == self._folder_device or file.st_dev not in self._in_memory)

    def _is_shared(self, file: os.stat_result) -> bool:
        if file.st_dev == self._folder_device:
            return file.st_nlink == 0 and file.st_dev in self._in_memory
        return file.st_dev in self._in_memory

    def private_file_systems(self, processes: Collection[int]) -> dict[int, int]:
        """By device, the bytes in file systems in memory that are mounted for these processes alone."""
        own, found = _mount_namespace("self"), {}
        for process in {_mount_namespace(process): process for process in processes}.values():
            if _mount_namespace(process) not in (own, None):
                for device, kind, point in _mounts(process):
                    if kind == "tmpfs" and device not in self._devices:
                        with suppress(OSError):
                            room = os.statvfs(f"/proc/{process}/root{point}")
                            found[device] = (room.f_blocks - room.f_bfree) * room.f_frsize
        return found


def _memfd_device() -> int:
    """Where the kernel keeps memfds, System V segments, and what processes share without a name."""
    descriptor = os.memfd_create("vnnbench")
    try:
        return os.fstat(descriptor).st_dev
    finally:
        os.close(descriptor)


def _mount_namespace(process: int | str) -> str | None:
    with suppress(OSError):
        return str(Path(f"/proc/{process}/ns/mnt").readlink())
    return None


def _mounts(process: int | str) -> Iterator[tuple[int, str, str]]:
    """Device, kind and place of what is mounted for a process; nothing when it is gone."""
    with suppress(OSError):
        for words in (line.split(" ") for line in Path(f"/proc/{process}/mountinfo").read_text().splitlines()):
            major, _, minor = words[2].partition(":")
            point = words[4].encode().decode("unicode_escape")  # a blank is \040
            yield os.makedev(int(major), int(minor)), words[words.index("-") + 1], point


def _descriptor_folders(process: int) -> list[str]:
    """Threads share their descriptors, unless they have asked for their own."""
    with suppress(OSError):
        return [f"{task}/fd" for task in Path(f"/proc/{process}/task").iterdir()]
    return []


def _open_files(folder: str) -> Iterator[os.stat_result]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                found = os.stat(entry.path)  # noqa: PTH116 - thousands in a look
                if stat.S_ISREG(found.st_mode):
                    yield found


def _deleted_mappings(process: int) -> Iterator[os.stat_result]:
    """The files of no name that a process has mapped, where the kernel lets us look at them (privileges)."""
    with suppress(OSError):
        text = Path(f"/proc/{process}/maps").read_text(errors="replace")
        seen = set()
        for words in (line.split(None, 5) for line in text.splitlines() if line.endswith("(deleted)")):
            if (words[3], words[4]) not in seen:
                seen.add((words[3], words[4]))
                start, _, end = words[0].partition("-")
                with suppress(FileNotFoundError):
                    yield os.stat(f"/proc/{process}/map_files/{int(start, 16):x}-{int(end, 16):x}")  # noqa: PTH116


@dataclass(frozen=True, slots=True)
class Segment:
    """A System V shared memory segment: who made it, when (seconds since the epoch), what it takes of memory."""

    number: int
    creator: int
    changed: int
    stored_bytes: int


def segments(text: str) -> list[Segment]:
    """The segments of a text like that of `SEGMENTS_PATH`."""
    rows = [line.split() for line in text.splitlines()[1:]]
    return [Segment(int(r[1]), int(r[4]), int(r[13]), int(r[14]) + int(r[15])) for r in rows]


def segments_of(creators: Collection[int], since: float) -> list[Segment]:
    """Those that these processes have made since then, of all that are to be seen here."""
    with suppress(OSError):
        return [s for s in segments(SEGMENTS_PATH.read_text()) if s.creator in creators and s.changed >= int(since)]
    return []


def remove_segments(found: Iterable[Segment]) -> None:
    """Remove them; the kernel keeps one as long as a process has it attached."""
    for segment in found:
        ctypes.CDLL(None).shmctl(segment.number, _IPC_RMID, None)
