"""Measure time and memory of the leaderboard on synthetic ledgers: rows as the harness writes them, in bulk.

Every problem has a dense instance and four surrogates; ten settings run each with five seeds, the file as it is and one
permutation of it: 100 runs an instance. The runs find a counterexample, prove that there is none, or go to their limit,
with steps of values and bounds as they are recorded; one run in 100,000 is wrong.

    .venv/bin/python tests/performance/ranking.py [--runs N] [--keep FOLDER]

Default: 10,000 and 1,000,000 runs, in a temporary folder. Each is measured in a process of its own, from the read of
the ledger to the printed text of every format; import time is printed apart.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

SEEDS, PERMUTATIONS, LIMIT = 5, 2, 300.0
SETTINGS = [
    (solver, version, json.dumps(options))
    for solver, version in (("gurobi", "12.0.3"), ("highs", "1.11.0"), ("scip", "10.0.0"), ("cbc", "2.10.12"))
    for options in ({}, {"presolve": "off"}, {"heuristics": 0.5})
][:10]
RUNS_PER_INSTANCE = len(SETTINGS) * SEEDS * PERMUTATIONS
KINDS = [("none", "none", None, 0), ("magnitude", "unstructured", 0.5, 0), ("magnitude", "unstructured", 0.9, 1)]
KINDS += [("random", "structured", 0.5, 0), ("magnitude", "structured", 0.9, 1)]


def main() -> None:
    """Make the ledgers, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, action="append")
    parser.add_argument("--keep", type=Path, help="folder in which the ledgers stay, or are already")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure)
        return
    with tempfile.TemporaryDirectory() as temporary:
        for runs in options.runs or [10_000, 1_000_000]:
            path = (options.keep or Path(temporary)) / f"{runs}" / "ledger.sqlite"
            if not path.exists():
                start = time.perf_counter()
                write_ledger(path, runs)
                print(f"{runs} runs written in {time.perf_counter() - start:.1f} s, {path.stat().st_size / 1e6:.0f} MB")
            subprocess.run([sys.executable, __file__, "--measure", str(path)], check=True)


