"""Files on disk: written whole or not at all, and read with errors in one line."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import stat
import uuid
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from vnnbench.instances.errors import LibraryError
from vnnbench.instances.limits import MAX_LIBRARY_FILE_BYTES, JsonLimit

TEMPORARY_SUFFIX = ".tmp"
"""What a write in progress ends with; a killed process may leave one behind."""

_NAMES_AT_ONCE = 10_000


def sha256(data: bytes) -> str:
    """The sha256 of `data` in hex, as the manifest holds it."""
    return hashlib.sha256(data).hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data`, as `writing` does. Raises LibraryError."""
    with writing(path) as file:
        file.write(data)


def refuse_device(path: Path) -> None:
    """Raises LibraryError where a device or a pipe is: a file would take its place."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise LibraryError(f"{path}: cannot be written (is not a file)")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """A temporary file beside `path` to write to, which is flushed to the disk and renamed at the end of the block.

    A reader sees the old file, the new one or none, never a part, even after a kill. Parents are made.
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


def remove_folder(folder: Path) -> bool:
    """Remove a folder with all that is in it, however deep it goes, whatever its names are, and even where its owner
    has taken the permissions from it. Links are removed, not followed. What cannot be removed stays, such as a file in
    a folder of another user.

    Returns whether there is no such folder any more.
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
    """A descriptor of a folder, by its name in `parent` if one is given, which its owner may again list, change and
    enter. Raises `OSError`: there is no such folder, it is a link, or it is closed and another user's."""
    flags = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    place = os.open(folder, os.O_PATH | flags, dir_fd=parent)  # which needs no permission of the folder itself
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
    """Call `remove` with every name in a folder, until nothing is left in it but what could not be removed."""
    stuck: set[str] = set()
    while True:
        with os.scandir(folder) as entries:
            names = list(itertools.islice((entry.name for entry in entries if entry.name not in stuck), _NAMES_AT_ONCE))
        if not names:
            return
        stuck.update(name for name in names if not remove(name))


def _remove(name: str, folder: int) -> bool:
    """Remove a file or a folder. What folders that one has are moved up into `folder`, which is emptied of them next:
    so neither recursion nor the number of descriptors limits the depth. Returns whether it is gone."""
    try:
        if not _unlink(name, folder):
            with unlocked(name, folder) as inside:
                _empty(inside, lambda inner: _take_out(inner, inside, folder))
            os.rmdir(name, dir_fd=folder)
    except OSError:
        return False
    return True


def _take_out(name: str, folder: int, above: int) -> bool:
    """Remove a file, or move a folder to another one under a name of its own. Returns whether it is no longer here."""
    try:
        if not _unlink(name, folder):
            with unlocked(name, folder):  # only a folder that may be changed can be moved
                os.rename(name, uuid.uuid4().hex, src_dir_fd=folder, dst_dir_fd=above)
    except OSError:
        return False
    return True


def _unlink(name: str, folder: int) -> bool:
    """Remove a file, a link, whatever is no folder, or an empty folder; False: it is a folder that is not empty, or
    that cannot be removed. Raises `OSError`."""
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        try:
            os.rmdir(name, dir_fd=folder)
        except OSError:
            return False
    return True


def open_plain(path: Path, error: Callable[[str], Exception], *, or_pipe: bool = False) -> BinaryIO:
    """A file to read, whoever named it; with `or_pipe` also what a shell makes of `<(command)`, to its end.

    Raises what `error` makes of one line: it cannot be opened, or is a folder, a device or a pipe, which may have no
    end or keep its reader waiting.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would wait for a writer here
        mode = os.fstat(handle).st_mode
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror})") from problem
    if not stat.S_ISREG(mode) and not (or_pipe and stat.S_ISFIFO(mode)):
        os.close(handle)
        raise error(f"{path}: is not a file")
    os.set_blocking(handle, True)
    return os.fdopen(handle, "rb")


def read_bytes(path: Path, advice: str = "generate the library again", most: int = MAX_LIBRARY_FILE_BYTES) -> bytes:
    """The bytes of a file of a library, at most `most`. Raises LibraryError, which says what to do by `advice`."""

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
    """Whether there is a file with these contents."""
    try:
        return sha256(read_bytes(path)) == digest
    except LibraryError:
        return False


def read_plain(path: Path, most: int, error: Callable[[str], Exception]) -> bytes:
    """The bytes of a file from elsewhere, unzipped when its name ends in .gz, `most` of them. Raises `error`."""
    too_large = error(_too_large(path, most))
    try:
        with open_plain(path, error) as file:
            size = os.fstat(file.fileno()).st_size
            if size > most:
                raise too_large
            data = file.read(size + 1)  # no more than there is, for room for all of it is made first
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror or problem})") from problem
    if path.suffix == ".gz":
        return unzip(data, most, str(path), error)
    if len(data) > most:
        raise too_large
    return data


def unzip(data: bytes, most: int, source: str, error: Callable[[str], Exception]) -> bytes:
    """Return what the gzip stream `data` of `source` holds, at most so many bytes.

    Raises what `error` makes of one line: it holds more, or is not one complete stream.
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
    """What a JSON text has more of than files of its kind may have."""
    for found, most, what in (
        (len(data), limit.bytes, "bytes"),
        (data.count(b"[") + data.count(b"{"), limit.containers, "lists and objects"),
        (data.count(b","), limit.commas, "values"),
    ):
        if found > most:
            return f"more than {most} {what}"
    return None


def parse_json(data: bytes, limit: JsonLimit, error: Callable[[str], Exception]) -> Any:
    """What a JSON text holds. Raises what `error` makes of a few words: the text is larger than the limit of its kind,
    or is not JSON.

    Its brackets and commas are counted first, those in texts too: `[],[],..` takes 30 times its bytes once it is
    parsed."""
    if (excess := excess_of_json(data, limit)) is not None:
        raise error(f"holds {excess}, the most that is read")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as problem:
        raise error(f"is not JSON ({problem})") from problem
