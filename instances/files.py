"""Files on disk: written whole or not at all, and read with errors in one line."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import stat
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from vnnbench.instances.errors import LibraryError
from vnnbench.instances.limits import MAX_LIBRARY_FILE_BYTES, JsonLimit

TEMPORARY_SUFFIX = ".tmp"
"""The suffix of a file that is being written; a killed process may leave one behind."""

_TEMPORARY = re.compile(rf"\.(.+)\.[0-9]+{re.escape(TEMPORARY_SUFFIX)}", re.DOTALL)
_NAMES_AT_ONCE = 10_000


def sha256(data: bytes) -> str:
    """Return the sha256 of `data` in hex, as the manifest holds it."""
    return hashlib.sha256(data).hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path`, as `writing` does. Raises LibraryError."""
    with writing(path) as file:
        file.write(data)


def refuse_device(path: Path) -> None:
    """Raise LibraryError if `path` is a device or a pipe, which a new file would replace."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise LibraryError(f"{path}: cannot be written (it is not a file)")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Yield a temporary file beside `path`; at the end of the block it is flushed to the disk and renamed to `path`.

    A reader sees the old file, the new one or none, never a part, even after a kill. Parent folders are created.
    Raises LibraryError in one line: read-only folder, full disk, a file where a folder should be.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise LibraryError(f"{path}: cannot be written ({error.strerror or error})") from error


def is_temporary(name: str, of: str) -> bool:
    """Return whether `writing` gives this name to the temporary file of a file called `of`."""
    return name != of and final_name(name) == of


def final_name(name: str) -> str:
    """Return the name of the file for which `writing` makes a temporary file of this name; of any other, the name."""
    found = _TEMPORARY.fullmatch(name)
    return name if found is None else found[1]


def remove_temporary(folder: Path, inside: Iterable[str] = ()) -> None:
    """Remove the temporary files that killed processes left in a folder and in folders `inside` it.

    Links are neither removed nor followed. No other process may be writing there. Raises LibraryError.
    """
    below = (folder / name for name in inside)
    try:
        for place in (folder, *(path for path in below if path.is_dir() and not path.is_symlink())):
            for path in place.iterdir():
                if _TEMPORARY.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                    path.unlink(missing_ok=True)
    except OSError as error:
        raise LibraryError(f"{error.filename}: cannot be removed ({error.strerror or error})") from error


def remove_folder(folder: Path) -> bool:
    """Remove a folder with all its contents, of any depth, with any names, and without permissions for its owner.

    Links are removed, not followed. What cannot be removed stays, such as a file in a folder of another user.
    Returns whether the folder is gone.
    """
    try:
        if folder.is_symlink():
            folder.unlink()
            return True
        with unlocked(folder) as inside:
            _empty(inside, lambda name: _remove(name, inside))
        folder.rmdir()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return True


@contextlib.contextmanager
def unlocked(folder: str | Path, parent: int | None = None) -> Iterator[int]:
    """Yield a descriptor of a folder after giving its owner permission to list, change and enter it.

    `folder` is a name in `parent` if that is given. Raises `OSError`: there is no such folder, it is a link, or it is
    closed and belongs to another user.
    """
    flags = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    place = os.open(folder, os.O_PATH | flags, dir_fd=parent)  # O_PATH needs no permission on the folder itself
    try:
        mode = stat.S_IMODE(os.fstat(place).st_mode)
        if mode & stat.S_IRWXU != stat.S_IRWXU:
            with contextlib.suppress(PermissionError):
                os.chmod(f"/proc/self/fd/{place}", mode | stat.S_IRWXU)  # noqa: PTH101 - a descriptor, not a path
        inside = os.open(".", os.O_RDONLY | flags, dir_fd=place)
    finally:
        os.close(place)
    try:
        yield inside
    finally:
        os.close(inside)


def _empty(folder: int, remove: Callable[[str], bool]) -> None:
    """Call `remove` with every name in a folder, until only names are left that could not be removed."""
    stuck: set[str] = set()
    while True:
        with os.scandir(folder) as entries:
            names = list(itertools.islice((entry.name for entry in entries if entry.name not in stuck), _NAMES_AT_ONCE))
        if not names:
            return
        stuck.update(name for name in names if not remove(name))


def _remove(name: str, folder: int) -> bool:
    """Remove a file or a folder, and return whether it is gone.

    Subfolders are moved up into `folder`, which is emptied of them next: so neither recursion nor the number of
    descriptors limits the depth.
    """
    try:
        if not _unlink(name, folder):
            with unlocked(name, folder) as inside:
                _empty(inside, lambda inner: _take_out(inner, inside, folder))
            os.rmdir(name, dir_fd=folder)
    except OSError:
        return False
    return True


def _take_out(name: str, folder: int, above: int) -> bool:
    """Remove a file, or move a folder to `above` under a new name. Returns whether it is no longer in `folder`."""
    try:
        if not _unlink(name, folder):
            with unlocked(name, folder):  # only a folder with permission to change it can be moved
                os.rename(name, uuid.uuid4().hex, src_dir_fd=folder, dst_dir_fd=above)
    except OSError:
        return False
    return True


def _unlink(name: str, folder: int) -> bool:
    """Remove a file, a link, anything else that is not a folder, or an empty folder, and return whether it is gone.

    It is not if it is a folder that is not empty or that cannot be removed. Raises `OSError`.
    """
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        try:
            os.rmdir(name, dir_fd=folder)
        except OSError:
            return False
    return True


def open_plain(path: Path, error: Callable[[str], Exception], *, or_pipe: bool = False) -> BinaryIO:
    """Open a plain file of any origin for reading; with `or_pipe` also a pipe, such as a shell's `<(command)`.

    Raises what `error` makes of one line: the file cannot be opened, or is a folder, a device or a pipe, which may have
    no end or keep its reader waiting.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # else a pipe would wait for a writer here
        mode = os.fstat(handle).st_mode
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror})") from problem
    if not stat.S_ISREG(mode) and not (or_pipe and stat.S_ISFIFO(mode)):
        os.close(handle)
        raise error(f"{path}: is not a file")
    os.set_blocking(handle, True)
    return os.fdopen(handle, "rb")


