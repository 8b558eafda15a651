"""The adapter of Gurobi, through gurobipy."""

from __future__ import annotations

import math
import re
import tempfile
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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

_MAX_SEED = 2_000_000_000
_RESTRICTED_SIZE = 2000  # linear rows, and columns, under the licence that comes with the pip package


class Gurobi(PackageSolver):
    """The adapter of Gurobi, which is commercial; the pip package brings a licence for small models."""

    name: ClassVar[str] = "gurobi"
    title: ClassVar[str] = "Gurobi"
    module: ClassVar[str] = "gurobipy"
    infinity: ClassVar[float] = 1e100  # GRB.INFINITY
    infinite_bound: ClassVar[float] = 1e20

    #: GRB.Status by name
    statuses: ClassVar[Mapping[str, Termination]] = {
        "LOADED": Termination.UNRESOLVED,
        "OPTIMAL": Termination.OPTIMAL,
        "INFEASIBLE": Termination.INFEASIBLE,
        "INF_OR_UNBD": Termination.INFEASIBLE_OR_UNBOUNDED,
        "UNBOUNDED": Termination.UNBOUNDED,
        "CUTOFF": Termination.BOUND_REACHED,
        "ITERATION_LIMIT": Termination.UNRESOLVED,
        "NODE_LIMIT": Termination.NODE_LIMIT,
        "TIME_LIMIT": Termination.TIME_LIMIT,
        "SOLUTION_LIMIT": Termination.SOLUTION_FOUND,
        "INTERRUPTED": Termination.INTERRUPTED,
        "NUMERIC": Termination.ERROR,  # HiGHS and SCIP, too, report numerical failure as an error of their LP solvers
        "SUBOPTIMAL": Termination.UNRESOLVED,
        "INPROGRESS": Termination.ERROR,
        "USER_OBJ_LIMIT": Termination.BOUND_REACHED,
        "WORK_LIMIT": Termination.UNRESOLVED,  # work is deterministic, not time
        "MEM_LIMIT": Termination.MEMORY_LIMIT,
        "LOCALLY_OPTIMAL": Termination.UNRESOLVED,  # a local optimum proves nothing
        "LOCALLY_INFEASIBLE": Termination.UNRESOLVED,
    }

    #: GRB.Error by name, of those that are not `error`: without a usable licence Gurobi has not seen the model
    error_terminations: ClassVar[Mapping[str, Termination]] = {
        "NO_LICENSE": Termination.LICENSE_LIMIT,
        "SIZE_LIMIT_EXCEEDED": Termination.LICENSE_LIMIT,
        "NETWORK": Termination.LICENSE_LIMIT,
        "JOB_REJECTED": Termination.LICENSE_LIMIT,
        "CLOUD": Termination.LICENSE_LIMIT,
        "CSWORKER": Termination.LICENSE_LIMIT,
        "OUT_OF_MEMORY": Termination.MEMORY_LIMIT,
    }

    owned: ClassVar[Mapping[str, str]] = {
        "TimeLimit": TIME_LIMIT,
        "Threads": THREADS,
        "Seed": SEED,
        "MIPGap": MIP_GAP,
        "MIPGapAbs": MIP_GAP,
        "NodeLimit": NODE_LIMIT,
        "OutputFlag": HARNESS,
        "LogToConsole": HARNESS,
        "LogFile": HARNESS,
    }

    def version(self) -> str:
        return ".".join(str(part) for part in self.package.gurobi.version())

    def licence(self) -> Licence:
        """Return the licence as Gurobi prints it when an environment starts; it is not in any attribute."""
        gurobipy = self.package
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder, "licence.log")
            try:
                with self.blank() as environment:
                    environment.setParam("LogFile", str(log))
                    environment.start()
            except gurobipy.GurobiError as error:
                return Licence(f"none usable: {_line(error)}")
            text = log.read_text(errors="replace")
        expires = re.search(r"expires (\S+)", text)
        until = f", expires {expires[1]}" if expires else ""
        if re.search(r"^Restricted license", text, re.MULTILINE):
            return Licence(f"size-limited{until}", max_columns=_RESTRICTED_SIZE, max_rows=_RESTRICTED_SIZE)
        kind = re.search(r"^(.*licen[sc]e.*?)(?: - .*)?$", text, re.MULTILINE | re.IGNORECASE)
        return Licence(f"{kind[1].strip() if kind else 'full'}{until}")

    @contextmanager
    def blank(self) -> Iterator[Any]:
        """Make an environment and do not start it: it knows all parameters, and needs no licence. At the end dispose of
        it, which returns a floating licence."""
        environment = self.package.Env(empty=True)
        try:
            environment.setParam("LogToConsole", 0)  # first, so that nothing after it is printed
            yield environment
        finally:
            environment.dispose()

    def option_kinds(self, blank: Any) -> dict[str, type]:
        names = [name for name in dir(self.package.GRB.Param) if not name.startswith("_")]
        return {name: type(blank.getParam(name)) for name in names}

    def refusal(self, blank: Any, name: str, value: OptionValue) -> str | None:
        try:
            blank.setParam(name, value)
        except (self.package.GurobiError, OverflowError, TypeError) as error:
            return _line(error)
        return None

    def settings(self, request: SolveRequest) -> dict[str, OptionValue | None]:
        return {
            "Threads": request.threads,
            "Seed": request.seed % (_MAX_SEED + 1),
            "MIPGap": request.mip_gap,
            "MIPGapAbs": 0.0,
            "NodeLimit": request.node_limit,
        }

    @contextmanager
    def opened(self, path: Path, settings: Mapping[str, OptionValue], log: Path | None) -> Iterator[Any]:
        gurobipy = self.package
        output: dict[str, OptionValue] = {"OutputFlag": 0} if log is None else {"LogFile": str(log)}
        try:
            with self.blank() as environment:
                for name, value in {**output, **settings}.items():
                    environment.setParam(name, value)
                environment.start()
                with _read(gurobipy, environment, path) as model:
                    yield model
        except gurobipy.GurobiError as error:
            name = _names(gurobipy.GRB.Error).get(error.errno, "GurobiError")
            termination = self.error_terminations.get(name, Termination.ERROR)
            raise VendorError(_line(error), name, termination) from error

    def minimizes(self, model: Any) -> bool:
        return bool(model.ModelSense == self.package.GRB.MINIMIZE)

    def column_names(self, model: Any) -> list[str]:
        return list(model.getAttr("VarName"))

    def contents(self, model: Any, path: Path) -> ModelAsRead:
        matrix = model.getA().tocoo()
        sense, right = model.getAttr("Sense"), model.getAttr("RHS")
        return ModelAsRead(
            minimize=self.minimizes(model),
            offset=model.ObjCon,
            column_names=self.column_names(model),
            column_lower=model.getAttr("LB"),
            column_upper=model.getAttr("UB"),
            column_integer=[kind != self.package.GRB.CONTINUOUS for kind in model.getAttr("VType")],
            objective=model.getAttr("Obj"),
            row_names=model.getAttr("ConstrName"),
            row_lower=[-math.inf if kind == "<" else value for kind, value in zip(sense, right, strict=True)],
            row_upper=[math.inf if kind == ">" else value for kind, value in zip(sense, right, strict=True)],
            entries=list(zip(matrix.row.tolist(), matrix.col.tolist(), matrix.data.tolist(), strict=True)),
        )

    def optimize(self, model: Any, seconds: float, relay: Relay) -> Answer:
        gurobipy = self.package
        model.Params.TimeLimit = seconds
        model.optimize(_callback(gurobipy, model.getVars(), relay))
        status = _names(gurobipy.GRB.Status)[model.Status]
        termination = self.statuses[status]
        # an LP that was cut short leaves a point behind that need not be feasible
        has_solution = model.SolCount > 0 and (bool(model.IsMIP) or termination is Termination.OPTIMAL)
        return Answer(
            termination=termination,
            raw_status=status,
            objective=_attribute(gurobipy, model, "ObjVal") if has_solution else None,
            columns=array("d", model.getAttr("X")) if has_solution else None,
            dual_bound=_attribute(gurobipy, model, "ObjBound"),
            nodes=int(model.NodeCount) if model.IsMIP else None,
            message="Gurobi stopped because of numerical difficulties" if status == "NUMERIC" else "",
        )


