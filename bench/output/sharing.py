"""The output of the commands that share results: `bundle`, `merge`, `answers` and `publish`.

Each public function is one command's work and returns the command's exit code.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from vnnbench.common.text import plain
from vnnbench.instances.library.library_set import LibrarySet
from vnnbench.leaderboard.benchmark_sets.best_known import Known, answers_json, read_answers, solu_text
from vnnbench.leaderboard.site.citations import Byline
from vnnbench.leaderboard.text import count, count_runs
from vnnbench.ledger.writer import LEDGER_NAME
from vnnbench.output.progress import ProgressBar
from vnnbench.sharing.bundle import write_bundle
from vnnbench.sharing.merge import merge
from vnnbench.sharing.publish import publish


def pack_results(results: Path, out: Path) -> int:
    """Write a bundle; return 1 when a run had to be left out, else 0."""
    with ProgressBar("bundle") as progress:
        packed = write_bundle(results, out, progress)
    for run, reason in packed.left_out:
        sys.stdout.write(f"run {plain(run)} was left out: {plain(reason)}\n")
    sys.stdout.write(f"{out}: {_runs(packed.attempts)}, {out.stat().st_size} bytes\n")
    return 1 if packed.left_out else 0


def merge_bundles(results: Path, files: Sequence[Path], libraries: Sequence[Path]) -> int:
    """Merge bundles one after the other and print the differences from what they state; return 1 when there are any,
    else 0."""
    library_set = LibrarySet.open(libraries)
    differences = 0
    for path in files:
        with ProgressBar("merge") as progress:
            merged = merge(results, path, library_set, progress)
        for difference in merged.differences:
            sys.stdout.write(f"{difference}\n")
        differences += len(merged.differences)
        sys.stdout.write(
            f"{path}: {_runs(merged.added)} judged again and merged, {_runs(merged.known)} already present, "
            f"{count(len(merged.differences), 'difference')}\n"
        )
    return 1 if differences else 0


def _runs(attempts: Collection[str]) -> str:
    """Return in words how many runs and attempts these names are."""
    return count_runs(len({name.partition("-")[0] for name in attempts}), len(attempts))


def print_answers(results: Path, output: str) -> int:
    """Print the best known objective value of every instance, and on stderr how many are optimal, and by proofs or by
    whose bounds; return the exit code 0."""
    answers = read_answers(results / LEDGER_NAME)
    sys.stdout.write(answers_json(answers) if output == "json" else solu_text(answers))
    known = Counter(answer.known for answer in answers)
    optimal = [answer for answer in answers if answer.known is Known.OPTIMAL]
    own = _names(answer.bound_solver for answer in optimal if answer.bound_solver is not None)
    claimed = f", the bounds claimed by {own}" if own else ""
    proven = sum(answer.bound_solver is None for answer in optimal)
    shown = f", {proven} of them proven" if proven else ""
    infeasible = f"{known[Known.INFEASIBLE]} inf, " if known[Known.INFEASIBLE] else ""
    met = [answer for answer in answers if answer.known is Known.BEST and answer.submitted_meets]
    theirs = _names(answer.submitted_bound_solver for answer in met)
    submitted = f"; {len(met)} best would be opt if bounds claimed by a submission counted, {theirs}" if met else ""
    sys.stderr.write(
        f"{count(len(answers), 'instance')}: {known[Known.OPTIMAL]} opt{shown}{claimed}; {known[Known.BEST]} best, "
        f"{infeasible}{known[Known.UNKNOWN]} unkn{submitted}\n"
    )
    return 0


def _names(solvers: Iterable[str | None]) -> str:
    return plain(", ".join(sorted({str(solver) for solver in solvers})))


def publish_results(
    results: Path, libraries: Sequence[Path], out: Path, title: str | None, authors: Sequence[str], *, with_files: bool
) -> int:
    """Write the site, and print on stderr where it is and what it does not show; return the exit code 0."""
    byline = Byline(title, tuple(authors))
    with ProgressBar("publish") as progress:
        published = publish(results, LibrarySet.open(libraries), out, progress, byline, with_files=with_files)
    said = f"{out / 'index.html'}: written, with {published.files - 1} more files"
    if published.unknown:
        said += f"; without pictures, because no --library has them: {count(published.unknown, 'instance')}"
    if published.lost:
        said += f"; missing or altered, so their points are not shown: {count(published.lost, 'candidates file')}"
    sys.stderr.write(f"{said}\n")
    return 0
