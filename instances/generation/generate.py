"""The generation of a library: the plan's tasks in worker processes, then the catalogue, then library.json.

First the networks of every group are made, then its trained surrogates, with one task per pruning; or all of them are
taken from another library. Then each dense network is a task of its own. If the generation is stopped at any moment,
the same call continues it, and the files are the same.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from multiprocessing import active_children
from pathlib import Path
from typing import Any

from vnnbench.instances.datasets.dataset import check_data_folder
from vnnbench.instances.errors import LibraryError
from vnnbench.instances.files import sha256
from vnnbench.instances.generation.checkpoint import Record, load_record, remove_state, unfinished
from vnnbench.instances.generation.finalize import finish, recipe
from vnnbench.instances.generation.instance_tasks import NetworkTask, make_instances
from vnnbench.instances.generation.network_tasks import (
    ChoiceTask,
    FinetuneTask,
    GridTask,
    GroupTask,
    choose_from_grid,
    finetune_group,
    grid_task_name,
    group_task_name,
    make_group,
    train_grid,
)
from vnnbench.instances.generation.repair import mend
from vnnbench.instances.generation.reused_networks import GivenNetwork, answers_given, copy_networks, networks_given
from vnnbench.instances.generation.workers import training_threads, worker_pool
from vnnbench.instances.layout import MANIFEST, STATE, network_file
from vnnbench.instances.library.library import Library, select_names
from vnnbench.instances.library.sealed_answers import planting_key, read_seal
from vnnbench.instances.progress import GenerationProgress, Progress, Silent
from vnnbench.instances.suites.suite import SPR, Group, PlannedInstance, Suite
from vnnbench.instances.training.plan import Compute


@dataclass(frozen=True, slots=True)
class GenerationOptions:
    """The options of a generation, beside its suite.

    data_folder: the folder of data sets that are not in the package. networks_from: a library whose dense and finetuned
    networks replace training. key_file: its bytes decide which problems get planted answers; without it the suite does
    (`planting`). jobs: number of worker processes. device: trains the networks, "cpu" or "cuda".
    """

    data_folder: Path | None = None
    networks_from: Library | None = None
    key_file: Path | None = None
    jobs: int = 1
    device: str = "cpu"


def generate(
    suite: Suite,
    folder: Path,
    options: GenerationOptions = GenerationOptions(),
    select: Sequence[str] = (),
    progress: GenerationProgress | None = None,
) -> Library:
    """Generate the suite's instances, or those that `select` names, as the library `folder`; open it when done.

    The bytes do not depend on `jobs`, on `select` or on interruptions. A complete library that holds the wanted
    instances is left as it is, except that `repair` restores files that are missing or altered.

    Raises LibraryError (the folder holds something else or cannot be written, nothing is selected, networks_from
    lacks a network), DataError, DeviceError and SuiteError. KeyboardInterrupt ends the workers at once; the same call
    continues the generation.
    """
    chosen = select_names([instance.name for instance in suite.instances()], select, f"suite {suite.name}")
    instances = [instance for instance in suite.instances() if instance.name in chosen]
    key = planting_key(suite, options.key_file)
    check_data_folder(suite.dataset, options.data_folder)
    observer = progress or Silent()

    def make(instances: list[PlannedInstance], folder: Path, networks_from: Library | None, key: str | None) -> None:
        _make(suite, instances, folder, replace(options, networks_from=networks_from), key, observer)

    if (folder / MANIFEST).is_file():
        if n_files := mend(suite, folder, options.networks_from, key, make):
            observer.mended(n_files)
        library = _finished(suite, instances, folder, options.networks_from, key)
        remove_state(folder)  # an earlier call may have been killed between its last two steps
        return library
    make(instances, folder, options.networks_from, key)
    return Library.open(folder)


def _make(
    suite: Suite,
    instances: list[PlannedInstance],
    folder: Path,
    options: GenerationOptions,
    key: str | None,
    progress: Progress,
) -> None:
    """Generate the instances as a library of their own, or continue to do so.

    key: the key of planted answers, in place of the options' file.
    """
    networks_from, device = options.networks_from, options.device
    given = networks_given(instances, networks_from) if networks_from else {}
    planted_before = answers_given(suite, networks_from, key) if networks_from else {}
    if device != "cpu":
        from vnnbench.instances.training.batched import check_device  # torch takes seconds to import

        check_device(device)
    with unfinished(folder, _plan(suite, instances, given, device, key)):
        compute = Compute(device, training_threads(options.jobs))
        steps = _steps(suite, instances, folder, options.data_folder, compute, key)
        records = _make_all(steps, folder, given, options.jobs, progress)
        planted = {problem: answer for record in records for problem, answer in record.planted.items()}
        seal = None if key is None else (key, planted | planted_before)
        finish(suite, instances, folder, records, networks_from, seal)
    remove_state(folder)


def _finished(
    suite: Suite, instances: list[PlannedInstance], folder: Path, networks_from: Library | None, key: str | None
) -> Library:
    """Return the complete library in the folder, if it matches the suite, the selection and the options."""
    library = Library.open(folder)
    if library.suite_sha256 != suite.sha256:
        other = f"another version of suite {suite.name}" if library.suite == suite.name else f"suite {library.suite}"
        raise LibraryError(f"{folder}: is a complete library of {other}; name another folder")
    seal = read_seal(library)
    if seal is not None and seal.key != key:
        raise LibraryError(f"{folder}: is complete, with answers planted by another --key; name another folder")
    there = {row.instance for row in library.rows}
    for instance in instances:
        if instance.name not in there:
            raise LibraryError(
                f"{folder}: is complete with {len(there)} of the suite's {suite.n_instances} instances, without "
                f"{instance.name}; name another folder for this selection"
            )
        for name in {instance.dense_network, instance.network if instance.finetuned else instance.dense_network}:
            path = network_file(name)
            if networks_from and library.hashes[path] != networks_from.hashes.get(path):
                raise LibraryError(
                    f"{folder}: is complete, with other weights of {name} than {networks_from.folder}; "
                    "name another folder"
                )
    return library


def _plan(
    suite: Suite, instances: list[PlannedInstance], given: dict[str, GivenNetwork], device: str, key: str | None
) -> dict[str, Any]:
    """Return the facts that must be the same for an unfinished generation to be continued."""
    networks = "".join(f"{name} {sha256(network.data)}\n" for name, network in given.items())
    return {
        "suite": suite.name,
        "suite_sha256": suite.sha256,
        "instances": len(instances),
        "select_sha256": sha256("\n".join(instance.name for instance in instances).encode()),
        "networks_sha256": sha256(networks.encode()) if given else None,
        "device": device,
        "key_sha256": sha256(key.encode()) if key else None,
        "processor": platform.machine(),
        **recipe(),
    }


# -- tasks --------------------------------------------------------------------------------------------------------


def _make_all(
    steps: Sequence[_Step], folder: Path, given: dict[str, GivenNetwork], jobs: int, progress: Progress
) -> list[Record]:
    """Return every step's record, made now or before; a step starts as soon as the steps that it needs are done."""
    copy_networks(folder, given)
    records = {step.name: record for step in steps if (record := load_record(folder, step.name)) is not None}
    progress.start(len(steps), len(records))
    waiting = [step for step in steps if step.name not in records]
    with _workers(jobs) as submit:
        pending: dict[Future[None], _Step] = {}
        while waiting or pending:
            for step in [step for step in waiting if all(name in records for name in step.needs)]:
                waiting.remove(step)
                pending[submit(step.work, step.task(records))] = step
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                step = pending.pop(future)
                future.result()
                record = load_record(folder, step.name)
                if record is None:
                    raise LibraryError(f"{folder}: files of {step.name} changed during generation; generate again")
                records[step.name] = record
                progress.advance(step.name.partition("-")[2])
    return [records[step.name] for step in steps]


