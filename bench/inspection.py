"""What the commands print: suites, libraries, solvers, checks, judgements, confirmations, leaderboards.

Each public function is one command's work and returns the command's exit code.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench import display
from bench.confirm import confirm
from bench.judge import CandidateJudgement, Judge
from bench.ledger import LEDGER_NAME
from bench.progress import ProgressBar
from bench.rereading import differences
from bench.solutions import read_inputs, read_solution
from instances.catalog import CatalogRow
from instances.checking import Finding, Weight, check_files, check_lifting, check_row, check_seal
from instances.files import write_atomic
from instances.library import Library
from instances.mps import read_mps
from instances.pruning import Method, Structure
from instances.suite import Family, Pruning, Question
from instances.suite_files import builtin_suites, load_suite
from instances.summary import GridRow, grid_summary, library_bytes
from leaderboard.difficulty import RULES
from leaderboard.papers import Paper, make_report
from leaderboard.plain_text import plain
from leaderboard.ranking import RUN_COLUMNS, Leaderboard, build_leaderboard
from leaderboard.records import EndedBy, Fault, read_runs
from leaderboard.selection import Selection, Share, select_instances, selection_text
from leaderboard.tables import Format, watch_leaderboard, write_leaderboard
from solvers.base import SolverError, Termination
from solvers.registry import get_solver, solver_names

WATCH_SECONDS = 2.0
"""How often `leaderboard --watch` looks whether there is something new."""

# -- suites and solvers ------------------------------------------------------------------------------------------


def show_suites(output: str) -> int:
    """The built-in suites with their counts."""
    suites = [load_suite(name) for name in builtin_suites()]
    rows = [(s.name, s.dataset, s.n_problems, s.n_instances, s.description) for s in suites]
    columns = ("suite", "dataset", "problems", "instances", "description")
    if output == "json":
        display.print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        display.print_table(columns, rows)
    return 0


def show_suite(name: str, output: str) -> int:
    """One suite's grid."""
    suite = load_suite(name)
    facts: dict[str, Any] = {
        "suite": suite.name,
        "description": suite.description,
        "family": suite.family.value,
        "dataset": suite.dataset,
        "input sides": list(suite.input_sides) or None,
        "inputs": [group.n_inputs for group in suite.groups()[:: len(suite.architectures)]],
        "architectures": [f"{depth}x{width}" for depth, width in suite.architectures],
        "seeds": list(suite.seeds),
        "training": asdict(suite.training) if suite.training else None,
        "properties": [_asked(question, suite.family) for question in suite.questions],
        "surrogates": [pruning.name for pruning in suite.prunings],
        "finetuning": asdict(suite.finetuning) if suite.finetuning else None,
        "spr": asdict(suite.spr) if suite.spr else None,
        "formulations": [f.value for f in suite.formulations],
        "bounds": {f.value: suite.bounds_of(f).value for f in suite.formulations},
        "problems": suite.n_problems,
        "instances": suite.n_instances,
    }
    if output == "json":
        display.print_json(facts)
    else:
        display.print_facts({key: _listed(value) for key, value in facts.items() if value is not None})
    return 0


def _asked(question: Question, family: Family) -> dict[str, Any]:
    facts = {
        "norm": question.norm.value,
        "goal": question.goal.value if family is Family.VERIFY else None,
        "radius": list(question.radius) if question.radius else None,
        "radii": list(question.radii) or None,
        "margin": question.margin,
    }
    return {key: value for key, value in facts.items() if value is not None}


