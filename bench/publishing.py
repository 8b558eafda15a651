"""`vnnbench publish`: the site of a ledger, with what its library knows: pictures, classes and margins.

A picture is of a point that is judged again here: the stored candidate whose exact value is the one in the ledger.
Where none is, as when the file is gone or another, there is no picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from bench.errors import ResultsError
from bench.judge import Judge
from bench.ledger import LEDGER_NAME
from bench.merging import MAX_LOG_BYTES
from bench.progress import ProgressBar
from bench.trajectory import candidates_path, read_candidates
from instances.catalog import CatalogRow
from instances.errors import LibraryError
from instances.families import read_problem
from instances.files import read_plain
from instances.input_set import Norm
from instances.library import Library
from instances.network import Float64Array
from instances.pictures import difference_png, picture_png
from leaderboard.records import LedgerError, Verdict, read_runs, read_tables
from leaderboard.site.contents import Source
from leaderboard.site.evidence import BestPoint, InstanceEvidence, Outputs
from leaderboard.site.folder import check_place, write_site
from leaderboard.site.pages import site_files

LOG_BYTES_SHOWN = 1 << 16
"""Of a log's beginning, and of its end."""
WITNESSES = "SELECT run, witness, refuted FROM faults WHERE finding LIKE 'solver:%' OR finding LIKE 'formulation:%'"
"""Of every wrong run, what refutes it."""


def publish(results: Path, library: Library, out: Path) -> int:
    """Write the site of a ledger to the folder `out`, in place of a site that is there; returns how many files.

    Raises `LedgerError` (of it `SiteError`: something else is there), `InputError`.
    """
    check_place(out)
    path = results / LEDGER_NAME
    runs = read_runs(path)
    if runs.empty:
        raise LedgerError(f"{path}: has no runs yet; `vnnbench run` adds some")
    machines, witnesses = read_tables(path, "SELECT * FROM machines ORDER BY machine", WITNESSES)
    evidence = collect_evidence(runs, results, library)
    sides = {*witnesses["run"], *witnesses.loc[witnesses["refuted"] == 1, "witness"]}
    logs = read_logs(results, sides.intersection(runs["run"]))
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return write_site(out, site_files(Source(runs, machines, witnesses, evidence, logs, now)))


@dataclass(frozen=True, slots=True)
class _Question:
    """What the instances of a problem share, read once."""

    judge: Judge
    source: int | None
    targets: tuple[int, ...]
    clean: bytes | None
    clean_outputs: Outputs | None


def collect_evidence(runs: pd.DataFrame, results: Path, library: Library) -> dict[str, InstanceEvidence]:
    """What the library says of every instance that was run, by instance_sha256; those it does not have are left out.

    runs: as `records.read_runs` gives them. Raises `InputError` where a file of the library cannot be read.
    """
    known = {row.instance_sha256: row for row in library.rows}
    confirmed = runs[runs["verdict"].isin([Verdict.ADVERSARIAL, Verdict.VALUE]) & runs["best_exact_value"].notna()]
    best = confirmed.sort_values(["best_exact_value", "first_success_seconds", "run"], ascending=[False, True, True])
    by_instance = {str(digest): own for digest, own in best.groupby("instance_sha256", sort=False)}
    wanted = [known[digest] for digest in runs["instance_sha256"].unique() if digest in known]
    # The instances of a problem one after the other: its networks are read once, and let go.
    wanted.sort(key=lambda row: (row.dense_network, row.property))
    found: dict[str, InstanceEvidence] = {}
    question, key = None, None
    with ProgressBar("publish") as progress:
        progress.start(len(wanted), 0)
        for row in wanted:
            if key != (row.dense_network, row.property):
                question, key = _read_question(row, library), (row.dense_network, row.property)
            assert question is not None  # noqa: S101 - the key was None before
            own = by_instance.get(row.instance_sha256)
            point = None if own is None else _best_point(row, question, own, results)
            found[row.instance_sha256] = InstanceEvidence(
                question.source, question.targets, question.clean, question.clean_outputs, point
            )
            progress.advance(row.instance)
    return found


