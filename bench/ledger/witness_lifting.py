"""The lifting of witnesses, which shows whether a refuted claim (`records.refutation`) is the fault of the solver or of
the formulation.

The witness is a point of the set that some run found, or the set's centre; its value on the claim's own network refutes
the claim. It is lifted into the file about which the claim was made. The solver is at fault when the file contains the
point with its value; the formulation is at fault when the file excludes the point or gives it a smaller value. The
table `liftings` stores violation and value of the lifted point; the view `runs` draws the conclusion.
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
    """Lift the witness against every refuted claim that has no lifting yet: about the problem of one instance, or all.

    A claim about an instance of another library, or with a witness whose candidates are missing, is left for later.
    Raises `ResultsError` when the ledger cannot be read or written.
    """
    for claim in ledger.refuted_claims(instance_sha256):
        lifting = _lift(claim, library_set, results)
        if lifting is not None:
            ledger.append_lifting(lifting)


def lift_again(ledger: Ledger, library_set: LibrarySet, results: Path) -> Iterator[tuple[LiftingRow, LiftingRow]]:
    """Yield every stored lifting with the same lifting done again. Those for which a file is missing are left out."""
    for stored in ledger.liftings():
        claim = RefutedClaim(stored.instance_sha256, stored.witness, stored.witness_value)
        found = _lift(claim, library_set, results)
        if found is not None:
            yield stored, found


def _lift(claim: RefutedClaim, library_set: LibrarySet, results: Path) -> LiftingRow | None:
    """Lift a witness into the claim's file; None where something that this needs is missing or broken, which `confirm`
    reports."""
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
            pass  # a file with columns of its own, whose values are known from the solver alone
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
    """Return the point of the set with a witness's value on the instance's own network. Most often it is the last
    candidate's."""
    for candidate in reversed(trajectory.candidates):
        found = judge.behind_own_value(candidate.point)
        if found is not None and finite(found[1]) == value:
            return found[0]
    return None
