"""The interface of suites. Generation and commands use a suite only through it, whatever its family.

A suite plans instances with every name; names go from general to special and never change (`instances/README.md`,
section "Names"). `suite_toml` reads suites from files; `network_suite` and `train_suite` are the kinds that exist.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import orjson


class PlannedInstance(Protocol):
    """One instance of a plan.

    name, problem: its name and that of its problem, which instances of several formulations share. seed: the seed of
    the catalogue.
    """

    @property
    def name(self) -> str: ...
    @property
    def problem(self) -> str: ...
    @property
    def seed(self) -> int: ...

    def files(self) -> set[str]:
        """Return all files that it may have, by relative path."""

    def trained_files(self) -> set[str]:
        """Return those of its files that training makes; all other files follow from these."""


@dataclass(frozen=True, slots=True)
class Suite(ABC):
    """A plan of instances. Subclasses are frozen dataclasses, so that a suite can be compared and written down."""

    name: str
    description: str

    @property
    @abstractmethod
    def family(self) -> str:
        """The name of its problems' family."""

    @property
    @abstractmethod
    def datasets(self) -> tuple[str, ...]:
        """The names of its data sets; none if its networks are untrained."""

    @abstractmethod
    def instances(self) -> Iterator[PlannedInstance]:
        """Yield the planned instances, in the order of the catalogue."""

    @property
    @abstractmethod
    def n_problems(self) -> int: ...

    @property
    @abstractmethod
    def n_instances(self) -> int: ...

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Return what the suite contains, for readers: lists and values by words, None for what it lacks."""

    @abstractmethod
    def meaning(self) -> dict[str, Any]:
        """Return what decides the suite's instances as a JSON object: no description, nothing of the file's layout.

        Default values are left out, so that a new option does not change the sha256 of older suites.
        """

    @property
    def sha256(self) -> str:
        """Return the sha256 of the suite's meaning."""
        return hashlib.sha256(orjson.dumps(self.meaning(), option=orjson.OPT_SORT_KEYS)).hexdigest()
