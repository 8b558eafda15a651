"""`vnnbench merge`: take the runs of a bundle into a ledger, all or none, after judging every candidate again.

The libraries are trusted; nothing in a bundle is. An instance is identified by its sha256, and its row comes from the
library. The judgements in the bundle serve only to report differences. A time, a termination or a bound cannot be
judged again: these are the word of the submitter. So the machine of a run becomes `submitted-NAME`, and the name of the
run follows from its submission, which all runs of a bundle share that its writer made, on whatever machines: it stands
beside a run of the same plan that was made here or is of another submission, and replaces earlier attempts of its own
alone. Its bounds are compared with every witness here, like those of any run.
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
from vnnbench.instances.progress import NotingProgress
from vnnbench.judging.judge import Judge
from vnnbench.leaderboard.records.planted import SEALED_FOLDER
from vnnbench.leaderboard.records.rows import JudgementRow, MachineRow, ResultRow
from vnnbench.leaderboard.words import SUBMITTED, is_submitted
from vnnbench.ledger.confirm import Difference, judge_again, judged_otherwise
from vnnbench.ledger.proven_copies import copy_proven, known_proofs
from vnnbench.ledger.validity import checked_trajectory, own_name, submitted_name
from vnnbench.ledger.witness_lifting import lift_witnesses
from vnnbench.ledger.writer import Ledger, instance_row
from vnnbench.limits import MAX_LOG_BYTES
from vnnbench.runs.run_folder import clear_work
from vnnbench.sharing.bundle import Bundle
from vnnbench.sharing.submission import SubmittedRun


@dataclass(slots=True)
class Merged:
    """The outcome of merging a bundle: the names of the attempts at runs that were added or known, and the differences
    from the bundle.

    In a `Difference`, `stored` is the value in the bundle or, for a known run, in the ledger."""

    added: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)


def merge(results: Path, path: Path, library_set: LibrarySet, progress: NotingProgress) -> Merged:
    """Take the bundle at `path` into a results folder, which may be new. A run that is known there by its name stays
    as it is.

    Raises `BundleError`: it is broken or contradicts itself; `LibraryError`: it has runs on an instance that none of
    the libraries has, or that was altered there; `ResultsError`, `LedgerError`. After an error, no run of the bundle is
    merged and a results folder that was new is removed; when the process is killed, no run is merged either.
    """
    with Bundle(path) as bundle:
        places = library_set.verified({digest: name for name, digest in bundle.instances.items()}, path)
        with _ledger(results) as ledger:
            work = clear_work(results)
            known = known_proofs(results)
            for library in library_set.libraries:
                copy_seal(library, results / SEALED_FOLDER)
                copy_proven(library, library.rows_of(places), results, known, progress)
            progress.start(len(bundle.runs), 0)
            merging = _Merging(bundle, places, results, ledger, work, progress)
            try:
                ledger.append_all([instance_row(*place) for place in places.values()], merging.judged())
            finally:
                remove_folder(work)
            lift_witnesses(ledger, library_set, results)
    return merging.merged


@contextmanager
def _ledger(results: Path) -> Iterator[Ledger]:
    """Open the ledger to write to. Folders made for it are removed if the block raises before a run is in it."""
    # `Ledger` reports a folder that cannot be read.
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
    """The merging of one bundle into a ledger; the files of runs wait in `work` until all are judged."""

    bundle: Bundle
    places: dict[str, Place]
    results: Path
    ledger: Ledger
    work: Path
    progress: NotingProgress
    merged: Merged = field(default_factory=Merged)
    _judge: tuple[str, Judge] | None = None

    def judged(self) -> Iterator[tuple[MachineRow, ResultRow, JudgementRow]]:
        """Yield machine, result and judgement of every run that the ledger lacks.

        The files of all runs are in place before this ends: a row without its file would be lost, whereas a file
        without its row is overwritten by the next merge."""
        for name in self.bundle.runs:
            run = self.bundle.read(name)
            machine = replace(self.bundle.machines[run.result.machine], machine=_submitted(run.result.machine))
            result = self._named(run.result, machine.machine)
            stored = self.ledger.result(result.run)
            if stored is None and result.submission is not None:  # older versions named it after its own machine
                older = replace(result, submission=None)
                stored = self.ledger.result(submitted_name(older))
                result = result if stored is None else replace(older, run=stored.run)
            if stored is None and not self._was_made_here(run):
                yield machine, result, self._take(run, result.run)
            else:
                self.merged.known.append(result.run)
                both = zip(ResultRow.COLUMNS, (stored or result).values, result.values, strict=True)
                self._report(run, result.run, (three for three in both if three[1] != three[2]))
            self.progress.advance(self._instance(run))
        self._put_in_place()

    def _named(self, result: ResultRow, machine: str) -> ResultRow:
        """Return a result of the bundle with the machine, the submission and the name that it gets in the ledger."""
        submission = result.submission
        if not is_submitted(result.machine) and self.bundle.submission is not None:
            submission = _submitted(self.bundle.submission)
        result = replace(result, machine=machine, submission=None if submission == machine else submission)
        return replace(result, run=submitted_name(result))

    def _was_made_here(self, run: SubmittedRun) -> bool:
        """Return whether this run was made in this very ledger and came back, even through the ledger of another."""
        result = replace(run.result, machine=run.result.machine.removeprefix(SUBMITTED), submission=None)
        result = replace(result, run=own_name(result))
        return self.ledger.result(result.run) == result

    def _take(self, run: SubmittedRun, name: str) -> JudgementRow:
        """Judge a run, and keep its files under its new name in `work`."""
        source = f"{self.bundle.path}: candidates/{run.run}.npz"
        try:
            trajectory, columns, names = checked_trajectory(run.result, run.candidates, source)
        except ResultsError as error:
            raise BundleError(str(error)) from error
        judge, limit = self._judge_of(run.result.instance_sha256), run.result.time_limit_seconds
        judgement = judge_again(name, trajectory, columns, names, judge, limit)
        self._report(run, name, judged_otherwise(run.result, run.judgement, judgement, trajectory))
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
        """Return the judge of an instance. The newest is kept, because the runs of an instance follow each other."""
        if self._judge is None or self._judge[0] != digest:
            self._judge = digest, Judge.of_instance(*self.places[digest])
        return self._judge[1]

    def _report(self, run: SubmittedRun, name: str, found: Iterator[tuple[str, object, object]]) -> None:
        self.merged.differences += [Difference(name, self._instance(run), *facts) for facts in found]

    def _instance(self, run: SubmittedRun) -> str:
        """Return the name of the run's instance in the library, whatever its name in the bundle."""
        return self.places[run.result.instance_sha256][1].instance

    def _put_in_place(self) -> None:
        for folder in ("candidates", "logs"):
            for path in sorted((self.work / folder).glob("*")):
                try:
                    (self.results / folder).mkdir(exist_ok=True)
                    path.replace(self.results / folder / path.name)
                except OSError as error:
                    raise ResultsError(f"{error.filename}: cannot be written ({error.strerror})") from error
