"""What generating a library takes: told before it starts, or asked for with `--dry-run`.

A group of networks trains as one batch, and so do its surrogates of one finetuned pruning: one instance may need all
of them, since the bytes of each depend on the batch. That is why the numbers can be far above what is selected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from vnnbench.instances.generation.checkpoint import Record, load_record
from vnnbench.instances.generation.instance_tasks import instances_task_name
from vnnbench.instances.generation.network_tasks import finetune_task_name, grid_task_name, group_task_name
from vnnbench.instances.layout import MANIFEST
from vnnbench.instances.library.library import select_names
from vnnbench.instances.suites.suite import SPR, PlannedInstance, Suite


@dataclass(frozen=True, slots=True)
class Work:
    """How much of one kind is to make. wanted: networks or instances that the selection names. made: those that are
    made for them, whole batches. before: how many of these are there already. seconds: of one on one core, as measured
    by those before; None: none is there."""

    wanted: int
    made: int
    before: int
    seconds: float | None

    @property
    def left(self) -> int:
        """How many are still to make."""
        return self.made - self.before

    @property
    def seconds_left(self) -> float | None:
        """Seconds of one core for what is left; None where nothing was measured."""
        if self.left == 0:
            return 0.0
        return None if self.seconds is None else self.left * self.seconds


@dataclass(frozen=True, slots=True)
class Forecast:
    """What generating the instances of a suite takes. n_bytes: of the files that are there, of `instances.before`."""

    trained: Work
    finetuned: Work
    instances: Work
    n_bytes: int

    @property
    def hours_left(self) -> float | None:
        """Hours on one core; None where a kind of work that is left was not measured."""
        parts = [work.seconds_left for work in (self.trained, self.finetuned, self.instances)]
        known = [part for part in parts if part is not None]
        return sum(known) / 3600 if len(known) == len(parts) else None

    @property
    def bytes_in_all(self) -> float | None:
        """Bytes of the library, by what is there; None where there is none of it."""
        done = self.instances
        return self.n_bytes / done.before * done.made if done.before else None


def forecast(suite: Suite, folder: Path, select: Sequence[str] = (), *, networks_given: bool = False) -> Forecast:
    """Return what is to make of a suite, or of the instances that `select` names, in the library `folder`.

    networks_given: they come from another library, so none is trained. Nothing is written. Raises LibraryError when
    `select` matches nothing.
    """
    every = list(suite.instances())
    chosen = select_names([instance.name for instance in every], select, f"suite {suite.name}")
    instances = [instance for instance in every if instance.name in chosen]
    complete = (folder / MANIFEST).is_file()
    trained, finetuned = ([], []) if networks_given else (_training(suite, instances), _finetuning(suite, instances))
    makes = [(instances_task_name(name), n) for name, n in _of_networks(instances)]
    dense = {instance.dense_network for instance in instances}
    surrogates = {instance.network for instance in instances if instance.finetuned}
    records = {} if complete else _records(folder, [name for name, _ in (*trained, *finetuned, *makes)])

    def work(wanted: int, tasks: Sequence[tuple[str, int]], seconds: Sequence[float]) -> Work:
        made = sum(n for _, n in tasks)
        before = made if complete else sum(n for name, n in tasks if name in records)
        return Work(wanted, made, before, fmean(seconds) if seconds else None)

    rows = [times for record in records.values() for times in record.timings.values()]
    facts = [network for record in records.values() for network in record.networks.values()]
    return Forecast(
        work(0 if networks_given else len(dense), trained, _column(facts, "train_seconds")),
        work(0 if networks_given else len(surrogates), finetuned, _column(facts, "finetune_seconds")),
        work(len(instances), makes, [sum(_column([row], *_INSTANCE_COLUMNS)) for row in rows]),
        sum((folder / path).stat().st_size for record in records.values() for path in record.files),
    )


_INSTANCE_COLUMNS = ("prune_seconds", "bounds_seconds", "export_seconds")


def _column(rows: Sequence[dict[str, Any]], *names: str) -> list[float]:
    return [float(row[name]) for row in rows for name in names if row.get(name) is not None]


def _training(suite: Suite, instances: Sequence[PlannedInstance]) -> list[tuple[str, int]]:
    """Each group's task, with how many networks it trains."""
    groups = dict.fromkeys(instance.group for instance in instances)
    return [(group_task_name(group), 0 if suite.training is None else len(group.seeds)) for group in groups]


def _finetuning(suite: Suite, instances: Sequence[PlannedInstance]) -> list[tuple[str, int]]:
    """Each task that trains surrogates, with how many: by SPR one for every cell of the grid."""
    tasks: list[tuple[str, int]] = []
    for group, pruning in dict.fromkeys((i.group, i.pruning) for i in instances if i.finetuned):
        if pruning == SPR and suite.spr is not None:
            cells = len(suite.spr.lambdas) * len(suite.spr.alphas)
            tasks += [(grid_task_name(group, seed), cells) for seed in group.seeds]
        elif pruning is not None:
            tasks.append((finetune_task_name(group, pruning), len(group.seeds)))
    return tasks


def _of_networks(instances: Sequence[PlannedInstance]) -> list[tuple[str, int]]:
    """Return the dense networks, with how many instances each has."""
    return list(Counter(instance.dense_network for instance in instances).items())


def _records(folder: Path, tasks: Sequence[str]) -> dict[str, Record]:
    return {task: record for task in tasks if (record := load_record(folder, task)) is not None}
