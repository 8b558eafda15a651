"""SCIP through PySCIPOpt."""

from __future__ import annotations

import math
import re
import tempfile
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from vnnbench.solvers import vendor
from vnnbench.solvers.base import (
    Licence,
    Listener,
    ModelAsRead,
    OptionValue,
    Solver,
    SolveRequest,
    SolveResult,
    Termination,
    UnreadableModelError,
)
from vnnbench.solvers.options import HARNESS, MIP_GAP, NODE_LIMIT, SEED, THREADS, TIME_LIMIT, typed_options
from vnnbench.solvers.relay import Answer, Relay

_MAX_SEED = 2**31 - 1
_MAX_LP_THREADS = 64
_INFINITY = 1e20  # SCIP's numerics/infinity


class Scip(Solver):
    """SCIP: open source, Apache 2.0 licence.

    Branch and bound is sequential: `threads` is only handed on to the LP solver, and SoPlex uses one.
    """

    name: ClassVar[str] = "scip"
    title: ClassVar[str] = "SCIP"
    module: ClassVar[str] = "pyscipopt"

    #: SCIP_STATUS by the names that PySCIPOpt gives them
    statuses: ClassVar[Mapping[str, Termination]] = {
        "unknown": Termination.UNRESOLVED,
        "userinterrupt": Termination.INTERRUPTED,
        "nodelimit": Termination.NODE_LIMIT,
        "totalnodelimit": Termination.NODE_LIMIT,
        "stallnodelimit": Termination.NODE_LIMIT,
        "timelimit": Termination.TIME_LIMIT,
        "memlimit": Termination.MEMORY_LIMIT,
        "gaplimit": Termination.OPTIMAL,  # only with a gap asked for, and then within it, as with the other solvers
        "sollimit": Termination.SOLUTION_FOUND,
        "bestsollimit": Termination.SOLUTION_FOUND,
        "restartlimit": Termination.UNRESOLVED,
        "primallimit": Termination.BOUND_REACHED,
        "duallimit": Termination.BOUND_REACHED,
        "optimal": Termination.OPTIMAL,
        "infeasible": Termination.INFEASIBLE,
        "unbounded": Termination.UNBOUNDED,
        "inforunbd": Termination.INFEASIBLE_OR_UNBOUNDED,
    }

    owned: ClassVar[Mapping[str, str]] = {
        "limits/time": TIME_LIMIT,
        "timing/clocktype": HARNESS,
        "timing/enabled": HARNESS,
        "timing/reading": HARNESS,
        "lp/threads": THREADS,
        "parallel/minnthreads": THREADS,
        "parallel/maxnthreads": THREADS,
        "randomization/randomseedshift": SEED,
        "limits/gap": MIP_GAP,
        "limits/absgap": MIP_GAP,
        "limits/nodes": NODE_LIMIT,
        "limits/totalnodes": NODE_LIMIT,
        "misc/catchctrlc": HARNESS,
        "numerics/infinity": HARNESS,
    }

    def version(self) -> str:
        model = vendor.load(self).Model(defaultPlugins=False)
        return f"{model.getMajorVersion()}.{model.getMinorVersion()}.{model.getTechVersion()}"

    def licence(self) -> Licence:
        return Licence("Apache 2.0")

    def validate_options(self, options: Mapping[str, str]) -> dict[str, OptionValue]:
        model = vendor.load(self).Model()
        defaults: dict[str, OptionValue] = model.getParams()

        def refusal(name: str, value: OptionValue) -> str | None:
            with tempfile.TemporaryFile() as noise:
                try:
                    with vendor.stderr_to(noise):
                        model.setParam(name, value)
                except (ValueError, OverflowError, TypeError):
                    domain = re.search(r"Must be in (.*?)\.?$", _text(noise), re.MULTILINE)
                    return f"must be in {domain[1]}" if domain else "outside its domain"
            return None

        try:
            return typed_options(
                self.name,
                options,
                names=defaults.keys(),
                owned=self.owned,
                kind=lambda name: type(defaults[name]),
                refusal=refusal,
            )
        finally:
            model.free()

    def read_model(self, path: Path) -> ModelAsRead:
        model = vendor.load(self).Model()
        model.hideOutput()
        try:
            _read(model, path)
            return _as_read(model, path)
        finally:
            model.free()

    def solve(self, request: SolveRequest, listener: Listener) -> SolveResult:
        pyscipopt = vendor.load(self)
        relay = Relay(listener, infinity=_INFINITY)
        model = pyscipopt.Model()
        model.hideOutput()
        try:
            # SCIP's errors go to stderr and nowhere else
            with request.log_path.open("ab") as log, vendor.stderr_to(log):
                answer = self._solve(pyscipopt, model, request, relay)
        finally:
            model.free()
        return relay.result(answer)

    def _solve(self, pyscipopt: Any, model: Any, request: SolveRequest, relay: Relay) -> Answer:
        model.setLogfile(str(request.log_path))
        try:
            for name, value in _settings(request).items():
                model.setParam(name, value)
        except (KeyError, LookupError, ValueError, OverflowError, TypeError) as error:
            return Answer(Termination.ERROR, "unknown", message=f"SCIP does not take a parameter: {error}")
        _read(model, request.model_path)
        if model.getObjectiveSense() != "minimize":
            raise UnreadableModelError(f"scip: {request.model_path} maximizes; vnnbench files minimize")
        variables = model.getVars()
        relay.model_read([variable.name for variable in variables])
        model.setParam("limits/time", min(relay.seconds_left(request.time_limit_seconds), _INFINITY))
        handler = _event_handler(pyscipopt, relay, variables)
        model.includeEventhdlr(handler, "vnnbench", "passes on incumbents and dual bounds")
        try:
            model.optimizeNogil()  # other threads of the process must go on: one of them may bring the order to stop
        except MemoryError as error:
            return Answer(Termination.MEMORY_LIMIT, "MemoryError", message=str(error))
        except Exception as error:  # PySCIPOpt raises bare ones; nothing of ours runs in there unguarded
            return Answer(Termination.ERROR, type(error).__name__, message=str(error))
        return self._answer(model, variables)

    def _answer(self, model: Any, variables: list[Any]) -> Answer:
        status = model.getStatus()
        solution = model.getBestSol() if model.getNSols() > 0 else None
        return Answer(
            termination=self.statuses[status],
            raw_status=status,
            objective=float(model.getSolObjVal(solution)) if solution is not None else None,
            columns=_values(model, solution, variables) if solution is not None else None,
            dual_bound=float(model.getDualbound()),
            nodes=int(model.getNTotalNodes()),
        )


