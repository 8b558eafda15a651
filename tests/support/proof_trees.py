"""Proofs by their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np

from vnnbench.instances.proofs.proof_file import TREE_TYPES, Claim, Proof, Tree, empty_tree


def make_tree(**arrays: Sequence[float]) -> Tree:
    """Return the tree with these arrays; the others are empty."""
    return replace(empty_tree(), **{name: np.array(numbers, TREE_TYPES[name]) for name, numbers in arrays.items()})


def make_proof(
    tree: Tree,
    claim: Claim | None = Claim.UPPER,
    upper: float | None = None,
    radius: float | None = None,
    witness: Sequence[float] = (),
) -> Proof:
    """Return the proof with this tree, for any problem and without hashes."""
    return Proof("problem", "", "", claim, upper, radius, np.array(witness, dtype=np.float64), tree)


def array_names(tree: Tree) -> list[str]:
    """Return the names of the arrays that are not empty."""
    return [field.name for field in fields(tree) if len(getattr(tree, field.name))]