@dataclass(frozen=True, slots=True)
class _Step:
    """A step of the plan: `work` does it, and `task` makes its argument from the records of `needs`."""

    name: str
    needs: tuple[str, ...]
    work: Callable[[Any], None]
    task: Callable[[dict[str, Record]], GroupTask | FinetuneTask | GridTask | ChoiceTask | NetworkTask]


def _steps(
    suite: Suite,
    instances: list[PlannedInstance],
    folder: Path,
    data_folder: Path | None,
    compute: Compute,
    key: str | None,
) -> list[_Step]:
    """Return the steps: the training of each group, the finetuning of wanted surrogates, then the instances."""
    trained, others = [], []
    for group, members in groupby(instances, key=lambda instance: instance.group):
        part = list(members)
        finetuned = list(dict.fromkeys(i.pruning for i in part if i.pruning is not None and i.pruning.finetuned))
        seeds = tuple(dict.fromkeys(instance.seed for instance in part))
        group_task = GroupTask(folder, data_folder, compute, suite, group, seeds, bool(finetuned), key)
        trained.append(_Step(group_task.name, (), make_group, partial(_as_it_is, group_task)))
        needs = [group_task.name]
        for pruning in finetuned:
            wanted = tuple(dict.fromkeys(instance.seed for instance in part if instance.pruning == pruning))
            task = FinetuneTask(
                folder, data_folder, compute, suite, group, pruning, wanted, pruning == finetuned[0], ()
            )
            steps = _spr_steps(task) if pruning == SPR else [_finetune_step(task)]
            others += steps
            needs += [step.name for step in steps]
        for _, of_network in groupby(part, key=lambda instance: instance.dense_network):
            network_task = NetworkTask(folder, data_folder, suite, tuple(of_network), {}, {}, {}, compute.threads)
            step = partial(_with_facts, network_task, tuple(needs))
            others.append(_Step(network_task.name, tuple(needs), make_instances, step))
    return trained + others


