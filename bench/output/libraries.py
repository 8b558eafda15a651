"""The output of the commands about suites, solvers and libraries.

Each public function is one command's work and returns the command's exit code.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vnnbench.checking import check_library
from vnnbench.common.text import plain, shortened
from vnnbench.instances.datasets.png import grey_of
from vnnbench.instances.layout import is_network
from vnnbench.instances.library.findings import Severity
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.proven_answers import AnswerTable, answer_of
from vnnbench.instances.library.summary import GridRow, grid_summary, library_bytes
from vnnbench.instances.networks.pruning import Method, Structure
from vnnbench.instances.suites.network_suite import Pruning
from vnnbench.instances.suites.suite_toml import builtin_suites, load_suite
from vnnbench.leaderboard.text import count
from vnnbench.output import display
from vnnbench.output.progress import ProgressBar
from vnnbench.output.proofs import answer_text, answers_text
from vnnbench.references.adapters import adapter_names, get_adapter
from vnnbench.sharing.export import VERSIONS, export
from vnnbench.solvers.base import BrokenAdapterError, Solver, SolverError
from vnnbench.solvers.registry import get_solver

_MOST_OF_A_QUESTION = 600
"""The most characters of a question that are printed; --format json has all of it."""

_WIDE = 100
"""The columns of a terminal on which a list of suites has room for their data sets."""

# -- suites and solvers ------------------------------------------------------------------------------------------


def show_suites(output: str) -> int:
    """Print the built-in suites with their numbers of problems and instances.

    On a narrow terminal the descriptions take the room of the data sets.
    """
    suites = [load_suite(name) for name in builtin_suites()]
    columns = ("suite", "dataset", "problems", "instances", "description")
    data = [", ".join(s.datasets) if output == "json" else _first_of(s.datasets) for s in suites]
    rows = [
        (s.name, names or None, s.n_problems, s.n_instances, s.description)
        for s, names in zip(suites, data, strict=True)
    ]
    if output == "json":
        display.print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        width = display.terminal_width()
        kept = [i for i, column in enumerate(columns) if column != "dataset" or width is None or width >= _WIDE]
        table = [tuple(row[i] for i in kept) for row in rows]
        display.print_table([columns[i] for i in kept], table, folded="description")
    return 0


def _first_of(names: Sequence[str]) -> str:
    """Return names in a few words: "wine", "wine and 4 more"."""
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else "".join(names)


def show_suite(name: str, output: str) -> int:
    """Print what one suite contains."""
    suite = load_suite(name)
    facts: dict[str, Any] = {
        "suite": suite.name,
        "description": suite.description,
        "family": suite.family,
        **suite.facts(),
        "problems": suite.n_problems,
        "instances": suite.n_instances,
    }
    if output == "json":
        display.print_json(facts)
    else:
        display.print_facts({key: _listed(value) for key, value in facts.items() if value is not None})
    return 0


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
    proofs = "its bounds are judged like a solver's" if solver.proves else "it proves nothing"
    return f"{solver.title}, not ranked. It reads {read}{families}, not the model, so no size limit applies; {proofs}."


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
    proven, n_problems = AnswerTable.open(folder).problems.values(), len({row.problem for row in library.rows})
    if output == "json":
        rows = [asdict(row) for row in grid]
        facts = {
            "suite": library.suite,
            "instances": len(library.rows),
            "bytes": n_bytes,
            "problems": n_problems,
            "proven": Counter(problem.answer.value for problem in proven),
        }
        display.print_json({**facts, "grid": rows, "names": [row.instance for row in library.rows]})
        return 0
    n, networks = len(library.rows), sum(is_network(path) for path in library.hashes)
    made_of = count(networks, "network") if networks else count(n_problems, "problem")
    display.print_text(f"{folder}: {count(n, 'instance')} of suite {library.suite}, {made_of}")
    display.print_text(f"{n_bytes / 1e6:.1f} MB in all, {n_bytes / 1e3 / n:.0f} kB per instance")
    if proven:
        display.print_text(answers_text(proven, n_problems))
    columns, legend = (NETWORK_GRID, NETWORK_LEGEND) if networks else (PROBLEM_GRID, PROBLEM_LEGEND)
    display.print_table(tuple(columns), [tuple(cell(row) for cell in columns.values()) for row in grid])
    display.print_text(legend)
    return 0


def _pruned(row: GridRow) -> str:
    if row.pruning == "none":
        return "–"
    return Pruning(Method(row.pruning), Structure(row.structure), row.rate, bool(row.finetuned)).name


def _unstable(row: GridRow) -> str | None:
    return None if row.unstable_share is None else f"{100 * row.unstable_share:.0f}%"


_Grid = dict[str, Callable[[GridRow], object]]
"""The columns of a library's table: the cell of a row by heading."""
_SIZES: _Grid = {
    "rows": lambda row: round(row.rows),
    "cols": lambda row: round(row.columns),
    "bin": lambda row: round(row.binaries),
}
NETWORK_GRID: _Grid = {
    "networks": lambda row: row.architecture,
    "pruned": _pruned,
    "formulation": lambda row: row.formulation,
    "n": lambda row: row.instances,
    "acc": lambda row: None if row.accuracy is None else f"{100 * row.accuracy:.1f}%",
    **_SIZES,
    "unst": _unstable,
    "kB": lambda row: round(row.model_bytes / 1000),
}
NETWORK_LEGEND = (
    "Means over the n instances. acc: test accuracy. bin: binary variables. unst: share of hidden neurons whose ReLU "
    "is unstable by the formulation's bounds. kB: size of the model file. mag-u50: 50 % of the weights pruned by "
    "magnitude; rnd: at random; n: neurons instead of weights; spr: by regularization during training; ft: finetuned."
)
PROBLEM_GRID: _Grid = {
    "problems": lambda row: row.architecture,
    "formulation": lambda row: row.formulation,
    "n": lambda row: row.instances,
    "samples": lambda row: None if row.samples is None else round(row.samples),
    "inputs": lambda row: None if row.features is None else round(row.features),
    **_SIZES,
    "kB": lambda row: round(row.model_bytes / 1000),
}
PROBLEM_LEGEND = (
    "Means over the n instances. samples: for training. inputs: features of a sample. bin: integer variables, most of "
    "them binary. kB: size of the model file. 8n: 8 hidden neurons. f101: beside errors the objective counts weights "
    "(1), not activations (0), and neurons (1); int: an integer network, with all three."
)


