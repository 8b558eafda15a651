"""Tables 3 to 5 of [R] (Rosenhahn 2023, JOTA 199:931-954) as data: learned networks, times and sizes.

A run counts if its instance has a variant, so it trains a network on data. Its network is the best candidate that the
judge confirmed within the time limit; the numbers about it are the measures of the run's judgement.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from vnnbench.leaderboard.papers.values import (
    ROSENHAHN_NEURONS,
    ROSENHAHN_SAMPLES,
    ROSENHAHN_SPLITS,
    ROSENHAHN_VARIANTS,
)
from vnnbench.leaderboard.ranking import aggregates
from vnnbench.leaderboard.ranking.outcomes import catalogue_value, judge_outcomes
from vnnbench.leaderboard.records.measures import parse_measures
from vnnbench.leaderboard.records.settings import Setting

MEASURES = ("test_accuracy", "train_accuracy", "weights", "activations", "neurons")
"""The measures that Table 3 of [R] has."""
DATA = ["dataset", "samples", "features", "width"]
"""The columns that say what is learned: runs that differ in one are never pooled."""
CELL = ["setting", "formulation"]


@dataclass(frozen=True, slots=True)
class Data:
    """A data set with its training samples, the features of each, and the hidden neurons of its networks."""

    dataset: str | None
    samples: int | None
    features: int | None
    neurons: int | None

    @property
    def is_of_paper(self) -> bool:
        """Whether Table 3 of [R] is about these data, with no more samples and as many neurons."""
        samples = ROSENHAHN_SAMPLES.get(self.dataset or "")
        return samples is not None and (self.samples or 0) >= samples and self.neurons == ROSENHAHN_NEURONS


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """Table 3: the networks of one setting, formulation and variant on some data.

    ranked: whether the setting's solver is. runs, without: runs, and those of them without a network. deviation: of the
    test accuracy, None for one network. The other numbers are means over the networks, accuracies from 0 to 1; None
    without a network.
    """

    data: Data
    variant: str
    setting: Setting
    formulation: str
    ranked: bool
    runs: int
    without: int
    test_accuracy: float | None
    deviation: float | None
    train_accuracy: float | None
    weights: float | None
    activations: float | None
    neurons: float | None
    objective: float | None


@dataclass(frozen=True, slots=True)
class TimeRow:
    """Table 4: seconds until the solver stopped, at most the limit. gap: mean relative gap, 0 to 1, of the `at_limit`
    runs that the time limit ended, between the best confirmed value and the bound."""

    data: Data
    variant: str
    setting: Setting
    formulation: str
    runs: int
    solved: int
    mean: float
    shortest: float
    longest: float
    at_limit: int
    gap: float | None


@dataclass(frozen=True, slots=True)
class SizeRow:
    """Table 5: smallest and largest numbers over the instances, one for each split; None where one is not known.

    inequalities, equalities: rows. encode_seconds: mean.
    """

    data: Data
    variant: str
    formulation: str
    columns: tuple[int, int] | None
    inequalities: tuple[int, int] | None
    equalities: tuple[int, int] | None
    nonzeros: tuple[int, int] | None
    encode_seconds: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """The runs of a ledger that train networks.

    runs: those that count, with `MEASURES`, has_network, objective, setting (a position in `settings`) and the columns
    of `outcomes.judge_outcomes`; refused: how many more a licence refused or the operator stopped. wrong: of both.
    """

    runs: pd.DataFrame
    settings: list[Setting]
    refused: int
    wrong: int

    @property
    def ranked(self) -> pd.DataFrame:
        """The runs of ranked solvers."""
        return self.runs[self.runs["ranked"] == 1]

    @property
    def in_design(self) -> list[int]:
        """Return how many problems of the paper each setting and formulation of a ranked solver has."""
        runs = self.ranked
        least = runs["dataset"].map(ROSENHAHN_SAMPLES).astype(float)
        inside = (
            (runs["samples"].astype(float) >= least)
            & (runs["width"] == ROSENHAHN_NEURONS)
            & runs["variant"].isin(ROSENHAHN_VARIANTS)
            & (runs["network_seed"] < ROSENHAHN_SPLITS)
        )
        problems = ["dataset", "variant", "network_seed"]
        return [len(own[inside[own.index]].drop_duplicates(problems)) for _, own in parts_by(runs, CELL)]


def read_trained(runs: pd.DataFrame) -> Trained:
    """Return the runs that train networks, of those of a ledger (`reader.read_runs`)."""
    judged = judge_outcomes(runs[runs["variant"].notna()])
    found = judged.runs.assign(**{str(name): judged.outcomes[name] for name in judged.outcomes})
    measures = [_measures(text) for text in found["measures"]]
    known = pd.DataFrame([[own.get(name) for name in MEASURES] for own in measures], found.index, MEASURES, float)
    # The measures are about the best candidate, which may have come after the time limit.
    has_network = known.notna().all(axis=1) & (found["value"] == found["best_exact_value"].astype(float))
    found = found.assign(
        **{name: known[name].where(has_network) for name in MEASURES},
        has_network=has_network,
        objective=-found["value"].where(has_network),
        stopped=np.minimum(found["wall_seconds"].astype(float), found["limit"]),
        formulation=found["formulation"].fillna("none"),
    )
    refused = found["refused"].to_numpy(bool)
    once = ~found["run"].duplicated().to_numpy(bool)  # a run of two settings stands in both
    return Trained(
        runs=found[~refused],
        settings=judged.settings,
        refused=int((refused & once).sum()),
        wrong=int((found["wrong"].to_numpy(bool) & once).sum()),
    )


def _measures(text: object) -> dict[str, float]:
    return (parse_measures(text) if isinstance(text, str) else None) or {}


def parts_by(runs: pd.DataFrame, columns: list[str]) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    """Yield the runs with equal values in these columns, in the order of the values; nulls are equal, and last."""
    yield from runs.groupby(columns, sort=True, dropna=False)


def network_rows(trained: Trained) -> Iterator[NetworkRow]:
    """Yield the rows of Table 3, of every solver, ranked or not."""
    for where, setting, own in _groups(trained, trained.runs):
        found = own[own["has_network"]]
        means: dict[str, Any] = {
            name: aggregates.mean(found[name].to_numpy(float)) for name in (*MEASURES, "objective")
        }
        deviation = float(found["test_accuracy"].std()) if len(found) > 1 else None
        yield NetworkRow(
            **where,
            setting=setting,
            ranked=bool((own["ranked"] == 1).any()),
            runs=len(own),
            without=len(own) - len(found),
            deviation=deviation,
            **means,
        )


def time_rows(trained: Trained) -> Iterator[TimeRow]:
    """Yield the rows of Table 4, of ranked solvers."""
    for where, setting, own in _groups(trained, trained.ranked):
        late = own[own["timeouts"].to_numpy(bool)]
        gaps = aggregates.relative_gap(late["value"].to_numpy(float), late["dual_bound"].to_numpy(float))
        yield TimeRow(
            **where,
            setting=setting,
            runs=len(own),
            solved=int(own["solved"].sum()),
            mean=float(own["stopped"].mean()),
            shortest=float(own["stopped"].min()),
            longest=float(own["stopped"].max()),
            at_limit=len(late),
            gap=aggregates.mean(gaps),
        )


def size_rows(trained: Trained) -> Iterator[SizeRow]:
    """Yield the rows of Table 5."""
    instances = trained.runs.drop_duplicates("instance_sha256")
    for (*data, variant, formulation), own in parts_by(instances, [*DATA, "variant", "formulation"]):
        equalities = own["equality_rows"].astype(float)
        yield SizeRow(
            data=_data(data),
            variant=variant,
            formulation=formulation,
            columns=_range(own["columns"]),
            inequalities=_range(own["rows"].astype(float) - equalities),
            equalities=_range(equalities),
            nonzeros=_range(own["nonzeros"]),
            encode_seconds=aggregates.mean(own["export_seconds"].dropna().to_numpy(float)),
        )


def _groups(trained: Trained, runs: pd.DataFrame) -> Iterator[tuple[dict[str, Any], Setting, pd.DataFrame]]:
    """Yield the runs of each row of Tables 3 and 4, with what the row is about."""
    for (*data, variant, setting, formulation), own in parts_by(runs, [*DATA, "variant", *CELL]):
        where = {"data": _data(data), "variant": variant, "formulation": formulation}
        yield where, trained.settings[setting], own


def _data(values: list[Any]) -> Data:
    return Data(*(catalogue_value(value, name) for value, name in zip(values, DATA, strict=True)))  # type: ignore[arg-type]


def _range(numbers: pd.Series[Any]) -> tuple[int, int] | None:
    known = numbers.dropna()
    return None if known.empty else (int(known.min()), int(known.max()))
