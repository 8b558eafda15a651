"""Run records: the words of a judged run, and the ledger's reader. What the ledger holds: `schema`; what follows from
it: `views`.

All values and bounds are in the sense of the problem's value (DESIGN 2): value = -objective of the file.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Any

import pandas as pd

from leaderboard.integrity import defect
from leaderboard.planted import SEALED_FOLDER, planted_outcomes, read_sealed
from leaderboard.schema import SCHEMA, SCHEMA_VERSION
from leaderboard.views import temporary_views


class LedgerError(Exception):
    """The ledger cannot be used; the message says which file and why, in one line that can be printed, whatever SQLite
    quotes of the file."""

    def __init__(self, message: str) -> None:
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)
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
        connection.executescript(temporary_views())
        rows = [(digest, answer.answer.value, answer.value) for digest, answer in planted.items()]
        connection.executemany("INSERT INTO planted VALUES (?, ?, ?)", rows)
        connection.commit()
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


def read_runs(path: Path) -> pd.DataFrame:
    """Every run of a ledger, one row each: the columns of the view `runs`, then those of `instances` it lacks, then
    `planted`: what it made of a planted answer, a `PlantedOutcome`, None where there was none to give.

    The instance's own `seed` (of network and image) is renamed `network_seed`. Raises `LedgerError`.
    """
    runs, instances, planted = read_tables(
        path, "SELECT * FROM runs ORDER BY started_at, run", "SELECT * FROM instances", "SELECT * FROM planted"
    )
    instances = instances.rename(columns={"seed": "network_seed"})
    extra = ["instance_sha256", *(column for column in instances.columns if column not in runs.columns)]
    runs = runs.merge(instances[extra], on="instance_sha256", how="left", validate="many_to_one")
    runs["planted"] = planted_outcomes(runs, dict(zip(planted["instance_sha256"], planted["answer"], strict=True)))
    return runs
