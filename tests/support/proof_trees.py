"""Proofs by their numbers, and those of a small problem that is computed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np

from support.networks import make_network
from support.properties import highest, make_box
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


SQUARE = highest(make_box([-1, -1], [1, 1]))
# z_1 = x_1 + x_2 and z_2 = x_1 - x_2 lie in [-2, 2]; y = h_1 + h_2, at most 2, where x_1 = 1.
PAIR = make_network(([[1, 1], [1, -1]], [0, 0]), ([[1, 1]], [0]))
PAIR_BOUNDS: dict[str, list[float]] = {
    "bound_layers": [1, 1, 1, 1],
    "bound_neurons": [0, 0, 1, 1],
    "bound_kinds": [0, 1, 0, 1],
    "bound_values": [-2, 2, -2, 2],
}
# s = 2 / (2 + 2) and c = 1: each h <= z / 2 + max(1, 1), so y <= z_1 / 2 + z_2 / 2 + 2 = x_1 + 2 <= 3.
RELAXED = make_tree(
    **PAIR_BOUNDS, splits=[-1], node_bounds=[4], node_closings=[1], closing_disjuncts=[0], slopes=[128, 0]
)
# z_1 <= 0: h_1 = 0, with multiplier 1/2 y <= -z_1 / 2 + z_2 / 2 + 1 = 1 - x_2 <= 2.
# z_1 >= 0 and z_2 <= 0, with multipliers 0 and 1: y <= z_1 - z_2 = 2 x_2 <= 2.
# z_1 >= 0 and z_2 >= 0, with multipliers 0 and 0: y <= z_1 + z_2 = 2 x_1 <= 2.
SPLIT = make_tree(
    **PAIR_BOUNDS,
    splits=[1, -1, 1, -1, -1],
    places=[0, 1],
    node_bounds=[4, 0, 0, 0, 0],
    node_closings=[0, 1, 0, 1, 1],
    closing_disjuncts=[0, 0, 0],
    slopes=[77],
    multipliers=[0.5, 0, 1, 0, 0],
)
ONE_LEAF: dict[str, list[float]] = {"splits": [-1], "node_bounds": [0], "node_closings": [1], "closing_disjuncts": [0]}
"""The arrays of a tree that is one leaf, which closes the first disjunct without numbers."""
