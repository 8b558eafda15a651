"""Run records: the words of a judged run, and the ledger's reader. What the ledger holds: `schema`; what follows from
it: `views`.

All values and bounds are in the sense of the problem's value (DESIGN 2): value = -objective of the file.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leaderboard.integrity import defect
from leaderboard.plain_text import plain
from leaderboard.planted import SEALED_FOLDER, planted_outcomes, read_sealed
from leaderboard.schema import SCHEMA, SCHEMA_VERSION, TEXT_COLUMNS
from leaderboard.views import planted_table, temporary_views

_OWN_TEXTS = {"run", "started_at", "message", "fault_reason", "dual_steps", "primal_steps"}
"""Text columns of which most rows have one of their own."""


_CACHE_BYTES = 1 << 28  # indices of a million runs are looked up in no order


class LedgerError(Exception):
    """The ledger cannot be used; the message says which file and why, in one line that can be printed, whatever SQLite
    quotes of the file."""

    def __init__(self, message: str) -> None:
        line = plain(message)
        super().__init__(line if len(line) <= 1000 else f"{line[:490]}...{line[-490:]}")


class EndedBy(StrEnum):
    """What the harness did to end the run."""

    SOLVER = "solver"
    JUDGE = "judge"
    TIME = "time"
    CPU = "cpu"
    MEMORY = "memory"
    OUTPUT = "output"
    CRASH = "crash"
    OPERATOR = "operator"


class Enforcement(StrEnum):
    """How the limits of a run were held.

    NAMESPACE: in a PID namespace; the kernel ends every process in it with its first one, and that with the harness.
    SUBREAPER: what the run leaves behind falls to a process that looks for it and kills it. PROCESS_GROUP: of older
    ledgers, the process group and the descendants that were seen.
    """

    NAMESPACE = "namespace"
    SUBREAPER = "subreaper"
    PROCESS_GROUP = "process-group"


class Verdict(StrEnum):
    """What is known about the problem, on the dense network, from this run."""

    ADVERSARIAL = "adversarial"
    ROBUST = "robust"
    VALUE = "value"
    UNKNOWN = "unknown"


class Evidence(StrEnum):
    """What the verdict rests on."""

    EXACT = "exact"
    REPAIRED = "repaired"
    CERTIFICATE = "certificate"
    CLAIMED = "claimed"
    NONE = "none"


class Fault(StrEnum):
    """Who was wrong. `SOLVER` and `FORMULATION` are called wrong; `TOLERANCE` is shown, never ranked down."""

    NONE = "none"
    SOLVER = "solver"
    FORMULATION = "formulation"
    TOLERANCE = "tolerance"


def open_ledger_for_reading(path: Path) -> sqlite3.Connection:
    """Connect read-only to RESULTS/ledger.sqlite. Raises `LedgerError`: it is absent, broken or of another schema."""
    if not path.is_file():
        raise LedgerError(f"{path}: no ledger here; `vnnbench run` writes one")
    # A reader of a WAL ledger makes files beside it; where it cannot and nobody writes, the file alone is complete.
    resting = not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()
    try:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro" + ("&immutable=1" if resting else ""), uri=True
        )
    except sqlite3.Error as error:
        raise LedgerError(f"{path}: not a readable ledger ({error})") from error
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        connection.close()
        raise LedgerError(f"{path}: not a readable ledger ({error})") from error
    if version != SCHEMA_VERSION:
        connection.close()
        found = f"ledger schema {version}" if version else "not a ledger of vnnbench"
        older = "; the next `vnnbench run` there brings it up to date" if 0 < version < SCHEMA_VERSION else ""
        raise LedgerError(f"{path}: {found}; this version reads schema {SCHEMA_VERSION}{older}")
    try:
        wrong = defect(connection, SCHEMA)
    except sqlite3.Error as error:
        wrong = str(error)
    if wrong is not None:
        connection.close()
        raise LedgerError(f"{path}: not a readable ledger ({wrong})")
    _open_seal(connection, path)
    return connection


def _open_seal(connection: sqlite3.Connection, path: Path) -> None:
    """Hold every claim against the planted answers beside the ledger too, on this connection."""
    try:
        planted = read_sealed(path.parent / SEALED_FOLDER)
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_BYTES >> 10}")
        connection.executescript(planted_table())
        rows = [(digest, answer.answer.value, answer.value) for digest, answer in planted.items()]
        connection.executemany("INSERT INTO planted VALUES (?, ?, ?)", rows)
        connection.commit()
        connection.executescript(temporary_views())
    except (ValueError, sqlite3.Error) as error:
        connection.close()
        raise LedgerError(str(error) if isinstance(error, ValueError) else f"{path}: {error}") from error


def read_tables(path: Path, *queries: str) -> list[pd.DataFrame]:
    """What each query finds in a ledger. Raises `LedgerError`."""
    connection = open_ledger_for_reading(path)
    try:
        return [pd.read_sql_query(query, connection) for query in queries]
    except (sqlite3.Error, pd.errors.DatabaseError) as error:
        raise LedgerError(f"{path}: not a readable ledger ({error})") from error
    finally:
        connection.close()


def read_rows(path: Path, query: str) -> Iterator[dict[str, Any]]:
    """What a query finds in a ledger, row by row, values as they are stored. Raises `LedgerError`."""
    with closing(open_ledger_for_reading(path)) as connection:
        try:
            found = connection.execute(query)
            names = [column[0] for column in found.description]
            for row in found:
                yield dict(zip(names, row, strict=True))
        except sqlite3.Error as error:
            raise LedgerError(f"{path}: not a readable ledger ({error})") from error


def read_runs(path: Path, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Every run of a ledger, one row each, by start and name: the columns of the view `runs`, then those of `instances`
    it lacks, then `planted`: what it made of a planted answer, a `PlantedOutcome`, None where there was none to give.

    names: of the columns that only the view has, those that are wanted; fewer are read sooner. The instance's own
    `seed` (of network and image) is renamed `network_seed`. Raises `LedgerError`.
    """
    connection = open_ledger_for_reading(path)
    try:
        of_view = [name for name, *_ in connection.execute("SELECT * FROM runs LIMIT 0").description]
        instances = _read_columns(connection.execute("SELECT * FROM instances"))
        answers = dict(connection.execute("SELECT instance_sha256, answer FROM planted"))
        repeated = instances.keys() - {"instance_sha256", "seed"}
        of_view = [name for name in of_view if names is None or name in names or name in repeated]
        own = ", ".join(name for name in of_view if name not in repeated)
        columns = _read_columns(connection.execute(f"SELECT {own} FROM runs"))  # noqa: S608 (names of our own view)
    except sqlite3.Error as error:
        raise LedgerError(f"{path}: not a readable ledger ({error})") from error
    finally:
        connection.close()
    instances["network_seed"] = instances.pop("seed")
    place = pd.Index(instances.pop("instance_sha256")).get_indexer(columns["instance_sha256"])
    order = np.lexsort((columns["run"].astype(str), columns["started_at"].astype(str)))
    columns = {name: columns.pop(name).take(order) for name in list(columns)}
    columns |= {name: values.take(place[order]) for name, values in instances.items()}
    runs = pd.DataFrame({name: columns[name] for name in dict.fromkeys([*of_view, *columns])}, copy=False)
    runs["planted"] = planted_outcomes(runs, answers)
    return runs


def _read_columns(cursor: sqlite3.Cursor) -> dict[str, NDArray[Any]]:
    """What a query finds, by column. Numbers are int64, with nulls float64; texts are objects, of which rows share
    those that are equal: a million runs are to fit."""
    names = [name for name, *_ in cursor.description]
    parts: list[list[Any]] = [[] for _ in names]
    words: list[dict[str | None, int]] = [{} for _ in names]
    while rows := cursor.fetchmany(10_000):
        for name, part, known, values in zip(names, parts, words, zip(*rows, strict=True), strict=True):
            if name in _OWN_TEXTS:
                part.append(np.array(values, dtype=object))
            elif name in TEXT_COLUMNS:
                for word in set(values) - known.keys():
                    known[word] = len(known)
                part.append(np.fromiter(map(known.__getitem__, values), np.int32, len(values)))
            else:
                part.append(np.array(values, dtype=float if None in values else None))
    columns: dict[str, NDArray[Any]] = {}
    for name, part, known in zip(names, parts, words, strict=True):
        whole = np.concatenate(part) if part else np.empty(0, object if name in TEXT_COLUMNS else float)
        columns[name] = np.array([*known], dtype=object)[whole] if known else whole
        part.clear()
    return columns
