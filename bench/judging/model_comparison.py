"""The comparison of a model as a solver read it with our own reading of the file: equal bit for bit, or to the
precision with which the solver can report numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator

from vnnbench.instances.formulations.milp import MilpModel
from vnnbench.solvers.base import ModelAsRead


def differences(model: MilpModel, read: ModelAsRead) -> Iterator[str]:
    """Yield one line per kind of difference, with the first place where it occurs; nothing when the two agree.

    Numbers agree when they are equal, or differ by at most `read.tolerance` times their size.
    """
    if not read.minimize:
        yield "the sense is maximization"
    if not _agree(read.offset, model.offset, read):
        yield f"the objective's constant is {read.offset!r}, not {model.offset!r}"
    columns = {name: i for i, name in enumerate(read.column_names)}
    rows = {name: i for i, name in enumerate(read.row_names)}
    if set(columns) != set(model.column_names) or len(columns) != len(read.column_names):
        yield f"it has {len(read.column_names)} columns, not the file's {model.n_columns}, or other names"
        return
    if set(rows) != set(model.row_names) or len(rows) != len(read.row_names):
        yield f"it has {len(read.row_names)} rows, not the file's {model.n_rows}, or other names"
        return
    yield from _column_differences(model, read, columns)
    yield from _row_differences(model, read, rows)
    yield from _entry_differences(model, read)


def _agree(theirs: float, ours: float, read: ModelAsRead) -> bool:
    return theirs == ours or abs(theirs - ours) <= read.tolerance * abs(ours) < math.inf


def _column_differences(model: MilpModel, read: ModelAsRead, place: dict[str, int]) -> Iterator[str]:
    kinds = (
        ("lower bound", model.lower.tolist(), read.column_lower),
        ("upper bound", model.upper.tolist(), read.column_upper),
        ("integrality", model.integer.tolist(), read.column_integer),
        ("objective coefficient", model.objective.tolist(), read.objective),
    )
    for kind, ours, theirs in kinds:
        for name, value in zip(model.column_names, ours, strict=True):
            if not _agree(theirs[place[name]], value, read):
                yield f"the {kind} of column {name} is {theirs[place[name]]!r}, not {value!r}"
                break


def _row_differences(model: MilpModel, read: ModelAsRead, place: dict[str, int]) -> Iterator[str]:
    for name, sense, rhs in zip(model.row_names, model.senses, model.rhs.tolist(), strict=True):
        lower = -math.inf if sense == "L" else rhs
        upper = math.inf if sense == "G" else rhs
        i = place[name]
        if not (_agree(read.row_lower[i], lower, read) and _agree(read.row_upper[i], upper, read)):
            yield f"row {name} has the sides {read.row_lower[i]!r}, {read.row_upper[i]!r}, not {lower!r}, {upper!r}"
            return


def _entry_differences(model: MilpModel, read: ModelAsRead) -> Iterator[str]:
    theirs = {(read.row_names[r], read.column_names[c]): value for r, c, value in read.entries}
    if len(theirs) != model.n_nonzeros or len(theirs) != len(read.entries):
        yield f"it has {len(read.entries)} nonzeros, not {model.n_nonzeros}"
        return
    values, indices, indptr = model.data.tolist(), model.indices.tolist(), model.indptr.tolist()
    for r, row in enumerate(model.row_names):
        for e in range(indptr[r], indptr[r + 1]):
            column = model.column_names[indices[e]]
            if not _agree(theirs.get((row, column), math.nan), values[e], read):
                yield f"row {row}, column {column}: {theirs.get((row, column))!r}, not {values[e]!r}"
                return
