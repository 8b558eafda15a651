"""Adding an instance to a library. Stopped at any moment, it leaves a valid library, the old or the new one.

The new manifest is written beside the old one, then the new files, then the new tables (catalogue and list of
problems) beside the old ones. The library changes at the moment when the new manifest replaces the old one. Then the
tables are replaced; until then a reader takes those whose sha256 is in the manifest. From the manifest beside the old
one, a check knows which unlisted files belong to an addition.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from vnnbench.instances.errors import LibraryError
from vnnbench.instances.files import holds, parse_json, read_bytes, sha256, write_atomic
from vnnbench.instances.layout import (
    CATALOG,
    INSTANCES,
    MANIFEST,
    NEXT_MANIFEST,
    NEXT_TABLES,
    PROVENANCE,
    TIMINGS,
    is_network,
)
from vnnbench.instances.library.catalog import CatalogRow, catalog_bytes, timings_bytes
from vnnbench.instances.library.instance_list import instance_list, restore_list
from vnnbench.instances.library.library import Library, check_inside, manifest_bytes
from vnnbench.instances.limits import MANIFEST_LIMIT, STATE_LIMIT

IMPORTED = "imported"
"""The value in place of a suite's name if the first instance of a library was imported."""


@dataclass(frozen=True, slots=True, eq=False)
class Addition:
    """An instance to add: its files by relative path, its costs by timing column, and its origin."""

    row: CatalogRow
    files: dict[str, bytes]
    timings: dict[str, float | int | None]
    source: dict[str, str]


def add_instance(folder: Path, addition: Addition) -> bool:
    """Add an instance to the library in `folder`, and return whether it was added.

    A new or empty folder becomes a new library. If the library already has the same instance, the result is False, and
    files of it that are missing or altered are restored.
    Raises LibraryError: the folder holds something else or cannot be written, or a name is in use for other content.
    """
    with only_one(folder):
        library = _opened(folder)
        if library is not None:
            _finish_earlier(library)
            if _is_there(library, addition):
                _put_back(library, addition)
                return False
        _write(folder, library, addition)
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
    if (folder / MANIFEST).is_file():
        return Library.open(folder)
    others = [path.name for path in folder.iterdir() if path.name != NEXT_MANIFEST]
    if others and not (folder / NEXT_MANIFEST).is_file():
        raise LibraryError(f"{folder}: is neither empty nor a library (it holds {others[0]}); name a new folder")
    return None


def _finish_earlier(library: Library) -> None:
    """Put the tables in their places if an earlier addition was stopped before it did so."""
    for relative, aside in NEXT_TABLES.items():
        if (library.folder / aside).is_file() and relative in library.hashes:
            write_atomic(library.folder / relative, library.read_verified(relative))
    _remove_aside(library.folder)


def _is_there(library: Library, addition: Addition) -> bool:
    row = addition.row
    same_name = [known for known in library.rows if known.instance == row.instance]
    if same_name and same_name[0].instance_sha256 != row.instance_sha256:
        raise LibraryError(
            f"{library.folder}: already has another instance {row.instance}, with other files or bounds; "
            "give this one another --name"
        )
    for relative, data in addition.files.items():
        if library.hashes.get(relative, sha256(data)) != sha256(data):
            raise LibraryError(f"{library.folder}: already has another file {relative}; {_advice(relative)}")
    return bool(same_name)


def _advice(relative: str) -> str:
    return "give --name, which then names this network too" if is_network(relative) else "give another --name"


def _put_back(library: Library, addition: Addition) -> None:
    for relative, data in addition.files.items():
        if not holds(library.folder / relative, sha256(data)):
            write_atomic(library.folder / relative, data)
    restore_list(library)


def _write(folder: Path, library: Library | None, addition: Addition) -> None:
    name = addition.row.instance
    rows = (*(library.rows if library else ()), addition.row)
    hashes = dict(library.hashes) if library else {}
    hashes |= {relative: sha256(data) for relative, data in addition.files.items()}
    tables = {CATALOG: catalog_bytes(rows), INSTANCES: instance_list(rows, hashes)}
    hashes |= {relative: sha256(data) for relative, data in tables.items()}
    manifest = manifest_bytes(
        library.suite if library else IMPORTED,
        library.suite_sha256 if library else None,
        library.seeds if library else (),
        hashes,
    )
    root = os.path.realpath(folder)
    for relative in addition.files:
        check_inside(root, relative, folder / MANIFEST)
    timings = {row.instance: library.timings(row.instance) for row in library.rows} if library else {}
    write_atomic(folder / NEXT_MANIFEST, manifest)
    for relative, data in addition.files.items():
        write_atomic(folder / relative, data)
    write_atomic(folder / TIMINGS, timings_bytes({**timings, name: addition.timings}))
    write_atomic(folder / PROVENANCE, _provenance(folder, addition.source))
    for relative, data in tables.items():
        write_atomic(folder / NEXT_TABLES[relative], data)
    for relative, data in tables.items():
        if library is None or relative not in library.hashes:
            write_atomic(folder / relative, data)
    write_atomic(folder / MANIFEST, manifest)
    for relative, data in tables.items():
        write_atomic(folder / relative, data)
    _remove_aside(folder)


def _provenance(folder: Path, source: dict[str, str]) -> bytes:
    """Return provenance.json with one more import; it is not hashed, and a broken one is replaced."""
    try:
        document = parse_json(read_bytes(folder / PROVENANCE, most=STATE_LIMIT.bytes), STATE_LIMIT, LibraryError)
    except LibraryError:
        document = {}
    document = document if isinstance(document, dict) else {}
    earlier = document.get("imports")
    document["imports"] = [*(earlier if isinstance(earlier, list) else []), source]
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"


def _remove_aside(folder: Path) -> None:
    try:
        for name in (*NEXT_TABLES.values(), NEXT_MANIFEST):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise LibraryError(f"{folder}: cannot be written ({error.strerror or error})") from error


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Lock the folder, which is created if it is new, against another addition or repair. The lock leaves no file."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise LibraryError(f"{folder}: cannot be written ({error.strerror or error})") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LibraryError(f"{folder}: another import or generate is running there; wait for it") from error
        yield
    finally:
        os.close(handle)
