"""The judge: measures candidates on the original problem. It imports no solver and trusts nothing a solver said.

Steps of DESIGN 7: exact violation of the set, repair, exact value on the original (the dense network), the value as
deployed, and the final solution held against the file and replayed on what that was made from (the instance's own
network). What a candidate is and how it is evaluated, the problem's family knows.
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
    """The judgement of one candidate. `point`, `value`, `own_value` are None when no point of the set could be made.

    raw_violation: of the set by the candidate as given, or how much further out `point` lies where that is more; None
    when it is not finite.
    point: the candidate, repaired if need be, exactly in the set.
    value: exact value of the problem at `point`; None where it has none. own_value: of what the instance's model was
    made from (its own network) there, or where that has one near.
    confirmed: `value` answers the problem, or is a value of one without a threshold. success: and the candidate needed
    no more than REPAIR_TOLERANCE of repair.
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
    """The final incumbent held against the file and what that was made from; None where a number is not finite."""

    file_value: float | None
    row_violation: float | None
    replayed_value: float | None


_REJECTED = CandidateJudgement(None, None, None, None, False, Evidence.NONE)


class Judge:
    """Everything needed to judge candidates of one instance; preparing costs a few tens of milliseconds."""

    def __init__(self, problem: Problem, evaluators: Evaluators, read_model: Callable[[], MilpModel]) -> None:
        """Raises `InputError` where the problem cannot be evaluated as deployed."""
        self.problem = problem
        self._original, self._own = evaluators.original, evaluators.own
        self._original.prepare()
        self._read_model = read_model
        self._model: MilpModel | None = None

    @classmethod
    def of_instance(cls, library: Library, row: CatalogRow) -> Judge:
        """The judge of one instance of a library, whose files are held against the manifest as they are read: a solver
        that ran before may have altered them. Raises `InputError`."""
        problem = library.read_problem(row)
        evaluators = problem.evaluators(library.read_data(row))

        def read_model() -> MilpModel:
            library.read_verified(row.model)
            return read_mps(library.model_path(row))

        return cls(problem, evaluators, read_model)

    @property
    def model(self) -> MilpModel:
        """The instance's file, read by our own reader when it is first needed. Raises `InputError`."""
        if self._model is None:
            self._model = self._read_model()
        return self._model

    def decoder(self, column_names: Sequence[str]) -> Decoder:
        """How solutions with these columns become candidates. Raises `PropertyError`."""
        return self.problem.decoder(column_names)

    def judge(self, candidate: Float64Array) -> CandidateJudgement:
        """Violation, repair and exact values of one candidate. Fails closed: what cannot be measured is rejected."""
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
        """The point of the set behind `own_value` of a judgement, and that value; None where there is none."""
        if candidate.shape != self.problem.centre.shape or not np.isfinite(candidate).all():
            return None
        repaired = self.problem.repair(candidate)
        point, value = (None, None) if repaired is None else self._on_own(repaired)
        return None if point is None or value is None else (point, value)

    def _on_own(self, point: Float64Array) -> tuple[Float64Array, Fraction | None]:
        reached, _ = self._own.reach(point)
        return reached, self._own.value(reached)

    def confirms_as_given(self, candidate: Float64Array) -> bool:
        """Whether the problem's exact value at a finite candidate, in the set or not, answers it."""
        value = self._original.value(candidate)
        return value is not None and self.problem.confirms(value)

    def deploy(self, point: Float64Array) -> DeployedValue:
        """The problem's value at a point of the set, as deployed."""
        return self._original.deployed(point)

    def outputs(self, point: Float64Array) -> NetworkOutputs | None:
        """The dense network's outputs at a point of the set; None where the problem's family has no such network."""
        return self._original.outputs(point)

    def hold_against_file(self, columns: Float64Array, column_names: Sequence[str]) -> FileCheck:
        """The final incumbent's columns in the file's rows, and their candidate replayed as it is on what the file was
        made from."""
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