def read_bytes(path: Path, advice: str = "generate the library again", most: int = MAX_LIBRARY_FILE_BYTES) -> bytes:
    """Return the bytes of a file of a library, at most `most`. Raises LibraryError, whose message ends in `advice`."""

    def broken(message: str) -> LibraryError:
        return LibraryError(f"{message}; {advice}")

    with open_plain(path, broken) as file:
        try:
            if os.fstat(file.fileno()).st_size > most:
                raise broken(_too_large(path, most))
            return file.read()
        except OSError as error:
            raise broken(f"{path}: cannot be read ({error.strerror or error})") from error


def holds(path: Path, digest: str) -> bool:
    """Return whether there is a file at `path` with this sha256."""
    try:
        return sha256(read_bytes(path)) == digest
    except LibraryError:
        return False


def read_plain(path: Path, most: int, error: Callable[[str], Exception]) -> bytes:
    """Return the bytes of a file of any origin, at most `most`, unzipped if its name ends in .gz. Raises `error`."""
    too_large = error(_too_large(path, most))
    try:
        with open_plain(path, error) as file:
            size = os.fstat(file.fileno()).st_size
            if size > most:
                raise too_large
            data = file.read(size + 1)  # not `most + 1`: `read` first allocates the bytes that it is asked for
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror or problem})") from problem
    if path.suffix == ".gz":
        return unzip(data, most, str(path), error)
    if len(data) > most:
        raise too_large
    return data


def unzip(data: bytes, most: int, source: str, error: Callable[[str], Exception]) -> bytes:
    """Return the contents of the gzip stream `data` of `source`, at most `most` bytes.

    Raises what `error` makes of one line: the stream holds more, or is not one complete stream.
    """
    stream = zlib.decompressobj(wbits=31)
    try:
        unzipped = stream.decompress(data, most + 1)
    except zlib.error as problem:
        raise error(f"{source}: is not a gzip file ({problem})") from problem
    if len(unzipped) > most:
        raise error(_too_large(source, most))
    if stream.unused_data or not stream.eof:
        raise error(f"{source}: is not one complete gzip stream")
    return unzipped


def _too_large(path: Path | str, most: int) -> str:
    return f"{path}: holds more than {most} bytes, the most that is read"


def excess_of_json(data: bytes, limit: JsonLimit) -> str | None:
    """Return which limit of its kind a JSON text exceeds, such as "more than 16 lists and objects", or None."""
    for found, most, what in (
        (len(data), limit.bytes, "bytes"),
        (data.count(b"[") + data.count(b"{"), limit.containers, "lists and objects"),
        (data.count(b","), limit.commas, "values"),
    ):
        if found > most:
            return f"more than {most} {what}"
    return None


def parse_json(data: bytes, limit: JsonLimit, error: Callable[[str], Exception]) -> Any:
    """Parse a JSON text within the limits of its kind.

    Its brackets and commas are counted first, including those in strings: parsed, `[],[],..` takes 30 times its bytes.
    Raises what `error` makes of a few words: the text exceeds a limit, or is not JSON.
    """
    if (excess := excess_of_json(data, limit)) is not None:
        raise error(f"holds {excess}, the most that is read")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as problem:
        raise error(f"is not JSON ({problem})") from problem
