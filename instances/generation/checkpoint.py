"""The state that an unfinished generation keeps on disk, so that it continues after any kill.

    LIBRARY/.generation/plan.json    the suite and the versions that are used; another plan is refused
    LIBRARY/.generation/TASK.json    one `Record` per finished task, written after all its files
    LIBRARY/.generation/networks/    dense networks that no instance needs, but a finetuning stack does
    LIBRARY/.generation/lock         locked by the running process

It is removed once library.json is written.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from vnnbench.instances.errors import LibraryError
from vnnbench.instances.files import TEMPORARY_SUFFIX, parse_json, read_bytes, sha256, write_atomic
from vnnbench.instances.layout import STATE
from vnnbench.instances.library.library import lost_manifest
from vnnbench.instances.limits import STATE_LIMIT


@dataclass(frozen=True, slots=True)
class Record:
    """The result of one task.

    files: sha256 by relative path. rows: rows of the catalogue, as dictionaries. timings: by instance. networks:
    training facts by network name. scratch: like files, but not part of the library. alone: the time of one network of
    the group trained alone, by timing column. planted: answers as in the sealed file, by problem.
    """

    files: dict[str, str] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    timings: dict[str, dict[str, Any]] = field(default_factory=dict)
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    scratch: dict[str, str] = field(default_factory=dict)
    alone: dict[str, float] = field(default_factory=dict)
    planted: dict[str, dict[str, Any]] = field(default_factory=dict)

    def write(self, library: Path, relative: str, data: bytes) -> None:
        """Write a file of the library and record its sha256."""
        write_atomic(library / relative, data)
        self.files[relative] = sha256(data)

    def write_scratch(self, library: Path, relative: str, data: bytes) -> None:
        """Write a file that only later tasks read, under STATE, and record its sha256."""
        write_atomic(library / STATE / relative, data)
        self.scratch[f"{STATE}/{relative}"] = sha256(data)


def save_record(library: Path, task: str, record: Record) -> None:
    """Mark a task as finished; its files must be on disk."""
    write_atomic(library / STATE / f"{task}.json", orjson.dumps(asdict(record)))


def load_record(library: Path, task: str) -> Record | None:
    """Return the record of a finished task; None if it is missing or broken, or does not match its files."""
    path = library / STATE / f"{task}.json"
    if not path.is_file():
        return None
    try:
        record = Record(**parse_json(read_bytes(path, most=STATE_LIMIT.bytes), STATE_LIMIT, LibraryError))
        files = record.files | record.scratch
        intact = all(sha256(read_bytes(library / file)) == digest for file, digest in files.items())
    except (TypeError, AttributeError, LibraryError):
        return None
    return record if intact else None


@contextlib.contextmanager
def unfinished(library: Path, plan: dict[str, Any]) -> Iterator[None]:
    """Begin a generation in the folder, or continue the one that was stopped there, with a lock on the folder.

    A generation that fails before it finished a task leaves no files. Raises LibraryError when the folder holds
    something else or an unfinished generation by another plan, or cannot be written.
    """
    existed = library.is_dir()
    _refuse_foreign(library)
    _check_plan(library, plan)
    with _lock(library):
        try:
            write_atomic(library / STATE / "plan.json", orjson.dumps(plan, option=orjson.OPT_INDENT_2))
            for part in library.rglob(f".*{TEMPORARY_SUFFIX}"):  # left by a write that was killed
                part.unlink(missing_ok=True)
            yield
        except BaseException:
            if {path.name for path in (library / STATE).iterdir()} <= {"plan.json", "lock", "networks"}:
                _remove(library, keep_folder=existed)
            raise


def is_begun(library: Path) -> bool:
    """Return whether the folder holds a generation that was begun and not finished."""
    return (library / STATE / "plan.json").is_file()


def remove_state(library: Path) -> None:
    """Remove the state, as the last step of a generation."""
    shutil.rmtree(library / STATE, ignore_errors=True)


def _refuse_foreign(library: Path) -> None:
    if library.exists() and not library.is_dir():
        raise LibraryError(f"{library}: is a file; name a new or empty folder")
    if not library.is_dir() or is_begun(library):
        return
    if (lost := lost_manifest(library)) is not None:
        raise LibraryError(lost)
    try:
        others = [path.name for path in library.iterdir() if path.name != STATE]
    except OSError as error:
        raise LibraryError(f"{library}: cannot be read ({error.strerror})") from error
    if others:
        raise LibraryError(f"{library}: is neither empty nor a library (it holds {others[0]}); name a new folder")


def _check_plan(library: Path, plan: dict[str, Any]) -> None:
    path = library / STATE / "plan.json"
    if not path.is_file():
        return
    try:
        begun = parse_json(read_bytes(path, most=STATE_LIMIT.bytes), STATE_LIMIT, LibraryError)
    except LibraryError:
        begun = None
    if not isinstance(begun, dict):
        raise LibraryError(f"{path}: is broken; delete {library} and generate again")
    for key, value in plan.items():
        if begun.get(key) != value:
            found = f"generation with {key} {begun.get(key)!r}, not {value!r}"
            if key == "suite_sha256":  # two hashes would not help the user
                found = f"library of another version of suite {plan['suite']}"
            raise LibraryError(
                f"{library}: holds an unfinished {found}; finish that one, delete the folder or name another"
            )


@contextlib.contextmanager
def _lock(library: Path) -> Iterator[None]:
    path = library / STATE / "lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise LibraryError(f"{library}: cannot be written ({error.strerror or error})") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LibraryError(f"{library}: another generate is running there; wait for it") from error
        yield


def _remove(library: Path, *, keep_folder: bool) -> None:
    """Remove the files of a generation without any result; folders that hold other files stay."""
    with contextlib.suppress(OSError):
        shutil.rmtree(library / STATE)
        for folder in [path for path in library.iterdir() if path.is_dir()]:
            folder.rmdir()
        if not keep_folder:
            library.rmdir()
