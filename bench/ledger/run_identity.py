"""The identity of a run: its plan key, its name, and the names of attempts at it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Self

from vnnbench.leaderboard.records.rows import ResultRow

MAX_SETTINGS = 10_000
"""The most characters of a solver's own options, as JSON in the ledger."""


class Retry(StrEnum):
    """The ways in which an attempt may have ended for `run --retry` to make another one.

    ERROR: the solver reported an error, or its adapter raised an exception. CRASH: the solver's process crashed.
    DISTURBED: the machine was busy with other work.
    """

    ERROR = "error"
    CRASH = "crash"
    DISTURBED = "disturbed"


class StopGoal(StrEnum):
    """The goals of a run, which say when it stops.

    FIND: at the first confirmed answer (on a surrogate, Algorithm 1 of Pham et al. 2025, arXiv:2505.01985). DECIDE: at
    the first confirmed answer, or, on a dense instance, when the dual bound rules one out. OPTIMIZE: when the solver
    has proven optimality.
    """

    FIND = "find"
    DECIDE = "decide"
    OPTIMIZE = "optimize"


@dataclass(frozen=True, slots=True)
class PlanKey:
    """The fields of table `results` that identify a run. Results with the same key are attempts at one run."""

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


def run_name(key: PlanKey, submission: str | None = None) -> str:
    """Return the first 16 hex digits of the sha256 of a plan key.

    submission: what the run was submitted with (`ResultRow.submission`), which makes its name differ from that of the
    same run made here or submitted by others; None for runs made here.
    """
    document = asdict(key)
    document["version"] = document.pop("solver_version")
    if not key.permutation:  # older versions ran the file as it is under a key without a permutation
        del document["permutation"]
    if submission is not None:
        document["machine"] = submission  # it is the name of a machine
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]


def attempt_name(run: str, attempt: int) -> str:
    """Return the name of an attempt at a run: the run's own name, from the second attempt on with -2, -3 and so on."""
    return run if attempt == 1 else f"{run}-{attempt}"
