"""Where a suite's table comes from: a name, or a CSV file and its target column."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from vnnbench.instances.datasets.builtin_tables import BUILTIN_TABLES
from vnnbench.instances.datasets.table import Table
from vnnbench.instances.errors import DataError

TABLE_NAMES = (*BUILTIN_TABLES,)
"""The tables that a suite can name."""


@dataclass(frozen=True, slots=True)
class TableSource:
    """The table called `name`: one of `TABLE_NAMES`, or the CSV file `path` with the classes in column `target`."""

    name: str
    path: Path | None = None
    target: str | None = None


def named_table(name: str) -> TableSource:
    """Return the source of a table that comes by its name. Raises `DataError` if there is none."""
    if name not in TABLE_NAMES:
        raise DataError(f"unknown data set {name!r}: known are {', '.join(TABLE_NAMES)}, and any CSV file")
    return TableSource(name)


def csv_table(path: Path, target: str) -> TableSource:
    """Return the source of a CSV file, called as the file without its ending, in a-z, 0-9 and -.

    Raises `DataError`: nothing is left of the name, or a built-in data set has it.
    """
    name = re.sub("[^a-z0-9]+", "-", path.name.lower().removesuffix(".gz").removesuffix(".csv")).strip("-")
    if not name or name in TABLE_NAMES:
        what = f"is the name of the built-in data set {name}" if name else "has no letter of a-z and no digit"
        raise DataError(f"{path}: the file's name {what}; give it another, because instances are called after it")
    return TableSource(name, path, target)


def load_table(source: TableSource, data_folder: Path | None = None) -> Table:
    """Return the table of a source.

    data_folder: a folder with NAME.csv for the data sets of OpenML; without it they are fetched. Raises `DataError`.
    """
    return BUILTIN_TABLES[source.name]()
