"""The formulation `tight`: the same problem as `plain`, with the same optimum, in fewer and stronger rows.

Each ingredient keeps an optimal network of the problem:

big_m      A big-M for each sample and neuron: the range of its pre-activation over the boxes.
errors     E is the step of its output, or one minus it: E takes the place of stF.
merged     Samples with equal inputs have one set of columns, with their number in the objective. Errors of a group with
           several classes that no network avoids are the column `one`.
unused     An input that is 0 in all training samples has no weights.
complement With two classes and one group of errors each, the second output is one minus the first: the box of bF maps
           onto itself under bF -> eps - bF, so the better of two outputs can be taken twice. It has no columns.
monotone   With weights that are not negative, a neuron that is on at a sample is on wherever all inputs are as large.
order      Neurons are interchangeable: they are sorted by their numbers of active samples (rows order_I).

Rows off and on are those of `plain`, with their own big-M; with E = 1 - stF for a sample's class, its rows have 1 - E.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.formulations.milp import MilpBuilder, MilpModel
from vnnbench.instances.step_networks.train_property import TrainProperty
from vnnbench.instances.train_models.blocks import Blocks
from vnnbench.instances.train_models.columns import ONE, Indices
from vnnbench.instances.train_models.network_rows import NetworkColumns, Ranges, Samples, add_network, model_comments


class Ingredient(StrEnum):
    """What distinguishes `tight` from `plain`; see the module's docstring."""

    BIG_M = "big_m"
    ERRORS = "errors"
    MERGED = "merged"
    UNUSED = "unused"
    COMPLEMENT = "complement"
    MONOTONE = "monotone"
    ORDER = "order"


ALL = frozenset(Ingredient)
