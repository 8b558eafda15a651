"""Adding instances to a library. Stopped at any moment, it leaves a valid library, the old or the new one.

The new manifest is written beside the old one, then the new files, then the new tables (catalogue and list of
problems) beside the old ones. The library changes at the moment when the new manifest replaces the old one. Then the
tables are replaced; until then a reader takes those whose sha256 is in the manifest. From the manifest beside the old
one, a check knows which unlisted files belong to an addition.

Manifest, tables, timings and origins list the whole library, so many instances are written together: a
`GrowingLibrary` writes them when that takes a small share of the time in which they were made.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from vnnbench.instances.errors import LibraryError, NameInUseError
from vnnbench.instances.files import (
    holds,
    is_temporary,
    parse_json,
    read_bytes,
    remove_temporary,
    sha256,
    write_atomic,
)
from vnnbench.instances.layout import (
    CATALOG,
    FOLDERS,
    INSTANCES,
    MANIFEST,
    NEXT_MANIFEST,
    NEXT_TABLES,
    PROVENANCE,
    TIMINGS,
    is_network,
    vnnlib_file,
)
from vnnbench.instances.library.catalog import CatalogRow, catalog_bytes, timings_bytes
from vnnbench.instances.library.instance_list import instance_list, restore_list
from vnnbench.instances.library.library import Library, check_inside, manifest_bytes
from vnnbench.instances.limits import MANIFEST_LIMIT, MAX_INSTANCES, MEBIBYTE, STATE_LIMIT

IMPORTED = "imported"
"""The value in place of a suite's name if the first instance of a library was imported."""

_MAX_WAITING_BYTES = 64 * MEBIBYTE
_WRITING_SHARE = 0.05
"""The most bytes of new files that wait in memory, and the share of the time that writing the lists may take."""


@dataclass(frozen=True, slots=True, eq=False)
class Addition:
    """An instance to add: its files by relative path, its costs by timing column, and its origin."""

    row: CatalogRow
    files: dict[str, bytes]
    timings: dict[str, float | int | None]
    source: dict[str, str | int]


def add_instance(folder: Path, addition: Addition) -> bool:
    """Add an instance to the library in `folder`, and return whether it was added.

    A new or empty folder becomes a new library. If the library already has the same instance, the result is False, and
    files of it that are missing or altered are restored.
    Raises LibraryError: the folder holds something else or cannot be written, or a name is in use for other content.
    """
    with growing(folder) as library:
        return library.add([addition])


@contextmanager
def growing(folder: Path) -> Iterator[GrowingLibrary]:
    """Open the library in `folder`, or a new one in a new or empty folder, and write what waits at the end.

    It is also written after Ctrl-C. No other addition or repair is at work there meanwhile. Raises LibraryError.
    """
    with only_one(folder):
        library = GrowingLibrary(folder)
        try:
            yield library
        except KeyboardInterrupt:
            library.write()
            raise
        library.write()


