"""`vnnbench merge`: takes the runs of a bundle into a ledger, all of them or none, after judging every candidate again.

What is trusted: of a bundle nothing, of the library everything. An instance is told by its sha256 and its row is the
library's; the bundle's judgements only serve to tell what did not come out again. Nobody can judge a time, a
termination or a bound again: these are the submitter's word. So a run's machine becomes `submitted-NAME`, and its own
name hangs on that: it stands beside a run of the same plan that was made here, never in its place. Bounds are held
against every witness here like those of any run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.bundle import Bundle
from bench.confirm import Difference, judge_again, judged_otherwise
from bench.errors import BundleError, ResultsError
from bench.gate import lift_witnesses
from bench.harness import clear_work, instance_row
from bench.judge import Judge
from bench.ledger import Ledger
from bench.submission import SubmittedRun, own_name, submitted_name
from instances.catalog import CatalogRow
from instances.errors import LibraryError
from instances.files import read_plain, remove_folder, write_atomic
from instances.generation import Progress
from instances.library import Library
from instances.sealed import copy_seal
from leaderboard.planted import SEALED_FOLDER
from leaderboard.schema import RESULT_COLUMNS, SUBMITTED

MAX_LOG_BYTES = 1 << 26
"""Of a log, unzipped: two of 16 MiB (`execution`), and a traceback."""


@dataclass(slots=True)
class Merged:
    """What became of a bundle: how many runs were added or known, and what differs from what it states. In a
    `Difference`, `stored` is what the bundle states, or what is in the ledger of a known run."""

    added: int = 0
    known: int = 0
    differences: list[Difference] = field(default_factory=list)


def merge(results: Path, path: Path, library: Library, progress: Progress) -> Merged:
    """Take the bundle at `path` into a results folder, which may be new. A run that is known there by its name stays as
    it is.

    Raises `BundleError`: it is broken, not what it says, or about instances that the library has not; `ResultsError`,
    `LibraryError`, `LedgerError`. Whatever is raised, and when the process is killed, no run of the bundle is merged.
    """
    with Bundle(path) as bundle:
        rows = _library_rows(bundle, library)
        with Ledger(results) as ledger:
            work = clear_work(results)
            progress.start(len(bundle.runs), 0)
            copy_seal(library, results / SEALED_FOLDER)
            merging = _Merging(bundle, library, rows, results, ledger, work, progress)
            try:
                ledger.append_all([instance_row(library, row) for row in rows.values()], merging.judged())
            finally:
                remove_folder(work)
            lift_witnesses(ledger, library, results)
    return merging.merged


def _library_rows(bundle: Bundle, library: Library) -> dict[str, CatalogRow]:
    """The library's rows of the bundle's instances by sha256, their files checked. Raises `BundleError`,
    `LibraryError`."""
    known = {row.instance_sha256: row for row in library.rows}
    rows = {}
    for instance, digest in bundle.instances.items():
        if digest not in known:
            raise BundleError(
                f"{bundle.path}: has runs on {instance[:255]} (hash {digest[:12]}), which {library.folder} does not "
                "have; merge it with the library that it was made on"
            )
        rows[digest] = known[digest]
    for row in rows.values():
        library.verify_row(row)
    return rows


def _submitted(machine: str) -> str:
    return machine if machine.startswith(SUBMITTED) else SUBMITTED + machine


@dataclass(slots=True)
class _Merging:
    """The runs of one bundle on their way into a ledger; their files wait in `work` until all are judged."""

    bundle: Bundle
    library: Library
    rows: dict[str, CatalogRow]
    results: Path
    ledger: Ledger
    work: Path
    progress: Progress
    merged: Merged = field(default_factory=Merged)
    _judge: tuple[str, Judge] | None = None

    def judged(self) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
        """Machine, result and judgement of every run that the ledger lacks. Before this ends, the files of all are in
        place: a row without its file would be lost, a file without its row is written over."""
        for name in self.bundle.runs:
            run = self.bundle.read(name)
            machine = {**self.bundle.machines[run.result["machine"]], "machine": _submitted(run.result["machine"])}
            result = {**run.result, "machine": machine["machine"]}
            result["run"] = submitted_name(result)
            stored = self.ledger.result(result["run"])
            if stored is None and not self._was_made_here(run):
                yield machine, result, self._take(run, result["run"])
            else:
                self.merged.known += 1
                facts = stored or result
                other = ((column, facts[column], result[column]) for column in RESULT_COLUMNS)
                self._tell(run, result["run"], (three for three in other if three[1] != three[2]))
            self.progress.advance(self._instance(run))
        self._put_in_place()

    def _was_made_here(self, run: SubmittedRun) -> bool:
        """Whether this is a run of this very ledger that came back, even through the ledger of another."""
        result = {**run.result, "machine": run.result["machine"].removeprefix(SUBMITTED)}
        result["run"] = own_name(result)
        return self.ledger.result(result["run"]) == result

    def _take(self, run: SubmittedRun, name: str) -> dict[str, Any]:
        """Judge a run, and keep its files under its new name."""
        source = f"{self.bundle.path}: candidates/{run.run}.npz"
        try:
            trajectory, columns, names = run.trajectory(source)
        except ResultsError as error:
            raise BundleError(str(error)) from error
        judgement = judge_again(name, trajectory, columns, names, self._judge_of(run.result["instance_sha256"]))
        self._tell(run, name, judged_otherwise({**run.judgement, **run.result}, judgement))
        write_atomic(self.work / "candidates" / f"{name}.npz", run.candidates)
        if run.log is not None:
            log = self.work / "logs" / f"{name}.log.gz"
            write_atomic(log, run.log)
            try:
                read_plain(log, MAX_LOG_BYTES, LibraryError)
            except LibraryError as error:
                raise BundleError(f"{self.bundle.path}: logs/{run.run}.log.gz is no log that unzips") from error
        self.merged.added += 1
        return judgement

    def _judge_of(self, digest: str) -> Judge:
        """Runs of one instance stand together: the newest judge is kept."""
        if self._judge is None or self._judge[0] != digest:
            self._judge = digest, Judge.of_instance(self.library, self.rows[digest])
        return self._judge[1]

    def _tell(self, run: SubmittedRun, name: str, found: Iterator[tuple[str, object, object]]) -> None:
        self.merged.differences += [Difference(name, self._instance(run), *facts) for facts in found]

    def _instance(self, run: SubmittedRun) -> str:
        """Its name in the library, whatever the bundle calls it."""
        return self.rows[run.result["instance_sha256"]].instance

    def _put_in_place(self) -> None:
        for folder in ("candidates", "logs"):
            for path in sorted((self.work / folder).glob("*")):
                try:
                    (self.results / folder).mkdir(exist_ok=True)
                    path.replace(self.results / folder / path.name)
                except OSError as error:
                    raise ResultsError(f"{error.filename}: cannot be written ({error.strerror})") from error
