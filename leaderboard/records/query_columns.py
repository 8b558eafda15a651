"""What a query finds in a ledger, by column; parts of it that several processes read are put together again.

Numbers are int64, with nulls float64. Texts are objects, of which rows share those that are equal: a million runs are
to fit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from sqlite3 import Cursor
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vnnbench.common.numbers import MAX_REAL
from vnnbench.leaderboard.ranges import MAX_RECORDED_SECONDS
from vnnbench.leaderboard.records.schema import TEXT_COLUMNS

_OWN_TEXTS = {"run", "started_at", "message", "fault_reason", "dual_steps", "primal_steps"}
"""Text columns of which most rows have one of their own."""
_AT_ONCE = 1_000  # rows: few enough for a processor's cache


@dataclass(frozen=True, slots=True)
class Column:
    """Values (n,); of shared texts the places of these among `words`, else `words` is None."""

    values: NDArray[Any]
    words: list[str | None] | None = None

    def array(self) -> NDArray[Any]:
        """The values themselves."""
        return self.values if self.words is None else np.array(self.words, dtype=object)[self.values]


def read_columns(cursor: Cursor) -> dict[str, Column]:
    """All that a query finds. Raises sqlite3.Error; ValueError, where values are of other types than the schema's."""
    names = [name for name, *_ in cursor.description]
    parts: list[list[NDArray[Any]]] = [[] for _ in names]
    words = [defaultdict[str | None, int](count().__next__) for _ in names]  # numbers texts as they come
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
    """A column of this name as it can be computed with (`ranges`): times from 0 to MAX_RECORDED_SECONDS; of other reals
    none beyond MAX_REAL, and an infinite one is null (NaN). Integers and texts stay as they are."""
    if numbers.dtype.kind != "f":
        return numbers
    least, most = (0.0, MAX_RECORDED_SECONDS) if name.endswith("_seconds") else (-MAX_REAL, MAX_REAL)
    known = numbers if name.endswith("_seconds") else np.where(np.isinf(numbers), np.nan, numbers)
    clipped: NDArray[Any] = np.clip(known, least, most)
    return clipped


def frame_within(frame: pd.DataFrame) -> pd.DataFrame:
    """A table, every column `within`."""
    return frame.assign(**{str(name): within(str(name), frame[name].to_numpy()) for name in frame})


def is_dense(runs: pd.DataFrame) -> NDArray[np.bool_]:
    """Which runs ask the problem itself: on the dense network, no surrogate, or without any network."""
    own, dense = runs["network"], runs["dense_network"]
    asked: NDArray[np.bool_] = ((own == dense) | (own.isna() & dense.isna())).to_numpy(bool)
    return asked


def as_bytes(texts: NDArray[Any]) -> NDArray[np.bytes_]:
    """Texts as UTF-8, which sorts as they do, in less time."""
    try:
        return texts.astype(np.bytes_)
    except UnicodeEncodeError:  # beyond ASCII
        return np.array([text.encode(errors="surrogatepass") for text in texts], dtype=np.bytes_)


def ranks(texts: NDArray[Any]) -> NDArray[np.int64]:
    """The place of each text among the different ones, which sort in less time than the texts where many are equal."""
    codes, words = pd.factorize(texts)
    places: NDArray[np.int64] = np.empty(len(words), np.int64)
    places[as_bytes(words).argsort()] = np.arange(len(words))
    return places[codes]


def _empty(name: str) -> NDArray[Any]:
    return np.empty(0, object if name in TEXT_COLUMNS else float)


def joined(parts: Sequence[dict[str, Column]]) -> dict[str, NDArray[Any]]:
    """The columns of all parts, one part after the other."""
    return {name: _joined(part[name] for part in parts) for name in parts[0]}


def _joined(columns: Iterable[Column]) -> NDArray[Any]:
    own = [column for column in columns if len(column.values)] or [Column(np.empty(0, object))]
    words: dict[str | None, str | None] = {}
    for column in own:
        for word in column.words or ():
            words.setdefault(word, word)
    # Equal texts of several parts are one object from here on.
    shared = [
        column if column.words is None else Column(column.values, [words[word] for word in column.words])
        for column in own
    ]
    return np.concatenate([column.array() for column in shared])
