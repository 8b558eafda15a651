"""Measure the times of preparing the judge's exact networks, and of one candidate, on a dense 4x64 network at 28x28.

Weights are random with the spread of a trained network; candidates are dense (every pixel nonzero), the slowest case.

    .venv/bin/python tests/performance/judging.py
"""

from __future__ import annotations

import itertools
import statistics
import time
from pathlib import Path

import numpy as np

from vnnbench.instances.families.verify import VerifyProblem
from vnnbench.instances.formulations.mps import read_mps
from vnnbench.instances.networks.network import Network
from vnnbench.instances.onnx_files.writer import onnx_bytes
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.property import VerifyProperty
from vnnbench.judging.judge import Judge

REPEATS = 50


def main() -> None:
    """Print medians in milliseconds."""
    rng = np.random.default_rng(0)
    widths = [784, 64, 64, 64, 64, 10]
    network = Network(
        tuple(rng.normal(0, 0.1, (n, m)).astype(np.float32) for m, n in itertools.pairwise(widths)),
        tuple(rng.normal(0, 0.1, n).astype(np.float32) for n in widths[1:]),
    )
    centre = rng.uniform(0, 1, 784).astype(np.float32).astype(np.float64)
    problem = VerifyProblem(
        VerifyProperty(
            InputSet(Norm.L1, centre, 5.0, np.zeros(784), np.ones(784)), 0, (1,), strict=True, dataset=None, sample=None
        )
    )
    data = dict.fromkeys(("network", "dense_network"), onnx_bytes(network))

    def make_judge() -> Judge:
        return Judge(problem, problem.evaluators(data), lambda: read_mps(Path("no-model")))

    make_judge()  # the first call also imports ONNX Runtime
    preparing, judging = [], []
    for _ in range(REPEATS):
        start = time.perf_counter()
        judge = make_judge()
        preparing.append(time.perf_counter() - start)
        step = rng.dirichlet(np.ones(784)) * 4.99 * rng.choice([-1, 1], 784)
        candidate = np.clip(centre + step, 0, 1)
        start = time.perf_counter()
        judge.judge(candidate)
        judging.append(time.perf_counter() - start)
    print(
        f"4x64 at 28x28, {REPEATS} candidates: prepare {1e3 * statistics.median(preparing):.1f} ms, "
        f"judge {1e3 * statistics.median(judging):.1f} ms (worst {1e3 * max(judging):.1f} ms)"
    )


if __name__ == "__main__":
    main()
