"""The reader of suites of training problems from TOML tables; `suite_toml` reads the file."""

from __future__ import annotations

from pathlib import Path

from vnnbench.common.toml_table import REQUIRED, Table, integer, list_of, one_line, one_of, word_of
from vnnbench.instances.datasets.table_sources import TABLE_NAMES, TableSource, csv_table
from vnnbench.instances.errors import SuiteError
from vnnbench.instances.files import read_plain, sha256
from vnnbench.instances.limits import MAX_TABLE_BYTES
from vnnbench.instances.step_networks.train_property import MAX_NEURONS, VARIANTS
from vnnbench.instances.suites.train_suite import TrainData, TrainSuite
from vnnbench.instances.train_models import TrainFormulation

OWN_KEYS = ("variants", "data")
"""Keys that suites of other families do not have."""
MAX_SPLIT, MAX_SAMPLES, MAX_WEIGHT, MAX_WEIGHT_SUM = 999, 1_000_000, 100, 1_000_000
_VARIANTS = {variant.name: variant for variant in VARIANTS}


def train_suite(table: Table, name: str, description: str) -> TrainSuite:
    """Return the suite of a table. Raises SuiteError."""
    neurons = table.take("neurons", integer(1, MAX_NEURONS), f"an integer of 1 to {MAX_NEURONS}", None)
    variants = table.take(
        "variants", list_of(one_of(_VARIANTS)), f"a list of some of {', '.join(_VARIANTS)}, in quotes"
    )
    suite = TrainSuite(
        name=name,
        description=description,
        data=_data(table, neurons),
        splits=table.take(
            "splits",
            list_of(integer(0, MAX_SPLIT)),
            f"a list of different integers of 0 to {MAX_SPLIT}, such as [0, 1]",
        ),
        variants=tuple(_VARIANTS[name] for name in variants),
        formulations=table.take(
            "formulations", list_of(word_of(TrainFormulation)), f"a list of some of {', '.join(TrainFormulation)}"
        ),
        weight_limit=table.take("weight_limit", integer(1, MAX_WEIGHT), f"an integer of 1 to {MAX_WEIGHT}", 1),
        weight_sum_limit=table.take(
            "weight_sum_limit", integer(1, MAX_WEIGHT_SUM), f"an integer of 1 to {MAX_WEIGHT_SUM}", None
        ),
    )
    if not any(variant.weights for variant in suite.variants):
        for key, value in (("weight_limit", suite.weight_limit != 1), ("weight_sum_limit", suite.weight_sum_limit)):
            if value:
                table.fail(key, getattr(suite, key), "left out: no variant has the flag `weights`, the first of three")
    return suite


def _data(suite_table: Table, neurons: int | None) -> tuple[TrainData, ...]:
    """Return the data sets. neurons: those of a data set without its own."""
    tables = suite_table.tables("data")
    if not tables:
        suite_table.fail("data", [], "an array of tables, [[data]], one for each data set")
    found: list[TrainData] = []
    for table in tables:
        source = _source(table)
        right = f"an integer of 1 to {MAX_NEURONS}, here or for the whole suite"
        own = table.take("neurons", integer(1, MAX_NEURONS), right, REQUIRED if neurons is None else neurons)
        samples = table.take("training_samples", integer(2, MAX_SAMPLES), f"an integer of 2 to {MAX_SAMPLES}", None)
        data = TrainData(source, own, samples, _sha256(source))
        if data.name in [other.name for other in found]:
            key = "csv" if source.path else "dataset"
            table.fail(key, source.name, f"listed once with {own} neurons: instances are called {data.name}-...")
        table.finish()
        found.append(data)
    return tuple(found)


def _source(table: Table) -> TableSource:
    if "csv" not in table.values:
        if "dataset" in table.values and "target" in table.values:
            table.fail("target", table.values["target"], "left out: it goes with csv, and a named data set has its own")
        table.known += ["csv", "target"]
        right = f"one of {', '.join(TABLE_NAMES)}; or give csv and target"
        return TableSource(table.take("dataset", one_of(TABLE_NAMES), right))
    if "dataset" in table.values:
        table.fail("dataset", table.values["dataset"], "left out: csv names the data")
    file = table.take("csv", one_line, "the path of a CSV file, relative to the suite's")
    return csv_table(Path(table.source).parent / file, table.take("target", one_line, "the name of a column"))


def _sha256(source: TableSource) -> str | None:
    return None if source.path is None else sha256(read_plain(source.path, MAX_TABLE_BYTES, SuiteError))
