"""Perceptrons separate what a half-space separates, and have no neuron for more classes than there are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.solving import Recorder
from support.train_problems import drawn_problem, problem_of_points
from vnnbench.instances.step_networks.train_file import train_json
from vnnbench.instances.step_networks.train_property import VARIANTS, Variant
from vnnbench.references.inputs import PROPERTY_NAME
from vnnbench.references.perceptron import AveragedPerceptron
from vnnbench.solvers.base import SolveRequest


def request(folder: Path) -> SolveRequest:
    return SolveRequest(folder / "model.mps.gz", folder / "log", 60.0, options={"restarts": 8})


def test_a_half_space_is_learned_without_errors_by_one_neuron(tmp_path: Path) -> None:
    points = np.random.default_rng(0).random((40, 2))
    points = points[abs(points[:, 0] - 0.75 * points[:, 1] - 0.1) > 0.05]
    labels = (points[:, 0] - 0.75 * points[:, 1] > 0.1).astype(int).tolist()
    prop = problem_of_points(points, labels, 1, Variant(False, False, True))
    (tmp_path / PROPERTY_NAME).write_bytes(train_json(prop))
    result = AveragedPerceptron().solve(request(tmp_path), Recorder())
    assert result.primal_bound == pytest.approx(0.1)


@pytest.mark.parametrize("variant", [VARIANTS[0], VARIANTS[-1]], ids=lambda variant: variant.name)
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_each_class_has_a_neuron_as_far_as_they_go(variant: Variant, classes: int, tmp_path: Path) -> None:
    prop = drawn_problem(variant, classes=classes)
    drafts = list(AveragedPerceptron().drafts(prop, request(tmp_path), lambda: False))
    assert len(drafts) == 8
    for draft in drafts:
        assert draft.Q.tolist() == np.eye(prop.neurons, classes).tolist()
        assert not prop.weight.integer or set(np.unique(draft.W)) <= {0.0, 1.0}
