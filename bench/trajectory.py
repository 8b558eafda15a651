"""The candidates of one run as they arrive, thinned to what is stored, and their judgement.

Stored are at most MAX_STORED candidates: the first, the last, the best claimed, what the judgement rests on (the first
success, the best exact value), and evenly between; `dropped` counts the rest. The newest candidate is judged first,
since it is the best by the solver's word.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ResultsError
from bench.judge import CandidateJudgement, FileCheck, Judge, finite
from instances.network import Float64Array
from leaderboard.records import Evidence

MAX_STORED = 1_000


@dataclass(slots=True, eq=False)
class Candidate:
    """An input as decoded, the value its solver claimed, its arrival in seconds, and what the judge found."""

    point: Float64Array
    claimed_value: float
    seconds: float
    judgement: CandidateJudgement | None = None


@dataclass(slots=True)
class Trajectory:
    """Candidates of one run in order of arrival."""

    candidates: list[Candidate] = field(default_factory=list)
    dropped: int = 0

    def add(self, candidate: Candidate) -> None:
        """Append; past twice the stored number, thin out."""
        self.candidates.append(candidate)
        if len(self.candidates) >= 2 * MAX_STORED:
            self._thin()

    def finish(self) -> None:
        """Thin to what is stored."""
        if len(self.candidates) > MAX_STORED:
            self._thin()

    def _thin(self) -> None:
        n = len(self.candidates)
        chosen = {0, n - 1, max(range(n), key=lambda i: _claim(self.candidates[i]))}
        judged = [(i, c.judgement) for i, c in enumerate(self.candidates) if c.judgement is not None]
        chosen.update([i for i, judgement in judged if judgement.success][:1])
        valued = [(judgement.value, i) for i, judgement in judged if judgement.value is not None]
        if valued:
            chosen.add(max(valued)[1])
        others = [i for i in range(n) if i not in chosen]
        places = np.linspace(0, len(others) - 1, MAX_STORED - len(chosen)).astype(int).tolist()
        chosen.update(others[place] for place in places)
        self.dropped += n - len(chosen)
        self.candidates = [self.candidates[i] for i in sorted(chosen)]

    def next_unjudged(self) -> Candidate | None:
        """The newest candidate without a judgement."""
        return next((c for c in reversed(self.candidates) if c.judgement is None), None)

    def first_success(self) -> Candidate | None:
        """The earliest arrival that the judge confirmed as the solver's success."""
        return next((c for c in self.candidates if c.judgement is not None and c.judgement.success), None)


def _claim(candidate: Candidate) -> float:
    return -math.inf if math.isnan(candidate.claimed_value) else candidate.claimed_value


def summarize(trajectory: Trajectory, judge: Judge, check: FileCheck | None, judge_seconds: float) -> dict[str, Any]:
    """The row of table `judgements` for one run: the best candidate by its exact value on the dense network."""
    judged = [(c, c.judgement) for c in trajectory.candidates if c.judgement is not None]
    valued = [(c, j) for c, j in judged if j.value is not None]
    _, best = max(valued, key=lambda pair: pair[1].value or 0, default=(None, None))
    own_values = [j.own_value for _, j in judged if j.own_value is not None]
    deployed = judge.deploy(best.point) if best is not None and best.point is not None else None
    success = trajectory.first_success()
    return {
        "judged_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "confirmed": int(any(j.confirmed for _, j in judged)),
        "evidence": best.evidence.value if best is not None else Evidence.NONE.value,
        "best_exact_value": finite(best.value) if best is not None else None,
        "own_value": finite(max(own_values)) if own_values else None,
        "replayed_value": check.replayed_value if check else None,
        "file_value": check.file_value if check else None,
        "row_violation": check.row_violation if check else None,
        "float32_value": finite(deployed.value) if deployed else None,
        "float32_beats_all": int(deployed.beats_all) if deployed and deployed.beats_all is not None else None,
        "raw_violation": best.raw_violation if best is not None else None,
        "judge_seconds": judge_seconds,
        "first_success_seconds": success.seconds if success else None,
    }


# -- files -----------------------------------------------------------------------------------------------------


def candidates_npz(trajectory: Trajectory, columns: Float64Array | None, column_names: list[str]) -> bytes:
    """The bytes of RESULTS/candidates/RUN.npz."""
    n_inputs = len(trajectory.candidates[0].point) if trajectory.candidates else 0
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        inputs=np.array([c.point for c in trajectory.candidates], dtype=np.float64).reshape(
            len(trajectory.candidates), n_inputs
        ),
        values=np.array([c.claimed_value for c in trajectory.candidates], dtype=np.float64),
        seconds=np.array([c.seconds for c in trajectory.candidates], dtype=np.float64),
        dropped=np.array(trajectory.dropped, dtype=np.int64),
        columns=np.empty(0) if columns is None else columns,
        column_names=np.array(column_names if columns is not None else [], dtype=np.str_),
    )
    return buffer.getvalue()


def read_candidates(path: Path) -> tuple[Trajectory, Float64Array | None, list[str]]:
    """What `candidates_npz` wrote. Raises `ResultsError`; never unpickles."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:  # numpy leaks a file it opens
            inputs, values, seconds = (arrays[key] for key in ("inputs", "values", "seconds"))
            columns, names, dropped = arrays["columns"], arrays["column_names"], int(arrays["dropped"])
        if not (inputs.ndim == 2 and inputs.dtype == values.dtype == seconds.dtype == columns.dtype == np.float64):
            raise ValueError("the arrays are not float64 matrices and vectors")
        candidates = [Candidate(x, float(v), float(s)) for x, v, s in zip(inputs, values, seconds, strict=True)]
    except Exception as error:  # numpy and zipfile raise a dozen types for a file that is not what it should be
        raise ResultsError(f"{path}: not a readable candidates file ({type(error).__name__}: {error})") from error
    return Trajectory(candidates, dropped), columns if len(columns) else None, [str(name) for name in names]