@contextmanager
def _read(gurobipy: Any, environment: Any, path: Path) -> Iterator[Any]:
    try:
        # Gurobi unpacks through the program gzip, whose complaints go to stderr
        with tempfile.TemporaryFile() as noise, vendor.stderr_to(noise):
            model = gurobipy.read(str(path), env=environment)
    except gurobipy.GurobiError as error:
        raise UnreadableModelError(f"gurobi cannot read {path}: {_line(error)}") from error
    try:
        yield model
    finally:
        model.dispose()


def _callback(gurobipy: Any, variables: list[Any], relay: Relay) -> Callable[[Any, int], None]:
    where = gurobipy.GRB.Callback

    def callback(model: Any, place: int) -> None:
        with relay.guard():
            if place == where.MIPSOL:
                relay.incumbent(model.cbGet(where.MIPSOL_OBJ), lambda: model.cbGetSolution(variables))
                relay.dual_bound(model.cbGet(where.MIPSOL_OBJBND))
            elif place == where.MIP:
                relay.dual_bound(model.cbGet(where.MIP_OBJBND))
        if relay.stop():
            model.terminate()

    return callback


def _attribute(gurobipy: Any, model: Any, name: str) -> float | None:
    """Return an attribute that exists for some outcomes only, else None."""
    try:
        return float(model.getAttr(name))
    except (gurobipy.GurobiError, AttributeError):
        return None


def _names(constants: Any) -> dict[int, str]:
    return {getattr(constants, name): name for name in dir(constants) if not name.startswith("_")}


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
