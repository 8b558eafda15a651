"""Measure how long the export of one instance takes, compared with PySCIPOpt-ML building and writing the same problem.

Ours is bounds, MILP, MPS text, its gzip, ONNX and property, all six written to files. PySCIPOpt-ML builds its model as
formulation `surrogatelib` has it (no bounds but its own intervals) and SCIP's `writeProblem` writes a plain .mps file:
SCIP as it comes from PyPI writes no .mps.gz. Both on one thread, alternating; milliseconds are medians.

4x64 at MNIST 28x28, trained for one epoch, dense and pruned (magnitude, unstructured); then depth 4 in other widths.

    .venv/bin/python tests/performance/export.py --data DIR

Takes about a minute.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from threadpoolctl import threadpool_limits

from vnnbench.instances.bounds.levels import BoundLevel, bound_layers
from vnnbench.instances.datasets.dataset import Dataset, load_dataset
from vnnbench.instances.formulations.mps import compress, mps_text
from vnnbench.instances.formulations.surrogatelib import build_scip_model
from vnnbench.instances.formulations.tight import encode_tight
from vnnbench.instances.networks.network import Network
from vnnbench.instances.networks.pruning import Structure, prune
from vnnbench.instances.onnx_files.writer import onnx_bytes
from vnnbench.instances.properties.input_set import Norm
from vnnbench.instances.properties.property import VerifyProperty
from vnnbench.instances.properties.property_file import property_json
from vnnbench.instances.suites.sampling import draw_problem
from vnnbench.instances.training.dense import train
from vnnbench.instances.training.plan import TrainingPlan

DEPTH, WIDTH, SEED = 4, 64, 0
RATES = (0.0, 0.3, 0.5, 0.8, 0.9, 0.95)
WIDTHS = (32, 64, 96, 128, 192)
REPEATS = 9

Seconds = dict[str, float]
"""Seconds by part of the export."""
Runs = list[Seconds]
T = TypeVar("T")


def main() -> None:
    """Print one line per rate, then one per width."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    dataset = load_dataset("mnist", 28, parser.parse_args().data)
    torch.set_num_threads(1)
    with threadpool_limits(limits=1), tempfile.TemporaryDirectory() as folder:
        by_rate, by_width = _measure(_networks(dataset), dataset, Path(folder))
    for rate, (ours, scip) in by_rate.items():
        print(
            f"{DEPTH}x{WIDTH}, rate {rate}: {_line(ours)}; PySCIPOpt-ML {_line(scip)}; "
            f"{_all(scip) / _all(ours):.1f} times"
        )
    for width, ours in by_width.items():
        ratio = _all(ours) / _all(by_width[WIDTH])
        print(f"{DEPTH}x{width}, dense: {_line(ours)}; {ratio:.2f} of {DEPTH}x{WIDTH}")


def _networks(dataset: Dataset) -> dict[int, Network]:
    """Return a trained network by width."""
    plan = TrainingPlan(epochs=1)
    return {width: train(dataset, [width] * DEPTH, [SEED], plan)[0].network for width in WIDTHS}


def _measure(
    networks: dict[int, Network], dataset: Dataset, folder: Path
) -> tuple[dict[float, tuple[Runs, Runs]], dict[int, Runs]]:
    """Return our runs and those of PySCIPOpt-ML by rate, and our runs by width.

    Every case runs once, then all of them again, so that other work of the machine affects all alike.
    """
    properties = {width: draw_problem(networks[width], dataset, SEED, Norm.L1, (4.5, 5.5)) for width in WIDTHS}
    pruned = {
        rate: prune(networks[WIDTH], structure=Structure.UNSTRUCTURED, rate=rate) if rate else networks[WIDTH]
        for rate in RATES
    }
    by_rate: dict[float, tuple[Runs, Runs]] = {rate: ([], []) for rate in RATES}
    by_width: dict[int, Runs] = {width: [] for width in WIDTHS}
    for _ in range(REPEATS):
        for rate, (ours, scip) in by_rate.items():
            ours.append(_export(pruned[rate], properties[WIDTH], folder))
            scip.append(_export_by_scip(pruned[rate], properties[WIDTH], folder))
        for width, ours in by_width.items():
            ours.append(_export(networks[width], properties[width], folder))
    return by_rate, by_width


def _export(network: Network, prop: VerifyProperty, folder: Path) -> Seconds:
    seconds: Seconds = {}
    bounds = _timed(seconds, "bounds", lambda: bound_layers(network, prop.input_set, BoundLevel.BACKWARD))
    encoding = _timed(seconds, "MILP", lambda: encode_tight(network, prop, bounds, "export"))
    text = _timed(seconds, "MPS", lambda: mps_text(encoding.model))
    zipped = _timed(seconds, "gzip", lambda: compress(text))
    files = _timed(seconds, "ONNX, property", lambda: (zipped, onnx_bytes(network), property_json(prop)))
    _timed(seconds, "write", lambda: [(folder / str(i)).write_bytes(data) for i, data in enumerate(files)])
    return seconds


def _export_by_scip(network: Network, prop: VerifyProperty, folder: Path) -> Seconds:
    seconds: Seconds = {}
    scip, _, _ = _timed(seconds, "build", lambda: build_scip_model(network, prop))
    scip.hideOutput()
    _timed(seconds, "write", lambda: scip.writeProblem(str(folder / "scip.mps"), verbose=False))
    scip.freeProb()
    return seconds


def _timed(seconds: Seconds, part: str, work: Callable[[], T]) -> T:
    start = time.perf_counter()
    result = work()
    seconds[part] = time.perf_counter() - start
    return result


def _all(runs: Runs) -> float:
    """Return the median of the whole."""
    return statistics.median(sum(run.values()) for run in runs)


def _line(runs: Runs) -> str:
    parts = ", ".join(f"{part} {1e3 * statistics.median(run[part] for run in runs):.1f}" for part in runs[0])
    return f"{1e3 * _all(runs):.1f} ms ({parts})"


if __name__ == "__main__":
    main()
