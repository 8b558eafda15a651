"""The execution of one run: its child process, its judge, its files and its rows for the ledger."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from vnnbench.common.numbers import MAX_REAL
from vnnbench.errors import ResultsError
from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.errors import PropertyError
from vnnbench.instances.families.base import Decoder
from vnnbench.instances.files import sha256, write_atomic
from vnnbench.isolation.fork_client import Prepared
from vnnbench.isolation.protocol import MAX_COLUMNS, Frame, Kind, ProtocolError
from vnnbench.isolation.supervisor import ChildOutcome, Limits, run_child
from vnnbench.judging.candidates import (
    MAX_STORED,
    Candidate,
    Step,
    Trajectory,
    candidates_npz,
    candidates_path,
    steps_json,
    summarize,
    thin,
)
from vnnbench.judging.judge import FileCheck, Judge
from vnnbench.leaderboard.records.rows import JudgementRow, MachineRow, ResultRow
from vnnbench.leaderboard.words import EndedBy
from vnnbench.ledger.run_identity import StopGoal
from vnnbench.runs.instance_cache import InstanceCache
from vnnbench.runs.model_copy import ModelCopy
from vnnbench.runs.plan import PlannedRun
from vnnbench.runs.run_folder import LOG_NAME, OUTPUT_NAME, WORK_NAME, RunFolder
from vnnbench.runs.run_texts import RunTexts, log_path
from vnnbench.solvers.base import Termination

MIN_ROOM_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """The rows that the ledger stores of a run and its machine. The run's files are already in their places."""

    machine: MachineRow
    result: ResultRow
    judgement: JudgementRow


def execute(
    plan: PlannedRun,
    cache: InstanceCache,
    results: Path,
    machine: MachineRow,
    prepared: Prepared,
    cores: tuple[int, ...],
    cancelled: threading.Event,
) -> FinishedRun:
    """Execute one planned run, forked from `prepared` and pinned to `cores`, and write its log and candidates.

    cache: the cache of its library. machine: the row of this machine. cancelled: when set, the run is stopped.

    Raises `Cancelled`, `InputError`, `ResultsError`.
    """
    with RunFolder(results / WORK_NAME / plan.name) as folder:
        observer = RunObserver(plan, cache.judge(plan.row))
        started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        model = ModelCopy.make(plan, cache, folder.path)
        outcome = run_child(
            prepared,
            _request(plan, model.path, folder.path / LOG_NAME),
            Limits(
                plan.limits.time_limit_seconds,
                plan.limits.memory_limit_bytes,
                plan.limits.threads,
                cores,
                min(MAX_COLUMNS, max(plan.row.columns, len(observer.judge.problem.centre))),
            ),
            observer,
            folder.path / OUTPUT_NAME,
            cancelled,
        )
        if outcome.failure:
            _check_room(results)
        folder.unlock()
        texts = RunTexts.of(outcome, folder, model.changed())
        return _finish(plan, outcome, observer, results, texts, machine, started_at)


def _check_room(results: Path) -> None:
    """Raise `ResultsError` when the disk is full, because a failure is then not the solver's."""
    room = os.statvfs(results)  # not the run's folder, which the solver may have removed
    if room.f_bavail * room.f_frsize < MIN_ROOM_BYTES:
        raise ResultsError(f"{results}: the disk is full; free some space and run the same command again")


def _request(plan: PlannedRun, model_path: Path, log_path: Path) -> dict[str, Any]:
    return {
        "model_path": str(model_path),
        "log_path": str(log_path),
        "time_limit_seconds": plan.limits.time_limit_seconds,
        "threads": plan.limits.threads,
        "seed": plan.seed,
        "mip_gap": plan.setting.mip_gap,
        "node_limit": plan.setting.node_limit,
        "options": dict(plan.setting.options),
    }


