"""The results of queries by column, and the joining of parts that several processes read.

Numbers are int64, with nulls float64. Texts are objects; rows with equal texts share one object, so that a million runs
fit in memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from sqlite3 import Cursor
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vnnbench.common.numbers import MAX_REAL
from vnnbench.leaderboard.ranges import MAX_RECORDED_SECONDS
from vnnbench.leaderboard.records.schema import TEXT_COLUMNS

_OWN_TEXTS = {"run", "started_at", "message", "fault_reason", "dual_steps", "primal_steps", "measures"}
"""Text columns whose values are mostly different in every row."""
_AT_ONCE = 1_000  # rows: few enough for a processor's cache


@dataclass(frozen=True, slots=True)
class Column:
    """One column. values (n,): the values, or for shared texts their positions in `words`; else `words` is None."""

    values: NDArray[Any]
    words: list[str | None] | None = None

    def array(self) -> NDArray[Any]:
        """Return the values themselves."""
        return self.values if self.words is None else np.array(self.words, dtype=object)[self.values]


def read_columns(cursor: Cursor) -> dict[str, Column]:
    """Return the columns of a query's result. Raises sqlite3.Error, or ValueError for values of a wrong type."""
    names = [name for name, *_ in cursor.description]
    parts: list[list[NDArray[Any]]] = [[] for _ in names]
    words = [defaultdict[str | None, int](count().__next__) for _ in names]  # numbers texts in order of appearance
    while rows := cursor.fetchmany(_AT_ONCE):
        for name, part, known, values in zip(names, parts, words, zip(*rows, strict=True), strict=True):
            if name in _OWN_TEXTS:
                part.append(np.array(values, dtype=object))
            elif name in TEXT_COLUMNS:
                part.append(np.fromiter(map(known.__getitem__, values), np.int32, len(values)))
            else:
                part.append(np.array(values, dtype=float if isinstance(values[0], float) or None in values else None))
    return {
        name: Column(np.concatenate(part) if part else _empty(name), [*known] if known else None)
        for name, part, known in zip(names, parts, words, strict=True)
    }


def within(name: str, numbers: NDArray[Any]) -> NDArray[Any]:
    """Return a column of this name with its numbers limited to ranges that can be computed with (`ranges`).

    Times are limited to 0 to MAX_RECORDED_SECONDS, other reals to MAX_REAL, and an infinite one becomes null (NaN).
    Integers and texts stay as they are.
    """
    if numbers.dtype.kind != "f":
        return numbers
    least, most = (0.0, MAX_RECORDED_SECONDS) if name.endswith("_seconds") else (-MAX_REAL, MAX_REAL)
    known = numbers if name.endswith("_seconds") else np.where(np.isinf(numbers), np.nan, numbers)
    clipped: NDArray[Any] = np.clip(known, least, most)
    return clipped


def frame_within(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with `within` applied to every column."""
    return frame.assign(**{str(name): within(str(name), frame[name].to_numpy()) for name in frame})


def is_dense(runs: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which runs are on the problem itself: on the dense network, not on a surrogate, or without a network."""
    own, dense = runs["network"], runs["dense_network"]
    asked: NDArray[np.bool_] = ((own == dense) | (own.isna() & dense.isna())).to_numpy(bool)
    return asked


def as_bytes(texts: NDArray[Any]) -> NDArray[np.bytes_]:
    """Return texts as UTF-8, which sorts in the same order, and faster."""
    try:
        return texts.astype(np.bytes_)
    except UnicodeEncodeError:  # not ASCII
        return np.array([text.encode(errors="surrogatepass") for text in texts], dtype=np.bytes_)


def ranks(texts: NDArray[Any]) -> NDArray[np.int64]:
    """Return the rank of each text among the different ones; if many are equal, ranks sort faster than texts."""
    codes, words = pd.factorize(texts)
    places: NDArray[np.int64] = np.empty(len(words), np.int64)
    places[as_bytes(words).argsort()] = np.arange(len(words))
    return places[codes]


def split_columns(rows: pd.DataFrame, part: NDArray[np.integer], parts: int) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the columns of each part of these rows, as arrays; rows keep their order.

    part (n_rows,): the part of each row, from 0 to parts - 1. Cutting a frame instead takes milliseconds for each part,
    and a ledger that is grouped by model has thousands.
    """
    order = np.argsort(part, kind="stable")
    columns = {str(name): rows[name].to_numpy()[order] for name in rows}
    ends = np.searchsorted(part[order], np.arange(parts + 1)).tolist()
    for start, end in pairwise(ends):
        yield {name: column[start:end] for name, column in columns.items()}


def _empty(name: str) -> NDArray[Any]:
    return np.empty(0, object if name in TEXT_COLUMNS else float)


def joined(parts: Sequence[dict[str, Column]]) -> dict[str, NDArray[Any]]:
    """Return the columns of all parts, one part after the other."""
    return {name: _joined(part[name] for part in parts) for name in parts[0]}


def _joined(columns: Iterable[Column]) -> NDArray[Any]:
    own = [column for column in columns if len(column.values)] or [Column(np.empty(0, object))]
    words: dict[str | None, str | None] = {}
    for column in own:
        for word in column.words or ():
            words.setdefault(word, word)
    # From here on, equal texts of several parts are one object.
    shared = [
        column if column.words is None else Column(column.values, [words[word] for word in column.words])
        for column in own
    ]
    return np.concatenate([column.array() for column in shared])
