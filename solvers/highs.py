"""HiGHS through highspy."""

from __future__ import annotations

import gzip
import math
import zlib
from array import array
from collections.abc import Callable, Mapping
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
_INFINITY = 1e20  # HiGHS's infinite_bound and infinite_cost


class Highs(Solver):
    """HiGHS: open source, MIT licence."""

    name: ClassVar[str] = "highs"
    title: ClassVar[str] = "HiGHS"
    module: ClassVar[str] = "highspy"

    #: HighsModelStatus by name
    statuses: ClassVar[Mapping[str, Termination]] = {
        "kNotset": Termination.ERROR,
        "kLoadError": Termination.ERROR,
        "kModelError": Termination.ERROR,
        "kPresolveError": Termination.ERROR,
        "kSolveError": Termination.ERROR,
        "kPostsolveError": Termination.ERROR,
        "kModelEmpty": Termination.OPTIMAL,  # neither rows nor columns: the offset is the optimum
        "kOptimal": Termination.OPTIMAL,
        "kInfeasible": Termination.INFEASIBLE,
        "kUnboundedOrInfeasible": Termination.INFEASIBLE_OR_UNBOUNDED,
        "kUnbounded": Termination.UNBOUNDED,
        "kObjectiveBound": Termination.BOUND_REACHED,
        "kObjectiveTarget": Termination.BOUND_REACHED,
        "kTimeLimit": Termination.TIME_LIMIT,
        "kIterationLimit": Termination.UNRESOLVED,
        "kUnknown": Termination.UNRESOLVED,
        "kSolutionLimit": Termination.SOLUTION_FOUND,  # or a limit on nodes: see `_termination`
        "kInterrupt": Termination.INTERRUPTED,
        "kMemoryLimit": Termination.MEMORY_LIMIT,
        "kHighsInterrupt": Termination.INTERRUPTED,
    }

    owned: ClassVar[Mapping[str, str]] = {
        "time_limit": TIME_LIMIT,
        "threads": THREADS,
        "random_seed": SEED,
        "mip_rel_gap": MIP_GAP,
        "mip_abs_gap": MIP_GAP,
        "mip_max_nodes": NODE_LIMIT,
        "output_flag": HARNESS,
        "log_to_console": HARNESS,
        "log_file": HARNESS,
        "infinite_bound": HARNESS,
        "infinite_cost": HARNESS,
    }

    def version(self) -> str:
        return str(vendor.load(self).Highs().version())

    def licence(self) -> Licence:
        return Licence("MIT")

    def validate_options(self, options: Mapping[str, str]) -> dict[str, OptionValue]:
        highspy = vendor.load(self)
        highs = _silent(highspy)
        kinds = {
            highspy.HighsOptionType.kBool: bool,
            highspy.HighsOptionType.kInt: int,
            highspy.HighsOptionType.kDouble: float,
            highspy.HighsOptionType.kString: str,
        }

        def refusal(name: str, value: OptionValue) -> str | None:
            try:
                taken = highs.setOptionValue(name, value) == highspy.HighsStatus.kOk
            except (TypeError, ValueError, OverflowError):  # an integer beyond 32 bits
                taken = False
            return (
                None
                if taken
                else "outside its domain, see https://ergo-code.github.io/HiGHS/stable/options/definitions/"
            )

        return typed_options(
            self.name,
            options,
            names=[name for name in dir(highs.getOptions()) if not name.startswith("_")],
            owned=self.owned,
            kind=lambda name: kinds[highs.getOptionType(name)[1]],
            refusal=refusal,
        )

    def read_model(self, path: Path) -> ModelAsRead:
        highspy = vendor.load(self)
        highs = _silent(highspy)
        _read(highspy, highs, path)
        lp = highs.getLp()
        matrix = lp.a_matrix_
        outer, inner, values = list(matrix.start_), list(matrix.index_), list(matrix.value_)
        columnwise = matrix.format_ == highspy.MatrixFormat.kColwise
        entries = []
        for major in range(len(outer) - 1):
            for place in range(outer[major], outer[major + 1]):
                row, column = (inner[place], major) if columnwise else (major, inner[place])
                entries.append((int(row), int(column), float(values[place])))
        continuous = highspy.HighsVarType.kContinuous
        return ModelAsRead(
            minimize=lp.sense_ == highspy.ObjSense.kMinimize,
            offset=float(lp.offset_),
            column_names=list(lp.col_names_),
            column_lower=[_bound(value) for value in lp.col_lower_],
            column_upper=[_bound(value) for value in lp.col_upper_],
            # an LP has no list of integralities at all
            column_integer=[kind != continuous for kind in lp.integrality_] or [False] * lp.num_col_,
            objective=[float(value) for value in lp.col_cost_],
            row_names=list(lp.row_names_),
            row_lower=[_bound(value) for value in lp.row_lower_],
            row_upper=[_bound(value) for value in lp.row_upper_],
            entries=entries,
        )

    def solve(self, request: SolveRequest, listener: Listener) -> SolveResult:
        highspy = vendor.load(self)
        relay = Relay(listener, infinity=_INFINITY)
        highs = _silent(highspy)
        try:
            _set(highspy, highs, _settings(request))
            _read(highspy, highs, request.model_path)
            lp = highs.getLp()
            if lp.sense_ != highspy.ObjSense.kMinimize:
                raise UnreadableModelError(f"highs: {request.model_path} maximizes; vnnbench files minimize")
            is_mip = any(kind != highspy.HighsVarType.kContinuous for kind in lp.integrality_)
            relay.model_read(list(lp.col_names_))
            _set(highspy, highs, {"time_limit": relay.seconds_left(request.time_limit_seconds)})
            improvements = _listen(highspy, highs, relay)
            # the scheduler is one per process and keeps the number of threads it was first started with
            highspy.Highs.resetGlobalScheduler(True)
            highs.run()
            answer = self._answer(highspy, highs, is_mip, improvements())
        except MemoryError as error:
            answer = Answer(Termination.MEMORY_LIMIT, "MemoryError", message=str(error) or "out of memory")
        except _HighsError as error:
            answer = Answer(Termination.ERROR, "kError", message=str(error))
        finally:
            highs.setOptionValue("log_file", "")  # closes it
        return relay.result(answer)

    def _answer(self, highspy: Any, highs: Any, is_mip: bool, improvements: int) -> Answer:
        status = highs.getModelStatus()
        info = highs.getInfo()
        termination = self._termination(highs, status.name, improvements)
        solution = highs.getSolution()
        # an interrupted LP leaves an infeasible point behind, which is no incumbent
        feasible = (
            info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible and solution.value_valid
        )
        objective = float(info.objective_function_value) if feasible else None
        dual_bound = objective if termination is Termination.OPTIMAL else None
        if is_mip:  # for an LP, HiGHS leaves this at a meaningless 0
            dual_bound = float(info.mip_dual_bound)
        return Answer(
            termination=termination,
            raw_status=status.name,
            objective=objective,
            columns=array("d", solution.col_value) if feasible else None,
            dual_bound=dual_bound,
            nodes=int(info.mip_node_count) if info.mip_node_count >= 0 else None,
            message=highs.modelStatusToString(status) if termination is Termination.ERROR else "",
        )

    def _termination(self, highs: Any, raw_status: str, improvements: int) -> Termination:
        """HiGHS says kSolutionLimit for limits on solutions and for those on nodes, leaves and stalling alike."""
        if raw_status == "kSolutionLimit" and improvements < highs.getOptionValue("mip_max_improving_sols")[1]:
            return Termination.NODE_LIMIT
        return self.statuses[raw_status]


