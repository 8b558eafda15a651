"""The contents that all pages share, made once of a ledger: settings, instances, runs and suites, with their pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from vnnbench.leaderboard.benchmark_sets.difficulty import Difficulty, measure_difficulty
from vnnbench.leaderboard.file_names import file_names
from vnnbench.leaderboard.ranking.integrals import references
from vnnbench.leaderboard.ranking.leaderboard import Leaderboard, WrongAnswer, build_leaderboard, wrong_answers
from vnnbench.leaderboard.ranking.outcomes import FILES, GOAL, JudgedRuns, judge_outcomes, with_roles
from vnnbench.leaderboard.ranking.reference import told_by_solvers, without_reference
from vnnbench.leaderboard.records.processors import CPU
from vnnbench.leaderboard.records.proven import Proven
from vnnbench.leaderboard.records.schema import INSTANCE_COLUMNS, JUDGEMENT_COLUMNS, RESULT_COLUMNS
from vnnbench.leaderboard.records.settings import Setting, options_of
from vnnbench.leaderboard.site.citations import NO_BYLINE, Byline
from vnnbench.leaderboard.site.evidence import InstanceEvidence, LibraryCopy
from vnnbench.leaderboard.site.heads import word_of
from vnnbench.leaderboard.site.styles import Look, look_of
from vnnbench.leaderboard.text import NONE

NO_SUITE = "imported"
"""The name that stands for a suite where instances belong to none."""
SIBLINGS_SHOWN = 12
"""The most instances of a problem that the page of each lists; else the problem has a page, and sites stay small."""
Record = dict[str, Any]
"""A row of the ledger, SQL null as None."""


@dataclass(frozen=True, slots=True)
class Source:
    """The input of a site: tables of a ledger, and what its libraries add by instance_sha256.

    runs: as `reader.read_runs` gives them. machines: table `machines`. witnesses: run, witness and refuted of the view
    `faults`, for the runs that are wrong. logs: by run, of these and of their witnesses, where there is one. published:
    the date and the time, which begin with the year. libraries: the copies that the site holds. proven: the
    proven answers by instance_sha256.
    """

    runs: pd.DataFrame
    machines: pd.DataFrame
    witnesses: pd.DataFrame
    evidence: Mapping[str, InstanceEvidence]
    logs: Mapping[str, str]
    published: str
    byline: Byline = NO_BYLINE
    libraries: tuple[LibraryCopy, ...] = ()
    proven: Mapping[str, Proven] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SettingPage:
    """A setting, its number among all, its look and its page.

    A solver with the same options has one look, whatever its goal. is_reference: it is not ranked, but shown beside the
    solvers and never among them."""

    number: int
    look: Look
    setting: Setting
    href: str
    is_reference: bool


@dataclass(frozen=True, slots=True, eq=False)
class InstancePage:
    """An instance, its page and its runs. facts: the catalogue's columns. answer: see `_answer`.
    best: the largest exact value."""

    name: str
    href: str
    facts: Record
    runs: tuple[Record, ...]
    answer: str
    best: float | None


@dataclass(frozen=True, slots=True, eq=False)
class FileRanking:
    """The ranking of the settings with one goal, on one type of CPU, on files of one kind: a run for the optimum is not
    slow at finding a first counterexample, and the end of a surrogate's file says nothing about the dense network.

    role: "dense" or "surrogate". part: in words, what distinguishes it from the other rankings of the same runs; ""
    where it is the only one. rows: the places of the runs in the ledger."""

    goal: str
    cpu: str
    role: str
    formulation: str
    part: str
    href: str
    leaderboard: Leaderboard
    rows: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class SuitePage:
    """A suite, its page, its rankings and its instances."""

    name: str
    href: str
    leaderboard: Leaderboard
    rankings: tuple[FileRanking, ...]
    instances: tuple[InstancePage, ...]


@dataclass(frozen=True, eq=False)
class Contents:
    """Everything that is shown.

    There is one record of every run. It has, beside the run's columns, `setting_numbers` (its settings, most often
    one), `solved`, `spent`, `seconds`, `counted_first` (the time of its first success within the limit), `is_wrong` and
    `is_failed`, as `outcomes.judge_outcomes` defines them."""

    source: Source
    leaderboard: Leaderboard
    rankings: tuple[FileRanking, ...]
    judged: JudgedRuns
    settings: tuple[SettingPage, ...]
    instances: tuple[InstancePage, ...]
    suites: tuple[SuitePage, ...]
    records: tuple[Record, ...]
    instance_of: dict[str, InstancePage] = field(default_factory=dict)
    record_of: dict[str, Record] = field(default_factory=dict)

    def setting_of(self, record: Record) -> SettingPage:
        """Return the setting of a run; of two the one with own limits."""
        return self.settings_of(record)[0]

    def settings_of(self, record: Record) -> list[SettingPage]:
        """Return all settings of a run."""
        return [self.settings[number] for number in record["setting_numbers"]]

    def page_of(self, setting: Setting) -> SettingPage:
        """Return the page of a setting of any leaderboard; one of a part of the ledger may label it differently."""
        return self._pages[setting.unlabelled]

    @cached_property
    def problem_pages(self) -> dict[str, str]:
        """The addresses of the pages of problems with more instances than the page of each could list."""
        names = file_names(problem for problem, own in self._problems.items() if len(own) > SIBLINGS_SHOWN)
        return {problem: f"problems/{name}.html" for problem, name in names.items()}

    def of_problem(self, problem: str) -> list[InstancePage]:
        """Return all instances of a problem."""
        return self._problems[problem]

    @cached_property
    def has_thresholds(self) -> bool:
        """Whether a problem has a threshold, so that there are counterexamples beside values."""
        return any(page.facts["threshold"] is not None for page in self.instances)

    @cached_property
    def has_networks(self) -> bool:
        """Whether a problem is about a given network."""
        return any(page.facts["dense_network"] is not None for page in self.instances)

    @cached_property
    def has_training(self) -> bool:
        """Whether a problem asks for a network that fits data."""
        return any(page.facts["variant"] is not None for page in self.instances)

    @cached_property
    def difficulty(self) -> dict[str, tuple[Difficulty, float]]:
        """The difficulty, with its seconds, of every instance that was measured, by the hash of the instance."""
        runs = without_reference(self.source.runs)
        if runs.empty:
            return {}
        table = measure_difficulty(runs)
        words = map(Difficulty, table["difficulty"])
        return dict(zip(table.index, zip(words, table["seconds"].tolist(), strict=True), strict=True))

    @cached_property
    def _problems(self) -> dict[str, list[InstancePage]]:
        found: dict[str, list[InstancePage]] = {}
        for page in self.instances:
            found.setdefault(page.facts["problem"], []).append(page)
        return found

    @cached_property
    def _pages(self) -> dict[Setting, SettingPage]:
        return {page.setting.unlabelled: page for page in self.settings}


def gather(source: Source) -> Contents:
    """Return everything that the pages need."""
    runs = source.runs
    judged = judge_outcomes(runs)
    found = judged.settings
    names = file_names(setting.label for setting in found)
    ranked = set(judged.outcomes.loc[(judged.runs["ranked"] == 1).to_numpy(bool), "setting"])
    # The reference is last, so that the solvers look the same with or without it.
    in_order = sorted(range(len(found)), key=lambda number: number not in ranked)
    contestants = list(dict.fromkeys(replace(found[number].unlabelled, goal="") for number in in_order))
    settings = tuple(
        SettingPage(
            number,
            look_of(contestants.index(replace(setting.unlabelled, goal=""))),
            setting,
            f"settings/{names[setting.label]}.html",
            number not in ranked,
        )
        for number, setting in enumerate(found)
    )
    records = _records(judged, len(runs))
    instances = _instances(records)
    rankings, everything = _Rankings(runs, wrong_answers(judged)), np.arange(len(runs))
    by_name = {page.facts["instance_sha256"]: page for page in instances}
    return Contents(
        source=source,
        leaderboard=rankings.of(everything),
        rankings=rankings.rankings(everything),
        judged=judged,
        settings=settings,
        instances=instances,
        suites=_suites(runs, instances, rankings),
        records=records,
        instance_of=by_name,
        record_of={record["run"]: record for record in records},
    )


def _records(judged: JudgedRuns, n_runs: int) -> tuple[Record, ...]:
    """Return one record of each of the runs, which are the first `n_runs` rows of those judged."""
    names = ["solved", "spent", "errors", "seconds", "first_success_seconds", "wrong"]
    outcomes = judged.outcomes[names].rename(
        columns={"first_success_seconds": "counted_first", "wrong": "is_wrong", "errors": "is_failed"}
    )
    table = judged.runs.join(outcomes).iloc[:n_runs]
    columns = {str(name): _values(table[name]) for name in table.columns}
    numbers: dict[str, list[int]] = {}
    for run, number in zip(judged.runs["run"], judged.outcomes["setting"].tolist(), strict=True):
        numbers.setdefault(run, []).append(number)
    columns["setting_numbers"] = [numbers[run] for run in table["run"]]
    return tuple(dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))


def _values(column: pd.Series) -> list[Any]:
    """Return the values of a column as Python has them; integers stay integers beside nulls."""
    missing = column.isna().to_numpy(bool)
    values = column.astype(object).tolist()
    whole = pd.api.types.is_float_dtype(column) and column.name in _WHOLE
    return [None if absent else int(value) if whole else value for value, absent in zip(values, missing, strict=True)]


_WHOLE = {"disturbed", "network_seed"} | {
    name
    for columns in (INSTANCE_COLUMNS, RESULT_COLUMNS, JUDGEMENT_COLUMNS)
    for name, kind in columns.items()
    if kind.startswith("INTEGER")
}


def _instances(records: Sequence[Record]) -> tuple[InstancePage, ...]:
    """Return the instances in the order of their names; two of one name, from two versions of a library, have a page
    each."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record["instance_sha256"], []).append(record)
    ordered = sorted(groups.items(), key=lambda item: (str(item[1][0]["instance"]), item[0]))
    seen: dict[str, int] = {}
    titles = {}
    for digest, own in ordered:
        name = str(own[0]["instance"])
        seen[name] = seen.get(name, 0) + 1
        titles[digest] = name if seen[name] == 1 else f"{name} ({digest[:8]})"
    names = file_names(titles.values())
    return tuple(
        InstancePage(
            name=titles[digest],
            href=f"instances/{names[titles[digest]]}.html",
            facts=own[0],
            runs=tuple(own),
            answer=_answer(own),
            best=max((r["best_exact_value"] for r in own if r["best_exact_value"] is not None), default=None),
        )
        for digest, own in ordered
    )


