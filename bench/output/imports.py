"""The output of `vnnbench import`: what was added, and why pairs were refused. Each function returns an exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from vnnbench.common.text import plain
from vnnbench.errors import UsageError
from vnnbench.instances.generation.import_benchmark import BenchmarkImport
from vnnbench.instances.library.catalog import CatalogRow, numerics_of
from vnnbench.leaderboard.text import count


def report_instances(library: Path, rows: Sequence[CatalogRow], added: bool) -> int:
    """Print the instances of a property, and a warning for numbers that solvers handle badly."""
    for row in rows:
        binaries = "1 binary" if row.binaries == 1 else f"{row.binaries} binaries"
        size = f"{count(row.rows, 'row')}, {binaries}"
        _print(f"{library}: {row.instance}" + (f": {size}" if added else " already exists"))
    for row in rows:
        for concern in _concerns(row):
            _print(f"warning: {row.model}: {concern}")
    return 0


def report_benchmark(library: Path, instances: Path, done: BenchmarkImport) -> int:
    """Print how many pairs of a list were added, were there or were refused, and a line for each reason.

    Returns 1 if any was refused. Raises `UsageError` if all were.
    """
    for number, example in done.reasons():
        _print(f"refused {count(number, 'pair')}, such as {example}")
    new = [row for outcome in done.added for row in outcome.rows]
    concerned = sum(any(_concerns(row)) for row in new)
    if concerned:
        have = "has" if concerned == 1 else "have"
        _print(
            f"warning: {count(concerned, 'instance')} {have} numbers that solvers handle badly; "
            f"`vnnbench check {library}` names them"
        )
    kept = sum(
        any(row.time_limit_seconds != outcome.pair.time_limit_seconds for row in outcome.rows) for outcome in done.there
    )
    if kept:
        _print(f"warning: for {count(kept, 'pair')} the library keeps another time limit than {instances} has")
    _print(
        f"{library}: of {count(len(done.outcomes), 'pair')}, {len(done.added)} added ({count(len(new), 'instance')}), "
        f"{len(done.there)} already there, {len(done.refused)} refused"
    )
    if len(done.refused) == len(done.outcomes):
        raise UsageError(f"{instances}: none of its {count(len(done.outcomes), 'pair')} could be imported")
    return 1 if done.refused else 0


def _concerns(row: CatalogRow) -> Iterator[str]:
    return numerics_of(row).concerns(row.constant_rounding, row.centre_value)


def _print(line: str) -> None:
    sys.stderr.write(f"{plain(line)}\n")
