"""The file of a proof: what is written is read back, and what is not such a file gets one line."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import numpy as np
import orjson
import pytest

from vnnbench.instances.errors import ProofError
from vnnbench.instances.proofs.proof_file import TREE_TYPES, Claim, Proof, empty_tree, parse_proof
from vnnbench.instances.proofs.writing import Choices, Closing, Node, ProvenBound, ReluTree, Split, tree_of

NO_CHOICES = Choices(np.empty(0, np.uint8), np.empty(0, np.float32), np.empty(0, np.float32))


def choices(slope: int, multiplier: float) -> Choices:
    return Choices(np.array([slope], np.uint8), np.array([multiplier], np.float32), np.empty(0, np.float32))


@pytest.fixture
def proof() -> Proof:
    """A proof with everything that a tree can have; it need not prove anything."""
    cases = ReluTree(split=Split(1, 2), children=(ReluTree(choices(1, 0.5)), ReluTree(choices(2, 0.25))))
    root = Node(
        bounds=[ProvenBound(1, 2, True, 1.5), ProvenBound(2, 0, False, -3.0, cases)],
        closings=[Closing(0, choices(3, 0.125), (0.25, 0.75))],
        split=Split(0, 7, 0.5),
        children=(Node(split=Split(2, 0), children=(Node(), Node())), Node(closings=[Closing(1, NO_CHOICES)])),
    )
    return Proof("a-problem", "12", "34", Claim.UPPER, 0.1, None, np.array([0.1, -0.0]), tree_of(root))


def rewritten(proof: Proof, **changed: object) -> bytes:
    """Return the file of a proof with some arrays, or keys of the head, replaced; None: left out."""
    arrays = dict(np.load(io.BytesIO(proof.to_bytes())))
    head = orjson.loads(arrays["head"].tobytes())
    head |= {key: value for key, value in changed.items() if key in head}
    arrays["head"] = np.frombuffer(orjson.dumps(head), np.uint8)
    arrays |= {name: value for name, value in changed.items() if name in arrays}
    buffer = io.BytesIO()
    np.savez(buffer, **{name: array for name, array in arrays.items() if array is not None})
    return buffer.getvalue()


def refusal(data: bytes) -> str:
    with pytest.raises(ProofError) as caught:
        parse_proof(data, "p.npz")
    message = str(caught.value)
    assert message.startswith("p.npz: ") and message.isprintable()
    return message


def test_what_is_written_is_read_back(proof):
    read = parse_proof(proof.to_bytes(), "p.npz")
    for name, kind in TREE_TYPES.items():
        array = getattr(read.tree, name)
        assert array.dtype == kind and array.tolist() == getattr(proof.tree, name).tolist()
    assert read.witness.tobytes() == proof.witness.tobytes()
    assert replace(read, tree=proof.tree, witness=proof.witness).to_bytes() == proof.to_bytes()


def test_nodes_are_written_in_the_order_of_reading(proof):
    tree = proof.tree
    assert tree.splits.tolist() == [1, -1, -1, 0, 2, -1, -1, -1]  # the bound's tree, then the root's split
    assert tree.places.tolist() == [2, 7, 0] and tree.points.tolist() == [0.5]
    assert (tree.node_bounds.tolist(), tree.node_closings.tolist()) == ([2, 0, 0, 0, 0], [1, 0, 0, 0, 1])
    assert (tree.bound_layers.tolist(), tree.bound_neurons.tolist()) == ([1, 2], [2, 0])
    assert (tree.bound_kinds.tolist(), tree.bound_values.tolist()) == ([1, 2], [1.5, -3.0])
    assert (tree.closing_disjuncts.tolist(), tree.weights.tolist()) == ([0, 1], [0.25, 0.75])
    assert (tree.slopes.tolist(), tree.multipliers.tolist()) == ([1, 2, 3], [0.5, 0.25, 0.125])


def test_the_same_proof_has_the_same_bytes(proof):
    assert proof.to_bytes() == proof.to_bytes()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"slopes": np.zeros(3, np.int8)}, "slopes must be a vector of uint8"),
        ({"slopes": np.zeros((3, 1), np.uint8)}, "slopes must be a vector of uint8"),
        ({"points": np.zeros(1, ">f8")}, "points must be a vector of float64"),
        ({"multipliers": np.array([np.inf], np.float32)}, "multipliers holds a number that is not finite"),
        ({"witness": np.array([np.nan])}, "witness holds a number that is not finite"),
        ({"weights": None}, "has 0 members weights.npy"),
        ({"format": "another"}, "head must be a JSON object"),
        ({"version": 2}, "version must be 1"),
        ({"problem": None}, "problem must be a text"),
        ({"property_sha256": 5}, "property_sha256 must be a text"),
        ({"claim": "robust"}, 'claim must be null, "excluded" or "upper"'),
        ({"claim": ["upper"]}, "claim must be null"),
        ({"claim": None, "upper": None}, "claim must be that of the tree"),
        ({"claim": "excluded"}, "upper must be a number where"),
        ({"upper": None}, "upper must be a number where"),
        ({"upper": "1"}, "upper must be null or a finite number"),
        ({"upper": True}, "upper must be null or a finite number"),
        ({"radius": 1.0}, "radius must be null where"),
    ],
    ids=str,
)
def test_another_type_or_key_is_named(proof, changed, message):
    assert message in refusal(rewritten(proof, **changed))


@pytest.mark.parametrize("head", [b"", b"[1]", b"{", b"\xff", b'{"format":' + b" " * 9000 + b"1}", b"[" * 100])
def test_a_head_that_is_not_json_of_its_kind_is_named(proof, head):
    assert "head " in refusal(rewritten(proof, head=np.frombuffer(head, np.uint8)))


def test_a_number_beyond_float64_in_the_head_is_refused(proof):
    head = orjson.dumps({"format": "vnnbench-proof", "version": 1}).replace(b"}", b',"upper":1e999}')
    assert "head " in refusal(rewritten(proof, head=np.frombuffer(head, np.uint8)))


def test_python_objects_are_not_read(proof):
    buffer = io.BytesIO()
    np.savez(buffer, head=np.array([{}], dtype=object), allow_pickle=True)
    assert "not a readable .npz" in refusal(buffer.getvalue())


def test_a_truncated_file_is_refused(proof):
    data = proof.to_bytes()
    for end in range(0, len(data), 97):
        refusal(data[:end])


def test_other_members_of_the_archive_are_not_read(proof):
    buffer = io.BytesIO(proof.to_bytes())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("code.py", "raise SystemExit")
    assert parse_proof(buffer.getvalue(), "p.npz").problem == "a-problem"


def test_a_proof_of_a_witness_has_an_empty_tree(proof):
    read = parse_proof(replace(proof, claim=None, upper=None, tree=empty_tree()).to_bytes(), "p.npz")
    assert read.claim is None and not any(len(getattr(read.tree, name)) for name in TREE_TYPES)
