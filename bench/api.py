"""The Python API: each function does what the command of its name does, and returns what the command prints.

Folders are `str` or `Path`. A wrong argument, file or folder raises an `InputError`, `BenchError`, `LedgerError` or
`SolverError` whose message is one line, the line that the command prints. The functions print no results.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from os import PathLike
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
import pandas as pd

from vnnbench.checking import check_library, rereading_solvers
from vnnbench.engines.choice import EngineChoice
from vnnbench.errors import UsageError
from vnnbench.harness import run_plan_on
from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.generation.generate import generate as generate_library
from vnnbench.instances.generation.suite_work import GenerationOptions
from vnnbench.instances.library.findings import Finding
from vnnbench.instances.library.library import Library
from vnnbench.instances.suites.suite_toml import load_suite
from vnnbench.judging.candidates import candidates_path, read_candidates
from vnnbench.judging.external_solutions import read_candidates as read_solution
from vnnbench.judging.judge import CandidateJudgement, Judge
from vnnbench.leaderboard.ranges import MAX_PERMUTATIONS
from vnnbench.leaderboard.ranking.leaderboard import read_leaderboard
from vnnbench.leaderboard.records.frames import instances_frame, runs_frame
from vnnbench.leaderboard.tables.exports import setting_records
from vnnbench.leaderboard.text import count
from vnnbench.ledger.run_identity import Retry, StopGoal
from vnnbench.ledger.writer import LEDGER_NAME
from vnnbench.runs.plan import RunLimits, check_seeds, parse_setting, plan_runs
from vnnbench.runs.retry import require_known
from vnnbench.solvers.registry import get_solver

Place: TypeAlias = str | PathLike[str]
"""The path of a file or folder."""
ProgressCallback: TypeAlias = Callable[[int, int, str], None]
"""A progress callback, which gets the steps done, the steps in all, and what the last step was ("" at the start)."""
_Word = TypeVar("_Word", bound=StrEnum)
_LIMITS = RunLimits()
"""The defaults of `run`."""


@dataclass(frozen=True, slots=True)
class Results:
    """The results in a folder. Each method reads the ledger anew, so results can be read while runs are added."""

    folder: Path

    def runs(self) -> pd.DataFrame:
        """Return every run, one row each, with its verdict, evidence and fault, and the facts of its instance.

        Columns and units: "Fields of a result" in `bench/README.md`; dtypes: `vnnbench.leaderboard.records.frames`.

            >>> runs = vnnbench.open_results("results").runs()
            >>> runs[runs["verdict"] == "adversarial"].groupby("solver")["wall_seconds"].median()

        Raises `LedgerError`.
        """
        return runs_frame(self._ledger)

    def instances(self) -> pd.DataFrame:
        """Return every instance that has runs, one row each. Raises `LedgerError`."""
        return instances_frame(self._ledger)

    def candidates(self, run: str) -> pd.DataFrame:
        """Return the stored candidates of a run, one row each in the order of arrival.

        Columns: `seconds` (float64, arrival on the clock of `wall_seconds`), `claimed_value` (float64, NaN where the
        solver gave none), then the candidate's own numbers x0, x1, ... (float64). Raises `ResultsError`.
        """
        trajectory, _, _ = read_candidates(candidates_path(self.folder, run))
        found = trajectory.candidates
        points = np.array([candidate.point for candidate in found], dtype=np.float64)
        columns = {f"x{i}": points[:, i] for i in range(points.shape[1] if found else 0)}
        seconds = np.array([candidate.seconds for candidate in found], dtype=np.float64)
        values = np.array([candidate.claimed_value for candidate in found], dtype=np.float64)
        return pd.DataFrame({"seconds": seconds, "claimed_value": values, **columns})

    @property
    def _ledger(self) -> Path:
        return self.folder / LEDGER_NAME


class _Steps:
    """The progress of a long function, passed on to a callback if there is one."""

    def __init__(self, callback: ProgressCallback | None) -> None:
        self._callback = callback
        self._done = self._total = 0

    def start(self, total: int, done: int) -> None:
        self._done, self._total = done, total
        self._report("")

    def advance(self, description: str) -> None:
        self._done += 1
        self._report(description)

    def note(self, text: str) -> None:
        self._report(text)

    def status(self, text: str) -> None:
        """Tell nothing: a callback is called in the calling thread."""

    def mended(self, n_files: int) -> None:
        self._report(f"restored {count(n_files, 'missing or altered file')}")

    def _report(self, what: str) -> None:
        if self._callback is not None:
            self._callback(self._done, self._total, what)


def open_library(folder: Place) -> Library:
    """Open the library in a folder. Its `rows` are the instances, one `CatalogRow` each. Raises `LibraryError`.

    >>> [row.instance for row in vnnbench.open_library("library").rows]
    """
    return Library.open(Path(folder))


def generate(
    suite: Place,
    out: Place,
    *,
    data: Place | None = None,
    select: Sequence[str] = (),
    networks: Library | None = None,
    key: Place | None = None,
    jobs: int = 1,
    device: str = "cpu",
    progress: ProgressCallback | None = None,
) -> Library:
    """Generate the library of a suite, a built-in name or a TOML file, as the folder `out`, and open it.

    select: globs over instance names. data, networks, key, jobs, device: see `GenerationOptions`. A library whose
    generation was stopped is continued; in a complete one, missing or altered files are restored. In a script, call
    this function under `if __name__ == "__main__":`, because its worker processes import the script.

    Raises `InputError`.
    """
    options = GenerationOptions(_optional(data), networks, _optional(key), jobs, device)
    return generate_library(load_suite(str(suite)), Path(out), options, select, _Steps(progress))


def check(
    library: Library | Place,
    *,
    solvers: Sequence[str] = (),
    select: Sequence[str] = (),
    progress: ProgressCallback | None = None,
) -> list[Finding]:
    """Check a library: checksums, catalogue, lifted points in exact arithmetic, and how solvers read the models.

    library: opened, or its folder. solvers: those that read the models; default: every installed solver that can
    report what it read. Returns an empty list when there is nothing to report. A `Finding` with `severity` WARNING
    does not mean that the library is wrong.

    Raises `InputError`, `SolverError`, `UsageError`.
    """
    opened = _opened(library)
    readers = [get_solver(name) for name in rereading_solvers(solvers)]
    return check_library(opened, opened.select(select), readers, _Steps(progress))


def run(
    library: Library | Place,
    results: Place,
    solvers: Sequence[str],
    *,
    goal: str = _LIMITS.goal.value,
    time_limit_seconds: float | None = None,
    memory_limit_bytes: int = _LIMITS.memory_limit_bytes,
    threads: int = _LIMITS.threads,
    seeds: Sequence[int] = (0,),
    permutations: int = 0,
    select: Sequence[str] = (),
    retry: Collection[str] = (),
    jobs: int = 1,
    engine: str = "local",
    engine_options: Sequence[str] = (),
    progress: ProgressCallback | None = None,
) -> Results:
    """Run solvers on a library, judge every candidate, and open the results.

    library: opened, or its folder. solvers: settings as `--solver` takes them, such as "highs" or
    "gurobi:Presolve=0". goal: "find", "decide" or "optimize". time_limit_seconds: of each run; default: its instance's
    own, if it was imported with one, else 300. permutations: how many random orders of each model's rows and columns
    are run too, 0 to 1,000. Runs that are in `results` already are left out, except those whose newest attempt ended in
    one of the ways of `retry` ("error", "crash" or "disturbed"): they get another attempt. engine: "local", or "parsl"
    for the jobs of a cluster, with options such as "provider=slurm".

        >>> vnnbench.run(library, "results", ["highs"], progress=lambda done, total, what: print(done, total, what))

    Raises `InputError`, `SolverError`, `UsageError`, `ResultsError`.
    """
    choice = EngineChoice.parse(engine, jobs, engine_options)
    folder, reasons = Path(results), frozenset(_one_of(Retry, reason, "retry") for reason in retry)
    own_limits = time_limit_seconds is None
    seconds = _LIMITS.time_limit_seconds if time_limit_seconds is None else time_limit_seconds
    limits = RunLimits(_one_of(StopGoal, goal, "goal"), seconds, memory_limit_bytes, threads)
    limits.check()
    check_seeds(seeds)
    if not solvers:
        raise UsageError("solvers: name at least one, as in ['highs']")
    if not 0 <= permutations <= MAX_PERMUTATIONS:
        raise UsageError(f"permutations={permutations}: must be from 0 to {MAX_PERMUTATIONS}")
    settings = [parse_setting(text) for text in solvers]
    opened = _opened(library)
    rows, orders = opened.select(select), range(permutations + 1)
    plan = plan_runs(rows, settings, seeds, limits, orders, own_limits=own_limits)
    require_known(plan, folder, reasons)
    steps = _Steps(progress)
    run_plan_on(choice.engine(opened, folder, steps), plan, opened, folder, steps, reasons)
    return Results(folder)


def open_results(folder: Place) -> Results:
    """Open the results in a folder, which are read when a method of `Results` is called.

    >>> vnnbench.open_results("results").runs()
    """
    return Results(Path(folder))


def rank(results: Results, by: Sequence[str] = ()) -> pd.DataFrame:
    """Rank the solver settings: one row per setting, and per group of the catalogue columns `by`, best first.

    The columns are those of `vnnbench leaderboard --format csv`; `leaderboard/README.md` has their meanings and units.

    Raises `LedgerError`.
    """
    return pd.DataFrame(setting_records(read_leaderboard(results.folder / LEDGER_NAME, by)))


def judge(
    library: Library | Place, instance: str, solution: Place | Float64Array | Sequence[float]
) -> list[CandidateJudgement]:
    """Judge a solution of an instance, from any source, in exact arithmetic on the dense network.

    library: opened, or its folder. solution: an input of the network as a vector (n_inputs,), or a file: a solution
    in the layout of any solver, a counterexample in the format of VNN-COMP, or .npz with candidates. Returns one
    judgement per candidate: `confirmed` says whether it answers the problem, `value` is its exact value as a
    `Fraction`.

        >>> (judgement,) = vnnbench.judge(library, "digits-8x8-2x16-s0-l1--tight", "answer.sol")

    Raises `InputError`, and `UsageError` for a vector of another length or with NaN.
    """
    opened = _opened(library)
    row = opened.row(instance)
    opened.verify_row(row)
    judge = Judge.of_instance(opened, row)
    if isinstance(solution, np.ndarray | Sequence) and not isinstance(solution, str):
        return [judge.judge(_input(solution, judge.problem.centre))]
    return [judge.judge(candidate) for candidate in read_solution(Path(solution), judge)]


def _input(solution: Float64Array | Sequence[float], centre: Float64Array) -> Float64Array:
    try:
        x = np.asarray(solution, np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"solution: must be a vector of numbers ({error})") from error
    if x.shape != centre.shape or not np.isfinite(x).all():
        raise UsageError(
            f"solution: has shape {x.shape}; it must hold {len(centre)} finite numbers, shape {centre.shape}"
        )
    return x


def _opened(library: Library | Place) -> Library:
    return library if isinstance(library, Library) else Library.open(Path(library))


def _optional(place: Place | None) -> Path | None:
    return None if place is None else Path(place)


def _one_of(words: type[_Word], word: str, name: str) -> _Word:
    try:
        return words(word)
    except ValueError:
        raise UsageError(f"{name}={word!r}: must be one of {', '.join(words)}") from None
