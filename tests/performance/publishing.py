"""Measure how long `publish` takes for 10,000 runs on 1,000 instances, and how large its pages are.

100 problems on 28x28 images, each with its own random 2x64 network and ten instances; ten settings run each once, with
steps of values and bounds as they are recorded. Most problems have a counterexample, and the candidates that it is
found in again are judged exactly, as for any ledger. The output of solvers is made up.

    .venv/bin/python tests/performance/publishing.py
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from vnnbench.instances.datasets.png import picture_png
from vnnbench.instances.families import problem_of
from vnnbench.instances.files import sha256, write_atomic
from vnnbench.instances.formulations.mps import read_mps
from vnnbench.instances.library.catalog import CatalogRow, catalog_bytes
from vnnbench.instances.library.library import Library, manifest_bytes
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.instances.networks.network import Network
from vnnbench.instances.onnx_files.writer import onnx_bytes
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.property import VerifyProperty
from vnnbench.instances.properties.property_file import property_json
from vnnbench.judging.candidates import Candidate, Trajectory, candidates_npz
from vnnbench.judging.judge import Judge
from vnnbench.leaderboard.records.schema import SCHEMA
from vnnbench.ledger.writer import instance_row
from vnnbench.output.progress import ProgressBar
from vnnbench.sharing.publish import publish

PROBLEMS, PER_PROBLEM, SIDE, LIMIT = 100, 10, 28, 300.0
SETTINGS = [
    (solver, json.dumps(options))
    for solver in ("gurobi", "highs", "scip", "cbc", "glpk")
    for options in ({}, {"presolve": "off"})
]


def main() -> None:
    """Make library and ledger, publish, print."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        points = write_library(folder / "library")
        library = Library.open(folder / "library")
        write_ledger(folder / "results", library, points)
        start = time.perf_counter()
        published = publish(folder / "results", LibrarySet((library,)), folder / "site", ProgressBar("publish"))
        seconds = time.perf_counter() - start
        sizes = []
        for page in (folder / "site").rglob("*.html"):
            script = page.with_suffix(".js")
            sizes.append(page.stat().st_size + (script.stat().st_size if script.exists() else 0))
        total = sum(path.stat().st_size for path in (folder / "site").rglob("*") if path.is_file())
        shown = len(list((folder / "site" / "pictures").iterdir()))
        runs = len(library.rows) * len(SETTINGS)
        print(
            f"{runs} runs on {len(library.rows)} instances: {seconds:.1f} s, {published.files} files, "
            f"{shown} pictures, {total / 1e6:.0f} MB; largest page with its data {max(sizes) / 1e6:.2f} MB"
        )


def write_library(folder: Path) -> dict[str, tuple[bytes, float] | None]:
    """Write the library; return by problem the candidates file of a run that finds a counterexample, and its value."""
    rng = np.random.default_rng(0)
    files: dict[str, str] = {}
    rows: list[CatalogRow] = []
    points: dict[str, tuple[bytes, float] | None] = {}

    def put(relative: str, data: bytes) -> str:
        (folder / relative).parent.mkdir(parents=True, exist_ok=True)
        (folder / relative).write_bytes(data)
        files[relative] = sha256(data)
        return relative

    for number in range(PROBLEMS):
        problem = f"mnist-28x28-2x64-s{number}-l1"
        widths = [SIDE**2, 64, 64, 10]
        network = Network(
            tuple(rng.normal(0, 1 / np.sqrt(m), (n, m)).astype(np.float32) for m, n in pairwise(widths)),
            tuple(rng.normal(0, 0.1, n).astype(np.float32) for n in widths[1:]),
        )
        centre = np.float32(rng.integers(0, 256, SIDE**2) / 255).astype(np.float64)
        target, source = np.argsort(network.forward(centre))[-2:].tolist()
        box = InputSet(Norm.L1, centre, 40.0, np.zeros(SIDE**2), np.ones(SIDE**2))
        prop = VerifyProperty(box, source, (target,), strict=True, dataset="mnist", sample=number)
        dense, asked = onnx_bytes(network), problem_of(prop)
        evaluators = asked.evaluators({"network": dense, "dense_network": dense})
        put(f"networks/{problem}.onnx", dense)
        property_path = put(f"properties/{problem}.json", property_json(prop))
        put(f"pictures/{problem}.png", picture_png(centre, SIDE))
        points[problem] = _candidates(Judge(asked, evaluators, lambda: read_mps(folder)), network, prop, rng)
        for place in range(PER_PROBLEM):
            name = f"{problem}-mag-u{10 * place}--tight" if place else f"{problem}--tight"
            rows.append(
                CatalogRow(
                    instance=name, instance_sha256=sha256(name.encode()), problem=problem, suite="synthetic",
                    input_side=SIDE, depth=2, width=64, seed=number, network=f"{problem}", dense_network=problem,
                    pruning="magnitude" if place else "none", structure="unstructured" if place else "none",
                    rate=place / 10 if place else None, finetuned=0, formulation="tight", bounds="split", accuracy=0.9,
                    dense_accuracy=0.95, rows=900, columns=1100, nonzeros=60_000, binaries=80, stable_active=30,
                    stable_inactive=18, unstable=80, constant_rounding=1e-9, model=put(f"models/{name}.mps.gz", b""),
                    property=property_path, centre_value=-1.0, **asked.facts(),  # type: ignore[arg-type]
                )
            )  # fmt: skip
    put("catalog.csv", catalog_bytes(rows))
    write_atomic(folder / "library.json", manifest_bytes("synthetic", None, [0], files))
    return points


