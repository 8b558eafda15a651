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
class Batches:
    """Work of one kind. wanted: networks or instances that the selection names. tasks: those that make them, each with
    how many it makes: a whole batch."""

    wanted: int
    tasks: tuple[tuple[str, int], ...]

    @property
    def made(self) -> int:
        """How many are made, wanted or not."""
        return sum(n for _, n in self.tasks)


@dataclass(frozen=True, slots=True)
class GenerationPlan:
    """What makes the instances of a suite, whatever of it is there already."""

    trained: Batches
    finetuned: Batches
    instances: Batches


@dataclass(frozen=True, slots=True)
class Work:
    """How much of one kind is left. before: how many of the batches' are there already. seconds: of one on one core, as
    measured by those before; None: none is there."""

    batches: Batches
    before: int
    seconds: float | None

    @property
    def left(self) -> int:
        """How many are still to make."""
        return self.batches.made - self.before

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
        return self.n_bytes / done.before * done.batches.made if done.before else None


def plan_generation(suite: Suite, select: Sequence[str] = (), *, networks_given: bool = False) -> GenerationPlan:
    """Return what makes the suite's instances, or those that `select` names.

    networks_given: the networks come from another library, so none is trained. Raises LibraryError when `select`
    matches nothing.
    """
    every = list(suite.instances())
    chosen = select_names([instance.name for instance in every], select, f"suite {suite.name}")
    instances = [instance for instance in every if instance.name in chosen]
    makes = Batches(len(instances), _of_networks(instances))
    if networks_given:
        return GenerationPlan(Batches(0, ()), Batches(0, ()), makes)
    dense = {instance.dense_network for instance in instances}
    surrogates = {instance.network for instance in instances if instance.finetuned}
    trained, finetuned = _training(suite, instances), _finetuning(suite, instances)
    return GenerationPlan(Batches(len(dense), trained), Batches(len(surrogates), finetuned), makes)


def forecast(plan: GenerationPlan, folder: Path) -> Forecast:
    """Return what is left of a plan in the library `folder`, and how long it takes by what is there: the files of an
    unfinished library are read and compared with its records. Nothing is written."""
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


def _training(suite: Suite, instances: Sequence[PlannedInstance]) -> tuple[tuple[str, int], ...]:
    groups = dict.fromkeys(instance.group for instance in instances)
    return tuple((group_task_name(group), 0 if suite.training is None else len(group.seeds)) for group in groups)


def _finetuning(suite: Suite, instances: Sequence[PlannedInstance]) -> tuple[tuple[str, int], ...]:
    """Return the tasks that train surrogates: by SPR one network for every cell of the grid."""
    tasks: list[tuple[str, int]] = []
    for group, pruning in dict.fromkeys((i.group, i.pruning) for i in instances if i.finetuned):
        if pruning == SPR and suite.spr is not None:
            cells = len(suite.spr.lambdas) * len(suite.spr.alphas)
            tasks += [(grid_task_name(group, seed), cells) for seed in group.seeds]
        elif pruning is not None:
            tasks.append((finetune_task_name(group, pruning), len(group.seeds)))
    return tuple(tasks)


def _of_networks(instances: Sequence[PlannedInstance]) -> tuple[tuple[str, int], ...]:
    counts = Counter(instance.dense_network for instance in instances)
    return tuple((instances_task_name(name), n) for name, n in counts.items())


def _records(folder: Path, tasks: Sequence[str]) -> dict[str, Record]:
    return {task: record for task in tasks if (record := load_record(folder, task)) is not None}
