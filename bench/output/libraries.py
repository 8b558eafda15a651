"""The output of the commands about suites, solvers and libraries.

Each public function is one command's work and returns the command's exit code.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vnnbench.checking import check_library
from vnnbench.common.text import plain, shortened
from vnnbench.instances.datasets.png import grey_of
from vnnbench.instances.layout import is_network
from vnnbench.instances.library.findings import Severity
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.summary import GridRow, grid_summary, library_bytes
from vnnbench.instances.networks.pruning import Method, Structure
from vnnbench.instances.suites.suite import Family, Pruning, Question
from vnnbench.instances.suites.suite_toml import builtin_suites, load_suite
from vnnbench.leaderboard.text import count
from vnnbench.output import display
from vnnbench.output.progress import ProgressBar
from vnnbench.references.adapters import adapter_names, get_adapter
from vnnbench.sharing.export import VERSIONS, export
from vnnbench.solvers.base import BrokenAdapterError, Solver, SolverError
from vnnbench.solvers.registry import get_solver

_MOST_OF_A_QUESTION = 600
"""The most characters of a question that are printed; --format json has all of it."""

# -- suites and solvers ------------------------------------------------------------------------------------------


def show_suites(output: str) -> int:
    """Print the built-in suites with their numbers of problems and instances."""
    suites = [load_suite(name) for name in builtin_suites()]
    rows = [(s.name, s.dataset, s.n_problems, s.n_instances, s.description) for s in suites]
    columns = ("suite", "dataset", "problems", "instances", "description")
    if output == "json":
        display.print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        display.print_table(columns, rows)
    return 0


def show_suite(name: str, output: str) -> int:
    """Print what one suite contains: its networks, properties, surrogates and formulations."""
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
    """Print for every solver whether it is installed, its version, licence and limits; last for the references."""
    adapters: dict[str, Solver] = {}
    rows = []
    for name in adapter_names():
        try:
            adapters[name] = get_adapter(name)
            rows.append(_solver_facts(name, adapters[name]))
        except BrokenAdapterError as error:
            rows.append(_facts(name, None, f"not usable: {error}"))
    if output == "json":
        display.print_json(rows)
    else:
        columns = tuple(key for key in rows[0] if key != "ranked")
        display.print_table(columns, [tuple(row[key] for key in columns) for row in rows])
        for name, solver in adapters.items():
            if not solver.ranked:
                display.print_text(f"{name}: {_legend(solver)}")
    return 0


def _legend(solver: Solver) -> str:
    """Return what to know about a solver that is not ranked."""
    if solver.reads_model:
        return "not ranked."
    read = " and ".join(f"the {part}" for part in (*solver.data_parts, "property"))
    families = f" of family {', '.join(solver.families)}" if solver.families else ""
    return (
        f"{solver.title}, not ranked. It reads {read}{families}, not the model, so no size limit applies; it proves "
        "nothing."
    )


def _solver_facts(name: str, solver: Solver) -> dict[str, Any]:
    if not solver.installed():
        return _facts(name, None, f"needs: {solver.needs()}", ranked=solver.ranked)
    try:
        licence = solver.licence()
        limits = (licence.max_columns, licence.max_rows)
        return _facts(name, solver.version(), licence.text, limits, ranked=solver.ranked)
    except SolverError as error:
        return _facts(name, None, f"not usable: {error}", ranked=solver.ranked)


def _facts(
    name: str,
    version: str | None,
    licence: str,
    limits: tuple[int | None, int | None] = (None, None),
    *,
    ranked: bool = True,
) -> dict[str, Any]:
    max_columns, max_rows = limits
    return {
        "solver": name, "version": version, "licence": licence, "max_columns": max_columns, "max_rows": max_rows,
        "ranked": ranked,
    }  # fmt: skip


# -- libraries -----------------------------------------------------------------------------------------------------


def show_library(folder: Path, output: str) -> int:
    """Print what a library contains, by architecture, surrogate and formulation."""
    library = Library.open(folder)
    grid, n_bytes = grid_summary(library), library_bytes(library)
    if output == "json":
        rows = [asdict(row) for row in grid]
        facts = {"suite": library.suite, "instances": len(library.rows), "bytes": n_bytes}
        display.print_json({**facts, "grid": rows, "names": [row.instance for row in library.rows]})
        return 0
    n, networks = len(library.rows), sum(is_network(path) for path in library.hashes)
    display.print_text(f"{folder}: {count(n, 'instance')} of suite {library.suite}, {count(networks, 'network')}")
    display.print_text(f"{n_bytes / 1e6:.1f} MB in all, {n_bytes / 1e3 / n:.0f} kB per instance")
    display.print_table(GRID_COLUMNS, [_grid_cells(row) for row in grid])
    display.print_text(GRID_LEGEND)
    return 0


GRID_COLUMNS = ("networks", "pruned", "formulation", "n", "acc", "rows", "cols", "bin", "unst", "kB")
GRID_LEGEND = (
    "Means over the n instances. acc: test accuracy. bin: binary variables. unst: share of hidden neurons whose ReLU "
    "is unstable by the formulation's bounds. kB: size of the model file. mag-u50: 50 % of the weights pruned by "
    "magnitude; rnd: at random; n: neurons instead of weights; spr: by regularization during training; ft: finetuned."
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


def list_instances(folder: Path, output: str) -> int:
    """Print the name of every instance, one per line."""
    names = [row.instance for row in Library.open(folder).rows]
    if output == "json":
        display.print_json(names)
    else:
        sys.stdout.writelines(f"{plain(name)}\n" for name in names)
    return 0


def show_instance(folder: Path, instance: str, output: str) -> int:
    """Print the facts of one instance and its clean image."""
    library = Library.open(folder)
    row = library.row(instance)
    question = library.read_problem(row).question()
    facts = {"question": question, **asdict(row), **library.timings(instance)}
    if output == "json":
        display.print_json(facts)
        return 0
    display.print_facts({**facts, "question": question and shortened(question, _MOST_OF_A_QUESTION)})
    picture = library.picture_path(row)
    if picture is not None and row.input_side is not None:
        data = library.read_verified(str(picture.relative_to(library.folder)))
        display.print_image(grey_of(data, row.input_side, str(picture)), row.input_side)
    return 0


def print_check(folder: Path, solvers: Sequence[str], select: Sequence[str], output: str) -> int:
    """Check a library and print the findings; return 1 when anything is wrong, else 0. A warning is printed too, but
    does not count as wrong."""
    library = Library.open(folder)
    rows = library.select(select)
    with ProgressBar("check") as progress:
        findings = check_library(library, rows, [get_solver(name) for name in solvers], progress)
    wrong = [finding for finding in findings if finding.severity is Severity.WRONG]
    if output == "json":
        display.print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            prefix = "warning: " if finding.severity is Severity.WARNING else ""
            sys.stdout.write(plain(f"{prefix}{finding.where}: {finding.what}") + "\n")
        readers = ", ".join(solvers) or "no solver"
        found = count(len(wrong), "finding")
        if len(findings) > len(wrong):
            found += f", {count(len(findings) - len(wrong), 'warning')}"
        sys.stdout.write(f"{folder}: {count(len(rows), 'instance')}, re-read in {readers}: {found}\n")
    return 1 if wrong else 0


def export_library(folder: Path, out: Path, select: Sequence[str]) -> int:
    """Write the export, and print on stderr how many problems each version has and why others are left out; return the
    exit code 0."""
    with ProgressBar("export") as progress:
        exported = export(Library.open(folder), out, select, progress)
    written = " and ".join(f"{exported.written[version]} in VNN-LIB {version}" for version in VERSIONS)
    sys.stderr.write(f"{out}: {count(exported.problems, 'problem')}, {written}\n")
    for (version, reason), n in exported.left_out.items():
        where = "left out" if version is None else f"left out of {version}"
        sys.stderr.write(plain(f"{where}, {count(n, 'problem')}: {reason}") + "\n")
    return 0