@dataclass(slots=True)
class RunObserver:
    """The observer of one run: it decodes and judges what arrives, and notices when the goal is reached.

    Values are those of the problem: the negated objective of the file.
    """

    plan: PlannedRun
    judge: Judge
    trajectory: Trajectory = field(default_factory=Trajectory)
    column_names: list[str] = field(default_factory=list)
    decoder: Decoder | None = None
    last_columns: Float64Array | None = None
    last_claim: float | None = None
    incumbents: int = 0
    dual_bound: float | None = None
    dual_steps: list[Step] = field(default_factory=list)
    excluded_at: float | None = None
    judge_seconds: float = 0.0

    def on_frame(self, frame: Frame, seconds: float) -> None:
        if frame.kind is Kind.COLUMNS:
            self._take_names(frame)
        elif frame.kind is Kind.INCUMBENT:
            if self.decoder is None or len(frame.floats) != len(self.column_names) + 1:
                raise ProtocolError("an incumbent that does not fit the columns announced")
            self.incumbents += 1
            self._add(frame.floats[1:], -float(frame.floats[0]), seconds)
        else:
            self._take_bound(frame, seconds)

    def _take_names(self, frame: Frame) -> None:
        if max(map(len, frame.names), default=0) > 255:
            raise ProtocolError("column names of more than 255 characters")
        self.column_names, self.last_columns = frame.names, None
        try:
            self.decoder = self.judge.decoder(frame.names)
        except PropertyError as error:
            raise ProtocolError(str(error)) from error

    def _add(self, columns: Float64Array, claimed_value: float, seconds: float) -> None:
        assert self.decoder is not None  # noqa: S101 - callers checked
        self.last_columns, self.last_claim = columns, claimed_value
        with np.errstate(over="ignore", invalid="ignore"):  # the judge handles absurd numbers
            self.trajectory.add(Candidate(self.decoder(columns), claimed_value, seconds))

    def _take_bound(self, frame: Frame, seconds: float) -> None:
        said = frame.header.get("dual_bound")
        bound = _number(said)
        if bound is None:
            if isinstance(said, float):
                return  # NaN or infinite: no bound yet
            raise ProtocolError("a dual bound that is not a number")
        self._bound_to(-bound, seconds)
        if self.excluded_at is None and self._is_excluded():
            self.excluded_at = seconds

    def _bound_to(self, bound: float, seconds: float) -> None:
        """Store a bound on the value if it is the best so far."""
        if self.dual_bound is None or bound < self.dual_bound:
            self.dual_bound = bound
            self.dual_steps.append((seconds, bound))
            if len(self.dual_steps) >= 2 * MAX_STORED:
                self.dual_steps = thin(self.dual_steps)

    def _is_excluded(self) -> bool:
        """Return whether the bound rules out an answer of a dense instance. A surrogate's bound decides nothing."""
        row = self.plan.row
        return (
            self.plan.limits.goal is StopGoal.DECIDE
            and row.network == row.dense_network
            and self.dual_bound is not None
            and self.judge.problem.excludes(self.dual_bound, row.constant_rounding)
        )

    def work(self) -> bool:
        """Judge the next unjudged candidate, and return whether there was one. Once the goal is reached the others wait
        for the end."""
        candidate = self.trajectory.next_unjudged()
        if candidate is None or self.satisfied_at() is not None:
            return False
        self._judge(candidate)
        return True

    def _judge(self, candidate: Candidate) -> None:
        start = time.perf_counter()
        self.trajectory.judged(candidate, self.judge.judge(candidate.point))
        self.judge_seconds += time.perf_counter() - start

    def satisfied_at(self) -> float | None:
        if self.plan.limits.goal is StopGoal.OPTIMIZE:
            return None
        success = self.trajectory.first_success
        return success.seconds if success is not None else self.excluded_at

    def conclude(self, result: Frame | None, wall_seconds: float) -> FileCheck | None:
        """Add the final solution if it was not streamed, judge all stored candidates, and return the check of the last
        columns against the file; None where there are none."""
        if result is not None and len(result.floats) and self.decoder is not None:
            columns, primal = result.floats, _number(result.header.get("primal_bound"))
            if len(columns) == len(self.column_names) and not np.array_equal(columns, self.last_columns):  # type: ignore[arg-type]
                self._add(columns, -primal if primal is not None else float("nan"), wall_seconds)
        if result is not None and (bound := _number(result.header.get("dual_bound"))) is not None:
            self._bound_to(-bound, wall_seconds)
        self.trajectory.finish()
        while (candidate := self.trajectory.next_unjudged()) is not None:
            self._judge(candidate)
        if self.last_columns is None or not self.plan.setting.reads_model:  # there are no columns of the file
            return None
        _ = self.judge.model  # several runs share it, so reading it does not count as judging this one
        start = time.perf_counter()
        check = self.judge.hold_against_file(self.last_columns, self.column_names)
        self.judge_seconds += time.perf_counter() - start
        return check


