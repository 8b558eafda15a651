"""The leaderboard as data: one row per setting and group, ranks, the surrogate comparisons, the faults.

Counts are over all runs of a setting, times over the common set of its group (`common_sets`).

References are not part of any of these: they have rows of their own (`reference`).

Settings are ordered by rank (`ranks`), then come those without times, and then, below the line, those with a wrong
answer anywhere in the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vnnbench.leaderboard.ranking.approaches import SUITE, ApproachRow, rank_approaches
from vnnbench.leaderboard.ranking.common_sets import (
    CommonSet,
    Contest,
    below_line_of,
    count_lacking,
    find_contests,
    with_even_limits,
)
from vnnbench.leaderboard.ranking.measures import Measures, VirtualBest, measure_settings
from vnnbench.leaderboard.ranking.outcomes import (
    APART,
    FILES,
    FLAGS,
    ROLE,
    JudgedRuns,
    catalogue_column,
    grouped_by,
    judge_outcomes,
    with_groups,
    with_roles,
)
from vnnbench.leaderboard.ranking.ranks import PairRow, RankRow, rank_settings
from vnnbench.leaderboard.ranking.reference import ReferenceRow, reference_rows, without_reference
from vnnbench.leaderboard.ranking.surrogate_pairs import KIND_COLUMNS
from vnnbench.leaderboard.ranking.surrogate_times import PREPARATION_COLUMNS, SurrogateRow, compare_surrogates
from vnnbench.leaderboard.ranking.surrogate_values import SurrogateValueRow, compare_values
from vnnbench.leaderboard.ranking.tolerance import SensitivityRow, measure_sensitivity
from vnnbench.leaderboard.records.answer_outcomes import KnownAnswers, count_answers
from vnnbench.leaderboard.records.parallel import MANY_RUNS, at_once
from vnnbench.leaderboard.records.processors import CPU, HOST
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.leaderboard.records.settings import ALSO_BY_LIMIT, SETTING_COLUMNS, SETTING_LIMIT, Setting
from vnnbench.leaderboard.records.views import STALLED_SECONDS
from vnnbench.leaderboard.words import Fault, is_submitted

_OF_RUNS = (
    *("run", "instance_sha256", "seed", "permutation", *SETTING_COLUMNS, SETTING_LIMIT, ALSO_BY_LIMIT),
    *("termination", "ended_by", "claimed_value", "dual_bound", "best_exact_value", "wall_seconds"),
    *("nodes", "first_success_seconds", "verdict", "evidence", "fault", "fault_reason", CPU, HOST, "enforcement"),
    *("counted", "started_at", "attempts", "disturbed", "cores", "swapped_bytes", "stalled_seconds"),
    *("ranked", "impossible_times"),
    *("dual_steps", "primal_steps"),
    *("as_given_violation", "repaired_violation", "own_answers", "transferred_answers", "planted", "proven"),
)
_OF_INSTANCES = (
    *("instance", "problem", "network", "dense_network", "property_sha256", "dense_sha256", "constant_rounding"),
    *("suite", "dataset", "sample", "threshold", "strict", "centre_value", *KIND_COLUMNS, *PREPARATION_COLUMNS),
)


def needed_columns(by: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the columns of `reader.read_runs` that `build_leaderboard` needs to group by `by`.

    Raises `UnknownColumnError` for a column that the catalogue lacks.
    """
    return (*_OF_RUNS, *_OF_INSTANCES, *(column for column in map(catalogue_column, by) if column != ROLE))


@dataclass(frozen=True, slots=True)
class SettingRow(Measures):
    """One setting in one group. The counts are defined in `outcomes`.

    group: catalogue values in the order of `Leaderboard.by`. below_line: whether it was wrong somewhere in this ledger;
    if so it has no rank and never counts as the best. rank, rank_low, rank_high: as in `ranks.RankRow`.
    """

    group: tuple[object, ...] = ()
    setting: Setting = field(kw_only=True)
    runs: int = 0
    solved: int = 0
    spent: int = 0
    counterexamples: int = 0
    robust_certified: int = 0
    robust_claimed: int = 0
    values: int = 0
    timeouts: int = 0
    memory: int = 0
    errors: int = 0
    license_limit: int = 0
    other: int = 0
    wrong: int = 0
    tolerance: int = 0
    below_line: bool = False
    rank: int | None = None
    rank_low: int | None = None
    rank_high: int | None = None

    @property
    def lacks_interval(self) -> bool:
        """Return whether it has a rank without an interval, because the common set holds too few problems."""
        return self.rank is not None and self.rank_low is None


