"""The judge, which measures candidates on the original problem. It imports no solver and trusts nothing a solver says.

It computes the exact violation of the set, repairs the candidate, evaluates it exactly on the original (the dense
network) and as deployed, checks the final solution against the file, and replays it on what the file was made from (the
instance's own network). The problem's family defines what a candidate is and how it is evaluated. The rules are in "How
an answer is judged" in `bench/README.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from vnnbench.common.numbers import finite
from vnnbench.common.tolerances import REPAIR_TOLERANCE
from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.families.base import Decoder, DeployedValue, Evaluators, NetworkOutputs, Problem
from vnnbench.instances.formulations.milp import MilpModel
from vnnbench.instances.formulations.mps import read_mps
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.library import Library
from vnnbench.leaderboard.words import Evidence


@dataclass(frozen=True, slots=True, eq=False)
class CandidateJudgement:
    """The judgement of one candidate. `point`, `value` and `own_value` are None when it could not be repaired.

    raw_violation: by how much the candidate as given violates the set, or, if that is more, how much farther `point` is
    from the set's centre; None when it is not finite.
    point: the candidate, repaired where necessary, exactly in the set.
    value: the exact value of the problem at `point`; None where it has none. own_value: the same on what the instance's
    model was made from (its own network), at that point or one nearby.
    confirmed: `value` answers the problem, or the problem has no threshold. success: confirmed, and raw_violation is at
    most REPAIR_TOLERANCE.
    """

    raw_violation: float | None
    point: Float64Array | None
    value: Fraction | None
    own_value: Fraction | None
    confirmed: bool
    evidence: Evidence

    @property
    def success(self) -> bool:
        return self.confirmed and self.raw_violation is not None and self.raw_violation <= REPAIR_TOLERANCE


@dataclass(frozen=True, slots=True)
class FileCheck:
    """The check of the final incumbent against the file and on what the file was made from: its value and its row
    violation in the file, and its replayed value. None where a number is not finite."""

    file_value: float | None
    row_violation: float | None
    replayed_value: float | None


_REJECTED = CandidateJudgement(None, None, None, None, False, Evidence.NONE)


class Judge:
    """The judge of one instance's candidates. Preparing it takes a few tens of milliseconds."""

    def __init__(self, problem: Problem, evaluators: Evaluators, read_model: Callable[[], MilpModel]) -> None:
        """Prepare to judge. Raises `InputError` where the problem cannot be evaluated as deployed."""
        self.problem = problem
        self._original, self._own = evaluators.original, evaluators.own
        self._original.prepare()
        self._read_model = read_model
        self._model: MilpModel | None = None

    @classmethod
    def of_instance(cls, library: Library, row: CatalogRow) -> Judge:
        """Return the judge of one instance of a library. Each file is checked against the manifest as it is read,
        because a solver that ran before may have altered it. Raises `InputError`."""
        problem = library.read_problem(row)
        evaluators = problem.evaluators(library.read_data(row))

        def read_model() -> MilpModel:
            library.read_verified(row.model)
            return read_mps(library.model_path(row))

        return cls(problem, evaluators, read_model)

    @property
    def model(self) -> MilpModel:
        """The model in the instance's file, which is read by our own reader when first needed. Raises `InputError`."""
        if self._model is None:
            self._model = self._read_model()
        return self._model

    def decoder(self, column_names: Sequence[str]) -> Decoder:
        """Return the function that turns solutions with these columns into candidates. Raises `PropertyError`."""
        return self.problem.decoder(column_names)

    def judge(self, candidate: Float64Array) -> CandidateJudgement:
        """Judge one candidate: its violation, repair and exact values. One that cannot be measured is rejected."""
        if candidate.shape != self.problem.centre.shape or not np.isfinite(candidate).all():
            return _REJECTED
        violation = self.problem.violation(candidate)
        point = self.problem.repair(candidate)
        if point is None:
            return CandidateJudgement(finite(violation), None, None, None, False, Evidence.NONE)
        reached, excess = self._original.reach(point)
        value = own_value = self._original.value(reached)
        if self._own is not self._original:
            _, own_value = self._on_own(point)
        if value is None:
            return CandidateJudgement(finite(violation), point, None, own_value, False, Evidence.NONE)
        evidence = Evidence.EXACT if reached is candidate else Evidence.REPAIRED
        raw_violation, confirmed = finite(max(violation, excess)), self.problem.confirms(value)
        return CandidateJudgement(raw_violation, reached, value, own_value, confirmed, evidence)

    def behind_own_value(self, candidate: Float64Array) -> tuple[Float64Array, Fraction] | None:
        """Return the point of the set at which a judgement's `own_value` is reached, and that value; None where there
        is none."""
        if candidate.shape != self.problem.centre.shape or not np.isfinite(candidate).all():
            return None
        repaired = self.problem.repair(candidate)
        point, value = (None, None) if repaired is None else self._on_own(repaired)
        return None if point is None or value is None else (point, value)

    def _on_own(self, point: Float64Array) -> tuple[Float64Array, Fraction | None]:
        reached, _ = self._own.reach(point)
        return reached, self._own.value(reached)

    def confirms_as_given(self, candidate: Float64Array) -> bool:
        """Return whether the problem's exact value at a finite candidate, in the set or not, answers the problem."""
        value = self._original.value(candidate)
        return value is not None and self.problem.confirms(value)

    def deploy(self, point: Float64Array) -> DeployedValue:
        """Return the problem's value at a point of the set as deployed."""
        return self._original.deployed(point)

    def measures(self, point: Float64Array) -> dict[str, float]:
        """Return the numbers that the problem's family has about a point of the set beside its value."""
        return self._original.measures(point)

    def outputs(self, point: Float64Array) -> NetworkOutputs | None:
        """Return the dense network's outputs at a point of the set; None where the problem's family has no network."""
        return self._original.outputs(point)

    def hold_against_file(self, columns: Float64Array, column_names: Sequence[str]) -> FileCheck:
        """Check the final incumbent's columns against the file: its value and row violation there, and the value of its
        candidate, as given, on what the file was made from."""
        if len(columns) != len(column_names) or not np.isfinite(columns).all():
            return FileCheck(None, None, None)
        position = {name: i for i, name in enumerate(column_names)}
        missing = [name for name in self.model.column_names if name not in position]
        if missing:
            return FileCheck(None, None, None)
        in_file_order = columns[[position[name] for name in self.model.column_names]]
        with np.errstate(over="ignore", invalid="ignore"):
            candidate = self.decoder(column_names)(columns)
            file_value = -self.model.objective_value(in_file_order)
            row_violation = self.model.violation(in_file_order)
        replayed = self._own.replay(candidate) if np.isfinite(candidate).all() else None
        return FileCheck(finite(file_value), finite(row_violation), finite(replayed))
