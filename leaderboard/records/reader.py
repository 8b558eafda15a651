"""The reader of a ledger. `schema` describes its contents, `views` what is derived from them.

All values and bounds are in the sense of the problem's value, value = -objective of the file: see `bench/README.md`,
section "Words".
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vnnbench.leaderboard.records.answer_outcomes import answer_outcomes
from vnnbench.leaderboard.records.integrity import UNREADABLE, broken_page, dangling_row, described, foreign_object
from vnnbench.leaderboard.records.older_ledgers import file_of, forget, upgraded
from vnnbench.leaderboard.records.parallel import at_once, cores, divide
from vnnbench.leaderboard.records.planted import SEALED_FOLDER, read_sealed
from vnnbench.leaderboard.records.processors import CPU, HOST, read_processors
from vnnbench.leaderboard.records.proven import PROVEN_FOLDER, Proven, ProvenAnswer, best_proven, read_proven
from vnnbench.leaderboard.records.query_columns import Column, as_bytes, joined, ranks, read_columns, within
from vnnbench.leaderboard.records.schema import INSTANCE_NAMES, REFERRING_TABLES, SCHEMA, SCHEMA_VERSION
from vnnbench.leaderboard.records.settings import ALSO_BY_LIMIT, SETTING_COLUMNS, SETTING_LIMIT, setting_limits
from vnnbench.leaderboard.records.view_scripts import answer_tables, some_instances, temporary_views
from vnnbench.leaderboard.words import LedgerError

Result = TypeVar("Result")

CHANGED = "changed or removed during the run"
"""The words in a run's message about a file that the solver was given."""

_LIBRARY = "library.json"  # marks a library, which users may name in place of its results
_CACHE_BYTES = 1 << 28  # for lookups in the indices of a million runs, which are in random order
_ALWAYS = ("run", "started_at", "instance_sha256")  # needed to order and join all other columns
_LARGE_BYTES = 1 << 26  # from this size on several processes read a ledger: some 70,000 runs
_DEFECTS: tuple[Callable[[sqlite3.Connection], str | None], ...] = (
    broken_page,
    *(partial(dangling_row, table=table) for table in REFERRING_TABLES),
)


def open_ledger_for_reading(path: Path) -> sqlite3.Connection:
    """Connect read-only to RESULTS/ledger.sqlite, with views that derive what it shows.

    Raises `LedgerError`: the ledger is absent, broken or of a newer schema.
    """
    _check(path)
    return _open_views(path)


def _connect(path: Path, *, itself: bool = False) -> sqlite3.Connection:
    """Connect read-only; `itself`: to the ledger itself, even if a copy is read in its place."""
    if not path.is_file():
        if (path.parent / _LIBRARY).is_file():
            raise LedgerError(f"{path.parent}: is a library, not a results folder; name the folder given to --results")
        raise LedgerError(f"{path}: no ledger here; `vnnbench run` writes one")
    # A reader of a ledger in WAL mode creates files beside it. If it cannot, and there is no writer, the file alone is
    # complete.
    file = path if itself else file_of(path)
    resting = not os.access(file.parent, os.W_OK) and not file.with_name(f"{file.name}-wal").exists()
    with _readable(path):
        return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro" + ("&immutable=1" if resting else ""), uri=True)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn the errors of SQLite and pandas for an unreadable file into `LedgerError`."""
    try:
        yield
    except (*UNREADABLE, pd.errors.DatabaseError) as error:
        raise LedgerError(f"{path}: is not a readable ledger ({described(error)})") from error


def _check(path: Path) -> None:
    """Raise `LedgerError` unless the file is a whole ledger of the present schema or of an older one.

    For an older one an upgraded copy is made, which is read in its place.
    """
    with _readable(path), closing(_connect(path, itself=True)) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if 0 < version < SCHEMA_VERSION:
            upgraded(path, connection, version)
        else:
            forget(path)
        if not 0 < version <= SCHEMA_VERSION:
            found = f"ledger schema {version}" if version else "not a ledger of vnnbench"
            advice = "; use a newer vnnbench" if version else ""
            raise LedgerError(f"{path}: {found}; this version reads schema {SCHEMA_VERSION}{advice}")
    with _readable(path), closing(_connect(path)) as connection:
        wrong = foreign_object(connection, SCHEMA)
    for finding in [wrong] if wrong else _in_parts(path, [partial(_defect, path, find) for find in _DEFECTS]):
        if finding is not None:
            raise LedgerError(f"{path}: is not a readable ledger ({finding})")


