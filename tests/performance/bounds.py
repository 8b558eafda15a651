"""Measure how narrow the bounds of each level are, what they cost, and how much they help a solver.

Networks trained on all of MNIST, in no suite, dense: unstable hidden neurons, mean width of the bounds of the last
hidden layer and seconds of every level, one thread; then, with --solver, bounding plus solving to optimality at every
level, as shifted geometric means (shift 0.1 s) under 60 s. Run it from the repository:

    .venv/bin/python tests/performance/bounds.py --data DIR --out FOLDER
    .venv/bin/python tests/performance/bounds.py --data DIR --out FOLDER --shape 18x18-4x32 --solver gurobi

The first takes some minutes, most of them for `lp`; the second up to half an hour for each solver.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from time import perf_counter

import numpy as np
from threadpoolctl import threadpool_limits

from vnnbench.harness import run_plan
from vnnbench.instances.bounds.levels import BoundLevel, bound_layers
from vnnbench.instances.generation.generate import generate
from vnnbench.instances.generation.suite_work import GenerationOptions
from vnnbench.instances.library.library import Library
from vnnbench.instances.onnx_files.reader import read_onnx
from vnnbench.instances.properties.property_file import read_property
from vnnbench.instances.suites.suite_toml import load_suite
from vnnbench.leaderboard.ranking.aggregates import shifted_geometric_mean
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.ledger.run_identity import StopGoal
from vnnbench.ledger.writer import LEDGER_NAME
from vnnbench.output.progress import ProgressBar
from vnnbench.runs.plan import RunLimits, parse_setting, plan_runs

SUITE = """
name = "bounds"
description = "networks that are in no suite"
dataset = "mnist"
input_sides = [{side}]
architectures = ["{architecture}"]
seeds = [900, 901, 902, 903, 904, 905, 906, 907, 908, 909]
formulations = ["tight"]
bounds = "{level}"

[training]
epochs = 5

[property]
norm = "l1"
radius = [4.5, 5.5]
"""
WORTH_SOLVING = (BoundLevel.BACKWARD, BoundLevel.BACKWARD_OPT, BoundLevel.SPLIT)
TIME_LIMIT_SECONDS = 60.0
SHIFT_SECONDS = 0.1


def main() -> None:
    """Generate, bound, print one line per level; run, print one line per solver and level."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--shape", choices=("28x28-2x32", "18x18-4x32", "28x28-4x32", "28x28-4x64"), default="28x28-4x64"
    )
    parser.add_argument("--solver", action="append", default=[])
    parser.add_argument("--problems", type=int, default=10)
    arguments = parser.parse_args()
    libraries = {
        level: make_library(arguments.out / arguments.shape, arguments.shape, level, arguments.data)
        for level in (WORTH_SOLVING if arguments.solver else WORTH_SOLVING[:1])
    }
    if not arguments.solver:
        with threadpool_limits(limits=1):
            print_levels(libraries[WORTH_SOLVING[0]], arguments.problems)
    for solver in arguments.solver:
        for level, library in libraries.items():
            print_solving(solver, level, library, arguments.problems)


def make_library(folder: Path, shape: str, level: BoundLevel, data: Path) -> Library:
    """Make the library of the ten networks of a shape, bounded at a level; all levels have the same networks."""
    folder.mkdir(parents=True, exist_ok=True)
    size, _, architecture = shape.partition("-")
    suite_file = folder / f"{level}.toml"
    suite_file.write_text(SUITE.format(side=size.partition("x")[0], architecture=architecture, level=level))
    networks = folder / WORTH_SOLVING[0]
    given = Library.open(networks) if level is not WORTH_SOLVING[0] else None
    with ProgressBar("generate") as progress:
        return generate(
            load_suite(suite_file),
            folder / level,
            GenerationOptions(data_folder=data, networks_from=given),
            progress=progress,
        )


def print_levels(library: Library, n_problems: int) -> None:
    """Print one line per level: sums of unstable neurons, means of widths and seconds."""
    print("level         unstable  of backward  width, last hidden  seconds")
    unstable: dict[BoundLevel, int] = {}
    for level in [BoundLevel.BACKWARD, *(level for level in BoundLevel if level is not BoundLevel.BACKWARD)]:
        unstable[level], widths, seconds = 0, [], []
        for row in library.rows[:n_problems]:
            network = read_onnx(library.network_path(row))
            input_set = read_property(library.property_path(row)).input_set
            start = perf_counter()
            bounds = bound_layers(network, input_set, level, outputs=False)
            seconds.append(perf_counter() - start)
            unstable[level] += sum(int(layer.unstable.sum()) for layer in bounds[:-1])
            widths.append(float((bounds[-2].upper - bounds[-2].lower).mean()))
        share = 100 * unstable[level] / unstable[BoundLevel.BACKWARD]
        print(f"{level:12s}  {unstable[level]:8d}  {share:9.1f} %  {np.mean(widths):18.3f}  {np.mean(seconds):7.3f}")


def print_solving(solver: str, level: BoundLevel, library: Library, n_problems: int) -> None:
    """Print one line: bounding plus solving of one solver at one level."""
    rows = library.rows[:n_problems]
    results = library.folder.with_name(f"{level}-results")
    limits = RunLimits(goal=StopGoal.OPTIMIZE, time_limit_seconds=TIME_LIMIT_SECONDS)
    with ProgressBar("run") as progress:
        run_plan(plan_runs(rows, [parse_setting(solver)], [0], limits), library, results, 1, progress)
    runs = read_runs(results / LEDGER_NAME)
    runs = runs[(runs.solver == solver) & runs.instance.isin([row.instance for row in rows])]
    solved = (runs.termination == "optimal") & (runs.wall_seconds <= TIME_LIMIT_SECONDS)
    bounding = np.array([library.timings(name)["bounds_seconds"] or 0.0 for name in runs.instance])
    total = runs.wall_seconds.where(solved, TIME_LIMIT_SECONDS).to_numpy() + bounding
    mean = shifted_geometric_mean(total, SHIFT_SECONDS) or 0.0
    print(f"{solver:8s} {level:12s} {mean:7.2f} s, {int(solved.sum())} of {len(runs)} solved")


if __name__ == "__main__":
    main()
