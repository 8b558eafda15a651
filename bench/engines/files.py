"""Files in a folder that machines share: writing that survives a crash, and reading that never leaves the folder."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack
from pathlib import Path

from vnnbench.errors import ResultsError


def write_new(path: Path, data: bytes) -> None:
    """Write a file that does not exist yet, and flush it to the disk. Raises `OSError`."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk. Raises `OSError`."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_inside(folder: Path, *names: str, most: int) -> bytes:
    """Read a file of at most `most` bytes. Its path below `folder` is `names`, none of which may be a link.

    Raises `ResultsError` when it cannot be read, is not a plain file or is longer; where there is no such file, its
    cause is a FileNotFoundError.
    """
    path = folder.joinpath(*names)
    try:
        with ExitStack() as opened:
            inside = _opened(opened, folder, os.O_DIRECTORY)
            for name in names[:-1]:
                inside = _opened(opened, name, os.O_DIRECTORY | os.O_NOFOLLOW, inside)
            # Without O_NONBLOCK a pipe would wait for a writer here.
            handle = _opened(opened, names[-1], os.O_NONBLOCK | os.O_NOFOLLOW, inside)
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise ResultsError(f"{path}: is not a file")
            if status.st_size > most:
                raise ResultsError(f"{path}: has {status.st_size} bytes; at most {most} are read")
            with open(handle, "rb", closefd=False) as file:
                return file.read(status.st_size)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({error.strerror})") from error


def read_if_there(folder: Path, name: str, *, most: int) -> bytes | None:
    """Read a file as `read_inside` does; None where there is no such file. Raises `ResultsError`."""
    try:
        return read_inside(folder, name, most=most)
    except ResultsError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise


def _opened(opened: ExitStack, path: str | Path, flags: int, inside: int | None = None) -> int:
    """Open a file or folder for reading, and return a descriptor that `opened` closes."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags, dir_fd=inside)
    opened.callback(os.close, handle)
    return handle
