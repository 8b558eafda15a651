"""Planned runs as JSON, for a machine that has the same library.

    {"planned": {"run", "attempt", "instance", "instance_sha256", "solver", "solver_version", "settings", "adapter",
                 "ranked", "reads_model", "seed", "permutation", "threads", "time_limit_seconds", "memory_limit_bytes",
                 "goal"},
     "sha256": of the JSON of `planned`}

The fields are those of the table `results`. `settings` is the text in that table. `adapter` is the absolute path of a
TOML file, which must exist on the other machine too, or null. `ranked` and `reads_model` (0 or 1) are what the adapter
reported where the run was planned. `run` follows from the others, as it always does.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from vnnbench.errors import ResultsError, UsageError
from vnnbench.instances.errors import LibraryError
from vnnbench.instances.files import parse_json, sha256
from vnnbench.instances.library.library import Library
from vnnbench.leaderboard.records.rows import InstanceRow, ResultRow
from vnnbench.ledger.fields import row_defect
from vnnbench.ledger.run_identity import StopGoal
from vnnbench.limits import RUN_LIMIT
from vnnbench.runs.plan import MAX_NODES, PlannedRun, RunLimits, SolverSetting, plan_runs
from vnnbench.solvers.base import OptionValue

_COLUMNS = {
    **{
        name: ResultRow.COLUMNS[name]
        for name in (
            "run", "attempt", "instance_sha256", "solver", "solver_version", "settings", "seed", "permutation",
            "threads", "time_limit_seconds", "memory_limit_bytes", "goal", "ranked",
        )
    },
    "reads_model": "INTEGER NOT NULL",
    "instance": InstanceRow.COLUMNS["instance"],
    "adapter": "TEXT",
}  # fmt: skip
"""Types by field, as SQL has them."""


def planned_json(planned: PlannedRun) -> bytes:
    """Return a planned run as JSON. Raises `ResultsError` for a run that `plan_runs` cannot have planned."""
    document = _document(planned)
    _check(document, f"run {planned.name}")
    return _json(document)


def parse_planned(data: bytes, name: str, library: Library) -> PlannedRun:
    """Return the planned run with this `PlannedRun.name`, whose instance must be in the library under the same name.

    Raises `ResultsError`, in one line, when the JSON is not that of `planned_json` for this run.
    """
    source = f"run {name}"
    found = parse_json(data, RUN_LIMIT, lambda what: ResultsError(f"{source}: {what}"))
    document = found.get("planned") if isinstance(found, dict) else None
    if not isinstance(document, dict):
        raise ResultsError(f"{source}: is not a planned run")
    _check(document, source)
    if data != _json(document):
        raise ResultsError(f"{source}: was altered (sha256 differs)")
    try:
        row = library.row(document["instance"])
    except LibraryError as error:
        raise ResultsError(f"{source}: {error}") from error
    if row.instance_sha256 != document["instance_sha256"]:
        raise ResultsError(f"{source}: its instance {row.instance} is another one in {library.folder} (sha256 differs)")
    limits = RunLimits(
        StopGoal(document["goal"]),
        document["time_limit_seconds"],
        document["memory_limit_bytes"],
        document["threads"],
    )
    try:
        plan = plan_runs([row], [_setting(document)], [document["seed"]], limits, [document["permutation"]])
    except UsageError as error:
        raise ResultsError(f"{source}: {error}") from error
    planned = [replace(run, attempt=document["attempt"]) for run in plan]
    if [(run.run, run.name) for run in planned] != [(document["run"], name)]:
        raise ResultsError(f"{source}: its name does not follow from its plan")
    return planned[0]


def _document(planned: PlannedRun) -> dict[str, Any]:
    setting, limits = planned.setting, planned.limits
    return {
        "run": planned.run,
        "attempt": planned.attempt,
        "instance": planned.row.instance,
        "instance_sha256": planned.row.instance_sha256,
        "solver": setting.solver,
        "solver_version": setting.version,
        "settings": setting.settings_json,
        "adapter": setting.found_by if setting.adapter else None,
        "ranked": int(setting.ranked),
        "reads_model": int(setting.reads_model),
        "seed": planned.seed,
        "permutation": planned.permutation,
        "threads": limits.threads,
        "time_limit_seconds": float(limits.time_limit_seconds),
        "memory_limit_bytes": limits.memory_limit_bytes,
        "goal": limits.goal.value,
    }


def _json(document: dict[str, Any]) -> bytes:
    """Return the JSON of a planned run. Other bytes were altered."""
    planned = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    return orjson.dumps({"planned": document, "sha256": sha256(planned)}, option=orjson.OPT_SORT_KEYS)


def _check(document: dict[str, Any], source: str) -> None:
    """Raise `ResultsError` when a field is missing or has a value that no run has."""
    if (wrong := row_defect(document, _COLUMNS)) is not None:
        raise ResultsError(f"{source}: {wrong}")
    mip_gap, node_limit = (json.loads(document["settings"]).get(name) for name in ("mip_gap", "node_limit"))
    if mip_gap is not None and not (type(mip_gap) is float and 0 < mip_gap < float("inf")):
        raise ResultsError(f"{source}: mip_gap in settings is not a number above 0")
    if node_limit is not None and not (type(node_limit) is int and 0 <= node_limit <= MAX_NODES):
        raise ResultsError(f"{source}: node_limit in settings is not a whole number from 0 to {MAX_NODES}")
    if document["adapter"] is not None and not Path(document["adapter"]).is_absolute():
        raise ResultsError(f"{source}: adapter is not an absolute path")


def _setting(document: dict[str, Any]) -> SolverSetting:
    """Return the setting that a checked document describes."""
    options: dict[str, OptionValue] = json.loads(document["settings"])
    mip_gap, node_limit = options.pop("mip_gap", 0.0), options.pop("node_limit", None)
    return SolverSetting(
        document["solver"],
        document["solver_version"],
        tuple(sorted(options.items())),
        mip_gap,  # type: ignore[arg-type]
        node_limit,  # type: ignore[arg-type]
        document["adapter"],
        bool(document["ranked"]),
        bool(document["reads_model"]),
    )