def _listed(value: Any) -> object:
    if isinstance(value, list):
        separator = "; " if value and isinstance(value[0], dict) else ", "
        return separator.join(str(_listed(item)) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return value


def show_solvers(output: str) -> int:
    """Every adapter: installed, version, licence, limits."""
    rows = [_solver_facts(name) for name in solver_names()]
    if output == "json":
        display.print_json(rows)
    else:
        display.print_table(tuple(rows[0]), [tuple(row.values()) for row in rows])
    return 0


def _solver_facts(name: str) -> dict[str, Any]:
    solver = get_solver(name)
    facts: dict[str, Any] = {"solver": name, "version": None, "licence": f"needs: {solver.needs()}"}
    max_columns = max_rows = None
    if solver.installed():
        try:
            licence = solver.licence()
            facts |= {"version": solver.version(), "licence": licence.text}
            max_columns, max_rows = licence.max_columns, licence.max_rows
        except SolverError as error:
            facts["licence"] = f"not usable: {error}"
    return {**facts, "max_columns": max_columns, "max_rows": max_rows}


# -- libraries -----------------------------------------------------------------------------------------------------


def show_library(folder: Path, output: str) -> int:
    """What is in a library, by architecture, surrogate and formulation."""
    library = Library.open(folder)
    grid, n_bytes = grid_summary(library), library_bytes(library)
    if output == "json":
        rows = [asdict(row) for row in grid]
        facts = {"suite": library.suite, "instances": len(library.rows), "bytes": n_bytes}
        display.print_json({**facts, "grid": rows, "names": [row.instance for row in library.rows]})
        return 0
    n, networks = len(library.rows), sum(path.startswith("networks/") for path in library.hashes)
    display.print_text(f"{folder}: {n} instances of suite {library.suite}, {networks} networks")
    display.print_text(f"{n_bytes / 1e6:.1f} MB in all, {n_bytes / 1e3 / n:.0f} kB per instance")
    display.print_table(GRID_COLUMNS, [_grid_cells(row) for row in grid])
    display.print_text(GRID_LEGEND)
    return 0


GRID_COLUMNS = ("networks", "pruned", "formulation", "n", "acc", "rows", "cols", "bin", "unst", "kB")
GRID_LEGEND = (
    "Means over the n instances. acc: test accuracy. bin: binaries. unst: share of hidden neurons whose ReLU is "
    "unstable by the formulation's bounds. kB: the model file. mag-u50: 50 % of the weights pruned by magnitude; "
    "rnd: at random; n: neurons; spr: by regularization while it trained; ft: finetuned."
)


def _grid_cells(row: GridRow) -> tuple[object, ...]:
    pruned = "–"
    if row.pruning != "none":
        pruned = Pruning(Method(row.pruning), Structure(row.structure), row.rate, bool(row.finetuned)).name
    accuracy = None if row.accuracy is None else f"{100 * row.accuracy:.1f}%"
    sizes = (round(row.rows), round(row.columns), round(row.binaries))
    unstable = None if row.unstable_share is None else f"{100 * row.unstable_share:.0f}%"
    return (
        row.architecture, pruned, row.formulation, row.instances, accuracy, *sizes, unstable,
        round(row.model_bytes / 1000),
    )  # fmt: skip


def show_instance(folder: Path, instance: str, output: str) -> int:
    """One instance's facts and its clean image."""
    library = Library.open(folder)
    row = library.row(instance)
    facts = {**asdict(row), **library.timings(instance)}
    if output == "json":
        display.print_json(facts)
        return 0
    display.print_facts(facts)
    picture = library.picture_path(row)
    if picture is not None and row.input_side is not None:
        library.read_verified(str(picture.relative_to(library.folder)))
        with Image.open(picture) as image:
            display.print_image(np.asarray(image, dtype=np.float64).ravel() / 255, row.input_side)
    return 0


def check_library(folder: Path, solvers: Sequence[str], select: Sequence[str], output: str) -> int:
    """Checksums, catalogue, lifted points, and re-reading in the named solvers; 1 when anything is wrong. Warnings are
    told and are nobody's fault."""
    library = Library.open(folder)
    rows = library.select(select)
    findings = []
    with ProgressBar("check") as progress:
        progress.start(len(rows) + 1, 0)
        findings += [*check_files(library), *check_seal(library, rows)]
        progress.advance("files")
        for row in rows:
            findings += [*check_row(library, row), *check_lifting(library, row)]
            findings += _check_reading(library, row, solvers)
            progress.advance(row.instance)
    wrong = [finding for finding in findings if finding.weight is Weight.WRONG]
    if output == "json":
        display.print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            prefix = "warning: " if finding.weight is Weight.WARNING else ""
            sys.stdout.write(f"{prefix}{finding.where}: {finding.what}\n")
        readers = ", ".join(solvers) or "no solver"
        warnings = f", {len(findings) - len(wrong)} warnings" if len(findings) > len(wrong) else ""
        sys.stdout.write(f"{folder}: {len(rows)} instances, re-read in {readers}: {len(wrong)} findings{warnings}\n")
    return 1 if wrong else 0


def _check_reading(library: Library, row: CatalogRow, solvers: Sequence[str]) -> Iterator[Finding]:
    path = library.model_path(row)
    model = read_mps(path)
    for name in solvers:
        try:
            read = get_solver(name).read_model(path)
        except SolverError as error:
            yield Finding(row.model, f"{name}: {error}")
        else:
            yield from (Finding(row.model, f"{name} reads it otherwise: {what}") for what in differences(model, read))


# -- judging -------------------------------------------------------------------------------------------------------


def judge_file(folder: Path, instance: str, solution: Path, output: str) -> int:
    """Judge the solution or candidates of a file; 0 when one is confirmed."""
    library = Library.open(folder)
    row = library.row(instance)
    library.verify_row(row)
    judge = Judge.of_instance(library, row)
    if solution.suffix == ".npz":
        candidates = list(read_inputs(solution, len(judge.problem.centre)))
    else:
        names = judge.model.column_names
        candidates = [judge.decoder(names)(read_solution(solution, names))]
    judged = [judge.judge(candidate) for candidate in candidates]
    best = max(judged, key=lambda j: (j.confirmed, j.value is not None, j.value or 0))
    facts = {"instance": instance, "candidates": len(judged), **_judged_facts(judge, best)}
    if output == "json":
        display.print_json(facts)
    else:
        display.print_facts(facts)
        verdict = f"confirmed: {judge.problem.confirmed_text}, in exact arithmetic"
        sys.stdout.write((verdict if best.confirmed else "not confirmed") + "\n")
    return 0 if best.confirmed else 1


def _judged_facts(judge: Judge, best: CandidateJudgement) -> dict[str, Any]:
    deployed = judge.deploy(best.point) if best.point is not None else None
    return {
        "confirmed": best.confirmed,
        "success": best.success,
        "evidence": best.evidence.value,
        "raw_violation": best.raw_violation,
        "exact_value": None if best.value is None else float(best.value),
        "float32_value": None if deployed is None else deployed.value,
        "float32_beats_all": None if deployed is None else deployed.beats_all,
    }


def confirm_results(results: Path, folder: Path, output: str) -> int:
    """Judge everything again; 1 when a judgement differs."""
    with ProgressBar("confirm") as progress:
        found = confirm(results, Library.open(folder), progress)
    runs = read_runs(results / LEDGER_NAME)
    if output == "json":
        display.print_json({"runs": len(runs), "differences": [asdict(difference) for difference in found]})
    else:
        for difference in found:
            about = f"run {difference.run} on {difference.instance}" if difference.run else difference.instance
            sys.stdout.write(f"{about}: {difference.field} was {difference.stored}, is {difference.found}\n")
        attempts = int(runs["attempts"].sum())
        of = f" ({attempts} attempts)" if attempts > len(runs) else ""
        sys.stdout.write(f"{results}: {len(runs)} runs{of} judged again, {len(found)} differences\n")
    return 1 if found else 0


# -- runs ------------------------------------------------------------------------------------------------------------


def report_runs(results: Path, planned: Sequence[str]) -> int:
    """One line on what the planned runs (plan keys) came to, on stderr; 1 when one failed or is at fault."""
    runs = read_runs(results / LEDGER_NAME)
    runs = runs[runs.run.str.partition("-")[0].isin(planned)]  # whichever attempt at it counts
    failed = (runs.termination == Termination.ERROR) | (runs.ended_by == EndedBy.CRASH)
    wrong = runs.fault.isin([Fault.SOLVER.value, Fault.FORMULATION.value])
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in runs.verdict.value_counts().items())
    disturbed = (runs.disturbed == 1).sum()
    counts = f"{failed.sum()} failed, {wrong.sum()} wrong" + (f", {disturbed} disturbed" if disturbed else "")
    sys.stderr.write(f"{results}: {len(runs)} runs: {verdicts}; {counts}\n")
    for run in runs[wrong].head(10).itertuples():
        sys.stderr.write(f"  wrong: {run.solver} on {plain(run.instance)}: {plain(run.fault_reason)}\n")
    return 1 if failed.any() or wrong.any() else 0


