"""Adding proven answers to a library. Stopped at any moment, it leaves a valid table: the old one or the new one.

A proof and the table that lists it are written aside, then the manifest, and at that moment the library has the answer.
Then both are moved to their places; until then a reader takes those whose sha256 is in the manifest.

A problem keeps one proof, which has the best witness and the best tree of all that were added: its interval only
narrows, and a decided answer stays decided.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from vnnbench.instances.errors import InputError, LibraryError
from vnnbench.instances.files import holds, remove_temporary, sha256, write_atomic
from vnnbench.instances.layout import ANSWERS, PROOFS, PROOFS_MANIFEST, is_waiting, next_proof_file, proof_file
from vnnbench.instances.library.additions import only_one
from vnnbench.instances.library.library import Library, check_inside
from vnnbench.instances.library.proof_checks import ProvableProblem, Shown
from vnnbench.instances.library.proven_answers import (
    AnswerTable,
    ProvenAnswer,
    ProvenProblem,
    answers_bytes,
    proofs_manifest_bytes,
)
from vnnbench.instances.proofs.proof_file import Proof, parse_proof


@contextmanager
def adding_answers(library: Library) -> Iterator[GrowingAnswers]:
    """Open the proven answers of a library for additions. No other process may add some meanwhile.

    Raises LibraryError: another process does, the table is broken, or the folder cannot be written.
    """
    place = library.folder / PROOFS
    _check_path(library, PROOFS_MANIFEST)
    with only_one(place, "prove"):
        remove_temporary(place)
        yield GrowingAnswers(library)


class GrowingAnswers:
    """The proven answers of a library, to which some are added; `adding_answers` makes one."""

    def __init__(self, library: Library) -> None:
        self._library, self._table = library, AnswerTable.open(library.folder)
        self._put_in_place()  # what an addition wrote before it was stopped

    @property
    def problems(self) -> Mapping[str, ProvenProblem]:
        """The proven answers so far, by problem."""
        return self._table.problems

    def is_decided(self, problem: str) -> bool:
        """Return whether a problem is decided, by a proof that is the file that the table knows."""
        known = self.problems.get(problem)
        if known is None or known.answer is ProvenAnswer.OPEN:
            return False
        return holds(self._library.folder / known.proof, self._table.hashes[known.proof])

    def add(self, proof: Proof, prove_seconds: float | None) -> bool:
        """Check a proof, add what it shows to what is proven, and return whether that is more than before.

        prove_seconds: the time that finding it took; those of all proofs of a problem are summed up. An earlier proof
        that is missing, altered or about other files than those of the library counts for nothing.

        Raises `ProofError`: the proof is rejected, or contradicts the earlier one. Raises `InputError`: the library
        does not have the problem, or cannot be read or written.
        """
        asked = ProvableProblem.of(self._library, proof.problem)
        proof, data = _as_written(proof)
        shown = asked.check(proof)
        known, earlier = self._table.problems.get(asked.name), self._earlier_proof(asked)
        if known is not None and earlier is not None:
            joined = _joined(proof, shown, earlier, known)
            if joined is None:
                return False
            if joined is not proof:
                proof, data = _as_written(joined)
                shown = asked.check(proof)
            if prove_seconds is not None and known.prove_seconds is not None:
                prove_seconds += known.prove_seconds
        self._write(
            ProvenProblem(
                problem=asked.name,
                answer=shown.answer,
                lower=shown.lower,
                upper=shown.upper,
                proof=proof_file(asked.name),
                prove_seconds=None if prove_seconds is None else round(prove_seconds, 6),
                check_seconds=shown.check_seconds,
                leaves=shown.leaves,
            ),
            data,
        )
        return True

    def _earlier_proof(self, asked: ProvableProblem) -> Proof | None:
        known = self._table.problems.get(asked.name)
        if known is None:
            return None
        try:
            proof = parse_proof(self._table.read(known.proof), known.proof)
            asked.refuse_others(proof)
        except InputError:
            return None
        return proof

    def _write(self, proven: ProvenProblem, proof: bytes) -> None:
        problems = {**self._table.problems, proven.problem: proven}
        files = {proven.proof: proof, ANSWERS: answers_bytes(problems.values())}
        hashes = {**self._table.hashes, **{relative: sha256(data) for relative, data in files.items()}}
        for relative, data in files.items():
            _check_path(self._library, relative)
            write_atomic(self._library.folder / next_proof_file(relative), data)
        write_atomic(self._library.folder / PROOFS_MANIFEST, proofs_manifest_bytes(hashes))
        self._table = AnswerTable(self._library.folder, problems, hashes)
        self._put_in_place()

    def _put_in_place(self) -> None:
        """Move the files that wait, and that the manifest lists, to their places, and remove others that wait."""
        folder, hashes = self._library.folder, self._table.hashes
        places = {next_proof_file(relative): relative for relative in hashes}
        try:
            for path in list((folder / PROOFS).iterdir()):
                aside = f"{PROOFS}/{path.name}"
                if not is_waiting(aside):
                    continue
                relative = places.get(aside)
                if relative is not None and not path.is_symlink() and holds(path, hashes[relative]):
                    path.replace(folder / relative)
                else:
                    path.unlink()
        except OSError as error:
            raise LibraryError(f"{folder / PROOFS}: cannot be written ({error.strerror or error})") from error


def _check_path(library: Library, relative: str) -> None:
    """Raise LibraryError if this path of the table, a proof or their manifest leads elsewhere than where it says."""
    manifest = library.folder / PROOFS_MANIFEST
    if relative.count("/") > 1:
        raise LibraryError(f"{manifest}: cannot list {relative!r}, because a problem with a proof has no / in its name")
    check_inside(os.path.realpath(library.folder), relative, manifest)


def _as_written(proof: Proof) -> tuple[Proof, bytes]:
    """Return the proof as it is read from its file, and the file: what is written is what was checked.

    Raises `ProofError`.
    """
    data = proof.to_bytes()
    return parse_proof(data, proof_file(proof.problem)), data


def _joined(proof: Proof, shown: Shown, earlier: Proof, known: ProvenProblem) -> Proof | None:
    """Return the proof with the better witness and the better tree of two; None if both are the earlier one's."""
    has_witness, has_tree = _witness_rank(shown) > _witness_rank(known), _tree_rank(shown) > _tree_rank(known)
    if not has_witness and not has_tree:
        return None
    if not has_witness and len(earlier.witness):
        return replace(proof, witness=earlier.witness)
    if not has_tree and earlier.claim is not None:
        return replace(earlier, witness=proof.witness)
    return proof


def _witness_rank(answer: ProvenProblem | Shown) -> tuple[bool, float]:
    return answer.answer is ProvenAnswer.ADVERSARIAL, -math.inf if answer.lower is None else answer.lower


def _tree_rank(answer: ProvenProblem | Shown) -> tuple[bool, float]:
    return answer.answer is ProvenAnswer.ROBUST, -math.inf if answer.upper is None else -answer.upper