def list_instances(folder: Path, output: str) -> int:
    """Print the name of every instance, one per line."""
    names = [row.instance for row in Library.open(folder).rows]
    if output == "json":
        display.print_json(names)
    else:
        sys.stdout.writelines(f"{plain(name)}\n" for name in names)
    return 0


_ONLY_WITH = {
    "network": ("pruning", "structure", "rate", "finetuned", "bounds"),
    "threshold": ("strict",),
    "norm": ("centre_value",),
}
"""The columns of the catalogue that have a meaning only where another one is filled. The catalogue fills most of them
for every instance; the table of an instance leaves them out where they mean nothing."""


def show_instance(folder: Path, instance: str, output: str) -> int:
    """Print the facts of one instance and its clean image."""
    library = Library.open(folder)
    row = library.row(instance)
    question, proven = library.read_problem(row).question(), answer_of(library, row)
    facts = {"question": question, **asdict(row), **library.timings(instance)}
    if output == "json":
        display.print_json({**facts, "proven": None if proven is None else asdict(proven)})
        return 0
    meaningless = {key for known, keys in _ONLY_WITH.items() if facts[known] is None for key in keys}
    known = {key: value for key, value in facts.items() if value is not None and key not in meaningless}
    if question is not None:
        known["question"] = shortened(question, _MOST_OF_A_QUESTION)
    if proven is not None:
        known["proven"] = answer_text(proven) + ("" if row.network == row.dense_network else ", on the dense network")
    display.print_facts(known)
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
