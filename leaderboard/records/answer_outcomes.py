"""The outcomes of runs where the answer is known: planted by the author of a library, or proven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pandas as pd

from vnnbench.leaderboard.records.query_columns import is_dense
from vnnbench.leaderboard.records.settings import Setting
from vnnbench.leaderboard.words import Verdict
from vnnbench.solvers.base import Termination


class AnswerOutcome(StrEnum):
    """The outcome of a dense run on a known answer: found within the time limit, claimed otherwise, or neither."""

    FOUND = "found"
    MISSED = "missed"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """The outcomes of a setting's dense runs on known answers: counts of problems, runs and each `AnswerOutcome`."""

    setting: Setting
    problems: int
    runs: int
    found: int
    missed: int
    undecided: int


@dataclass(frozen=True, slots=True)
class KnownAnswers:
    """How often known answers were found.

    rows: one for each setting with a dense run on one, over all groups. problems: the number of problems with one.
    outcomes: each `AnswerOutcome` with its number of runs, where a run of two settings counts once.
    """

    rows: tuple[AnswerRow, ...] = ()
    problems: int = 0
    outcomes: tuple[tuple[str, int], ...] = ()


def answer_outcomes(runs: pd.DataFrame, answers: Mapping[str, str]) -> pd.Series[Any]:
    """Return the `AnswerOutcome` of every run, given answers, adversarial or robust, by the sha256 of the instance.

    It is None on surrogates, without a threshold, and for instances without a known answer.
    """
    outcomes = pd.Series([None] * len(runs), index=runs.index, dtype=object)
    about = runs["instance_sha256"].isin(list(answers)) & is_dense(runs) & runs["threshold"].notna()
    for row, run in zip(runs.index[about], runs.loc[about].to_dict("records"), strict=True):
        outcomes[row] = _outcome(run, answers[run["instance_sha256"]]).value
    return outcomes


def _outcome(run: dict[Any, Any], answer: str) -> AnswerOutcome:
    came = run["first_success_seconds" if answer == Verdict.ADVERSARIAL else "wall_seconds"]
    if run["verdict"] == answer and came <= run["time_limit_seconds"]:
        return AnswerOutcome.FOUND
    otherwise = _excludes(run) if answer == Verdict.ADVERSARIAL else run["verdict"] == Verdict.ADVERSARIAL
    return AnswerOutcome.MISSED if otherwise else AnswerOutcome.UNDECIDED


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


def count_answers(
    runs: pd.DataFrame, settings: Sequence[Setting], outcomes: pd.DataFrame, column: str
) -> tuple[AnswerRow, ...]:
    """Return a row for each setting with a dense run on a known answer, in the order of the settings.

    outcomes: those of `judge_outcomes`. column: that with the `AnswerOutcome`.
    """
    about = runs.loc[runs[column].notna(), ["problem", column]].join(outcomes["setting"])
    rows = []
    for position, setting in enumerate(settings):
        own = about[about["setting"] == position]
        counts = {outcome.value: int((own[column] == outcome).sum()) for outcome in AnswerOutcome}
        if len(own):
            rows.append(AnswerRow(setting, own["problem"].nunique(), len(own), **counts))
    return tuple(rows)
