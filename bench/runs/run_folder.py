"""The folder of a run, in which its solver works. A solver may do anything with it: what is stored is read from two
files that were opened before the solver began, whatever is in their places afterwards."""

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
    """A new folder at `path`, with an empty log for the solver and an empty file for what its processes print.

    It is a context manager that removes the folder at its end; what cannot be removed stays. path: without links.
    Raises `ResultsError` where the folder cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._files: dict[str, int] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with unlocked(path.parent):  # an earlier run may have taken its permissions away
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
        """Return a text without paths that name the user, because it is shared and published: files in this folder keep
        only their names, and the home folder becomes `~`."""
        text = text.replace(os.fsencode(self.path) + b"/", b"").replace(os.fsencode(self.path), b".")
        home = os.path.expanduser("~").rstrip("/")  # noqa: PTH111 - unlike Path.home, it does not raise where a user has none
        # Match only at the beginning of a path: /tmp/root/x is not in /root.
        path = rb"(?<![\w.~-])" + re.escape(os.fsencode(home)) + b"/"
        return re.sub(path, b"~/", text) if home.startswith("/") else text

    def written(self, name: str, most: int) -> bytes:
        """Return what was written into the log or the output, at most the first `most` bytes."""
        return os.pread(self._files[name], most, 0)

    def was_replaced(self, name: str) -> bool:
        """Return whether the log or the output is no longer where it was made."""
        try:
            return not os.path.samestat(os.fstat(self._files[name]), (self.path / name).lstat())
        except OSError:
            return True


WORK_NAME = ".work"
"""The folder in a results folder that contains the folders of runs."""


def clear_work(results: Path) -> Path:
    """Make a new folder for the folders of runs, and remove what a killed process left half written. Only the holder of
    the lock may call this. What cannot be removed of an earlier folder stays beside the new one.

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
    """Remove the folder that `clear_work` made. One line on stderr warns where a run has left files that cannot be
    removed."""
    if not remove_folder(work):
        _tell_of_left(work)


def _tell_of_left(folder: Path) -> None:
    sys.stderr.write(
        f"warning: {plain(folder)}: a run left files there that cannot be removed, such as those of another user\n"
    )
