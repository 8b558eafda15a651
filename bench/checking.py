"""The check of a library: checksums, catalogue, lifted points, how solvers read the models, and proofs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vnnbench.errors import UsageError
from vnnbench.instances.errors import InputError
from vnnbench.instances.formulations.mps import read_mps
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.checks import check_files, check_lifting, check_row, check_seal
from vnnbench.instances.library.findings import Finding
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.proof_checks import check_answer, open_answers
from vnnbench.instances.progress import Progress
from vnnbench.judging.model_comparison import differences
from vnnbench.solvers.base import Solver, SolverError
from vnnbench.solvers.registry import get_solver, installed_solvers


def rereading_solvers(names: Sequence[str]) -> list[str]:
    """Return `names`, or, without any, the names of all installed solvers that can report what they read.

    Raises `UsageError` for a name whose adapter cannot, `SolverError` for one that is unknown.
    """
    for name in names:
        solver = get_solver(name)
        if not solver.reads_model:
            raise UsageError(f"--solver: {name} does not read models; leave it out")
        if not solver.rereads:
            raise UsageError(
                f"--solver: {name} cannot report what it has read (a TOML needs a table [rewrite]); leave it out"
            )
    return [*names] or [name for name in installed_solvers() if get_solver(name).rereads]


def check_library(
    library: Library, rows: Sequence[CatalogRow], solvers: Sequence[Solver], progress: Progress
) -> list[Finding]:
    """Return the errors and warnings about the library's files, these instances, and the proven answers to their
    problems.

    solvers: each reads the models, and what it has read is compared with the file; each must have `rereads`.
    """
    table, wrong = open_answers(library.folder)
    others = {row.problem for row in library.rows} - {row.problem for row in rows}
    proven = [answer for problem, answer in table.problems.items() if problem not in others]
    progress.start(len(rows) + len(proven) + 1, 0)
    findings = [*check_files(library), *check_seal(library, rows), *wrong]
    progress.advance("files")
    for answer in proven:
        findings += check_answer(library, table, answer)
        progress.advance(answer.proof)
    for row in rows:
        findings += _check_instance(library, row, solvers)
        progress.advance(row.instance)
    return findings


def _check_instance(library: Library, row: CatalogRow, solvers: Sequence[Solver]) -> Iterator[Finding]:
    """Check everything about one instance; where one of its files is missing or altered, report that alone."""
    try:
        library.verify_row(row)
    except InputError as error:
        yield Finding(row.instance, str(error))
    else:
        yield from (*check_row(library, row), *check_lifting(library, row), *_check_reading(library, row, solvers))


def _check_reading(library: Library, row: CatalogRow, solvers: Sequence[Solver]) -> Iterator[Finding]:
    path = library.model_path(row)
    model = read_mps(path)
    for solver in solvers:
        try:
            read = solver.read_model(path)
        except SolverError as error:
            yield Finding(row.model, f"{solver.name}: {error}")
        else:
            yield from (
                Finding(row.model, f"{solver.name} reads it differently: {what}") for what in differences(model, read)
            )
