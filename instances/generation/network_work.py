"""The work that makes instances over networks: the training of networks and surrogates, then the instances.

First the networks of every group are made, then its trained surrogates, with one task per stack of prunings; or all of
them are taken from another library. Then each dense network is a task of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any, Self

from vnnbench.instances.datasets.dataset import check_data_folder
from vnnbench.instances.errors import LibraryError
from vnnbench.instances.files import sha256
from vnnbench.instances.generation.checkpoint import Record
from vnnbench.instances.generation.instance_tasks import NetworkTask, instances_task_name, make_instances
from vnnbench.instances.generation.network_tasks import (
    ChoiceTask,
    FinetuneTask,
    GridTask,
    GroupTask,
    choose_from_grid,
    finetune_group,
    finetune_task_name,
    finetuning_stack,
    grid_task_name,
    group_task_name,
    make_group,
    train_grid,
)
from vnnbench.instances.generation.reused_networks import GivenNetwork, answers_given, copy_networks, networks_given
from vnnbench.instances.generation.suite_work import (
    NOTHING,
    Batches,
    GenerationOptions,
    GenerationPlan,
    Step,
    SuiteWork,
    as_it_is,
    selected,
)
from vnnbench.instances.generation.workers import training_threads
from vnnbench.instances.layout import STATE, network_file
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.sealed_answers import planting_key, read_seal
from vnnbench.instances.suites.network_suite import SPR, Group, NetworkInstance, NetworkSuite, Pruning
from vnnbench.instances.training.plan import Compute


def network_work(suite: NetworkSuite, select: Sequence[str], options: GenerationOptions) -> NetworkWork:
    """Return the work that makes the selected instances. Raises LibraryError, SuiteError and DataError."""
    instances = selected(suite.instances(), select, suite.name)
    key = planting_key(suite, options.key_file)
    check_data_folder(suite.dataset, options.data_folder)
    return NetworkWork(suite, instances, options, key)


class NetworkWork(SuiteWork[NetworkSuite, NetworkInstance]):
    """The work that makes instances of a suite over networks.

    key: the key of planted answers, in place of the options' file; None if none are planted.
    """

    def __init__(
        self, suite: NetworkSuite, instances: list[NetworkInstance], options: GenerationOptions, key: str | None
    ) -> None:
        super().__init__(suite, instances, options)
        self._key = key

    def plan(self) -> GenerationPlan:
        counts = Counter(instance.dense_network for instance in self.instances)
        makes = Batches(len(self.instances), tuple((instances_task_name(name), n) for name, n in counts.items()))
        if self.options.networks_from is not None:
            return GenerationPlan(NOTHING, NOTHING, makes)
        surrogates = {instance.network for instance in self.instances if instance.finetuned}
        trained, finetuned = Batches(len(counts), self._trained()), Batches(len(surrogates), self._finetuned())
        return GenerationPlan(trained, finetuned, makes)

    def identity(self) -> dict[str, Any]:
        given, _ = self._given, self._answers_given  # both raise before anything is written
        networks = "".join(f"{name} {sha256(network.data)}\n" for name, network in given.items())
        if self.options.device != "cpu":
            from vnnbench.instances.training.batched import check_device  # torch takes seconds to import

            check_device(self.options.device)
        return {
            "networks_sha256": sha256(networks.encode()) if given else None,
            "device": self.options.device,
            "key_sha256": sha256(self._key.encode()) if self._key else None,
        }

    def copy_given(self, folder: Path) -> None:
        copy_networks(folder, self._given)

    def planted(self, records: Sequence[Record]) -> tuple[str, dict[str, dict[str, Any]]] | None:
        if self._key is None:
            return None
        made = {problem: answer for record in records for problem, answer in record.planted.items()}
        return self._key, made | self._answers_given

    def check_options(self, library: Library) -> None:
        seal, given = read_seal(library), self.options.networks_from
        if seal is not None and seal.key != self._key:
            raise LibraryError(
                f"{library.folder}: is complete, with answers planted by another --key; name another folder"
            )
        for path in sorted({path for instance in self.instances for path in instance.trained_files()}):
            if given is not None and path in library.hashes and library.hashes[path] != given.hashes.get(path):
                raise LibraryError(
                    f"{library.folder}: is complete, with other weights of {PurePosixPath(path).stem} than "
                    f"{given.folder}; name another folder"
                )

    def repairing(self, names: Collection[str], whole: Library | None) -> Self:
        """Return the work for these instances; nothing is planted in networks that are given."""
        instances = [instance for instance in self.suite.instances() if instance.name in names]
        if whole is None:
            return type(self)(self.suite, instances, self.options, self._key)
        return type(self)(self.suite, instances, replace(self.options, networks_from=whole), None)

    def steps(self, folder: Path) -> list[Step]:
        """Return the training of each group, the finetuning of wanted surrogates, then the instances."""
        data_folder = self.options.data_folder
        threads = training_threads(self.options.jobs) if self.options.elsewhere is None else 1
        compute = Compute(self.options.device, threads)
        trained, others = [], []
        for group, members in groupby(self.instances, key=lambda instance: instance.group):
            part = list(members)
            finetuned = [instance for instance in part if instance.finetuned]
            stacks = list(dict.fromkeys(self._stack(instance) for instance in finetuned))
            seeds = tuple(dict.fromkeys(instance.seed for instance in part))
            group_task = GroupTask(folder, data_folder, compute, self.suite, group, seeds, bool(finetuned), self._key)
            trained.append(Step(group_task.name, (), make_group, partial(as_it_is, group_task)))
            needs = [group_task.name]
            for stack in stacks:
                wanted = tuple(dict.fromkeys(i.network for i in finetuned if self._stack(i) == stack))
                alone = stack == stacks[0]
                task = FinetuneTask(folder, data_folder, compute, self.suite, group, stack, wanted, alone, ())
                steps = _spr_steps(task) if stack == (SPR,) else [_finetune_step(task)]
                others += steps
                needs += [step.name for step in steps]
            for _, of_network in groupby(part, key=lambda instance: instance.dense_network):
                network_task = NetworkTask(
                    folder, data_folder, self.suite, tuple(of_network), {}, {}, {}, compute.threads
                )
                step = partial(_with_facts, network_task, tuple(needs))
                others.append(Step(network_task.name, tuple(needs), make_instances, step))
        return trained + others

    @cached_property
    def _given(self) -> dict[str, GivenNetwork]:
        library = self.options.networks_from
        return {} if library is None else networks_given(self.instances, library)

    @cached_property
    def _answers_given(self) -> dict[str, dict[str, Any]]:
        library = self.options.networks_from
        return {} if library is None else answers_given(self.suite, library, self._key)

    def _trained(self) -> tuple[tuple[str, int], ...]:
        groups = dict.fromkeys(instance.group for instance in self.instances)
        untrained = self.suite.training is None
        return tuple((group_task_name(group), 0 if untrained else len(group.seeds)) for group in groups)

    def _finetuned(self) -> tuple[tuple[str, int], ...]:
        """Return the tasks that train surrogates; SPR trains one network for every cell of the grid."""
        tasks: list[tuple[str, int]] = []
        spr = self.suite.spr
        for group, stack in dict.fromkeys((i.group, self._stack(i)) for i in self.instances if i.finetuned):
            if stack == (SPR,) and spr is not None:
                cells = len(spr.lambdas) * len(spr.alphas)
                tasks += [(grid_task_name(group, seed), cells) for seed in group.seeds]
            else:
                tasks.append((finetune_task_name(group, stack), len(stack) * len(group.seeds)))
        return tuple(tasks)

    def _stack(self, instance: NetworkInstance) -> tuple[Pruning, ...]:
        """Return the stack of the instance's finetuned surrogate; given networks stand for stacks of one pruning."""
        if instance.pruning is None:
            raise ValueError(f"{instance.name} is not on a surrogate")
        return finetuning_stack(self.suite, instance.pruning, "cpu" if self._given else self.options.device)


def _finetune_step(task: FinetuneTask) -> Step:
    return Step(task.name, (group_task_name(task.group),), finetune_group, partial(_with_all_dense, task))


def _spr_steps(task: FinetuneTask) -> list[Step]:
    """Return the steps that replace the finetuning of one pruning: the grid of every seed, then the choice."""
    group, trained = task.group, group_task_name(task.group)
    steps = []
    for seed in group.seeds:
        alone = task.alone and seed == group.seeds[0]
        grid = GridTask(task.library, task.data_folder, task.compute, task.suite, group, seed, alone, "")
        steps.append(Step(grid.name, (trained,), train_grid, partial(_with_dense, grid)))
    wanted = tuple(seed for seed in group.seeds if group.surrogate(seed, SPR) in task.wanted)
    choice = ChoiceTask(task.library, task.suite, group, wanted, (), ())
    needs = (trained, *(step.name for step in steps))
    return [*steps, Step(choice.name, needs, choose_from_grid, partial(_with_grids, choice))]


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