def _defect(path: Path, find: Callable[[sqlite3.Connection], str | None]) -> str | None:
    with _readable(path), closing(_connect(path)) as connection:
        return find(connection)


def _in_parts(path: Path, tasks: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run several tasks on a ledger, at once if it is large.

    SQLite connections must not be used across a fork, so each task must open its own.
    """
    return at_once(tasks, _is_large(path))


def _is_large(path: Path) -> bool:
    return path.stat().st_size > _LARGE_BYTES


def _open_views(path: Path, instances: Sequence[str] | None = None) -> sqlite3.Connection:
    """Connect, with views that check every claim also against the planted and the proven answers beside the ledger.

    instances: hashes of the only instances that the views show; None for all. Raises `LedgerError`.
    """
    connection = _connect(path)
    try:
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_BYTES >> 10}")
        if instances is not None:
            connection.executescript(some_instances())
            own = [(digest,) for digest in instances]
            copied = "INSERT INTO temp.instances SELECT * FROM main.instances WHERE instance_sha256 = ?"
            connection.executemany(copied, own)
        connection.executescript(answer_tables())
        sealed = _beside(path, SEALED_FOLDER, read_sealed)
        rows = [(digest, planted.answer.value, planted.value) for digest, planted in sealed.items()]
        connection.executemany("INSERT INTO planted VALUES (?, ?, ?)", rows)
        proven = map(asdict, _beside(path, PROVEN_FOLDER, read_proven))
        connection.executemany(
            "INSERT INTO proven_answers VALUES (:instance_sha256, :answer, :lower, :upper, :proof)", proven
        )
        connection.commit()
        connection.executescript(temporary_views())
    except (LedgerError, *UNREADABLE) as error:
        connection.close()
        raise error if isinstance(error, LedgerError) else LedgerError(f"{path}: {described(error)}") from error
    return connection


def _beside(path: Path, folder: str, read: Callable[[Path], Result]) -> Result:
    """Return what `read` makes of a folder beside the ledger. Raises `LedgerError`."""
    try:
        return read(path.parent / folder)
    except ValueError as error:
        raise LedgerError(str(error)) from error


def read_proven_answers(path: Path) -> dict[str, Proven]:
    """Return the proven answers beside a ledger, by instance the one that says most. Raises `LedgerError`."""
    return _beside(path, PROVEN_FOLDER, best_proven)


def read_tables(path: Path, *queries: str) -> list[pd.DataFrame]:
    """Return the result of each query on a ledger. Raises `LedgerError`."""
    with _readable(path), closing(open_ledger_for_reading(path)) as connection:
        return [pd.read_sql_query(query, connection) for query in queries]


def read_rows(path: Path, query: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a query's result, with values as they are stored. Raises `LedgerError`."""
    with _readable(path), closing(open_ledger_for_reading(path)) as connection:
        found = connection.execute(query)
        names = [column[0] for column in found.description]
        for row in found:
            yield dict(zip(names, row, strict=True))


def read_runs(path: Path, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Return every run of a ledger, one row each, ordered by start and name.

    The columns are those of the view `runs`, then the other columns of `instances`, then `cpu` and `host` of the
    machine (`processors`), then `planted` and `proven`: the run's `AnswerOutcome` by a planted and by a proven answer,
    None without one.
    names: the wanted columns, because fewer are read faster; `run`, `started_at` and `instance_sha256` are always
    there. Columns of instances are renamed as in `schema.INSTANCE_NAMES`. `setting_limit_seconds` and `also_by_limit`
    are those of `settings.setting_limits`. Numbers are limited to ranges that can be computed with
    (`query_columns.within`).
    Raises `LedgerError`.
    """
    if names is not None and SETTING_LIMIT in names:
        names = [*names, *SETTING_COLUMNS, INSTANCE_NAMES["time_limit_seconds"]]
    of_machine = [name for name in (CPU, HOST) if names is None or name in names]
    if names is not None and of_machine:
        names = [*names, "machine", "submission"]
    _check(path)
    with _readable(path), closing(_connect(path)) as connection:
        instances = joined([read_columns(connection.execute("SELECT * FROM instances"))])
        parts = _parts(path, connection, instances)
    instances |= {other: instances.pop(name) for name, other in INSTANCE_NAMES.items()}
    of_instances = instances.keys() - {"instance_sha256"}
    of_view = [name for name in _columns_of_runs() if name not in of_instances]
    own = [name for name in of_view if names is None or name in {*names, *_ALWAYS}]
    columns = joined(_in_parts(path, [partial(_read_part, path, own, part) for part in parts]))
    place = pd.Index(instances.pop("instance_sha256")).get_indexer(columns["instance_sha256"])
    order = np.lexsort((as_bytes(columns["run"]), ranks(columns["started_at"])))
    # Runs of instances that were written after the instances were read are left out.
    order = order[place[order] >= 0]
    columns = {name: within(name, columns.pop(name).take(order)) for name in list(columns)}
    wanted = [name for name in instances if names is None or name in names]
    columns |= {name: within(name, instances[name]).take(place[order]) for name in wanted}
    in_order = [name for name in dict.fromkeys([*_columns_of_runs(), *columns]) if name in columns]
    # A copy has a block for each type, not for each column: pandas warns if columns are added to more than 100 blocks.
    runs = pd.DataFrame({name: columns[name] for name in in_order}, copy=names is None)
    if names is None or SETTING_LIMIT in names:
        runs[SETTING_LIMIT], runs[ALSO_BY_LIMIT] = setting_limits(runs)
    if of_machine:
        _add_machines(path, runs, of_machine)
    if names is None or "planted" in names:
        sealed = _beside(path, SEALED_FOLDER, read_sealed)
        runs["planted"] = answer_outcomes(runs, {digest: planted.answer for digest, planted in sealed.items()})
    if names is None or "proven" in names:
        decided = ProvenAnswer.ADVERSARIAL, ProvenAnswer.ROBUST
        proven = [one for one in _beside(path, PROVEN_FOLDER, read_proven) if one.answer in decided]
        runs["proven"] = answer_outcomes(runs, {one.instance_sha256: one.answer for one in proven})
    return runs


def _add_machines(path: Path, runs: pd.DataFrame, names: Sequence[str]) -> None:
    """Add the columns CPU and HOST, or one of them, to runs that were read before, so the ledger has their machines."""
    with _readable(path), closing(_connect(path)) as connection:
        processors = read_processors(connection)
    columns = {CPU: processors.cpus, HOST: processors.hosts}
    for name in names:
        runs[name] = columns[name](runs)


def _parts(
    path: Path, connection: sqlite3.Connection, instances: Mapping[str, NDArray[Any]]
) -> Sequence[Sequence[str] | None]:
    """Return the parts that are read at once, as hashes of instances; one part, None, for a small ledger."""
    if not _is_large(path):
        return [None]
    runs = dict(connection.execute("SELECT instance_sha256, count(*) FROM results GROUP BY instance_sha256"))
    return divide({name: column.tolist() for name, column in instances.items()}, runs, cores()) or [None]


@cache
def _columns_of_runs() -> tuple[str, ...]:
    with closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(SCHEMA)
        return tuple(name for name, *_ in fresh.execute("SELECT * FROM runs LIMIT 0").description)


def _read_part(path: Path, names: Sequence[str], instances: Sequence[str] | None) -> dict[str, Column]:
    """Return these columns of the view `runs`, for some instances or for all."""
    with _readable(path), closing(_open_views(path, instances)) as connection:
        return read_columns(connection.execute(f"SELECT {', '.join(names)} FROM runs"))  # noqa: S608 (our own view)
