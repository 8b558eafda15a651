"""The link between a solver's callbacks and the listener, which keeps the rules of `Listener` for every adapter.

    vendor callback -> Relay.incumbent / Relay.dual_bound -> Listener, if better than all before
    vendor callback <- Relay.stop                         <- Listener.should_stop, or because the listener failed
    vendor result   -> Relay.result                       -> SolveResult, after the final solution and bound

A relay serves one solve.
"""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from vnnbench.solvers.base import Incumbent, Listener, SolveResult, Termination


@dataclass(frozen=True, slots=True)
class Answer:
    """A solver's final answer in its own numbers: infinite values are still infinite, and nothing is judged."""

    termination: Termination
    raw_status: str
    objective: float | None = None
    columns: array[float] | None = None
    dual_bound: float | None = None
    nodes: int | None = None
    message: str = ""


class Relay:
    """The relay of one solve: it passes on better incumbents and dual bounds, asks whether to stop, keeps the clock.

    Inside a callback it raises no exception, which a vendor would ignore or crash at: it keeps the first one, asks the
    solver to stop, and `result` raises it.

    infinity: the magnitude from which on the vendor means "infinite".
    """

    def __init__(self, listener: Listener, infinity: float = math.inf) -> None:
        self._listener = listener
        self._infinity = infinity
        self._started = time.monotonic()
        self._read_seconds = 0.0
        self._last: Incumbent | None = None
        self._dual_bound = -math.inf
        self._stopped = False
        self._failure: BaseException | None = None
        self._lock = Lock()  # solvers may call from any of their threads; the listener is called by one at a time

    def model_read(self, names: Sequence[str]) -> None:
        """Announce the columns when the model has been read. Not for callbacks: it raises what the listener raises."""
        self._read_seconds = time.monotonic() - self._started
        self._listener.on_columns(names)

    def seconds_left(self, time_limit_seconds: float) -> float:
        """Return what is left of a limit that started with the solve."""
        return max(0.0, time_limit_seconds - (time.monotonic() - self._started))

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Keep any exception for `result`; every callback of a vendor's does all of its work in this context."""
        try:
            yield
        except BaseException as error:  # KeyboardInterrupt too: Python raises it in whatever callback comes next
            if self._failure is None:
                self._failure = error

    def incumbent(self, objective: float, columns: Callable[[], Iterable[float]]) -> None:
        """Pass on a solution if its objective is better than all before; only then are its columns fetched."""
        with self._lock, self.guard():
            if self._failure is None and self._finite(objective) and self._improves(objective):
                self._deliver(Incumbent(objective, array("d", columns())))

    def dual_bound(self, value: float) -> None:
        """Pass on a dual bound if it is finite and better than all before."""
        with self._lock, self.guard():
            if self._failure is None and self._finite(value) and value > self._dual_bound:
                self._dual_bound = value
                self._listener.on_dual_bound(value)

    def stop(self) -> bool:
        """Return whether the solver has to stop: the listener wants it, or has failed."""
        with self._lock, self.guard():
            if not self._stopped and self._failure is None:
                self._stopped = bool(self._listener.should_stop())
        return self._stopped or self._failure is not None

    def result(self, answer: Answer) -> SolveResult:
        """Pass on the final solution and bound, unless they have been, and return the result.

        A final solution with other columns than the last incumbent is passed on even if its objective is not better:
        vendors polish the last solution. A solve that was asked to stop is `interrupted`, whatever the vendor says.
        After an error, the final bound does not count: it need not be a claim (HiGHS then leaves it at 0).

        Raises what the listener raised.
        """
        objective, columns = answer.objective, answer.columns
        if columns is None or not self._finite(objective):
            objective, columns = (self._last.objective, self._last.columns) if self._last else (None, None)
        dual_bound = answer.dual_bound
        if dual_bound is not None and self._finite(dual_bound) and answer.termination is not Termination.ERROR:
            self.dual_bound(dual_bound)
        else:
            dual_bound = self._dual_bound if math.isfinite(self._dual_bound) else None
        with self._lock, self.guard():
            if self._last is not None and self._last.columns == columns:
                objective = self._last.objective  # vendors sum it up once more, in another order
            elif self._failure is None and objective is not None and columns is not None:
                self._deliver(Incumbent(objective, columns))
        if self._failure is not None:
            raise self._failure
        return SolveResult(
            termination=Termination.INTERRUPTED if self._stopped else answer.termination,
            raw_status=answer.raw_status,
            primal_bound=objective,
            dual_bound=dual_bound,
            columns=columns,
            nodes=answer.nodes,
            read_seconds=self._read_seconds,
            wall_seconds=time.monotonic() - self._started,
            message=answer.message,
        )

    def _deliver(self, incumbent: Incumbent) -> None:
        self._last = incumbent
        self._listener.on_incumbent(incumbent)

    def _improves(self, objective: float) -> bool:
        return self._last is None or objective < self._last.objective

    def _finite(self, value: float | None) -> bool:
        return value is not None and abs(value) < self._infinity  # false for NaN