def _candidates(
    judge: Judge, network: Network, prop: VerifyProperty, rng: np.random.Generator
) -> tuple[bytes, float] | None:
    """Return ten candidates along the gradient; the last has the largest value."""
    centre, row = prop.input_set.centre, [prop.targets[0], prop.source]
    slope = np.zeros(len(centre))
    for k in range(len(centre)):
        step = np.zeros(len(centre))
        step[k] = 0.5
        moved = network.forward(np.clip(centre + step, 0, 1))[row]
        slope[k] = moved[0] - moved[1]
    largest = np.argsort(-np.abs(slope - slope.mean()))[:60]
    towards = centre.copy()
    towards[largest] = (slope[largest] > slope.mean()).astype(float)
    found, best = Trajectory(), None
    for share in np.linspace(0.05, 1, 10):
        judged = judge.judge(centre + share * (towards - centre))
        if judged.point is not None and judged.value is not None:
            found.add(Candidate(judged.point, float(judged.value), float(share)))
            best = max(best or judged.value, judged.value) if judged.confirmed else best
    return None if best is None else (candidates_npz(found, None, []), float(best))


def write_ledger(results: Path, library: Library, points: dict[str, tuple[bytes, float] | None]) -> None:
    """Write every setting's run on every instance, with the candidates that are there."""
    (results / "candidates").mkdir(parents=True)
    connection = sqlite3.connect(results / "ledger.sqlite")
    connection.executescript(SCHEMA)
    machine = {"machine": "m", "cpu": "cpu", "cores": 2, "memory_bytes": 8, "kernel": "6", "python": "3"}
    _insert(connection, "machines", machine | {"packages": "{}"})
    rng = np.random.default_rng(1)
    for row in library.rows:
        _insert(connection, "instances", instance_row(library, row))
        hardness = float(rng.lognormal(1.5, 2.0))
        point = points[row.problem]
        path = results / "candidates" / f"{row.problem}.npz"
        if point is not None and not path.exists():
            path.write_bytes(point[0])
        for place, (solver, options) in enumerate(SETTINGS):
            run = sha256(f"{row.instance} {place}".encode())[:16]
            wall = min(hardness * (1 + place / 4) * float(rng.lognormal(0, 0.5)), LIMIT)
            found = point is not None and wall < LIMIT
            if found:
                os.link(path, results / "candidates" / f"{run}.npz")
            value = point[1] if point is not None and found else -0.5
            seconds = np.sort(rng.random(20)) * wall
            primal, dual = np.linspace(-1.0, value, 20), np.linspace(40.0, value + 0.01 if found else 9.0, 20)
            _insert(
                connection,
                "results",
                {
                    "run": run, "instance_sha256": row.instance_sha256, "solver": solver, "solver_version": "1.0",
                    "settings": options, "seed": 0, "threads": 1, "time_limit_seconds": LIMIT,
                    "memory_limit_bytes": 2**32, "goal": "decide", "message": "",
                    "termination": "interrupted" if found else "time_limit", "ended_by": "judge" if found else "solver",
                    "dual_bound": float(dual[-1]), "wall_seconds": wall, "nodes": int(20 * wall), "incumbents": 20,
                    "machine": "m", "enforcement": "namespace", "started_at": "2026-01-01T00:00:00Z",
                    "dual_steps": json.dumps(list(zip(seconds.tolist(), dual.tolist(), strict=True))),
                },
            )  # fmt: skip
            _insert(
                connection,
                "judgements",
                {
                    "run": run, "judged_at": "2026-01-01T00:00:00Z", "confirmed": int(found),
                    "evidence": "exact" if found else "none", "best_exact_value": value if found else None,
                    "float32_value": value, "raw_violation": 0.0, "judge_seconds": 0.01,
                    "first_success_seconds": wall if found else None, "own_answers": 2 * found,
                    "transferred_answers": int(found),
                    "primal_steps": json.dumps(list(zip(seconds.tolist(), primal.tolist(), strict=True))),
                },
            )  # fmt: skip
    connection.commit()
    connection.close()


def _insert(connection: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    marks = ", ".join("?" for _ in row)
    connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))  # noqa: S608


if __name__ == "__main__":
    main()
