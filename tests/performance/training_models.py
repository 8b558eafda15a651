"""Measure how much faster solvers are on `tight` than on `plain`, and what each ingredient of `tight` is worth.

The problems are those of suite rosenhahn2023-smoke, split 0 unless more are asked for; one thread, 60 s, without
reading; in the process of this script, without isolation. An unsolved run counts at its limit. Printed are shifted
geometric means (shift 0.1 s), also over `tight` with all ingredients, and how many runs are solved. Two runs that solve
a problem and disagree by more than 1e-5 end the script.

    .venv/bin/python tests/performance/training_models.py
    .venv/bin/python tests/performance/training_models.py --solver highs --splits 2

The first takes about half an hour.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from vnnbench.instances.datasets.splits import make_split
from vnnbench.instances.datasets.table_sources import load_table
from vnnbench.instances.formulations.milp import MilpModel
from vnnbench.instances.formulations.mps import mps_text
from vnnbench.instances.step_networks.train_property import TrainProperty, train_property
from vnnbench.instances.suites.suite_toml import load_suite
from vnnbench.instances.suites.train_suite import TrainSuite
from vnnbench.instances.train_models.plain import encode_plain
from vnnbench.instances.train_models.tight import ALL, Ingredient, encode_tight
from vnnbench.leaderboard.ranking.aggregates import shifted_geometric_mean
from vnnbench.solvers.base import Incumbent, SolveRequest, Termination
from vnnbench.solvers.registry import get_solver

SUITE, TIME_LIMIT_SECONDS, SHIFT_SECONDS = "rosenhahn2023-smoke", 60.0, 0.1
SOLVERS = ("gurobi", "highs", "scip")
CONFIGURATIONS: dict[str, Callable[[TrainProperty, str], MilpModel]] = {
    "plain": encode_plain,
    "tight": encode_tight,
    **{f"tight without {part}": partial(encode_tight, ingredients=ALL - {part}) for part in Ingredient},
}


def main() -> None:
    """Solve every problem in every configuration, and print a line for each configuration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solver", choices=SOLVERS, action="append", help="all of them by default")
    parser.add_argument("--splits", type=int, default=1, help="number of splits of the suite")
    arguments = parser.parse_args()
    for solver in arguments.solver or SOLVERS:
        times: dict[str, list[float]] = {name: [] for name in CONFIGURATIONS}
        for problem, prop in problems(arguments.splits):
            optima = []
            for name, encode in CONFIGURATIONS.items():
                objective, seconds = solve(solver, encode(prop, problem))
                times[name].append(seconds)
                optima += [] if objective is None else [objective]
            if optima and max(optima) - min(optima) > 1e-5:
                raise SystemExit(f"{problem}, {solver}: optima from {min(optima)} to {max(optima)}")
        means = {name: mean_seconds(found) for name, found in times.items()}
        for name, mean in means.items():
            solved = sum(seconds < TIME_LIMIT_SECONDS for seconds in times[name])
            ratio = mean / means["tight"]
            print(
                f"{solver}, {name}: {mean:.3f} s, {ratio:.2f} of tight, {solved} of {len(times[name])} solved",
                flush=True,
            )


def mean_seconds(times: list[float]) -> float:
    """Return the shifted geometric mean of times, in which short ones count too."""
    return shifted_geometric_mean(np.array(times), SHIFT_SECONDS, least=0.0) or 0.0


def problems(n_splits: int) -> Iterator[tuple[str, TrainProperty]]:
    """Yield the suite's problems of its first splits."""
    suite = load_suite(SUITE)
    assert isinstance(suite, TrainSuite)
    planned = {found.problem: found for found in suite.instances() if found.split < n_splits}
    for name, found in planned.items():
        data, variant = found.data, found.variant
        split = make_split(
            load_table(data.source), found.split, integer=variant.integer, training_samples=data.training_samples
        )
        yield name, train_property(split, data.neurons, variant, suite.weight_limit)


class _IdleListener:
    def on_columns(self, names: Sequence[str]) -> None: ...

    def on_incumbent(self, incumbent: Incumbent) -> None: ...

    def on_dual_bound(self, dual_bound: float) -> None: ...

    def should_stop(self) -> bool:
        return False


def solve(solver: str, model: MilpModel) -> tuple[float | None, float]:
    """Return the objective, None if it is not proven optimal within the limit, and the seconds, at most the limit."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.mps"
        path.write_bytes(mps_text(model))
        request = SolveRequest(path, Path(folder) / "log", TIME_LIMIT_SECONDS)
        result = get_solver(solver).solve(request, _IdleListener())
    if result.termination is not Termination.OPTIMAL or result.wall_seconds >= TIME_LIMIT_SECONDS:
        return None, TIME_LIMIT_SECONDS
    return result.primal_bound, result.wall_seconds - result.read_seconds


if __name__ == "__main__":
    main()
