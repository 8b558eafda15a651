"""The environment of a head, which each worker must have before its first run: versions and the library."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from vnnbench.errors import ResultsError
from vnnbench.instances.files import read_bytes, sha256
from vnnbench.instances.layout import MANIFEST
from vnnbench.instances.library.library import Library
from vnnbench.isolation.machine import package_versions


@dataclass(frozen=True, slots=True)
class Environment:
    """What can change a result: the versions of Python and of packages by name, and for runs the sha256 of the
    library's manifest."""

    facts: Mapping[str, str]

    @classmethod
    def here(cls, library: Library | None = None) -> Self:
        """Return the environment of this process, for runs with their library. Raises `LibraryError`."""
        facts = {"Python": platform.python_version(), **package_versions()}
        if library is not None:
            facts["the library's manifest"] = sha256(read_bytes(library.folder / MANIFEST))
        return cls(facts)

    @classmethod
    def of(cls, document: object, source: str) -> Self:
        """Return the environment of a `document`. Raises `ResultsError`."""
        if not isinstance(document, dict) or not all(isinstance(value, str) for value in document.values()):
            raise ResultsError(f"{source}: does not describe an environment")
        return cls(document)

    @property
    def document(self) -> dict[str, str]:
        """The facts as JSON."""
        return dict(self.facts)

    def mismatch(self, expected: Environment) -> str | None:
        """Return the first fact that is not the expected one, in words; None where all are."""
        for name in {**expected.facts, **self.facts}:
            here, there = self.facts.get(name, "missing"), expected.facts.get(name, "missing")
            if here != there:
                return f"{name} is {here[:16]} here and {there[:16]} where the work was planned"
        return None
