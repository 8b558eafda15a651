"""The facts about this machine that the ledger stores with every run."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from importlib import metadata

import psutil

from vnnbench.common.cpu_model import cpu_model
from vnnbench.leaderboard.records.rows import MachineRow

_PACKAGES = (
    "vnnbench", "gurobipy", "highspy", "numpy", "onnx", "onnxruntime", "pyscipopt", "pyscipopt-ml", "scikit-learn",
    "scipy", "torch",
)  # fmt: skip


def machine_facts() -> MachineRow:
    """Return the facts about this machine. `machine` is a hash of the others: the row of a host that stays as it is."""
    facts: dict[str, str | int] = {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": psutil.virtual_memory().total,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": json.dumps(package_versions(), sort_keys=True),
        "host": platform.node(),
    }
    return MachineRow.of({"machine": machine_name(facts), **facts})


def machine_name(facts: Mapping[str, str | int | float | None]) -> str:
    """Return the name of a machine: the first 12 hex digits of the sha256 of its facts that are known."""
    known = {name: value for name, value in facts.items() if value is not None}
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:12]


def package_versions() -> dict[str, str]:
    """Return the installed versions of the packages that can change a result."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
