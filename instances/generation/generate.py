"""The generation of a library: the plan's tasks in worker processes, then the catalogue, then library.json.

The tasks are those of the suite's kind (`suite_work`). If the generation is stopped at any moment, the same call
continues it, and the files are the same.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any, TypeAlias

from vnnbench.instances.errors import LibraryError
from vnnbench.instances.files import sha256
from vnnbench.instances.generation.checkpoint import Record, load_record, remove_state, unfinished
from vnnbench.instances.generation.finalize import finish, recipe
from vnnbench.instances.generation.network_work import network_work
from vnnbench.instances.generation.repair import mend
from vnnbench.instances.generation.suite_work import GenerationOptions, Step, SuiteWork
from vnnbench.instances.generation.train_work import train_work
from vnnbench.instances.layout import MANIFEST
from vnnbench.instances.library.library import Library
from vnnbench.instances.progress import GenerationProgress, Progress, Silent
from vnnbench.instances.suites.network_suite import NetworkSuite
from vnnbench.instances.suites.suite import Suite
from vnnbench.instances.suites.train_suite import TrainSuite

AnyWork: TypeAlias = SuiteWork[Any, Any]
_KINDS: dict[type[Suite], Callable[[Any, Sequence[str], GenerationOptions], AnyWork]] = {
    NetworkSuite: network_work,
    TrainSuite: train_work,
}
"""The work on each kind of suites; it takes the suite, the selection and the options."""
_DEFAULTS = GenerationOptions()


def work_of(suite: Suite, select: Sequence[str], options: GenerationOptions) -> AnyWork:
    """Return the work that makes the instances of a suite, or those that `select` names.

    Raises LibraryError (nothing is selected), and SuiteError and DataError for options that do not fit the suite.
    """
    return _KINDS[type(suite)](suite, select, options)


def generate(
    suite: Suite,
    folder: Path,
    options: GenerationOptions = _DEFAULTS,
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
    work = work_of(suite, select, options)
    observer = progress or Silent()

    def remake(names: Collection[str], aside: Path, whole: Library | None) -> None:
        _make(work.repairing(names, whole), aside, observer)

    if (folder / MANIFEST).is_file():
        if n_files := mend(suite, folder, remake):
            observer.mended(n_files)
        library = _finished(work, folder)
        remove_state(folder)  # an earlier call may have been killed between its last two steps
        return library
    _make(work, folder, observer)
    return Library.open(folder)


def _make(work: AnyWork, folder: Path, progress: Progress) -> None:
    """Generate the instances as a library of their own, or continue to do so."""
    with unfinished(folder, _plan(work)):
        work.copy_given(folder)
        records = _make_all(work.steps(folder), folder, work.options, progress)
        finish(work.suite, work.instances, folder, records, work.options.networks_from, work.planted(records))
    remove_state(folder)


def _finished(work: AnyWork, folder: Path) -> Library:
    """Return the complete library in the folder, if it matches the suite, the selection and the options."""
    library, suite = Library.open(folder), work.suite
    if library.suite_sha256 != suite.sha256:
        other = f"another version of suite {suite.name}" if library.suite == suite.name else f"suite {library.suite}"
        raise LibraryError(f"{folder}: is a complete library of {other}; name another folder")
    work.check_options(library)
    there = {row.instance for row in library.rows}
    lacking = [instance.name for instance in work.instances if instance.name not in there]
    if lacking:
        raise LibraryError(
            f"{folder}: is complete with {len(there)} of the suite's {suite.n_instances} instances, without "
            f"{lacking[0]}; name another folder for this selection"
        )
    return library


def _plan(work: AnyWork) -> dict[str, Any]:
    """Return the facts that must be the same for an unfinished generation to be continued."""
    return {
        "suite": work.suite.name,
        "suite_sha256": work.suite.sha256,
        "instances": len(work.instances),
        "select_sha256": sha256("\n".join(instance.name for instance in work.instances).encode()),
        **work.identity(),
        "processor": platform.machine(),
        **recipe(),
    }


def _make_all(steps: Sequence[Step], folder: Path, options: GenerationOptions, progress: Progress) -> list[Record]:
    """Return every step's record, made now or before; a step starts as soon as the steps that it needs are done."""
    records = {step.name: record for step in steps if (record := load_record(folder, step.name)) is not None}
    progress.start(len(steps), len(records))
    waiting = [step for step in steps if step.name not in records]
    with options.workers(folder) as submit:
        pending: dict[Future[None], Step] = {}
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
