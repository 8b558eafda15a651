"""The base class of the adapters of Python packages: the frame of a solve, of reading and of checking options."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from vnnbench.solvers import vendor
from vnnbench.solvers.base import (
    Listener,
    ModelAsRead,
    OptionValue,
    Solver,
    SolveRequest,
    SolverError,
    SolveResult,
    Termination,
    UnreadableModelError,
)
from vnnbench.solvers.options import typed_options
from vnnbench.solvers.relay import Answer, Relay


class VendorError(Exception):
    """The vendor refused a call or failed. A solve ends with this termination; the message is one line.

    raw_status: the vendor's own name of the error.
    """

    def __init__(self, message: str, raw_status: str, termination: Termination = Termination.ERROR) -> None:
        super().__init__(message)
        self.raw_status = raw_status
        self.termination = termination


class PackageSolver(Solver):
    """An adapter of a Python package. A subclass translates the vendor's words; all else is done here.

    `solvers/README.md` has a whole example.

    A new adapter is one module with one class. It gives, besides `name`, `title`, `module`, `version` and `licence`:

    1. `statuses`: the `Termination` of each of the vendor's words for how a solve ends. `owned`: the options that
       cannot be set, each with what to use instead (`vnnbench.solvers.options` has the phrases).
    2. `blank`, `option_kinds` and `refusal`: an object that takes options, their types, and why one is not taken.
    3. `settings`: seed, threads, gaps and limit on nodes of a request under the vendor's names.
    4. `opened`: that object with a model, read under these settings and with this log.
    5. `minimizes`, `column_names` and `contents`: what the model is.
    6. `optimize`: set the time limit, have every callback of the vendor's call the relay, solve, and return the
       answer. A callback does its work inside `relay.guard()` and asks `relay.stop()` afterwards.

    `opened` and `optimize` raise `VendorError` for what the vendor raises, a MemoryError excepted; `opened` raises
    `UnreadableModelError` for a file that cannot be read. They print nothing: `vendor.stderr_to` redirects what the
    vendor writes to stderr from C. Enter the class in `registry.py` or, in a package of your own, under the entry point
    group `vnnbench.solvers`. The tests in tests/solvers run over every adapter.

    infinity: an objective or a dual bound of this magnitude or more is infinite. infinite_bound: the same for the
        bounds of columns and rows.
    """

    statuses: ClassVar[Mapping[str, Termination]]
    owned: ClassVar[Mapping[str, str]]
    infinity: ClassVar[float]
    infinite_bound: ClassVar[float]

    @property
    def package(self) -> Any:
        """The vendor's package, imported at the first use. Raises `NotInstalledError`."""
        return vendor.load(self)

    # -- what an adapter gives -----------------------------------------------------------------------------------

    @abstractmethod
    def blank(self) -> AbstractContextManager[Any]:
        """Make an object of the vendor's that takes options. It holds no model, needs no licence and prints nothing."""

    @abstractmethod
    def option_kinds(self, blank: Any) -> Mapping[str, type]:
        """Return the type of each of the vendor's options: bool, int, float or str."""

    @abstractmethod
    def refusal(self, blank: Any, name: str, value: OptionValue) -> str | None:
        """Set an option. Returns why the vendor does not take the value; None if it does."""

    @abstractmethod
    def settings(self, request: SolveRequest) -> Mapping[str, OptionValue | None]:
        """Return what the request asks for by the vendor's names, without its `options`, its log and its time limit.
        None leaves the vendor's default."""

    @abstractmethod
    def opened(self, path: Path, settings: Mapping[str, OptionValue], log: Path | None) -> AbstractContextManager[Any]:
        """Read a model file under these settings; the vendor's log goes to `log` (None: nowhere). At the end, close all
        files, and return a licence that others may wait for.

        Raises `UnreadableModelError` and `VendorError`.
        """

    @abstractmethod
    def minimizes(self, model: Any) -> bool:
        """Return whether the objective of an opened model is minimized."""

    @abstractmethod
    def column_names(self, model: Any) -> Sequence[str]:
        """Return the names of an opened model's columns, in the order of the solutions that `optimize` reports."""

    @abstractmethod
    def contents(self, model: Any, path: Path) -> ModelAsRead:
        """Return all of the model that was opened from `path`, in Python's own numbers; bounds from `infinite_bound` on
        may be finite. Raises `UnreadableModelError` for a model that is not linear."""

    @abstractmethod
    def optimize(self, model: Any, seconds: float, relay: Relay) -> Answer:
        """Solve an opened model within these seconds, and report to the relay meanwhile.

        Raises `VendorError`.
        """

    # -- what is done with it --------------------------------------------------------------------------------------

    def validate_options(self, options: Mapping[str, str]) -> dict[str, OptionValue]:
        with self.blank() as blank:
            kinds = self.option_kinds(blank)
            return typed_options(
                self.name,
                options,
                names=kinds.keys(),
                owned=self.owned,
                kind=kinds.__getitem__,
                refusal=lambda name, value: self.refusal(blank, name, value),
            )

    def read_model(self, path: Path) -> ModelAsRead:
        """Read a model file without solving it. Raises `UnreadableModelError`, and `SolverError` without a licence."""
        try:
            with self.opened(path, {}, None) as model:
                read = self.contents(model, path)
        except VendorError as error:
            reason = "no usable licence: " if error.termination is Termination.LICENSE_LIMIT else ""
            raise SolverError(f"{self.name}: {reason}{error}") from error
        return replace(
            read,
            column_lower=self._bounds(read.column_lower),
            column_upper=self._bounds(read.column_upper),
            row_lower=self._bounds(read.row_lower),
            row_upper=self._bounds(read.row_upper),
        )

    def _bounds(self, values: Sequence[float]) -> list[float]:
        return [math.copysign(math.inf, value) if abs(value) >= self.infinite_bound else value for value in values]

    def solve(self, request: SolveRequest, listener: Listener) -> SolveResult:
        vendor.load(self)  # before the clock starts
        relay = Relay(listener, infinity=self.infinity)
        asked = {name: value for name, value in self.settings(request).items() if value is not None}
        try:
            with self.opened(request.model_path, {**asked, **request.options}, request.log_path) as model:
                if not self.minimizes(model):
                    raise UnreadableModelError(f"{self.name}: {request.model_path} maximizes; vnnbench files minimize")
                relay.model_read(self.column_names(model))
                answer = self.optimize(model, relay.seconds_left(request.time_limit_seconds), relay)
        except MemoryError as error:
            answer = Answer(Termination.MEMORY_LIMIT, "MemoryError", message=str(error) or "out of memory")
        except VendorError as error:
            answer = Answer(error.termination, error.raw_status, message=str(error))
        return relay.result(answer)