class GrowingLibrary:
    """A library, new or not, to which instances are added; `growing` makes one."""

    def __init__(self, folder: Path) -> None:
        library = _opened(folder)
        if library is not None:
            _finish_earlier(library)
        self._folder, self._library = folder, library
        self._rows = {row.instance: row for row in library.rows} if library else {}
        self._hashes = dict(library.hashes) if library else {}
        self._listed = NEXT_TABLES.keys() & self._hashes.keys()
        self._timings = {name: library.timings(name) for name in self._rows} if library else {}
        self._provenance = _read_provenance(folder)
        self._intact: set[str] = set()
        self._waiting: dict[str, bytes] = {}
        self._changed = False
        self._written_at, self._writing_seconds = time.monotonic(), 0.0

    def row(self, instance: str) -> CatalogRow | None:
        """Return the row of an instance by its name, or None."""
        return self._rows.get(instance)

    def origins(self) -> Iterator[dict[str, Any]]:
        """Yield the recorded origins of imported instances, whose values are not trusted."""
        yield from (source for source in self._provenance["imports"] if isinstance(source, dict))

    def is_intact(self, row: CatalogRow) -> bool:
        """Return whether all files of an instance of the library are what its manifest says."""
        vnnlib = vnnlib_file(row.property)
        files = (row.model, row.property, *row.data_files().values(), *([vnnlib] if vnnlib in self._hashes else []))
        return all(map(self._is_intact, files))

    def refuse_other_files(self, files: dict[str, bytes]) -> None:
        """Raise `NameInUseError` if the library has a file of one of these paths with other contents."""
        for relative, data in files.items():
            if self._hashes.get(relative, digest := sha256(data)) != digest:
                raise NameInUseError(
                    f"{self._folder}: already has another file {relative}; {_advice(relative)}, or use another library"
                )

    def add(self, additions: Sequence[Addition]) -> bool:
        """Add instances, all of them or none, and return whether any was added; a present one stays as it is.

        Files of present instances that are missing or altered are restored. Raises `NameInUseError`: an instance or a
        file of another content has the name. Raises LibraryError: the folder cannot be written.
        """
        for addition in additions:
            known = self._rows.get(addition.row.instance)
            if known is not None and known.instance_sha256 != addition.row.instance_sha256:
                raise NameInUseError(
                    f"{self._folder}: already has another instance {known.instance}, with other files or bounds; give "
                    "this one another --name, or use another library"
                )
            self.refuse_other_files(addition.files)
        new = [addition for addition in additions if addition.row.instance not in self._rows]
        if len(self._rows) + len(new) > MAX_INSTANCES:
            raise LibraryError(f"{self._folder}: would have more than {MAX_INSTANCES} instances; use another library")
        for addition in additions:
            for relative, data in addition.files.items():
                if not self._is_intact(relative):
                    self._put(relative, data)
        for addition in new:
            name = addition.row.instance
            self._rows[name], self._timings[name] = addition.row, addition.timings
            self._provenance["imports"].append(addition.source)
            self._changed = True
        if not new and not self._changed:
            self._restore_list()
        self._write_if_due()
        return bool(new)

    def write(self) -> None:
        """Write what waits, so that the library on disk has it. Raises LibraryError."""
        if not self._changed:
            return
        started = time.monotonic()
        tables = {
            CATALOG: catalog_bytes(self._rows.values()),
            INSTANCES: instance_list(self._rows.values(), self._hashes),
        }
        self._hashes |= {relative: sha256(data) for relative, data in tables.items()}
        first = self._library
        manifest = manifest_bytes(
            first.suite if first else IMPORTED,
            first.suite_sha256 if first else None,
            first.seeds if first else (),
            self._hashes,
        )
        root = os.path.realpath(self._folder)
        for relative in self._waiting:
            check_inside(root, relative, self._folder / MANIFEST)
        write_atomic(self._folder / NEXT_MANIFEST, manifest)
        for relative, data in self._waiting.items():
            write_atomic(self._folder / relative, data)
        write_atomic(self._folder / TIMINGS, timings_bytes(self._timings))
        write_atomic(self._folder / PROVENANCE, orjson.dumps(self._provenance, option=orjson.OPT_INDENT_2) + b"\n")
        for relative, data in tables.items():
            write_atomic(self._folder / NEXT_TABLES[relative], data)
        for relative in tables.keys() - self._listed:
            write_atomic(self._folder / relative, tables[relative])
        write_atomic(self._folder / MANIFEST, manifest)
        for relative in self._listed:
            write_atomic(self._folder / relative, tables[relative])
        self._listed = tables.keys() & self._hashes.keys()
        _remove_aside(self._folder)
        self._intact |= self._waiting.keys()
        self._waiting, self._changed = {}, False
        self._written_at = time.monotonic()
        self._writing_seconds = self._written_at - started

    def _restore_list(self) -> None:
        if INSTANCES in self._hashes and not self._is_intact(INSTANCES):
            restore_list(Library.open(self._folder))
            self._intact.add(INSTANCES)

    def _write_if_due(self) -> None:
        waited = time.monotonic() - self._written_at
        full = sum(map(len, self._waiting.values())) > _MAX_WAITING_BYTES
        if full or self._writing_seconds <= _WRITING_SHARE * waited:
            self.write()

    def _put(self, relative: str, data: bytes) -> None:
        """Restore a file of the library at once, or let a new one wait."""
        if relative in self._hashes and relative not in self._waiting:
            write_atomic(self._folder / relative, data)
            self._intact.add(relative)
        else:
            self._hashes[relative] = sha256(data)
            self._waiting[relative] = data

    def _is_intact(self, relative: str) -> bool:
        """Return whether a file of the library, on disk or waiting, is what the manifest says."""
        if relative not in self._intact and relative not in self._waiting:
            if relative not in self._hashes or not holds(self._folder / relative, self._hashes[relative]):
                return False
            self._intact.add(relative)
        return True


