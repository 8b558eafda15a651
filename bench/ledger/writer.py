"""The writer of RESULTS/ledger.sqlite, which is append-only. A committed result is never lost and never rewritten.

Triggers in the schema refuse UPDATE and DELETE; WAL with full synchronization makes a commit final. A lock on
RESULTS/.lock keeps a second writer out. The kernel releases it when its process ends, so there is nothing to clean up
after a killed process.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vnnbench.errors import ResultsError
from vnnbench.instances.layout import MANIFEST
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.library import Library
from vnnbench.leaderboard.records.integrity import UNREADABLE, defect, described, foreign_object
from vnnbench.leaderboard.records.reader import read_rows
from vnnbench.leaderboard.records.rows import InstanceRow, JudgementRow, LiftingRow, MachineRow, ResultRow, Row
from vnnbench.leaderboard.records.schema import SCHEMA, SCHEMA_VERSION
from vnnbench.leaderboard.records.upgrade import tables_of, upgrade
from vnnbench.leaderboard.records.view_scripts import create_views, our_views
from vnnbench.leaderboard.records.views import REFUTED_CLAIMS, REFUTED_CLAIMS_OF_PROBLEM
from vnnbench.leaderboard.words import EndedBy
from vnnbench.solvers.base import Termination

LEDGER_NAME = "ledger.sqlite"


@dataclass(frozen=True, slots=True)
class Attempt:
    """The newest attempt at a run, and how it ended: with the termination `error`, by a crash, or disturbed."""

    number: int
    error: bool
    crash: bool
    disturbed: bool

    def came_to(self, reasons: Collection[str]) -> bool:
        """Return whether it ended in one of these ways, which are names of fields."""
        return any(getattr(self, reason) for reason in reasons)


_NEWEST_ATTEMPTS = "SELECT plan_key, max(attempt), termination, ended_by, disturbed FROM attempts GROUP BY plan_key"


def _attempt(run: str, number: int, termination: str | None, ended_by: str, disturbed: int) -> tuple[str, Attempt]:
    return run, Attempt(number, termination == Termination.ERROR, ended_by == EndedBy.CRASH, bool(disturbed))


def read_attempts(results: Path) -> dict[str, Attempt]:
    """Return `Ledger.attempts` of a results folder; an empty dictionary where it has no ledger yet.

    This takes no lock and writes nothing, so it can be called while runs are being made. Raises `LedgerError`.
    """
    path = results / LEDGER_NAME
    return dict(_attempt(*row.values()) for row in read_rows(path, _NEWEST_ATTEMPTS)) if path.is_file() else {}


@dataclass(frozen=True, slots=True)
class RefutedClaim:
    """A refuted claim: the instance about whose file it was made, and the witness against it, which is a run or the
    set's centre, with its value on the instance's network."""

    instance_sha256: str
    witness: str
    witness_value: float


class Ledger:
    """The one writer of a results folder's ledger, as a context manager. Raises `ResultsError` when the folder is in
    use or cannot be written."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / LEDGER_NAME
        try:
            if (folder / MANIFEST).exists():
                raise ResultsError(f"{folder}: is a library; results need a folder of their own, so name another")
            if folder.exists() and not folder.is_dir():
                raise ResultsError(f"{folder}: is not a folder; name a folder for the results")
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ResultsError(f"{folder}: cannot be written ({error.strerror})") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.pread(self._lock, 20, 0).decode(errors="replace")
            os.close(self._lock)
            raise ResultsError(
                f"{folder}: another `vnnbench` (pid {owner}) is writing here; wait or stop it"
            ) from error
        try:
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, str(os.getpid()).encode(), 0)
            self._connection = self._connect()
        except (OSError, *UNREADABLE) as error:
            os.close(self._lock)
            raise ResultsError(f"{self.path}: cannot be written ({described(error)})") from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA recursive_triggers = ON")  # else REPLACE deletes without calling the triggers
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0 and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
            elif 0 < version < SCHEMA_VERSION:
                if (wrong := foreign_object(connection, tables_of(version))) is not None:
                    raise sqlite3.DatabaseError(wrong)
                connection.executescript(f"BEGIN IMMEDIATE; {upgrade(version)} COMMIT;")
            elif version != SCHEMA_VERSION:
                newer = "; use a newer vnnbench" if version > SCHEMA_VERSION else ""
                raise sqlite3.DatabaseError(f"schema {version}; this version writes {SCHEMA_VERSION}{newer}")
            if (wrong := defect(connection, SCHEMA)) is not None:
                raise sqlite3.DatabaseError(wrong)
            stored = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view'"))
            if not our_views().items() <= stored.items():  # another version made them; readers by SQL should get ours
                connection.executescript(f"BEGIN IMMEDIATE; {create_views()} COMMIT;")
            connection.execute("PRAGMA foreign_keys = ON")  # not earlier, because an upgrade creates a table anew
        except BaseException:
            connection.close()
            raise
        return connection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        os.close(self._lock)

    def has(self, run: str) -> bool:
        """Return whether the attempt of this name has a result."""
        return bool(self._rows("SELECT 1 FROM results WHERE run = ?", run))

    def result(self, run: str) -> ResultRow | None:
        """Return the result of the attempt of this name; None where it has none."""
        rows = self._rows(f"SELECT {ResultRow.selected()} FROM results WHERE run = ?", run)  # noqa: S608 - fixed names
        return ResultRow(*rows[0]) if rows else None

    def attempts(self) -> dict[str, Attempt]:
        """Return the newest attempt at every run that has a result, by the name of the run."""
        return dict(_attempt(*row) for row in self._rows(_NEWEST_ATTEMPTS))

    def refuted_claims(self, instance_sha256: str | None = None) -> list[RefutedClaim]:
        """Return the claims that a witness refutes and that have no lifting yet: those about the problem of
        one instance, for which only that problem's runs are read, or all."""
        if instance_sha256 is None:
            rows = self._rows(REFUTED_CLAIMS)
        else:
            rows = self._rows(REFUTED_CLAIMS_OF_PROBLEM, instance_sha256)
        return [RefutedClaim(*row) for row in rows]

    def liftings(self) -> list[LiftingRow]:
        """Return all liftings in the order in which they were stored."""
        rows = self._rows(f"SELECT {LiftingRow.selected()} FROM liftings ORDER BY rowid")  # noqa: S608 - fixed names
        return [LiftingRow(*row) for row in rows]

    def add_instances(self, rows: Iterable[InstanceRow]) -> None:
        """Add catalogue and timing rows. An instance whose hash is already known stays as it is, under its first name.

        Raises `ResultsError` when a name is already known with another hash.
        """
        with self._transaction("the instances"):
            self._insert_instances(rows)

    def _insert_instances(self, rows: Iterable[InstanceRow]) -> None:
        known = dict(self._rows("SELECT instance, instance_sha256 FROM instances"))
        digests = set(known.values())
        for row in rows:
            digest: str = known.get(row.instance) or row.instance_sha256
            if digest != row.instance_sha256:
                raise ResultsError(
                    f"{self.path}: has runs of another instance named {row.instance} (hash {digest[:12]}, the library "
                    f"has {row.instance_sha256[:12]}); use a new results folder"
                )
            if digest not in digests:
                self._insert(row)
                known[row.instance] = digest
                digests.add(digest)

    def add_machine(self, row: MachineRow) -> None:
        """Add a machine's facts once. Raises `ResultsError`."""
        with self._transaction("the machine"):
            self._insert(row, "OR IGNORE")

    def append(self, result: ResultRow, judgement: JudgementRow) -> None:
        """Commit one finished run with its first judgement. Raises `ResultsError` when it cannot be written."""
        with self._transaction(f"run {result.run}"):
            self._insert(result)
            self._insert(judgement)

    def append_all(
        self, instances: Iterable[InstanceRow], runs: Iterable[tuple[MachineRow, ResultRow, JudgementRow]]
    ) -> None:
        """Commit submitted runs, each a machine, a result and its first judgement: all of them or none.

        `runs` is consumed within the transaction: an exception that it raises leaves the ledger as it was. Raises
        `ResultsError`.
        """
        with self._transaction("the runs"):
            self._insert_instances(instances)
            for machine, result, judgement in runs:
                self._insert(machine, "OR IGNORE")
                self._insert(result)
                self._insert(judgement)

    def append_judgement(self, judgement: JudgementRow) -> None:
        """Commit a later judgement of a stored run; the newest one counts. Raises `ResultsError`."""
        with self._transaction(f"the judgement of run {judgement.run}"):
            self._insert(judgement)

    def append_lifting(self, lifting: LiftingRow) -> None:
        """Commit the lifting of a witness into a file. Raises `ResultsError`."""
        with self._transaction(f"the witness {lifting.witness}"):
            self._insert(lifting)

    def _rows(self, query: str, *values: str) -> list[Any]:
        """Return the rows of a query. Raises `ResultsError`."""
        try:
            return self._connection.execute(query, values).fetchall()
        except UNREADABLE as error:
            raise ResultsError(f"{self.path}: cannot be read ({described(error)})") from error

    @contextmanager
    def _transaction(self, what: str) -> Iterator[None]:
        """Run a block as one transaction. Raises `ResultsError`, also for an integer that SQLite cannot hold."""
        try:
            with self._connection:
                yield
        except (*UNREADABLE, OverflowError) as error:
            raise ResultsError(f"{self.path}: {what} could not be stored ({described(error)})") from error

    def _insert(self, row: Row, conflict: str = "") -> None:
        marks = ", ".join("?" for _ in row.COLUMNS)
        self._connection.execute(
            f"INSERT {conflict} INTO {row.TABLE} ({row.selected()}) VALUES ({marks})",  # noqa: S608 - fixed names
            row.values,
        )


def instance_row(library: Library, row: CatalogRow) -> InstanceRow:
    """Return an instance's row of table `instances`: its catalogue row, timings, the contents of its files, and the
    facts that its family gives. Raises `InputError`."""
    facts = library.read_problem(row).ledger_facts()
    known = (asdict(row), library.timings(row.instance), library.contents(row), facts)
    return InstanceRow.of({name: value for part in known for name, value in part.items()})
