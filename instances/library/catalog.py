"""The catalogue and the timings of a library as CSV: one row per instance, numbers that read back bit for bit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from vnnbench.instances.errors import LibraryError
from vnnbench.instances.families import FAMILIES
from vnnbench.instances.formulations.numerics import Numerics
from vnnbench.instances.library.tables import read_field, read_records, table_bytes


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """One instance: the columns of catalog.csv in their order; None is an empty field.

    network, dense_network: names of files (`layout`); model, property: relative paths. A family without networks leaves
    the first two and the counts of neurons empty.
    bounds: the method that bounded the pre-activations. threshold, strict: a value beyond the threshold, or reaching it
    if not strict, answers the problem.
    centre_value: the value of the instance's own network at the clean input, exact, then rounded.
    coefficient_min to tolerance_reach: see `numerics.Numerics`. zero_share: see `pruning.zero_share`; None if the
    network was imported. time_limit_seconds: the limit of a run if none is given; None if the instance has none of its
    own. variant, samples, features: the variant, training samples and inputs of a training problem. equality_rows: the
    number of its rows that are equations. Columns that an older library's catalogue lacks are None.
    """

    instance: str
    instance_sha256: str
    problem: str
    family: str
    suite: str | None
    dataset: str | None
    input_side: int | None
    depth: int | None
    width: int | None
    seed: int | None
    network: str | None
    dense_network: str | None
    pruning: str
    structure: str
    rate: float | None
    finetuned: int
    formulation: str
    bounds: str
    norm: str | None
    radius: float | None
    sample: int | None
    source: int | None
    target: int | None
    accuracy: float | None
    dense_accuracy: float | None
    rows: int
    columns: int
    nonzeros: int
    binaries: int
    stable_active: int | None
    stable_inactive: int | None
    unstable: int | None
    constant_rounding: float
    model: str
    property: str
    strict: int
    threshold: float | None
    centre_value: float | None
    coefficient_min: float | None = None
    coefficient_max: float | None = None
    big_m_min: float | None = None
    big_m_max: float | None = None
    tolerance_reach: float | None = None
    zero_share: float | None = None
    time_limit_seconds: float | None = None
    variant: str | None = None
    samples: int | None = None
    features: int | None = None
    equality_rows: int | None = None

    def data_files(self) -> dict[str, str]:
        """Return the files, beside the property, from which the instance's values are computed (`Problem.data_files`).

        They are relative paths by part.
        """
        return FAMILIES[self.family].data_files(self)


_FLAGS = ("finetuned", "strict")
_SHARES = ("rate", "accuracy", "dense_accuracy", "zero_share")
_TYPES = {field.name: str(field.type) for field in fields(CatalogRow)}
CATALOG_COLUMNS = tuple(_TYPES)
_LEFT_OUT_IF_EMPTY = ("time_limit_seconds", "variant", "samples", "features", "equality_rows")
"""The columns that a catalogue lacks if no row fills them, so that the catalogues of suites keep their bytes."""
_ADVICE = "generate the library again"
_REQUIRED_COLUMNS = tuple(field.name for field in fields(CatalogRow) if field.default is MISSING)
TIMING_COLUMNS = (
    "train_seconds",
    "prune_seconds",
    "finetune_seconds",
    "bounds_seconds",
    "export_seconds",
    "batch_size",
    "alone_train_seconds",
    "alone_finetune_seconds",
)
"""The columns of timings.csv, except the instance's name.

batch_size: the number of networks that trained together, and of surrogates that were finetuned together; train_seconds
and finetune_seconds are the batch's wall time divided by it. alone_train_seconds, alone_finetune_seconds: the time of
one network of the group, trained and finetuned alone, measured once per group; null if nothing was trained.

Steps that an instance does not have are null too: a dense network has neither prune_seconds nor finetune_seconds; a
surrogate has only one of the two, because a finetuned one is pruned during finetuning; `surrogatelib` has no
bounds_seconds, because PySCIPOpt-ML computes bounds while it builds the model, which is part of export_seconds. All are
null if timings.csv lacks the instance.
"""


def catalog_bytes(rows: Iterable[CatalogRow]) -> bytes:
    """Return the bytes of catalog.csv; numbers read back bit for bit."""
    rows = tuple(rows)
    empty = {column for column in _LEFT_OUT_IF_EMPTY if all(getattr(row, column) is None for row in rows)}
    columns = [column for column in CATALOG_COLUMNS if column not in empty]
    return table_bytes(columns, ([getattr(row, column) for column in columns] for row in rows))


def timings_bytes(timings: dict[str, dict[str, float | int | None]]) -> bytes:
    """Return the bytes of timings.csv, from timings by instance."""
    return table_bytes(
        ("instance", *TIMING_COLUMNS),
        ([instance, *(values[column] for column in TIMING_COLUMNS)] for instance, values in timings.items()),
    )


def parse_timings(data: bytes, path: Path) -> dict[str, dict[str, float | int | None]]:
    """Return the timings of timings.csv by instance; a column that an older library lacks is None.

    Raises LibraryError.
    """
    timings: dict[str, dict[str, float | int | None]] = {}
    for line, record in read_records(data, path, ("instance",), _ADVICE):
        values: dict[str, float | int | None] = {}
        for column in TIMING_COLUMNS:
            kind = "int | None" if column == "batch_size" else "float | None"
            values[column] = _value(record.get(column, ""), kind, f"{path}, line {line}: ", column)
        timings[record["instance"]] = values
    return timings


def parse_catalog(data: bytes, path: Path) -> Iterable[CatalogRow]:
    """Yield the rows of catalog.csv; columns that later versions added may be missing.

    Raises LibraryError, which names line and column: a field of a wrong type, an unknown family, or an empty field that
    the family fills.
    """
    for line, record in read_records(data, path, _REQUIRED_COLUMNS, _ADVICE):
        where = f"{path}, line {line}: "
        values = {column: _value(record.get(column, ""), kind, where, column) for column, kind in _TYPES.items()}
        row = CatalogRow(**values)
        if row.family not in FAMILIES:
            raise LibraryError(f"{where}family is {row.family[:40]!r}, it must be one of {', '.join(FAMILIES)}")
        empty = [column for column in FAMILIES[row.family].catalog_columns if getattr(row, column) is None]
        if empty:
            raise LibraryError(f"{where}{empty[0]} is empty")
        yield row


def _value(text: str, kind: str, where: str, column: str) -> Any:
    """Return a field as `kind`, one of str, int, float, each possibly "| None"; a flag is 0 or 1."""
    word, _, optional = kind.partition(" | ")
    if column in _FLAGS:
        word = "flag"
    elif column in _SHARES:
        word = "share"
    elif column == "time_limit_seconds":
        word = "limit"
    elif column.endswith("_seconds") or column == "constant_rounding":
        word = "measure"
    return read_field(text, word, where, column, optional=bool(optional))


def numerics_of(row: CatalogRow) -> Numerics:
    """Return a row's sizes of numbers as a `Numerics`."""
    return Numerics(**{field.name: getattr(row, field.name) for field in fields(Numerics)})
