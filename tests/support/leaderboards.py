"""Leaderboards of any size without a ledger: rows whose numbers mean nothing, for tests of how tables are shown."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

from vnnbench.leaderboard.ranking.approaches import ApproachRow
from vnnbench.leaderboard.ranking.common_sets import CommonSet
from vnnbench.leaderboard.ranking.leaderboard import Conditions, FaultRow, Leaderboard, SettingRow
from vnnbench.leaderboard.ranking.measures import VirtualBest
from vnnbench.leaderboard.ranking.ranks import MEASURES, PairRow, RankRow
from vnnbench.leaderboard.ranking.reference import ReferenceRow
from vnnbench.leaderboard.ranking.surrogate_times import SurrogateRow
from vnnbench.leaderboard.ranking.surrogate_values import SurrogateValueRow
from vnnbench.leaderboard.ranking.tolerance import TOLERANCES, SensitivityRow
from vnnbench.leaderboard.records.answer_outcomes import AnswerRow, KnownAnswers
from vnnbench.leaderboard.records.settings import Setting

_PROBLEMS = 246


@dataclass(frozen=True, slots=True)
class Size:
    """How much a leaderboard holds. settings: in each group; wrong: how many of these are below the line; faults: wrong
    runs of each such setting; kinds: of surrogates; suites: groups of approaches; letters: of a label, beside its
    number; conditions: whether all notes on conditions apply; values: whether there are problems without a threshold.
    """

    settings: int
    groups: int
    wrong: int = 0
    faults: int = 1
    kinds: int = 0
    suites: int = 1
    references: int = 0
    letters: str = "solver"
    conditions: bool = False
    values: bool = False
    approaches: bool = True


def synthetic_leaderboard(size: Size) -> Leaderboard:
    """Return a leaderboard of this size."""
    settings = [_setting(f"{size.letters}{place}", place) for place in range(size.settings)]
    references = [_setting(f"reference-{size.letters}{place}", place) for place in range(size.references)]
    groups = [(f"group-{size.letters}{number}",) for number in range(size.groups)]
    right = settings[: size.settings - size.wrong]
    wrong = settings[len(right) :]
    kinds = [(formulation, kind / 100) for formulation in ("tight", "surrogatelib") for kind in range(size.kinds)]
    of_kinds: list[dict[str, Any]] = [
        {"group": (), "setting": setting, "formulation": formulation, "pruning": "magnitude", "structure": "structured",
         "rate": rate, "finetuned": 1}
        for setting in settings for formulation, rate in kinds
    ]  # fmt: skip
    return Leaderboard(
        by=("dataset",),
        problems_by=(),
        settings=tuple(
            _setting_row(size, group, place, settings) for group, place in product(groups, range(size.settings))
        ),
        virtual_best=tuple(
            VirtualBest(group, 9, 8, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0) for group in groups if len(right) > 1
        ),
        ranks=tuple(
            RankRow(group, setting, place + 1, 1, len(right), dict.fromkeys(MEASURES, 1))
            for group in groups for place, setting in enumerate(right)
        ),
        pairs=tuple(
            PairRow(group, first, second, 5 + number, 0.01, 0.01, number % 2 == 1)
            for number, group in enumerate(groups) for first, second in pairwise(right)
        ),
        surrogates=tuple(
            SurrogateRow(
                **kind, pairs=9, left_out=1, dense_counterexamples=4, surrogate_counterexamples=5, surrogate_faster=0.5,
                dense_faster=0.25, time_ratio=1.5, candidates=7, transferred=3, transfer_share=0.4,
                uncounted=1, prepared=9,
                prepared_surrogate_faster=0.5, prepared_dense_faster=0.25, prepared_time_ratio=1.4, best_rate=False,
            )
            for kind in of_kinds
        ),
        surrogate_values=tuple(
            SurrogateValueRow(**kind, pairs=9, left_out=1, dense_values=8, surrogate_values=7, surrogate_better=0.5,
                              dense_better=0.25)
            for kind in of_kinds if size.values
        ),
        approaches_by=("suite",),
        approaches=tuple(
            ApproachRow(**kind | {"group": (f"suite-{size.letters}{suite}",)}, problems=9, found=9, robust=0,
                        refused=1, not_run_by_all=2, sgm1_seconds=1.0, unprepared=0, rank=place + 1,
                        below_line=kind["setting"] in wrong)
            for suite in range(size.suites) for place, kind in enumerate(of_kinds) if size.approaches
        ),
        faults=tuple(
            FaultRow(f"run{number}", f"instance-{size.letters}", setting.solver, setting.label, "solver",
                     f"claims the bound 1 of {size.letters}, refuted by 2")
            for setting in wrong for number in range(size.faults)
        ),
        common=tuple(
            CommonSet(group, 12, 9, 1, 2, tuple(one.label for one in settings))
            if size.conditions
            else CommonSet(group, 9, 9, 0, 0, ())
            for group in groups
        ),
        sensitivity=tuple(
            SensitivityRow((), setting, 9, 1, dict.fromkeys(TOLERANCES, 1), dict.fromkeys(TOLERANCES, 2))
            for setting in settings
        ),
        conditions=_conditions(settings) if size.conditions else Conditions(runs=_PROBLEMS, time_limits=(60.0,)),
        planted=_known(settings, size), proven=_known(settings, size), certified=1, claimed=2,
        reference=tuple(ReferenceRow((), one, 9, 1, 0, 0, 3, 1, 0.5, 1, 1, 0, 0.5) for one in references),
    )  # fmt: skip


def _setting(name: str, place: int) -> Setting:
    return Setting(name, f"1.{place}", "{}", 1, 60.0, 2**32, "decide", f"{name} decide", name)


def _setting_row(size: Size, group: tuple[object, ...], place: int, settings: list[Setting]) -> SettingRow:
    below = place >= size.settings - size.wrong
    return SettingRow(
        group=group, setting=settings[place], runs=12, solved=8, spent=1, counterexamples=5, robust_claimed=2,
        robust_certified=1, values=int(size.values), timeouts=2, other=1, wrong=size.faults if below else 0,
        below_line=below, rank=None if below else place + 1, rank_low=None if below else 1,
        rank_high=None if below else size.settings, common_runs=9, common_solved=8, sgm1_seconds=1.0,
        sgm10_seconds=1.0, sgm100_seconds=1.0, sgm10_ratio=1.0, par10_seconds=123456.0,
        primal_integral_seconds=1.0, primal_integral_runs=3, value_runs=3 * size.values, best_values=2, best_gap=0.5,
        bound_gap=0.25,
    )  # fmt: skip


def _conditions(settings: list[Setting]) -> Conditions:
    return Conditions(
        runs=_PROBLEMS, cpus=("one", "submitted-one"), machines=3, submitted=2, permutations=1,
        goals=("decide", "find", "optimize"),
        time_limits=(10.0, 60.0), enforcement=(("namespace", 100), ("subreaper", 146)),
        counted=(("cgroup", 100), ("sampling", 146)), disturbed=208, without_cores=100, while_swapping=50,
        while_stalled=8, by_others=50, retried=3, tolerance=4,
        lacking=tuple((setting.label, 10 + place) for place, setting in enumerate(settings)),
    )  # fmt: skip


def _known(settings: list[Setting], size: Size) -> KnownAnswers:
    if not size.conditions:
        return KnownAnswers()
    return KnownAnswers(
        tuple(AnswerRow(setting, 3, 9, 4, 3, 2) for setting in settings), 3, (("found", 4), ("missed", 3))
    )
