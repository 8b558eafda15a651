"""`vnnbench merge`: takes the runs of a bundle into a ledger, all of them or none, after judging every candidate again.

What is trusted: of a bundle nothing, of the libraries everything. An instance is told by its sha256 and its row is the
library's; the bundle's judgements only serve to tell what did not come out again. Nobody can judge a time, a
termination or a bound again: these are the submitter's word. So a run's machine becomes `submitted-NAME`, and its own
name hangs on that: it stands beside a run of the same plan that was made here, never in its place. Bounds are held
against every witness here like those of any run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from vnnbench.errors import BundleError, ResultsError
from vnnbench.instances.errors import LibraryError
from vnnbench.instances.files import read_plain, remove_folder, write_atomic
from vnnbench.instances.library.library_set import LibrarySet, Place
from vnnbench.instances.library.sealed_answers import copy_seal
from vnnbench.instances.progress import Progress
from vnnbench.judging.judge import Judge
from vnnbench.leaderboard.records.planted import SEALED_FOLDER
from vnnbench.leaderboard.records.rows import JudgementRow, MachineRow, ResultRow
from vnnbench.leaderboard.records.schema import SUBMITTED, is_submitted
from vnnbench.ledger.confirm import Difference, judge_again, judged_otherwise
from vnnbench.ledger.validity import checked_trajectory, own_name, submitted_name
from vnnbench.ledger.witness_lifting import lift_witnesses
from vnnbench.ledger.writer import Ledger, instance_row
from vnnbench.limits import MAX_LOG_BYTES
from vnnbench.runs.run_folder import clear_work
from vnnbench.sharing.bundle import Bundle
from vnnbench.sharing.submission import SubmittedRun


@dataclass(slots=True)
class Merged:
    """What became of a bundle: the names of the attempts at runs that were added or known, and what differs from what
    it states. In a `Difference`, `stored` is what the bundle states, or what is in the ledger of a known run."""

    added: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)


def merge(results: Path, path: Path, library_set: LibrarySet, progress: Progress) -> Merged:
    """Take the bundle at `path` into a results folder, which may be new. A run that is known there by its name stays as
    it is.

    Raises `BundleError`: it is broken or not what it says; `LibraryError`: it has runs on an instance that is in none
    of the libraries, or that was altered there; `ResultsError`, `LedgerError`. Whatever is raised, a results folder
    that was new goes again; and neither then nor when the process is killed is any run of the bundle merged.
    """
    with Bundle(path) as bundle:
        places = library_set.verified({digest: name for name, digest in bundle.instances.items()}, path)
        with _ledger(results) as ledger:
            work = clear_work(results)
            progress.start(len(bundle.runs), 0)
            for library in library_set.libraries:
                copy_seal(library, results / SEALED_FOLDER)
            merging = _Merging(bundle, places, results, ledger, work, progress)
            try:
                ledger.append_all([instance_row(*place) for place in places.values()], merging.judged())
            finally:
                remove_folder(work)
            lift_witnesses(ledger, library_set, results)
    return merging.merged


@contextmanager
def _ledger(results: Path) -> Iterator[Ledger]:
    """The ledger to write to. Folders that are made for it go again when the block raises before a run is in it."""
    # What cannot be looked at is told by `Ledger`.
    made = [folder for folder in (results, *results.parents) if not os.path.exists(folder)]  # noqa: PTH110
    with Ledger(results) as ledger:
        try:
            yield ledger
        except BaseException:
            if made and not ledger.attempts():  # it was made here: the lock is ours
                remove_folder(results)
                for folder in made[1:]:
                    with suppress(OSError):
                        folder.rmdir()
            raise


def _submitted(machine: str) -> str:
    return machine if is_submitted(machine) else SUBMITTED + machine


@dataclass(slots=True)
class _Merging:
    """The runs of one bundle on their way into a ledger; their files wait in `work` until all are judged."""

    bundle: Bundle
    places: dict[str, Place]
    results: Path
    ledger: Ledger
    work: Path
    progress: Progress
    merged: Merged = field(default_factory=Merged)
    _judge: tuple[str, Judge] | None = None

    def judged(self) -> Iterator[tuple[MachineRow, ResultRow, JudgementRow]]:
        """Yield machine, result and judgement of every run that the ledger lacks. Before this ends, the files of all
        are in place: a row without its file would be lost, a file without its row is written over."""
        for name in self.bundle.runs:
            run = self.bundle.read(name)
            machine = replace(self.bundle.machines[run.result.machine], machine=_submitted(run.result.machine))
            result = replace(run.result, machine=machine.machine)
            result = replace(result, run=submitted_name(result))
            stored = self.ledger.result(result.run)
            if stored is None and not self._was_made_here(run):
                yield machine, result, self._take(run, result.run)
            else:
                self.merged.known.append(result.run)
                both = zip(ResultRow.COLUMNS, (stored or result).values, result.values, strict=True)
                self._tell(run, result.run, (three for three in both if three[1] != three[2]))
            self.progress.advance(self._instance(run))
        self._put_in_place()

    def _was_made_here(self, run: SubmittedRun) -> bool:
        """Whether this is a run of this very ledger that came back, even through the ledger of another."""
        result = replace(run.result, machine=run.result.machine.removeprefix(SUBMITTED))
        result = replace(result, run=own_name(result))
        return self.ledger.result(result.run) == result

    def _take(self, run: SubmittedRun, name: str) -> JudgementRow:
        """Judge a run, and keep its files under its new name."""
        source = f"{self.bundle.path}: candidates/{run.run}.npz"
        try:
            trajectory, columns, names = checked_trajectory(run.result, run.candidates, source)
        except ResultsError as error:
            raise BundleError(str(error)) from error
        judge, limit = self._judge_of(run.result.instance_sha256), run.result.time_limit_seconds
        judgement = judge_again(name, trajectory, columns, names, judge, limit)
        self._tell(run, name, judged_otherwise(run.result, run.judgement, judgement, trajectory))
        write_atomic(self.work / "candidates" / f"{name}.npz", run.candidates)
        if run.log is not None:
            log = self.work / "logs" / f"{name}.log.gz"
            write_atomic(log, run.log)
            try:
                read_plain(log, MAX_LOG_BYTES, LibraryError)
            except LibraryError as error:
                raise BundleError(f"{self.bundle.path}: logs/{run.run}.log.gz cannot be unzipped") from error
        self.merged.added.append(name)
        return judgement

    def _judge_of(self, digest: str) -> Judge:
        """Runs of one instance stand together: the newest judge is kept."""
        if self._judge is None or self._judge[0] != digest:
            self._judge = digest, Judge.of_instance(*self.places[digest])
        return self._judge[1]

    def _tell(self, run: SubmittedRun, name: str, found: Iterator[tuple[str, object, object]]) -> None:
        self.merged.differences += [Difference(name, self._instance(run), *facts) for facts in found]

    def _instance(self, run: SubmittedRun) -> str:
        """Its name in the library, whatever the bundle calls it."""
        return self.places[run.result.instance_sha256][1].instance

    def _put_in_place(self) -> None:
        for folder in ("candidates", "logs"):
            for path in sorted((self.work / folder).glob("*")):
                try:
                    (self.results / folder).mkdir(exist_ok=True)
                    path.replace(self.results / folder / path.name)
                except OSError as error:
                    raise ResultsError(f"{error.filename}: cannot be written ({error.strerror})") from error
