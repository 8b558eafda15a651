"""The change that is found is the best of all: brute force tries every change with every bias."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vnnbench.instances.step_networks.train_property import Box
from vnnbench.references.step_neuron import NeuronKind, best_change

WHOLE = NeuronKind(Box(0.0, 2.0, True), Box(-9.0, 1.0, True), 1.0, None, weight_price=0.1, neuron_price=0.1)


def brute_force(kind: NeuronKind, X: np.ndarray, w: np.ndarray, costs: np.ndarray, room: float) -> float:
    """Return the least cost over all integer biases and all integer changes of one weight by any amount."""
    best = 0.0
    for j in range(len(w)):
        for value in range(int(kind.weight.lower), int(kind.weight.upper) + 1):
            changed = w.copy()
            changed[j] = value
            if changed.sum() > room:
                continue
            for bias in range(int(kind.bias.lower), int(kind.bias.upper) + 1):
                active = X @ changed + bias >= kind.epsilon
                price = kind.weight_price * changed.sum() + kind.neuron_price * active.any()
                best = min(best, float(costs[active].sum() + price))
    return best


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("room", [math.inf, 3.0])
def test_the_best_change_of_an_integer_neuron_is_found(seed: int, room: float) -> None:
    draws = np.random.default_rng(seed)
    X, costs = draws.integers(0, 5, (12, 3)).astype(float), draws.integers(-2, 3, 12).astype(float)
    w = draws.integers(0, 3, 3).astype(float)
    found = best_change(WHOLE, X, w, costs, draws, room)
    assert found.cost == pytest.approx(brute_force(WHOLE, X, w, costs, room))
    assert found.cost == pytest.approx(WHOLE.cost(found.w, found.steps, costs))
    assert (found.w.sum() <= room and (found.w != w).sum() <= 1) or not found.steps.any()
    bias = WHOLE.bias_between(found.low, found.high)
    assert bias is not None and ((X @ found.w + bias >= 1) == found.steps).all()


@pytest.mark.parametrize("seed", range(20))
def test_a_continuous_neuron_is_scaled_into_its_boxes_and_keeps_the_margin(seed: int) -> None:
    """Samples are up to 8, so a threshold is only within the bias's box if the weights are scaled down."""
    kind = NeuronKind(Box(-1.0, 1.0, False), Box(-1.0, 1.0, False), 0.125, 1.0)
    draws = np.random.default_rng(seed)
    X, costs = draws.integers(0, 9, (12, 3)).astype(float), draws.normal(size=12)
    found = best_change(kind, X, draws.normal(size=3), costs, draws, math.inf)
    z = X @ found.scaled()
    low, high = z.max(where=~found.steps, initial=-math.inf), z.min(where=found.steps, initial=math.inf)
    bias = kind.bias_between(float(low), float(high))
    assert bias is not None and -1 <= bias <= 1 and np.abs(found.scaled()).max() <= 1
    assert (z[found.steps] + bias >= 0.125).all() and (z[~found.steps] + bias <= 0).all()
    assert found.cost <= 0 and found.cost == pytest.approx(costs[found.steps].sum())


def test_among_equals_the_widest_gap_is_the_threshold() -> None:
    X, costs = np.array([[0.0], [0.25], [0.75], [1.0]]), np.array([1.0, 1.0, -1.0, -1.0])
    kind = NeuronKind(Box(-1.0, 1.0, False), Box(-1.0, 1.0, False), 0.125, 1.0)
    found = best_change(kind, X, np.array([1.0]), costs, np.random.default_rng(0), math.inf)
    assert (found.low, found.high, found.factor) == (0.25, 0.75, 1.0)
    assert kind.bias_between(found.low, found.high) == (0.125 - 0.75 - 0.25) / 2


def test_equal_samples_are_never_on_two_sides() -> None:
    X, costs = np.ones((4, 2)), np.array([-1.0, 1.0, -1.0, 0.5])
    found = best_change(WHOLE, X, np.zeros(2), costs, np.random.default_rng(0), math.inf)
    assert found.steps.all() or not found.steps.any()
