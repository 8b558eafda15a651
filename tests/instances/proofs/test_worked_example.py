"""The example of a proof that the specification explains number by number: accepted, with the bounds that it states."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from support.fraction_proofs import accepts, shown
from vnnbench.instances.errors import ProofError
from vnnbench.instances.networks.network import Layer, LayeredNetwork, everywhere, nowhere
from vnnbench.instances.proofs.checker import check_proof
from vnnbench.instances.proofs.proof_file import TREE_TYPES, Claim, Proof, Tree
from vnnbench.instances.properties.input_set import box_set
from vnnbench.instances.properties.property import VerifyProperty

GUIDE = Path(__file__).parents[3] / "instances" / "README.md"
NETWORK = LayeredNetwork(
    (
        Layer(np.array([[2.0], [2.0]]), np.array([-1.0, 1.0]), everywhere(2)),
        Layer(np.array([[0.0, 0.0], [1.0, -2.0]]), np.array([0.0, -1 / 8]), nowhere(2)),
    )
)
PROPERTY = VerifyProperty(box_set(-np.ones(1), np.ones(1)), 0, (1,), True, None, None)


@pytest.fixture
def proof() -> Proof:
    """The proof with the arrays that the guide prints."""
    (block,) = re.findall(r"\*\*An example\.\*\*.*?```text\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    lines = (re.fullmatch(r"(\w+) +((?:-?[\d.]+ ?)+)(?:  .*)?", line) for line in block.splitlines())
    printed = {line[1]: [float(number) for number in line[2].split()] for line in lines if line}
    assert len(printed) == len(block.splitlines()) and printed.keys() <= {f.name for f in fields(Tree)}
    tree = Tree(**{name: np.array(printed.get(name, []), dtype=kind) for name, kind in TREE_TYPES.items()})
    return Proof("example", "0", "0", Claim.EXCLUDED, None, None, np.empty(0), tree)


def test_both_checkers_accept_the_example_and_find_the_bounds_that_it_states(proof):
    assert check_proof(proof, PROPERTY, NETWORK).leaves == 2
    assert accepts(proof, PROPERTY, NETWORK)
    bounds = [one.bound for one in shown(proof, PROPERTY, NETWORK)]
    assert bounds == [1, 3, 3, 1, Fraction(-1, 8), Fraction(-13, 8)]


@pytest.mark.parametrize("slope", range(129))
def test_no_slope_closes_the_set_undivided(proof, slope):
    tree = replace(
        proof.tree,
        splits=proof.tree.splits[2:],
        places=proof.tree.places[:0],
        node_bounds=proof.tree.node_bounds[:1],
        node_closings=proof.tree.node_closings[1:2],
        closing_disjuncts=proof.tree.closing_disjuncts[:1],
        slopes=np.array([0, slope], dtype=np.uint8),
        multipliers=proof.tree.multipliers[:0],
    )
    undivided = replace(proof, claim=Claim.UPPER, upper=2.0, tree=tree)
    bound = shown(undivided, PROPERTY, NETWORK)[-1].bound
    p = Fraction(slope, 128)
    assert bound == Fraction(3, 8) - 2 * p + abs(Fraction(1, 2) - 4 * p) >= Fraction(1, 8)
    assert (bound == Fraction(1, 8)) == (slope == 16)
    with pytest.raises(ProofError):
        check_proof(replace(undivided, claim=Claim.EXCLUDED, upper=None), PROPERTY, NETWORK)
