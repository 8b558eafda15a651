"""The check of proofs against a library: what they show of its problems, and whether its table of answers says that."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from vnnbench.common.numbers import MAX_REAL
from vnnbench.common.tolerances import BOUND_TOLERANCE
from vnnbench.instances.errors import InputError, LibraryError, ProofError, PropertyError
from vnnbench.instances.families.over_input_set import OverInputSet
from vnnbench.instances.files import final_name
from vnnbench.instances.layout import ANSWERS, PROOFS, PROOFS_MANIFEST, is_waiting
from vnnbench.instances.library.findings import Finding
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.proven_answers import AnswerTable, ProvenAnswer, ProvenProblem
from vnnbench.instances.networks.network import LayeredNetwork
from vnnbench.instances.onnx_files.reader import parse_onnx
from vnnbench.instances.proofs.checker import Checked, check_proof
from vnnbench.instances.proofs.proof_file import Proof, parse_proof
from vnnbench.instances.rationals import float_below


@dataclass(frozen=True, slots=True)
class Shown:
    """What an accepted proof shows of its problem.

    value: at its witness, exactly; None without one. lower: the same, rounded down. upper: a number that no value
    exceeds, rounded up; without a tree 0 for `closest`, else None. leaves, bounds: the numbers of leaves of its tree,
    and of bounds of pre-activations. check_seconds: the time that the check took.
    """

    answer: ProvenAnswer
    value: Fraction | None
    lower: float | None
    upper: float | None
    leaves: int
    bounds: int
    check_seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class ProvableProblem:
    """A problem of a library, with its dense network, and the path and the sha256 of the files of network and property.

    A proof of it must be about these files.
    """

    name: str
    problem: OverInputSet
    network: LayeredNetwork
    network_file: tuple[str, str]
    property_file: tuple[str, str]

    @classmethod
    def of(cls, library: Library, name: str) -> ProvableProblem:
        """Return a problem of the library by its name.

        Raises `InputError`: the library does not have it or its files are broken, or it is not about a network, so that
        it has no proofs.
        """
        row = library.problem_rows(name)[0]
        problem = library.read_problem(row)
        if not isinstance(problem, OverInputSet):
            raise LibraryError(f"{library.folder}: problem {name} is of family {row.family}, which has no proofs")
        relative = row.data_files()["dense_network"]
        network = parse_onnx(library.read_verified(relative), str(library.folder / relative))
        try:
            problem.check_fit(network.layers[0].n_inputs, network.layers[-1].n_outputs)
        except PropertyError as error:
            raise LibraryError(f"{library.folder / relative}: {error}") from error
        files = ((path, library.hashes[path]) for path in (relative, row.property))
        return cls(name, problem, network, *files)

    def refuse_others(self, proof: Proof) -> None:
        """Raise `ProofError` if the proof is about another problem, network or property."""
        if proof.problem != self.name:
            raise ProofError(f"the proof is about problem {proof.problem!r}, not {self.name}")
        stated = (proof.network_sha256, proof.property_sha256)
        for digest, (path, known) in zip(stated, (self.network_file, self.property_file), strict=True):
            if digest != known:
                raise ProofError(f"the proof is about another file than {path} (sha256)")

    def check(self, proof: Proof) -> Shown:
        """Return what the proof shows of the problem. Raises `ProofError`, in one line: it is rejected."""
        self.refuse_others(proof)
        started = time.perf_counter()
        checked = check_proof(proof, self.problem.property, self.network)
        seconds = round(time.perf_counter() - started, 6)
        lower, upper = _rounded_down(checked.lower), _rounded_up(checked.upper)
        answer = _answer(self.problem, proof, checked)
        return Shown(answer, checked.lower, lower, upper, checked.leaves, checked.bounds, seconds)


def _answer(problem: OverInputSet, proof: Proof, checked: Checked) -> ProvenAnswer:
    lower, upper = checked.lower, checked.upper
    adversarial = lower is not None and problem.answers(lower)
    if proof.radius is not None:
        robust = checked.excluded and proof.radius == problem.input_set.radius
    else:
        robust = checked.excluded or (proof.upper is not None and problem.excludes(proof.upper, 0.0))
    gap = None if lower is None or upper is None else upper - lower
    if (gap is not None and gap < 0) or (adversarial and robust):
        raise ProofError("the witness contradicts the tree, so the checker is broken; please report it")
    if adversarial:
        return ProvenAnswer.ADVERSARIAL
    if robust:
        return ProvenAnswer.ROBUST
    size = max(Fraction(1), abs(lower or Fraction(0)))
    is_met = gap is not None and gap <= Fraction(BOUND_TOLERANCE) * size
    return ProvenAnswer.VALUE if problem.threshold is None and is_met else ProvenAnswer.OPEN


def _rounded_down(exact: Fraction | None) -> float | None:
    """Return the largest float64 of a table that is not above the number; None if it is None or below all of them."""
    if exact is None or exact < -MAX_REAL:
        return None
    return float_below(min(exact, Fraction(MAX_REAL))) + 0.0  # no negative zero


def _rounded_up(exact: Fraction | None) -> float | None:
    opposite = None if exact is None else _rounded_down(-exact)
    return None if opposite is None else 0.0 - opposite


# -- the check of a library --------------------------------------------------------------------------------------------


def open_answers(folder: Path) -> tuple[AnswerTable, list[Finding]]:
    """Return the proven answers of the library in `folder`, and what is wrong with manifest and table, or with other
    files beside the proofs. A broken table counts as empty."""
    try:
        table = AnswerTable.open(folder)
    except InputError as error:
        return AnswerTable(folder), [Finding(ANSWERS, str(error))]
    known = {*table.hashes, PROOFS_MANIFEST}
    found = {f"{PROOFS}/{final_name(path.name)}" for path in (folder / PROOFS).glob("*")}
    strays = sorted(path for path in found - known if not is_waiting(path))
    if not strays:
        return table, []
    more = f" (nor are {len(strays) - 1} more)" if len(strays) > 1 else ""
    return table, [Finding(strays[0], f"is not listed in {PROOFS_MANIFEST}{more}; remove it")]


def check_answer(library: Library, table: AnswerTable, proven: ProvenProblem) -> Iterator[Finding]:
    """Check the proof of an answer, and that the table says what it shows: at most one finding."""
    path = library.folder / proven.proof
    try:
        proof = parse_proof(table.read(proven.proof), str(path))
        shown = ProvableProblem.of(library, proven.problem).check(proof)
    except InputError as error:
        yield Finding(proven.proof, str(error).removeprefix(f"{path}: "))
        return
    for column in ("answer", "lower", "upper", "leaves"):
        stated, right = getattr(proven, column), getattr(shown, column)
        if stated != right:
            yield Finding(ANSWERS, f"{proven.problem}: {column} is {stated}, but {right} by {proven.proof}")
            return
