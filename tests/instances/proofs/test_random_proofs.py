"""Random proofs, and the checker in fractions, against the truth: values at points of the set, and optima."""

from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from support.brute_force import brute_force
from support.fraction_passes import problem_of
from support.fraction_proofs import accepts, rejection, shown
from support.fuzzing import EXAMPLES
from support.proof_mutations import mutated
from support.random_proofs import random_proof
from vnnbench.instances import families
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.proofs.proof_file import Claim
from vnnbench.instances.properties.property import ClosestProperty

SEEDS = st.integers(0, 2**32 - 1)
NONE = Fraction(0)


def points_of(case):
    """Return float64 points exactly in the set: near its corners, and with inputs at split points, its ends and its
    centre."""
    random, input_set = np.random.default_rng(0), case.prop.input_set
    lower, upper = input_set.hull
    corners = [np.where(corner, lower, upper) for corner in product((True, False), repeat=len(lower))]
    others = [lower, upper, input_set.centre, lower + random.random(len(lower)) * (upper - lower)]
    others += [np.clip(point, lower, upper) for point in case.proof.tree.points.tolist()]
    mixed = [np.array([random.choice(values) for values in zip(*others, strict=True)]) for _ in range(24)]
    repaired = [input_set.repair(x) for x in (*corners, *mixed)]
    return [input_set.centre, *(x for x in repaired if x is not None)]


def activations(problem, x):
    """Return h_0 to h_K and z_1 to z_K at x, exactly."""
    h, z = [x], []
    for rows, biases, relus in zip(problem.rows, problem.biases, problem.relus, strict=True):
        z.append([sum(w * v for w, v in zip(row, h[-1], strict=True)) + b for row, b in zip(rows, biases, strict=True)])
        h.append([max(v, NONE) if relu else v for v, relu in zip(z[-1], relus, strict=True)])
    return h, z


def is_in(part, x, z):
    """Return whether a point with these pre-activations lies in a part."""
    in_box = all(lo <= v <= hi for lo, v, hi in zip(part.lower, x, part.upper, strict=True))
    return in_box and all((z[k - 1][j] >= 0) if on else (z[k - 1][j] <= 0) for (k, j), on in part.phases.items())


def check_passes(case, proof):
    """Check that at points of its part no function exceeds what its pass shows."""
    problem, found = problem_of(case.prop, case.network, proof.radius), shown(proof, case.prop, case.network)
    for point in points_of(case):
        if proof.radius is not None and case.prop.input_set.distance(point) > proof.radius:
            continue
        x = [Fraction(v) for v in case.prop.input_set.point(point)]
        h, z = activations(problem, x)
        for one in found:
            if is_in(one.part, x, z):
                value = sum(c * v for c, v in zip(one.function.coefficients, h[one.function.layer], strict=True))
                assert value + one.function.constant <= one.bound


def check_claim(case, proof):
    """Check that no point of the set refutes the claim, by the judge's own reading of the problem."""
    problem, network = families.problem_of(case.prop), ExactNetwork(case.network)
    for point in points_of(case):
        value = problem.evaluate(network, point)
        if value is None:
            continue
        if proof.claim is Claim.UPPER:
            assert value <= proof.upper
        elif isinstance(case.prop, ClosestProperty):
            assert value < -proof.radius
        else:
            assert not problem.answers(value)


@given(seed=SEEDS)
@settings(max_examples=EXAMPLES, deadline=None)
def test_random_proofs_with_room_are_accepted_and_their_passes_hold(seed):
    case = random_proof(seed, Fraction(1, 10**6))
    check_passes(case, case.proof)
    check_claim(case, case.proof)


@given(seed=SEEDS, room=st.sampled_from([NONE, Fraction(1)]), damage=SEEDS)
@settings(max_examples=EXAMPLES, deadline=None)
def test_what_is_accepted_after_a_mutation_is_still_true(seed, room, damage):
    case = random_proof(seed, room)
    proof = mutated(np.random.default_rng(damage), case.proof)
    assume(accepts(proof, case.prop, case.network))
    check_passes(case, proof)
    check_claim(case, proof)


@given(seed=SEEDS)
@settings(max_examples=EXAMPLES // 2, deadline=None)
def test_the_optimum_of_a_tiny_network_does_not_exceed_what_is_shown(seed):
    case = random_proof(seed, most_neurons=3)
    assume(accepts(case.proof, case.prop, case.network))
    best = brute_force(case.network, case.prop)
    if case.proof.claim is Claim.UPPER:
        most = case.proof.upper
    else:
        most = 0.0 if case.proof.radius is None else -case.proof.radius
    assert best <= most + 1e-6 * max(1.0, abs(most))


@given(seed=SEEDS)
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_threshold_below_what_the_tree_shows_is_rejected(seed):
    case = random_proof(seed)
    assume(case.proof.claim is Claim.UPPER)
    proof = replace(case.proof, upper=np.nextafter(case.proof.upper, -np.inf))
    assert rejection(proof, case.prop, case.network) == "a closing does not close its disjunct"
