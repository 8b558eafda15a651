"""Proofs made by hand, of the problems of `support.tiny_libraries`.

Their trees have one leaf. Over the set, l and u bound the pre-activations z_0 = x_0 + x_1 - 0.5 and z_1 = x_2 - x_3,
and h_j = max(z_j, 0) is at most s z_j - s l with s = u / (u - l). The closing adds up a bound of h_0 + h_1:

    set                              z_0              z_1            bound    maximum
    L1 radius 1 around the centre    -0.5 to 1.25     -1 to 1        1.75     1.25
    L1 radius 0.5                    -0.25 to 0.75    -0.5 to 0.5    1        0.75
    the unit box                     -0.5 to 1.5      -1 to 1        2.5      2.5
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vnnbench.instances.files import sha256
from vnnbench.instances.layout import PROOFS_MANIFEST, proof_file
from vnnbench.instances.library.answer_additions import adding_answers
from vnnbench.instances.library.library import Library
from vnnbench.instances.proofs.proof_file import LEAF, Claim, Proof, Tree, empty_tree, parse_proof

BALL, HALF_BALL, BOX = (-0.5, 1.25, -1.0, 1.0), (-0.25, 0.75, -0.5, 0.5), (-0.5, 1.5, -1.0, 1.0)
"""The bounds of z_0 and of z_1 over the three sets of the table."""


def witness_proof(library: Library, problem: str, x: Sequence[float]) -> Proof:
    """Return the proof of a problem of the library that has only a witness x."""
    (row, *_) = library.problem_rows(problem)
    hashes = library.contents(row)
    network, prop = hashes["dense_sha256"], hashes["property_sha256"]
    assert network is not None and prop is not None
    return Proof(problem, network, prop, None, None, None, np.array(x, dtype=np.float64), empty_tree())


def excluded_proof(library: Library, problem: str, bounds: Sequence[float] = BALL) -> Proof:
    """Return the proof that no input meets the goal, with a tree and without a witness."""
    return replace(witness_proof(library, problem, []), claim=Claim.EXCLUDED, tree=one_leaf(bounds))


def upper_proof(library: Library, problem: str, upper: float, bounds: Sequence[float] = BALL) -> Proof:
    """Return the proof that no value exceeds `upper`, with a tree and without a witness."""
    return replace(excluded_proof(library, problem, bounds), claim=Claim.UPPER, upper=upper)


def add_proofs(library: Library, *proofs: Proof) -> None:
    """Add proofs to the answers of a library."""
    with adding_answers(library) as answers:
        for proof in proofs:
            answers.add(proof, 1.0)


def break_proof(library: Library, problem: str, witness: Sequence[float] = ()) -> None:
    """Put another witness into the proof of a problem, or halve the bounds of its tree; its sha256 stays right."""
    path, manifest = library.folder / proof_file(problem), library.folder / PROOFS_MANIFEST
    data = path.read_bytes()
    proof = parse_proof(data, str(path))
    halved = replace(proof.tree, bound_values=proof.tree.bound_values * np.float32(0.5))
    broken = replace(proof, tree=halved) if not witness else replace(proof, witness=np.array(witness))
    path.write_bytes(broken.to_bytes())
    manifest.write_text(manifest.read_text().replace(sha256(data), sha256(broken.to_bytes())))


def one_leaf(bounds: Sequence[float]) -> Tree:
    """Return a tree of one leaf, with these bounds l_0, u_0, l_1, u_1 and one closing of the only disjunct."""
    return replace(
        empty_tree(),
        splits=np.array([LEAF], dtype=np.int16),
        node_bounds=np.array([4], dtype=np.int32),
        node_closings=np.array([1], dtype=np.int32),
        bound_layers=np.ones(4, dtype=np.int16),
        bound_neurons=np.array([0, 0, 1, 1], dtype=np.int32),
        bound_kinds=np.array([0, 1, 0, 1], dtype=np.uint8),
        bound_values=np.array(bounds, dtype=np.float32),
        closing_disjuncts=np.zeros(1, dtype=np.int32),
        slopes=np.zeros(2, dtype=np.uint8),
    )
