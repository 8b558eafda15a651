"""The folder of a site: written beside its place and renamed, so that a site is never seen half written."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from vnnbench.leaderboard.words import LedgerError

MARKER = "site.json"
_MADE_BY = "vnnbench publish"
_MAX_MARKER_BYTES = 16 << 20
"""The most bytes of the marker, which lists the files of the site: enough for 300,000 of them."""


class SiteError(LedgerError):
    """The site cannot be written."""


def check_place(out: Path) -> None:
    """Check that `out` holds nothing that `write_site` did not make. Raises `SiteError`."""
    if not os.path.lexists(out):
        return
    if out.is_symlink() or not out.is_dir():
        raise SiteError(f"{out}: is not a folder; give --out a new one")
    try:
        found = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_symlink() or not path.is_dir()}
    except OSError as error:
        raise SiteError(f"{out}: cannot be read ({error.strerror or error})") from error
    others = sorted(found - _files_of_site(out))
    if others:
        raise SiteError(
            f"{out}: holds {others[0]}, which is not a file of the site; move it away or give --out a new folder"
        )


def _files_of_site(folder: Path) -> set[str]:
    """Return the files of the site in a folder; none where it has no site."""
    if not (folder / MARKER).is_file():  # a pipe would keep its reader waiting
        return set()
    try:
        if (folder / MARKER).stat().st_size > _MAX_MARKER_BYTES:
            return set()
        mark = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        return {MARKER, *map(str, mark["files"])} if mark["made_by"] == _MADE_BY else set()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()


def write_site(out: Path, files: Iterable[tuple[str, bytes]]) -> int:
    """Write these files (relative path, content) as the folder `out`, in place of a site that is there, and return
    their number.

    They are written to a folder beside `out`, which takes its place at the end, so a failure leaves the old site as it
    was. Raises `SiteError`: something else is there, the disk is full, or the folder cannot be written.
    """
    check_place(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
    except OSError as error:
        raise SiteError(f"{out}: cannot be written ({error.strerror or error})") from error
    try:
        count = _write_files(beside / "new", files)
        try:
            if out.exists():
                out.rename(beside / "old")
            (beside / "new").rename(out)
        except BaseException:  # a failure between the two renames must not lose the old site
            if (beside / "old").exists() and not out.exists():
                (beside / "old").rename(out)
            raise
    except OSError as error:
        raise SiteError(f"{out}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return count


def _write_files(folder: Path, files: Iterable[tuple[str, bytes]]) -> int:
    folder.mkdir()
    written, parents = [], {folder}
    for relative, data in files:
        path = folder / relative
        if path.parent not in parents:
            path.parent.mkdir(parents=True, exist_ok=True)
            parents.add(path.parent)
        path.write_bytes(data)
        written.append(relative)
    mark = {"made_by": _MADE_BY, "files": sorted(written)}
    (folder / MARKER).write_text(json.dumps(mark) + "\n", encoding="utf-8")  # last
    return len(written)
