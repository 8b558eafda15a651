"""The tables of a ledger for pandas users: a documented dtype for every column, whatever the ledger holds.

| kind of column | dtype | missing value |
| --- | --- | --- |
| text | string | <NA> |
| `started_at` | datetime64[ms, UTC] | NaT |
| whole number | Int64 | <NA> |
| real number, such as seconds | float64 | NaN |
| yes or no (`FLAGS`) | boolean | <NA> |
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionDtype

from vnnbench.leaderboard.records.processors import CPU, HOST
from vnnbench.leaderboard.records.query_columns import frame_within
from vnnbench.leaderboard.records.reader import read_runs, read_tables
from vnnbench.leaderboard.records.schema import REAL_COLUMNS, TEXT_COLUMNS

FLAGS = frozenset(
    {
        *("also_by_limit", "disturbed", "finetuned", "float32_beats_all", "impossible_times", "ranked", "strict"),
        "value_is_column",
    }
)
"""Columns that a ledger stores as 0 and 1, and derived ones."""
_LATER_TEXTS = frozenset({CPU, HOST, "planted", "proven"})
"""Text columns that are derived, not stored."""
_LARGEST_INTEGER = float(np.nextafter(2.0**63, 0.0))
"""The largest float64 that int64 holds."""


def runs_frame(path: Path) -> pd.DataFrame:
    """Return every run of the ledger at `path`, one row each, ordered by start and name.

    The columns are those of the view `runs`, then the instance's columns of the catalogue, then `cpu`, `host`,
    `planted` and `proven`.
    Raises `LedgerError`.
    """
    return _typed(read_runs(path))


def instances_frame(path: Path) -> pd.DataFrame:
    """Return every instance with runs in the ledger at `path`, one row each, ordered by name.

    Raises `LedgerError`.
    """
    (instances,) = read_tables(path, "SELECT * FROM instances ORDER BY instance, instance_sha256")
    return _typed(frame_within(instances))


def dtype_of(name: str) -> ExtensionDtype | np.dtype[np.float64]:
    """Return the dtype of a column of `runs_frame` or `instances_frame`."""
    if name == "started_at":
        return pd.DatetimeTZDtype("ms", "UTC")
    if name in TEXT_COLUMNS or name in _LATER_TEXTS:
        return pd.StringDtype()
    if name in FLAGS:
        return pd.BooleanDtype()
    return np.dtype(np.float64) if name in REAL_COLUMNS else pd.Int64Dtype()


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({str(name): _column(str(name), table[name]) for name in table}, index=table.index)


def _column(name: str, values: pd.Series[Any]) -> pd.Series[Any]:
    dtype = dtype_of(name)
    if isinstance(dtype, pd.DatetimeTZDtype):  # in a merged ledger it may be any text
        return pd.to_datetime(values, errors="coerce", utc=True, format="ISO8601").astype(dtype)
    if isinstance(dtype, pd.BooleanDtype):
        return values.astype(pd.Int64Dtype()).clip(0, 1).astype(dtype)
    if isinstance(dtype, pd.Int64Dtype) and values.dtype.kind == "f":  # some are missing; the largest rounds to 2**63
        return values.clip(-_LARGEST_INTEGER, _LARGEST_INTEGER).astype(dtype)
    return values.astype(dtype)
