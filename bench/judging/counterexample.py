"""A counterexample from a results folder with all that is needed to show it, found by judging candidates again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.families.base import NetworkOutputs
from vnnbench.instances.library.catalog import CatalogRow
from vnnbench.instances.library.library import Library
from vnnbench.instances.properties.input_set import Norm
from vnnbench.judging.candidates import candidates_path, read_candidates
from vnnbench.judging.judge import Judge
from vnnbench.leaderboard.words import Verdict


@dataclass(frozen=True, slots=True, eq=False)
class Counterexample:
    """A confirmed counterexample on an image.

    clean, perturbed: (side * side,) pixels. clean_class, perturbed_class: by exact arithmetic on the dense network.
    target: the class whose margin over the source is `value`. distance: in this norm, "L1" or "L-infinity".
    """

    instance: str
    solver: str
    seconds: float
    side: int
    clean: Float64Array
    perturbed: Float64Array
    clean_class: int
    perturbed_class: int
    source: int
    target: int
    value: float
    norm: str
    distance: float


def find_counterexample(runs: pd.DataFrame, results: Path, library: Library) -> Counterexample | None:
    """Return the clearest confirmed counterexample on an image, or None when there is none.

    Those whose target beats every class come first, then those with the largest exact margin. runs: as
    `vnnbench.leaderboard.records.reader.read_runs` returns them. Raises `InputError`, `ResultsError`.
    """
    confirmed = runs[
        (runs.verdict == Verdict.ADVERSARIAL) & runs.first_success_seconds.notna() & runs.input_side.notna()
    ]
    order = ["float32_beats_all", "best_exact_value", "run"]
    for run in confirmed.sort_values(order, ascending=[False, False, True]).itertuples():
        row = library.row(str(run.instance))
        found = _show(row, library, candidates_path(results, str(run.run)), str(run.solver))
        if found is not None:
            return found
    return None


def _show(row: CatalogRow, library: Library, path: Path, solver: str) -> Counterexample | None:
    judge = Judge.of_instance(library, row)
    trajectory, _, _ = read_candidates(path)
    judged = [(candidate, judge.judge(candidate.point)) for candidate in trajectory.candidates]
    best = max(
        ((c, j) for c, j in judged if j.success and j.value is not None),
        key=lambda pair: pair[1].value or 0,
        default=None,
    )
    if best is None or best[1].point is None or best[1].value is None or row.source is None:
        return None
    clean, point = judge.problem.centre, best[1].point
    clean_outputs, outputs = judge.outputs(clean), judge.outputs(point)
    if clean_outputs is None or outputs is None:
        return None
    exact, is_l1 = outputs.exact, row.norm == Norm.L1
    target = next(k for k, y in enumerate(exact) if k != row.source and y - exact[row.source] == best[1].value)
    steps = np.abs(point - clean)
    return Counterexample(
        instance=row.instance,
        solver=solver,
        seconds=best[0].seconds,
        side=row.input_side or round(len(clean) ** 0.5),
        clean=clean,
        perturbed=point,
        clean_class=_class(clean_outputs),
        perturbed_class=_class(outputs),
        source=row.source,
        target=target,
        value=float(best[1].value),
        norm="L1" if is_l1 else "L-infinity",
        distance=float(steps.sum() if is_l1 else steps.max()),
    )


def _class(outputs: NetworkOutputs) -> int:
    return outputs.exact.index(max(outputs.exact))