def print_leaderboard(results: Path, by: Sequence[str], output: str) -> int:
    """Rank; 1 when a setting is wrong."""
    leaderboard = build_leaderboard(read_runs(results / LEDGER_NAME, RUN_COLUMNS), tuple(by))
    write_leaderboard(leaderboard, Format(output), sys.stdout)
    return 1 if leaderboard.faults else 0


def follow_leaderboard(results: Path, by: Sequence[str]) -> int:
    """Rank again whenever the ledger has grown, until Ctrl-C; then print the last one. 1 when a setting is wrong."""
    last = watch_leaderboard(_leaderboards(results / LEDGER_NAME, tuple(by)), sys.stdout)
    if last is None:  # stopped before there was any
        return 0
    write_leaderboard(last, Format.TABLE, sys.stdout)
    return 1 if last.faults else 0


def _leaderboards(path: Path, by: tuple[str, ...]) -> Iterator[Leaderboard]:
    """The leaderboard, and a new one after each change of the ledger."""
    shown = None
    while True:
        files = (path, path.with_name(f"{path.name}-wal"))
        now = [(found.st_size, found.st_mtime_ns) for found in (file.stat() for file in files if file.exists())]
        if now != shown:
            shown = now
            yield build_leaderboard(read_runs(path, RUN_COLUMNS), by)
        time.sleep(WATCH_SECONDS)


