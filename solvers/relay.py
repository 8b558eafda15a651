"""What every adapter does between its solver's callbacks and the listener: one place for the rules of `Listener`.

    vendor callback -> Relay.incumbent / Relay.dual_bound -> Listener, if better than what was told before
    vendor callback <- Relay.stop                         <- Listener.should_stop, or because the listener failed
    vendor result   -> Relay.result                       -> SolveResult, after the last word has been passed on

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
    """A solver's final word in its own numbers: infinite values are still infinite, nothing is judged."""

    termination: Termination
    raw_status: str
    objective: float | None = None
    columns: array[float] | None = None
    dual_bound: float | None = None
    nodes: int | None = None
    message: str = ""


class Relay:
    """Passes on each better incumbent and dual bound, asks whether to stop, keeps the clock of one solve.

    No exception leaves it inside a callback, where a vendor would swallow it or crash: the first one is kept, the
    solver is told to stop, and `result` raises it.

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
        self._lock = Lock()  # solvers may call from any of their threads, the listener hears one at a time

    def model_read(self, names: Sequence[str]) -> None:
        """Reading has ended; announce the columns. Not for callbacks: what the listener raises is raised here."""
        self._read_seconds = time.monotonic() - self._started
        self._listener.on_columns(names)

    def seconds_left(self, time_limit_seconds: float) -> float:
        """What is left of a limit that started with the solve."""
        return max(0.0, time_limit_seconds - (time.monotonic() - self._started))

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Keep whatever is raised inside for `result`; every vendor callback does all of its work in here."""
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
        """Whether the solver has to stop: the listener wants it, or can no longer be told anything."""
        with self._lock, self.guard():
            if not self._stopped and self._failure is None:
                self._stopped = bool(self._listener.should_stop())
        return self._stopped or self._failure is not None

    def result(self, answer: Answer) -> SolveResult:
        """Pass on what of the final word is not yet told, and put the result together.

        A final solution with other columns than the last incumbent is passed on even if its objective is not better:
        vendors polish the last solution. A solve that was told to stop is `interrupted`, whatever the vendor calls it.

        Raises what the listener raised.
        """
        objective, columns = answer.objective, answer.columns
        if columns is None or not self._finite(objective):
            objective, columns = (self._last.objective, self._last.columns) if self._last else (None, None)
        dual_bound = answer.dual_bound if self._finite(answer.dual_bound) else None
        if dual_bound is not None:
            self.dual_bound(dual_bound)
        elif math.isfinite(self._dual_bound):
            dual_bound = self._dual_bound
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