class _HighsError(Exception):
    """HiGHS refused a call."""


def _silent(highspy: Any) -> Any:
    """A HiGHS object that prints nothing."""
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("log_to_console", False)
    return highs


def _settings(request: SolveRequest) -> dict[str, OptionValue]:
    settings: dict[str, OptionValue] = {
        "log_file": str(request.log_path),
        "output_flag": True,
        "threads": request.threads,
        "random_seed": request.seed % (_MAX_SEED + 1),
        "mip_rel_gap": request.mip_gap,
        "mip_abs_gap": 0.0,
    }
    if request.node_limit is not None:
        settings["mip_max_nodes"] = request.node_limit
    return {**settings, **request.options}


def _set(highspy: Any, highs: Any, settings: Mapping[str, OptionValue]) -> None:
    for name, value in settings.items():
        try:
            taken = highs.setOptionValue(name, value) == highspy.HighsStatus.kOk
        except (TypeError, ValueError, OverflowError):
            taken = False
        if not taken:
            raise _HighsError(f"HiGHS does not take {name} = {value!r}")


def _read(highspy: Any, highs: Any, path: Path) -> None:
    """Read a model file; a cut-off gzip file, too, is an error here (HiGHS takes what is there for the whole)."""
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as stream:
                while stream.read(1 << 20):
                    pass
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableModelError(f"highs cannot read {path}: {error}") from error
    if highs.readModel(str(path)) == highspy.HighsStatus.kError:
        reason = "not a complete MPS file" if path.exists() else "there is no such file"
        raise UnreadableModelError(f"highs cannot read {path}: {reason}")


def _listen(highspy: Any, highs: Any, relay: Relay) -> Callable[[], int]:
    """Have HiGHS call the relay; returns a counter of the improving solutions so far."""
    kinds = highspy.cb.HighsCallbackType
    improving, mip_interrupt = int(kinds.kCallbackMipImprovingSolution), int(kinds.kCallbackMipInterrupt)
    solutions = {int(kinds.kCallbackMipSolution), improving}
    bounds = {int(kinds.kCallbackMipLogging), mip_interrupt}
    interrupts = {mip_interrupt, int(kinds.kCallbackSimplexInterrupt), int(kinds.kCallbackIpmInterrupt)}
    improvements = 0

    def callback(kind: int, _message: str, data: Any, reply: Any, _user: object) -> None:
        nonlocal improvements
        with relay.guard():
            kind = int(kind)
            if kind in solutions:
                improvements += kind == improving
                relay.incumbent(float(data.objective_function_value), lambda: data.mip_solution)
            if kind in solutions or kind in bounds:  # the others leave the bound at a meaningless 0
                relay.dual_bound(float(data.mip_dual_bound))
        if kind in interrupts:
            reply.user_interrupt = relay.stop()

    highs.setCallback(callback, None)
    for kind in sorted(solutions | bounds | interrupts):
        highs.startCallbackInt(kind)
    return lambda: improvements


def _bound(value: float) -> float:
    return math.copysign(math.inf, value) if abs(value) >= _INFINITY else float(value)
