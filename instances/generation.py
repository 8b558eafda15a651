"""Generating a library: the plan's tasks in worker processes, then the catalogue, and library.json last.

First every group is trained (or its networks are taken from another library), then each dense network is a task of
its own. Stopped at any moment, the same call goes on where it was, and the files come out the same.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any, Protocol

import orjson

from instances.errors import LibraryError, NetworkError
from instances.files import read_bytes, sha256, write_atomic
from instances.generation_state import Record, load_record, remove_state, save_record, unfinished
from instances.generation_tasks import (
    GroupTask,
    NetworkTask,
    make_instances,
    network_task_name,
    start_worker,
    train_group,
)
from instances.library import (
    CATALOG,
    MANIFEST,
    TIMINGS,
    CatalogRow,
    Library,
    catalog_bytes,
    manifest_bytes,
    select_names,
    timings_bytes,
)
from instances.onnx_files import parse_onnx
from instances.suite import Group, PlannedInstance, Suite

PROVENANCE = "provenance.json"

RECIPE = 1
"""Raised with every change of this package that changes a file's bytes: an older unfinished generation is refused."""

_PACKAGES = ("numpy", "onnx", "pillow", "pyscipopt", "pyscipopt-ml", "scikit-learn", "torch")
"""Packages whose version may show in the bytes."""


class Progress(Protocol):
    """Told from the calling thread. A step is a trained group, or all instances of one dense network."""

    def start(self, total: int, done: int) -> None:
        """There are `total` steps, `done` of them from before."""

    def advance(self, description: str) -> None:
        """One more step is done; `description` names the group or network."""


class _Silent:
    def start(self, total: int, done: int) -> None:
        pass

    def advance(self, description: str) -> None:
        pass


def generate(
    suite: Suite,
    folder: Path,
    data_folder: Path | None = None,
    select: Sequence[str] = (),
    networks_from: Library | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Library:
    """Generate the suite's instances, or those that `select` names, as the library `folder`; open it when done.

    The bytes do not depend on `jobs`, on `select` or on interruptions. A complete library that holds the wanted
    instances is left as it is. `networks_from` gives the dense networks instead of training.

    Raises LibraryError (the folder holds something else or cannot be written, nothing is selected, networks_from
    lacks a network), DataError and SuiteError. KeyboardInterrupt ends the workers at once; call again to go on.
    """
    chosen = select_names([instance.name for instance in suite.instances()], select, f"suite {suite.name}")
    instances = [instance for instance in suite.instances() if instance.name in chosen]
    if (folder / MANIFEST).is_file():
        library = _finished(suite, instances, folder, networks_from)
        remove_state(folder)  # a kill may have come between the last two steps
        return library
    given = _networks_given(instances, networks_from) if networks_from else {}
    with unfinished(folder, _plan(suite, instances, given)):
        records = _make_all(suite, instances, folder, data_folder, given, jobs, progress or _Silent())
        _finish(suite, instances, folder, records, networks_from)
    remove_state(folder)
    return Library.open(folder)


def _finished(suite: Suite, instances: list[PlannedInstance], folder: Path, networks_from: Library | None) -> Library:
    """The complete library in the folder, if it is what is asked for."""
    library = Library.open(folder)
    if library.suite_sha256 != suite.sha256:
        raise LibraryError(f"{folder}: is a complete library of another suite, {library.suite!r}; name another folder")
    there = {row.instance for row in library.rows}
    for instance in instances:
        if instance.name not in there:
            raise LibraryError(
                f"{folder}: is complete with {len(there)} of the suite's {suite.n_instances} instances, without "
                f"{instance.name}; name another folder for this selection"
            )
        path = f"networks/{instance.dense_network}.onnx"
        if networks_from and library.hashes[path] != networks_from.hashes.get(path):
            raise LibraryError(
                f"{folder}: is complete, with other weights of {instance.dense_network} than {networks_from.folder}; "
                "name another folder"
            )
    return library


def _plan(suite: Suite, instances: list[PlannedInstance], given: dict[str, _Given]) -> dict[str, Any]:
    """What must be the same for an unfinished generation to go on."""
    networks = "".join(f"{name} {sha256(network.data)}\n" for name, network in given.items())
    return {
        "suite": suite.name,
        "suite_sha256": suite.sha256,
        "instances": len(instances),
        "select_sha256": sha256("\n".join(instance.name for instance in instances).encode()),
        "networks_sha256": sha256(networks.encode()) if given else None,
        "recipe": RECIPE,
        "python": platform.python_version(),
        "processor": platform.machine(),
        **{package: _version(package) for package in _PACKAGES},
    }


# -- tasks --------------------------------------------------------------------------------------------------------


def _make_all(
    suite: Suite,
    instances: list[PlannedInstance],
    folder: Path,
    data_folder: Path | None,
    given: dict[str, _Given],
    jobs: int,
    progress: Progress,
) -> list[Record]:
    """Every task's record, made now or before; a group's networks follow as soon as it is trained."""
    by_group = {group: list(part) for group, part in groupby(instances, key=lambda instance: instance.group)}
    ready: list[GroupTask | NetworkTask] = []
    for group, part in by_group.items():
        wanted = tuple(dict.fromkeys(instance.seed for instance in part))
        ready.append(group_task := GroupTask(folder, data_folder, suite, group, wanted))
        if given:
            _copy_group(group_task, given)
    names = [task.name for task in ready] + list(dict.fromkeys(network_task_name(i) for i in instances))
    records = {name: record for name in names if (record := load_record(folder, name)) is not None}
    progress.start(len(names), len(records))
    with _workers(jobs) as submit:
        pending: dict[Future[None], GroupTask | NetworkTask] = {}
        while ready or pending:
            while ready:
                task = ready.pop(0)
                if task.name not in records:
                    pending[submit(train_group if isinstance(task, GroupTask) else make_instances, task)] = task
                elif isinstance(task, GroupTask):
                    ready += _network_tasks(task, by_group[task.group], records[task.name])
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                ready.append(task := pending.pop(future))
                future.result()
                record = load_record(folder, task.name)
                if record is None:
                    raise LibraryError(f"{folder}: files of {task.name} changed while they were made; generate again")
                records[task.name] = record
                progress.advance(task.name.partition("-")[2])
    return list(records.values())


def _network_tasks(task: GroupTask, instances: list[PlannedInstance], trained: Record) -> Iterator[NetworkTask]:
    for name, part in groupby(instances, key=lambda instance: instance.dense_network):
        facts = trained.networks[name]
        yield NetworkTask(
            library=task.library,
            data_folder=task.data_folder,
            suite=task.suite,
            instances=tuple(part),
            test_accuracy=facts["test_accuracy"],
            train_seconds=facts["train_seconds"],
            batch_size=facts["batch_size"],
        )


@contextmanager
def _workers(jobs: int) -> Iterator[Callable[..., Future[None]]]:
    """A pool of `jobs` spawned workers: also a single one, so that it computes as many do. Started on first use.

    Whatever goes wrong, Ctrl-C included, ends the workers at once: their files are written whole or not at all.
    """
    others = set(active_children())
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=start_worker)
    try:
        yield pool.submit
    except BaseException as error:
        for worker in set(active_children()) - others:
            worker.kill()
        if isinstance(error, BrokenProcessPool):
            raise LibraryError(
                "a worker process died, perhaps for want of memory; run the same command again, with fewer --jobs"
            ) from error
        raise
    finally:
        pool.shutdown(cancel_futures=True)