@dataclass(frozen=True, slots=True)
class FaultRow:
    """A wrong run, of a setting or of a reference, with its fault (solver or formulation) and the reason.

    A run of two settings is listed once, under that of own limits; it is wrong in both.
    """

    run: str
    instance: str
    solver: str
    setting: str
    fault: str
    fault_reason: str


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions under which the runs were made, including those of the reference.

    cpus: the types of CPU within which times compare, sorted. machines: number of hosts; submitted: how many of them
    are known only through `vnnbench merge`. permutations: the largest number of a permutation. goals: all, sorted.
    time_limits (seconds): those of the ranked runs. enforcement, counted: the means that enforced the limits, and that
    measured the use of resources, with the number of runs of each; runs of older versions, which did not record these,
    are left out. retried: number of runs with several attempts. tolerance: number of runs that deviate within
    tolerance.
    disturbed = without_cores + while_swapping + while_stalled + by_others: each run counts once, under the first reason
    that applies: it had no cores of its own, the machine swapped, the harness was stalled, else other processes used
    its cores. disturbed_elsewhere: how many of them were submitted.
    lacking: the settings of `count_lacking`, by label, with the number of triples that each lacks, most first.
    """

    runs: int = 0
    cpus: tuple[str, ...] = ()
    machines: int = 0
    submitted: int = 0
    permutations: int = 0
    goals: tuple[str, ...] = ()
    time_limits: tuple[float, ...] = ()
    enforcement: tuple[tuple[str, int], ...] = ()
    counted: tuple[tuple[str, int], ...] = ()
    disturbed: int = 0
    disturbed_elsewhere: int = 0
    without_cores: int = 0
    while_swapping: int = 0
    while_stalled: int = 0
    by_others: int = 0
    impossible: tuple[str, ...] = ()
    retried: int = 0
    tolerance: int = 0
    lacking: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Everything that a leaderboard shows.

    by: the columns that runs are grouped by (`outcomes.grouped_by`), those of `FILES` included: solvers are compared on
    files of one kind. problems_by: those of the rows about problems (surrogates, surrogate_values, sensitivity,
    reference); approaches_by: those of approaches. planted, proven: how often such answers were found. certified,
    claimed: the robust runs within their limits, each counted once, by their evidence. reference: the rows of what is
    not ranked, which no other field contains but `faults` and `approaches`.
    """

    by: tuple[str, ...]
    problems_by: tuple[str, ...]
    settings: tuple[SettingRow, ...]
    virtual_best: tuple[VirtualBest, ...]
    ranks: tuple[RankRow, ...]
    pairs: tuple[PairRow, ...]
    surrogates: tuple[SurrogateRow, ...]
    surrogate_values: tuple[SurrogateValueRow, ...]
    approaches_by: tuple[str, ...]
    approaches: tuple[ApproachRow, ...]
    faults: tuple[FaultRow, ...]
    common: tuple[CommonSet, ...]
    sensitivity: tuple[SensitivityRow, ...]
    conditions: Conditions
    planted: KnownAnswers = field(default_factory=KnownAnswers)
    proven: KnownAnswers = field(default_factory=KnownAnswers)
    certified: int = 0
    claimed: int = 0
    reference: tuple[ReferenceRow, ...] = ()


def read_leaderboard(path: Path, by: Sequence[str] = ()) -> Leaderboard:
    """Rank the settings of the ledger at `path`, and read no more of it than that needs. Raises `LedgerError`."""
    return build_leaderboard(read_runs(path, needed_columns(by)), tuple(by))


