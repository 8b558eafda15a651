"""Measure how soon problems are answered with proofs, and how much sooner than by MILP solvers.

Every dense problem of the libraries is proven in this process, on one core: reading, bounds, search and exact judgement
count, the check of the proof does not. Printed are how many problems are decided within 3 and within 60 s, the shifted
geometric mean (shift 0.1 s), and of the trees the leaves, the bytes of a leaf, and the time of checking: of a leaf, and
over that of proving. With --solver, these problems are run by solvers too, in goal `decide` with the same limit, one
after the other; printed is each solver's mean over the prover's, over all of these problems and over those of 4x64.
The bounds that a library's `tight` models contain are not counted for solvers; the second ratio leaves out those that
the prover begins with, too.

    .venv/bin/vnnbench generate pham2025-mnist --data DIR --out mnist --select "mnist-*-l1--tight"
    .venv/bin/vnnbench generate pham2025-fashion --data DIR --out fashion --select "fashion-*-l1--tight"
    .venv/bin/python tests/performance/proving.py mnist fashion
    .venv/bin/python tests/performance/proving.py mnist fashion --sample 40 --solver gurobi --solver highs --solver scip
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import vnnbench
import vnnbench.prover.prove
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.proof_checks import ProvableProblem
from vnnbench.instances.library.proven_answers import ProvenAnswer
from vnnbench.instances.proofs.proof_file import parse_proof
from vnnbench.leaderboard.ranking.aggregates import shifted_geometric_mean
from vnnbench.prover.problems import prove_problem

TIME_LIMIT_SECONDS, SOON_SECONDS, SHIFT_SECONDS = 60.0, 3.0, 0.1
ARCHITECTURE = "4x64"


@dataclass(frozen=True, slots=True)
class Measured:
    """A problem, its library, and what proving it took; answer: None if it stayed open.

    bound_seconds: of `seconds`, those of the bounds without splits, with which every search begins.
    """

    library: Path
    row: CatalogRow
    answer: ProvenAnswer | None
    seconds: float
    bound_seconds: float
    leaves: int = 0
    n_bytes: int = 0
    check_seconds: float = 0.0

    @property
    def is_wide(self) -> bool:
        return f"{self.row.depth}x{self.row.width}" == ARCHITECTURE


def main() -> None:
    """Prove the problems, run the solvers, and print what the module's docstring says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path, nargs="+")
    parser.add_argument("--sample", type=int, help="number of problems, evenly over the libraries; default: all")
    parser.add_argument("--solver", action="append", default=[], help="a setting, as of `vnnbench run`")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    measured = [prove(folder, row) for folder, row in problems(arguments.library, arguments.sample)]
    summarize(measured)
    for solver in arguments.solver:
        compare(solver, measured)


def problems(libraries: Sequence[Path], sample: int | None) -> list[tuple[Path, CatalogRow]]:
    """Return the dense instances in `tight` with their libraries, all of them or an even sample."""
    found = [
        (folder, row)
        for folder in libraries
        for row in Library.open(folder).rows
        if row.pruning == "none" and row.formulation == "tight"
    ]
    places = np.linspace(0, len(found) - 1, min(sample or len(found), len(found))).round().astype(int)
    return [found[place] for place in places]


def prove(folder: Path, row: CatalogRow) -> Measured:
    """Prove one problem and check the proof."""
    with threadpool_limits(limits=1), timed_bounds() as bound_seconds:
        started = time.perf_counter()
        data, _ = prove_problem(folder, row.problem, TIME_LIMIT_SECONDS)
        seconds = time.perf_counter() - started
        if data is None:
            print(f"{row.problem}: open after {seconds:.1f} s", flush=True)
            return Measured(folder, row, None, seconds, sum(bound_seconds))
        proof = parse_proof(data, row.problem)
        shown = ProvableProblem.of(Library.open(folder), row.problem).check(proof)
    answer = None if shown.answer is ProvenAnswer.OPEN else shown.answer
    print(f"{row.problem}: {shown.answer}, {seconds:.2f} s, {shown.leaves} leaves, {len(data)} bytes", flush=True)
    return Measured(folder, row, answer, seconds, sum(bound_seconds), shown.leaves, len(data), shown.check_seconds)