def choose_instances(results: Path, size: int, out: Path, output: str) -> int:
    """Write the list of a benchmark set, and show how evenly it is chosen."""
    selection = select_instances(read_runs(results / LEDGER_NAME), size)
    write_atomic(out, selection_text(selection).encode())
    if output == "json":
        display.print_json(asdict(selection))
    else:
        columns = ("facet", "class", "there", "wanted", "chosen")
        display.print_table(columns, [_share_cells(share) for share in selection.shares])
        display.print_text(_selection_legend(selection))
    sys.stderr.write(f"{out}: {len(selection.chosen)} instances, for --select @{out}\n")
    return 0


def _share_cells(share: Share) -> tuple[object, ...]:
    wanted = str(share.least) if share.least == share.most else f"{share.least}-{share.most}"
    return (share.facet, share.name, share.there, wanted, share.chosen)


def _selection_legend(selection: Selection) -> str:
    counts = {word: sum(one.difficulty is word for one in selection.chosen) for word in RULES}
    rules = " ".join(f"{word}, {counts[word]} chosen: {rule}." for word, rule in RULES.items())
    proven = "No choice is more even." if selection.proven else "A more even choice was not ruled out."
    return (
        f"{rules} difficulty: geometric mean of the settings' seconds, an unsolved run counting as its limit. "
        f"Of {selection.measured} measured instances, {selection.near_copies} pairs of them near-copies; "
        f"{selection.spent} more are spent: solved to the end as files, and no answer in them. {proven}"
    )


def report_paper(results: Path, paper: str, out: Path | None) -> int:
    """Write a paper's tables and figures, and print the report; 1 when a run in it is wrong."""
    folder = out or results / f"report-{paper}"
    report = make_report(read_runs(results / LEDGER_NAME), Paper(paper))
    for name, data in {**report.figures, "report.md": report.text.encode()}.items():
        write_atomic(folder / name, data)
    sys.stdout.write(report.text)
    figures = f", with {len(report.figures) // 2} figures as PNG and SVG" if report.figures else ""
    sys.stderr.write(f"{folder / 'report.md'}: written{figures}\n")
    return 1 if report.wrong else 0
