"""Measure the cost of isolation: the wall time of a run on a trivial model beyond the solver's own.

Runs are a fork of the prepared process and a new interpreter; beside them stands the solver alone.

    .venv/bin/python tests/performance/isolation.py
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vnnbench.instances.formulations.milp import MilpBuilder, MilpModel
from vnnbench.instances.formulations.mps import mps_text
from vnnbench.isolation.fork_client import Prepared, PreparedSolvers
from vnnbench.isolation.protocol import Frame
from vnnbench.isolation.supervisor import Limits, run_child
from vnnbench.solvers.base import Incumbent, SolveRequest
from vnnbench.solvers.registry import get_solver, installed_solvers

REPEATS = 50


def trivial_model() -> MilpModel:
    """Return the model that minimizes x with 1 <= x <= 2, integral."""
    builder = MilpBuilder("trivial")
    x = builder.add_column("x", 0.0, 2.0, integer=True)
    builder.set_objective(x, 1.0)
    builder.add_row("at_least", "G", 1.0, [x], [1.0])
    return builder.build()


class Passive:
    """Listens to a solver, or watches a run, and never stops it."""

    def on_columns(self, names: Any) -> None: ...
    def on_incumbent(self, incumbent: Incumbent) -> None: ...
    def on_dual_bound(self, dual_bound: float) -> None: ...
    def on_frame(self, frame: Frame, seconds: float) -> None: ...

    def should_stop(self) -> bool:
        return False

    def work(self) -> bool:
        return False

    def satisfied_at(self) -> float | None:
        return None


def median_milliseconds(work: Callable[[], object]) -> float:
    work()  # the first call also imports
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def confined(prepared: Prepared, model: Path, folder: Path, plain: bool) -> None:
    request = {
        "model_path": str(model), "log_path": str(folder / "solver.log"), "time_limit_seconds": 60.0, "threads": 1,
        "seed": 0, "mip_gap": 0.0, "node_limit": None, "options": {},
    }  # fmt: skip
    outcome = run_child(
        prepared, request, Limits(60.0, 1 << 30), Passive(), folder / "output", threading.Event(), plain=plain
    )
    assert outcome.result is not None and outcome.result.header["termination"] == "optimal", outcome


def main() -> None:
    """Print medians in milliseconds."""
    with tempfile.TemporaryDirectory() as name:
        folder, model = Path(name), Path(name, "trivial.mps")
        model.write_bytes(mps_text(trivial_model()))
        request = SolveRequest(model, folder / "solver.log", 60.0)
        for solver in installed_solvers():
            adapter = get_solver(solver)
            own = median_milliseconds(lambda adapter=adapter: adapter.solve(request, Passive()))  # type: ignore[misc]
            with PreparedSolvers([solver], 1, folder) as solvers:
                fork, plain = (
                    median_milliseconds(lambda p=solvers[solver], new=new: confined(p, model, folder, new))  # type: ignore[misc]
                    for new in (False, True)
                )
            print(
                f"{solver:6}  alone {own:6.1f} ms   fork +{fork - own:5.1f} ms   new interpreter +{plain - own:6.1f} ms"
            )


if __name__ == "__main__":
    main()
