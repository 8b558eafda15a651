"""MILPs that train networks of step functions: formulations `plain` and `tight`, and lifting into both.

They stand beside `formulations`, whose MILPs are about given networks, and use its models and files.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from vnnbench.instances.formulations.milp import MilpModel
from vnnbench.instances.step_networks.train_property import TrainProperty
from vnnbench.instances.train_models.plain import encode_plain
from vnnbench.instances.train_models.tight import encode_tight


class TrainFormulation(StrEnum):
    """The formulations of a training problem."""

    PLAIN = "plain"
    TIGHT = "tight"


_ENCODERS: dict[str, Callable[[TrainProperty, str], MilpModel]] = {
    TrainFormulation.PLAIN: encode_plain,
    TrainFormulation.TIGHT: encode_tight,
}


def encode(prop: TrainProperty, formulation: str, name: str) -> MilpModel:
    """Return the model of a training problem in a formulation."""
    return _ENCODERS[formulation](prop, name)
