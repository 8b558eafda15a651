"""Measure how many cases a second the prover's search bounds, by device, and what a device could gain at most.

A 4x64 problem of MNIST that takes a minute is searched for some seconds, after its bounds are proven, on one core and
the device. Printed are the cases a second, and the share of the steps, which are all that a device computes: if they
took no time, the search would bound 1 / (1 - share) times as many. The first seconds of a device are not counted.

    .venv/bin/vnnbench generate pham2025-mnist --data DIR --out mnist --select "mnist-18x18-4x64-s8-l1--tight"
    .venv/bin/python tests/performance/prover_devices.py mnist
    .venv/bin/python tests/performance/prover_devices.py mnist --device cuda
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

import vnnbench.prover.search
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.proof_checks import ProvableProblem
from vnnbench.instances.proofs.question import Question
from vnnbench.prover.aim import Decision
from vnnbench.prover.device import Device, device_named
from vnnbench.prover.proven_bounds import prove_bounds
from vnnbench.prover.search import Budget, Search
from vnnbench.prover.setting import Setting
from vnnbench.prover.sound import SoundBounds

PROBLEM, SPLITS, WARM_UP_SECONDS = "mnist-18x18-4x64-s8-l1", 3, 2.0


def main() -> None:
    """Search on the devices, and print what the module's docstring says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path)
    parser.add_argument("--problem", default=PROBLEM)
    parser.add_argument("--seconds", type=float, default=20.0, help="of the search")
    parser.add_argument("--device", choices=["cuda"], help="to search on after the CPU")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    asked = ProvableProblem.of(Library.open(arguments.library), arguments.problem)
    rates = []
    for name in ["cpu", *([arguments.device] if arguments.device else [])]:
        with threadpool_limits(limits=1):
            rates.append(measure(asked, device_named(name), name, arguments.seconds))
    if arguments.device:
        print(f"{arguments.device} over cpu: {rates[1] / rates[0]:.1f}")


def measure(asked: ProvableProblem, device: Device, name: str, seconds: float) -> float:
    """Search on one device, print what it does, and return the cases a second."""
    question = Question.about(asked.problem.property)
    setting = Setting.of(question, asked.network, Decision(asked.problem, asked.network, question), device)
    sound = SoundBounds(question, setting.chain)
    search = Search(setting, sound, prove_bounds(sound, setting.network, SPLITS, lambda: False))
    in_steps, real = [0.0], vnnbench.prover.search.descend

    def timed(*arguments: Any) -> Any:
        started = time.perf_counter()
        found = real(*arguments)
        in_steps[0] += time.perf_counter() - started
        return found

    vnnbench.prover.search.descend = timed
    try:
        search.run(budget(WARM_UP_SECONDS))
        before, in_steps[0], started = search.n_cases, 0.0, time.perf_counter()
        ending = search.run(budget(seconds))
        took = time.perf_counter() - started
    finally:
        vnnbench.prover.search.descend = real
    rate, share = (search.n_cases - before) / took, in_steps[0] / took
    print(
        f"{name}: {rate:.0f} cases a second for {took:.0f} s, steps {100 * share:.0f} % of that ({ending})", flush=True
    )
    return rate


def budget(seconds: float) -> Budget:
    """Return a budget of time alone."""
    deadline = time.monotonic() + seconds
    return Budget(float("inf"), lambda: time.monotonic() > deadline, 2.0**31)


if __name__ == "__main__":
    main()
