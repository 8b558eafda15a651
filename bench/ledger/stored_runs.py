"""The stored results and judgements of all runs of a ledger, read without the writer's lock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vnnbench.leaderboard.records.reader import read_rows
from vnnbench.leaderboard.records.rows import JudgementRow, ResultRow


@dataclass(frozen=True, slots=True)
class StoredRun:
    """An attempt at a run. instance: its name in the ledger. judgement: the newest, or None where there is none."""

    instance: str
    result: ResultRow
    judgement: JudgementRow | None


def read_stored_runs(path: Path, order: Sequence[str]) -> Iterator[StoredRun]:
    """Yield every attempt of the ledger at `path`, ordered by the columns `order` of table `results`.

    Raises `LedgerError`.
    """
    query = f"""
SELECT i.instance, {ResultRow.selected("r")}, {JudgementRow.selected("j")}
FROM results r JOIN instances i USING (instance_sha256) LEFT JOIN latest_judgements j USING (run)
ORDER BY {", ".join(f"r.{column}" for column in order)}
"""  # noqa: S608 - fixed names
    for row in read_rows(path, query):
        judgement = None if row["j_run"] is None else JudgementRow.of(row, "j")
        yield StoredRun(row["instance"], ResultRow.of(row, "r"), judgement)