def _answer(runs: Iterable[Record]) -> str:
    """Return the answer of an instance: `contradicted` where a run is wrong, else the strongest verdict of its runs,
    `undecided` where all are unknown."""
    runs = list(runs)
    if any(run["is_wrong"] for run in runs):
        return "contradicted"
    words = {word_of(run) for run in runs}
    return next((word for word in ("adversarial", "certified", "robust", "value") if word in words), "undecided")


class _Rankings:
    """Leaderboards of parts of a ledger, each built once. wrong: the settings with a wrong answer anywhere in it."""

    def __init__(self, runs: pd.DataFrame, wrong: set[WrongAnswer]) -> None:
        self._runs, self._wrong = with_roles(runs).join([references(runs), told_by_solvers(runs)]), wrong
        self._built: dict[bytes, Leaderboard] = {}
        self._ranked: dict[bytes, tuple[FileRanking, ...]] = {}
        self._titles: list[str] = []

    def of(self, rows: np.ndarray) -> Leaderboard:
        """Return the leaderboard of these rows."""
        key = rows.tobytes()
        if key not in self._built:
            self._built[key] = build_leaderboard(self._runs.iloc[rows].reset_index(drop=True), (), self._wrong)
        return self._built[key]

    def rankings(self, rows: np.ndarray, suite: str = "") -> tuple[FileRanking, ...]:
        """Rank these rows, those of a suite or all, each goal, type of CPU and kind of file by itself. The goal and
        the type with the most runs come first, there dense files, and of these the formulation with the most runs. A
        suite that has all runs has the very rankings of all."""
        key = rows.tobytes()
        if key not in self._ranked:
            self._ranked[key] = tuple(self._rank(rows, suite))
        return self._ranked[key]

    def _rank(self, rows: np.ndarray, suite: str) -> Iterator[FileRanking]:
        columns = [self._runs[name].iloc[rows].fillna(NONE).astype(str) for name in (GOAL, CPU, *FILES)]
        several_goals, several_cpus, several_roles, several_forms = (column.nunique() > 1 for column in columns)
        places: dict[tuple[str, str, str, str], list[int]] = {}
        for row, goal, cpu, role, formulation in zip(rows.tolist(), *columns, strict=True):
            places.setdefault((goal, cpu, role, formulation), []).append(row)
        runs = Counter[tuple[str, str]]()
        for (goal, cpu, *_), own in places.items():
            runs[goal, cpu] += len(own)
        for kind in sorted(places, key=lambda kind: (-runs[kind[:2]], kind[2], -len(places[kind]), kind)):
            goal, cpu, role, formulation = kind
            words = (
                (several_goals, f"goal {goal}"), (several_roles, f"{role} files"), (several_forms, formulation),
                (several_cpus, cpu),
            )  # fmt: skip
            title = "-".join([*([suite] if suite else []), goal, role, formulation, *([cpu] if several_cpus else [])])
            part = ", ".join(word for is_said, word in words if is_said)
            of_kind = np.array(places[kind])
            yield FileRanking(*kind, part, self._href(title), self.of(of_kind), of_kind)

    def _href(self, title: str) -> str:
        """Return the address of the ranking of this title, which may be any text; no two have the same."""
        while title in self._titles:
            title += "+"
        self._titles.append(title)
        return f"rankings/{file_names(self._titles)[title]}.html"


def _suites(runs: pd.DataFrame, instances: Sequence[InstancePage], rankings: _Rankings) -> tuple[SuitePage, ...]:
    suite = runs["suite"].astype(object).where(runs["suite"].notna(), NO_SUITE)
    names = file_names(sorted(suite.unique()))
    pages = []
    for name, short in names.items():
        rows = np.flatnonzero((suite == name).to_numpy(bool))
        own = tuple(page for page in instances if (page.facts["suite"] or NO_SUITE) == name)
        pages.append(SuitePage(name, f"suites/{short}.html", rankings.of(rows), rankings.rankings(rows, name), own))
    return tuple(pages)


def options_text(setting: Setting) -> str:
    """Return the solver's own options as given, "none" without any."""
    return setting.settings if options_of(setting) else "none"
