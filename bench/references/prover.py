"""The prover beside the MILP solvers, as a reference of what a method made for the purpose reaches.

It answers the question of the problem, whatever the goal of the run is: it ends with the first input of the set that
answers on the instance's own network, or when its tree shows that there is none. Then the largest bound of the tree's
leaves is a dual bound, rounding included, and the run ends as `bound_reached`: it does not look for the optimum. On a
surrogate this is a bound for the surrogate alone, as any solver's is. No proof is kept, so the bound is a claim.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from vnnbench.common.numbers import finite
from vnnbench.instances.errors import NetworkError, PropertyError
from vnnbench.instances.families.verify import VerifyProblem
from vnnbench.instances.onnx_files.reader import read_onnx
from vnnbench.instances.proofs.question import Question
from vnnbench.instances.properties.property_file import read_property
from vnnbench.prover.prove import Outcome, prove
from vnnbench.prover.search import Ending
from vnnbench.prover.witness import Witnesses
from vnnbench.references.inputs import NETWORK_NAME, PROPERTY_NAME, import_readers
from vnnbench.references.reference import Reference, stop_reason
from vnnbench.solvers.base import Incumbent, Licence, Listener, SolveRequest, SolveResult, Termination

METHOD = "1"
"""The version of the prover's method and its defaults. It changes when they change."""


class Prover(Reference):
    """The prover as an adapter, without options. A node of a run is a case that the search bounded."""

    name: ClassVar[str] = "prover"
    title: ClassVar[str] = "branch and bound over ReLUs"
    module: ClassVar[str] = "numpy"
    proves: ClassVar[bool] = True
    families: ClassVar[tuple[str, ...]] = (VerifyProblem.family,)
    defaults: ClassVar[Mapping[str, int | float]] = {}

    def version(self) -> str:
        import_readers()
        return f"{METHOD}+numpy-{np.__version__}"

    def licence(self) -> Licence:
        return Licence("MIT, numpy BSD 3")

    def solve(self, request: SolveRequest, listener: Listener) -> SolveResult:
        started = time.monotonic()
        deadline = started + request.time_limit_seconds
        folder = request.model_path.parent
        network, prop = read_onnx(folder / NETWORK_NAME), read_property(folder / PROPERTY_NAME)
        witnesses, question = Witnesses(prop, network), Question.about(prop)
        listener.on_columns([f"x_{i}" for i in range(prop.input_set.n_inputs)])
        read_seconds = time.monotonic() - started
        found, message = None, ""
        try:
            found = prove(question, network, witnesses, deadline - time.monotonic(), should_stop=listener.should_stop)
        except (NetworkError, PropertyError) as error:
            message = str(error)
        primal_bound, dual_bound = (None, None) if found is None else _reported(found, witnesses, listener)
        return SolveResult(
            termination=_termination(found, listener, deadline),
            raw_status="failed" if found is None else found.ending,
            primal_bound=primal_bound,
            dual_bound=dual_bound,
            columns=None,
            nodes=None if found is None else found.n_cases,
            read_seconds=read_seconds,
            wall_seconds=time.monotonic() - started,
            message=message,
        )


def _reported(found: Outcome, witnesses: Witnesses, listener: Listener) -> tuple[float | None, float | None]:
    """Report what was found; return the objective of the witness and the bound of the tree, None without one."""
    if found.witness is not None:
        value = finite(witnesses.value(found.witness))
        objective = float("nan") if value is None else -value
        listener.on_incumbent(Incumbent(objective, array("d", found.witness.tobytes())))
        return None if value is None else -value, None
    bound = finite(found.bound) if found.ending is Ending.EXCLUDED else None
    if bound is None:
        return None, None
    listener.on_dual_bound(-bound)
    return None, -bound


def _termination(found: Outcome | None, listener: Listener, deadline: float) -> Termination:
    if found is None:
        return Termination.ERROR
    if found.ending is Ending.EXCLUDED:
        return Termination.BOUND_REACHED
    if found.ending is Ending.WITNESS:
        return Termination.SOLUTION_FOUND
    return stop_reason(listener, deadline) or Termination.UNRESOLVED