@contextmanager
def timed_bounds() -> Iterator[list[float]]:
    """Yield the list to which the seconds of bounds without splits are added from now on."""
    real, seconds = vnnbench.prover.prove.prove_bounds, []

    def timed(*arguments: Any) -> Any:
        started = time.perf_counter()
        found = real(*arguments)
        if arguments[2] is None:
            seconds.append(time.perf_counter() - started)
        return found

    vnnbench.prover.prove.prove_bounds = timed
    try:
        yield seconds
    finally:
        vnnbench.prover.prove.prove_bounds = real


def summarize(measured: Sequence[Measured]) -> None:
    """Print the figures of the prover."""
    decided = [one for one in measured if one.answer is not None]
    for limit in (SOON_SECONDS, TIME_LIMIT_SECONDS):
        print(f"within {limit:g} s: {sum(one.seconds <= limit for one in decided)} of {len(measured)}")
    print(f"shifted geometric mean: {mean_seconds(measured):.3f} s")
    trees = [one for one in measured if one.leaves]
    leaves = sum(one.leaves for one in trees)
    proving, checking = sum(one.seconds for one in trees), sum(one.check_seconds for one in trees)
    if leaves:
        print(
            f"{len(trees)} trees: {leaves} leaves, {sum(one.n_bytes for one in trees) / leaves:.0f} bytes a leaf; "
            f"checking {1000 * checking / leaves:.2f} ms a leaf, {checking / proving:.2f} of proving"
        )


def mean_seconds(measured: Sequence[Measured], with_bounds: bool = True) -> float:
    """Return the shifted geometric mean of the prover's times; an open problem counts at its limit."""
    times = [one.seconds - (0 if with_bounds else one.bound_seconds) for one in measured]
    return _mean([t if one.answer is not None else TIME_LIMIT_SECONDS for t, one in zip(times, measured, strict=True)])


def compare(solver: str, measured: Sequence[Measured]) -> None:
    """Run a solver on the same problems, and print its means over the prover's."""
    times: dict[str, float] = {}
    for folder in dict.fromkeys(one.library for one in measured):
        names = [one.row.instance for one in measured if one.library == folder]
        with tempfile.TemporaryDirectory() as results:
            done = vnnbench.run(folder, results, [solver], time_limit_seconds=TIME_LIMIT_SECONDS, select=names)
            runs = done.runs()
        decided = runs["verdict"].isin([ProvenAnswer.ADVERSARIAL, ProvenAnswer.ROBUST])
        seconds = runs["wall_seconds"].clip(upper=TIME_LIMIT_SECONDS).where(decided, TIME_LIMIT_SECONDS)
        times |= dict(zip(runs["instance"], seconds, strict=True))
    for what, chosen in (("all", measured), (ARCHITECTURE, [one for one in measured if one.is_wide])):
        if chosen:
            mean = _mean([times[one.row.instance] for one in chosen])
            solved = sum(times[one.row.instance] < TIME_LIMIT_SECONDS for one in chosen)
            own, without = mean_seconds(chosen), mean_seconds(chosen, with_bounds=False)
            print(
                f"{solver}, {what}: {mean:.3f} s, {mean / own:.1f} times the prover's {own:.3f} s, "
                f"{mean / without:.1f} times its {without:.3f} s without bounds; {solved} of {len(chosen)} decided",
                flush=True,
            )


def _mean(times: Sequence[float]) -> float:
    return shifted_geometric_mean(np.array(times), SHIFT_SECONDS, least=0.0) or 0.0


if __name__ == "__main__":
    main()
