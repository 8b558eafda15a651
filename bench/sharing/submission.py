"""One run as somebody submits it, and whether its facts are such as a run can leave. Nothing in it is trusted.

Its candidates are judged again where it is merged; the judgement that it comes with only serves to tell differences.
Times, terminations and bounds are the submitter's word: they are held to be possible, not to be true.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vnnbench.errors import ResultsError
from vnnbench.instances.arrays import Float64Array
from vnnbench.instances.files import sha256
from vnnbench.judging.candidates import Trajectory, parse_candidates
from vnnbench.leaderboard.ranges import MAX_RECORDED_SECONDS
from vnnbench.ledger.validity import miscounted


@dataclass(frozen=True, slots=True)
class SubmittedRun:
    """result, judgement: rows of these tables as they were stored elsewhere. candidates, log: the bytes of its files;
    a log may be missing."""

    instance: str
    result: dict[str, Any]
    judgement: dict[str, Any]
    candidates: bytes
    log: bytes | None

    @property
    def run(self) -> str:
        return str(self.result["run"])

    def trajectory(self, source: str) -> tuple[Trajectory, Float64Array | None, list[str]]:
        """Its candidates, as `parse_candidates` has them. Raises `ResultsError`: they are none, or not those that the
        result tells of."""
        if self.result["candidates_sha256"] not in (None, sha256(self.candidates)):
            raise ResultsError(f"{source}: is not the file that its run left (sha256)")
        found = parse_candidates(self.candidates, source)
        for _, stored, count in miscounted(self.result, found[0]):
            raise ResultsError(f"{source}: holds {count} candidates, its run had {stored} incumbents")
        if any(candidate.seconds < 0 for candidate in found[0].candidates):
            raise ResultsError(f"{source}: holds a candidate from before the run")
        if any(candidate.seconds > MAX_RECORDED_SECONDS for candidate in found[0].candidates):
            raise ResultsError(f"{source}: holds a candidate from after more than {MAX_RECORDED_SECONDS:g} s")
        return found
