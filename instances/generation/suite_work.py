"""The interface between generation and the kinds of suites: the work that makes the instances of a suite.

`network_work` and `train_work` implement it; `generate` has the table of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from vnnbench.instances.generation.checkpoint import Record
from vnnbench.instances.generation.workers import Submit, workers
from vnnbench.instances.library.library import Library, select_names
from vnnbench.instances.suites.suite import PlannedInstance, Suite

_Task = TypeVar("_Task")
_Suite = TypeVar("_Suite", bound=Suite)
_Instance = TypeVar("_Instance", bound=PlannedInstance)


@dataclass(frozen=True, slots=True)
class GenerationOptions:
    """The options of a generation, beside its suite. Only `jobs` makes sense for every kind of suites.

    data_folder: the folder of data sets that are not in the package. networks_from: a library whose dense and finetuned
    networks replace training. key_file: its bytes decide which problems get planted answers; without it the suite does
    (`planting`). jobs: number of worker processes. device: trains the networks, "cpu" or "cuda". elsewhere: makes
    workers on other machines, which share the folder of the library that it is given; None for processes here.
    """

    data_folder: Path | None = None
    networks_from: Library | None = None
    key_file: Path | None = None
    jobs: int = 1
    device: str = "cpu"
    elsewhere: Callable[[Path], AbstractContextManager[Submit]] | None = None

    def workers(self, folder: Path) -> AbstractContextManager[Submit]:
        """Return the workers for a library in a folder, as a context manager."""
        return workers(self.jobs) if self.elsewhere is None else self.elsewhere(folder)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the plan: `work` does it, and `task` makes its argument from the records of `needs`."""

    name: str
    needs: tuple[str, ...]
    work: Callable[[Any], None]
    task: Callable[[dict[str, Record]], Any]


@dataclass(frozen=True, slots=True)
class Batches:
    """Work of one kind.

    wanted: the number of networks or instances that the selection needs. tasks: the tasks that make them, each with the
    number that it makes, which is a whole batch.
    """

    wanted: int
    tasks: tuple[tuple[str, int], ...]

    @property
    def made(self) -> int:
        """The number that is made, wanted or not."""
        return sum(n for _, n in self.tasks)


NOTHING = Batches(0, ())


@dataclass(frozen=True, slots=True)
class GenerationPlan:
    """The tasks that make the instances of a suite, including those that are finished."""

    trained: Batches
    finetuned: Batches
    instances: Batches


class SuiteWork(ABC, Generic[_Suite, _Instance]):
    """The work that makes instances of a suite, in the order of the catalogue, with some options."""

    def __init__(self, suite: _Suite, instances: list[_Instance], options: GenerationOptions) -> None:
        self.suite, self.instances, self.options = suite, instances, options

    @abstractmethod
    def plan(self) -> GenerationPlan:
        """Return the tasks in numbers."""

    @abstractmethod
    def steps(self, folder: Path) -> list[Step]:
        """Return the tasks in their order, which make the files of the library `folder`."""

    def identity(self) -> dict[str, Any]:
        """Return the facts, beside suite and selection, that must be the same for a generation to be continued.

        Raises `InputError` when what the steps need is missing.
        """
        return {}

    def copy_given(self, folder: Path) -> None:
        """Write what is taken from another library, with the records of the tasks that it replaces."""

    def planted(self, records: Sequence[Record]) -> tuple[str, dict[str, dict[str, Any]]] | None:
        """Return the key and the planted answers by problem; None if the suite plants none."""
        return None

    def check_options(self, library: Library) -> None:
        """Raise LibraryError if the complete library was made with other options."""

    @abstractmethod
    def repairing(self, names: Collection[str], whole: Library | None) -> Self:
        """Return the work for the suite's instances of these names. whole: a library whose trained files are kept."""


def as_it_is(task: _Task, _records: dict[str, Record]) -> _Task:
    """Return the task of a step that needs no other."""
    return task


def selected(instances: Iterable[_Instance], select: Sequence[str], suite: str) -> list[_Instance]:
    """Return the instances that `select` names; all without it. Raises LibraryError when it matches nothing."""
    every = list(instances)
    chosen = select_names([instance.name for instance in every], select, f"suite {suite}")
    return [instance for instance in every if instance.name in chosen]
