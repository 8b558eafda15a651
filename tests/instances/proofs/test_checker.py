"""The checker of proofs against the second one, in fractions. `VNNBENCH_FUZZ_EXAMPLES=2000` makes more examples."""

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from support.both_checkers import accepted, refusal
from support.fraction_proofs import accepts
from support.fuzzing import EXAMPLES
from support.proof_mutations import mutated, resized, without_leaf
from support.random_proofs import random_proof
from vnnbench.instances.proofs.proof_file import parse_proof

SEEDS = st.integers(0, 2**32 - 1)
ROOM = Fraction(1, 10**6)
NONE = Fraction(0)
TINY = Fraction(1, 10**40)


def agreed(case, proof):
    """Return whether the checker accepts a proof, as that in fractions does, or rejects it, as that does."""
    return (refusal(proof, case.prop, case.network) is None) == accepts(proof, case.prop, case.network)


@given(seed=SEEDS)
@settings(max_examples=EXAMPLES, deadline=None)
def test_valid_proofs_with_some_room_are_accepted_as_their_files_are_read(seed):
    case = random_proof(seed, ROOM)
    proof = parse_proof(case.proof.to_bytes(), "proof")
    assert refusal(proof, case.prop, case.network) is None


@given(seed=SEEDS, room=st.sampled_from([NONE, TINY, -TINY, -ROOM]))
@settings(max_examples=2 * EXAMPLES, deadline=None)
def test_a_threshold_at_or_beside_what_a_tree_shows_is_decided_exactly(seed, room):
    case = random_proof(seed, room)
    assert agreed(case, case.proof)


@given(seed=SEEDS)
@settings(max_examples=max(1, EXAMPLES // 16), deadline=None)
def test_wider_networks_are_decided_exactly_too(seed):
    for room in (ROOM, NONE, -ROOM):
        case = random_proof(seed, room, most_neurons=20)
        assert agreed(case, case.proof)


@given(seed=SEEDS, room=st.sampled_from([NONE, ROOM, Fraction(1), Fraction(1000)]), damage=SEEDS)
@settings(max_examples=4 * EXAMPLES, deadline=None)
def test_a_mutated_proof_is_accepted_only_if_the_checker_in_fractions_accepts_it(seed, room, damage):
    case = random_proof(seed, room)
    proof = mutated(np.random.default_rng(damage), case.proof)
    assert agreed(case, proof)


@given(seed=SEEDS, damage=SEEDS, change=st.sampled_from([resized, without_leaf]))
@settings(max_examples=2 * EXAMPLES, deadline=None)
def test_a_proof_with_missing_leaves_or_numbers_is_rejected(seed, damage, change):
    case = random_proof(seed, ROOM)
    assert not accepted(change(np.random.default_rng(damage), case.proof), case.prop, case.network)
