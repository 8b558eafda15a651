"""The last step of a generation: tables, provenance and planted answers, and then library.json."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import orjson

from vnnbench.common.cpu_model import cpu_model
from vnnbench.instances.files import sha256, write_atomic
from vnnbench.instances.generation.checkpoint import Record
from vnnbench.instances.layout import CATALOG, INSTANCES, MANIFEST, PROVENANCE, SEALED, TIMINGS, network_file
from vnnbench.instances.library.catalog import CatalogRow, catalog_bytes, timings_bytes
from vnnbench.instances.library.instance_list import instance_list
from vnnbench.instances.library.library import Library, manifest_bytes
from vnnbench.instances.library.sealed_answers import PlantedProblem, Seal, parse_answer, seal_bytes
from vnnbench.instances.suites.suite import PlannedInstance, Suite

RECIPE = 4
"""The version of the recipe. Increase it with every change of this package that changes a file's bytes: then an older
unfinished generation is refused."""

_PACKAGES = ("numpy", "onnx", "pillow", "pyscipopt", "pyscipopt-ml", "scikit-learn", "torch")
"""The packages whose versions may change the bytes."""


def recipe() -> dict[str, Any]:
    """Return what, beside suite and CPU, decides the bytes: `RECIPE` and the versions of Python and packages."""
    return {"recipe": RECIPE, **_versions()}


def finish(
    suite: Suite,
    instances: Sequence[PlannedInstance],
    folder: Path,
    records: list[Record],
    networks_from: Library | None,
    seal: tuple[str, dict[str, dict[str, Any]]] | None,
) -> None:
    """Write the tables, provenance and the sealed file, then the manifest, which makes the library complete.

    seal: the key and the planted answers by problem.
    """
    rows = {row["instance"]: CatalogRow(**row) for record in records for row in record.rows}
    timings = {name: values for record in records for name, values in record.timings.items()}
    files = {path: digest for record in records for path, digest in record.files.items()}
    names = [instance.name for instance in instances]
    tables = {
        CATALOG: catalog_bytes(rows[name] for name in names),
        INSTANCES: instance_list((rows[name] for name in names), files),
    }
    for path, data in tables.items():
        write_atomic(folder / path, data)
        files[path] = sha256(data)
    write_atomic(folder / TIMINGS, timings_bytes({name: timings[name] for name in names}))
    networks = {
        name: facts
        for record in records
        for name, facts in sorted(record.networks.items())
        if network_file(name) in files
    }
    provenance = _provenance(suite, networks, networks_from)
    write_atomic(folder / PROVENANCE, orjson.dumps(provenance, default=str, option=orjson.OPT_INDENT_2) + b"\n")
    if seal is not None:
        data = _sealed(suite, list(rows.values()), files, *seal)
        write_atomic(folder / SEALED, data)
        files[SEALED] = sha256(data)
    seeds = list(dict.fromkeys(instance.seed for instance in instances))
    manifest = manifest_bytes(suite.name, suite.sha256, seeds, files)
    write_atomic(folder / MANIFEST, manifest)


def _sealed(
    suite: Suite, rows: list[CatalogRow], files: dict[str, str], key: str, answers: dict[str, dict[str, Any]]
) -> bytes:
    """Return the bytes of the sealed file, with the answers of the problems that are in the library."""
    planted = []
    for problem, answer in sorted(answers.items()):
        of_problem = [row for row in rows if row.problem == problem]
        if of_problem:
            planted.append(
                PlantedProblem(
                    problem,
                    dense_sha256=files[of_problem[0].data_files()["dense_network"]],
                    property_sha256=files[of_problem[0].property],
                    instances={row.instance: row.instance_sha256 for row in of_problem},
                    answer=parse_answer(answer),
                )
            )
    return seal_bytes(Seal(suite.name, key, tuple(planted)))


def _provenance(suite: Suite, networks: dict[str, dict[str, Any]], networks_from: Library | None) -> dict[str, Any]:
    """Return the origin of the library, which is not hashed, because it differs from run to run."""
    return {
        "generated_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "recipe": RECIPE,
        "versions": {"vnnbench": _version("vnnbench"), **_versions()},
        "machine": {"cpu": cpu_model(), "cores": os.cpu_count(), "system": platform.platform()},
        "suite": asdict(suite),
        "networks_from": str(networks_from.folder) if networks_from else None,
        "networks": networks,
    }


def _versions() -> dict[str, str | None]:
    return {"python": platform.python_version(), **{package: _version(package) for package in _PACKAGES}}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
