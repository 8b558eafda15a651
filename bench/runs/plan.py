"""The plan of runs: each is a solver setting with a seed on an instance under limits, and has a name of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from vnnbench.errors import UsageError
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.leaderboard.ranges import (
    DEFAULT_SECONDS,
    MAX_MEBIBYTES,
    MAX_SECONDS,
    MAX_SEED,
    MAX_THREADS,
    MIN_MEBIBYTES,
)
from vnnbench.ledger.run_identity import MAX_SETTINGS, PlanKey, StopGoal, attempt_name, run_name
from vnnbench.references.adapters import adapter_names, get_adapter
from vnnbench.solvers.base import OptionValue, Solver

MAX_NODES = 2**31 - 1
"""The largest node limit, which every solver accepts."""


@dataclass(frozen=True, slots=True)
class SolverSetting:
    """A solver with its options. mip_gap and node_limit mean the same with every solver.

    adapter: the path of a TOML file, for `get_adapter`; None for a solver that is known by its name. The contents of
    the file are among the options; its path is not part of a run's identity.
    ranked, reads_model, data_parts, families: as the adapter states them (`Solver`), the last two empty if it reads the
    model. They follow from solver and version, and are not part of a run's identity either.
    """

    solver: str
    version: str
    options: tuple[tuple[str, OptionValue], ...] = ()
    mip_gap: float = 0.0
    node_limit: int | None = None
    adapter: str | None = None
    ranked: bool = True
    reads_model: bool = True
    data_parts: tuple[str, ...] = ()
    families: tuple[str, ...] = ()

    def refusal(self, row: CatalogRow) -> str | None:
        """Return why an adapter that does not read the model cannot work on an instance; None if it can."""
        if self.families and row.family not in self.families:
            return f"is of family {row.family}, and {self.solver} is for {', '.join(self.families)}"
        lacking = next((part for part in self.data_parts if part not in row.data_files()), None)
        return None if lacking is None else f"has no {lacking}, on which {self.solver} works"

    @property
    def found_by(self) -> str:
        """The name or absolute path by which `get_adapter` finds the solver, whatever the current folder is."""
        return str(Path(self.adapter).resolve()) if self.adapter else self.solver

    @property
    def settings_json(self) -> str:
        """The settings that are not defaults, as in the ledger: JSON with sorted keys."""
        document: dict[str, OptionValue] = dict(self.options)
        if self.mip_gap:
            document["mip_gap"] = self.mip_gap
        if self.node_limit is not None:
            document["node_limit"] = self.node_limit
        return json.dumps(document, sort_keys=True)


@dataclass(frozen=True, slots=True)
class RunLimits:
    """The goal and the limits of a run."""

    goal: StopGoal = StopGoal.DECIDE
    time_limit_seconds: float = DEFAULT_SECONDS
    memory_limit_bytes: int = 4096 << 20
    threads: int = 1

    def check(self) -> None:
        """Check that every limit is one that a ledger can hold and a run can keep. Raises `UsageError`."""
        if not 0 < self.time_limit_seconds <= MAX_SECONDS:
            raise UsageError(f"time_limit_seconds={self.time_limit_seconds}: must be above 0 and at most {MAX_SECONDS}")
        if not MIN_MEBIBYTES << 20 <= self.memory_limit_bytes <= MAX_MEBIBYTES << 20:
            least, most = MIN_MEBIBYTES << 20, MAX_MEBIBYTES << 20
            raise UsageError(f"memory_limit_bytes={self.memory_limit_bytes}: must be from {least} to {most}")
        if not 1 <= self.threads <= MAX_THREADS:
            raise UsageError(f"threads={self.threads}: must be from 1 to {MAX_THREADS}")


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A planned run. `run` is its name: the first 16 hex digits of the sha256 of its plan key.

    permutation: 0 for the file as it is, else the seed of a permutation of its rows and columns.
    attempt: 1, or more when an earlier attempt at the same run is in the ledger and the run is repeated.
    """

    run: str
    row: CatalogRow
    setting: SolverSetting
    seed: int
    limits: RunLimits
    permutation: int = 0
    attempt: int = 1

    @property
    def name(self) -> str:
        """The name of this attempt in the ledger and of its files: `run`, for later ones with -2, -3 and so on."""
        return attempt_name(self.run, self.attempt)


def check_seeds(seeds: Sequence[int]) -> None:
    """Check that solver seeds are different whole numbers that every solver takes. Raises `UsageError`."""
    if not seeds or min(seeds) < 0 or max(seeds) > MAX_SEED or len(set(seeds)) < len(seeds):
        raise UsageError(f"seeds: give different whole numbers from 0 to {MAX_SEED}")


def parse_setting(text: str) -> SolverSetting:
    """Return the setting of a text NAME[:key=value,...] as on the command line. NAME may be the path of a TOML file.

    Raises `SolverError` for a solver, option or value that is not known, `UsageError` for a text of another form.
    """
    name, _, tail = text.partition(":")
    by_path = name not in adapter_names() and re.fullmatch(r"(.+?\.toml)(?::(.*))?", text)
    if by_path:
        name, tail = by_path[1], by_path[2] or ""
    given: dict[str, str] = {}
    for part in tail.split(",") if tail else []:
        key, separator, value = part.partition("=")
        if not separator or not key or not value or key in given:
            raise UsageError(f"--solver {text}: {part!r} must be key=value, with each key only once")
        given[key] = value
    return _setting(get_adapter(name), given, text, name if by_path else None)


