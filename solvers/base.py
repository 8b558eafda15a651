"""The interface of every solver adapter: its request, its listener and its result. Standard library only.

    SolverError
    ├── UnknownSolverError     no adapter of that name: see `vnnbench solvers`
    ├── BrokenAdapterError     another package's adapter cannot be imported: mend it, update it or remove it
    ├── NotInstalledError      the solver's Python package or program is missing: install it
    ├── OptionError            the solver has no such option, or not with that value: see its manual
    ├── UnreadableModelError   the solver cannot read the file: regenerate or check the library
    └── CommandFileError       the TOML of a command-line solver is wrong (command_line/description.py): correct it

All objective values and bounds here are those of the file: minimization, offset included.
"""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Protocol, TypeAlias

OptionValue: TypeAlias = bool | int | float | str


class SolverError(Exception):
    """An error that the user can correct; the message is one line."""


class UnknownSolverError(SolverError):
    """The name is not that of an adapter."""


class BrokenAdapterError(SolverError):
    """An adapter of another package cannot be imported; the message names the package, and says why."""


class NotInstalledError(SolverError):
    """The adapter's Python package cannot be imported, or its program is not there."""


class OptionError(SolverError):
    """The solver has no such option, or the value is outside its domain."""


class UnreadableModelError(SolverError):
    """The solver could not read the model file."""


class Termination(StrEnum):
    """The solver's own account of how its solve ended. `None` in a record means that it gave none."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    INFEASIBLE_OR_UNBOUNDED = "infeasible_or_unbounded"
    BOUND_REACHED = "bound_reached"
    SOLUTION_FOUND = "solution_found"
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    NODE_LIMIT = "node_limit"
    LICENSE_LIMIT = "license_limit"
    INTERRUPTED = "interrupted"
    UNRESOLVED = "unresolved"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Licence:
    """The licence that a solver has on this machine: one line for people, and its size limits (None: no limit)."""

    text: str
    max_columns: int | None = None
    max_rows: int | None = None


@dataclass(frozen=True, slots=True)
class SolveRequest:
    """The request for one run, as an adapter receives it.

    time_limit_seconds: for reading and solving together, counted from the call of `solve`. The harness enforces the
        limit from outside, too.
    mip_gap: relative gap at which the solver may call a solution optimal; the absolute gap is 0.
    node_limit: branch-and-bound nodes, None for no limit.
    options: the solver's own option names with values as `Solver.validate_options` returned them.
    log_path: where the solver writes its own log.
    """

    model_path: Path
    log_path: Path
    time_limit_seconds: float
    threads: int = 1
    seed: int = 0
    mip_gap: float = 0.0
    node_limit: int | None = None
    options: Mapping[str, OptionValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Incumbent:
    """A feasible solution as the solver reports it: its objective in the file's sense, and one float64 per
    column in the order last announced by `Listener.on_columns`, in the original (not presolved) space."""

    objective: float
    columns: array[float]


class Listener(Protocol):
    """The receiver of what an adapter reports while it solves. One thread at a time calls it, any of the solver's."""

    def on_columns(self, names: Sequence[str]) -> None:
        """Take the names of the columns, in the order of every later `Incumbent.columns`: the model has been read."""

    def on_incumbent(self, incumbent: Incumbent) -> None:
        """Take a new incumbent, which is better than all before."""

    def on_dual_bound(self, dual_bound: float) -> None:
        """Take a dual bound (a lower bound on the objective), which is finite and better than all before."""

    def should_stop(self) -> bool:
        """Return whether the harness wants the solve to end. The call is cheap, and made often."""


@dataclass(frozen=True, slots=True)
class SolveResult:
    """The result of a solve. Infinite or absent numbers are None.

    raw_status: the vendor's own name of the status.
    primal_bound: objective of the final incumbent, as claimed; `columns` are its values.
    read_seconds, wall_seconds: reading alone; reading and solving, from the call of `solve`.
    message: the vendor's error text, when termination is ERROR or LICENSE_LIMIT.
    """

    termination: Termination
    raw_status: str
    primal_bound: float | None
    dual_bound: float | None
    columns: array[float] | None
    nodes: int | None
    read_seconds: float
    wall_seconds: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class ModelAsRead:
    """A model file as one solver understood it, in the solver's own column and row order.

    Infinite bounds are float infinities. `entries` are (row, column, coefficient), zero-based.
    tolerance: relative precision of the numbers here; 0 when they are the solver's own, bit for bit.
    """

    minimize: bool
    offset: float
    column_names: list[str]
    column_lower: list[float]
    column_upper: list[float]
    column_integer: list[bool]
    objective: list[float]
    row_names: list[str]
    row_lower: list[float]
    row_upper: list[float]
    entries: list[tuple[int, int, float]]
    tolerance: float = 0.0


class Solver(ABC):
    """An adapter of one MILP solver. Vendor packages are imported in its methods, so that the registry needs none.
    `package_solver.PackageSolver` has what adapters of Python packages share, and the recipe for a new one.

    name: the word on the command line. title: the name in tables. module: the vendor's Python package; empty if it has
        none.
    streams: it reports incumbents and dual bounds while it solves; else only the final ones, at its end.
    ranked: it is ranked; else it is shown beside the ranked solvers.
    reads_model: its solutions are values of the model's columns; else it works on the instance's data: `property.json`
        and, where the instance has its own network, `network.onnx`, in the folder of `SolveRequest.model_path`. The
        columns of its solutions are then those from which a candidate of the problem is decoded.
    proves: its dual bounds are claims like any solver's; else it has none.
    data_parts, families: what it needs of an instance if it does not read the model: these parts of the data, and a
        problem of one of these families, or of any if there are none.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    module: ClassVar[str]
    streams: ClassVar[bool] = True
    ranked: ClassVar[bool] = True
    reads_model: ClassVar[bool] = True
    proves: ClassVar[bool] = True
    data_parts: ClassVar[tuple[str, ...]] = ("network",)
    families: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def installed(cls) -> bool:
        """Return whether the vendor's package is there, whatever its licence."""
        return importlib.util.find_spec(cls.module) is not None

    @classmethod
    def needs(cls) -> str:
        """Return how to get the solver, in one line."""
        return f"pip install {cls.module}"

    @property
    def rereads(self) -> bool:
        """True if `read_model` can return what the solver has read."""
        return self.reads_model

    @abstractmethod
    def version(self) -> str:
        """Return the solver's own version, as in "1.15.1", and import all that a solve needs: runs are forked from a
        process that has called it."""

    @abstractmethod
    def licence(self) -> Licence:
        """Return the licence in force on this machine."""

    @abstractmethod
    def validate_options(self, options: Mapping[str, str]) -> dict[str, OptionValue]:
        """Return typed values of the solver's own options, given as text. Raises `OptionError` naming the option."""

    def validate_limits(self, mip_gap: float, node_limit: int | None) -> None:  # noqa: B027 - most take both
        """Check that the solver takes these; it takes 0 and None in any case. Raises `OptionError`."""

    @abstractmethod
    def read_model(self, path: Path) -> ModelAsRead:
        """Read a model file without solving it. Raises `UnreadableModelError`."""

    @abstractmethod
    def solve(self, request: SolveRequest, listener: Listener) -> SolveResult:
        """Read and solve. Errors of the vendor become terminations; only `UnreadableModelError` is raised."""
