"""The proven answers of libraries beside a ledger: which are known there, and copies of those that are not.

A proof may take seconds to check, and a library may have a thousand; no run needs them, only its readers do. So
`vnnbench run` checks them when its runs are done, each proof once for a results folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from vnnbench.errors import ResultsError
from vnnbench.instances.library.answer_copies import CheckedAnswer, Copied, Rejection, copy_answers
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.library import Library
from vnnbench.instances.progress import NotingProgress
from vnnbench.leaderboard.records.proven import PROVEN_FOLDER, Proven, ProvenAnswer, read_proven

KnownProofs = frozenset[tuple[str, str]]
"""The sha256 of instances, each with that of a proof about it."""


def known_proofs(results: Path) -> KnownProofs:
    """Return the proofs whose answers are beside a ledger. Raises `ResultsError`: a file of them is broken."""
    try:
        return frozenset((proven.instance_sha256, proven.proof) for proven in read_proven(results / PROVEN_FOLDER))
    except ValueError as error:
        raise ResultsError(str(error)) from error


def copy_proven(
    library: Library, rows: Iterable[CatalogRow], results: Path, known: KnownProofs, progress: NotingProgress
) -> None:
    """Copy the proven answers to the problems of these rows beside the ledger, but for known ones.

    A proof that is rejected stops nothing: one line says so. Raises `InputError`: the folder cannot be written.
    """
    rejected = copy_answers(library, rows, results / PROVEN_FOLDER, known, progress).rejected
    if rejected:
        progress.note(_rejected_text(library, rejected))


def check_proven(
    library: Library, rows: Iterable[CatalogRow], results: Path, known: KnownProofs, progress: NotingProgress
) -> Copied:
    """Check all proven answers to the problems of these rows, copy what is not known, and return what was checked."""
    return copy_answers(library, rows, results / PROVEN_FOLDER, known, progress, again=True)


def without_proof(accepted: Iterable[CheckedAnswer], results: Path) -> Iterator[Proven]:
    """Yield the answers beside a ledger that none of these accepted ones implies.

    A proof that a library had may have been replaced since by one that shows more.
    """
    of_instance: dict[str, list[CheckedAnswer]] = {}
    for one in accepted:
        for digest in one.instances.values():
            of_instance.setdefault(digest, []).append(one)
    for proven in read_proven(results / PROVEN_FOLDER):
        if not any(_implies(one, proven) for one in of_instance.get(proven.instance_sha256, [])):
            yield proven


def _implies(one: CheckedAnswer, proven: Proven) -> bool:
    if proven.lower is not None and (one.lower is None or one.lower < proven.lower):
        return False
    if proven.upper is not None and (one.upper is None or one.upper > proven.upper):
        return False
    return proven.answer.value == one.answer.value or proven.answer is ProvenAnswer.OPEN


def _rejected_text(library: Library, rejected: list[Rejection]) -> str:
    first, others = rejected[0], len(rejected) - 1
    ignored = f"this proof and {others} more are ignored" if others else "it is ignored"
    return f"{library.folder / first.path}: {first.reason}; {ignored}: see vnnbench check {library.folder}"
