"""The identity of a run: its plan key, its name, and the names of attempts at it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

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


_PLAN_KEY = (
    "instance_sha256", "solver", "settings", "seed", "threads", "time_limit_seconds", "memory_limit_bytes", "goal",
)  # fmt: skip


def run_name(facts: Mapping[str, Any], machine: str | None = None) -> str:
    """The first 16 hex digits of the sha256 of a plan key, from the columns of table `results` that make it up.

    machine: where the run was submitted from; None for our own runs, so that what others ran on their machines is not
    taken for what was run here.
    """
    key = {name: facts[name] for name in _PLAN_KEY} | {"version": facts["solver_version"]}
    if facts["permutation"]:  # the file as it is was run before there were permutations, under a key without one
        key["permutation"] = facts["permutation"]
    if machine is not None:
        key["machine"] = machine
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]


def attempt_name(run: str, attempt: int) -> str:
    """The name of an attempt at a run (plan key): the run's own, from the second attempt on with -2, -3 and so on."""
    return run if attempt == 1 else f"{run}-{attempt}"
