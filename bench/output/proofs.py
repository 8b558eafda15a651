"""The output of `vnnbench prove` and `vnnbench verify-proof`, and proven answers in words.

Each public function whose name begins with `print` is one command's work and returns the command's exit code.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from vnnbench.common.text import plain
from vnnbench.instances.errors import ProofError
from vnnbench.instances.families.over_input_set import OverInputSet
from vnnbench.instances.files import read_plain
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.proof_checks import ProvableProblem, Shown
from vnnbench.instances.library.proven_answers import ProvenAnswer, ProvenProblem
from vnnbench.instances.limits import MAX_LIBRARY_FILE_BYTES
from vnnbench.instances.proofs.proof_file import parse_proof
from vnnbench.instances.properties.property import ClosestProperty
from vnnbench.instances.rationals import to_text
from vnnbench.leaderboard.text import count
from vnnbench.output import display
from vnnbench.output.progress import ProgressBar
from vnnbench.proving import prove_library

_MAX_BITS = 3_000
"""The most bits of numerator and denominator of a value that is printed exactly: Python writes at most 4,300 digits."""


def print_proof(folder: Path, path: Path, output: str) -> int:
    """Check a proof against a library and print what it shows, or why it is rejected; return 0 if it is accepted, else
    1."""
    library = Library.open(folder)
    data = read_plain(path, MAX_LIBRARY_FILE_BYTES, ProofError)
    proof = parse_proof(data, str(path))
    asked = ProvableProblem.of(library, proof.problem)
    try:
        shown = asked.check(proof)
    except ProofError as error:
        if output == "json":
            display.print_json({"problem": proof.problem, "accepted": False, "reason": str(error)})
        else:
            sys.stdout.write(plain(f"{path}: rejected: {error}") + "\n")
        return 1
    if output == "json":
        display.print_json(_facts(proof.problem, shown, len(data)))
    else:
        display.print_text(f"{asked.name}: {_in_words(asked.problem, shown)}")
        for line in _grounds(asked.problem, shown):
            display.print_text(line)
        display.print_text(f"Accepted: {len(data)} bytes, checked in {shown.check_seconds:.3g} s.")
    return 0


def print_proved(folder: Path, select: Sequence[str], seconds: float, jobs: int, device: str) -> int:
    """Prove answers of a library, and print on stderr how many there are; return 1 if the checker rejects a proof, else
    0."""
    with ProgressBar("prove") as progress:
        proved = prove_library(Library.open(folder), select, seconds, jobs, device, progress)
    for rejected in proved.rejected:
        sys.stderr.write(plain(f"the checker rejects a proof, please report it: {rejected}") + "\n")
    proving = sum(answer.prove_seconds or 0.0 for answer in proved.answers)
    checking = sum(answer.check_seconds for answer in proved.answers)
    took = f"; proving took {proving:.3g} s, checking {checking:.3g} s" if proved.answers else ""
    of_what = "selected problem" if select else "problem"
    sys.stderr.write(plain(f"{folder}: {answers_text(proved.answers, proved.problems, of_what)}{took}") + "\n")
    return 1 if proved.rejected else 0


def _facts(problem: str, shown: Shown, n_bytes: int) -> dict[str, Any]:
    """Return what `--format json` prints; value: exact, as a text, and null if it is too long."""
    value = None if shown.value is None else _exact_text(shown.value)
    return {"problem": problem, "accepted": True, "reason": None, **asdict(shown), "value": value, "bytes": n_bytes}


def _exact_text(value: Fraction) -> str | None:
    bits = max(value.numerator.bit_length(), value.denominator.bit_length())
    return to_text(value) if bits <= _MAX_BITS else None


def _in_words(problem: OverInputSet, shown: Shown) -> str:
    match shown.answer:
        case ProvenAnswer.ADVERSARIAL:
            return f"adversarial, there is {problem.confirmed_text}"
        case ProvenAnswer.ROBUST:
            return "robust, no input of the set answers the question"
        case ProvenAnswer.VALUE | ProvenAnswer.OPEN:
            return f"{shown.answer}, {problem.optimum_text} is {_interval(shown.lower, shown.upper)}"


def _grounds(problem: OverInputSet, shown: Shown) -> Iterator[str]:
    """Yield a sentence about the witness and one about the tree."""
    if shown.lower is not None:
        rounded = "" if shown.value == Fraction(shown.lower) else ", rounded down"
        yield f"At the witness, an input of the set, the exact value is {shown.lower!r}{rounded}."
    if shown.upper is not None and shown.leaves:
        parts = f"{_leaves(shown.leaves)} and {count(shown.bounds, 'bound')} of pre-activations"
        if isinstance(problem.property, ClosestProperty):
            what = f"the margin is reached nowhere within {-shown.upper!r}"
        elif shown.answer is ProvenAnswer.ROBUST and not shown.upper:  # 0 is an answer unless the goal is strict
            what = "no input of the set meets the goal"
        else:
            what = f"no value exceeds {shown.upper!r}"
        yield f"A tree with {parts} shows that {what}."


def _leaves(number: int) -> str:
    return "1 leaf" if number == 1 else f"{number} leaves"


def _interval(lower: float | None, upper: float | None) -> str:
    if lower is not None and upper is not None and f"{lower:.6g}" == f"{upper:.6g}":
        return f"about {lower:.6g}"
    ends = [
        *([] if lower is None else [f"at least {lower:.6g}"]),
        *([] if upper is None else [f"at most {upper:.6g}"]),
    ]
    return " and ".join(ends) or "unknown"


def answer_text(proven: ProvenProblem) -> str:
    """Return a proven answer in a few words, as the table states it."""
    if proven.answer is ProvenAnswer.ADVERSARIAL:
        return f"adversarial (value {proven.lower:.6g})"
    if proven.answer is ProvenAnswer.ROBUST:
        return f"robust ({_leaves(proven.leaves)}, checked in {proven.check_seconds:.3g} s)"
    return f"{proven.answer} ({_interval(proven.lower, proven.upper)})"


def answers_text(proven: Collection[ProvenProblem], n_problems: int, of_what: str = "problem") -> str:
    """Return in a sentence how many of a library's problems have a proven answer, and which; and how many an
    interval."""
    counts = Counter(problem.answer for problem in proven)
    n_open = counts.pop(ProvenAnswer.OPEN, 0)
    kinds = ", ".join(f"{counts[answer]} {answer}" for answer in ProvenAnswer if counts[answer])
    intervals = f"; {n_open} open, with an interval" if n_open else ""
    return f"proven answers to {counts.total()} of {count(n_problems, of_what)}{kinds and f': {kinds}'}{intervals}"
