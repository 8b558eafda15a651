"""How much faster each solver is on `tight` than on the PySCIPOpt-ML file of the same problem.

Ten 2x32 networks trained on all of MNIST 28x28, in no suite; goal optimize, one thread, 60 s; reading included. The
quotient of shifted geometric means (shift 0.1 s), every unsolved run at its limit. Run it from the repository:

    .venv/bin/python tests/performance/formulations.py --data DIR --out FOLDER

It goes on where it was stopped. Takes about a quarter of an hour.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.harness import run_plan
from bench.ledger import LEDGER_NAME
from bench.plan import Goal, RunLimits, parse_setting, plan_runs
from bench.progress import ProgressBar
from instances.generation import generate
from instances.suite_files import load_suite
from leaderboard.metrics import shifted_geometric_mean
from leaderboard.records import read_runs
from solvers.registry import installed_solvers

SUITE = """
name = "formulations"
description = "ten 2x32 networks that are in no suite"
dataset = "mnist"
input_sides = [28]
architectures = ["2x32"]
seeds = [900, 901, 902, 903, 904, 905, 906, 907, 908, 909]
formulations = ["tight", "surrogatelib"]

[training]
epochs = 5

[property]
norm = "l1"
radius = [4.5, 5.5]
"""
TIME_LIMIT_SECONDS = 60.0
SHIFT_SECONDS = 0.1


def main() -> None:
    """Generate, run, print one line per solver."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    suite_file = arguments.out / "formulations.toml"
    suite_file.write_text(SUITE)
    with ProgressBar("generate") as progress:
        library = generate(
            load_suite(suite_file), arguments.out / "library", data_folder=arguments.data, progress=progress
        )
    settings = [parse_setting(name) for name in installed_solvers()]
    limits = RunLimits(goal=Goal.OPTIMIZE, time_limit_seconds=TIME_LIMIT_SECONDS)
    with ProgressBar("run") as progress:
        run_plan(plan_runs(library.rows, settings, [0], limits), library, arguments.out / "results", 1, progress)
    runs = read_runs(arguments.out / "results" / LEDGER_NAME)
    solved = (runs.termination == "optimal") & (runs.wall_seconds <= TIME_LIMIT_SECONDS)
    runs["seconds"] = runs.wall_seconds.where(solved, TIME_LIMIT_SECONDS)
    for solver, of_solver in runs.groupby("solver"):
        mean = {
            formulation: shifted_geometric_mean(group.seconds.to_numpy(), SHIFT_SECONDS) or 0.0
            for formulation, group in of_solver.groupby("formulation")
        }
        unsolved = (~solved[of_solver.index]).groupby(of_solver.formulation).sum().to_dict()
        print(
            f"{solver}: surrogatelib {mean['surrogatelib']:.2f} s ({unsolved['surrogatelib']} unsolved), "
            f"tight {mean['tight']:.2f} s ({unsolved['tight']} unsolved), ratio "
            f"{mean['surrogatelib'] / mean['tight']:.1f}"
        )


if __name__ == "__main__":
    main()
