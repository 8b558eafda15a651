"""Tables 1 and 2 of [C] (Cacciola, Frangioni, Lodi, arXiv:2307.07457) as data: baseline against pruned network.

A row compares the baselines of one architecture with their networks pruned by the Structured Perspective
Regularization, over the same problems: accuracy, size, time to solve and outcome. In [C] the pruned network replaces
the baseline, so a run's time here is the time until the solver stopped, whatever it found, at most the limit; the
outcome says whether its answer holds on the baseline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from vnnbench.leaderboard.papers.values import CACCIOLA_ARCHITECTURES, CACCIOLA_RADII
from vnnbench.leaderboard.ranking import aggregates
from vnnbench.leaderboard.ranking.outcomes import judge_outcomes
from vnnbench.leaderboard.ranking.surrogate_pairs import usable_pairs
from vnnbench.leaderboard.ranking.surrogate_times import time_pairs
from vnnbench.leaderboard.records.settings import Setting


@dataclass(frozen=True, slots=True)
class Side:
    """The baselines' or the pruned networks' runs of a row: means, and numbers of outcomes.

    A mean is over the runs with a known number; `known` holds how many these are, by the mean's name. accuracy: on the
    test set, 0 to 1. hidden: neurons of the network as stored. binaries: of the model. seconds: until the solver
    stopped. found: a counterexample, confirmed on the baseline; ruled_out: claimed, by a baseline's run only; limit:
    stopped by the time limit, with neither; neither: stopped earlier, with neither.
    """

    accuracy: float | None
    hidden: float | None
    binaries: float | None
    seconds: float | None
    nodes: float | None
    known: dict[str, int]
    found: int
    ruled_out: int
    limit: int
    neither: int


@dataclass(frozen=True, slots=True)
class Row:
    """One architecture and radius, over `pairs` pairs of runs; in_design: the distinct pairs that the paper has too."""

    architecture: tuple[int, int]
    radius: float
    pairs: int
    in_design: int
    baseline: Side
    pruned: Side


@dataclass(frozen=True, slots=True)
class Section:
    """One setting and formulation. refused, missing, wrong, machines are as in `pham2025.Section`."""

    setting: Setting
    formulation: str
    rows: tuple[Row, ...]
    refused: int
    missing: int
    wrong: int
    machines: tuple[str, ...]


def build_sections(runs: pd.DataFrame) -> tuple[Section, ...]:
    """Return every section with a pair to compare or to leave out, in the order of settings and formulations."""
    if runs.empty:
        return ()
    judged = judge_outcomes(runs)
    runs = judged.runs.drop_duplicates("run")  # a run of two settings has the same outcomes in both
    outcomes, pairs = judged.outcomes, time_pairs(judged)
    instances = runs.drop_duplicates("instance_sha256").set_index("instance_sha256")
    pairs = pairs[pairs["pruning"] == "spr"].join(
        instances[["dataset", "depth", "width", "radius", "input_side", "network"]], on="instance_sha256"
    )
    pairs = pairs[pairs[["depth", "width"]].notna().all(axis=1) & pairs["radius"].isin(CACCIOLA_RADII)]
    by_run = runs.assign(
        stopped=np.minimum(runs["wall_seconds"].astype(float), runs["time_limit_seconds"].astype(float)),
        hidden=runs[["stable_active", "stable_inactive", "unstable"]].astype(float).sum(axis=1, min_count=3),
        found=outcomes["counterexamples"],
        ruled_out=outcomes["robust_claimed"],
        at_limit=outcomes["timeouts"],
        is_wrong=outcomes["wrong"],
    ).set_index("run")
    grouped = pairs.fillna({"formulation": "none"}).groupby(["setting", "formulation"], sort=True)
    return tuple(_section(judged.settings[group["setting"].iloc[0]], group, by_run) for _, group in grouped)


def _section(setting: Setting, pairs: pd.DataFrame, by_run: pd.DataFrame) -> Section:
    compared = usable_pairs(pairs)
    refused = (pairs["dense_refused"] == True) | (pairs["surrogate_refused"] == True)  # noqa: E712 (null: not run)
    of_pairs = by_run.loc[[*compared["dense_run"].unique(), *compared["surrogate_run"].unique()]]
    return Section(
        setting=setting,
        formulation=pairs["formulation"].iloc[0],
        rows=tuple(_row(group, by_run) for _, group in compared.groupby(["radius", "depth", "width"], sort=True)),
        refused=int(refused.sum()),
        missing=len(pairs) - len(compared) - int(refused.sum()),
        wrong=int(of_pairs["is_wrong"].sum()),
        machines=tuple(sorted(of_pairs["machine"].unique())),
    )


def _row(pairs: pd.DataFrame, by_run: pd.DataFrame) -> Row:
    architecture = (int(pairs["depth"].iloc[0]), int(pairs["width"].iloc[0]))
    inside = (pairs["dataset"] == "mnist") & (pairs["input_side"] == 28) & (architecture in CACCIOLA_ARCHITECTURES)
    return Row(
        architecture=architecture,
        radius=float(pairs["radius"].iloc[0]),
        pairs=len(pairs),
        in_design=len(pairs[inside].drop_duplicates(["problem", "network"])),
        baseline=_side(by_run.loc[pairs["dense_run"].unique()]),
        pruned=_side(by_run.loc[pairs["surrogate_run"].unique()]),
    )


def _side(runs: pd.DataFrame) -> Side:
    found = runs["found"].to_numpy(bool)
    ruled_out = runs["ruled_out"].to_numpy(bool) & ~found
    limit = runs["at_limit"].to_numpy(bool) & ~found & ~ruled_out
    measured = {
        "accuracy": runs["accuracy"], "hidden": runs["hidden"], "binaries": runs["binaries"],
        "seconds": runs["stopped"], "nodes": runs["nodes"],
    }  # fmt: skip
    known = {name: values.dropna().to_numpy(float) for name, values in measured.items()}
    return Side(
        **{name: aggregates.mean(values) for name, values in known.items()},
        known={name: len(values) for name, values in known.items()},
        found=int(found.sum()),
        ruled_out=int(ruled_out.sum()),
        limit=int(limit.sum()),
        neither=int((~found & ~ruled_out & ~limit).sum()),
    )
