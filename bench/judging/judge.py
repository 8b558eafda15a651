"""The judge: measures candidates on the original networks. It imports no solver and trusts nothing a solver said.

Steps of DESIGN 7: exact violation of the set, repair, exact value on the dense network, the value as deployed, and the
final solution held against the file and replayed on the instance's own network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from vnnbench.common.numbers import finite
from vnnbench.instances.arrays import Float32Array, Float64Array
from vnnbench.instances.families import read_problem
from vnnbench.instances.families.base import Decoder, DeployedValue, Problem
from vnnbench.instances.families.over_input_set import round_towards
from vnnbench.instances.formulations.milp import MilpModel
from vnnbench.instances.formulations.mps import read_mps
from vnnbench.instances.layout import network_file
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.library import Library
from vnnbench.instances.networks.exact import ExactNetwork
from vnnbench.instances.onnx_files.reader import parse_onnx
from vnnbench.instances.onnx_files.runtime import OnnxRuntime
from vnnbench.leaderboard.records.views import REPAIR_TOLERANCE
from vnnbench.leaderboard.words import Evidence


@dataclass(frozen=True, slots=True, eq=False)
class CandidateJudgement:
    """What one candidate is worth. `point`, `value`, `own_value` are None when no point of the set could be made.

    raw_violation: of the set by the candidate as given, or how much further out `point` lies where that is more; None
    when it is no finite number.
    point: the candidate, repaired if need be, exactly in the set.
    value: exact value of the dense network at `point`; None where it has none. own_value: of the instance's own network
    there, or where it has one near.
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
    """The final incumbent held against the file and its own network; None where a number would not be finite."""

    file_value: float | None
    row_violation: float | None
    replayed_value: float | None


_REJECTED = CandidateJudgement(None, None, None, None, False, Evidence.NONE)


class Judge:
    """Everything needed to judge candidates of one instance; preparing costs a few tens of milliseconds."""

    def __init__(
        self, problem: Problem, dense_network: bytes, own_network: bytes, read_model: Callable[[], MilpModel]
    ) -> None:
        self.problem = problem
        self._dense = ExactNetwork(parse_onnx(dense_network, "dense network"))
        same = own_network == dense_network
        self._own = self._dense if same else ExactNetwork(parse_onnx(own_network, "own network"))
        self._runtime = OnnxRuntime(dense_network, "dense network")
        self._read_model = read_model
        self._model: MilpModel | None = None

    @classmethod
    def of_instance(cls, library: Library, row: CatalogRow) -> Judge:
        """The judge of one instance of a library, whose files are held against the manifest as they are read: a solver
        that ran before may have altered them. Raises `InputError`."""
        dense, own = (library.read_verified(network_file(name)) for name in (row.dense_network, row.network))
        library.read_verified(row.property)

        def read_model() -> MilpModel:
            library.read_verified(row.model)
            return read_mps(library.model_path(row))

        return cls(read_problem(library.property_path(row)), dense, own, read_model)

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
        reached, excess = self.problem.reach(self._dense, point)
        value = own_value = self.problem.evaluate(self._dense, reached)
        if self._own is not self._dense:
            _, own_value = self._on_own(point)
        if value is None:
            return CandidateJudgement(finite(violation), point, None, own_value, False, Evidence.NONE)
        evidence = Evidence.EXACT if reached is candidate else Evidence.REPAIRED
        raw_violation, confirmed = finite(max(violation, excess)), self.problem.confirms(value)
        return CandidateJudgement(raw_violation, reached, value, own_value, confirmed, evidence)

    def on_own_network(self, candidate: Float64Array) -> tuple[Float64Array, Fraction] | None:
        """The point of the set behind `own_value` of a judgement, and that value; None where there is none."""
        if candidate.shape != self.problem.centre.shape or not np.isfinite(candidate).all():
            return None
        repaired = self.problem.repair(candidate)
        point, value = (None, None) if repaired is None else self._on_own(repaired)
        return None if point is None or value is None else (point, value)

    def _on_own(self, point: Float64Array) -> tuple[Float64Array, Fraction | None]:
        reached, _ = self.problem.reach(self._own, point)
        return reached, self.problem.evaluate(self._own, reached)

    def confirms_as_given(self, candidate: Float64Array) -> bool:
        """Whether the dense network's exact value at a finite candidate, in the set or not, answers the problem."""
        value = self.problem.evaluate(self._dense, candidate)
        return value is not None and self.problem.confirms(value)

    def deploy(self, point: Float64Array) -> DeployedValue:
        """The dense network's value at a point of the set, in float32 by ONNX Runtime."""
        return self.problem.evaluate_deployed(self._runtime, point)

    def outputs(self, point: Float64Array) -> tuple[list[Fraction], Float32Array]:
        """y (n_L,) of the dense network at a point of the set: exactly, and in float32 by ONNX Runtime."""
        return self._dense.outputs(point), self._runtime.run(round_towards(point, self.problem.centre))

    def hold_against_file(self, columns: Float64Array, column_names: Sequence[str]) -> FileCheck:
        """The final incumbent's columns in the file's rows, and their input replayed as it is on the own network."""
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
        replayed = self.problem.replay(self._own, candidate) if np.isfinite(candidate).all() else None
        return FileCheck(finite(file_value), finite(row_violation), finite(replayed))
