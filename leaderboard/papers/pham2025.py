"""Figures 1 to 3 of [P] (Pham et al., arXiv:2505.01985) as data: dense against surrogate, one panel per rate.

Figure 1 has the surrogates without finetuning, Figure 2 those with finetuning, Figure 3 the same with its time added.
Every setting, formulation and data set has a section, and every kind of pruning a row of panels; input sides and
architectures share a panel, as in the paper.

A side's time is that of its first confirmed counterexample, else its time limit (`surrogate_times`). Figure 3 adds the
finetuning of one network alone to the surrogate's time, at most up to the limit, where the run counts as not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vnnbench.leaderboard.papers.values import (
    PHAM_ARCHITECTURES,
    PHAM_DATASETS,
    PHAM_INPUT_SIDES,
    PHAM_KINDS,
    PHAM_RATES,
)
from vnnbench.leaderboard.ranking import aggregates
from vnnbench.leaderboard.ranking.common_sets import independent_problems
from vnnbench.leaderboard.ranking.outcomes import JudgedRuns, judge_outcomes
from vnnbench.leaderboard.ranking.surrogate_pairs import usable_pairs
from vnnbench.leaderboard.ranking.surrogate_times import time_pairs
from vnnbench.leaderboard.records.processors import CPU
from vnnbench.leaderboard.records.settings import Setting

Float64Array = NDArray[np.float64]

FIGURES = {1: "without finetuning", 2: "with finetuning", 3: "with finetuning and its time"}


@dataclass(frozen=True, slots=True)
class Panel:
    """The pairs of one rate: seconds (n,) of the dense network's and the surrogate's run, at most the limit.

    at_limit (n,): whether one side found nothing. surrogate_faster, dense_faster: shares (0 to 1) without ties.
    accuracies: mean test accuracy (0 to 1) over the pairs, if the catalogue has it.
    """

    rate: float
    dense_seconds: Float64Array
    surrogate_seconds: Float64Array
    at_limit: NDArray[np.bool_]
    dense_found: int
    surrogate_found: int
    dense_accuracy: float | None
    surrogate_accuracy: float | None

    @property
    def pairs(self) -> int:
        return self.dense_seconds.size

    @property
    def ties(self) -> int:
        return int(np.sum(self.dense_seconds == self.surrogate_seconds))

    @property
    def surrogate_faster(self) -> float | None:
        return aggregates.share_faster(self.surrogate_seconds, self.dense_seconds)

    @property
    def dense_faster(self) -> float | None:
        return aggregates.share_faster(self.dense_seconds, self.surrogate_seconds)


@dataclass(frozen=True, slots=True)
class PanelRow:
    """One kind of pruning: a panel for each of the paper's rates, in their order."""

    pruning: str
    structure: str
    panels: tuple[Panel, ...]

    @property
    def kind(self) -> str:
        return f"{self.pruning} {self.structure}"


@dataclass(frozen=True, slots=True)
class Scatter:
    """One figure.

    shared_time: pairs whose finetuning time is a share of a batch's; untimed: pairs left out because it is unknown.
    """

    number: int
    rows: tuple[PanelRow, ...]
    shared_time: int = 0
    untimed: int = 0

    @property
    def pairs(self) -> int:
        return sum(panel.pairs for row in self.rows for panel in row.panels)


@dataclass(frozen=True, slots=True)
class Section:
    """One setting, formulation and data set.

    figures: those with a pair. refused, missing: pairs left out because one side was refused by its licence or
    interrupted, or was not run. in_design: distinct pairs that the paper has too, without and with finetuning.
    networks: dense architectures and input sides. wrong: runs of the pairs with fault solver or formulation.
    """

    setting: Setting
    formulation: str
    dataset: str
    figures: tuple[Scatter, ...]
    refused: int
    missing: int
    in_design: tuple[int, int]
    networks: tuple[str, ...]
    dense_problems: int
    wrong: int
    cpus: tuple[str, ...]


def build_sections(pairs: pd.DataFrame, settings: Sequence[Setting]) -> tuple[Section, ...]:
    """Return every section with a pair of `pairs_of` to compare or leave out, by settings, formulations, data sets."""
    grouped = pairs.groupby(["setting", "formulation", "dataset"], sort=True)
    return tuple(_section(settings[group["setting"].iloc[0]], group) for _, group in grouped)


def pairs_of(runs: pd.DataFrame) -> tuple[pd.DataFrame, list[Setting]]:
    """Return the pairs of the paper's kinds and rates (`time_pairs`), with columns of the catalogue; and the settings
    that their column `setting` counts."""
    if runs.empty:
        return pd.DataFrame(columns=["setting", "formulation", "dataset"]), []
    judged = judge_outcomes(runs)
    pairs = _describe(time_pairs(judged), judged)
    known = np.array(
        [kind in PHAM_KINDS for kind in zip(pairs["pruning"], pairs["structure"], strict=True)], dtype=bool
    )
    return pairs[known & pairs["rate"].isin(PHAM_RATES)], judged.settings


