"""Suites of training problems: data sets, each with variants of the problem and splits, and their plan with every name.

problem   a data set, a number of neurons, a variant and a split   wine-8n-f101-s3, wine-8n-int-s3
instance  a problem in one formulation                             wine-8n-f101-s3--plain
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vnnbench.instances.datasets.table_sources import TableSource
from vnnbench.instances.layout import model_file, property_file
from vnnbench.instances.step_networks.train_property import TrainProperty, Variant
from vnnbench.instances.suites.suite import Suite
from vnnbench.instances.train_models import TrainFormulation


@dataclass(frozen=True, slots=True)
class TrainData:
    """A data set of a suite, and the shape of its problems.

    training_samples: of every split; None for half of the data set. csv_sha256: of the source's file; None without one.
    """

    source: TableSource
    neurons: int
    training_samples: int | None = None
    csv_sha256: str | None = None

    @property
    def name(self) -> str:
        return f"{self.source.name}-{self.neurons}n"

    def facts(self) -> dict[str, Any]:
        """Return what it contains, for readers."""
        samples = {} if self.training_samples is None else {"training samples": self.training_samples}
        return {"name": self.source.name, "neurons": self.neurons, **samples}

    def meaning(self) -> dict[str, Any]:
        """Return what decides its problems; a file counts by what it holds, wherever it is."""
        document = {
            "dataset": self.source.name,
            "neurons": self.neurons,
            "training_samples": self.training_samples,
            "target": self.source.target,
            "csv_sha256": self.csv_sha256,
        }
        return {key: value for key, value in document.items() if value is not None}


@dataclass(frozen=True, slots=True)
class TrainInstance:
    """One instance of the plan."""

    data: TrainData
    variant: Variant
    split: int
    formulation: TrainFormulation

    @property
    def name(self) -> str:
        return f"{self.problem}--{self.formulation}"

    @property
    def problem(self) -> str:
        variant = self.variant.name if self.variant.integer else f"f{self.variant.name}"
        return f"{self.data.name}-{variant}-s{self.split}"

    @property
    def seed(self) -> int:
        """The number of the split."""
        return self.split

    def files(self) -> set[str]:
        """Return all its files, by relative path."""
        return {model_file(self.name), property_file(self.problem)}

    def trained_files(self) -> set[str]:
        """Return no file: networks are what the problems ask for."""
        return set()


@dataclass(frozen=True, slots=True)
class TrainSuite(Suite):
    """A grid: every data set with every variant and split, in every formulation.

    weight_limit, weight_sum_limit: as in `train_property`, for the variants whose hidden weights are integers.
    """

    data: tuple[TrainData, ...]
    splits: tuple[int, ...]
    variants: tuple[Variant, ...]
    formulations: tuple[TrainFormulation, ...]
    weight_limit: int = 1
    weight_sum_limit: int | None = None

    @property
    def family(self) -> str:
        return TrainProperty.family

    @property
    def datasets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(data.source.name for data in self.data))

    def instances(self) -> Iterator[TrainInstance]:
        for data in self.data:
            for variant in self.variants:
                for split in self.splits:
                    for formulation in self.formulations:
                        yield TrainInstance(data, variant, split, formulation)

    @property
    def n_problems(self) -> int:
        return len(self.data) * len(self.variants) * len(self.splits)

    @property
    def n_instances(self) -> int:
        return self.n_problems * len(self.formulations)

    def facts(self) -> dict[str, Any]:
        limited = any(variant.weights for variant in self.variants)
        return {
            "datasets": [data.facts() for data in self.data],
            "variants": [variant.name for variant in self.variants],
            "splits": list(self.splits),
            "weight limit": self.weight_limit if limited else None,
            "weight sum limit": self.weight_sum_limit,
            "formulations": [formulation.value for formulation in self.formulations],
        }

    def meaning(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "name": self.name,
            "family": self.family,
            "data": [data.meaning() for data in self.data],
            "splits": self.splits,
            "variants": [variant.name for variant in self.variants],
            "formulations": self.formulations,
        }
        if self.weight_limit != 1:
            document["weight_limit"] = self.weight_limit
        if self.weight_sum_limit is not None:
            document["weight_sum_limit"] = self.weight_sum_limit
        return document
