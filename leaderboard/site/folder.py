"""The folder of a site, or of other files: written beside its place and renamed, so that it is never half written."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vnnbench.leaderboard.words import LedgerError

_MAX_MARKER_BYTES = 16 << 20
"""The most bytes of a marker: enough for 300,000 files."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of folder. noun: what errors call it. marker: the file that lists its files. made_by: the command."""

    noun: str
    marker: str
    made_by: str


SITE = Kind("site", "site.json", "vnnbench publish")


class SiteError(LedgerError):
    """The site, or another folder that is written as a whole, cannot be written."""


def check_place(out: Path, kind: Kind = SITE) -> None:
    """Check that `out` holds nothing that `write_folder` did not make as this kind. Raises `SiteError`."""
    if not os.path.lexists(out):
        return
    if out.is_symlink() or not out.is_dir():
        raise SiteError(f"{out}: is not a folder; give --out a new one")
    try:
        found = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_symlink() or not path.is_dir()}
    except OSError as error:
        raise SiteError(f"{out}: cannot be read ({error.strerror or error})") from error
    others = sorted(found - _own_files(out, kind))
    if others:
        raise SiteError(
            f"{out}: holds {others[0]}, which is not a file of the {kind.noun}; move it away or give --out a new folder"
        )


def _own_files(folder: Path, kind: Kind) -> set[str]:
    """Return the files of a folder of this kind; none where it is not one."""
    marker = folder / kind.marker
    if not marker.is_file():  # a pipe would keep its reader waiting
        return set()
    try:
        if marker.stat().st_size > _MAX_MARKER_BYTES:
            return set()
        mark = json.loads(marker.read_text(encoding="utf-8"))
        return {kind.marker, *map(str, mark["files"])} if mark["made_by"] == kind.made_by else set()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()


def write_folder(out: Path, files: Iterable[tuple[str, bytes]], kind: Kind = SITE) -> int:
    """Write these files (relative path, content) as the folder `out`, in place of a folder of its kind that is there,
    and return their number.

    They are written to a folder beside `out`, which takes its place at the end, so a failure leaves the old folder as
    it was. Raises `SiteError`: something else is there, the disk is full, or the folder cannot be written.
    """
    check_place(out, kind)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
    except OSError as error:
        raise SiteError(f"{out}: cannot be written ({error.strerror or error})") from error
    try:
        count = _write_files(beside / "new", files, kind)
        try:
            if out.exists():
                out.rename(beside / "old")
            (beside / "new").rename(out)
        except BaseException:  # a failure between the two renames must not lose the old folder
            if (beside / "old").exists() and not out.exists():
                (beside / "old").rename(out)
            raise
    except OSError as error:
        raise SiteError(f"{out}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return count


def _write_files(folder: Path, files: Iterable[tuple[str, bytes]], kind: Kind) -> int:
    folder.mkdir()
    written, parents = [], {folder}
    for relative, data in files:
        path = folder / relative
        if path.parent not in parents:
            path.parent.mkdir(parents=True, exist_ok=True)
            parents.add(path.parent)
        path.write_bytes(data)
        written.append(relative)
    mark = {"made_by": kind.made_by, "files": sorted(written)}
    (folder / kind.marker).write_text(json.dumps(mark) + "\n", encoding="utf-8")  # last
    return len(written)
