"""Reading a tree keeps its memory bounded, however deep a path is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vnnbench.instances.errors import ProofError
from vnnbench.instances.networks.network import Layer, LayeredNetwork, everywhere, nowhere
from vnnbench.instances.proofs import reading
from vnnbench.instances.proofs.checker import check_proof
from vnnbench.instances.proofs.proof_file import Claim, Proof, empty_tree
from vnnbench.instances.properties.input_set import box_set
from vnnbench.instances.properties.property import MaximizeProperty

N = 40
NETWORK = LayeredNetwork(
    (Layer(np.eye(N), np.zeros(N), everywhere(N)), Layer(np.ones((1, N)), np.zeros(1), nowhere(1)))
)
PROPERTY = MaximizeProperty(box_set(-np.ones(N), np.ones(N)), 0, None, None)


def refusal(**arrays: object) -> str:
    proof = Proof("p", "1", "2", Claim.UPPER, 1.0, None, np.empty(0), replace(empty_tree(), **arrays))
    with pytest.raises(ProofError) as caught:
        check_proof(proof, PROPERTY, NETWORK)
    return str(caught.value)


def counts(n: int) -> np.ndarray:
    return np.zeros(n, np.int32)


def splits_of_inputs(n: int) -> dict[str, np.ndarray]:
    """Return arrays whose every node splits an input, and whose first child is the next node; there is no leaf."""
    return {
        "splits": np.zeros(n, np.int16),
        "places": (np.arange(n) % N).astype(np.int32),
        "points": 2.0 ** -(1 + np.arange(n) // N),
        "node_bounds": counts(n),
        "node_closings": counts(n),
    }


def test_a_path_of_many_parts_is_refused(monkeypatch):
    assert "ends before the tree does" in refusal(**splits_of_inputs(100))
    monkeypatch.setattr(reading, "_MOST_HELD", 90 * 3 * N)
    assert "ends before the tree does" in refusal(**splits_of_inputs(90))
    assert "a path is too deep" in refusal(**splits_of_inputs(100))


def test_a_path_of_many_phases_is_refused(monkeypatch):
    arrays = {"splits": np.ones(N, np.int16), "places": np.arange(N, dtype=np.int32)}
    arrays |= {"node_bounds": counts(N), "node_closings": counts(N)}
    assert "ends before the tree does" in refusal(**arrays)
    monkeypatch.setattr(reading, "_MOST_HELD", N * N // 2)
    assert "a path is too deep" in refusal(**arrays)


def test_a_path_of_many_bounds_is_refused(monkeypatch):
    arrays = splits_of_inputs(20)
    arrays |= {"node_bounds": np.ones(20, np.int32), "bound_layers": np.ones(20, np.int16), "bound_neurons": counts(20)}
    arrays |= {"bound_kinds": np.ones(20, np.uint8), "bound_values": np.full(20, 2.0, np.float32)}
    assert "ends before the tree does" in refusal(**arrays)
    monkeypatch.setattr(reading, "_MOST_HELD", 20 * 3 * N)
    assert "a path is too deep" in refusal(**arrays)