# -- networks from another library ----------------------------------------------------------------------------------


class _Given:
    """A dense network of another library: its ONNX file and what that library says of it."""

    def __init__(self, library: Library, row: CatalogRow, group: Group) -> None:
        relative = f"networks/{row.dense_network}.onnx"
        self.data = library.read_verified(relative)
        source = str(library.folder / relative)
        try:
            network = parse_onnx(self.data, source)
        except NetworkError as error:
            raise LibraryError(str(error)) from error
        shape = (network.n_inputs, *network.hidden_widths)
        expected = (group.side**2, *[group.width] * group.depth)
        if shape != expected:
            raise LibraryError(f"{source}: its layers take {shape} values, those of {group.name} take {expected}")
        timings = library.timings(row.instance)
        self.facts = {
            "train_accuracy": None,
            "test_accuracy": row.dense_accuracy,
            "train_seconds": timings["train_seconds"],
            "batch_size": timings["batch_size"],
        }


def _networks_given(instances: list[PlannedInstance], library: Library) -> dict[str, _Given]:
    """The dense networks of the instances by name. Raises LibraryError when one is missing."""
    rows = {row.dense_network: row for row in library.rows}
    given: dict[str, _Given] = {}
    for instance in instances:
        name = instance.dense_network
        if name not in rows:
            raise LibraryError(f"{library.folder}: --networks has no network {name}; it has {len(rows)} others")
        if name not in given:
            given[name] = _Given(library, rows[name], instance.group)
    return given


def _copy_group(task: GroupTask, given: dict[str, _Given]) -> None:
    record = Record()
    for seed in task.wanted:
        name = task.group.network(seed)
        relative = f"networks/{name}.onnx"
        write_atomic(task.library / relative, given[name].data)
        record.files[relative] = sha256(given[name].data)
        record.networks[name] = given[name].facts
    save_record(task.library, task.name, record)


# -- the end ------------------------------------------------------------------------------------------------------


def _finish(
    suite: Suite,
    instances: list[PlannedInstance],
    folder: Path,
    records: list[Record],
    networks_from: Library | None,
) -> None:
    """Write catalogue, timings and provenance, then the manifest, which makes the library complete."""
    rows = {row["instance"]: CatalogRow(**row) for record in records for row in record.rows}
    timings = {name: values for record in records for name, values in record.timings.items()}
    files = {path: digest for record in records for path, digest in record.files.items()}
    names = [instance.name for instance in instances]
    catalog = catalog_bytes(rows[name] for name in names)
    write_atomic(folder / CATALOG, catalog)
    write_atomic(folder / TIMINGS, timings_bytes({name: timings[name] for name in names}))
    networks = {name: facts for record in records for name, facts in sorted(record.networks.items())}
    provenance = _provenance(suite, networks, networks_from)
    write_atomic(folder / PROVENANCE, orjson.dumps(provenance, option=orjson.OPT_INDENT_2) + b"\n")
    seeds = list(dict.fromkeys(instance.seed for instance in instances))
    manifest = manifest_bytes(suite.name, suite.sha256, seeds, {CATALOG: sha256(catalog), **files})
    write_atomic(folder / MANIFEST, manifest)


def _provenance(suite: Suite, networks: dict[str, dict[str, Any]], networks_from: Library | None) -> dict[str, Any]:
    """Where the library comes from; not hashed, for it differs from run to run."""
    return {
        "generated_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "recipe": RECIPE,
        "versions": {
            "python": platform.python_version(),
            **{name: _version(name) for name in ("vnnbench", *_PACKAGES)},
        },
        "machine": {"cpu": _cpu(), "cores": os.cpu_count(), "system": platform.platform()},
        "suite": asdict(suite),
        "networks_from": str(networks_from.folder) if networks_from else None,
        "networks": networks,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    """The processor's name as Linux gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = read_bytes(cpuinfo).decode(errors="replace").splitlines() if cpuinfo.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
