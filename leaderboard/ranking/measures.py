"""The measures of every setting over the common set of a group, and of the virtual best setting.

Formulas and sources: `aggregates`, `integrals`, `profiles`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vnnbench.leaderboard.ranking import aggregates
from vnnbench.leaderboard.ranking.common_sets import Contest, below_line_of
from vnnbench.leaderboard.ranking.integrals import integrals, references
from vnnbench.leaderboard.ranking.outcomes import JudgedRuns
from vnnbench.leaderboard.ranking.profiles import contributions, virtual_best
from vnnbench.leaderboard.records.query_columns import is_dense

SHIFTS = (1.0, 10.0, 100.0)
PENALTIES = (2.0, 10.0)


@dataclass(frozen=True, slots=True)
class Measures:
    """A setting's measures over a common set of `common_runs` runs; None where that is empty.

    Here a file counts as solved if the solver is done with it, with an answer or without (`finished` of `outcomes`).

    sgmK_seconds: shifted geometric mean with shift K s; sgmK_ratio: scaled to the best of the ranked settings.
    parK_seconds: mean, an unsolved file counting as K times its limit. median_first_counterexample_seconds is among the
    runs that have one. The integrals are means over the runs whose steps were recorded, the dual one over those on
    dense networks. gap: mean of `aggregates.relative_gap` of the solver's value and bound at the end, 1 where one is
    missing. nodes: shifted geometric mean, shift 100, over the runs whose solver reported a number. NAME_runs: the
    number of runs that such a mean is over; two settings are comparable by it only if that is all runs of both.
    value_runs: the runs on problems without a threshold. Among these, best_values, best_gap and bound_gap are about the
    value confirmed in time: the runs where it is as good as the best known one (`aggregates.reached`), and means of its
    `aggregates.relative_gap` to the best known one, and on dense networks to the run's own bound.
    alone: triples that no other ranked setting is done with; contribution: `profiles.Contribution.sgm_share`; both None
    below the line.
    """

    common_runs: int = 0
    common_solved: int = 0
    sgm1_seconds: float | None = None
    sgm10_seconds: float | None = None
    sgm100_seconds: float | None = None
    sgm1_ratio: float | None = None
    sgm10_ratio: float | None = None
    sgm100_ratio: float | None = None
    par2_seconds: float | None = None
    par10_seconds: float | None = None
    median_first_counterexample_seconds: float | None = None
    primal_integral_seconds: float | None = None
    primal_integral_runs: int = 0
    dual_integral_seconds: float | None = None
    dual_integral_runs: int = 0
    gap: float | None = None
    nodes: float | None = None
    nodes_runs: int = 0
    value_runs: int = 0
    best_values: int = 0
    best_gap: float | None = None
    bound_gap: float | None = None
    alone: int | None = None
    contribution: float | None = None


@dataclass(frozen=True, slots=True)
class VirtualBest:
    """The measures of the virtual best setting: on every triple of a group's common set the best ranked setting.

    A portfolio that always knew this setting would reach them. Numbers are as in `Measures`.
    """

    group: tuple[object, ...]
    common_runs: int
    common_solved: int
    sgm1_seconds: float | None
    sgm10_seconds: float | None
    sgm100_seconds: float | None
    sgm1_ratio: float | None
    sgm10_ratio: float | None
    sgm100_ratio: float | None
    par2_seconds: float | None
    par10_seconds: float | None


def measure_settings(
    contests: Sequence[Contest], judged: JudgedRuns
) -> tuple[dict[tuple[int, int], Measures], tuple[VirtualBest, ...]]:
    """Return the measures of all compared settings, and the virtual best of groups with two or more ranked settings.

    The keys are the positions (group, setting). The arguments are those of `ranks.rank_settings`: limits are even.
    """
    runs, outcomes = judged.runs, judged.outcomes
    below_line = below_line_of(judged)
    steps = integrals(judged)
    facts: dict[str, Any] = {name: outcomes[name] for name in ("seconds", "finished", "limit", "first_success_seconds")}
    facts |= {str(name): steps[name] for name in steps} | {"nodes": runs["nodes"]}
    facts["gap"] = aggregates.relative_gap(runs["claimed_value"].to_numpy(float), runs["dual_bound"].to_numpy(float))
    facts |= _value_facts(judged)
    measures: dict[tuple[int, int], Measures] = {}
    best = []
    for contest in contests:
        group = contest.group
        ranked = [place for place, setting in enumerate(contest.settings) if (group, setting) not in below_line]
        own = {name: np.asarray(column, dtype=float)[contest.runs] for name, column in facts.items()}
        numbers = [
            _numbers({name: column[:, place] for name, column in own.items()}) for place in range(len(contest.settings))
        ]
        together, shared = _together(own, ranked)
        times = [numbers[place] for place in ranked]
        for place, setting in enumerate(contest.settings):
            ratios = _ratios(numbers[place], times)
            measures[contest.group, setting] = Measures(**numbers[place], **ratios, **shared.get(place, {}))  # type: ignore[arg-type]
        if len(ranked) > 1 and len(contest.runs):
            best.append(VirtualBest(judged.groups[contest.group], **together, **_ratios(together, times)))  # type: ignore[arg-type]
    return measures, tuple(best)


def _value_facts(judged: JudgedRuns) -> dict[str, np.ndarray]:
    """Return for every run what `Measures` says of values; NaN on a problem with a threshold.

    The best known value is that of the primal integral (`integrals.references`). The gap to the bound is 0 where the
    optimum is proved, and NaN on a surrogate, whose bound says nothing about the problem. The bound of a wrong run
    counts as missing.
    """
    runs, outcomes = judged.runs, judged.outcomes
    asked, dense = runs["threshold"].isna().to_numpy(bool), is_dense(runs)
    value, best = outcomes["value"].to_numpy(float), references(runs)["reference_value"].to_numpy(float)
    bound = np.where(outcomes["wrong"], np.nan, runs["dual_bound"].to_numpy(float))
    to_bound = np.where(outcomes["solved"], 0.0, aggregates.relative_gap(value, bound))
    return {
        "best_values": np.where(asked, aggregates.reached(value, best), np.nan),
        "best_gap": np.where(asked, aggregates.relative_gap(value, best), np.nan),
        "bound_gap": np.where(asked & dense, to_bound, np.nan),
    }


def _times(seconds: np.ndarray, finished: np.ndarray, limit: np.ndarray) -> dict[str, float | None]:
    """Return the measures of time, which the virtual best setting has too."""
    return {
        "common_runs": len(seconds),
        "common_solved": int(finished.sum()),
        **{f"sgm{shift:g}_seconds": aggregates.shifted_geometric_mean(seconds, shift) for shift in SHIFTS},
        **{f"par{k:g}_seconds": aggregates.penalized_average(seconds, finished, limit, k) for k in PENALTIES},
    }


def _numbers(facts: dict[str, np.ndarray]) -> dict[str, float | None]:
    """Return the measures of one setting that do not need the other settings."""
    known = {name: column[~np.isnan(column)] for name, column in facts.items()}
    primal, dual, nodes = known["primal"], known["dual"], known["nodes"]
    return {
        **_times(facts["seconds"], facts["finished"] > 0, facts["limit"]),
        "median_first_counterexample_seconds": aggregates.median_first_success(facts["first_success_seconds"]),
        "primal_integral_seconds": aggregates.mean(primal),
        "primal_integral_runs": len(primal),
        "dual_integral_seconds": aggregates.mean(dual),
        "dual_integral_runs": len(dual),
        "gap": aggregates.mean(facts["gap"]),
        "nodes": aggregates.shifted_geometric_mean(nodes, aggregates.NODE_SHIFT),
        "nodes_runs": len(nodes),
        "value_runs": len(known["best_values"]),
        "best_values": int(known["best_values"].sum()),
        "best_gap": aggregates.mean(known["best_gap"]),
        "bound_gap": aggregates.mean(known["bound_gap"]),
    }


def _ratios(own: dict[str, float | None], ranked: list[dict[str, float | None]]) -> dict[str, float | None]:
    """Return ratios to the best ranked setting: below 1 for a better setting without a rank, or a virtual one."""
    names = [f"sgm{shift:g}" for shift in SHIFTS]
    best = {name: aggregates.smallest([numbers[f"{name}_seconds"] for numbers in ranked]) for name in names}
    return {f"{name}_ratio": aggregates.ratio(own[f"{name}_seconds"], best[name]) for name in names}


def _together(
    facts: dict[str, np.ndarray], ranked: list[int]
) -> tuple[dict[str, float | None], dict[int, dict[str, float | None]]]:
    """Return the measures of the virtual best setting, and by position what it loses without that setting."""
    seconds, finished, limit = (facts[name][:, ranked] for name in ("seconds", "finished", "limit"))
    times = np.where(finished > 0, seconds, np.nan)
    best, longest = virtual_best(times), limit.max(axis=1, initial=0.0)
    numbers = _times(np.where(np.isnan(best), longest, best), ~np.isnan(best), longest)
    found = zip(ranked, contributions(times, longest), strict=True) if len(times) else ()
    return numbers, {place: {"alone": own.alone, "contribution": own.sgm_share} for place, own in found}
