"""Copies of a library's proven answers beside the results of its runs: what their proofs show when they are checked.

RESULTS/proven/SHA256.json   {"format": 1, "problems": [{"problem", "dense_sha256", "property_sha256",
                                                         "instances": {name: sha256}, "answer", "lower", "upper",
                                                         "proof", "bytes", "leaves", "seconds"}]}

answer, lower, upper and leaves are those of `proof_checks.Shown`, null where there is none; proof is the sha256 of the
proof's file, bytes its size, and seconds the time that the check took. The table of the library is not believed. Each
file holds what the files before it lack, so the folder may hold answers of several libraries, and of one as it grew.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from vnnbench.instances.errors import InputError
from vnnbench.instances.files import sha256, write_atomic
from vnnbench.instances.layout import ANSWERS
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.proof_checks import ProvableProblem
from vnnbench.instances.library.proven_answers import AnswerTable, ProvenAnswer
from vnnbench.instances.progress import NotingProgress
from vnnbench.instances.proofs.proof_file import parse_proof

FORMAT = 1
QUIET_SECONDS = 2.0
"""The time after which a check of many proofs shows its progress: most libraries take less."""


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """An answer whose proof was accepted: an object of the file."""

    problem: str
    dense_sha256: str
    property_sha256: str
    instances: dict[str, str]
    answer: ProvenAnswer
    lower: float | None
    upper: float | None
    proof: str
    bytes: int
    leaves: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Rejection:
    """An answer that is not copied: its problem, None for all; the path in the library, and what is wrong there."""

    problem: str | None
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Copied:
    """The answers whose proofs were checked: those that were accepted, and those rejected."""

    accepted: list[CheckedAnswer] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)


def copy_answers(
    library: Library,
    rows: Iterable[CatalogRow],
    folder: Path,
    known: Collection[tuple[str, str]],
    progress: NotingProgress,
    *,
    again: bool = False,
) -> Copied:
    """Check the proven answers to the problems of these rows, write what they show, and return what was checked.

    known: the sha256 of instances with that of a proof that an earlier file of the folder has; such proofs are not
    checked, or with `again` checked and not written again. What was checked before Ctrl-C or an error is written.

    Raises LibraryError: the folder cannot be written.
    """
    try:
        table = AnswerTable.open(library.folder)
    except InputError as error:
        return Copied(rejected=[Rejection(None, ANSWERS, _without(library.folder / ANSWERS, error))])
    problems = [problem for problem in dict.fromkeys(row.problem for row in rows) if problem in table.problems]
    if not again:
        problems = [problem for problem in problems if not _is_known(library, table, problem, known)]
    copied = Copied()
    try:
        for one in _checks(library, table, problems, progress):
            if isinstance(one, Rejection):
                copied.rejected.append(one)
            else:
                copied.accepted.append(one)
    finally:
        new = [one for one in copied.accepted if any((sha, one.proof) not in known for sha in one.instances.values())]
        if new:
            data = _file_bytes(new)
            write_atomic(folder / f"{sha256(data)}.json", data)
    return copied


def _is_known(library: Library, table: AnswerTable, problem: str, known: Collection[tuple[str, str]]) -> bool:
    proof = table.hashes[table.problems[problem].proof]
    try:
        return all((row.instance_sha256, proof) in known for row in library.problem_rows(problem))
    except InputError:
        return False  # and the check says why


def _checks(
    library: Library, table: AnswerTable, problems: list[str], progress: NotingProgress
) -> Iterator[CheckedAnswer | Rejection]:
    """Yield what comes of each problem's proof, and show the progress if it takes long."""
    started, is_shown = time.perf_counter(), False
    for done, problem in enumerate(problems):
        if not is_shown and time.perf_counter() - started > QUIET_SECONDS:
            progress.note(f"checking the proofs of {len(problems)} answers")
            progress.start(len(problems), done)
            is_shown = True
        yield _check(library, table, problem)
        if is_shown:
            progress.advance(f"proof {problem}")


def _check(library: Library, table: AnswerTable, problem: str) -> CheckedAnswer | Rejection:
    proven = table.problems[problem]
    path = library.folder / proven.proof
    try:
        asked = ProvableProblem.of(library, problem)
        data = table.read(proven.proof)
        shown = asked.check(parse_proof(data, str(path)))
    except InputError as error:
        newer = _newer(table, problem)
        if newer is not None:
            return _check(library, newer, problem)
        return Rejection(problem, proven.proof, _without(path, error))
    (_, dense_sha256), (_, property_sha256) = asked.network_file, asked.property_file
    return CheckedAnswer(
        problem=problem,
        dense_sha256=dense_sha256,
        property_sha256=property_sha256,
        instances={row.instance: row.instance_sha256 for row in library.problem_rows(problem)},
        answer=shown.answer,
        lower=shown.lower,
        upper=shown.upper,
        proof=sha256(data),
        bytes=len(data),
        leaves=shown.leaves,
        seconds=shown.check_seconds,
    )


def _newer(table: AnswerTable, problem: str) -> AnswerTable | None:
    """Return the table as it is now, if another process has added a proof of this problem meanwhile."""
    try:
        now = AnswerTable.open(table.folder)
    except InputError:
        return None
    path = table.problems[problem].proof
    return now if problem in now.problems and now.hashes[path] != table.hashes[path] else None


def _without(path: Path, error: InputError) -> str:
    return str(error).removeprefix(f"{path}: ")


def _file_bytes(checked: list[CheckedAnswer]) -> bytes:
    document = {"format": FORMAT, "problems": [asdict(answer) for answer in checked]}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"