def build_leaderboard(
    runs: pd.DataFrame, by: Sequence[str] = (), wrong_elsewhere: Collection[WrongAnswer] = ()
) -> Leaderboard:
    """Rank the settings of a ledger (`reader.read_runs`), within each type of CPU, goal and kind of file, and each
    value of the columns `by`.

    wrong_elsewhere: if `runs` is a part of a ledger, the `wrong_answers` of the rest.
    Raises `UnknownColumnError` (a `LedgerError`) for a column that the catalogue lacks.
    """
    for name in by:
        catalogue_column(name)
    everything = with_roles(runs)
    problems_by, approaches_by = grouped_by(everything, by), grouped_by(everything, by, (*APART, SUITE))
    reference = reference_rows(everything, problems_by)
    runs = without_reference(everything) if reference else everything
    faults = _fault_rows(judge_outcomes(everything[everything["ranked"] != 1])) if reference else ()
    by = grouped_by(runs, by, (*APART, *FILES))
    if runs.empty:
        none = _conditions(everything, runs, ())
        return Leaderboard(
            *(problems_by, problems_by, (), (), (), (), (), ()),
            *(approaches_by, (), faults, (), ()),
            none,
            reference=reference,
        )
    judged = judge_outcomes(runs, by)
    wrong = wrong_answers(judged) | set(wrong_elsewhere)
    judged = judged.with_outcomes(below_line=_below_line(judged, wrong))
    contests, common_sets = find_contests(judged)
    even, problems = with_even_limits(judged, contests), with_groups(judged, problems_by)
    numbers: list[Callable[[], Any]] = [
        partial(measure_settings, contests, even),
        partial(_compare, contests, even, problems),
        partial(rank_approaches, everything, approaches_by, {setting for _, setting in wrong}),
    ]
    (measures, virtual_best), compared, approaches = at_once(numbers, len(runs) > MANY_RUNS)
    return Leaderboard(
        by=by,
        problems_by=problems_by,
        settings=_setting_rows(judged, measures, compared.ranks),
        virtual_best=virtual_best,
        ranks=compared.ranks,
        pairs=compared.pairs,
        surrogates=compared.surrogates,
        surrogate_values=compared.surrogate_values,
        approaches_by=approaches_by,
        approaches=_as_labelled(approaches, [*judged.settings, *(row.setting for row in reference)]),
        faults=_fault_rows(judged) + faults,
        common=common_sets,
        sensitivity=compared.sensitivity,
        conditions=_conditions(everything, runs, count_lacking(judged)),
        planted=_known_answers(runs, judged, "planted"),
        proven=_known_answers(runs, judged, "proven"),
        certified=judged.runs.loc[judged.outcomes["robust_certified"], "run"].nunique(),
        claimed=judged.runs.loc[judged.outcomes["robust_claimed"], "run"].nunique(),
        reference=reference,
    )


def _as_labelled(approaches: Sequence[ApproachRow], settings: Sequence[Setting]) -> tuple[ApproachRow, ...]:
    """Return the approaches with their settings as these label them."""
    labelled = {setting.unlabelled: setting for setting in settings}
    return tuple(replace(row, setting=labelled[row.setting.unlabelled]) for row in approaches)


def _known_answers(runs: pd.DataFrame, judged: JudgedRuns, column: str) -> KnownAnswers:
    return KnownAnswers(
        count_answers(judged.runs, judged.settings, judged.outcomes, column),
        runs.loc[runs[column].notna(), "problem"].nunique(),
        _occurrences(runs[column]),
    )


WrongAnswer = tuple[str, Setting]
"""A type of CPU, and a setting (without its label) that gave a wrong answer there."""


def wrong_answers(judged: JudgedRuns) -> set[WrongAnswer]:
    """Return the settings that gave a wrong answer, with the type of CPU on which they did."""
    outcomes, settings = judged.outcomes, judged.settings
    found = outcomes.loc[outcomes["wrong"], ["setting"]].join(judged.runs[CPU]).drop_duplicates()
    return {(str(cpu), settings[place].unlabelled) for place, cpu in found.itertuples(index=False, name=None)}


def _below_line(judged: JudgedRuns, wrong: Collection[WrongAnswer]) -> NDArray[np.bool_]:
    """Return for every run whether its setting is below the line.

    One wrong answer on any machine is enough. A submitted answer rests on the submitter's word, so it puts the setting
    below the line only among those submitted from that type of CPU.
    """
    cpus, places = judged.runs[CPU], judged.outcomes["setting"]
    below = np.zeros(len(places), bool)
    for place, setting in enumerate(judged.settings):
        where = {cpu for cpu, other in wrong if other == setting.unlabelled}
        if not where:
            continue
        own = (places == place).to_numpy(bool)
        everywhere = any(not is_submitted(cpu) for cpu in where)
        below |= own if everywhere else own & cpus.isin(where).to_numpy(bool)
    return below


@dataclass(frozen=True, slots=True)
class _Compared:
    """The parts of a leaderboard that do not need the measures of the settings."""

    ranks: tuple[RankRow, ...]
    pairs: tuple[PairRow, ...]
    surrogates: tuple[SurrogateRow, ...]
    surrogate_values: tuple[SurrogateValueRow, ...]
    sensitivity: tuple[SensitivityRow, ...]


