"""The common base of the references, which read data and have numbers as options."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from vnnbench.solvers.base import (
    Listener,
    ModelAsRead,
    OptionError,
    OptionValue,
    Solver,
    SolveRequest,
    Termination,
    UnreadableModelError,
)
from vnnbench.solvers.options import typed_options

MOST = 10**9
"""The largest value of any option. Larger steps would be nothing but rounding errors, and more restarts never end."""


class Reference(Solver):
    """A method that is shown beside the solvers: a heuristic without a bound, unless it says that it `proves`.

    defaults: the values of its options, which are positive numbers.
    """

    ranked: ClassVar[bool] = False
    proves: ClassVar[bool] = False
    reads_model: ClassVar[bool] = False
    defaults: ClassVar[Mapping[str, int | float]]

    def validate_options(self, options: Mapping[str, str]) -> dict[str, OptionValue]:
        return typed_options(
            self.name,
            options,
            names=self.defaults,
            owned={},
            kind=lambda name: type(self.defaults[name]),
            refusal=_refusal,
        )

    def validate_limits(self, mip_gap: float, node_limit: int | None) -> None:
        if mip_gap or node_limit is not None:
            raise OptionError(f"{self.name}: not a MILP solver; leave out mip_gap and node_limit")

    def read_model(self, path: Path) -> ModelAsRead:
        raise UnreadableModelError(f"{path}: {self.name} reads the instance's data, not the model")

    def options_of(self, request: SolveRequest) -> dict[str, float]:
        """Return the options of a run, with defaults."""
        return {name: float(request.options.get(name, default)) for name, default in self.defaults.items()}


def _refusal(name: str, value: OptionValue) -> str | None:
    """Return why an option does not take a value; None when it does."""
    taken = isinstance(value, int | float) and 0 < value <= MOST
    return None if taken else f"{name} must be positive and at most {MOST:,}"


def stop_reason(listener: Listener, deadline: float) -> Termination | None:
    """Return why a run must end now: it is asked to, or the monotonic clock is at its deadline; None if neither."""
    if listener.should_stop():
        return Termination.INTERRUPTED
    return Termination.TIME_LIMIT if time.monotonic() >= deadline else None
