"""`vnnbench publish`: the site of a ledger, with facts from its libraries: pictures, classes, margins and files.

A picture shows a point that is judged again here: the stored candidate with the exact value that the ledger has. Where
there is none, because its file is missing or altered, there is no picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, groupby
from pathlib import Path

import numpy as np
import pandas as pd

from vnnbench.errors import ResultsError
from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.datasets.png import difference_png, picture_png
from vnnbench.instances.families.base import NetworkOutputs
from vnnbench.instances.families.over_input_set import OverInputSet
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.library_set import LibrarySet, Place
from vnnbench.instances.progress import Progress
from vnnbench.instances.properties.input_set import Norm
from vnnbench.judging.candidates import candidates_path, read_candidates
from vnnbench.judging.judge import Judge
from vnnbench.leaderboard.records.reader import read_proven_answers, read_runs, read_tables
from vnnbench.leaderboard.site.citations import NO_BYLINE, Byline
from vnnbench.leaderboard.site.content import Source
from vnnbench.leaderboard.site.evidence import MAX_INPUTS_SHOWN, BestPoint, InstanceEvidence, Outputs
from vnnbench.leaderboard.site.folder import SiteError, check_place, write_folder
from vnnbench.leaderboard.site.pages import FAULTS_SHOWN, site_files
from vnnbench.leaderboard.words import LedgerError, Verdict
from vnnbench.ledger.writer import LEDGER_NAME
from vnnbench.runs.run_texts import read_log
from vnnbench.sharing.exhibits import best_model
from vnnbench.sharing.library_files import SharedLibrary, instance_files, shared_libraries

WITNESSES = """
SELECT run, witness, refuted FROM faults WHERE finding LIKE 'solver:%' OR finding LIKE 'formulation:%'
ORDER BY solver, settings, instance, run
"""
"""The query for the witness against every wrong run, about in the order in which the site shows them."""


@dataclass(frozen=True, slots=True)
class Published:
    """The outcome of publishing. files: how many the site has. unknown: how many instances none of the libraries has.
    lost: how many candidates files lack the point whose value the ledger has, of those that were read."""

    files: int
    unknown: int
    lost: int


def publish(
    results: Path,
    library_set: LibrarySet,
    out: Path,
    progress: Progress,
    byline: Byline = NO_BYLINE,
    *,
    with_files: bool = False,
) -> Published:
    """Write the site of a ledger to the folder `out`, in place of a site that is there.

    with_files: put the libraries of the instances into it, see `library_files`. Raises `LedgerError` (of it
    `SiteError`: something else is there, or a library), `InputError`.
    """
    check_place(out)
    for library in library_set.libraries:
        if library.folder.resolve().is_relative_to(out.resolve()):
            raise SiteError(f"{library.folder}: lies in {out}, which is replaced; copy the library to another folder")
    path = results / LEDGER_NAME
    runs = read_runs(path)
    if runs.empty:
        raise LedgerError(f"{path}: has no runs yet; `vnnbench run` adds some")
    machines, witnesses = read_tables(path, "SELECT * FROM machines ORDER BY machine", WITNESSES)
    proven = read_proven_answers(path)
    shared = shared_libraries(library_set, runs["instance_sha256"].unique()) if with_files else ()
    evidence, lost = collect_evidence(runs, results, library_set, progress, shared)
    shown = witnesses.head(FAULTS_SHOWN)
    sides = {*shown["run"], *shown.loc[shown["refuted"] == 1, "witness"]}
    logs = read_logs(results, sides.intersection(runs["run"]))
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    copies = tuple(own.describe() for own in shared)
    pages = site_files(Source(runs, machines, witnesses, evidence, logs, now, byline, copies, proven))
    files = write_folder(out, chain(pages, *(own.files(progress) for own in shared)))
    return Published(files, runs["instance_sha256"].nunique() - len(evidence), lost)


@dataclass(frozen=True, slots=True)
class _Question:
    """The facts that the instances of a problem share, read once."""

    judge: Judge
    source: int | None
    targets: tuple[int, ...]
    clean: bytes | None
    clean_outputs: Outputs | None


def collect_evidence(
    runs: pd.DataFrame,
    results: Path,
    library_set: LibrarySet,
    progress: Progress,
    shared: Sequence[SharedLibrary] = (),
) -> tuple[dict[str, InstanceEvidence], int]:
    """Return the libraries' evidence on every instance that was run, by instance_sha256, without those that none has;
    and `lost` of `Published`.

    runs: as `reader.read_runs` gives them. shared: the libraries that the site will hold, whose files are further
    steps of the progress. Raises `InputError` where a file of a library cannot be read.
    """
    copies = {own.library.folder: own for own in shared}
    confirmed = runs[runs["verdict"].isin([Verdict.ADVERSARIAL, Verdict.VALUE]) & runs["best_exact_value"].notna()]
    best = confirmed.sort_values(["best_exact_value", "first_success_seconds", "run"], ascending=[False, True, True])
    by_instance = {str(digest): own for digest, own in best.groupby("instance_sha256", sort=False)}
    wanted = [place for digest in runs["instance_sha256"].unique() if (place := library_set.find(digest)) is not None]
    found: dict[str, InstanceEvidence] = {}
    lost = 0
    progress.start(len(wanted) + sum(len(own.paths()) for own in shared), 0)
    # The instances of a problem follow each other, so that its networks are read once and not kept.
    for _, places in groupby(sorted(wanted, key=_asked), key=_asked):
        together = list(places)
        question = _read_question(*together[0])
        for library, row in together:
            own = by_instance.get(row.instance_sha256)
            candidate, in_vain = (None, 0) if own is None else _best_candidate(question.judge, own, results)
            lost += in_vain
            has_inputs = row.norm is not None
            found[row.instance_sha256] = InstanceEvidence(
                question.source, question.targets, question.clean, question.clean_outputs,
                _shown(row, question, *candidate) if candidate and has_inputs else None,
                instance_files(library, row, copies.get(library.folder)), question.judge.problem.question(),
                best_model(question.judge, *candidate) if candidate and not has_inputs else None,
            )  # fmt: skip
            progress.advance(row.instance)
    return found, lost


def read_logs(results: Path, runs: Iterable[str]) -> dict[str, str]:
    """Return the logs of these runs, sorted; a log that cannot be read is left out."""
    logs = {run: read_log(results, run) for run in sorted(runs)}
    return {run: log for run, log in logs.items() if log is not None}


def _asked(place: Place) -> tuple[str, str, str]:
    """Return a key that the instances of a problem have in common."""
    library, row = place
    return str(library.folder), row.dense_network or "", row.property


def _read_question(library: Library, row: CatalogRow) -> _Question:
    judge = Judge.of_instance(library, replace(row, network=row.dense_network))  # on the dense network alone
    problem = judge.problem
    judge.judge(problem.centre)  # raises where network and property do not fit
    picture = library.picture_path(row)
    clean = None
    if picture is not None and row.input_side is not None and row.input_side**2 == len(problem.centre):
        clean = _verified(library, picture)
    outputs = judge.outputs(problem.centre)
    if outputs is None or row.source is None or not 0 <= row.source < len(outputs.exact):
        return _Question(judge, None, (), clean, None)
    others = tuple(k for k in range(len(outputs.exact)) if k != row.source)
    targets = others if row.target is None else (row.target,)
    return _Question(judge, row.source, targets, clean, _margins(outputs, row.source))


def _verified(library: Library, path: Path) -> bytes:
    return library.read_verified(path.relative_to(library.folder).as_posix())


def _margins(outputs: NetworkOutputs, source: int) -> Outputs:
    exact, float32 = outputs.exact, outputs.float32
    margins = [float(y) - float(float32[source]) for y in float32]
    return Outputs(tuple(float(y - exact[source]) for y in exact), tuple(margins))


def _best_candidate(
    judge: Judge, runs: pd.DataFrame, results: Path
) -> tuple[tuple[str, float, Float64Array] | None, int]:
    """Return name, value and candidate of the first of these runs whose candidate is still there, and the number of
    runs before it."""
    for lost, (run, value) in enumerate(zip(runs["run"], runs["best_exact_value"], strict=True)):
        with suppress(ResultsError):
            point = _point_of_value(judge, _candidates(results, str(run)), float(value))
            if point is not None:
                return (str(run), float(value), point), lost
    return None, len(runs)


def _candidates(results: Path, run: str) -> Iterable[Float64Array]:
    """Return the candidates of a run, the newest first, because the best is mostly the last."""
    trajectory, _, _ = read_candidates(candidates_path(results, run))
    return (candidate.point for candidate in reversed(trajectory.candidates))


def _point_of_value(judge: Judge, candidates: Iterable[Float64Array], value: float) -> Float64Array | None:
    for candidate in candidates:
        judged = judge.judge(candidate)
        if judged.confirmed and judged.value is not None and float(judged.value) == value:
            return judged.point
    return None


def _shown(row: CatalogRow, question: _Question, run: str, value: float, point: Float64Array) -> BestPoint:
    problem = question.judge.problem
    clean = problem.centre
    outputs = None if question.source is None else question.judge.outputs(point)
    if isinstance(problem, OverInputSet):  # an input that the set determines is not what the candidate says
        point = problem.input_set.nearest(point)
    steps = np.abs(point - clean)
    is_l1 = row.norm == Norm.L1
    side = row.input_side if question.clean is not None else None
    listed = len(point) <= MAX_INPUTS_SHOWN
    return BestPoint(
        run=run,
        value=value,
        changed=int((steps > 0).sum()),
        norm="L1" if is_l1 else "L-infinity",
        distance=float(steps.sum() if is_l1 else steps.max(initial=0.0)),
        largest_step=float(steps.max(initial=0.0)),
        outputs=None if outputs is None or question.source is None else _margins(outputs, question.source),
        picture=None if side is None else picture_png(point, side),
        difference=None if side is None else difference_png(clean, point, side),
        inputs=tuple(zip(clean.tolist(), point.tolist(), strict=True)) if side is None and listed else (),
    )
