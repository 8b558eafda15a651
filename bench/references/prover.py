"""The prover beside the MILP solvers, as a reference of what a method made for the purpose reaches.

A question about a threshold it answers whatever the goal of the run is: it ends with the first input of the set that
answers on the instance's own network, or when its tree shows that there is none. Then the largest bound of the tree's
leaves is a dual bound, rounding included, and the run ends as `bound_reached`: it does not look for the optimum. Where
an optimum is asked for, it reports each better point, and at last the bound that its tree shows. On a surrogate these
are bounds for the surrogate alone, as any solver's are. No proof is kept, so a bound is a claim.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

import numpy as np

from vnnbench.common.numbers import finite
from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.bounds.linear_program import import_solver
from vnnbench.instances.errors import NetworkError, PropertyError
from vnnbench.instances.families import problem_of
from vnnbench.instances.families.closest import ClosestProblem
from vnnbench.instances.families.maximize import MaximizeProblem
from vnnbench.instances.families.over_input_set import OverInputSet
from vnnbench.instances.families.verify import VerifyProblem
from vnnbench.instances.networks.network import Layered
from vnnbench.instances.onnx_files.reader import read_onnx
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.properties.property_file import read_property
from vnnbench.prover.aim import Aim, Decision, Optimum
from vnnbench.prover.distance import find_distance
from vnnbench.prover.prove import CLOSING_SHARE, Outcome, prove
from vnnbench.prover.search import Ending
from vnnbench.references.inputs import NETWORK_NAME, PROPERTY_NAME, import_readers
from vnnbench.references.reference import Reference, stop_reason
from vnnbench.solvers.base import Incumbent, Licence, Listener, SolveRequest, SolveResult, Termination

METHOD = "2"
"""The version of the prover's method and its defaults. It changes when they change."""


class Prover(Reference):
    """The prover as an adapter, without options. A node of a run is a case that the search bounded."""

    name: ClassVar[str] = "prover"
    title: ClassVar[str] = "branch and bound over ReLUs"
    module: ClassVar[str] = "numpy"
    proves: ClassVar[bool] = True
    families: ClassVar[tuple[str, ...]] = (VerifyProblem.family, MaximizeProblem.family, ClosestProblem.family)
    defaults: ClassVar[Mapping[str, int | float]] = {}

    def version(self) -> str:
        import_readers()
        import_solver()
        return f"{METHOD}+numpy-{np.__version__}"

    def licence(self) -> Licence:
        return Licence("MIT, numpy BSD 3")

    def solve(self, request: SolveRequest, listener: Listener) -> SolveResult:
        started = time.monotonic()
        deadline = started + request.time_limit_seconds
        folder = request.model_path.parent
        network, problem = read_onnx(folder / NETWORK_NAME), problem_of(read_property(folder / PROPERTY_NAME))
        listener.on_columns([f"x_{i}" for i in range(problem.input_set.n_inputs)])
        read_seconds = time.monotonic() - started
        run, message = _Run(problem, network, listener, deadline), ""
        try:
            termination = run.termination() or stop_reason(listener, deadline) or Termination.UNRESOLVED
        except (NetworkError, PropertyError) as error:
            termination, message = Termination.ERROR, str(error)
        return SolveResult(
            termination=termination,
            raw_status=run.status,
            primal_bound=run.primal_bound,
            dual_bound=run.dual_bound,
            columns=None,
            nodes=run.n_cases,
            read_seconds=read_seconds,
            wall_seconds=time.monotonic() - started,
            message=message,
        )


class _Run:
    """One run. primal_bound, dual_bound: the last objective that was reported, and the bound of it; objectives are
    minus the problem's values. n_cases: that were bounded; None before the search has ended."""

    def __init__(self, problem: OverInputSet, network: Layered, listener: Listener, deadline: float) -> None:
        self._problem, self._network, self._listener, self._deadline = problem, network, listener, deadline
        self.status = "failed"
        self.primal_bound: float | None = None
        self.dual_bound: float | None = None
        self.n_cases: int | None = None

    def termination(self) -> Termination | None:
        """Search, and return how that ended; None if the question is open. Raises as `prove` does."""
        if isinstance(self._problem, ClosestProblem):
            return self._find_distance()
        return self._decide() if self._problem.threshold is not None else self._maximize()

    def _decide(self) -> Termination | None:
        question = Question.about(self._problem.property)
        aim = Decision(self._problem, self._network, question)
        found = self._prove(question, aim, 1.0)
        if found.ending is Ending.WITNESS and aim.best is not None and aim.value is not None:
            self._tell(aim.best, aim.value)
            return Termination.SOLUTION_FOUND
        return Termination.BOUND_REACHED if self._tell_bound(found.upper) else None

    def _maximize(self) -> Termination | None:
        aim = Optimum(self._problem, self._network, self._tell)
        found = self._prove(Question.about(self._problem.property), aim, 1 - 2 * CLOSING_SHARE)
        if not self._listener.should_stop() and (closed := found.close(self._seconds_left() / 2)) is not None:
            self._tell_bound(closed.upper)
        return Termination.OPTIMAL if found.ending is Ending.EXCLUDED else None

    def _find_distance(self) -> Termination | None:
        found = find_distance(
            self._problem, self._network, self._seconds_left(), self._listener.should_stop, self._tell
        )
        self.status, self.n_cases = "closed" if found.is_closed else "open", found.n_cases
        self._tell_bound(-(found.radius or 0.0))
        if not found.is_closed:
            return None
        return Termination.INFEASIBLE if found.nearest is None else Termination.OPTIMAL

    def _prove(self, question: Question, aim: Aim, share: float) -> Outcome:
        found = prove(
            question, self._network, aim, share * self._seconds_left(), should_stop=self._listener.should_stop
        )
        self.status, self.n_cases = found.ending, found.n_cases
        return found

    def _seconds_left(self) -> float:
        return self._deadline - time.monotonic()

    def _tell(self, point: Float64Array, value: Fraction) -> None:
        """Report a point and its value."""
        rounded = finite(value)
        self.primal_bound = None if rounded is None else -rounded
        objective = float("nan") if rounded is None else -rounded
        self._listener.on_incumbent(Incumbent(objective, array("d", point.tobytes())))

    def _tell_bound(self, upper: float | None) -> bool:
        """Report a number that no value exceeds, if there is one within float64; return whether there is."""
        bound = finite(upper)
        if bound is None:
            return False
        self.dual_bound = -bound
        self._listener.on_dual_bound(-bound)
        return True
