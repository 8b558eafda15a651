"""A stand-in of the checker: it checks witnesses and believes trees."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from vnnbench.instances.errors import ProofError
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import Layered
from vnnbench.instances.proofs.proof_file import LEAF, Claim, Proof
from vnnbench.instances.properties.property import ClosestProperty, Property


@dataclass(frozen=True, slots=True)
class Checked:
    """What a proof shows. lower: the problem's exact value at the witness. upper: no value exceeds it."""

    lower: Fraction | None
    excluded: bool
    upper: Fraction | None
    leaves: int
    bounds: int


def check_proof(proof: Proof, prop: Property, network: Layered) -> Checked:
    """Return what a proof shows of the problem. Raises `ProofError`, in one line, when it does not show its claim."""
    lower = _value(proof, prop, network) if len(proof.witness) else None
    if proof.claim is None:
        if lower is None:
            raise ProofError("the proof has neither a witness nor a tree")
        return Checked(lower, False, None, 0, 0)
    tree, upper = proof.tree, Fraction(proof.upper or 0) if proof.radius is None else -Fraction(proof.radius)
    leaves = int(np.count_nonzero(tree.splits == LEAF))
    return Checked(lower, proof.claim is Claim.EXCLUDED, upper, leaves, len(tree.bound_layers))


def _value(proof: Proof, prop: Property, network: Layered) -> Fraction:
    inputs = prop.input_set
    if len(proof.witness) != inputs.n_inputs or inputs.violation(proof.witness):
        raise ProofError("the witness is not in the set")
    value = prop.goal.value(ExactNetwork(network).outputs(inputs.point(proof.witness)))
    if not isinstance(prop, ClosestProperty):
        return value
    if value < prop.margin:
        raise ProofError("the problem has no value at the witness")
    return -inputs.distance(proof.witness)
