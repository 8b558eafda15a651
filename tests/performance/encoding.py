"""Measure how time, memory and size of a training problem's model grow in samples, inputs and neurons.

Inputs are random multiples of 1 / 1024, nearly all of them nonzero: the largest model of a shape. An encoding is the
MILP, its MPS text and the gzip of that, on one thread, in a process of its own, whose peak memory includes the
imports. Seconds are medians.

First 100 samples of 4,000 inputs with 8 neurons, the largest problem of Rosenhahn 2023 (JOTA 199:931-954), in both
formulations; then `plain` with one of the three numbers halved, twice. Last the shapes of that paper's Figure 3, two
inputs and two classes: the size of the matrix (rows x columns), and the memory of its nonzeros.

    .venv/bin/python tests/performance/encoding.py

Takes about a minute.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from vnnbench.instances.datasets.labelled_data import GRID, LabelledData, Split
from vnnbench.instances.formulations.mps import compress, mps_text
from vnnbench.instances.step_networks.train_property import VARIANTS, TrainProperty, train_property
from vnnbench.instances.train_models import TrainFormulation, encode

Shape = tuple[int, int, int]
"""Numbers of samples, inputs and neurons."""
LARGEST: Shape = (100, 4000, 8)
SMALLER: tuple[Shape, ...] = (
    (50, 4000, 8), (25, 4000, 8), (100, 2000, 8), (100, 1000, 8), (100, 4000, 4), (100, 4000, 2)
)  # fmt: skip
FIGURE_SAMPLES, FIGURE_NEURONS = (50, 100, 200, 400), (1, 2, 3, 4, 5)
VARIANT = VARIANTS[0]
REPEATS = 3
BYTES_OF_A_NONZERO = 16
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Encoded:
    """An encoding: seconds of its parts, peak memory, and what came out."""

    seconds: dict[str, float]
    peak_bytes: int
    counts: dict[str, int]
    file_bytes: int


def main() -> None:
    """Print a line for each shape, then one for each number of samples in Figure 3."""
    wanted = [(LARGEST, formulation) for formulation in TrainFormulation]
    wanted += [(shape, TrainFormulation.PLAIN) for shape in SMALLER]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as fresh:
        for shape, formulation in wanted:
            runs = [fresh.submit(measure, shape, formulation).result() for _ in range(REPEATS)]
            print(_line(shape, formulation, runs))
    for n_samples in FIGURE_SAMPLES:
        models = [encode(_problem((n_samples, 2, n)), TrainFormulation.PLAIN, "figure-3") for n in FIGURE_NEURONS]
        cells = ", ".join(f"{model.n_rows * model.n_columns / 1e6:.1f}" for model in models)
        memory = ", ".join(f"{BYTES_OF_A_NONZERO * model.n_nonzeros / 2**20:.2f}" for model in models)
        print(f"{n_samples} x 2, {FIGURE_NEURONS[0]} to {FIGURE_NEURONS[-1]} neurons: {cells} million; {memory} MiB")


def measure(shape: Shape, formulation: TrainFormulation) -> Encoded:
    """Encode a random problem of a shape."""
    seconds: dict[str, float] = {}
    prop = _problem(shape)
    with threadpool_limits(limits=1):
        model = _timed(seconds, "MILP", lambda: encode(prop, formulation, "encoding"))
        text = _timed(seconds, "MPS", lambda: mps_text(model))
        zipped = _timed(seconds, "gzip", lambda: compress(text))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    return Encoded(seconds, peak, model.counts(), len(zipped))


def _problem(shape: Shape) -> TrainProperty:
    n_samples, n_inputs, neurons = shape
    random = np.random.default_rng(0)
    data = LabelledData(random.integers(0, GRID + 1, (n_samples, n_inputs)) / GRID, np.arange(n_samples) % 2)
    split = Split("random", 0, tuple(f"x{i}" for i in range(n_inputs)), ("a", "b"), data, data)
    return train_property(split, neurons, VARIANT)


def _timed(seconds: dict[str, float], part: str, work: Callable[[], T]) -> T:
    start = time.perf_counter()
    result = work()
    seconds[part] = time.perf_counter() - start
    return result


def _line(shape: Shape, formulation: TrainFormulation, runs: list[Encoded]) -> str:
    first = runs[0]
    parts = ", ".join(f"{part} {statistics.median(run.seconds[part] for run in runs):.2f}" for part in first.seconds)
    total = statistics.median(sum(run.seconds.values()) for run in runs)
    gibibytes = max(run.peak_bytes for run in runs) / 2**30
    return (
        f"{shape[0]} x {shape[1]}, {shape[2]} neurons, {formulation}: {total:.2f} s ({parts}), {gibibytes:.2f} GiB; "
        f"{first.counts['rows']} x {first.counts['columns']}, {first.counts['nonzeros']} nonzeros, "
        f"{first.file_bytes / 2**20:.1f} MiB"
    )


if __name__ == "__main__":
    main()
