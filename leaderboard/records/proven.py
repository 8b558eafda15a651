"""Proven answers: a second source of knowledge beside planted ones, for whoever reads a ledger.

They come from proofs that were checked, which is not done here: a reader is handed the answers, and its views (`views`)
hold every claim against them:

    lower    a witness like that of any run: it refutes a bound below it, and `infeasible`, and voids `robust`
    upper    a solution that claims more is the solver's fault; a value of the dense network above it, in any run, means
             that judge or proof is broken: fault `formulation`, which says so
    robust   the evidence of a run that claims the same is `certificate`
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ProvenAnswer(StrEnum):
    """What is proven of a problem, on the dense network."""

    ADVERSARIAL = "adversarial"
    ROBUST = "robust"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Proven:
    """A checked answer of the problem that an instance asks; it holds for all that ask the same of that dense network.

    lower: a value that the dense network reaches in the set. upper: one that it does not exceed there. None: not known.
    A robust answer has an upper bound, which leaves no room for a counterexample. proof: the sha256 of its file.
    """

    instance_sha256: str
    answer: ProvenAnswer
    lower: float | None
    upper: float | None
    proof: str
