"""The candidates of one run as they arrive, thinned to what is stored, and their judgement.

At most MAX_STORED candidates are stored, fewer where these would have more than MAX_CANDIDATE_BYTES: the first, the
last, the best by its claim, those that the judgement rests on (the first success, the best exact value), and others
evenly between; `dropped` counts the rest. A candidate that is sent again, bit by bit the same, is not a new one. The
best by its claim is judged first, then the newest.
"""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

from vnnbench.common.numbers import MAX_REAL, finite
from vnnbench.errors import ResultsError
from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.families.base import Problem
from vnnbench.instances.files import read_plain, sha256
from vnnbench.instances.limits import MAX_ARRAY_BYTES
from vnnbench.instances.npz import read_arrays
from vnnbench.isolation.protocol import MAX_COLUMNS
from vnnbench.judging.judge import CandidateJudgement, FileCheck, Judge
from vnnbench.leaderboard.ranges import MAX_RECORDED_SECONDS
from vnnbench.leaderboard.records.measures import measures_json
from vnnbench.leaderboard.records.rows import JudgementRow
from vnnbench.leaderboard.words import Evidence
from vnnbench.limits import MAX_CANDIDATE_BYTES

MAX_STORED, _LEAST_STORED = 1_000, 10
MAX_FILE_BYTES = MAX_ARRAY_BYTES + 65_536
"""The most bytes of a candidates file: its arrays, and the zip's list of them."""
_STEP_CHARACTERS = 60
"""The most characters of a stored step: two numbers of up to 24 characters, and punctuation."""
Step = tuple[float, float]
"""A step: seconds, and the value or bound that was reached then."""


@dataclass(slots=True, eq=False)
class Candidate:
    """An input as decoded, the value that its solver claimed, its arrival in seconds, and its judgement."""

    point: Float64Array
    claimed_value: float
    seconds: float
    judgement: CandidateJudgement | None = None


