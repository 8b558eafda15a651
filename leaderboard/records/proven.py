"""Proven answers: beside planted answers a second source of knowledge for readers of a ledger.

They come from proofs that are checked elsewhere: a reader gets the answers, and its views (`views`) check every claim
against them:

    lower    a witness like that of any run: it refutes a bound below it, and `infeasible`, and voids `robust`
    upper    a solution that claims more is the solver's fault; a value of the dense network above it, in any run, means
             that the judge or the proof is broken: fault `formulation`, with this reason
    robust   the evidence of a run that claims the same is `certificate`
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ProvenAnswer(StrEnum):
    """The facts that can be proven about a problem, on the dense network."""

    ADVERSARIAL = "adversarial"
    ROBUST = "robust"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Proven:
    """A checked answer to an instance's problem; it holds for all instances with this question and dense network.

    lower: a value that the dense network reaches in the set. upper: one that it does not exceed there. None: not known.
    A robust answer has an upper bound that excludes a counterexample. proof: the sha256 of its file.
    """

    instance_sha256: str
    answer: ProvenAnswer
    lower: float | None
    upper: float | None
    proof: str