def _compare(contests: Sequence[Contest], even: JudgedRuns, problems: JudgedRuns) -> _Compared:
    """Compute the parts that do not need the measures; `even` holds the runs with even limits, `problems` those with
    their own limits in groups of problems."""
    ranks, pairs = rank_settings(contests, even)
    return _Compared(
        ranks=ranks,
        pairs=pairs,
        surrogates=compare_surrogates(problems),
        surrogate_values=compare_values(problems),
        sensitivity=measure_sensitivity(problems),
    )


def _occurrences(column: pd.Series) -> tuple[tuple[str, int], ...]:
    """Return the values of a column with the number of runs of each, most first."""
    return tuple((str(word), int(count)) for word, count in column.value_counts().items())


def _conditions(runs: pd.DataFrame, ranked: pd.DataFrame, lacking: tuple[tuple[str, int], ...]) -> Conditions:
    """Return the conditions of all runs; `ranked` are those of ranked settings."""
    hosts = runs[HOST].unique()
    disturbed = runs["disturbed"] == 1
    without_cores = disturbed & (runs["cores"] == "")
    while_swapping = disturbed & ~without_cores & (runs["swapped_bytes"] > 0)
    while_stalled = disturbed & ~without_cores & ~while_swapping & (runs["stalled_seconds"] > STALLED_SECONDS)
    return Conditions(
        runs=len(runs),
        cpus=tuple(sorted(map(str, runs[CPU].unique()))),
        machines=len(hosts),
        submitted=sum(is_submitted(str(host)) for host in hosts),
        permutations=0 if runs.empty else int(runs["permutation"].max()),
        goals=tuple(sorted(map(str, runs["goal"].unique()))),
        time_limits=tuple(sorted(ranked["time_limit_seconds"].unique().tolist())),
        enforcement=_occurrences(runs["enforcement"]),
        counted=_occurrences(runs["counted"]),
        disturbed=int(disturbed.sum()),
        disturbed_elsewhere=int(sum(map(is_submitted, runs.loc[disturbed, CPU]))),
        without_cores=int(without_cores.sum()),
        while_swapping=int(while_swapping.sum()),
        while_stalled=int(while_stalled.sum()),
        by_others=int((disturbed & ~without_cores & ~while_swapping & ~while_stalled).sum()),
        impossible=tuple(sorted(runs.loc[runs["impossible_times"] == 1, "run"])),
        retried=int((runs["attempts"] > 1).sum()),
        tolerance=int((runs["fault"] == Fault.TOLERANCE).sum()),
        lacking=lacking,
    )


def _setting_rows(
    judged: JudgedRuns, measures: dict[tuple[int, int], Measures], ranks: tuple[RankRow, ...]
) -> tuple[SettingRow, ...]:
    settings, groups = judged.settings, judged.groups
    below_line = below_line_of(judged)
    rank_of = {(row.group, row.setting.label): row for row in ranks}
    cells = judged.outcomes.groupby(["group", "setting"], sort=True)
    counts = cells[FLAGS].sum().assign(runs=cells.size())
    rows = []
    for (group, setting), own in zip(counts.index.tolist(), counts.to_dict("records"), strict=True):
        rank = rank_of.get((groups[group], settings[setting].label))
        row = SettingRow(
            **asdict(measures.get((group, setting), Measures())),
            group=groups[group],
            setting=settings[setting],
            **{str(name): int(count) for name, count in own.items()},
            below_line=(group, setting) in below_line,
            rank=rank.rank if rank else None,
            rank_low=rank.rank_low if rank else None,
            rank_high=rank.rank_high if rank else None,
        )
        rows.append((group, row))
    return tuple(row for _, row in sorted(rows, key=lambda item: (item[0], _order(item[1]))))


def _order(row: SettingRow) -> tuple[bool, float, float, str]:
    inf = float("inf")
    rank = inf if row.rank is None else row.rank
    return row.below_line, rank, inf if row.sgm10_seconds is None else row.sgm10_seconds, row.setting.label


def _fault_rows(judged: JudgedRuns) -> tuple[FaultRow, ...]:
    names = ["run", "instance", "solver", "fault", "fault_reason"]
    wrong = judged.runs.loc[judged.outcomes["wrong"], names].join(judged.outcomes["setting"]).drop_duplicates("run")
    rows = [
        FaultRow(
            run=row["run"],
            instance=row["instance"],
            solver=row["solver"],
            setting=judged.settings[row["setting"]].label,
            fault=row["fault"],
            fault_reason=row["fault_reason"],
        )
        for row in wrong.to_dict("records")
    ]
    return tuple(sorted(rows, key=lambda row: (row.solver, row.setting, row.instance, row.run)))