def read_logs(results: Path, runs: Iterable[str]) -> dict[str, str]:
    """The logs of these runs, sorted, of a long one its beginning and end; those that are not there, or are none, are
    left out."""
    found = {}
    for run in sorted(runs):
        path = results / "logs" / f"{run}.log.gz"
        if path.name != f"{run}.log.gz":  # a name, from a ledger, that leads elsewhere
            continue
        with suppress(LibraryError, ValueError):  # ValueError: what is no file name at all
            log = read_plain(path, MAX_LOG_BYTES, LibraryError)
            left_out = len(log) - 2 * LOG_BYTES_SHOWN
            if left_out > 0:
                cut = f"\n\n[... {left_out} bytes are left out here ...]\n\n".encode()
                log = log[:LOG_BYTES_SHOWN] + cut + log[-LOG_BYTES_SHOWN:]
            found[run] = log.decode(errors="replace")
    return found


def _read_question(row: CatalogRow, library: Library) -> _Question:
    dense, _ = (_verified(library, path) for path in (library.dense_network_path(row), library.property_path(row)))
    problem = read_problem(library.property_path(row))
    judge = Judge(problem, dense, dense, library.model_path(row))
    judge.judge(problem.centre)  # raises where network and property do not fit
    picture = library.picture_path(row)
    clean = None
    if picture is not None and row.input_side is not None and row.input_side**2 == len(problem.centre):
        clean = _verified(library, picture)
    exact, _ = judge.outputs(problem.centre)
    if row.source is None or not 0 <= row.source < len(exact):
        return _Question(judge, None, (), clean, None)
    others = tuple(k for k in range(len(exact)) if k != row.source)
    targets = others if row.target is None else (row.target,)
    return _Question(judge, row.source, targets, clean, _outputs(judge, problem.centre, row.source))


def _verified(library: Library, path: Path) -> bytes:
    return library.read_verified(path.relative_to(library.folder).as_posix())


def _outputs(judge: Judge, point: Float64Array, source: int) -> Outputs:
    exact, float32 = judge.outputs(point)
    margins = [float(y) - float(float32[source]) for y in float32]
    return Outputs(tuple(float(y - exact[source]) for y in exact), tuple(margins))


def _best_point(row: CatalogRow, question: _Question, runs: pd.DataFrame, results: Path) -> BestPoint | None:
    """Of the best of these runs, in their order, whose candidate is still there."""
    for run, value in zip(runs["run"], runs["best_exact_value"], strict=True):
        with suppress(ResultsError):
            point = _point_of_value(question.judge, _candidates(results, str(run)), float(value))
            if point is not None:
                return _shown(row, question, str(run), float(value), point)
    return None


def _candidates(results: Path, run: str) -> Iterable[Float64Array]:
    """Newest first: the best is mostly the last."""
    trajectory, _, _ = read_candidates(candidates_path(results, run))
    return (candidate.point for candidate in reversed(trajectory.candidates))


def _point_of_value(judge: Judge, candidates: Iterable[Float64Array], value: float) -> Float64Array | None:
    for candidate in candidates:
        judged = judge.judge(candidate)
        if judged.confirmed and judged.value is not None and float(judged.value) == value:
            return judged.point
    return None


def _shown(row: CatalogRow, question: _Question, run: str, value: float, point: Float64Array) -> BestPoint:
    clean = question.judge.problem.centre
    steps = np.abs(point - clean)
    is_l1 = row.norm == Norm.L1
    side = row.input_side if question.clean is not None else None
    return BestPoint(
        run=run,
        value=value,
        changed=int((steps > 0).sum()),
        norm="L1" if is_l1 else "L-infinity",
        distance=float(steps.sum() if is_l1 else steps.max(initial=0.0)),
        largest_step=float(steps.max(initial=0.0)),
        outputs=None if question.source is None else _outputs(question.judge, point, question.source),
        picture=None if side is None else picture_png(point, side),
        difference=None if side is None else difference_png(clean, point, side),
    )
