"""Measure how much faster each solver is on `tight` than on the PySCIPOpt-ML file of the same problem.

Ten networks trained on all of MNIST, in no suite; goal optimize, one thread, 60 s; reading and bounding included. A
problem's time is the median over the solver's seeds, an unsolved run counts at its limit; printed are the shifted
geometric means (shift 0.1 s), their quotient, what is solved, and how many problems are slower than on the base. Run it
from the repository:

    .venv/bin/python tests/performance/formulations.py --data DIR --out FOLDER
    .venv/bin/python tests/performance/formulations.py --data DIR --out FOLDER --shape 18x18-4x32 --solver gurobi
    .venv/bin/python tests/performance/formulations.py --data DIR --out FOLDER --shape 28x28-4x32 --solver highs

It goes on where it was stopped. The first takes about half an hour, the others up to an hour.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from vnnbench.harness import run_plan
from vnnbench.instances.generation.generate import generate
from vnnbench.instances.generation.suite_work import GenerationOptions
from vnnbench.instances.library.library import Library
from vnnbench.instances.suites.suite_toml import load_suite
from vnnbench.leaderboard.ranking.aggregates import shifted_geometric_mean
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.ledger.run_identity import StopGoal
from vnnbench.ledger.writer import LEDGER_NAME
from vnnbench.output.progress import ProgressBar
from vnnbench.runs.plan import RunLimits, parse_setting, plan_runs

SUITE = """
name = "formulations"
description = "ten networks that are in no suite"
dataset = "mnist"
input_sides = [{side}]
architectures = ["{architecture}"]
seeds = [900, 901, 902, 903, 904, 905, 906, 907, 908, 909]
formulations = ["tight", "surrogatelib"]

[training]
epochs = 5

[property]
norm = "l1"
radius = [4.5, 5.5]
"""
SHAPES = ("28x28-2x32", "18x18-4x32", "28x28-4x32")
SOLVERS = ("gurobi", "highs", "scip")
TIME_LIMIT_SECONDS = 60.0
SHIFT_SECONDS = 0.1


def main() -> None:
    """Generate, run, print one line per solver."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shape", choices=SHAPES, default=SHAPES[0])
    parser.add_argument("--solver", choices=SOLVERS, action="append", help="all of them by default")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of each solver")
    parser.add_argument("--problems", type=int, default=10)
    arguments = parser.parse_args()
    folder = arguments.out / arguments.shape
    library = make_library(folder, arguments.shape, arguments.data)
    problems = {row.problem for row in library.rows if row.seed is not None and row.seed < 900 + arguments.problems}
    rows = [row for row in library.rows if row.problem in problems]
    solvers = arguments.solver or list(SOLVERS)
    limits = RunLimits(goal=StopGoal.OPTIMIZE, time_limit_seconds=TIME_LIMIT_SECONDS)
    plan = plan_runs(rows, [parse_setting(name) for name in solvers], range(arguments.seeds), limits)
    with ProgressBar("run") as progress:
        run_plan(plan, library, folder / "results", 1, progress)
    runs = read_runs(folder / "results" / LEDGER_NAME)
    runs = runs[runs.problem.isin(problems) & runs.solver.isin(solvers) & (runs.seed < arguments.seeds)]
    runs["solved"] = (runs.termination == "optimal") & (runs.wall_seconds <= TIME_LIMIT_SECONDS)
    runs["seconds"] = runs.wall_seconds.where(runs.solved, TIME_LIMIT_SECONDS)
    runs["seconds"] += [library.timings(name)["bounds_seconds"] or 0.0 for name in runs.instance]
    for solver, of_solver in runs.groupby("solver"):
        table = of_solver.groupby(["problem", "formulation"])[["seconds", "solved"]].median().unstack()
        base, tight = (table["seconds"][name].to_numpy(np.float64) for name in ("surrogatelib", "tight"))
        means = [shifted_geometric_mean(times, SHIFT_SECONDS) or 0.0 for times in (base, tight)]
        solved = [int((table["solved"][name] > 0).sum()) for name in ("surrogatelib", "tight")]
        print(
            f"{arguments.shape}, {solver}: surrogatelib {means[0]:.2f} s ({solved[0]} of {len(base)} solved), "
            f"tight {means[1]:.2f} s ({solved[1]} solved), ratio {means[0] / means[1]:.1f}, "
            f"slower than the base on {int((tight > base).sum())}"
        )


def make_library(folder: Path, shape: str, data: Path) -> Library:
    """Make the library of ten networks of a shape, with their problem in both formulations."""
    folder.mkdir(parents=True, exist_ok=True)
    size, _, architecture = shape.partition("-")
    suite_file = folder / "formulations.toml"
    suite_file.write_text(SUITE.format(side=size.partition("x")[0], architecture=architecture))
    with ProgressBar("generate") as progress:
        return generate(
            load_suite(suite_file), folder / "library", GenerationOptions(data_folder=data), progress=progress
        )


if __name__ == "__main__":
    main()
