"""The library on disk: its manifest and the files that it lists, whose contents are not trusted.

`instances/README.md`, section "A library on disk", describes all files; `catalog` reads the tables.

library.json   {"format": 1, "suite": name, "suite_sha256": ..., "seeds": [...],
                   "files": {relative path: sha256}}, written last
catalog.csv    one `CatalogRow` per instance
timings.csv    the time that each instance took to make; not hashed, because it differs from run to run
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import orjson

from vnnbench.common.numbers import MAX_INTEGER
from vnnbench.instances.errors import LibraryError, ModelError
from vnnbench.instances.families import read_problem
from vnnbench.instances.families.base import Problem
from vnnbench.instances.files import open_plain, parse_json, read_bytes, sha256
from vnnbench.instances.formulations.mps import uncompressed
from vnnbench.instances.layout import (
    CATALOG,
    MANIFEST,
    NEXT_MANIFEST,
    NEXT_TABLES,
    STATE,
    TIMINGS,
    most_bytes,
    picture_file,
)
from vnnbench.instances.library.catalog import TIMING_COLUMNS, CatalogRow, parse_catalog, parse_timings
from vnnbench.instances.limits import MANIFEST_LIMIT, MAX_CATALOG_BYTES, MAX_LIST_BYTES

FORMAT = 1
_MANIFEST_ADVICE = "restore it from a copy, or delete the folder and make the library again"
_LEDGER = "ledger.sqlite"  # marks a results folder, which users may name by mistake


def instance_sha256(model_text: bytes, data: Mapping[str, bytes], prop: bytes) -> str:
    """Return the identity of an instance: sha256 over the sha256 of its parts, each under its name.

    model_text: the uncompressed model, so that the identity does not depend on the compression. data: the contents of
    the family's `data_files`, in their order.
    """
    digest = hashlib.sha256(b"vnnbench instance 1\n")
    for part, content in {"model": model_text, **data, "property": prop}.items():
        digest.update(f"{part} {sha256(content)}\n".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Library:
    """A complete library, open for reading; `rows` in file order, `hashes` by relative path.

    Opening checks the manifest, the catalogue and that no path leaves the folder; `read_verified`, `verify_row`
    and `checks.check_files` check what the files hold.
    """

    folder: Path
    suite: str
    seeds: tuple[int, ...]
    rows: tuple[CatalogRow, ...]
    hashes: dict[str, str]
    suite_sha256: str | None
    """`Suite.sha256`, None when the instances are imported."""

    @classmethod
    def open(cls, folder: Path) -> Library:
        """Read manifest and catalogue. Raises LibraryError, one line that names the file."""
        if not folder.is_dir():
            raise LibraryError(f"{folder}: no such library; make one with `vnnbench generate SUITE --out {folder}`")
        if not (folder / MANIFEST).is_file():
            raise _no_manifest(folder)
        suite, suite_sha256, seeds, hashes = read_manifest(folder)
        library = cls(folder, suite, seeds, (), hashes, suite_sha256)
        rows = tuple(parse_catalog(library.read_verified(CATALOG), folder / CATALOG))
        library = cls(folder, suite, seeds, rows, hashes, suite_sha256)
        if len(library._index) != len(rows):
            raise LibraryError(f"{folder / CATALOG}: lists an instance twice; generate the library again")
        for row in rows:
            for path in (row.model, row.property, *row.data_files().values()):
                if path not in hashes:
                    raise LibraryError(f"{folder / MANIFEST}: lacks {path!r}, a file of instance {row.instance}")
        return library

    @cached_property
    def _index(self) -> dict[str, CatalogRow]:
        return {row.instance: row for row in self.rows}

    @cached_property
    def _problems(self) -> dict[str, list[CatalogRow]]:
        found: dict[str, list[CatalogRow]] = {}
        for row in self.rows:
            found.setdefault(row.problem, []).append(row)
        return found

    @cached_property
    def _timings(self) -> dict[str, dict[str, float | int | None]]:
        path = self.folder / TIMINGS
        return parse_timings(read_bytes(path, most=MAX_CATALOG_BYTES), path) if path.is_file() else {}

    def select(self, globs: Sequence[str]) -> tuple[CatalogRow, ...]:
        """Return the rows whose names match any of the globs, in file order; all rows without globs.

        "@FILE" stands for the names and globs in FILE, one per line. Raises LibraryError when one matches nothing.
        """
        chosen = select_names([row.instance for row in self.rows], globs, str(self.folder))
        return tuple(row for row in self.rows if row.instance in chosen)

    def rows_of(self, digests: Container[str]) -> list[CatalogRow]:
        """Return the rows of the instances with these sha256, in file order."""
        return [row for row in self.rows if row.instance_sha256 in digests]

    def row(self, instance: str) -> CatalogRow:
        """Return the row of an instance by name. Raises LibraryError, which suggests close names."""
        try:
            return self._index[instance]
        except KeyError:
            raise self._unknown("instance", instance, self._index, "all") from None

    def problem_rows(self, problem: str) -> list[CatalogRow]:
        """Return the rows of a problem's instances, at least one.

        Raises LibraryError: there is none, or they are not all about one property of one dense network.
        """
        try:
            rows = self._problems[problem]
        except KeyError:
            raise self._unknown("problem", problem, self._problems, "all instances") from None
        if len({(row.property, row.data_files().get("dense_network")) for row in rows}) > 1:
            raise LibraryError(f"{self.folder / CATALOG}: problem {problem} is about several networks or properties")
        return rows

    def _unknown(self, kind: str, name: str, known: Iterable[str], printed: str) -> LibraryError:
        close = get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}?" if close else f"`vnnbench show LIBRARY --list` prints {printed}"
        return LibraryError(f"{self.folder}: has no {kind} {name!r}; {hint}")

    def model_path(self, row: CatalogRow) -> Path:
        return self._path(row.model)

    def network_path(self, row: CatalogRow) -> Path:
        """Return the path of the instance's own network. Raises LibraryError if its family does not have one."""
        return self._data_path(row, "network")

    def dense_network_path(self, row: CatalogRow) -> Path:
        """Return the path of the problem's dense network. Raises LibraryError if its family does not have one."""
        return self._data_path(row, "dense_network")

    def property_path(self, row: CatalogRow) -> Path:
        return self._path(row.property)

    def read_data(self, row: CatalogRow) -> dict[str, bytes]:
        """Return the contents of the row's `data_files`, checked against the manifest. Raises LibraryError."""
        return {part: self.read_verified(relative) for part, relative in row.data_files().items()}

    def read_problem(self, row: CatalogRow) -> Problem:
        """Return the instance's problem, from its file checked against the manifest. Raises `InputError`."""
        self.read_verified(row.property)
        problem = read_problem(self.property_path(row))
        if problem.family != row.family:
            raise LibraryError(
                f"{self.folder / CATALOG}: family of {row.instance} is {row.family}, but {problem.family} by its files"
            )
        return problem

    def contents(self, row: CatalogRow) -> dict[str, str | None]:
        """Return the sha256 of the instance's property and networks, from the manifest.

        A network of a family without networks is None.
        """
        data = {part: self.hashes[relative] for part, relative in row.data_files().items()}
        return {
            "property_sha256": self.hashes[row.property],
            "network_sha256": data.get("network"),
            "dense_sha256": data.get("dense_network"),
        }

    def picture_path(self, row: CatalogRow) -> Path | None:
        """Return the path of the picture of the clean input; None if the problem has none."""
        relative = picture_file(row.problem)
        return self._path(relative) if relative in self.hashes else None

    def read_verified(self, relative: str) -> bytes:
        """Return the bytes of a file of the library, checked against the manifest. Raises LibraryError."""
        path = self._path(relative)
        data = read_bytes(path, self.advice(relative), most_bytes(relative))
        aside = NEXT_TABLES.get(relative)
        if aside and sha256(data) != self.hashes[relative] and (self.folder / aside).is_file():
            # An addition was stopped after it wrote the manifest.
            data = read_bytes(self.folder / aside, most=MAX_CATALOG_BYTES)
        if sha256(data) != self.hashes.get(relative):
            raise LibraryError(f"{path}: is not the file that {MANIFEST} knows (sha256); {self.advice(relative)}")
        return data

    def verify_row(self, row: CatalogRow) -> None:
        """Check the files of one instance against the manifest, and its identity. Raises LibraryError."""
        self.read_verified(row.model)
        try:
            text = uncompressed(self.model_path(row))
        except ModelError as error:
            raise LibraryError(str(error)) from error
        if instance_sha256(text, self.read_data(row), self.read_verified(row.property)) != row.instance_sha256:
            raise LibraryError(f"{self.folder / CATALOG}: instance_sha256 of {row.instance} is not that of its files")

    def timings(self, instance: str) -> dict[str, float | int | None]:
        """Return the TIMING_COLUMNS of an instance; all are None if timings.csv lacks it."""
        return self._timings.get(instance, dict.fromkeys(TIMING_COLUMNS))

    def _data_path(self, row: CatalogRow, part: str) -> Path:
        files = row.data_files()
        if part not in files:
            kind = part.replace("_", " ")
            raise LibraryError(f"{self.folder}: {row.instance}, of family {row.family}, has no {kind}")
        return self._path(files[part])

    def _path(self, relative: str) -> Path:
        """Return the path of a file of the manifest; `read_manifest` has checked that none leaves the folder."""
        if relative not in self.hashes:
            raise LibraryError(f"{self.folder / MANIFEST}: does not list {relative!r}")
        return self.folder / relative

    def advice(self, relative: str) -> str:
        """Return what to do if a file of the library is missing or altered, as a phrase."""
        if self.suite_sha256 is not None:
            return "generate the library again"
        return "import its instances into a new folder" if relative == CATALOG else "import it again"


