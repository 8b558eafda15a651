"""The adapter of HiGHS, through highspy."""

from __future__ import annotations

import gzip
import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

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
_DOMAINS = "https://ergo-code.github.io/HiGHS/stable/options/definitions/"


class Highs(PackageSolver):
    """The adapter of HiGHS: open source, MIT licence."""

    name: ClassVar[str] = "highs"
    title: ClassVar[str] = "HiGHS"
    module: ClassVar[str] = "highspy"
    infinity: ClassVar[float] = 1e20  # HiGHS's infinite_cost
    infinite_bound: ClassVar[float] = 1e20  # and its infinite_bound

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
        return str(self.package.Highs().version())

    def licence(self) -> Licence:
        return Licence("MIT")

    @contextmanager
    def blank(self) -> Iterator[Any]:
        highs = self.package.Highs()
        highs.setOptionValue("output_flag", False)
        highs.setOptionValue("log_to_console", False)
        try:
            yield highs
        finally:
            highs.setOptionValue("log_file", "")  # closes it

    def option_kinds(self, blank: Any) -> dict[str, type]:
        names = [name for name in dir(blank.getOptions()) if not name.startswith("_")]
        return {name: type(blank.getOptionValue(name)[1]) for name in names}

    def refusal(self, blank: Any, name: str, value: OptionValue) -> str | None:
        try:
            taken = blank.setOptionValue(name, value) == self.package.HighsStatus.kOk
        except (TypeError, ValueError, OverflowError):  # an integer beyond 32 bits
            taken = False
        return None if taken else f"outside its domain, see {_DOMAINS}"

    def settings(self, request: SolveRequest) -> dict[str, OptionValue | None]:
        return {
            "threads": request.threads,
            "random_seed": request.seed % (_MAX_SEED + 1),
            "mip_rel_gap": request.mip_gap,
            "mip_abs_gap": 0.0,
            "mip_max_nodes": request.node_limit,
        }

    @contextmanager
    def opened(self, path: Path, settings: Mapping[str, OptionValue], log: Path | None) -> Iterator[Any]:
        with self.blank() as highs:
            if log is not None:
                self._set(highs, {"log_file": str(log), "output_flag": True})
            self._set(highs, settings)
            self._read(highs, path)
            yield highs

    def _set(self, highs: Any, settings: Mapping[str, OptionValue]) -> None:
        for name, value in settings.items():
            if self.refusal(highs, name, value) is not None:
                raise VendorError(f"HiGHS does not take {name} = {value!r}", "kError")

    def _read(self, highs: Any, path: Path) -> None:
        """Read a model file. A gzip file that is cut off is an error, too: HiGHS would read the part that is there."""
        try:
            if path.suffix == ".gz":
                with gzip.open(path) as stream:
                    while stream.read(1 << 20):
                        pass
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableModelError(f"highs cannot read {path}: {error}") from error
        if highs.readModel(str(path)) == self.package.HighsStatus.kError:
            reason = "not a complete MPS file" if path.exists() else "the file does not exist"
            raise UnreadableModelError(f"highs cannot read {path}: {reason}")

    def minimizes(self, model: Any) -> bool:
        return bool(model.getObjectiveSense()[1] == self.package.ObjSense.kMinimize)

    def column_names(self, model: Any) -> list[str]:
        return list(model.getLp().col_names_)

    def contents(self, model: Any, path: Path) -> ModelAsRead:
        lp = model.getLp()
        return ModelAsRead(
            minimize=self.minimizes(model),
            offset=lp.offset_,
            column_names=self.column_names(model),
            column_lower=lp.col_lower_,
            column_upper=lp.col_upper_,
            # a linear program has an empty list of integralities
            column_integer=self._integer(lp) or [False] * lp.num_col_,
            objective=[float(cost) for cost in lp.col_cost_],
            row_names=lp.row_names_,
            row_lower=lp.row_lower_,
            row_upper=lp.row_upper_,
            entries=self._entries(lp.a_matrix_),
        )

    def _integer(self, lp: Any) -> list[bool]:
        return [kind != self.package.HighsVarType.kContinuous for kind in lp.integrality_]

    def _entries(self, matrix: Any) -> list[tuple[int, int, float]]:
        outer, inner, values = list(matrix.start_), list(matrix.index_), list(matrix.value_)
        columnwise = matrix.format_ == self.package.MatrixFormat.kColwise
        entries = []
        for major in range(len(outer) - 1):
            for place in range(outer[major], outer[major + 1]):
                row, column = (inner[place], major) if columnwise else (major, inner[place])
                entries.append((int(row), int(column), float(values[place])))
        return entries

    def optimize(self, model: Any, seconds: float, relay: Relay) -> Answer:
        is_mip = any(self._integer(model.getLp()))
        self._set(model, {"time_limit": seconds})
        improvements = _listen(self.package, model, relay)
        # a process has one scheduler, which keeps the number of threads that it was first started with
        self.package.Highs.resetGlobalScheduler(True)
        model.run()
        return self._answer(model, is_mip, improvements())

    def _answer(self, highs: Any, is_mip: bool, improvements: int) -> Answer:
        status = highs.getModelStatus()
        info = highs.getInfo()
        termination = self._termination(highs, status.name, improvements)
        solution = highs.getSolution()
        # an interrupted LP leaves an infeasible point behind
        feasible = (
            info.primal_solution_status == self.package.SolutionStatus.kSolutionStatusFeasible and solution.value_valid
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
        """Return the termination. kSolutionLimit stands for limits on solutions, nodes, leaves and stalling alike."""
        if raw_status == "kSolutionLimit" and improvements < highs.getOptionValue("mip_max_improving_sols")[1]:
            return Termination.NODE_LIMIT
        return self.statuses[raw_status]


def _listen(highspy: Any, highs: Any, relay: Relay) -> Callable[[], int]:
    """Have HiGHS call the relay. Returns a function that counts the improving solutions so far."""
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
