"""Proving a problem of a library: from its files to the content of a proof."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.layout import MANIFEST
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.proof_checks import ProvableProblem
from vnnbench.instances.proofs.proof_file import Claim, Proof, empty_tree
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.writing import tree_of
from vnnbench.instances.properties.property import ClosestProperty
from vnnbench.prover.aim import Decision, Optimum
from vnnbench.prover.device import Device, device_named
from vnnbench.prover.distance import find_distance
from vnnbench.prover.prove import CLOSING_SHARE, prove
from vnnbench.prover.search import Ending


def prove_problem(folder: Path, name: str, seconds: float, device: str = "cpu") -> tuple[bytes | None, float]:
    """Search for a proof of a problem of the library in `folder`; return its file's content and the seconds taken.

    What is not answered in `seconds` gets a proof of an interval. None: nothing was found. device: "cpu" or "cuda",
    which may take seconds to start; they are not counted. Raises `InputError`: the library does not have the problem,
    its files are broken, or there is no such device, or it fails.
    """
    on = device_named(device)
    started = time.perf_counter()
    proof = _proof_of(ProvableProblem.of(_library(folder, _written_at(folder)), name), seconds, on)
    return None if proof is None else proof.to_bytes(), time.perf_counter() - started


@lru_cache(maxsize=1)
def _library(folder: Path, written_at: int | None) -> Library:
    """Open a library once for all its problems, unless it changes: to open a large one takes longer than most
    proofs."""
    return Library.open(folder)


def _written_at(folder: Path) -> int | None:
    """Return when the library's manifest was written; None if that cannot be read, which `Library.open` reports."""
    try:
        return (folder / MANIFEST).stat().st_mtime_ns
    except OSError:
        return None


def _proof_of(asked: ProvableProblem, seconds: float, device: Device) -> Proof | None:
    prove_it = _distance if isinstance(asked.problem.property, ClosestProperty) else _value
    proof = prove_it(asked, seconds, device)
    return None if proof.claim is None and not len(proof.witness) else proof


def _value(asked: ProvableProblem, seconds: float, device: Device) -> Proof:
    """Answer whether the problem's threshold is exceeded, or find the largest value if it has none."""
    problem, network = asked.problem, asked.network
    question = Question.about(problem.property)
    aim = Optimum(problem, network) if problem.threshold is None else Decision(problem, network, question)
    outcome = prove(question, network, aim, seconds, device=device)
    closed = outcome.close(CLOSING_SHARE * seconds)  # which may offer another point
    proof = _with_witness(asked, aim.best)
    if closed is None:
        return proof
    proof = replace(proof, tree=tree_of(closed.tree))
    if outcome.ending is Ending.EXCLUDED and problem.threshold is not None:
        return replace(proof, claim=Claim.EXCLUDED)
    return replace(proof, claim=Claim.UPPER, upper=closed.upper)


def _distance(asked: ProvableProblem, seconds: float, device: Device) -> Proof:
    """Find the least distance at which the goal is met."""
    found = find_distance(asked.problem, asked.network, seconds, device=device)
    proof = _with_witness(asked, found.nearest)
    if found.tree is None:
        return proof
    return replace(proof, claim=Claim.EXCLUDED, radius=found.radius, tree=tree_of(found.tree))


def _with_witness(asked: ProvableProblem, witness: Float64Array | None) -> Proof:
    """Return a proof with a witness and without a tree."""
    return Proof(
        problem=asked.name,
        network_sha256=asked.network_file[1],
        property_sha256=asked.property_file[1],
        claim=None,
        upper=None,
        radius=None,
        witness=np.empty(0) if witness is None else witness,
        tree=empty_tree(),
    )