def expected_files(folder: Path) -> set[str]:
    """Return the files of an addition that was stopped, by the manifest that it wrote; none without such a manifest."""
    try:
        data = read_bytes(folder / NEXT_MANIFEST, most=MANIFEST_LIMIT.bytes)
        files = parse_json(data, MANIFEST_LIMIT, LibraryError)["files"]
    except (LibraryError, TypeError, KeyError):
        return set()
    return set(files) if isinstance(files, dict) else set()


def _opened(folder: Path) -> Library | None:
    """Return the library in `folder`, or None if that is new or empty, after removing what a killed addition left."""
    library = Library.open(folder) if (folder / MANIFEST).is_file() else None
    if library is None and not (folder / NEXT_MANIFEST).is_file():
        others = [path.name for path in folder.iterdir() if not is_temporary(path.name, NEXT_MANIFEST)]
        if others:
            raise LibraryError(f"{folder}: is neither empty nor a library (it holds {others[0]}); name a new folder")
    remove_temporary(folder, FOLDERS)
    return library


def _finish_earlier(library: Library) -> None:
    """Put the tables in their places if an earlier addition was stopped before it did so."""
    for relative, aside in NEXT_TABLES.items():
        if (library.folder / aside).is_file() and relative in library.hashes:
            write_atomic(library.folder / relative, library.read_verified(relative))
    _remove_aside(library.folder)


def _advice(relative: str) -> str:
    return "give --name, which then names this network too" if is_network(relative) else "give another --name"


def _read_provenance(folder: Path) -> dict[str, Any]:
    """Return provenance.json, with a list "imports"; it is not hashed, and a broken one is replaced."""
    try:
        document = parse_json(read_bytes(folder / PROVENANCE, most=STATE_LIMIT.bytes), STATE_LIMIT, LibraryError)
    except LibraryError:
        document = {}
    document = document if isinstance(document, dict) else {}
    earlier = document.get("imports")
    return {**document, "imports": earlier if isinstance(earlier, list) else []}


def _remove_aside(folder: Path) -> None:
    try:
        for name in (*NEXT_TABLES.values(), NEXT_MANIFEST):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise LibraryError(f"{folder}: cannot be written ({error.strerror or error})") from error


@contextmanager
def only_one(folder: Path, work: str = "import or generate") -> Iterator[None]:
    """Lock the folder against another addition or repair, which errors call `work`. The lock leaves no file.

    The folder is created if it is new, and removed if it is then still empty at the end.
    """
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise LibraryError(f"{folder}: cannot be written ({error.strerror or error})") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LibraryError(f"{folder}: another {work} is running there; wait for it") from error
        yield
    finally:
        if is_new:
            with suppress(OSError):
                folder.rmdir()
        os.close(handle)
