"""Planted answers: the reader of the sealed files beside a ledger, and the outcomes of runs on them.

RESULTS/sealed/SHA256.json is the sealed file of a library that was run (`instances.library.sealed_answers` writes it).
It holds problems whose answer is known by construction, and their instances. Readers of the ledger check every claim
against them (`views`):

    planted counterexample    a witness like that of any run: it refutes a bound below its value, and `infeasible`, and
                              voids `robust`
    planted robustness        a value of the dense network above its proven bound, in any run, means that the judge or
                              the construction is broken: fault `formulation`, with this reason
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pandas as pd

from vnnbench.leaderboard.records.named_files import digests, read_named
from vnnbench.leaderboard.records.query_columns import is_dense
from vnnbench.leaderboard.records.settings import Setting
from vnnbench.solvers.base import Termination

SEALED_FOLDER = "sealed"
MAX_SEALED_BYTES, MAX_SEALED_CONTAINERS = 64 << 20, 100_000
"""The limits of a sealed file, the same as for its writer (`vnnbench.instances.limits`)."""


class PlantedAnswer(StrEnum):
    """The planted answers, named by the verdict that they require."""

    ADVERSARIAL = "adversarial"
    ROBUST = "robust"


class PlantedOutcome(StrEnum):
    """The outcome of a dense run on a planted answer: found within the time limit, claimed otherwise, or neither."""

    FOUND = "found"
    MISSED = "missed"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Planted:
    """The planted answer of a problem.

    value: one that the dense network reaches (adversarial), or one that it provably does not exceed (robust).
    """

    answer: PlantedAnswer
    value: float


@dataclass(frozen=True, slots=True)
class PlantedRow:
    """The outcomes of a setting's dense runs on planted answers: counts of problems, runs and each `PlantedOutcome`."""

    setting: Setting
    problems: int
    runs: int
    found: int
    missed: int
    undecided: int


def read_sealed(folder: Path) -> dict[str, Planted]:
    """Return the planted answers by instance_sha256, of all sealed files in the folder; none without a folder.

    Raises ValueError, one line: a file is broken, is not what its name says, or contradicts another.
    """
    known: dict[str, Planted] = {}
    for path in sorted(folder.glob("*.json")):
        for digest, planted in _read_one(path).items():
            if known.setdefault(digest, planted).answer is not planted.answer:
                raise ValueError(f"{path}: contradicts another sealed file of the folder on instance {digest[:16]}")
    return known


def _read_one(path: Path) -> dict[str, Planted]:
    def parse(entries: list[Any]) -> dict[str, Planted]:
        return {digest: _planted(entry) for entry in entries for digest in digests(entry)}

    return read_named(path, "planted answers", MAX_SEALED_BYTES, MAX_SEALED_CONTAINERS, parse)


def _planted(entry: dict[str, Any]) -> Planted:
    answer = PlantedAnswer(entry["answer"])
    value = float(entry[{PlantedAnswer.ADVERSARIAL: "value", PlantedAnswer.ROBUST: "bound"}[answer]])
    if not math.isfinite(value):
        raise ValueError(f"value {value} is not finite")
    return Planted(answer, value)


def planted_outcomes(runs: pd.DataFrame, answers: Mapping[str, str]) -> pd.Series[Any]:
    """Return the `PlantedOutcome` of every run, given the planted answers of instances by sha256.

    It is None on surrogates, and for instances without a planted answer.
    """
    outcomes = pd.Series([None] * len(runs), index=runs.index, dtype=object)
    about = runs["instance_sha256"].isin(list(answers)) & is_dense(runs)
    for row, run in zip(runs.index[about], runs.loc[about].to_dict("records"), strict=True):
        outcomes[row] = _outcome(run, answers[run["instance_sha256"]]).value
    return outcomes


def _outcome(run: dict[Any, Any], answer: str) -> PlantedOutcome:
    came = run["first_success_seconds" if answer == PlantedAnswer.ADVERSARIAL else "wall_seconds"]
    if run["verdict"] == answer and came <= run["time_limit_seconds"]:
        return PlantedOutcome.FOUND
    otherwise = _excludes(run) if answer == PlantedAnswer.ADVERSARIAL else run["verdict"] == PlantedAnswer.ADVERSARIAL
    return PlantedOutcome.MISSED if otherwise else PlantedOutcome.UNDECIDED


def _excludes(run: dict[Any, Any]) -> bool:
    """Return whether the run claims that there is no counterexample, by `infeasible` or by its bound."""
    if run["termination"] == Termination.INFEASIBLE:
        return True
    bound = run["dual_bound"]
    if pd.isna(bound) and run["termination"] == Termination.OPTIMAL:
        bound = run["claimed_value"]
    if pd.isna(bound) or pd.isna(run["threshold"]):
        return False
    highest = bound + run["constant_rounding"]
    return bool(highest < run["threshold"] or (run["strict"] and highest == run["threshold"]))


def count_planted(runs: pd.DataFrame, settings: Sequence[Setting], outcomes: pd.DataFrame) -> tuple[PlantedRow, ...]:
    """Return a row for each setting with a dense run on a planted answer, in the order of the settings.

    outcomes: those of `judge_outcomes`.
    """
    about = runs.loc[runs["planted"].notna(), ["problem", "planted"]].join(outcomes["setting"])
    rows = []
    for position, setting in enumerate(settings):
        own = about[about["setting"] == position]
        counts = {outcome.value: int((own["planted"] == outcome).sum()) for outcome in PlantedOutcome}
        if len(own):
            rows.append(PlantedRow(setting, own["problem"].nunique(), len(own), **counts))
    return tuple(rows)
