"""Memory and storage that processes use beyond their page tables and the files in the run's folder, read from /proc.

These are unlinked files; memory in files of the kernel (memfd, POSIX and System V segments), mapped or not; and file
systems in memory that the processes have mounted for themselves. Not seen are a descriptor that is in transit through a
socket, and, without privileges, a file that is mapped but has no open descriptor.
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

_BLOCK_BYTES = 512  # the unit of st_blocks, for any file system
_IPC_RMID = 0
SEGMENTS_PATH = Path("/proc/sysvipc/shm")
_IN_MEMORY = ("tmpfs", "ramfs", "hugetlbfs")


def stored_bytes(found: os.stat_result) -> int:
    """Return the storage that a file takes, without its holes."""
    return found.st_blocks * _BLOCK_BYTES


class HeldFiles:
    """The files that a run's processes have open or mapped, each counted once, in bytes.

    unlinked: those that have no name any more and are not in memory. shared: those in memory that are not in `folder`,
    the folder of the run. Files that were open or mapped when the run began (`give`) do not count as the run's.
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
        """Note the files that these processes have open or mapped now: they do not count as the run's."""
        self.look(processes, thorough=True)
        self._given = frozenset([*self.unlinked, *self.shared])
        self._mapped, self.unlinked, self.shared = [], {}, {}

    def look(self, processes: Collection[int], thorough: bool = False) -> None:
        """Look at the descriptors of these processes. thorough: also at those of threads that have descriptors of their
        own, and at mappings."""
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
        """Return, by device, the bytes in file systems in memory that are mounted for these processes alone."""
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
    """Return the device on which the kernel keeps memfds, System V segments and anonymous shared memory."""
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
    """Yield device, kind and place of each file system mounted for a process; nothing when the process is gone."""
    with suppress(OSError):
        for words in (line.split(" ") for line in Path(f"/proc/{process}/mountinfo").read_text().splitlines()):
            major, _, minor = words[2].partition(":")
            point = words[4].encode().decode("unicode_escape")  # a blank is \040
            yield os.makedev(int(major), int(minor)), words[words.index("-") + 1], point


def _descriptor_folders(process: int) -> list[str]:
    """Return the folders of the descriptors of all threads, which share theirs unless they were unshared."""
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
    """Yield the unlinked files that a process has mapped, where we have the privileges to see them."""
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
    """A System V shared memory segment: the process that made it, when it last changed (seconds since the epoch), and
    the memory that it takes."""

    number: int
    creator: int
    changed: int
    stored_bytes: int


def segments(text: str) -> list[Segment]:
    """Return the segments listed in a text in the format of `SEGMENTS_PATH`."""
    rows = [line.split() for line in text.splitlines()[1:]]
    return [Segment(int(r[1]), int(r[4]), int(r[13]), int(r[14]) + int(r[15])) for r in rows]


def segments_of(creators: Collection[int], since: float) -> list[Segment]:
    """Return those of the visible segments that these processes have made since a time (seconds since the epoch)."""
    with suppress(OSError):
        return [s for s in segments(SEGMENTS_PATH.read_text()) if s.creator in creators and s.changed >= int(since)]
    return []


def remove_segments(found: Iterable[Segment]) -> None:
    """Remove segments. The kernel keeps one as long as a process has it attached."""
    for segment in found:
        ctypes.CDLL(None).shmctl(segment.number, _IPC_RMID, None)
