"""The forecast of a generation's work, shown before it starts or by `--dry-run`.

A group of networks trains as one batch, and so do its surrogates of one finetuned pruning. One instance may need the
whole batch, because the bytes of each network depend on it. So the numbers can be far above those of the selection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from vnnbench.instances.generation.checkpoint import Record, load_record
from vnnbench.instances.generation.suite_work import Batches, GenerationPlan
from vnnbench.instances.layout import MANIFEST


@dataclass(frozen=True, slots=True)
class Work:
    """The work of one kind that is left.

    before: the number that is already made. seconds: the time of one on one core, measured by those; None without any.
    """

    batches: Batches
    before: int
    seconds: float | None

    @property
    def left(self) -> int:
        """The number that is still to be made."""
        return self.batches.made - self.before

    @property
    def seconds_left(self) -> float | None:
        """The seconds of one core for what is left; None if nothing was measured."""
        if self.left == 0:
            return 0.0
        return None if self.seconds is None else self.left * self.seconds


@dataclass(frozen=True, slots=True)
class Forecast:
    """The work of generating the instances of a suite. n_bytes: size of the files of `instances.before`."""

    trained: Work
    finetuned: Work
    instances: Work
    n_bytes: int

    @property
    def hours_left(self) -> float | None:
        """The hours on one core; None if a kind of work that is left was not measured."""
        parts = [work.seconds_left for work in (self.trained, self.finetuned, self.instances)]
        known = [part for part in parts if part is not None]
        return sum(known) / 3600 if len(known) == len(parts) else None

    @property
    def bytes_in_all(self) -> float | None:
        """The estimated size of the whole library in bytes; None if no instance exists yet."""
        done = self.instances
        return self.n_bytes / done.before * done.batches.made if done.before else None


def forecast(plan: GenerationPlan, folder: Path) -> Forecast:
    """Return the work that is left of a plan in the library `folder`, with times measured by its finished tasks.

    The files of an unfinished library are read and compared with its records. Nothing is written.
    """
    complete = (folder / MANIFEST).is_file()
    tasks = (*plan.trained.tasks, *plan.finetuned.tasks, *plan.instances.tasks)
    records = {} if complete else _records(folder, [name for name, _ in tasks])

    def work(batches: Batches, seconds: Sequence[float]) -> Work:
        before = batches.made if complete else sum(n for name, n in batches.tasks if name in records)
        return Work(batches, before, fmean(seconds) if seconds else None)

    rows = [times for record in records.values() for times in record.timings.values()]
    facts = [network for record in records.values() for network in record.networks.values()]
    return Forecast(
        work(plan.trained, _column(facts, "train_seconds")),
        work(plan.finetuned, _column(facts, "finetune_seconds")),
        work(plan.instances, [sum(_column([row], *_INSTANCE_COLUMNS)) for row in rows]),
        sum((folder / path).stat().st_size for record in records.values() for path in record.files),
    )


_INSTANCE_COLUMNS = ("prune_seconds", "bounds_seconds", "export_seconds")


def _column(rows: Sequence[dict[str, Any]], *names: str) -> list[float]:
    return [float(row[name]) for row in rows for name in names if row.get(name) is not None]


def _records(folder: Path, tasks: Sequence[str]) -> dict[str, Record]:
    return {task: record for task in tasks if (record := load_record(folder, task)) is not None}
