"""The work of `vnnbench confirm`: judge every stored candidate again, from the files alone, and list the differences.

A candidate that cannot be judged again is reported like any other difference, and the others are judged.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vnnbench.common.text import plain, shortened
from vnnbench.errors import ResultsError
from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.files import sha256
from vnnbench.instances.library.library_set import LibrarySet, Place
from vnnbench.instances.progress import NotingProgress
from vnnbench.judging.candidates import (
    COUNTED_IN_TIME,
    Trajectory,
    candidates_bytes,
    candidates_path,
    parse_candidates,
    summarize,
)
from vnnbench.judging.judge import Judge
from vnnbench.leaderboard.records.reader import read_rows, read_runs
from vnnbench.leaderboard.records.refutation import CENTRE
from vnnbench.leaderboard.records.rows import InstanceRow, JudgementRow, ResultRow
from vnnbench.leaderboard.records.schema import CONTENT_COLUMNS, FAMILY_COLUMNS
from vnnbench.ledger.proven_copies import check_proven, known_proofs, without_proof
from vnnbench.ledger.stored_runs import StoredRun, read_stored_runs
from vnnbench.ledger.validity import impossible, miscounted
from vnnbench.ledger.witness_lifting import lift_again, lift_witnesses
from vnnbench.ledger.writer import LEDGER_NAME, Ledger, instance_row

COMPARED = (
    "confirmed",
    "evidence",
    "best_exact_value",
    "own_value",
    "replayed_value",
    "file_value",
    "row_violation",
    "raw_violation",
    "first_success_seconds",
)
"""The fields of a judgement that must be the same again, exact numbers exactly. float32_value may differ between
machines and is not among them."""
COMPARED_SINCE_4 = ("primal_steps", "as_given_violation", "repaired_violation")
"""Further such fields, of results that were stored with ledger schema 4 or later."""
COMPARED_SINCE_5 = ("own_answers", "transferred_answers")
"""Further such fields, of judgements that have them: those of ledger schema 5 or later, on a problem with a threshold.
An older version stored a candidate that was sent again a second time, and counted it twice."""
COMPARED_SINCE_9 = ("measures",)
"""Further such fields, of judgements that have them: those of ledger schema 9 or later, in a family with measures."""
COMPARED_OF_INSTANCES = (
    "instance",
    "problem",
    "family",
    "network",
    "dense_network",
    "target",
    "constant_rounding",
    "strict",
    "threshold",
    "centre_value",
    *CONTENT_COLUMNS,
    *FAMILY_COLUMNS,
)
"""The fields of table `instances` on which verdicts depend; they must be as in the library."""
MAX_SHOWN = 300
"""The most characters that are printed of a stored or found value: there may be thousands of steps. JSON has all."""
CONCLUDED = ("verdict", "evidence", "fault")
"""The fields of the view `runs` that follow from all judgements together."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A stored value that is different when judged again, or that no run can have.

    field: a column of the ledger, `candidates` for the file, `proof` for one in a library, or `proven` for an answer
    beside the ledger. run: None where the difference is about the instance itself, or about its problem's answer."""

    run: str | None
    instance: str
    field: str
    stored: object
    found: object

    def __str__(self) -> str:
        about = f"run {self.run} on {self.instance}" if self.run else self.instance
        stored, found = (shortened(str(value), MAX_SHOWN) for value in (self.stored, self.found))
        return plain(f"{shortened(about, MAX_SHOWN)}: {self.field} was {stored}, is {found}")


def confirm(results: Path, library_set: LibrarySet, progress: NotingProgress) -> list[Difference]:
    """Judge every run of the ledger again, append the new judgements, lift the witness against every refuted claim, and
    return the differences from what was stored. The libraries' proven answers are checked, and copied beside the ledger
    where it lacks them.

    Raises `LibraryError` when the instance of a run is in none of the libraries, `ResultsError` or `LedgerError` when
    the ledger cannot be read or written.
    """
    path = results / LEDGER_NAME
    stored = list(read_stored_runs(path, ("started_at", "run")))
    names = {one.result.instance_sha256: one.instance for one in stored}
    places = library_set.verified(names, results)
    found = list(_answer_differences(library_set, names, results, progress))  # first: what they add is not a difference
    before = _conclusions(path)
    progress.start(len(stored), 0)
    found += _instance_differences(path, places)
    with Ledger(results) as ledger:
        for one in stored:
            found += _confirm_run(one, results, places[one.result.instance_sha256], ledger)
            progress.advance(one.instance)
        found += _lifting_differences(ledger, library_set, results, names)
        lift_witnesses(ledger, library_set, results)
    told = {(difference.run, difference.field) for difference in found}
    for key, after in _conclusions(path).items():
        earlier = before.get(key, after)  # a run may have been added before the lock was taken
        for field in CONCLUDED:
            was, is_now = getattr(earlier, field), getattr(after, field)
            if was != is_now and (after.run, field) not in told:
                found.append(Difference(after.run, after.instance, field, was, is_now))
    return found


def _instance_differences(path: Path, places: Mapping[str, Place]) -> Iterator[Difference]:
    """Yield where the ledger's rows of instances differ from the library; older rows lack contents, which is not a
    difference."""
    for row in read_rows(path, f"SELECT {InstanceRow.selected()} FROM instances ORDER BY instance"):  # noqa: S608 - fixed
        stored = InstanceRow.of(row)
        if stored.instance_sha256 not in places:
            continue  # nothing was run on it
        known = instance_row(*places[stored.instance_sha256])
        for field in COMPARED_OF_INSTANCES:
            was, is_now = getattr(stored, field), getattr(known, field)
            if was != is_now and not (was is None and field in CONTENT_COLUMNS):
                yield Difference(None, stored.instance, field, was, is_now)


