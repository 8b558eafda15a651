"""Files in a folder that machines share: new ones that outlive a crash, and reading that never leaves the folder."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack
from pathlib import Path

from vnnbench.errors import ResultsError


def write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, and flush it to the disk. Raises `OSError`."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Flush to the disk which names a folder has. Raises `OSError`."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_inside(folder: Path, *names: str, most: int) -> bytes:
    """Read the file of the last name, in the folders of the others, in `folder`: at most so many bytes. None of the
    names may be a link.

    Raises `ResultsError`, from a FileNotFoundError where there is no such file: it is not a plain file, or longer.
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
                raise ResultsError(f"{path}: holds more than {most} bytes, the most that is read")
            with open(handle, "rb", closefd=False) as file:
                return file.read(status.st_size)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({error.strerror})") from error


def _opened(opened: ExitStack, path: str | Path, flags: int, inside: int | None = None) -> int:
    """A descriptor that is closed with the others."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags, dir_fd=inside)
    opened.callback(os.close, handle)
    return handle
