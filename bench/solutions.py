"""Solution files from anywhere: .sol as Gurobi, SCIP, HiGHS and CBC write them, and .npz with candidates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.arrays import read_arrays
from instances.errors import PropertyError
from instances.files import read_plain
from instances.network import Float64Array

MAX_BYTES = 1 << 28


def read_solution(path: Path, column_names: Sequence[str]) -> Float64Array:
    """Column values (n,) in the order of `column_names` from a .sol file: every line that has a column's name followed
    by a number, or by an index in front (CBC). Columns that are not mentioned are 0, as SCIP omits zeros.

    Raises `PropertyError` when the file is unreadable, names no column, or names one twice with different values.
    """
    try:
        text = read_plain(path, MAX_BYTES, PropertyError).decode("utf-8")
    except UnicodeDecodeError as error:
        raise PropertyError(f"{path}: not a readable solution file (it is not UTF-8 text)") from error
    values: dict[str, float] = {}
    known = set(column_names)
    for line in text.splitlines():
        # HiGHS goes on with the rows, whose names may be those of columns, and with reduced costs.
        if line.startswith(("# Rows", "# Dual solution")):
            break
        pair = _pair(line.split(), known)
        if pair is None:
            continue
        name, value = pair
        if not math.isfinite(value):
            raise PropertyError(f"{path}: column {name} is {value!r}, it must be a finite number")
        if values.setdefault(name, value) != value:
            raise PropertyError(f"{path}: column {name} has two values, {values[name]!r} and {value!r}")
    if not values:
        raise PropertyError(f"{path}: names no column of the instance; it must hold lines `column value`")
    return np.array([values.get(name, 0.0) for name in column_names])


def _pair(fields: list[str], known: set[str]) -> tuple[str, float] | None:
    for position in (0, 1):
        if len(fields) > position + 1 and fields[position] in known:
            try:
                return fields[position], float(fields[position + 1])
            except ValueError:
                return None
    return None


def read_inputs(path: Path, n_inputs: int) -> Float64Array:
    """Candidates (k, n_0) from array `inputs` of a .npz file, float64. Raises `PropertyError`; never unpickles."""
    inputs = read_arrays(read_plain(path, MAX_BYTES, PropertyError), str(path), ["inputs"], PropertyError)["inputs"]
    if inputs.dtype.kind != "f" or inputs.ndim != 2 or inputs.shape[1] != n_inputs or not len(inputs):
        raise PropertyError(f"{path}: `inputs` is {inputs.dtype} {inputs.shape}, it must be float64 (k, {n_inputs})")
    return inputs.astype(np.float64)