def _lifting_differences(
    ledger: Ledger, library_set: LibrarySet, results: Path, names: Mapping[str, str]
) -> Iterator[Difference]:
    """Yield where liftings, which decide whose fault a refuted claim is, are different when done again. names: names of
    instances by their sha256."""
    for stored, found in lift_again(ledger, library_set, results):
        digest = stored.instance_sha256
        for field in ("file_violation", "file_value"):
            was, is_now = getattr(stored, field), getattr(found, field)
            if was != is_now:
                witness = None if stored.witness == CENTRE else stored.witness
                yield Difference(witness, names.get(digest, digest), field, was, is_now)


def _answer_differences(
    library_set: LibrarySet, names: Mapping[str, str], results: Path, progress: NotingProgress
) -> Iterator[Difference]:
    """Check the libraries' proven answers to what was run, copy those that the ledger lacks, and yield those whose
    proof is rejected, and answers beside the ledger that no proof shows. names: names of instances by their sha256."""
    known, accepted, told = known_proofs(results), [], set()
    for library in library_set.libraries:
        copied = check_proven(library, library.rows_of(names), results, known, progress)
        accepted += copied.accepted
        for rejected in copied.rejected:
            about = rejected.problem or str(library.folder)
            told |= {row.instance_sha256 for row in library.rows if rejected.problem in (None, row.problem)}
            yield Difference(None, about, "proof", rejected.path, f"rejected ({rejected.reason})")
    for proven in without_proof(accepted, results):
        if proven.instance_sha256 in names.keys() - told:
            stored = f"{proven.answer} (lower {proven.lower}, upper {proven.upper})"
            yield Difference(
                None, names[proven.instance_sha256], "proven", stored, "shown by no proof of the libraries"
            )


@dataclass(frozen=True, slots=True)
class _Conclusion:
    """The conclusion about a run from all judgements together: its attempt that counts, and the fields `CONCLUDED`."""

    run: str
    instance: str
    verdict: str
    evidence: str
    fault: str


def _conclusions(path: Path) -> dict[str, _Conclusion]:
    """Return the conclusions of the view `runs`, by the name of the run."""
    runs = read_runs(path)[["run", "instance", *CONCLUDED]]
    return {row[0].partition("-")[0]: _Conclusion(*row) for row in runs.itertuples(index=False, name=None)}


def _confirm_run(run: StoredRun, results: Path, place: Place, ledger: Ledger) -> Iterator[Difference]:
    """Judge one attempt again where its candidates can be read, store the judgement, and yield the differences."""
    result = run.result

    def differs(field: str, stored: object, found: object) -> Difference:
        return Difference(result.run, run.instance, field, stored, found)

    yield from (differs(*facts) for facts in impossible(result))
    try:
        path = candidates_path(results, result.run)
        data = candidates_bytes(path)
        trajectory, columns, names = parse_candidates(data, str(path))
    except ResultsError as error:
        is_gone = isinstance(error.__cause__, FileNotFoundError)
        yield differs("candidates", f"{result.run}.npz", "missing" if is_gone else str(error))
        return
    if result.candidates_sha256 not in (None, digest := sha256(data)):
        yield differs("candidates_sha256", result.candidates_sha256, digest)
    yield from (differs(*facts) for facts in miscounted(result, trajectory))
    judge, limit = Judge.of_instance(*place), result.time_limit_seconds
    judgement = judge_again(result.run, trajectory, columns, names, judge, limit)
    ledger.append_judgement(judgement)
    yield from (differs(*facts) for facts in judged_otherwise(result, run.judgement, judgement, trajectory))


def judge_again(
    run: str,
    trajectory: Trajectory,
    columns: Float64Array | None,
    names: list[str],
    judge: Judge,
    time_limit_seconds: float,
) -> JudgementRow:
    """Return a new judgement of the attempt named `run`, from its parsed candidates and final columns."""
    start = time.perf_counter()
    for candidate in trajectory.candidates:
        trajectory.judged(candidate, judge.judge(candidate.point))
    check = judge.hold_against_file(columns, names) if columns is not None else None
    return summarize(run, trajectory, judge, check, time.perf_counter() - start, time_limit_seconds)


def judged_otherwise(
    result: ResultRow, stored: JudgementRow | None, found: JudgementRow, trajectory: Trajectory
) -> Iterator[tuple[str, object, object]]:
    """Yield where an earlier judgement differs from the new one of the stored candidates: (field, stored, found).

    An older version also counted candidates that arrived after the time limit; that is not a difference.
    """
    since_4 = COMPARED_SINCE_4 if result.candidates_sha256 is not None else ()
    was_counted = any(getattr(stored, field, None) is not None for field in COMPARED_SINCE_5)
    since_5 = COMPARED_SINCE_5 if was_counted and not trajectory.repeated else ()
    since_9 = tuple(field for field in COMPARED_SINCE_9 if getattr(stored, field, None) is not None)
    came_late = any(candidate.seconds > result.time_limit_seconds for candidate in trajectory.candidates)
    for field in (*COMPARED, *since_4, *since_5, *since_9):
        was, is_now = getattr(stored, field, None), getattr(found, field)
        if was != is_now and not (came_late and field in COUNTED_IN_TIME):
            yield field, was, is_now
