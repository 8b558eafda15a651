"""Witnesses are lifted: a claim that one refutes (`records.refutation`) is held against the file it was made from.

The witness is a point of the set that some run found, or the set's centre; what it reaches on the claim's own network
refutes the claim. Lifted into the claim's file it tells whose fault that is: the solver's, when the file contains the
point with its value; the formulation's, when the file excludes it or undervalues it. The ledger keeps what the file
says (`liftings`); the view `runs` draws the conclusion.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from vnnbench.common.numbers import finite
from vnnbench.errors import ResultsError
from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import InputError, ModelError
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.judging.candidates import Trajectory, candidates_path, read_candidates
from vnnbench.judging.judge import Judge
from vnnbench.leaderboard.records.refutation import CENTRE
from vnnbench.leaderboard.records.rows import LiftingRow
from vnnbench.ledger.writer import Ledger, RefutedClaim


def lift_witnesses(ledger: Ledger, library_set: LibrarySet, results: Path, instance_sha256: str | None = None) -> None:
    """Lift the witness against every refuted claim, about the problem of one instance or all, that has no lifting yet.

    What is not at hand waits: a claim on an instance of another library, a witness whose candidates are not there.
    Raises `ResultsError` when the disk refuses.
    """
    for claim in ledger.refuted_claims(instance_sha256):
        lifting = _lift(claim, library_set, results)
        if lifting is not None:
            ledger.append_lifting(lifting)


def lift_again(ledger: Ledger, library_set: LibrarySet, results: Path) -> Iterator[tuple[LiftingRow, LiftingRow]]:
    """Yield every lifting that is stored, and what comes out today, but for those for which something is not at
    hand."""
    for stored in ledger.liftings():
        claim = RefutedClaim(stored.instance_sha256, stored.witness, stored.witness_value)
        found = _lift(claim, library_set, results)
        if found is not None:
            yield stored, found


def _lift(claim: RefutedClaim, library_set: LibrarySet, results: Path) -> LiftingRow | None:
    """Ask the claim's file; None where something it takes is missing or broken, which `confirm` reports."""
    place = library_set.find(claim.instance_sha256)
    if place is None:
        return None
    library, row = place
    try:
        found_by_run = None if claim.witness == CENTRE else _candidates(results, claim.witness)
        library.verify_row(row)
        judge = Judge.of_instance(library, row)
    except (ResultsError, InputError):
        return None
    point = judge.problem.centre if found_by_run is None else _witness_point(judge, found_by_run, claim.witness_value)
    violation = value = None
    if point is not None:
        try:
            if (lifter := judge.problem.lifter(judge.model)) is not None:
                lifted = lifter.lift(point)
                violation, value = finite(lifted.violation), finite(-lifted.objective)
        except ModelError:
            pass  # a file with columns of its own, of which only the solver's word is known
    return LiftingRow(
        instance_sha256=claim.instance_sha256,
        witness=claim.witness,
        witness_value=claim.witness_value,
        lifted_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        file_violation=violation,
        file_value=value,
    )


def _candidates(results: Path, run: str) -> Trajectory:
    trajectory, _, _ = read_candidates(candidates_path(results, run))
    return trajectory


def _witness_point(judge: Judge, trajectory: Trajectory, value: float) -> Float64Array | None:
    """The point of the set behind a witness's value on the instance's own network; most often the last candidate's."""
    for candidate in reversed(trajectory.candidates):
        found = judge.behind_own_value(candidate.point)
        if found is not None and finite(found[1]) == value:
            return found[0]
    return None
