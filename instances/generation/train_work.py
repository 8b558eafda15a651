"""The work that makes training problems: each problem with its models is a task of its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any, Self

from vnnbench.instances.datasets.csv_table import parse_csv
from vnnbench.instances.datasets.labelled_data import Split
from vnnbench.instances.datasets.splits import make_split
from vnnbench.instances.datasets.table import Table, check_classes
from vnnbench.instances.datasets.table_sources import check_table_folder, is_from_openml, load_table
from vnnbench.instances.errors import DataError, SuiteError
from vnnbench.instances.files import read_plain, sha256
from vnnbench.instances.formulations.mps import compress, mps_text
from vnnbench.instances.generation.catalog_rows import train_row
from vnnbench.instances.generation.checkpoint import Record, save_record
from vnnbench.instances.generation.instance_tasks import clock
from vnnbench.instances.generation.suite_work import (
    NOTHING,
    Batches,
    GenerationOptions,
    GenerationPlan,
    Step,
    SuiteWork,
    as_it_is,
    selected,
)
from vnnbench.instances.layout import model_file, property_file
from vnnbench.instances.library.catalog import TIMING_COLUMNS
from vnnbench.instances.library.library import Library
from vnnbench.instances.limits import MAX_TABLE_BYTES
from vnnbench.instances.step_networks.train_file import train_json
from vnnbench.instances.step_networks.train_property import TrainProperty, train_property
from vnnbench.instances.suites.train_suite import TrainData, TrainInstance, TrainSuite
from vnnbench.instances.train_models import encode


def train_work(suite: TrainSuite, select: Sequence[str], options: GenerationOptions) -> TrainWork:
    """Return the work that makes the selected instances.

    Raises LibraryError (nothing is selected), SuiteError (an option is about the training of networks) and DataError
    (the folder of data sets is not needed, or is not a folder; a CSV file of the suite cannot be trained on).
    """
    instances = selected(suite.instances(), select, suite.name)
    for option, given in (
        ("--networks", options.networks_from is not None),
        ("--key", options.key_file is not None),
        ("--device", options.device != "cpu"),
    ):
        if given:
            raise SuiteError(f"{option}: suite {suite.name} trains no networks for its library; leave {option} out")
    check_table_folder([data.source for data in suite.data], options.data_folder)
    for data, of_data in groupby(instances, lambda instance: instance.data):
        if data.source.path is not None:
            _split(next(of_data), options.data_folder)
    return TrainWork(suite, instances, options)


class TrainWork(SuiteWork[TrainSuite, TrainInstance]):
    """The work that makes instances of a suite of training problems."""

    def plan(self) -> GenerationPlan:
        tasks = tuple((_task_name(problem), len(of_problem)) for problem, of_problem in self._by_problem())
        return GenerationPlan(NOTHING, NOTHING, Batches(len(self.instances), tasks))

    def steps(self, folder: Path) -> list[Step]:
        """Return one step for each problem."""
        data_folder = self.options.data_folder
        tasks = [TrainTask(folder, data_folder, self.suite, of_problem) for _, of_problem in self._by_problem()]
        return [Step(task.name, (), make_problem, partial(as_it_is, task)) for task in tasks]

    def identity(self) -> dict[str, Any]:
        """Return what the tables of --data hold. Other files are parts of the suite, and OpenML's own never change."""
        folder = self.options.data_folder
        if folder is None:
            return {"tables_sha256": None}
        names = {found.data.source.name for found in self.instances if is_from_openml(found.data.source)}
        files = {name: read_plain(folder / f"{name}.csv", MAX_TABLE_BYTES, DataError) for name in sorted(names)}
        return {"tables_sha256": {name: sha256(data) for name, data in files.items()}}

    def repairing(self, names: Collection[str], whole: Library | None) -> Self:
        instances = [instance for instance in self.suite.instances() if instance.name in names]
        return type(self)(self.suite, instances, self.options)

    def _by_problem(self) -> list[tuple[str, tuple[TrainInstance, ...]]]:
        return [(problem, tuple(found)) for problem, found in groupby(self.instances, lambda found: found.problem)]


@dataclass(frozen=True, slots=True)
class TrainTask:
    """A task: make the instances of one problem."""

    library: Path
    data_folder: Path | None
    suite: TrainSuite
    instances: tuple[TrainInstance, ...]

    @property
    def name(self) -> str:
        return _task_name(self.instances[0].problem)


def _task_name(problem: str) -> str:
    return f"problem-{problem}"


def make_problem(task: TrainTask) -> None:
    """Write the property and the models of one problem. Raises DataError and PropertyError."""
    prop = _property(task)
    document, record = train_json(prop), Record()
    record.write(task.library, property_file(task.instances[0].problem), document)
    for instance in task.instances:
        seconds: dict[str, Any] = {}
        with clock(seconds, "export_seconds"):
            model = encode(prop, instance.formulation, instance.name)
            text = mps_text(model)
            record.write(task.library, model_file(instance.name), compress(text))
        record.rows.append(asdict(train_row(task.suite.name, instance, prop, document, model, text)))
        record.timings[instance.name] = {column: seconds.get(column) for column in TIMING_COLUMNS}
    save_record(task.library, task.name, record)


def _property(task: TrainTask) -> TrainProperty:
    instance = task.instances[0]
    split = _split(instance, task.data_folder)
    sum_limit = task.suite.weight_sum_limit if instance.variant.weights else None
    return train_property(split, instance.data.neurons, instance.variant, task.suite.weight_limit, sum_limit)


def _split(instance: TrainInstance, data_folder: Path | None) -> Split:
    """Return the samples of an instance. Raises DataError, about the table and the suite's keys."""
    data = instance.data
    table = _in_memory(data, data_folder)
    check_classes(table, data.neurons)
    _check_samples(table, data.training_samples)
    integer = instance.variant.integer
    return make_split(table, instance.split, integer=integer, training_samples=data.training_samples)


def _check_samples(table: Table, training_samples: int | None) -> None:
    """Check that a split has a training sample of every class and a test sample; see `make_split`. Raises DataError."""
    least, most = table.n_classes, table.n_samples - 1
    if training_samples is None and table.n_samples // 2 < least:
        raise DataError(
            f"{table.place()}has {table.n_samples} samples, half of them for training; these must be at least {least}, "
            "one for each class: add samples"
        )
    if training_samples is not None and not least <= training_samples <= most:
        raise DataError(
            f"{table.place()}training_samples is {training_samples}, it must be at least {least}, one for each class, "
            f"and at most {most}, so that a sample is left for testing"
        )


@lru_cache(maxsize=1)  # tasks are ordered by data set
def _in_memory(data: TrainData, data_folder: Path | None) -> Table:
    source = data.source
    if source.path is None:
        return load_table(source, data_folder)
    content = read_plain(source.path, MAX_TABLE_BYTES, DataError)
    if sha256(content) != data.csv_sha256:
        raise DataError(f"{source.path}: was changed since the suite was read; generate again")
    return parse_csv(content, source.name, str(source.path), source.target)
