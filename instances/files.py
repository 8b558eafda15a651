"""Files on disk: written whole or not at all, and read with errors in one line."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from instances.errors import LibraryError

TEMPORARY_SUFFIX = ".tmp"
"""What a write in progress ends with; a killed process may leave one behind."""


def sha256(data: bytes) -> str:
    """The sha256 of `data` in hex, as the manifest holds it."""
    return hashlib.sha256(data).hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to a temporary file beside `path`, flush it to the disk, and rename it.

    A reader sees the old file, the new one or none, never a part, even after a kill. Parents are made.
    Raises LibraryError in one line: read-only folder, full disk, a file where a folder should be.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise LibraryError(f"{path}: cannot be written ({error.strerror or error})") from error


def read_bytes(path: Path) -> bytes:
    """The bytes of a file. Raises LibraryError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise LibraryError(f"{path}: cannot be read ({error.strerror or error}); generate the library again") from error
