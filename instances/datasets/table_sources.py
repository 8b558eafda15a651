"""Where a suite's table comes from: a name, or a CSV file and its target column."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vnnbench.instances.datasets.builtin_tables import BUILTIN_TABLES
from vnnbench.instances.datasets.csv_table import read_csv
from vnnbench.instances.datasets.openml_tables import OPENML_TABLES, load_openml_table
from vnnbench.instances.datasets.table import Table
from vnnbench.instances.errors import DataError

TABLE_NAMES = (*BUILTIN_TABLES, *OPENML_TABLES)
"""The tables that a suite can name."""
MAX_NAME = 100
"""Characters of a table's name, which all names of its instances start with."""


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

    Raises `DataError`: nothing is left of the name, it is too long, or a named table has it.
    """
    name = re.sub("[^a-z0-9]+", "-", path.name.lower().removesuffix(".gz").removesuffix(".csv")).strip("-")
    if not name:
        raise DataError(f"{path}: the file's name has no letter of a-z and no digit; rename it: instances are named so")
    if len(name) > MAX_NAME:
        raise DataError(
            f"{path}: the file's name has more than {MAX_NAME} characters; rename it: instances are named so"
        )
    if name in TABLE_NAMES:
        raise DataError(f"{path}: the file has the name of the data set {name}; rename it: instances are named so")
    return TableSource(name, path, target)


def is_from_openml(source: TableSource) -> bool:
    """Return whether the table is one of OpenML's."""
    return source.path is None and source.name in OPENML_TABLES


def load_table(source: TableSource, data_folder: Path | None = None) -> Table:
    """Return the table of a source.

    data_folder: a folder with NAME.csv for the tables of OpenML; without it they are fetched. Raises `DataError`.
    """
    if source.path is not None:
        return read_csv(source.path, source.name, source.target)
    if is_from_openml(source):
        return load_openml_table(source.name, data_folder)
    return BUILTIN_TABLES[source.name]()


def check_table_folder(sources: Iterable[TableSource], data_folder: Path | None) -> None:
    """Check the folder of --data against the tables that are to be read.

    Raises `DataError`: none of them is read from it, or the folder is not a folder.
    """
    if data_folder is None:
        return
    if not any(map(is_from_openml, sources)):
        raise DataError(
            f"--data {data_folder}: the folder is not needed, because no table comes from OpenML; leave the option out"
        )
    if not data_folder.is_dir():
        what = "is not a folder" if data_folder.exists() else "no such folder"
        raise DataError(f"{data_folder}: {what}; --data must name a folder with tables of OpenML as CSV files")
