"""The identity of a run: its plan key, its name, and the names of attempts at it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Self

from vnnbench.leaderboard.records.rows import ResultRow

MAX_SETTINGS = 10_000
"""Characters of a solver's own options, as they stand in the ledger."""


class Retry(StrEnum):
    """What an attempt may have come to for which `run --retry` makes another one.

    ERROR: the solver said so, or its adapter raised. CRASH: it broke down. DISTURBED: the machine was busy elsewhere.
    """

    ERROR = "error"
    CRASH = "crash"
    DISTURBED = "disturbed"


class StopGoal(StrEnum):
    """When a run has its answer.

    FIND: at the first confirmed answer (Algorithm 1 of [P] on a surrogate). DECIDE: then, or on a dense instance when
    the dual bound leaves no room for one. OPTIMIZE: when the solver has proven optimality.
    """

    FIND = "find"
    DECIDE = "decide"
    OPTIMIZE = "optimize"


@dataclass(frozen=True, slots=True)
class PlanKey:
    """What makes a run another one, as table `results` has it. Runs of the same key are attempts at one run."""

    instance_sha256: str
    solver: str
    solver_version: str
    settings: str
    seed: int
    threads: int
    time_limit_seconds: float
    memory_limit_bytes: int
    goal: str
    permutation: int

    @classmethod
    def of(cls, result: ResultRow) -> Self:
        """Return the key of the run that left this result."""
        return cls(**{field.name: getattr(result, field.name) for field in fields(cls)})


def run_name(key: PlanKey, machine: str | None = None) -> str:
    """Return the first 16 hex digits of the sha256 of a plan key.

    machine: where the run was submitted from; None for our own runs, so that what others ran on their machines is not
    taken for what was run here.
    """
    document = asdict(key)
    document["version"] = document.pop("solver_version")
    if not key.permutation:  # the file as it is was run before there were permutations, under a key without one
        del document["permutation"]
    if machine is not None:
        document["machine"] = machine
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]


def attempt_name(run: str, attempt: int) -> str:
    """The name of an attempt at a run (plan key): the run's own, from the second attempt on with -2, -3 and so on."""
    return run if attempt == 1 else f"{run}-{attempt}"
