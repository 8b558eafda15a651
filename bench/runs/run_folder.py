"""The folder that a run stands in. A solver may do with it what it likes; what is stored of it is read from the two
files that were made here before it began, whatever stands in their places afterwards."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from vnnbench.common.text import plain
from vnnbench.errors import ResultsError
from vnnbench.instances.files import TEMPORARY_SUFFIX, remove_folder, unlocked

LOG_NAME, OUTPUT_NAME = "solver.log", "output"


class RunFolder:
    """A new folder at `path`, with an empty log for the solver and an empty file for what its processes print. Use as a
    context manager: afterwards the folder is gone, or what cannot be removed of it stays.

    path: without links. Raises `ResultsError` where it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._files: dict[str, int] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with unlocked(path.parent):  # an earlier run may have closed it
                remove_folder(path)
                path.mkdir()
            self.path = path.resolve()
            for name in (LOG_NAME, OUTPUT_NAME):
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                self._files[name] = os.open(self.path / name, flags, 0o666)
        except OSError as error:
            self._close()
            raise ResultsError(f"{path}: cannot be made ({error.strerror})") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        self.unlock()
        remove_folder(self.path)

    def _close(self) -> None:
        for handle in self._files.values():
            os.close(handle)

    def unlock(self) -> None:
        """Give the owner back the permissions that a run has taken from the folder or from the one around it."""
        for folder in (self.path.parent, self.path):
            with contextlib.suppress(OSError), unlocked(folder):
                pass

    def without_paths(self, text: bytes) -> bytes:
        """A text that is given away and published, without what names the user: of files in this folder it keeps the
        names, and the home folder is `~`."""
        text = text.replace(os.fsencode(self.path) + b"/", b"").replace(os.fsencode(self.path), b".")
        home = os.path.expanduser("~").rstrip("/")  # noqa: PTH111 - a user may have none, which is no error here
        # Where a path begins: /tmp/root/x is not in /root.
        path = rb"(?<![\w.~-])" + re.escape(os.fsencode(home)) + b"/"
        return re.sub(path, b"~/", text) if home.startswith("/") else text

    def written(self, name: str, most: int) -> bytes:
        """The first bytes, at most so many, of what was written into the log or the output."""
        return os.pread(self._files[name], most, 0)

    def was_replaced(self, name: str) -> bool:
        """Whether the log or the output is no longer where it was made."""
        try:
            return not os.path.samestat(os.fstat(self._files[name]), (self.path / name).lstat())
        except OSError:
            return True


WORK_NAME = ".work"
"""The folder of a results folder in which runs have theirs."""


def clear_work(results: Path) -> Path:
    """Remove what a killed predecessor left half written, for the lock is ours, and make a folder to work in. What
    cannot be removed of an earlier one stays beside it.

    Raises `ResultsError`.
    """
    work = results / WORK_NAME
    try:
        for folder in ("logs", "candidates"):
            for path in (results / folder).glob(f".*{TEMPORARY_SUFFIX}"):
                path.unlink(missing_ok=True)
        for left in results.glob(f"{WORK_NAME}-*"):
            remove_folder(left)
        if not remove_folder(work) or work.exists():  # or it is a file
            _tell_of_left(work.rename(work.with_name(f"{WORK_NAME}-{uuid.uuid4().hex[:8]}")))
        work.mkdir()
    except OSError as error:
        raise ResultsError(f"{error.filename}: cannot be written ({error.strerror})") from error
    return work


def remove_work(work: Path) -> None:
    """Remove the folder that `clear_work` made; say so in one line on stderr where a run has left what cannot be."""
    if not remove_folder(work):
        _tell_of_left(work)


def _tell_of_left(folder: Path) -> None:
    sys.stderr.write(
        f"warning: {plain(folder)}: a run left there what cannot be removed, such as another user's files\n"
    )
