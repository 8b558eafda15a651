"""Scripts for the scripted solver of tests/bench/fakes, written with inputs of the network in place of columns.

A script is a list of steps, each a list: its word, then its arguments.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from vnnbench.instances.families import read_problem
from vnnbench.instances.families.over_input_set import OverInputSet
from vnnbench.instances.formulations.lifting import Lifter
from vnnbench.instances.formulations.mps import read_mps
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.library import Library
from vnnbench.judging.judge import Judge
from vnnbench.ledger.run_identity import StopGoal
from vnnbench.runs.plan import PlannedRun, RunLimits, SolverSetting, plan_runs

LIMITS = RunLimits(StopGoal.DECIDE, time_limit_seconds=20.0, memory_limit_bytes=2 << 30)
"""The limits of a run of a script, unless a test says otherwise."""


def columns_at(library: Library, row: CatalogRow, x: Sequence[float]) -> list[float]:
    """Return the file's columns that belong to the input x, as an honest solver reports them."""
    problem = read_problem(library.property_path(row))
    assert isinstance(problem, OverInputSet)
    lifter = Lifter(read_mps(library.model_path(row)), problem.input_set)
    return [float(value) for value in lifter.columns(np.array(x))]


def scripted_plan(
    library: Library, instance: str, script: Sequence[Any], limits: RunLimits = LIMITS
) -> list[PlannedRun]:
    """Return the plan of one run of this script on the instance of that name."""
    setting = SolverSetting("scripted", "1.0", (("script", json.dumps(list(script))),))
    return plan_runs([library.row(instance)], [setting], [0], limits)


class Steps:
    """Steps of a script for one instance."""

    def __init__(self, library: Library, row: CatalogRow) -> None:
        self.library, self.row = library, row
        self.judge = Judge.of_instance(library, row)

    def columns(self, x: Sequence[float]) -> list[float]:
        """Return the columns that belong to the input x."""
        return columns_at(self.library, self.row, x)

    def objective(self, x: Sequence[float]) -> float:
        """Return the file's objective at the input x."""
        return self.judge.model.objective_value(np.array(self.columns(x)))

    def incumbent(self, x: Sequence[float], objective: float | None = None) -> list[Any]:
        """Return the step that reports the input x as an incumbent, with its own objective or another one."""
        return ["incumbent", self.objective(x) if objective is None else objective, self.columns(x)]

    def result(self, termination: str, x: Sequence[float] | None = None, bound: float | None = None) -> list[Any]:
        """Return the step that ends with this termination, with the input x or without a solution.

        bound: a dual bound on the value of the problem, so minus the file's.
        """
        dual = None if bound is None else -bound
        if x is None:
            return ["result", termination, None, None, dual]
        return ["result", termination, self.objective(x), self.columns(x), dual]
