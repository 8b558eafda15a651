"""Solving models with the adapters: listeners, and the optimal value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vnnbench.instances.formulations.milp import MilpModel
from vnnbench.instances.formulations.mps import compress, mps_text
from vnnbench.solvers.base import Incumbent, SolveRequest, Termination
from vnnbench.solvers.registry import get_solver


class IdleListener:
    """A listener that never stops the solver and keeps nothing."""

    def on_columns(self, names: Sequence[str]) -> None: ...

    def on_incumbent(self, incumbent: Incumbent) -> None: ...

    def on_dual_bound(self, dual_bound: float) -> None: ...

    def should_stop(self) -> bool:
        return False


@dataclass
class Recorder:
    """A listener that keeps everything, and stops the solver when `stop_when` says so."""

    stop_when: Callable[[Recorder], bool] = lambda recorder: False
    names: list[str] = field(default_factory=list)
    incumbents: list[Incumbent] = field(default_factory=list)
    dual_bounds: list[float] = field(default_factory=list)
    polls: int = 0

    def on_columns(self, names: Sequence[str]) -> None:
        self.names = list(names)

    def on_incumbent(self, incumbent: Incumbent) -> None:
        self.incumbents.append(incumbent)

    def on_dual_bound(self, dual_bound: float) -> None:
        self.dual_bounds.append(dual_bound)

    def should_stop(self) -> bool:
        self.polls += 1
        return self.stop_when(self)

    def values(self, incumbent: Incumbent) -> dict[str, float]:
        """Return the incumbent's values by column name."""
        return dict(zip(self.names, incumbent.columns, strict=True))


def optimum_of_file(solver: str, path: Path, folder: Path) -> float:
    """Return the optimal value, minus the file's objective, of a model file by one solver; its log goes to `folder`."""
    request = SolveRequest(path, folder / "log", time_limit_seconds=60.0)
    result = get_solver(solver).solve(request, IdleListener())
    assert result.termination is Termination.OPTIMAL, result
    assert result.primal_bound is not None
    return -result.primal_bound


def optimum(solver: str, model: MilpModel, folder: Path) -> float:
    """Return the optimal value, minus the objective, of a model by one solver, which is given its file in `folder`."""
    path = folder / "model.mps.gz"
    path.write_bytes(compress(mps_text(model)))
    return optimum_of_file(solver, path, folder)
