"""The rounding of a training MILP's objective."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from vnnbench.instances.formulations.milp import MilpModel
from vnnbench.instances.rationals import float_above
from vnnbench.instances.step_networks.train_property import FACTOR


def objective_rounding(model: MilpModel) -> float:
    """Return a bound on the difference between the file's objective and that of `train_property` at a network.

    Only an activation of a group of equal samples has a rounded coefficient: FACTOR times their number.
    """
    costs = model.objective[[name.startswith("st_") for name in model.column_names]]
    difference, factor = Fraction(0), Fraction(FACTOR)
    for cost, times in zip(*np.unique(costs, return_counts=True), strict=True):
        exact = Fraction(float(cost))
        difference += int(times) * abs(exact - round(exact / factor) * factor)
    return float_above(difference)
