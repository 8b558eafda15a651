"""Gradient training finds what one perceptron cannot learn, and integer weights are integers while they train."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.solving import Recorder
from support.training_problems import drawn_problem, problem_of_points
from vnnbench.instances.step_networks.train_file import train_json
from vnnbench.instances.step_networks.train_property import VARIANTS, Variant
from vnnbench.instances.training.batched import generator, reproducible_torch
from vnnbench.references.inputs import PROPERTY_NAME
from vnnbench.references.straight_through import StraightThrough, _Stack
from vnnbench.solvers.base import SolveRequest


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_corner_is_learned_without_errors_by_two_neurons(variant: Variant, tmp_path: Path) -> None:
    """Points are in the corner where both inputs are large. That is no half-space, as each side of the corner has
    points on either end."""
    points = np.array([[x, y] for x in (0.1, 0.3, 0.5, 0.7, 0.9) for y in (0.1, 0.3, 0.5, 0.7, 0.9)])
    prop = problem_of_points(points, (points.min(axis=1) > 0.6).astype(int), 2, variant)
    (tmp_path / PROPERTY_NAME).write_bytes(train_json(prop))
    request = SolveRequest(tmp_path / "model.mps.gz", tmp_path / "log", 60.0, options={"restarts": 32})
    result = StraightThrough().solve(request, Recorder())
    weights, activations, neurons = variant.flags
    # without errors: each neuron has one weight, and is active on the ten samples whose input is above 0.6
    assert result.primal_bound is not None
    assert result.primal_bound <= 0.1 * (2 * weights + 20 * activations + 2 * neurons) + 1e-9


@pytest.mark.parametrize("integer", [False, True])
def test_drafts_have_the_steps_that_they_were_trained_with(integer: bool) -> None:
    prop = drawn_problem(VARIANTS[-1] if integer else VARIANTS[0], weight_limit=2)
    with reproducible_torch():
        stack = _Stack(prop, 4, generator("drafts"))
        drafts = stack.trained(20, 0.05, lambda: False)
    assert len(drafts) == 4
    for draft in drafts:
        assert not integer or set(np.unique(draft.W)) <= {0.0, 1.0, 2.0}
        assert set(np.unique(draft.Q)) <= {-1.0, 0.0, 1.0}
        assert (draft.thresholds == np.rint(draft.thresholds)).all()


def test_training_lowers_the_errors_before_the_local_search() -> None:
    prop = drawn_problem(Variant(False, False, False), samples=40, classes=2, neurons=6)
    targets = np.arange(2) == prop.training.classes[:, None]

    def least_errors(steps: int) -> int:
        with reproducible_torch():
            drafts = _Stack(prop, 16, generator("errors")).trained(steps, 0.05, lambda: False)
        h = [prop.training.inputs @ draft.W.T + draft.b > 0 for draft in drafts]
        outputs = [steps @ draft.Q >= draft.thresholds for steps, draft in zip(h, drafts, strict=True)]
        return min(int((output != targets).sum()) for output in outputs)

    assert least_errors(200) < least_errors(1) / 2
