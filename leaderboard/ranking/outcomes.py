"""The outcome of each run: solved or not, its time, refused, failed. These definitions are stated only here.

Only an answer within the time limit counts: a later counterexample, claim or optimum is a timeout, as in every
comparison of MILP solvers. The verdict of the run (`words.Verdict`), which is about the problem, keeps a late answer.

success     a counterexample confirmed within the solver's tolerance, which arrived within the time limit
optimal     the solver claims the optimum within the time limit, unless its own bound exceeds its value by more than
            CLAIM_TOLERANCE max(1, |value|), or is not known although its options allow a gap
robust      a claim within the time limit: certified by a checked proof, or by the solver alone
solved      goal find or decide: a success, or robust. Goal optimize: optimal, with a confirmed answer (a success,
            robust, a value): with this goal a good incumbent is not the answer. Never a wrong run
spent       not solved, although the file was solved to its end within the time limit (optimal, infeasible): none of the
            run's candidates is an answer. A surrogate's file says nothing about the dense network, and another run on
            it, which ends with other candidates, may find an answer. Never a wrong run
finished    solved or spent: the solver is done with the file, and nothing that it said of it is refuted
seconds     wall time of a finished run (at most its limit: stopping a solver takes a moment), else the time limit
values      a value was confirmed on a problem without a threshold, at a candidate that arrived within the time limit
wrong       fault solver or formulation
tolerance   fault tolerance: the run deviates within tolerances
refused     the run says nothing about the solver: its licence refused the model, or the operator stopped it
licence     refused by its licence (`license_limit`)
errors      the solver or its process failed
memory      ended by the memory limit, as the solver reports or by the harness
timeouts    ended by the time limit or the limit of processor time, as the solver reports or by the harness; or the
            answer, or the end of the file, came after the limit
other       ended by another limit (nodes, output), by the operator, or unresolved

Every run counts under exactly one of wrong, solved, spent and the last five: the first that applies, in this order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

import numpy as np
import pandas as pd

from vnnbench.common.text import shortened
from vnnbench.common.tolerances import CLAIM_TOLERANCE
from vnnbench.leaderboard.records.processors import CPU
from vnnbench.leaderboard.records.query_columns import is_dense
from vnnbench.leaderboard.records.schema import INSTANCE_COLUMNS, INSTANCE_NAMES
from vnnbench.leaderboard.records.settings import SETTING_COLUMNS, SETTING_LIMIT, Setting, by_setting, label_settings
from vnnbench.leaderboard.records.steps import best_in_time
from vnnbench.leaderboard.words import EndedBy, Evidence, Fault, LedgerError, Verdict
from vnnbench.solvers.base import Termination

GOAL = "goal"
APART = (CPU, GOAL)
"""The columns across which runs are never compared; runs can also be grouped by them, as by catalogue columns.

Times are comparable within one type of CPU only (`processors`), and a run with the goal optimize is not slow at finding
a first counterexample.
"""
ROLE, FORMULATION = "role", "formulation"
FILES = (ROLE, FORMULATION)
"""The columns that tell apart what a file is: of a dense network or of a surrogate (`with_roles`), and its formulation.
Solvers are compared on files of one kind."""

OPTIMIZE = "optimize"
"""The goal that asks for the optimum; all other goals ask for an answer."""

FLAGS = [
    "solved",
    "spent",
    "counterexamples",
    "robust_certified",
    "robust_claimed",
    "values",
    "timeouts",
    "memory",
    "errors",
    "license_limit",
    "other",
    "wrong",
    "tolerance",
]


@dataclass(frozen=True, slots=True, eq=False)
class JudgedRuns:
    """Runs of a ledger with their outcomes.

    runs: as `reader.read_runs` returns them, but a run that stands in two settings has a row in each
    (`settings.by_setting`), the second after all first ones. outcomes: one row for each of these rows, with the same
    index. Its columns are those of the module's docstring, `setting` and `group` as positions in the two lists,
    `triple`, which numbers the (instance, seed, permutation) triples of each CPU and goal, `limit`,
    `first_success_seconds` (NaN: none), `value` (the best value that `values` is about; NaN: none) and the `FLAGS`.
    settings: labelled and sorted. groups: one tuple of values per group, in the order of the columns that runs are
    grouped by, sorted.
    """

    runs: pd.DataFrame
    outcomes: pd.DataFrame
    settings: list[Setting]
    groups: list[tuple[object, ...]]

    def at(self, rows: np.ndarray) -> JudgedRuns:
        """Return the runs at these positions, or where this mask is true, with all settings and groups."""
        return replace(self, runs=self.runs.iloc[rows], outcomes=self.outcomes.iloc[rows])

    def with_outcomes(self, **columns: pd.Series | np.ndarray) -> JudgedRuns:
        """Return the same runs with these columns of the outcomes replaced or added."""
        return replace(self, outcomes=self.outcomes.assign(**columns))


class UnknownColumnError(LedgerError):
    """The catalogue has no column of the name to group by; name one of those that the message lists."""


def catalogue_column(name: str) -> str:
    """Return the column of `reader.read_runs` that holds the catalogue's column `name`, or one of `APART`, or `ROLE`.

    Raises `UnknownColumnError`.
    """
    if name in (*APART, ROLE):
        return name
    if name not in INSTANCE_COLUMNS:
        close = get_close_matches(name, INSTANCE_COLUMNS, n=1, cutoff=0.7)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(INSTANCE_COLUMNS)}"
        raise UnknownColumnError(f"--by {name}: the catalogue has no such column; {hint}")
    return INSTANCE_NAMES.get(name, name)


def with_roles(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with the column `ROLE`: "dense" on the problem itself, "surrogate" on a pruned network."""
    return runs.assign(**{ROLE: np.where(is_dense(runs), "dense", "surrogate")})