def measure(path: Path) -> None:
    """Print seconds and peak memory of `leaderboard` on one ledger."""
    start = time.perf_counter()
    import scipy.stats  # noqa: F401 (the leaderboard imports it when it needs it)

    from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard, needed_columns
    from vnnbench.leaderboard.records.reader import read_runs
    from vnnbench.leaderboard.tables.render import Format, render

    imported, worked = time.perf_counter(), _processor_seconds()
    runs = read_runs(path, needed_columns())
    read = time.perf_counter()
    board = build_leaderboard(runs)
    built = time.perf_counter()
    for output in Format:
        render(board, output)
    done, cpu = time.perf_counter(), _processor_seconds() - worked
    peak, other = (
        resource.getrusage(who).ru_maxrss / 2**20 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(
        f"{len(runs)} runs: {done - imported:.2f} s after import (read {read - imported:.2f}, numbers "
        f"{built - read:.2f}, all formats {done - built:.2f}; processor {cpu:.2f}), peak {peak:.2f} GiB, of the "
        f"largest further process {other:.2f} GiB; import {imported - start:.2f} s"
    )


def _processor_seconds() -> float:
    """Return the processor time of this process and of its children that have ended."""
    return sum(usage.ru_utime + usage.ru_stime for usage in _usages())


def _usages() -> list[resource.struct_rusage]:
    return [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]


def write_ledger(path: Path, n_runs: int) -> None:
    """Write a ledger of that many runs (rounded up to whole instances)."""
    from vnnbench.leaderboard.records.schema import (
        INSTANCE_COLUMNS,
        JUDGEMENT_COLUMNS,
        MACHINE_COLUMNS,
        RESULT_COLUMNS,
        SCHEMA,
    )

    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA)
    connection.execute("PRAGMA synchronous = OFF")
    machine = {
        "machine": "m",
        "cpu": "cpu",
        "cores": 2,
        "memory_bytes": 8,
        "kernel": "6",
        "python": "3",
        "packages": "{}",
    }
    _insert(connection, "machines", MACHINE_COLUMNS, [machine])
    rng = np.random.default_rng(0)
    for number in range(-(-n_runs // RUNS_PER_INSTANCE)):
        instance = _instance(number, rng)
        _insert(connection, "instances", INSTANCE_COLUMNS, [instance])
        results, judgements = zip(*_runs(instance, rng), strict=True)
        _insert(connection, "results", RESULT_COLUMNS, results)
        names = dict.fromkeys(name for name in JUDGEMENT_COLUMNS if name != "judgement")
        _insert(connection, "judgements", names, judgements)
    connection.commit()
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def _insert(connection: sqlite3.Connection, table: str, columns: dict[str, Any], rows: Any) -> None:
    marks = ", ".join("?" for _ in columns)
    values = [[row.get(name) for name in columns] for row in rows]
    connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)  # noqa: S608


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _instance(number: int, rng: np.random.Generator) -> dict[str, Any]:
    problem, kind = divmod(number, len(KINDS))
    pruning, structure, rate, finetuned = KINDS[kind]
    depth, width, seed = 2 + 2 * (problem % 2), 32 << (problem // 2 % 2), problem // 4
    dense = f"mnist-18x18-{depth}x{width}-s{seed}"
    network = dense if not kind else f"{dense}-{pruning[:3]}-{structure[0]}{rate}"
    name = f"{network}-l1--tight"
    return {
        "instance": name, "instance_sha256": _digest(name), "problem": f"{dense}-l1", "family": "verify",
        "suite": "synthetic", "dataset": "mnist", "input_side": 18, "depth": depth, "width": width, "seed": seed,
        "network": network, "dense_network": dense, "pruning": pruning, "structure": structure, "rate": rate,
        "finetuned": finetuned, "formulation": "tight", "bounds": "backward", "norm": "l1", "radius": 5.0,
        "source": 3, "target": 5, "accuracy": 0.9, "dense_accuracy": 0.95, "rows": 400, "columns": 500,
        "nonzeros": 20000, "binaries": 60, "stable_active": 20, "stable_inactive": 30, "unstable": 60,
        "constant_rounding": 1e-9, "model": f"models/{name}.mps.gz", "property": f"properties/{dense}-l1.json",
        "strict": 1, "threshold": 0.0, "centre_value": -8.0 - float(rng.random()), "train_seconds": 4.0,
        "prune_seconds": 0.1, "finetune_seconds": 2.0 * finetuned, "bounds_seconds": 0.5, "export_seconds": 0.1,
        "batch_size": 64, "alone_train_seconds": 4.0, "alone_finetune_seconds": 2.0 * finetuned,
        "coefficient_min": 1e-5, "coefficient_max": 10.0, "big_m_min": 0.1, "big_m_max": 10.0,
        "property_sha256": _digest(f"{dense}-l1"), "network_sha256": _digest(network), "dense_sha256": _digest(dense),
        "value_is_column": 0, "confirmed_verdict": "adversarial", "excluded_verdict": "robust",
    }  # fmt: skip


def _runs(instance: dict[str, Any], rng: np.random.Generator) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    hardness = float(rng.lognormal(1.5, 2.0))
    dense = instance["network"] == instance["dense_network"]
    adversarial = int(instance["dense_sha256"][:2], 16) < 150
    value = 1.0 + (int(instance["dense_sha256"][2:4], 16) % 64) / 16
    for place, (solver, version, options) in enumerate(SETTINGS):
        seconds = np.minimum(hardness * (1 + place / 4) * rng.lognormal(0, 0.5, SEEDS * PERMUTATIONS), LIMIT)
        for number, wall in enumerate(seconds.tolist()):
            seed, permutation = divmod(number, PERMUTATIONS)
            run = _digest(f"{instance['instance_sha256']} {place} {number}")[:16]
            solved = wall < LIMIT
            found = solved and adversarial
            steps = np.sort(rng.random(6)) * wall
            values = np.linspace(instance["centre_value"], value if found else -1.0, 6)
            bounds = np.linspace(40.0, value if adversarial else -0.5, 6)[: 6 if solved else 4]
            lie = dense and adversarial and int(run[:8], 16) % 20_000 == 0
            yield (
                {
                    "run": run, "instance_sha256": instance["instance_sha256"], "solver": solver,
                    "solver_version": version, "settings": options, "seed": seed, "threads": 1,
                    "time_limit_seconds": LIMIT, "memory_limit_bytes": 2**32, "goal": "decide",
                    "termination": ("interrupted" if found else "bound_reached" if dense else "optimal")
                    if solved else "time_limit",
                    "raw_status": "status", "message": "", "ended_by": "judge" if found else "solver",
                    "claimed_value": float(values[-1]), "dual_bound": -1.0 if lie else float(bounds[-1]),
                    "wall_seconds": wall, "read_seconds": 0.02, "cpu_seconds": wall, "peak_memory_bytes": 10**8,
                    "nodes": int(wall * 20), "incumbents": 6, "machine": "m", "enforcement": "namespace",
                    "started_at": f"2026-01-01T{number % 24:02}:{place:02}:00Z", "attempt": 1,
                    "permutation": permutation, "cores": "0", "foreign_seconds": 0.0, "swapped_bytes": 0,
                    "counted": "cgroup", "stalled_seconds": 0.0, "candidates_sha256": run * 4,
                    "dual_steps": _steps(steps, bounds), "ranked": 1,
                },
                {
                    "run": run, "judged_at": "2026-01-01T00:00:00Z", "confirmed": int(found),
                    "evidence": "exact" if found else "none", "best_exact_value": float(values[-1]),
                    "own_value": float(values[-1]), "replayed_value": float(values[-1]),
                    "file_value": float(values[-1]), "row_violation": 0.0, "float32_value": float(values[-1]),
                    "float32_beats_all": int(found), "raw_violation": 0.0, "judge_seconds": 0.01,
                    "first_success_seconds": float(steps[-1]) if found else None,
                    "primal_steps": _steps(steps, values), "as_given_violation": 0.0 if found else None,
                    "repaired_violation": 0.0 if found else None,
                    "own_answers": 1 + int(run[0], 16) % 3 if found else 0, "transferred_answers": int(found),
                },
            )  # fmt: skip


def _steps(seconds: np.ndarray, values: np.ndarray) -> str:
    return json.dumps([[round(t, 6), v] for t, v in zip(seconds.tolist(), values.tolist(), strict=False)])


if __name__ == "__main__":
    main()
