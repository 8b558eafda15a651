"""The judgements of both checkers of proofs, the one that users run and the one in fractions, which must agree."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from support.fraction_proofs import rejection, shown
from support.proof_trees import make_proof
from vnnbench.instances.errors import ProofError
from vnnbench.instances.networks.network import Layered
from vnnbench.instances.proofs.checker import check_proof
from vnnbench.instances.proofs.proof_file import Proof, Tree
from vnnbench.instances.properties.property import Property


def refusal(proof: Proof, prop: Property, network: Layered) -> str | None:
    """Return why the checker that users run rejects a proof, in one line; None if it accepts it."""
    try:
        check_proof(proof, prop, network)
    except ProofError as error:
        assert "\n" not in str(error)
        return str(error)
    return None


def why_rejected(proof: Proof, prop: Property, network: Layered) -> str | None:
    """Return why the checker in fractions rejects a proof, which the other one rejects too; None if both accept it."""
    why, why_other = rejection(proof, prop, network), refusal(proof, prop, network)
    assert (why is None) == (why_other is None), f"in fractions: {why}; for users: {why_other}"
    return why


def accepted(proof: Proof, prop: Property, network: Layered) -> bool:
    """Return whether both checkers accept a proof."""
    return why_rejected(proof, prop, network) is None


def proven_bounds(proof: Proof, prop: Property, network: Layered) -> list[Fraction]:
    """Return what the passes of a proof show, in its order; both checkers accept it."""
    assert refusal(proof, prop, network) is None
    return [found.bound for found in shown(proof, prop, network)]


def holds_from(upper: float, tree: Tree, prop: Property, network: Layered) -> bool:
    """Return whether both checkers find that the tree shows this upper bound, and not the next lower float64."""
    lower = float(np.nextafter(upper, -np.inf))
    return accepted(make_proof(tree, upper=upper), prop, network) and not accepted(
        make_proof(tree, upper=lower), prop, network
    )
