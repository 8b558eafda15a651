"""Programs as children of this process: they are found, started without a shell, and end with it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from vnnbench.solvers.base import NotInstalledError

GOODBYE_SECONDS = 1.0
"""The time that a program has between SIGTERM and SIGKILL."""

_PR_SET_PDEATHSIG = 1


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when `parent`, which started it, dies, or if it has already.

    The kernel means the *thread* that started it.
    """
    _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def find_program(program: str, folder: Path) -> Path | None:
    """Return the path of a program, on PATH or, if its name has a slash, relative to `folder`. None: it is missing."""
    found = shutil.which(folder / program if "/" in program else program)
    return Path(found).absolute() if found else None


def open_own_file(path: Path) -> BinaryIO | None:
    """Open a file that belongs to this user and has this name only, as a program writes one.

    Returns None for a link, which may lead to a file whose text must not be stored, for a pipe or a device, and if
    there is no file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_uid == os.geteuid():
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    return None


@contextmanager
def running(words: Sequence[str], log: BinaryIO, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program in `folder`, with an empty stdin; its stdout and stderr go to `log`.

    It is ended with this block (SIGTERM, then SIGKILL), and with this process. It stays in the process group, so that a
    limit on the group holds for it, too. Raises `NotInstalledError` if it cannot be started.
    """
    _libc()  # loaded before the fork, after which it is not safe
    try:
        process = subprocess.Popen(
            words,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=_tied_to(os.getpid()),
        )
    except (OSError, subprocess.SubprocessError) as error:
        reason = getattr(error, "strerror", None) or error
        raise NotInstalledError(f"{words[0]} cannot be started ({reason})") from error
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GOODBYE_SECONDS)
        process.kill()
        process.wait()


def _tied_to(parent: int) -> Callable[[], None]:
    return lambda: die_with(parent)