def _finish(
    plan: PlannedRun,
    outcome: ChildOutcome,
    observer: RunObserver,
    results: Path,
    texts: RunTexts,
    machine: MachineRow,
    started_at: str,
) -> FinishedRun:
    """Judge the candidates that are left, write the files, and return the rows."""
    check = observer.conclude(outcome.result, outcome.wall_seconds)
    decided_at = observer.satisfied_at()  # an earlier answer may have been judged only now
    if outcome.ended_by is EndedBy.JUDGE and decided_at is not None:
        # The answer that decided the run is the solver's final one; the time that it took to stop does not count.
        outcome.wall_seconds = decided_at
    write_atomic(log_path(results, plan.name), texts.log)
    candidates = candidates_npz(observer.trajectory, observer.last_columns, observer.column_names)
    write_atomic(candidates_path(results, plan.name), candidates)
    limit = plan.limits.time_limit_seconds
    judgement = summarize(plan.name, observer.trajectory, observer.judge, check, observer.judge_seconds, limit)
    result = _result_row(plan, outcome, observer, texts, machine.machine, started_at, sha256(candidates))
    return FinishedRun(machine, result, judgement)


def _result_row(
    plan: PlannedRun,
    outcome: ChildOutcome,
    observer: RunObserver,
    texts: RunTexts,
    machine: str,
    started_at: str,
    candidates_sha256: str,
) -> ResultRow:
    said = outcome.result.header if outcome.result is not None else {}
    final_bound = _number(said.get("dual_bound"))
    primal = _number(said.get("primal_bound"))
    return ResultRow(
        run=plan.name,
        instance_sha256=plan.row.instance_sha256,
        solver=plan.setting.solver,
        solver_version=plan.setting.version,
        settings=plan.setting.settings_json,
        seed=plan.seed,
        threads=plan.limits.threads,
        time_limit_seconds=float(plan.limits.time_limit_seconds),
        memory_limit_bytes=plan.limits.memory_limit_bytes,
        goal=plan.limits.goal.value,
        termination=_termination(outcome),
        ended_by=outcome.ended_by.value,
        claimed_value=-primal if primal is not None else _number(observer.last_claim),
        dual_bound=-final_bound if final_bound is not None else observer.dual_bound,
        wall_seconds=outcome.wall_seconds,
        read_seconds=_number(said.get("read_seconds")),
        cpu_seconds=outcome.cpu_seconds,
        peak_memory_bytes=outcome.peak_memory_bytes,
        nodes=_count(said.get("nodes")),
        incumbents=observer.incumbents,
        machine=machine,
        enforcement=outcome.enforcement.value,
        counted=outcome.counted.value,
        started_at=started_at,
        attempt=plan.attempt,
        permutation=plan.permutation,
        cores=",".join(map(str, outcome.cores)),
        foreign_seconds=outcome.foreign_seconds,
        swapped_bytes=outcome.swapped_bytes,
        stalled_seconds=outcome.stalled_seconds,
        raw_status=texts.raw_status,
        message=texts.message,
        candidates_sha256=candidates_sha256,
        dual_steps=steps_json(observer.dual_steps),
        ranked=int(plan.setting.ranked),
        submission=None,
    )


def _termination(outcome: ChildOutcome) -> str | None:
    """Return the termination that the solver reported; `error` for an unknown word and for an adapter that raised an
    exception; None where it reported nothing."""
    if outcome.result is not None:
        word = outcome.result.header.get("termination")
        return word if word in list(Termination) else Termination.ERROR.value
    return Termination.ERROR.value if outcome.ended_by is EndedBy.SOLVER else None


def _number(value: object) -> float | None:
    """Return a number of a message as the ledger stores it; None for any other value and for a number that is too
    large, such as one that a solver uses for infinity."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) <= MAX_REAL else None


def _count(value: object) -> int | None:
    """Return a whole number of a message that SQLite can hold; None for any other value."""
    return value if type(value) is int and 0 <= value < 2**63 else None
