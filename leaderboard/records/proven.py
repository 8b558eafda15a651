"""Proven answers: beside planted answers a second source of knowledge for readers of a ledger.

RESULTS/proven/SHA256.json holds answers of a library that was run, with what their proofs show: the harness checks
every proof before it writes them (`ledger.proven_copies`). Readers of the ledger check every claim against them
(`views`):

    lower    a witness like that of any run: it refutes a bound below it, and `infeasible`, and voids `robust`
    upper    a solution that claims more is the solver's fault; a value of the dense network above it, in any run, means
             that the judge or the proof is broken: fault `formulation`, with this reason
    robust   the evidence of a run that claims the same is `certificate`
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from vnnbench.leaderboard.records.named_files import digests, read_named

PROVEN_FOLDER = "proven"
MAX_PROVEN_BYTES, MAX_PROVEN_CONTAINERS = 128 << 20, 200_010
"""The limits of a file of proven answers, for a problem with two objects and 0.5 to 1 kB for each of the 100,000
instances that a library may have."""


class ProvenAnswer(StrEnum):
    """The facts that can be proven about a problem, on the dense network."""

    ADVERSARIAL = "adversarial"
    ROBUST = "robust"
    VALUE = "value"
    OPEN = "open"


_ENDS = {
    ProvenAnswer.ADVERSARIAL: {"lower"},
    ProvenAnswer.ROBUST: {"upper"},
    ProvenAnswer.VALUE: {"lower", "upper"},
    ProvenAnswer.OPEN: set(),
}
"""The ends of the interval that an answer must have."""


@dataclass(frozen=True, slots=True)
class Proven:
    """A checked answer to an instance's problem; it holds for all instances with this question and dense network.

    lower: a value that the dense network reaches in the set. upper: one that it does not exceed there. None: not known.
    A robust answer has an upper bound that excludes a counterexample; the ends of a value meet up to tolerance. proof:
    the sha256 of its file. n_bytes: its size. leaves: of its tree, 0 without one. seconds: what checking it took.
    """

    instance_sha256: str
    answer: ProvenAnswer
    lower: float | None
    upper: float | None
    proof: str
    n_bytes: int = 0
    leaves: int = 0
    seconds: float = 0.0


def best_proven(folder: Path) -> dict[str, Proven]:
    """Return, by instance, the answer of all files in the folder that says most.

    Raises ValueError, as `read_proven` does.
    """
    best: dict[str, Proven] = {}
    for proven in sorted(read_proven(folder), key=_worth):
        best[proven.instance_sha256] = proven
    return best


def _worth(proven: Proven) -> tuple[bool, float, float]:
    """Return a sort key: a decided answer says more than an interval, and a narrow interval more than a wide one."""
    lower = -math.inf if proven.lower is None else proven.lower
    return proven.answer is not ProvenAnswer.OPEN, -math.inf if proven.upper is None else -proven.upper, lower


def read_proven(folder: Path) -> list[Proven]:
    """Return the proven answers of all files in the folder, by instance; none without a folder.

    Raises ValueError, one line: a file is broken, is not what its name says, or contradicts another.
    """
    found: list[Proven] = []
    known: dict[str, _Interval] = {}
    for path in sorted(folder.glob("*.json")):
        answers = read_named(path, "proven answers", MAX_PROVEN_BYTES, MAX_PROVEN_CONTAINERS, _proven_problems)
        for proven in answers:
            if not known.setdefault(proven.instance_sha256, _Interval()).allows(proven):
                raise ValueError(
                    f"{path}: contradicts a file of the folder on instance {proven.instance_sha256[:16]}, so a proof "
                    "or the checker is broken; delete the wrong file"
                )
        found += answers
    return found


@dataclass(slots=True)
class _Interval:
    """What all answers to an instance's problem leave of it."""

    lower: float = -math.inf
    upper: float = math.inf
    is_robust: bool = False
    is_adversarial: bool = False

    def allows(self, proven: Proven) -> bool:
        """Take an answer into account, and return whether all so far can hold."""
        self.lower = max(self.lower, -math.inf if proven.lower is None else proven.lower)
        self.upper = min(self.upper, math.inf if proven.upper is None else proven.upper)
        self.is_robust |= proven.answer is ProvenAnswer.ROBUST
        self.is_adversarial |= proven.answer is ProvenAnswer.ADVERSARIAL
        return self.lower <= self.upper and not (self.is_robust and self.is_adversarial)


def _proven_problems(entries: list[Any]) -> list[Proven]:
    return [proven for entry in entries for proven in _proven_instances(entry)]


def _proven_instances(entry: dict[str, Any]) -> Iterator[Proven]:
    answer, proof = ProvenAnswer(entry["answer"]), entry["proof"]
    ends = {name: _end(entry[name]) for name in ("lower", "upper")}
    n_bytes, leaves, seconds = entry["bytes"], entry["leaves"], entry["seconds"]
    if not isinstance(proof, str):
        raise TypeError("a sha256 is not a text")
    if any(ends[name] is None for name in _ENDS[answer]):
        raise ValueError(f"an end is missing, but the answer is {answer}")
    if not (isinstance(n_bytes, int) and isinstance(leaves, int) and isinstance(seconds, int | float)):
        raise TypeError("bytes, leaves and seconds must be numbers")
    for digest in digests(entry):
        yield Proven(digest, answer, ends["lower"], ends["upper"], proof, n_bytes, leaves, float(seconds))


def _end(value: Any) -> float | None:
    if value is None:
        return None
    end = float(value)
    if not math.isfinite(end):
        raise ValueError(f"value {end} is not finite")
    return end
