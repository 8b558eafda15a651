"""Tables 1 and 2 of [C] (Cacciola, Frangioni, Lodi, arXiv:2307.07457) as data: baseline against pruned network.

A row compares the baselines of one architecture with their networks pruned by the Structured Perspective
Regularization, over the same problems: accuracy, size, time to solve and outcome. In [C] the pruned network replaces
the baseline, so a run's time here is the time until the solver stopped, whatever it found, at most the limit; the
outcome says whether its answer holds on the baseline.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from vnnbench.leaderboard.papers.values import CACCIOLA_ARCHITECTURES, CACCIOLA_RADII
from vnnbench.leaderboard.ranking.outcomes import judge_outcomes
from vnnbench.leaderboard.ranking.surrogate_pairs import usable_pairs
from vnnbench.leaderboard.ranking.surrogate_times import time_pairs
from vnnbench.leaderboard.records.processors import CPU
from vnnbench.leaderboard.records.settings import Setting


class Outcome(StrEnum):
    """What a run came to.

    FOUND: a counterexample, confirmed on the baseline, also through the pruned network. RULED_OUT: claimed, by a
    baseline's run only. LIMIT: stopped by the time limit with neither. DONE: stopped earlier with neither, which for a
    pruned network may mean that it has no counterexample itself.
    """

    FOUND = "found"
    RULED_OUT = "ruled out"
    LIMIT = "limit"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class NetworkRun:
    """The run on one network: its name, test accuracy (0 to 1) and hidden neurons, seconds until the solver stopped,
    nodes.

    fools_itself: whether a candidate answers the problem on this network, if candidates were counted.
    """

    network: str
    accuracy: float | None
    hidden: float | None
    seconds: float
    limit_seconds: float
    nodes: float | None
    outcome: Outcome
    fools_itself: bool | None


@dataclass(frozen=True, slots=True)
class Pair:
    """The runs on a baseline and on its pruned network."""

    baseline: NetworkRun
    pruned: NetworkRun


@dataclass(frozen=True, slots=True)
class Row:
    """The pairs of one architecture and radius; in_design: the distinct pairs that the paper has too."""

    architecture: tuple[int, int]
    radius: float
    pairs: tuple[Pair, ...]
    in_design: int


@dataclass(frozen=True, slots=True)
class Section:
    """One setting and formulation. refused, missing, wrong, cpus are as in `pham2025.Section`."""

    setting: Setting
    formulation: str
    rows: tuple[Row, ...]
    refused: int
    missing: int
    wrong: int
    cpus: tuple[str, ...]


def build_sections(runs: pd.DataFrame) -> tuple[Section, ...]:
    """Return every section with a pair to compare or to leave out, in the order of settings and formulations."""
    if runs.empty:
        return ()
    judged = judge_outcomes(runs)
    runs = judged.runs.drop_duplicates("run")  # a run of two settings has the same outcomes in both
    outcomes, pairs = judged.outcomes.loc[runs.index], time_pairs(judged)
    instances = runs.drop_duplicates("instance_sha256").set_index("instance_sha256")
    pairs = pairs[pairs["pruning"] == "spr"].join(
        instances[["dataset", "depth", "width", "radius", "input_side", "network"]], on="instance_sha256"
    )
    pairs = pairs[pairs[["depth", "width"]].notna().all(axis=1) & pairs["radius"].isin(CACCIOLA_RADII)]
    by_run = runs.assign(
        limit=runs["time_limit_seconds"].astype(float),
        stopped=np.minimum(runs["wall_seconds"].astype(float), runs["time_limit_seconds"].astype(float)),
        hidden=runs[["stable_active", "stable_inactive", "unstable"]].astype(float).sum(axis=1, min_count=3),
        outcome=np.select(
            [outcomes["counterexamples"], outcomes["robust_claimed"], outcomes["timeouts"]],
            [Outcome.FOUND, Outcome.RULED_OUT, Outcome.LIMIT],
            Outcome.DONE,
        ),
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
        cpus=tuple(sorted(of_pairs[CPU].unique())),
    )


def _row(pairs: pd.DataFrame, by_run: pd.DataFrame) -> Row:
    architecture = (int(pairs["depth"].iloc[0]), int(pairs["width"].iloc[0]))
    inside = (pairs["dataset"] == "mnist") & (pairs["input_side"] == 28) & (architecture in CACCIOLA_ARCHITECTURES)
    names = zip(pairs["dense_run"], pairs["surrogate_run"], strict=True)
    return Row(
        architecture=architecture,
        radius=float(pairs["radius"].iloc[0]),
        pairs=tuple(Pair(*(_network_run(by_run.loc[name]) for name in pair)) for pair in names),
        in_design=len(pairs[inside].drop_duplicates(["problem", "network"])),
    )


def _network_run(run: pd.Series[float]) -> NetworkRun:
    accuracy, hidden, nodes, answers = (
        None if pd.isna(run[name]) else float(run[name]) for name in ("accuracy", "hidden", "nodes", "own_answers")
    )
    return NetworkRun(
        network=str(run["network"]),
        accuracy=accuracy,
        hidden=hidden,
        seconds=float(run["stopped"]),
        limit_seconds=float(run["limit"]),
        nodes=nodes,
        outcome=Outcome(str(run["outcome"])),
        fools_itself=None if answers is None else answers > 0,
    )