def _describe(pairs: pd.DataFrame, judged: JudgedRuns) -> pd.DataFrame:
    """Return the pairs with the surrogate's columns of the catalogue, both runs' columns of the ledger, and the
    independent problem (`image`)."""
    runs, outcomes = judged.runs, judged.outcomes
    columns = ["dataset", "input_side", "depth", "width", "network", "network_seed", "accuracy", "dense_accuracy"]
    seconds = ["finetune_seconds", "alone_finetune_seconds"]
    instances = runs.drop_duplicates("instance_sha256").set_index("instance_sha256")
    instances = instances.assign(image=independent_problems(instances))
    pairs = pairs.join(instances[[*columns, *seconds, "image"]], on="instance_sha256")
    of_run = pd.DataFrame({"limit": outcomes["limit"], "wrong": outcomes["wrong"], CPU: runs[CPU]})
    of_run = of_run.assign(run=runs["run"]).drop_duplicates("run").set_index("run")
    for side in ("dense", "surrogate"):
        pairs = pairs.join(of_run.add_prefix(f"{side}_"), on=f"{side}_run")
    text = {"dataset": "none", "formulation": "none"}  # null (an imported network) is a group of its own
    return pairs.fillna(text)


def _section(setting: Setting, pairs: pd.DataFrame) -> Section:
    compared = usable_pairs(pairs)
    refused = (pairs["dense_refused"] == True) | (pairs["surrogate_refused"] == True)  # noqa: E712 (null: not run)
    wrong = pd.concat([compared.loc[compared[f"{s}_wrong"] == True, f"{s}_run"] for s in ("dense", "surrogate")])  # noqa: E712
    figures = tuple(figure for figure in _figures(compared) if figure.pairs or figure.untimed)
    networks = (
        compared[["depth", "width", "input_side"]].drop_duplicates().sort_values(["depth", "width", "input_side"])
    )
    return Section(
        setting=setting,
        formulation=pairs["formulation"].iloc[0],
        dataset=pairs["dataset"].iloc[0],
        figures=figures,
        refused=int(refused.sum()),
        missing=len(pairs) - len(compared) - int(refused.sum()),
        in_design=_in_design(compared),
        networks=tuple(_network_text(*row) for row in networks.itertuples(index=False)),
        dense_problems=compared[["problem", "dense_network"]].drop_duplicates().shape[0],
        wrong=wrong.nunique(),
        cpus=tuple(sorted({*compared["dense_cpu"], *compared["surrogate_cpu"]})),
    )


def _network_text(depth: float | None, width: float | None, side: float | None) -> str:
    known = not pd.isna([depth, width, side]).any()
    return f"{depth:.0f}x{width:.0f} at {side:.0f}x{side:.0f}" if known else "others"


def in_grid(pairs: pd.DataFrame) -> pd.Series[bool]:
    """Return which pairs are on a data set, an input side and an architecture of the paper."""
    architectures = zip(pairs["depth"], pairs["width"], strict=True)
    return (
        pairs["dataset"].isin(PHAM_DATASETS)
        & pairs["input_side"].isin(PHAM_INPUT_SIDES)
        & np.array([one in PHAM_ARCHITECTURES for one in architectures], dtype=bool)
    )


def with_finetuning_time(finetuned: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs of finetuned surrogates with the time of finetuning one network added to `surrogate_seconds`.

    A time past the limit counts as the limit, and as not found. Pairs whose finetuning time is unknown are left out;
    the time is the network's share of its batch's where it was not measured alone.
    """
    alone = finetuned["alone_finetune_seconds"].astype(float)
    added = alone.fillna(finetuned["finetune_seconds"].astype(float))
    total = finetuned["surrogate_seconds"].astype(float) + added
    within = total < finetuned["surrogate_limit"]
    return finetuned.assign(
        surrogate_seconds=total.where(within, finetuned["surrogate_limit"]),
        surrogate_found=(finetuned["surrogate_found"] == True) & within,  # noqa: E712 (object column)
    )[added.notna()]


def _in_design(pairs: pd.DataFrame) -> tuple[int, int]:
    distinct = pairs[in_grid(pairs)].drop_duplicates(["problem", "network"])
    finetuned = int((distinct["finetuned"] == 1).sum())
    return len(distinct) - finetuned, finetuned


def _figures(pairs: pd.DataFrame) -> Iterator[Scatter]:
    finetuned = pairs[pairs["finetuned"] == 1]
    yield Scatter(1, _rows(pairs[pairs["finetuned"] != 1]))
    yield Scatter(2, _rows(finetuned))
    timed = with_finetuning_time(finetuned)
    shared = int(timed["alone_finetune_seconds"].isna().sum())
    yield Scatter(3, _rows(timed), shared_time=shared, untimed=len(finetuned) - len(timed))


def _rows(pairs: pd.DataFrame) -> tuple[PanelRow, ...]:
    rows = []
    for pruning, structure in PHAM_KINDS:
        of_kind = pairs[(pairs["pruning"] == pruning) & (pairs["structure"] == structure)]
        if len(of_kind):
            panels = tuple(_panel(rate, of_kind[of_kind["rate"] == rate]) for rate in PHAM_RATES)
            rows.append(PanelRow(pruning, structure, panels))
    return tuple(rows)


def _panel(rate: float, pairs: pd.DataFrame) -> Panel:
    dense_found, surrogate_found = (pairs[f"{side}_found"].to_numpy(bool) for side in ("dense", "surrogate"))
    return Panel(
        rate=rate,
        dense_seconds=pairs["dense_seconds"].to_numpy(float),
        surrogate_seconds=pairs["surrogate_seconds"].to_numpy(float),
        at_limit=~(dense_found & surrogate_found),
        dense_found=int(dense_found.sum()),
        surrogate_found=int(surrogate_found.sum()),
        dense_accuracy=_mean(pairs["dense_accuracy"]),
        surrogate_accuracy=_mean(pairs["accuracy"]),
    )


def _mean(values: pd.Series[float]) -> float | None:
    known = values.dropna().to_numpy(float)
    return float(known.mean()) if known.size else None
