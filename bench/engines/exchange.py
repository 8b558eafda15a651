"""The folder in which the head of a cluster and its workers exchange runs: RESULTS/.exchange, which all machines share.

    epoch.json       {"epoch", "environment"}: the head at work; a worker of another epoch refuses new runs
    jobs.json        {"provider", "epoch", "jobs": [id]}: the jobs of this head, which the next one cancels
    finished/        the finished runs (`finished_run`), until the head has them in the ledger
    EPOCH/           keys, logs and scripts of Parsl

Only the head moves finished runs to their places in the results folder.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from vnnbench.engines.environment import Environment
from vnnbench.engines.files import read_if_there
from vnnbench.engines.finished_run import CarriedRun, publish, put_published, unpublish
from vnnbench.errors import ResultsError
from vnnbench.instances.files import parse_json, remove_folder, write_atomic
from vnnbench.limits import EXCHANGE_LIMIT
from vnnbench.runs.execution import FinishedRun

FOLDER = ".exchange"
_EPOCH, _JOBS, _FINISHED = "epoch.json", "jobs.json", "finished"


@dataclass(frozen=True, slots=True)
class Jobs:
    """The jobs that a head has submitted in an epoch. provider: as `--engine-option provider` names it. ids: as the
    provider names them."""

    provider: str
    epoch: str
    ids: tuple[str, ...]


class Exchange:
    """The exchange of a results folder, which need not exist."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.folder = results / FOLDER
        self._remover = ThreadPoolExecutor(1, thread_name_prefix="remover")

    # -- the head ------------------------------------------------------------------------------------------------------

    def begin(self, environment: Environment) -> str:
        """Begin an epoch for workers that have this environment, and return it. Make its folder, which only this user
        can read. Raises `ResultsError`."""
        epoch = uuid.uuid4().hex
        try:
            (self.folder / epoch).mkdir(parents=True, mode=0o700)
        except OSError as error:
            raise ResultsError(f"{self.folder}: cannot be written ({error.strerror})") from error
        document = {"epoch": epoch, "environment": environment.document}
        write_atomic(self.folder / _EPOCH, orjson.dumps(document))
        return epoch

    def end(self) -> None:
        """End the epoch, if there is one: its workers refuse new runs from now on. Raises `ResultsError`."""
        self._remove(_EPOCH)

    def note_jobs(self, jobs: Jobs) -> None:
        """Write down the jobs of this head, in place of those of an earlier one."""
        document = {"provider": jobs.provider, "epoch": jobs.epoch, "jobs": jobs.ids}
        write_atomic(self.folder / _JOBS, orjson.dumps(document))

    def forget_jobs(self) -> None:
        """Remove the note of jobs that are cancelled. Raises `ResultsError`."""
        self._remove(_JOBS)

    def noted_jobs(self) -> Jobs | None:
        """Return the jobs that the last head has noted; None where there are none. Raises `ResultsError`."""
        try:
            document = self._read(_JOBS)
        except ResultsError as error:
            raise self.broken_jobs(str(error).removeprefix(f"{self.folder / _JOBS}: ")) from error
        if document is None:
            return None
        provider, epoch, ids = (document.get(name) for name in ("provider", "epoch", "jobs"))
        if not isinstance(ids, list) or not all(isinstance(text, str) for text in (provider, epoch, *ids)):
            raise self.broken_jobs("does not list jobs")
        return Jobs(str(provider), str(epoch), tuple(ids)) if ids else None

    def broken_jobs(self, what: str) -> ResultsError:
        """Return the error of a note of jobs that cannot be used."""
        return ResultsError(
            f"{self.folder / _JOBS}: {what}; cancel the jobs of the earlier command if there are any, and remove this "
            "file, which loses no run"
        )

    def collect(self, name: str) -> FinishedRun | None:
        """Move the files of a finished run to their places in the results folder, and return it; None where no such run
        is finished. It stays finished here until `forget`. Raises `ResultsError`."""
        return put_published(self.folder / _FINISHED, name, self.results)

    def forget(self, name: str) -> None:
        """Remove a finished run that is in the ledger, if it is here. That takes a file server as long as all else, so
        it is done in a thread of its own, until `close`."""
        if self.folder.is_dir():
            self._remover.submit(unpublish, self.folder / _FINISHED, name)

    def close(self) -> None:
        """Wait until finished runs are removed, and end the thread that does it. After a Ctrl-C while that began, the
        interpreter would wait for it without end."""
        self._remover.shutdown()

    def clear(self, is_stored: Callable[[str], bool]) -> None:
        """Remove all that is left here after the last run of a plan: keys, logs, what killed workers have begun, and
        the finished runs that are stored in the ledger. Those of another plan stay."""
        self.close()
        if not self.folder.is_dir():
            return
        finished = self.folder / _FINISHED
        for record in finished.glob("*.json"):
            if is_stored(record.stem):
                unpublish(finished, record.stem)
        kept = {record.stem for record in finished.glob("*.json")}
        begun = [path for path in finished.glob("*-*") if path.name.rpartition("-")[0] not in kept]
        for path in (*begun, *(path for path in self.folder.iterdir() if path != finished)):
            if path.is_dir():
                remove_folder(path)
            else:
                self._remove(path.name)
        for folder in (finished, self.folder):
            with suppress(OSError):  # it has runs of another plan
                folder.rmdir()

    # -- the workers ---------------------------------------------------------------------------------------------------

    def environment(self, epoch: str) -> Environment | None:
        """Return the environment that workers of this epoch must have; None when it is over. Raises `ResultsError`."""
        document = self._read(_EPOCH)
        if document is None or document.get("epoch") != epoch:
            return None
        return Environment.of(document.get("environment"), str(self.folder / _EPOCH))

    def publish(self, run: CarriedRun) -> None:
        """Write a finished run, unless another worker was faster. Raises `ResultsError`."""
        publish(self.folder / _FINISHED, run)

    def _remove(self, name: str) -> None:
        try:
            (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise ResultsError(f"{self.folder / name}: cannot be removed ({error.strerror})") from error

    def _read(self, name: str) -> dict[str, object] | None:
        path = self.folder / name
        data = read_if_there(self.folder, name, most=EXCHANGE_LIMIT.bytes)
        if data is None:
            return None
        document = parse_json(data, EXCHANGE_LIMIT, lambda what: ResultsError(f"{path}: {what}"))
        if not isinstance(document, dict):
            raise ResultsError(f"{path}: is not a JSON object")
        return document
