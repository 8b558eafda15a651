"""Intervals of the least distance: they hold the true one, close where that is found, and are shown by proofs."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from support.fraction_proofs import accepts
from vnnbench.common.tolerances import BOUND_TOLERANCE
from vnnbench.instances.families import problem_of
from vnnbench.instances.networks.exact_evaluation import ExactNetwork
from vnnbench.instances.networks.network import Layer, LayeredNetwork, everywhere, nowhere
from vnnbench.instances.proofs.checker import check_proof
from vnnbench.instances.proofs.proof_file import Claim, Proof, empty_tree
from vnnbench.instances.proofs.writing import tree_of
from vnnbench.instances.properties.input_set import InputSet, Norm
from vnnbench.instances.properties.property import ClosestProperty
from vnnbench.prover import distance
from vnnbench.prover.distance import find_distance
from vnnbench.prover.search import Ending

SECONDS = 60.0
MARGIN = Fraction(1, 2)


def network_of_sum() -> LayeredNetwork:
    """y_1 - y_0 = max(x_0, 0) + 2 max(x_1, 0)."""
    return LayeredNetwork(
        (
            Layer(np.eye(2), np.zeros(2), everywhere(2)),
            Layer(np.array([[0.0, 0.0], [1.0, 2.0]]), np.zeros(2), nowhere(2)),
        )
    )


def closest(norm: Norm, radius: float, box: float = 1.0) -> ClosestProperty:
    """The margin 1/2 is reached at the distance 1/4 in the L1 norm and 1/6 in the L-infinity norm, in a large box."""
    ball = InputSet(norm, np.zeros(2), radius, np.full(2, -box), np.full(2, box))
    return ClosestProperty(ball, 0, (1,), MARGIN, None, None)


def proof_of(found: distance.Interval) -> Proof:
    nearest = np.empty(0) if found.nearest is None else found.nearest
    return Proof("p", "0", "0", Claim.EXCLUDED, None, found.radius, nearest, tree_of(found.tree))


@pytest.mark.parametrize(("norm", "expected"), [(Norm.L1, 1 / 4), (Norm.LINF, 1 / 6)])
def test_the_interval_of_the_least_distance_closes(norm, expected):
    network, prop = network_of_sum(), closest(norm, 0.9)
    found = find_distance(problem_of(prop), network, SECONDS)
    shown = check_proof(proof_of(found), prop, network)
    assert accepts(proof_of(found), prop, network)
    assert -shown.upper <= expected <= -shown.lower + Fraction(1, 10**9)
    assert shown.upper - shown.lower <= BOUND_TOLERANCE


def test_a_box_that_cuts_the_ball_moves_the_nearest_solution():
    """With x_1 at most 1/8, x_0 must add 1/4: 3/8 in all."""
    ball = InputSet(Norm.L1, np.zeros(2), 0.9, -np.ones(2), np.array([1.0, 1 / 8]))
    prop = ClosestProperty(ball, 0, (1,), MARGIN, None, None)
    found = find_distance(problem_of(prop), network_of_sum(), SECONDS)
    assert found.radius == pytest.approx(3 / 8, abs=1e-6)
    assert found.nearest == pytest.approx([1 / 4, 1 / 8], abs=1e-6)


def test_a_ball_without_a_solution_is_shown_to_have_none_at_once(monkeypatch):
    asked, real = [], distance.prove
    monkeypatch.setattr(
        distance, "prove", lambda question, *rest, **more: asked.append(question) or real(question, *rest, **more)
    )
    prop = closest(Norm.L1, 0.2)
    found = find_distance(problem_of(prop), network_of_sum(), SECONDS)
    assert found.nearest is None and found.radius == 0.2 and len(asked) == 1
    assert check_proof(proof_of(found), prop, network_of_sum()).upper == Fraction(-0.2)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("norm", [Norm.L1, Norm.LINF])
def test_no_sampled_point_is_nearer_than_the_interval_says(seed, norm):
    random = np.random.default_rng(seed)
    layers = [Layer(random.normal(size=(6, n)), random.normal(size=6) / 4, everywhere(6)) for n in (3, 6)]
    network = LayeredNetwork((*layers, Layer(random.normal(size=(3, 6)), np.zeros(3), nowhere(3))))
    ball = InputSet(norm, random.uniform(-0.5, 0.5, size=3), 1.0, -np.ones(3), np.ones(3))
    values = ExactNetwork(network).outputs(ball.point(ball.centre))
    source = max(range(3), key=lambda k: values[k])
    prop = ClosestProperty(ball, source, tuple({0, 1, 2} - {source}), Fraction(1, 10), None, None)
    problem = problem_of(prop)
    found = find_distance(problem, network, SECONDS)
    points = [ball.nearest(x) for x in ball.centre + random.uniform(-1, 1, size=(300, 3)) * random.random((300, 1))]
    reached = [value for x in points if (value := problem.evaluate(ExactNetwork(network), x)) is not None]
    if found.nearest is None:
        assert found.radius == 1.0 and not reached
    else:
        value = problem.evaluate(ExactNetwork(network), found.nearest)
        assert value >= max(reached, default=-1) and -value - Fraction(found.radius) <= BOUND_TOLERANCE
        assert check_proof(proof_of(found), prop, network).lower == value


def test_below_a_ball_that_stays_open_smaller_ones_are_tried(monkeypatch):
    """Balls of radii from 0.2 on stay open."""
    radii, real = [], distance.prove

    def prove(question, network, aim, seconds, **more):
        radii.append(float(question.whole.radius))
        if radii[-1] < 0.2:
            return real(question, network, aim, seconds, **more)
        return SimpleNamespace(ending=Ending.BUDGET, n_cases=1)

    monkeypatch.setattr(distance, "prove", prove)
    found = find_distance(problem_of(closest(Norm.L1, 0.8)), network_of_sum(), SECONDS)
    assert radii[:3] == [0.8, 0.4, 0.2]
    assert found.nearest is None and 0.2 * (1 - 1e-3) <= found.radius < 0.2


def test_a_whole_ball_that_stays_open_leaves_the_interval_open(monkeypatch):
    """Even if the largest ball without a solution is hardly smaller."""
    real = distance.prove

    def prove(question, network, aim, seconds, **more):
        if question.whole.radius == Fraction(0.2):
            return SimpleNamespace(ending=Ending.BUDGET, n_cases=1)
        return real(question, network, aim, seconds, **more)

    monkeypatch.setattr(distance, "prove", prove)
    monkeypatch.setattr(distance, "_NARROW", 1e-9)
    found = find_distance(problem_of(closest(Norm.L1, 0.2)), network_of_sum(), SECONDS)
    assert found.nearest is None and not found.is_closed and found.radius == pytest.approx(0.2, rel=1e-6)


def test_without_time_nothing_is_found():
    found = find_distance(problem_of(closest(Norm.L1, 0.8)), network_of_sum(), 0.0)
    assert (found.nearest, found.radius, found.tree) == (None, None, None)


def test_a_margin_that_is_reached_at_the_centre_is_at_distance_0():
    network = LayeredNetwork((Layer(np.zeros((2, 2)), np.array([0.0, 1.0]), nowhere(2)),))
    prop = closest(Norm.L1, 0.9)
    found = find_distance(problem_of(prop), network, SECONDS)
    assert found.is_closed and found.tree is None and (found.nearest == 0).all()
    shown = check_proof(Proof("p", "0", "0", None, None, None, found.nearest, empty_tree()), prop, network)
    assert shown.lower == shown.upper == 0
