"""The adapter of SCIP, through PySCIPOpt."""

from __future__ import annotations

import re
import tempfile
from array import array
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar

from vnnbench.solvers import vendor
from vnnbench.solvers.base import (
    Licence,
    ModelAsRead,
    OptionValue,
    SolveRequest,
    Termination,
    UnreadableModelError,
)
from vnnbench.solvers.options import HARNESS, MIP_GAP, NODE_LIMIT, SEED, THREADS, TIME_LIMIT
from vnnbench.solvers.package_solver import PackageSolver, VendorError
from vnnbench.solvers.relay import Answer, Relay

_MAX_SEED = 2**31 - 1
_MAX_LP_THREADS = 64


class Scip(PackageSolver):
    """The adapter of SCIP: open source, Apache 2.0 licence.

    Branch and bound is sequential. `threads` is passed to the LP solver only, and SoPlex uses one.
    """

    name: ClassVar[str] = "scip"
    title: ClassVar[str] = "SCIP"
    module: ClassVar[str] = "pyscipopt"
    infinity: ClassVar[float] = 1e20  # SCIP's numerics/infinity
    infinite_bound: ClassVar[float] = 1e20

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
        model = self.package.Model(defaultPlugins=False)
        return f"{model.getMajorVersion()}.{model.getMinorVersion()}.{model.getTechVersion()}"

    def licence(self) -> Licence:
        return Licence("Apache 2.0")

    @contextmanager
    def blank(self) -> Iterator[Any]:
        model = self.package.Model()
        try:
            model.hideOutput()
            yield model
        finally:
            model.free()

    def option_kinds(self, blank: Any) -> dict[str, type]:
        return {name: type(value) for name, value in blank.getParams().items()}

    def refusal(self, blank: Any, name: str, value: OptionValue) -> str | None:
        with tempfile.TemporaryFile() as noise:
            try:
                with vendor.stderr_to(noise):
                    blank.setParam(name, value)
            except (ValueError, OverflowError, TypeError):
                domain = re.search(r"Must be in (.*?)\.?$", _text(noise), re.MULTILINE)
                return f"must be in {domain[1]}" if domain else "outside its domain"
        return None

    def settings(self, request: SolveRequest) -> dict[str, OptionValue | None]:
        return {
            "timing/clocktype": 2,  # wall
            "lp/threads": min(request.threads, _MAX_LP_THREADS),
            "randomization/randomseedshift": request.seed % (_MAX_SEED + 1),
            "limits/gap": request.mip_gap,
            "limits/absgap": 0.0,
            "misc/catchctrlc": False,  # Python's handler raises in our next callback, which stops SCIP
            "limits/totalnodes": request.node_limit,  # unlike limits/nodes, it counts across restarts
        }

    @contextmanager
    def opened(self, path: Path, settings: Mapping[str, OptionValue], log: Path | None) -> Iterator[Any]:
        with ExitStack() as stack:
            model = stack.enter_context(self.blank())
            if log is not None:
                # SCIP's errors go to stderr and nowhere else
                stack.enter_context(vendor.stderr_to(stack.enter_context(log.open("ab"))))
                model.setLogfile(str(log))
            try:
                for name, value in settings.items():
                    model.setParam(name, value)
            except (LookupError, ValueError, OverflowError, TypeError) as error:
                raise VendorError(f"SCIP does not take a parameter: {error}", "unknown") from error
            _read(model, path)
            yield model

    def minimizes(self, model: Any) -> bool:
        return bool(model.getObjectiveSense() == "minimize")

    def column_names(self, model: Any) -> list[str]:
        return [variable.name for variable in model.getVars()]

    def contents(self, model: Any, path: Path) -> ModelAsRead:
        variables, constraints = model.getVars(), model.getConss(False)
        places = {variable.name: place for place, variable in enumerate(variables)}
        entries = []
        for row, constraint in enumerate(constraints):
            kind = constraint.getConshdlrName()
            if kind != "linear":
                raise UnreadableModelError(f"scip: {path} has a constraint of type {kind}; vnnbench files are linear")
            entries += [(row, places[name], value) for name, value in model.getValsLinear(constraint).items()]
        return ModelAsRead(
            minimize=self.minimizes(model),
            offset=model.getObjoffset(),
            column_names=self.column_names(model),
            column_lower=[variable.getLbOriginal() for variable in variables],
            column_upper=[variable.getUbOriginal() for variable in variables],
            column_integer=[variable.vtype() != "CONTINUOUS" for variable in variables],
            objective=[variable.getObj() for variable in variables],
            row_names=[constraint.name for constraint in constraints],
            row_lower=[model.getLhs(constraint) for constraint in constraints],
            row_upper=[model.getRhs(constraint) for constraint in constraints],
            entries=entries,
        )

    def optimize(self, model: Any, seconds: float, relay: Relay) -> Answer:
        model.setParam("limits/time", min(seconds, self.infinity))
        variables = model.getVars()
        handler = _event_handler(self.package, relay, variables)
        model.includeEventhdlr(handler, "vnnbench", "passes on incumbents and dual bounds")
        try:
            model.optimizeNogil()  # without the GIL: another thread may have to receive the request to stop
        except MemoryError:
            raise
        except Exception as error:  # PySCIPOpt raises plain ones; our own code in there is guarded
            raise VendorError(str(error), type(error).__name__) from error
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


def _event_handler(pyscipopt: Any, relay: Relay, variables: list[Any]) -> Any:
    """Return a SCIP event handler that calls the relay. Its class needs PySCIPOpt, so it is made here."""
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
                    # Once a limit or an interrupt has ended the solve, SCIP frees its tree, and the event reports the
                    # bound of the nodes that are left: without any, that is the primal bound, as if it were proven.
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
        except Exception as error:  # PySCIPOpt raises plain ones for some return codes
            first = re.search(r"ERROR: (.*)", _text(noise))
            reason = first[1] if first else str(error)
            raise UnreadableModelError(f"scip cannot read {path}: {reason}") from error


def _text(noise: Any) -> str:
    noise.seek(0)
    return str(noise.read().decode(errors="replace"))