def _settings(request: SolveRequest) -> dict[str, OptionValue]:
    settings: dict[str, OptionValue] = {
        "timing/clocktype": 2,  # wall
        "lp/threads": min(request.threads, _MAX_LP_THREADS),
        "randomization/randomseedshift": request.seed % (_MAX_SEED + 1),
        "limits/gap": request.mip_gap,
        "limits/absgap": 0.0,
        "misc/catchctrlc": False,  # Python's handler raises in our next callback, which stops SCIP
    }
    if request.node_limit is not None:
        settings["limits/totalnodes"] = request.node_limit  # restarts do not set this one back, unlike limits/nodes
    return {**settings, **request.options}


def _event_handler(pyscipopt: Any, relay: Relay, variables: list[Any]) -> Any:
    """A SCIP event handler that feeds the relay. Its class can only be made once PySCIPOpt is there."""
    events = pyscipopt.SCIP_EVENTTYPE
    polled = (events.PRESOLVEROUND, events.NODEFOCUSED, events.FIRSTLPSOLVED, events.LPSOLVED)

    class RelayEvents(pyscipopt.Eventhdlr):  # type: ignore[misc]
        def eventinit(self) -> None:
            for event_type in (events.BESTSOLFOUND, events.DUALBOUNDIMPROVED, *polled):
                self.model.catchEvent(event_type, self)

        def eventexec(self, event: Any) -> None:
            model = self.model
            with relay.guard():
                event_type = event.getType()
                if event_type == events.BESTSOLFOUND:
                    solution = model.getBestSol()
                    objective = float(model.getSolObjVal(solution))
                    relay.incumbent(objective, lambda: _values(model, solution, variables))
                elif event_type == events.DUALBOUNDIMPROVED and model.getStatus() == "unknown":
                    # Once a limit or an interrupt has ended the solve, SCIP takes its tree apart, and the event tells
                    # the bound of what is left of it: with no node left that is the primal bound, as if it were proven.
                    relay.dual_bound(float(model.getDualbound()))
            if relay.stop():
                model.interruptSolve()

    return RelayEvents()


def _values(model: Any, solution: Any, variables: list[Any]) -> array[float]:
    return array("d", [model.getSolVal(solution, variable) for variable in variables])


def _read(model: Any, path: Path) -> None:
    with tempfile.TemporaryFile() as noise:
        try:
            with vendor.stderr_to(noise):
                model.readProblem(str(path))
        except Exception as error:  # PySCIPOpt raises bare ones for some return codes
            first = re.search(r"ERROR: (.*)", _text(noise))
            reason = first[1] if first else str(error)
            raise UnreadableModelError(f"scip cannot read {path}: {reason}") from error


def _text(noise: Any) -> str:
    noise.seek(0)
    return str(noise.read().decode(errors="replace"))


def _as_read(model: Any, path: Path) -> ModelAsRead:
    variables = model.getVars()
    constraints = model.getConss(False)
    places = {variable.name: place for place, variable in enumerate(variables)}
    entries = []
    for row, constraint in enumerate(constraints):
        kind = constraint.getConshdlrName()
        if kind != "linear":
            raise UnreadableModelError(f"scip: {path} has a constraint of type {kind}; vnnbench files are linear")
        entries += [(row, places[name], value) for name, value in model.getValsLinear(constraint).items()]
    return ModelAsRead(
        minimize=model.getObjectiveSense() == "minimize",
        offset=float(model.getObjoffset()),
        column_names=[variable.name for variable in variables],
        column_lower=[_bound(variable.getLbOriginal()) for variable in variables],
        column_upper=[_bound(variable.getUbOriginal()) for variable in variables],
        column_integer=[variable.vtype() != "CONTINUOUS" for variable in variables],
        objective=[float(variable.getObj()) for variable in variables],
        row_names=[constraint.name for constraint in constraints],
        row_lower=[_bound(model.getLhs(constraint)) for constraint in constraints],
        row_upper=[_bound(model.getRhs(constraint)) for constraint in constraints],
        entries=entries,
    )


def _bound(value: float) -> float:
    return math.copysign(math.inf, value) if abs(value) >= _INFINITY else float(value)