def _finetune_step(task: FinetuneTask) -> _Step:
    return _Step(task.name, (group_task_name(task.group),), finetune_group, partial(_with_all_dense, task))


def _spr_steps(task: FinetuneTask) -> list[_Step]:
    """Return the steps that replace the finetuning of one pruning: the grid of every seed, then the choice."""
    group, trained = task.group, group_task_name(task.group)
    steps = []
    for seed in group.seeds:
        alone = task.alone and seed == group.seeds[0]
        grid = GridTask(task.library, task.data_folder, task.compute, task.suite, group, seed, alone, "")
        steps.append(_Step(grid.name, (trained,), train_grid, partial(_with_dense, grid)))
    choice = ChoiceTask(task.library, task.suite, group, task.wanted, (), ())
    needs = (trained, *(step.name for step in steps))
    return [*steps, _Step(choice.name, needs, choose_from_grid, partial(_with_grids, choice))]


def _as_it_is(task: GroupTask, _records: dict[str, Record]) -> GroupTask:
    return task


def _with_all_dense(task: FinetuneTask, records: dict[str, Record]) -> FinetuneTask:
    return replace(task, dense_paths=tuple(_dense_path(task.group, seed, records) for seed in task.group.seeds))


def _with_dense(task: GridTask, records: dict[str, Record]) -> GridTask:
    return replace(task, dense_path=_dense_path(task.group, task.seed, records))


def _with_grids(task: ChoiceTask, records: dict[str, Record]) -> ChoiceTask:
    group, dense = task.group, records[group_task_name(task.group)].networks
    return replace(
        task,
        dense_accuracies=tuple(dense[group.network(seed)]["test_accuracy"] for seed in group.seeds),
        cells=tuple(tuple(records[grid_task_name(group, seed)].networks.values()) for seed in group.seeds),
    )


def _dense_path(group: Group, seed: int, records: dict[str, Record]) -> str:
    path = network_file(group.network(seed))
    return path if path in records[group_task_name(group)].files else f"{STATE}/{path}"


def _with_facts(task: NetworkTask, needs: tuple[str, ...], records: dict[str, Record]) -> NetworkTask:
    facts = {name: values for need in needs for name, values in records[need].networks.items()}
    return replace(
        task,
        dense=facts[task.instances[0].dense_network],
        finetuned={i.network: facts[i.network] for i in task.instances if i.finetuned},
        alone={column: seconds for need in needs for column, seconds in records[need].alone.items()},
    )


@contextmanager
def _workers(jobs: int) -> Iterator[Callable[..., Future[None]]]:
    """Yield a function that submits work to a pool of `jobs` processes, also if `jobs` is 1, so that bytes are equal.

    Any error, Ctrl-C included, ends the workers at once: their files are written whole or not at all.
    """
    others = set(active_children())
    pool = worker_pool(jobs)
    try:
        yield pool.submit
    except BaseException as error:
        for worker in set(active_children()) - others:
            worker.kill()
        if isinstance(error, BrokenProcessPool):
            raise LibraryError(
                "a worker process died, possibly out of memory; run the same command again with fewer --jobs"
            ) from error
        raise
    finally:
        pool.shutdown(cancel_futures=True)
