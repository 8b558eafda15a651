"""Measure what a cluster adds to a run, with one worker of Parsl's local provider against this machine's engine.

Two plans with the scripted solver of the tests, each executed by both engines: short runs, whose time is nearly all
overhead, and runs of ten seconds. Time counts from the first committed run to the last one, so without the start of
the workers. Printed are the milliseconds that the cluster adds to a short run, and for the long runs the share of the
time in which the worker's solver worked. The rounds alternate between the engines. Then the head alone collects runs
that workers have published: how many a second is what bounds the number of workers. Run it from the repository, on one
idle core:

    taskset -c 0 .venv/bin/python tests/performance/cluster.py

Takes about five minutes.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
FAKES = TESTS / "bench" / "fakes"
sys.path[:0] = [str(TESTS), str(FAKES)]
os.environ["PYTHONPATH"] = f"{FAKES}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"

from support.scripts import scripted_plan  # noqa: E402
from support.silent import Silent  # noqa: E402
from support.tiny_libraries import write_tiny_library  # noqa: E402
from vnnbench.engines.base import Engine  # noqa: E402
from vnnbench.engines.cluster_engine import ClusterEngine  # noqa: E402
from vnnbench.engines.cluster_options import ClusterOptions  # noqa: E402
from vnnbench.engines.exchange import Exchange  # noqa: E402
from vnnbench.engines.finished_run import CarriedRun  # noqa: E402
from vnnbench.engines.local import LocalEngine  # noqa: E402
from vnnbench.harness import run_plan_on  # noqa: E402
from vnnbench.instances.library.library import Library  # noqa: E402
from vnnbench.runs.plan import PlannedRun  # noqa: E402

SHORT_RUNS, LONG_RUNS, LONG_SECONDS = 200, 11, 10.0


class Timed(Silent):
    """Progress that keeps the time of each committed run."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def advance(self, description: str, steps: int = 1) -> None:
        """Keep the time."""
        super().advance(description, steps)
        self.times.append(time.monotonic())

    @property
    def per_run(self) -> float:
        """The mean time between two committed runs, in seconds."""
        return (self.times[-1] - self.times[0]) / (len(self.times) - 1)


def main() -> None:
    """Measure in rounds, and print the least of each engine: what else the machine does can only add."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        library = write_tiny_library(Path(folder) / "library")
        short = plan(library, SHORT_RUNS, 0.0)
        long = plan(library, LONG_RUNS, LONG_SECONDS)
        local, cluster = least(library, short, Path(folder) / "short", rounds)
        print(f"short runs: local {1000 * local:.0f} ms, cluster {1000 * cluster:.0f} ms a run", flush=True)
        print(f"the cluster adds {1000 * (cluster - local):.0f} ms to a run", flush=True)
        seconds = collecting(library, short, Path(folder) / "head")
        print(f"the head takes {1000 * seconds:.1f} ms for a run: {1 / seconds:.0f} a second", flush=True)
        local, cluster = least(library, long, Path(folder) / "long", 1)
        print(
            f"runs of {LONG_SECONDS:g} s: efficiency {LONG_SECONDS / local:.3f} local, "
            f"{LONG_SECONDS / cluster:.3f} cluster"
        )


def plan(library: Library, number: int, seconds: float) -> list[PlannedRun]:
    """Return so many different runs that take so many seconds."""
    scripts = [[["sleep", seconds], ["bound", -1.0 - k]] for k in range(number)]
    return [run for script in scripts for run in scripted_plan(library, "rob--tight", script)]


def least(library: Library, runs: Sequence[PlannedRun], folder: Path, rounds: int) -> tuple[float, float]:
    """Return the least seconds per run of the local engine and of the cluster."""
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        for kind, seconds in enumerate(found):
            results = folder / f"{number}-{kind}"
            engine: Engine = LocalEngine(library, results, 1)
            if kind == 1:
                engine = ClusterEngine(library, results, ClusterOptions(workers_per_node=1), Silent())
            timed = Timed()
            run_plan_on(engine, runs, library, results, timed)
            seconds.append(timed.per_run)
    return min(found[0]), min(found[1])


def collecting(library: Library, runs: Sequence[PlannedRun], folder: Path) -> float:
    """Return the seconds that a head takes to bring a published run into its ledger."""
    own, results = folder / "worker", folder / "results"
    exchange = Exchange(results)
    for done in run_plan_on(LocalEngine(library, own, 1), runs, library, own, Silent()):
        exchange.publish(CarriedRun.collect(done, own))
    timed = Timed()
    run_plan_on(LocalEngine(library, results, 1), runs, library, results, timed)
    return timed.per_run


if __name__ == "__main__":
    main()
