"""What every solver adapter is given, reports and returns. Standard library only.

    SolverError
    ├── UnknownSolverError     no adapter of that name: see `vnnbench solvers`
    ├── OutdatedAdapterError   another package's adapter is for an older vnnbench: install a newer one, or remove it
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
    """Something the user can mend; the message is one line."""


class UnknownSolverError(SolverError):
    """There is no adapter of that name."""


class OutdatedAdapterError(SolverError):
    """An adapter of another package imports names that an older vnnbench had."""


class NotInstalledError(SolverError):
    """The adapter's Python package cannot be imported, or its program is not there."""


class OptionError(SolverError):
    """The solver has no such option, or the value is outside its domain."""


class UnreadableModelError(SolverError):
    """The solver could not read the model file."""


class Termination(StrEnum):
    """What the solver said when it stopped. `None` in a record means that it said nothing."""

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
    """The licence a solver runs under here: one line for people, and its size limits (None: no limit)."""

    text: str
    max_columns: int | None = None
    max_rows: int | None = None


@dataclass(frozen=True, slots=True)
class SolveRequest:
    """One run, as the adapter sees it.

    time_limit_seconds: for reading and solving together, counted from the call of `solve`. A hint: the harness
        enforces the limit from outside.
    mip_gap: relative gap at which the solver may call a solution optimal; the absolute gap is then 0 likewise.
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
    """What an adapter tells while it solves. Calls may come from any thread of the solver, one at a time."""

    def on_columns(self, names: Sequence[str]) -> None:
        """The model is read; these are its column names in the order of every later `Incumbent.columns`."""

    def on_incumbent(self, incumbent: Incumbent) -> None:
        """A new incumbent, better than those before."""

    def on_dual_bound(self, dual_bound: float) -> None:
        """A dual bound (a lower bound on the objective) that is better than those before; always finite."""

    def should_stop(self) -> bool:
        """True once the harness wants the solve ended; asked often, and cheap."""


@dataclass(frozen=True, slots=True)
class SolveResult:
    """The solver's final word. Infinite or absent numbers are None.

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
    """One MILP solver. Vendor packages are imported inside the methods, so that the registry needs none.
    `package_solver.PackageSolver` has what adapters of Python packages share, and the recipe for a new one.

    name: the word on the command line. title: the name in tables. module: the vendor's Python package, empty where
    there is none. streams: incumbents and dual bounds come while it solves; else only the final ones, at the end.
    ranked: it competes with the other solvers; else it is shown beside them. reads_model: it is given the MILP, and its
    solutions are columns of that; else it is given network and property, as `network.onnx` and `property.json` in the
    folder of `SolveRequest.model_path`, and its solutions are candidates.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    module: ClassVar[str]
    streams: ClassVar[bool] = True
    ranked: ClassVar[bool] = True
    reads_model: ClassVar[bool] = True

    @classmethod
    def installed(cls) -> bool:
        """Whether the vendor's package is there; says nothing about a licence."""
        return importlib.util.find_spec(cls.module) is not None

    @classmethod
    def needs(cls) -> str:
        """How to get it, in one line."""
        return f"pip install {cls.module}"

    @property
    def rereads(self) -> bool:
        """Whether it can tell what it has read (`read_model`)."""
        return self.reads_model

    @abstractmethod
    def version(self) -> str:
        """The solver's own version, as in "1.15.1"."""

    @abstractmethod
    def licence(self) -> Licence:
        """The licence in force on this machine."""

    @abstractmethod
    def validate_options(self, options: Mapping[str, str]) -> dict[str, OptionValue]:
        """Typed values of the solver's own options, given as text. Raises `OptionError` naming the option."""

    def validate_limits(self, mip_gap: float, node_limit: int | None) -> None:  # noqa: B027 - most take both
        """Raises `OptionError` when the solver cannot be given one of these; None and 0 are always taken."""

    @abstractmethod
    def read_model(self, path: Path) -> ModelAsRead:
        """Read a model file without solving it. Raises `UnreadableModelError`."""

    @abstractmethod
    def solve(self, request: SolveRequest, listener: Listener) -> SolveResult:
        """Read and solve; vendor errors become terminations, never exceptions, except `UnreadableModelError`."""