def stored_setting(solver: str, settings: str) -> SolverSetting:
    """Return the setting with these options, JSON from a ledger, of a solver that is known by its name. Its version is
    that of the installed solver.

    Raises `SolverError` and `UsageError` as `parse_setting` does.
    """
    given = {name: str(value) for name, value in json.loads(settings).items()}
    return _setting(get_adapter(solver), given, solver)


def _setting(solver: Solver, given: dict[str, str], text: str, adapter: str | None = None) -> SolverSetting:
    mip_gap = _number(text, "mip_gap", given.pop("mip_gap", "0"))
    nodes = given.pop("node_limit", None)
    node_limit = None if nodes is None else int(_number(text, "node_limit", nodes, whole=True))
    options = solver.validate_options(given)
    solver.validate_limits(mip_gap, node_limit)
    own = tuple(sorted(options.items()))
    data_parts, families = ((), ()) if solver.reads_model else (solver.data_parts, solver.families)
    setting = SolverSetting(
        solver.name, solver.version(), own, mip_gap, node_limit, adapter,
        solver.ranked, solver.reads_model, data_parts, families,
    )  # fmt: skip
    if len(setting.settings_json) > MAX_SETTINGS:
        raise UsageError(f"--solver {text[:200]}...: its options have more than {MAX_SETTINGS} characters; give fewer")
    return setting


def _number(text: str, key: str, value: str, whole: bool = False) -> float:
    try:
        number = int(value) if whole else float(value)
    except ValueError:
        number = -1
    if not 0 <= number < float("inf") or (whole and number > MAX_NODES):
        wanted = f"whole number from 0 to {MAX_NODES}" if whole else "number of at least 0"
        raise UsageError(f"--solver {text[:200]}: {key}={value[:40]} must be a {wanted}")
    return number


def plan_runs(
    rows: Sequence[CatalogRow],
    settings: Sequence[SolverSetting],
    seeds: Sequence[int],
    limits: RunLimits,
    permutations: Sequence[int] = (0,),
    *,
    own_limits: bool = False,
) -> list[PlannedRun]:
    """Return all runs, instance by instance, so that all solvers run under similar load of the machine.

    permutations: numbers of permutations of each model, 0 for the file as it is; a solver that does not read the model
    gets no others. own_limits: an instance with a time limit of its own has that in place of the one in `limits`.
    Raises `UsageError` for a goal or solver that does not fit an instance.
    """
    if limits.goal is not StopGoal.OPTIMIZE:
        without = next((row.instance for row in rows if row.threshold is None), None)
        if without is not None:
            raise UsageError(f"--goal {limits.goal.value}: {without} has no threshold; use --goal optimize")
    for setting, row in product(settings, rows):
        if (why := setting.refusal(row)) is not None:
            raise UsageError(f"--solver {setting.solver}: {row.instance} {why}; leave it out with --select")
    keys: dict[str, PlannedRun] = {}
    for row in rows:
        own = replace(limits, time_limit_seconds=row.time_limit_seconds or limits.time_limit_seconds)
        of_row = own if own_limits else limits
        for seed, permutation, setting in product(seeds, permutations, settings):
            if permutation and not setting.reads_model:
                continue
            run = _run_name(row, setting, seed, of_row, permutation)
            keys.setdefault(run, PlannedRun(run, row, setting, seed, of_row, permutation))
    return list(keys.values())


def _run_name(row: CatalogRow, setting: SolverSetting, seed: int, limits: RunLimits, permutation: int) -> str:
    return run_name(
        PlanKey(
            instance_sha256=row.instance_sha256,
            solver=setting.solver,
            solver_version=setting.version,
            settings=setting.settings_json,
            seed=seed,
            threads=limits.threads,
            time_limit_seconds=float(limits.time_limit_seconds),  # 300 is 300.0
            memory_limit_bytes=limits.memory_limit_bytes,
            goal=limits.goal.value,
            permutation=permutation,
        )
    )


def shard(plan: Sequence[PlannedRun], text: str) -> list[PlannedRun]:
    """Return every N-th triple of instance, seed and permutation from the I-th on, for a text "I/N" with 1 <= I <= N,
    with the runs of all settings, so that settings meet on the same triples wherever a shard runs. Raises `UsageError`.
    """
    index, separator, count = text.partition("/")
    if not (separator and index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise UsageError(f"--shard {text}: must be I/N with 1 <= I <= N")
    triples = [(run.row.instance_sha256, run.seed, run.permutation) for run in plan]
    places = {triple: place for place, triple in enumerate(dict.fromkeys(triples))}
    own = int(index) - 1
    return [run for run, triple in zip(plan, triples, strict=True) if places[triple] % int(count) == own]
