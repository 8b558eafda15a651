"""The exhibit of a trained network: the features that it uses, its ONNX file, and its decisions on two features."""

from __future__ import annotations

import numpy as np

from vnnbench.instances.datasets.labelled_data import GRID, INTEGER_SCALE, LabelledData
from vnnbench.instances.families.exhibit import DecisionPlane, Exhibit
from vnnbench.instances.step_networks.onnx_writer import scaling_operations, step_network_onnx
from vnnbench.instances.step_networks.step_network import StepNetwork, evaluate
from vnnbench.instances.step_networks.train_property import TrainProperty

CELLS = 256
"""The number of cells on each side of a plane. Their centres are multiples of 1 / GRID."""


def network_exhibit(prop: TrainProperty, network: StepNetwork) -> Exhibit:
    """Return what a page shows of a network of this problem."""
    used = np.flatnonzero((network.W != 0).any(axis=0))
    features = tuple(prop.split.features[j] for j in used.tolist())
    return Exhibit(
        noun="network",
        names={f"features that it uses, {len(features)} of {prop.n_inputs}": features},
        file=("onnx", step_network_onnx(network, scaling_operations(prop.split, integer=prop.variant.integer))),
        plane=_decision_plane(prop, network) if prop.n_inputs == 2 else None,
    )


def _decision_plane(prop: TrainProperty, network: StepNetwork) -> DecisionPlane:
    side = INTEGER_SCALE if prop.variant.integer else 1
    centres = (2 * np.arange(CELLS) + 1) * (side * GRID // (2 * CELLS)) / GRID
    x, y = np.meshgrid(centres, centres)
    points = np.column_stack([x.ravel(), y.ravel()])
    predicted = evaluate(network, LabelledData(points, np.zeros(len(points), np.int64))).predicted
    has_line = (network.W != 0).any(axis=1)
    lines = np.column_stack([network.W, network.epsilon / 2 - network.b])[has_line]
    first, second = prop.split.features
    return DecisionPlane(
        axes=(first, second),
        classes=prop.split.classes,
        training=prop.split.training,
        test=prop.split.test,
        side=float(side),
        regions=predicted.reshape(CELLS, CELLS),
        lines=lines,
    )
