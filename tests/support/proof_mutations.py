"""Damages of proofs: of the numbers of one array of the tree, or of its length."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from support.proof_trees import array_names
from vnnbench.instances.proofs.proof_file import LEAF, Proof


def with_array(proof: Proof, name: str, numbers: npt.ArrayLike) -> Proof:
    """Return the proof with other numbers in an array of its tree."""
    kept = np.asarray(numbers).astype(getattr(proof.tree, name).dtype)
    return replace(proof, tree=replace(proof.tree, **{name: kept}))


def mutated(random: np.random.Generator, proof: Proof) -> Proof:
    """Return the proof with a number replaced, or exchanged with another, in any array of its tree."""
    names = array_names(proof.tree)
    name = names[random.integers(len(names))]
    array = getattr(proof.tree, name).copy()
    place, other = random.integers(len(array), size=2)
    if random.random() < 0.25:
        array[[place, other]] = array[[other, place]]
    else:
        array[place] = _other(random, array, place)
    return with_array(proof, name, array)


def _other(random: np.random.Generator, array: npt.NDArray[Any], place: int) -> float:
    """Draw another number of the array's type: near the present one, from elsewhere in the array, or an extreme one."""
    number, near, extreme = array[place].item(), [], []
    if array.dtype.kind == "f":
        limits = np.finfo(array.dtype)
        steps = [float(np.nextafter(array[place], array.dtype.type(end))) for end in (np.inf, -np.inf)]
        near = [*steps, -number, number / 2, number + 2.0**-12, number - 2.0**-12]
        extreme = [0.0, 1.0, -1.0, float(limits.smallest_subnormal), float(limits.max)]
    else:
        ends = np.iinfo(array.dtype)
        near = [min(number + 1, ends.max), max(number - 1, ends.min), number ^ 1, number ^ 2]
        extreme = [0, 1, ends.max, ends.min]
    numbers = [near, near, array.tolist(), extreme][random.integers(4)]
    return float(numbers[random.integers(len(numbers))])


def resized(random: np.random.Generator, proof: Proof) -> Proof:
    """Return the proof with an array of its tree one number shorter or longer."""
    names = array_names(proof.tree)
    name = names[random.integers(len(names))]
    array = getattr(proof.tree, name)
    place = random.integers(len(array))
    if random.random() < 0.5:
        return with_array(proof, name, np.delete(array, place))
    return with_array(proof, name, np.insert(array, place, array[place]))


def without_leaf(random: np.random.Generator, proof: Proof) -> Proof:
    """Return the proof with a leaf of the tree left out: a number of `splits`, and the counts of some node."""
    tree = proof.tree
    leaf = random.choice(np.flatnonzero(tree.splits == LEAF))
    proof = with_array(proof, "splits", np.delete(tree.splits, leaf))
    node = random.integers(len(tree.node_bounds))
    for name in ("node_bounds", "node_closings"):
        proof = with_array(proof, name, np.delete(getattr(tree, name), node))
    return proof