def grouped_by(runs: pd.DataFrame, by: Sequence[str], apart: Sequence[str] = APART) -> tuple[str, ...]:
    """Return the columns that group these runs: those of `apart` with several values, then the columns `by`."""
    several = [name for name in apart if runs[name].nunique(dropna=False) > 1]
    return tuple(dict.fromkeys([*several, *by]))


def labelled_settings(runs: pd.DataFrame) -> tuple[list[Setting], pd.Series[int]]:
    """Return the labelled settings of a ledger, sorted, and for every run the position of its setting."""
    columns = [SETTING_LIMIT if name == "time_limit_seconds" else name for name in SETTING_COLUMNS]
    code = runs.groupby(columns, sort=True, dropna=False).ngroup()
    first = runs.loc[~code.duplicated(), columns].assign(code=code).sort_values("code")
    settings = [
        Setting(
            solver=row["solver"],
            solver_version=row["solver_version"],
            settings=row["settings"],
            threads=int(row["threads"]),
            time_limit_seconds=None if pd.isna(row[SETTING_LIMIT]) else float(row[SETTING_LIMIT]),
            memory_limit_bytes=int(row["memory_limit_bytes"]),
            goal=row["goal"],
        )
        for row in first.to_dict("records")
    ]
    return label_settings(settings), code


def judge_outcomes(runs: pd.DataFrame, by: Sequence[str] = ()) -> JudgedRuns:
    """Return every run's outcome in each of its settings, in groups by these columns.

    Raises `LedgerError` if the steps of a run cannot be read, or if one run has two names.
    """
    runs = by_setting(runs)
    settings, setting = labelled_settings(runs)
    groups, group = _groups_of(runs, by)
    triple = runs.groupby([*APART, "instance_sha256", "seed", "permutation"], sort=False).ngroup()
    _check_names(runs, triple.to_numpy() * len(settings) + setting.to_numpy())
    places = {"setting": setting.to_numpy(), "group": group, "triple": triple.to_numpy()}
    answers = _answers(runs)
    outcomes = pd.DataFrame(places | answers | _ends(runs, answers), index=runs.index)
    return JudgedRuns(runs, outcomes, settings, groups)


def _check_names(runs: pd.DataFrame, plan: np.ndarray) -> None:
    """Raise `LedgerError` if two runs have the same number in `plan` (n_runs,), one for each triple and setting.

    A run's name is made from its plan, so vnnbench writes no such ledger; common sets count on it.
    """
    again = pd.Index(plan).duplicated()
    if again.any():
        name = shortened(str(runs["run"].iloc[again.argmax()]), 40)
        raise LedgerError(f"run {name}: is in the ledger under a second name too; vnnbench writes no such ledger")


def with_groups(judged: JudgedRuns, by: Sequence[str]) -> JudgedRuns:
    """Return the same runs in groups by these columns."""
    groups, group = _groups_of(judged.runs, by)
    return replace(judged.with_outcomes(group=group), groups=groups)


def with_limits(judged: JudgedRuns, limits: np.ndarray) -> JudgedRuns:
    """Return the same runs with other time limits (n_runs,) in seconds, and their outcomes within these."""
    runs = judged.runs.assign(time_limit_seconds=limits)
    answers = _answers(runs)
    changed: dict[str, np.ndarray] = answers | _ends(runs, answers)
    return replace(judged, runs=runs, outcomes=judged.outcomes.assign(**changed))


