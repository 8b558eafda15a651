"""Proving a problem of a library: from its files to the content of a proof."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.proof_checks import ProvableProblem
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.proofs.proof_file import Claim, Proof, empty_tree
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.writing import tree_of
from vnnbench.prover.prove import prove


def prove_problem(folder: Path, name: str, seconds: float) -> tuple[bytes | None, float]:
    """Search for a proof of a problem of the library in `folder`; return its file's content and the seconds taken.

    None: none was found in `seconds`. Raises `InputError`: the library does not have the problem, or its files are
    broken.
    """
    started = time.perf_counter()
    proof = _proof_of(ProvableProblem.of(Library.open(folder), name), seconds)
    return None if proof is None else proof.to_bytes(), time.perf_counter() - started


def _proof_of(asked: ProvableProblem, seconds: float) -> Proof | None:
    head = Proof(
        problem=asked.name,
        network_sha256=asked.network_file[1],
        property_sha256=asked.property_file[1],
        claim=None,
        upper=None,
        radius=None,
        witness=np.empty(0),
        tree=empty_tree(),
    )
    judge = _Judge(asked)
    excluded = replace(head, claim=Claim.EXCLUDED)
    found = prove(Question.of(excluded, asked.problem.property), asked.network, judge.confirms, seconds)
    if judge.witness is not None:
        return replace(head, witness=judge.witness)
    return None if found.tree is None else replace(excluded, tree=tree_of(found.tree))


class _Judge:
    """The exact judgement of points that the search finds. witness: the last that answers the problem's question."""

    def __init__(self, asked: ProvableProblem) -> None:
        self.witness: Float64Array | None = None
        self._problem, self._network = asked.problem, ExactNetwork(asked.network)

    def confirms(self, x: Float64Array) -> bool:
        """Return whether a point, repaired into the set, answers the question."""
        point = self._problem.repair(x)
        value = None if point is None else self._problem.evaluate(self._network, point)
        if value is None or not self._problem.answers(value):
            return False
        self.witness = point
        return True
