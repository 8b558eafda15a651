"""Proving a problem of a library: from its files to the content of a proof."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from vnnbench.instances.library.library import Library
from vnnbench.instances.library.proof_checks import ProvableProblem
from vnnbench.instances.proofs.proof_file import Claim, Proof, empty_tree
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.writing import tree_of
from vnnbench.prover.prove import prove
from vnnbench.prover.witness import Witnesses


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
    excluded = replace(head, claim=Claim.EXCLUDED)
    prop = asked.problem.property
    found = prove(Question.of(excluded, prop), asked.network, Witnesses(prop, asked.network), seconds)
    if found.witness is not None:
        return replace(head, witness=found.witness)
    return None if found.tree is None else replace(excluded, tree=tree_of(found.tree))
