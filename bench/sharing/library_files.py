"""The libraries that a published site holds: whole folders, except what is secret, with every file checked.

libraries/NAME/       library.json, and every file that it lists except the sealed one; proven answers with their proofs
downloads/NAME.txt    the relative paths of these, one per line

So each folder is a library that may be given away. A file that no manifest lists is not copied, because it cannot be
checked; every proof is checked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from urllib.parse import quote

from vnnbench.instances.errors import LibraryError
from vnnbench.instances.layout import MANIFEST, PROOFS_MANIFEST, SEALED, proof_file, vnnlib_file
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.library import Library, manifest_bytes
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.instances.library.proof_checks import check_answer
from vnnbench.instances.library.proven_answers import AnswerTable, ProvenProblem, proofs_manifest_bytes
from vnnbench.instances.progress import Progress
from vnnbench.leaderboard.file_names import file_names
from vnnbench.leaderboard.site.evidence import InstanceFile, LibraryCopy

_FOLDER, _LISTS = "libraries", "downloads"


@dataclass(frozen=True, slots=True)
class SharedLibrary:
    """A library with its proven answers, and the name of its folder in the site."""

    library: Library
    name: str
    answers: AnswerTable

    def paths(self) -> list[str]:
        """Return the relative paths of the files that are copied."""
        proofs = [PROOFS_MANIFEST, *sorted(self.answers.hashes)] if self.answers.hashes else []
        return [MANIFEST, *sorted(self.library.hashes.keys() - {SEALED}), *proofs]

    def link(self, relative: str) -> str:
        """Return the address of a copied file, seen from the root of the site."""
        return quote(f"{_FOLDER}/{self.name}/{relative}")

    def files(self, progress: Progress) -> Iterator[tuple[str, bytes]]:
        """Yield each file with its path in the site. Raises LibraryError: one is missing or altered, or the checker
        rejects a proof.

        progress: a step for each of `paths`."""
        paths = self.paths()
        proofs = {proven.proof: proven for proven in self.answers.problems.values()}
        for relative in paths:
            if relative in proofs:
                self._refuse_what_is_not_shown(proofs[relative])
            yield f"{_FOLDER}/{self.name}/{relative}", self._read(relative)
            progress.advance(relative)
        yield f"{_LISTS}/{self.name}.txt", "".join(f"{relative}\n" for relative in paths).encode()

    def describe(self) -> LibraryCopy:
        """Return what the site says of it. Raises LibraryError: a file is missing."""
        paths = self.paths()
        n_bytes = sum(self.size(relative) for relative in paths)
        return LibraryCopy(self.name, len(self.library.rows), len(paths), n_bytes)

    def _read(self, relative: str) -> bytes:
        """Return the bytes of a file, checked against its manifest. The manifests are as they were read when library
        and answers were opened: the files may have changed since."""
        if relative == MANIFEST:
            return _manifest(self.library)
        if relative == PROOFS_MANIFEST:
            return proofs_manifest_bytes(self.answers.hashes)
        return (self.answers.read if relative in self.answers.hashes else self.library.read_verified)(relative)

    def size(self, relative: str) -> int:
        """Return the size of a copied file in bytes. Raises LibraryError: it is missing."""
        of_answers = relative == PROOFS_MANIFEST or relative in self.answers.hashes
        return len(self._read(relative)) if of_answers else _size(self.library, relative)

    def _refuse_what_is_not_shown(self, proven: ProvenProblem) -> None:
        for finding in check_answer(self.library, self.answers, proven):
            raise LibraryError(f"{self.library.folder / finding.where}: {finding.what}")


def shared_libraries(library_set: LibrarySet, instances: Iterable[str]) -> tuple[SharedLibrary, ...]:
    """Return the libraries that have one of these instances, given by their sha256, each with a name of its own.

    Raises LibraryError: the table of a library's proven answers is broken.
    """
    places = map(library_set.find, instances)
    used = {place[0].folder: place[0] for place in places if place is not None}
    folders = dict.fromkeys(library.folder for library in library_set.libraries)
    libraries = [used[folder] for folder in folders if folder in used]
    names = _different([library.folder.resolve().name for library in libraries])
    safe = file_names(names)
    return tuple(
        SharedLibrary(library, safe[name], AnswerTable.open(library.folder))
        for library, name in zip(libraries, names, strict=True)
    )


def _different(names: Sequence[str]) -> list[str]:
    """Return the names, each that was there before with a number behind it."""
    found: list[str] = []
    for name in names:
        numbered = (f"{name}-{number}" for number in count(2))
        found.append(name if name not in found else next(other for other in numbered if other not in {*found, *names}))
    return found


def instance_files(library: Library, row: CatalogRow, shared: SharedLibrary | None) -> tuple[InstanceFile, ...]:
    """Return the files of an instance: its model, its networks, its property; of a shared one the
    proof too. shared: the copy of the library, if the
    site holds one. Raises LibraryError: a file of that is missing."""
    kinds = {row.model: "model, MPS"}
    for part, relative in row.data_files().items():
        kinds.setdefault(relative, part.replace("_", " ") + (", ONNX" if relative.endswith(".onnx") else ""))
    kinds[row.property] = "property, JSON"
    if (vnnlib := vnnlib_file(row.property)) in library.hashes:
        kinds[vnnlib] = "property, VNN-LIB"
    if shared is None:
        return tuple(InstanceFile(kind, relative) for relative, kind in kinds.items())
    if row.problem in shared.answers.problems:
        kinds[proof_file(row.problem)] = "proof of the answer"
    return tuple(
        InstanceFile(kind, relative, shared.link(relative), shared.size(relative)) for relative, kind in kinds.items()
    )


def _manifest(library: Library) -> bytes:
    """Return the manifest as it was read when the library was opened: the file may have changed since."""
    return manifest_bytes(library.suite, library.suite_sha256, library.seeds, library.hashes)


def _size(library: Library, relative: str) -> int:
    if relative == MANIFEST:
        return len(_manifest(library))
    path = library.folder / relative
    try:
        return path.stat().st_size
    except OSError as error:
        raise LibraryError(f"{path}: cannot be read ({error.strerror}); {library.advice(relative)}") from error