@dataclass(slots=True)
class Trajectory:
    """The candidates of one run, no two alike, in the order of arrival. repeated: how many of the dropped ones were
    sent again. first_success: the earliest candidate that the judge confirmed as the solver's success."""

    candidates: list[Candidate] = field(default_factory=list)
    dropped: int = 0
    repeated: int = 0
    first_success: Candidate | None = None
    _newest: Candidate | None = None
    _best_claimed: Candidate | None = None
    _waiting: dict[int, Candidate] = field(default_factory=dict)
    _known: dict[str, Candidate] = field(default_factory=dict)

    def add(self, candidate: Candidate) -> None:
        """Append a candidate unless it is known; thin out when there are twice as many as are stored."""
        known = self._newest = self._known.setdefault(_digest(candidate), candidate)
        if known.judgement is None:
            self._waiting.pop(id(known), None)
            self._waiting[id(known)] = known
        if known is not candidate:
            self.repeated += 1
            self.dropped += 1
            return
        self.candidates.append(candidate)
        if self._best_claimed is None or _claim(candidate) > _claim(self._best_claimed):
            self._best_claimed = candidate
        if len(self.candidates) >= 2 * self._most:
            self._thin()

    def finish(self) -> None:
        """Thin out to the candidates that are stored."""
        if len(self.candidates) > self._most:
            self._thin()

    @property
    def _most(self) -> int:
        """The number of candidates that are stored."""
        n_bytes = self.candidates[0].point.nbytes if self.candidates else 0
        return min(MAX_STORED, max(_LEAST_STORED, MAX_CANDIDATE_BYTES // max(1, n_bytes)))

    def _thin(self) -> None:
        n = len(self.candidates)
        valued = [c for c in self.candidates if c.judgement is not None and c.judgement.value is not None]
        best = max(valued, key=_value, default=None)
        kept = {id(c) for c in (self._newest, self._best_claimed, self.first_success, best)}
        chosen = {0, n - 1, *(i for i, c in enumerate(self.candidates) if id(c) in kept)}
        others = [i for i in range(n) if i not in chosen]
        chosen.update(others[place] for place in _evenly(len(others), self._most - len(chosen)))
        self.dropped += n - len(chosen)
        self.candidates = [self.candidates[i] for i in sorted(chosen)]
        self._known = {_digest(c): c for c in self.candidates}
        self._waiting = {id(c): c for c in self.candidates if c.judgement is None}

    def next_unjudged(self) -> Candidate | None:
        """Return the candidate to judge next: the best by its claim, then the newest; None when all are judged.

        In a flood of candidates one that is soon replaced as the newest is judged only if it claims more than all
        others.
        """
        if self._best_claimed is not None and self._best_claimed.judgement is None:
            return self._best_claimed
        return next(reversed(self._waiting.values()), None)

    def judged(self, candidate: Candidate, judgement: CandidateJudgement) -> None:
        """Record the judgement of a candidate."""
        candidate.judgement = judgement
        self._waiting.pop(id(candidate), None)
        first = self.first_success
        if judgement.success and (first is None or candidate.seconds < first.seconds):
            self.first_success = candidate


def _digest(candidate: Candidate) -> str:
    return sha256(candidate.point.tobytes())


def _claim(candidate: Candidate) -> float:
    return -math.inf if math.isnan(candidate.claimed_value) else candidate.claimed_value


def _value(candidate: Candidate) -> Fraction:
    assert candidate.judgement is not None and candidate.judgement.value is not None  # noqa: S101 - callers checked
    return candidate.judgement.value


def _evenly(n: int, count: int) -> list[int]:
    """Return `count` of n places, evenly spaced, the first and the last among them."""
    return [int(place) for place in np.linspace(0, n - 1, count)]


# -- steps -----------------------------------------------------------------------------------------------------


def thin(steps: list[Step]) -> list[Step]:
    """Return at most MAX_STORED of these steps, the first and the last among them."""
    return steps if len(steps) <= MAX_STORED else [steps[place] for place in _evenly(len(steps), MAX_STORED)]


def steps_json(steps: list[Step]) -> str:
    """Return steps as the ledger stores them: [[seconds, value], ...], thinned."""
    return json.dumps(thin(steps))


def parse_steps(text: str) -> list[Step] | None:
    """Return the steps that `steps_json` wrote; None for any other text, and for times negative or out of order."""
    if len(text) > MAX_STORED * _STEP_CHARACTERS:
        return None
    try:
        found = json.loads(text)
        steps = [(seconds, value) for seconds, value in found]
        written = json.dumps(steps) == text
    except (ValueError, TypeError, RecursionError):
        return None
    if not written or len(steps) > MAX_STORED or any(type(number) is not float for step in steps for number in step):
        return None
    in_range = all(0 <= seconds <= MAX_RECORDED_SECONDS and abs(value) <= MAX_REAL for seconds, value in steps)
    return steps if in_range and all(earlier[0] <= later[0] for earlier, later in pairwise(steps)) else None


def _primal_steps(trajectory: Trajectory) -> list[Step]:
    """Return arrival and exact value on the dense network of every judged candidate that is better than all before."""
    steps: list[Step] = []
    for candidate in trajectory.candidates:
        value = None if candidate.judgement is None else finite(candidate.judgement.value)
        if value is not None and (not steps or value > steps[-1][1]):
            steps.append((candidate.seconds, value))
    return steps


# -- judgement -------------------------------------------------------------------------------------------------

COUNTED_IN_TIME = ("as_given_violation", "repaired_violation", "own_answers", "transferred_answers")
"""Columns of table `judgements` that count candidates within the time limit. Older versions counted later ones too."""


def summarize(
    run: str,
    trajectory: Trajectory,
    judge: Judge,
    check: FileCheck | None,
    judge_seconds: float,
    time_limit_seconds: float,
) -> JudgementRow:
    """Return the judgement of an attempt named `run`, about its best candidate by the exact value on the dense network.

    The fields `COUNTED_IN_TIME` are about the candidates that arrived within the time limit, because a later one does
    not count as an answer in any table. judge_seconds: the time that judging has taken so far.
    """
    start = time.perf_counter()
    judged = [(c, c.judgement) for c in trajectory.candidates if c.judgement is not None]
    in_time = [(c, j) for c, j in judged if c.seconds <= time_limit_seconds]
    valued = [(c, j) for c, j in judged if j.value is not None]
    _, best = max(valued, key=lambda pair: pair[1].value or 0, default=(None, None))
    own_values = [j.own_value for _, j in judged if j.own_value is not None]
    point = best.point if best is not None else None
    deployed = judge.deploy(point) if point is not None else None
    success = trajectory.first_success
    repaired = [j.raw_violation for _, j in in_time if j.confirmed and j.raw_violation is not None]
    own_answers, transferred_answers = count_answers((j for _, j in in_time), judge.problem)
    return JudgementRow(
        run=run,
        judged_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        confirmed=int(any(j.confirmed for _, j in judged)),
        evidence=best.evidence.value if best is not None else Evidence.NONE.value,
        best_exact_value=finite(best.value) if best is not None else None,
        own_value=finite(max(own_values)) if own_values else None,
        replayed_value=check.replayed_value if check else None,
        file_value=check.file_value if check else None,
        row_violation=check.row_violation if check else None,
        float32_value=finite(deployed.value) if deployed else None,
        float32_beats_all=int(deployed.beats_all) if deployed and deployed.beats_all is not None else None,
        raw_violation=best.raw_violation if best is not None else None,
        first_success_seconds=success.seconds if success else None,
        primal_steps=steps_json(_primal_steps(trajectory)),
        as_given_violation=_as_given_violation(in_time, judge),
        repaired_violation=min(repaired, default=None),
        own_answers=own_answers,
        transferred_answers=transferred_answers,
        measures=None if point is None else measures_json(judge.measures(point)),
        judge_seconds=judge_seconds + time.perf_counter() - start,
    )


def count_answers(judgements: Iterable[CandidateJudgement], problem: Problem) -> tuple[int | None, int | None]:
    """Return how many candidates answer the problem on the instance's own network, and how many of these do on the
    dense network too. Both are None for a problem without a threshold, which no value answers."""
    if problem.threshold is None:
        return None, None
    answering = [j for j in judgements if j.own_value is not None and problem.answers(j.own_value)]
    return len(answering), sum(j.confirmed for j in answering)


def _as_given_violation(judged: list[tuple[Candidate, CandidateJudgement]], judge: Judge) -> float | None:
    """Return the least violation of the set by a candidate whose value confirms the problem without repair; None where
    no candidate does."""
    measured = [(j.raw_violation, c, j) for c, j in judged if j.raw_violation is not None]
    for violation, candidate, judgement in sorted(measured, key=lambda found: found[0]):
        as_given = judgement.evidence is Evidence.EXACT
        if judgement.confirmed if as_given else judge.confirms_as_given(candidate.point):
            return violation
    return None


# -- files -----------------------------------------------------------------------------------------------------


def candidates_npz(trajectory: Trajectory, columns: Float64Array | None, column_names: list[str]) -> bytes:
    """Return the bytes of RESULTS/candidates/RUN.npz."""
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


def candidates_path(results: Path, run: str) -> Path:
    """Return the path of a run's candidates file. Raises `ResultsError` where its name, which may come from a ledger of
    any origin, leads out of the folder."""
    path = results / "candidates" / f"{run}.npz"
    if path.name != f"{run}.npz" or "\0" in run:
        raise ResultsError(f"{results}: {run[:40]!r} is not the name of a run")
    return path


def read_candidates(path: Path) -> tuple[Trajectory, Float64Array | None, list[str]]:
    """Return the candidates, final columns and column names that `candidates_npz` wrote. Raises `ResultsError`."""
    return parse_candidates(candidates_bytes(path), str(path))


def candidates_bytes(path: Path) -> bytes:
    """Return the bytes of a candidates file. Raises `ResultsError`, whose cause is a FileNotFoundError where there is
    none."""
    return read_plain(path, MAX_FILE_BYTES, ResultsError)


def parse_candidates(data: bytes, source: str) -> tuple[Trajectory, Float64Array | None, list[str]]:
    """Return the candidates, final columns and column names in the bytes of `source`, without unpickling anything.

    Raises `ResultsError`.
    """
    wanted = ("inputs", "values", "seconds", "dropped", "columns", "column_names")
    arrays = read_arrays(data, source, wanted, ResultsError)
    inputs, values, seconds, dropped, columns, names = arrays.values()
    fits = (
        inputs.dtype == values.dtype == seconds.dtype == columns.dtype == np.float64
        and dropped.dtype == np.int64
        and names.dtype.kind == "U"
        and (inputs.ndim, values.ndim, seconds.ndim, dropped.ndim, columns.ndim, names.ndim) == (2, 1, 1, 0, 1, 1)
        and len(inputs) == len(values) == len(seconds) <= MAX_STORED
        and len(columns) == len(names) <= MAX_COLUMNS
        and np.isfinite(seconds).all()
        and dropped >= 0
    )
    if not fits:
        raise ResultsError(f"{source}: not a readable candidates file: its arrays are not those that a run leaves")
    trajectory = Trajectory(dropped=int(dropped))
    for x, value, arrival in zip(inputs, values, seconds, strict=True):
        trajectory.add(Candidate(x, float(value), float(arrival)))
    return trajectory, columns if len(columns) else None, [str(name) for name in names]
