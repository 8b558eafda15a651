"""A submitted run: its rows are ones that a run can leave, and nothing in it is trusted.

Its candidates are judged again where it is merged; the judgement that it comes with serves only to report differences.
Times, terminations and bounds are the word of the submitter: they are checked to be possible, not to be true.
"""

from __future__ import annotations

from dataclasses import dataclass

from vnnbench.leaderboard.records.rows import JudgementRow, ResultRow


@dataclass(frozen=True, slots=True)
class SubmittedRun:
    """An attempt at a submitted run.

    instance: its name in the bundle. result, judgement: as they were stored by the submitter. candidates, log: the
    bytes of its files; a log may be missing."""

    instance: str
    result: ResultRow
    judgement: JudgementRow
    candidates: bytes
    log: bytes | None

    @property
    def run(self) -> str:
        return self.result.run
