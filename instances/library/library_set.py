"""A set of libraries in which instances are found by their sha256: one name may stand for other instances in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vnnbench.instances.errors import LibraryError
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.library import Library

Place = tuple[Library, CatalogRow]
"""The place of an instance: a library, and the row of its catalogue."""


@dataclass(frozen=True)
class LibrarySet:
    """Open libraries, in the order in which they are searched."""

    libraries: tuple[Library, ...]

    @classmethod
    def open(cls, folders: Sequence[Path]) -> LibrarySet:
        """Open the libraries of these folders. Raises LibraryError, as `Library.open` does."""
        return cls(tuple(Library.open(folder) for folder in folders))

    @cached_property
    def _places(self) -> dict[str, list[Place]]:
        found: dict[str, list[Place]] = {}
        for library in self.libraries:
            for row in library.rows:
                found.setdefault(row.instance_sha256, []).append((library, row))
        return found

    def find(self, digest: str, name: str = "") -> Place | None:
        """Return the place of the instance with this sha256; None if it is in none of the libraries.

        Of several places it is the first where the instance is called `name`, else the first.
        """
        places = self._places.get(digest, [])
        return next((place for place in places if place[1].instance == name), places[0] if places else None)

    def verified(self, instances: Mapping[str, str], source: Path) -> dict[str, Place]:
        """Return the places of instances by sha256, after checking their files.

        instances: names by sha256, as `source` has them. Raises LibraryError: an instance is in none of the libraries,
        or the sha256 of one of its files is not that in its manifest.
        """
        found = {}
        for digest, name in instances.items():
            place = self.find(digest, name)
            if place is None:
                raise LibraryError(f"{source}: has runs on {self._missing(digest, name)}")
            found[digest] = place
        for library, row in found.values():
            library.verify_row(row)
        return found

    def _missing(self, digest: str, name: str) -> str:
        name = name[:255]
        others = [str(one.folder) for one in self.libraries if any(row.instance == name for row in one.rows)]
        other = f"; the {name} of {' or '.join(others)} is another" if others else ""
        folders = [str(library.folder) for library in self.libraries]
        lacking = f"none of {', '.join(folders)} has" if len(folders) > 1 else f"{folders[0]} does not have"
        return (
            f"{name} (hash {digest[:12]}), which {lacking}{other}; name every library that the runs were on, for "
            "--library can be repeated"
        )
