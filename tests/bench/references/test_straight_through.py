"""Gradient training finds what one perceptron cannot learn, and integer weights are integers while they train."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.solving import Recorder
from support.train_problems import drawn_problem
from vnnbench.instances.datasets.splits import make_split
from vnnbench.instances.datasets.table_sources import load_table, named_table
from vnnbench.instances.step_networks.step_network import StepNetwork, evaluate, measures
from vnnbench.instances.step_networks.train_file import train_json
from vnnbench.instances.step_networks.train_property import VARIANTS, Variant, train_property
from vnnbench.instances.training.batched import generator, reproducible_torch
from vnnbench.references.inputs import PROPERTY_NAME
from vnnbench.references.straight_through import StraightThrough, _Stack
from vnnbench.solvers.base import SolveRequest


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_corner_is_learned_by_two_neurons_without_an_error_that_can_be_avoided(
    variant: Variant, tmp_path: Path
) -> None:
    """Rounded to integers, two samples of different classes can be the same; the one that is misclassified has an error
    in both outputs."""
    split = make_split(load_table(named_table("corner")), 0, integer=variant.integer)
    prop = train_property(split, 2, variant)
    (tmp_path / PROPERTY_NAME).write_bytes(train_json(prop))
    request = SolveRequest(tmp_path / "model.mps.gz", tmp_path / "log", 60.0, options={"restarts": 32})
    StraightThrough().solve(request, told := Recorder())
    best = StepNetwork.of_vector(prop, np.array(told.incumbents[-1].columns))
    _, same = np.unique(prop.training.inputs, axis=0, return_inverse=True)
    learnable = sum(np.bincount(prop.training.classes[same == group]).max() for group in np.unique(same))
    errors = measures(prop, best, evaluate(best, prop.training))["errors"]
    assert errors == 2 * (prop.training.n_samples - learnable)
    assert variant.integer or errors == 0


@pytest.mark.parametrize("integer", [False, True])
def test_trained_networks_have_integers_where_the_problem_wants_them(integer: bool) -> None:
    prop = drawn_problem(VARIANTS[-1] if integer else VARIANTS[0], weight_limit=2)
    with reproducible_torch():
        stack = _Stack(prop, 4, generator("drafts"))
        drafts = stack.trained(20, 0.05, lambda: False)
    assert len(drafts) == 4
    for draft in drafts:
        assert (set(np.unique(draft.W)) <= {0.0, 1.0, 2.0}) == integer
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
