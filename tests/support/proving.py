"""Proving properties without a library, each proof checked."""

from __future__ import annotations

import numpy as np
import pytest

from vnnbench.instances.families import problem_of
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import Layered
from vnnbench.instances.proofs.checker import check_proof
from vnnbench.instances.proofs.proof_file import Claim, Proof
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.proofs.writing import tree_of
from vnnbench.instances.properties.property import Property
from vnnbench.prover import prove as proving
from vnnbench.prover.aim import Aim, Decision, Optimum
from vnnbench.prover.device import CPU, Device
from vnnbench.prover.search import Ending

SECONDS = 60.0


def proved(
    network: Layered,
    prop: Property,
    few_inputs: int = 20,
    seconds: float = SECONDS,
    open_bytes: float = 2.0**31,
    device: Device = CPU,
) -> tuple[Aim, Ending, Proof | None]:
    """Return the aim and the ending of proving a property, and the proof, checked, if there is a tree.

    few_inputs: the most at which the set is divided from the start.
    """
    problem, question = problem_of(prop), Question.about(prop)
    aim = Optimum(problem, network) if problem.threshold is None else Decision(problem, network, question)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proving, "_FEW_INPUTS", few_inputs)
        found = proving.prove(question, network, aim, seconds, open_bytes, device=device)
    closed = found.close(SECONDS)
    if closed is None:
        return aim, found.ending, None
    is_excluded = found.ending is Ending.EXCLUDED and problem.threshold is not None
    claim, upper = (Claim.EXCLUDED, None) if is_excluded else (Claim.UPPER, closed.upper)
    proof = Proof("p", "0", "0", claim, upper, None, np.empty(0), tree_of(closed.tree))
    check_proof(proof, prop, network)
    return aim, found.ending, proof


def assert_is_reached(aim: Aim, network: Layered, prop: Property) -> None:
    """Assert that the aim's best point is in the set and has the value that the aim says."""
    problem = problem_of(prop)
    assert aim.best is not None and problem.violation(aim.best) == 0
    assert problem.evaluate(ExactNetwork(network), aim.best) == aim.value