def _answers(runs: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the outcomes from success to tolerance, as in the module's docstring, with their times."""
    limit, wall, first = (
        runs[name].to_numpy(float) for name in ("time_limit_seconds", "wall_seconds", "first_success_seconds")
    )
    in_time = wall <= limit
    robust, value = _is(runs["verdict"], Verdict.ROBUST) & in_time, _values(runs)
    certified = _is(runs["evidence"], Evidence.CERTIFICATE)
    wrong = _is(runs["fault"], Fault.SOLVER, Fault.FORMULATION)
    success = _is(runs["verdict"], Verdict.ADVERSARIAL) & (first <= limit)
    optimal = _is(runs["termination"], Termination.OPTIMAL) & in_time & ~_leaves_a_gap(runs)
    found = optimal & (success | robust | ~np.isnan(value))
    solved = np.where(_is(runs["goal"], OPTIMIZE), found, success | robust) & ~wrong
    spent = (optimal | (_is(runs["termination"], Termination.INFEASIBLE) & in_time)) & ~solved & ~wrong
    return {
        "limit": limit,
        "finished": solved | spent,
        "seconds": np.where(solved | spent, np.minimum(wall, limit), limit),
        "first_success_seconds": np.where(success, first, np.nan),
        "solved": solved,
        "spent": spent,
        "counterexamples": success,
        "robust_certified": robust & certified,
        "robust_claimed": robust & ~certified,
        "value": value,
        "values": ~np.isnan(value),
        "wrong": wrong,
        "tolerance": _is(runs["fault"], Fault.TOLERANCE),
    }


def _values(runs: pd.DataFrame) -> np.ndarray:
    """Return each run's best value confirmed in time on a problem without a threshold; NaN elsewhere."""
    return best_in_time(runs, _is(runs["verdict"], Verdict.VALUE))


def _leaves_a_gap(runs: pd.DataFrame) -> np.ndarray:
    """Return where a claimed optimum may not be one: the bound exceeds the value, or is unknown with a gap allowed."""
    value, bound = (runs[name].to_numpy(float) for name in ("claimed_value", "dual_bound"))
    allowed = {text: "gap" in text.lower() for text in runs["settings"].unique()}
    unknown: np.ndarray = np.isnan(bound - value) & runs["settings"].map(allowed).to_numpy(bool)
    known: np.ndarray = bound - value > CLAIM_TOLERANCE * np.maximum(1.0, np.abs(value))
    leaves: np.ndarray = unknown | known
    return leaves


def _ends(runs: pd.DataFrame, answers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return which runs were refused, and the outcomes from license_limit to other of the module's docstring."""
    said, ended_by = runs["termination"], runs["ended_by"]
    answered = _is(runs["verdict"], Verdict.ADVERSARIAL) & ~answers["counterexamples"]
    answered |= _is(runs["verdict"], Verdict.VALUE) & ~answers["values"]
    answered |= _is(runs["verdict"], Verdict.ROBUST) | _is(said, Termination.OPTIMAL, Termination.INFEASIBLE)
    late = (runs["wall_seconds"].to_numpy(float) > answers["limit"]) & answered
    license_limit = _is(said, Termination.LICENSE_LIMIT)
    ends = {
        "license_limit": license_limit,
        "errors": _is(said, Termination.ERROR) | _is(ended_by, EndedBy.CRASH),
        "memory": _is(said, Termination.MEMORY_LIMIT) | _is(ended_by, EndedBy.MEMORY),
        "timeouts": _is(said, Termination.TIME_LIMIT) | _is(ended_by, EndedBy.TIME, EndedBy.CPU) | late,
    }
    counted = answers["solved"] | answers["spent"] | answers["wrong"]
    flags = {"refused": license_limit | _is(ended_by, EndedBy.OPERATOR)}
    for name, ended in ends.items():
        flags[name] = ended & ~counted
        counted = counted | ended
    return flags | {"other": ~counted}


def _is(column: pd.Series, *words: str) -> np.ndarray:
    """Return where a text column holds one of these words; null is not one."""
    return column.isin([str(word) for word in words]).to_numpy(bool)


def _groups_of(runs: pd.DataFrame, by: Sequence[str]) -> tuple[list[tuple[object, ...]], np.ndarray]:
    columns = [catalogue_column(name) for name in by]
    if not columns or runs.empty:
        return [()], np.zeros(len(runs), dtype=np.int64)
    code = runs.groupby(columns, sort=True, dropna=False).ngroup().to_numpy()
    _, first = np.unique(code, return_index=True)
    table = runs.iloc[first]
    values = [[catalogue_value(v, name) for v in table[column]] for name, column in zip(by, columns, strict=True)]
    return list(zip(*values, strict=True)), code


def catalogue_value(value: object, name: str) -> object:
    """Return a value of the catalogue, or of one of `APART` or `ROLE`, as a Python value.

    Null becomes None, and integers stay integers beside nulls.
    """
    if pd.isna(value):  # type: ignore[call-overload]
        return None
    kind = "TEXT" if name in (*APART, ROLE) else INSTANCE_COLUMNS[name].split()[0]
    return {"INTEGER": int, "REAL": float, "TEXT": str}[kind](value)