def select_names(names: Iterable[str], globs: Sequence[str], source: str) -> set[str]:
    """Return the names that match any of the globs; all names without globs.

    "@FILE" stands for the globs in FILE, one per line, except lines that begin with #.
    Case-sensitive. Raises LibraryError for a glob that matches nothing and for an unreadable FILE; `source` is
    the origin of the names in errors.
    """
    names = list(names)
    if not globs:
        return set(names)
    chosen: set[str] = set()
    known = set(names)
    for glob in _expand(globs):
        matches = {glob} if glob in known else {name for name in names if fnmatchcase(name, glob)}
        if not matches:
            first = f", such as {names[0]}" if names else ""
            raise LibraryError(f"--select {glob!r} matches no instance of {source}{first}")
        chosen |= matches
    return chosen


def manifest_bytes(suite: str, suite_sha256: str | None, seeds: Sequence[int], files: dict[str, str]) -> bytes:
    """Return the bytes of library.json; the same files give the same bytes."""
    document = {
        "format": FORMAT,
        "suite": suite,
        "suite_sha256": suite_sha256,
        "seeds": list(seeds),
        "files": dict(sorted(files.items())),
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"


# -- reading ----------------------------------------------------------------------------------------------------


def _no_list(message: str) -> LibraryError:
    return LibraryError(f"--select @{message}; name a file with one instance per line")


def _expand(globs: Sequence[str]) -> Iterable[str]:
    for glob in globs:
        if not glob.startswith("@"):
            yield glob
            continue
        try:
            with open_plain(Path(glob[1:]), _no_list, or_pipe=True) as file:
                data = file.read(MAX_LIST_BYTES + 1)
            if len(data) > MAX_LIST_BYTES:
                raise _no_list(f"{glob[1:]}: holds more than {MAX_LIST_BYTES} bytes, the most that is read")
            lines = data.decode("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise _no_list(
                f"{glob[1:]}: cannot be read ({getattr(error, 'strerror', None) or 'not a text'})"
            ) from error
        wanted = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        if not wanted:
            raise _no_list(f"{glob[1:]}: does not name an instance")
        yield from wanted


def lost_manifest(folder: Path) -> str | None:
    """Return the error message for a folder that was a complete library until it lost its manifest, or None."""
    if not (folder / CATALOG).is_file() or (folder / STATE).exists() or (folder / NEXT_MANIFEST).exists():
        return None
    return f"{folder}: is a library whose {MANIFEST} was lost; {_MANIFEST_ADVICE}"


def _no_manifest(folder: Path) -> LibraryError:
    if (folder / _LEDGER).is_file():
        return LibraryError(f"{folder}: is a results folder, not a library; name the library that was run")
    return LibraryError(
        lost_manifest(folder)
        or f"{folder}: has no {MANIFEST}, so it is not a complete library; run the same generate or import again"
    )


def read_manifest(folder: Path) -> tuple[str, str | None, tuple[int, ...], dict[str, str]]:
    """Return the suite, its sha256, the seeds, and the files' sha256 by relative path.

    No path leads out of the folder. Raises LibraryError.
    """
    path = folder / MANIFEST

    def broken(what: str) -> LibraryError:
        return LibraryError(f"{path}: {what}; {_MANIFEST_ADVICE}")

    document: Any = parse_json(read_bytes(path, _MANIFEST_ADVICE, MANIFEST_LIMIT.bytes), MANIFEST_LIMIT, broken)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise LibraryError(f"{path}: is not a manifest of format {FORMAT}; use the version of vnnbench that made it")
    suite, suite_sha256, seeds, hashes = (document.get(key) for key in ("suite", "suite_sha256", "seeds", "files"))
    if not isinstance(suite, str) or not isinstance(suite_sha256, str | None):
        raise LibraryError(f"{path}: suite and suite_sha256 must be texts")
    if not isinstance(seeds, list) or not all(type(seed) is int and 0 <= seed <= MAX_INTEGER for seed in seeds):
        raise LibraryError(f"{path}: seeds must be a list of integers from 0 to {MAX_INTEGER}")
    if not isinstance(hashes, dict) or CATALOG not in hashes:
        raise LibraryError(f"{path}: files must map relative paths to sha256, and hold {CATALOG}")
    check_hashes(folder, hashes, path)
    return suite, suite_sha256, tuple(seeds), hashes


def check_hashes(folder: Path, hashes: Mapping[str, object], manifest: Path) -> None:
    """Check that a manifest maps paths inside the folder to the sha256 of files. Raises LibraryError."""
    root = os.path.realpath(folder)
    for relative, digest in hashes.items():
        if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise LibraryError(f"{manifest}: the sha256 of {relative!r} is not 64 hexadecimal digits")
        check_inside(root, relative, manifest)


def check_inside(root: str, relative: str, manifest: Path) -> None:
    """Check that a path of the manifest is relative and plain, and that no link leads it out of the folder `root`.

    `root` is a real path. Raises LibraryError.
    """
    parts = PurePosixPath(relative).parts
    plain = bool(parts) and "\0" not in relative and "/".join(parts) == relative and ".." not in parts
    if not plain or relative.startswith("/"):
        raise LibraryError(f"{manifest}: {relative!r} is not a plain path inside the library")
    if not os.path.realpath(os.path.join(root, relative)).startswith(root + os.sep):  # noqa: PTH118 (fast)
        raise LibraryError(f"{manifest}: {relative!r} leads out of the library through a link; remove the link")
