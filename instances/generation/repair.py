"""The repair of a complete library: files that are missing or altered are regenerated with the same bytes.

They are made in LIBRARY/.mending, as a library of the instances that have them, and are put back once the sha256 of
each is that in the manifest. If the repair is stopped at any moment, the same call continues it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from vnnbench.instances.errors import LibraryError
from vnnbench.instances.files import holds, read_bytes, remove_folder, remove_temporary, write_atomic
from vnnbench.instances.generation.checkpoint import is_begun
from vnnbench.instances.layout import (
    ASIDE,
    CATALOG,
    FOLDERS,
    INSTANCES,
    MANIFEST,
    NEXT_TABLES,
    SEALED,
    is_model,
    model_file,
)
from vnnbench.instances.library.additions import only_one
from vnnbench.instances.library.instance_list import restore_list
from vnnbench.instances.library.library import Library, read_manifest
from vnnbench.instances.suites.suite import PlannedInstance, Suite

Remake = Callable[[Collection[str], Path, Library | None], None]
"""A function that generates instances as a library: their names, its folder, and a library whose trained files it
takes, if those are whole."""


def mend(suite: Suite, folder: Path, remake: Remake) -> int:
    """Regenerate the files that the complete library in `folder` lacks or that were altered, and return their number.

    A library of another suite is left alone, and an absent sealed file counts as withheld, not as missing. Networks
    that are whole are not trained again.

    Raises LibraryError if regenerated files do not match the manifest, or if a lost file was imported; and what
    `remake` raises. Then no file is replaced.
    """
    _, suite_sha256, _, hashes = read_manifest(folder)
    if suite_sha256 != suite.sha256:
        return 0
    if not _lost(folder, hashes):
        remove_folder(folder / ASIDE)  # an earlier repair may have been killed after its last file
        return 0
    with only_one(folder):
        remove_temporary(folder, FOLDERS)
        _, _, _, hashes = read_manifest(folder)  # of another's import that has ended meanwhile
        lost = _lost(folder, hashes)
        n_lost = len(lost)
        if INSTANCES in lost and CATALOG not in lost:  # it follows from the catalogue
            restore_list(Library.open(folder))
            lost.remove(INSTANCES)
        if not lost:
            return n_lost
        planned = [instance for instance in suite.instances() if model_file(instance.name) in hashes]
        _refuse_imported(suite, folder, planned, hashes, lost)
        makers = _makers(planned, lost)
        trained = {path for instance in makers for path in instance.trained_files()}
        whole = Library.open(folder) if lost.isdisjoint({CATALOG, SEALED} | trained) else None
        names = {instance.name for instance in makers}
        _make_aside(folder, {path: hashes[path] for path in lost}, lambda: remake(names, folder / ASIDE, whole))
        for path in sorted(lost):
            write_atomic(folder / path, read_bytes(folder / ASIDE / path))
        remove_folder(folder / ASIDE)
    return n_lost


def _lost(folder: Path, hashes: dict[str, str]) -> set[str]:
    """Return the files that are missing or altered. A growing library may have tables under their next names."""
    lost = {path for path, digest in hashes.items() if not holds(folder / path, digest)}
    lost -= {path for path, aside in NEXT_TABLES.items() if path in lost and holds(folder / aside, hashes[path])}
    return lost if (folder / SEALED).exists() else lost - {SEALED}


def _make_aside(folder: Path, lost: dict[str, str], make: Callable[[], None]) -> None:
    """Regenerate all lost files in the folder `ASIDE`, with their former bytes."""
    aside = folder / ASIDE

    def otherwise() -> list[str]:
        return [path for path, digest in sorted(lost.items()) if not holds(aside / path, digest)]

    if not otherwise():
        return  # made before a kill, and perhaps already put back in part
    if (aside / MANIFEST).is_file() or not is_begun(aside):
        remove_folder(aside)  # left over, with other files
    make()
    if paths := otherwise():
        remove_folder(aside)
        raise LibraryError(
            f"{folder / paths[0]}: is missing or altered, and regenerating it gives different bytes; nothing was "
            "replaced: it was made with other --data, --networks, --key, --device, processor or versions (see "
            "provenance.json); give these, or generate into a new folder"
        )


def _refuse_imported(
    suite: Suite, folder: Path, planned: list[PlannedInstance], hashes: dict[str, str], lost: set[str]
) -> None:
    """Raise LibraryError if a file is lost that the suite does not make."""
    own = {path for instance in planned for path in instance.files()}
    if CATALOG in lost and any(is_model(path) for path in hashes.keys() - own):
        raise LibraryError(
            f"{folder / CATALOG}: is missing or altered, and cannot be regenerated, because it lists imported "
            "instances too; restore it from a copy, or generate and import into a new folder"
        )
    if imported := sorted(lost - own - {*NEXT_TABLES, SEALED}):
        raise LibraryError(
            f"{folder / imported[0]}: is missing or altered, and is not a file of suite {suite.name}; import it again"
        )


def _makers(planned: list[PlannedInstance], lost: Iterable[str]) -> list[PlannedInstance]:
    """Return instances whose files include all lost files; all instances if a lost file is about all of them."""
    lost = set(lost)
    if not lost.isdisjoint({CATALOG, SEALED}):
        return planned
    makers = []
    for instance in planned:
        if not lost.isdisjoint(instance.files()):
            makers.append(instance)
            lost -= instance.files()
    return makers
