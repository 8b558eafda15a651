"""A finished run as files in a folder that machines share, where several may execute the same run.

    FOLDER/RUN.json                       {"format": 1, "run", "writer", "files": {name: {"sha256", "bytes"}}}
    FOLDER/RUN-WRITER/run.json            {"machine": row, "result": row, "judgement": row}, by column
    FOLDER/RUN-WRITER/candidates.npz      as in the results folder
    FOLDER/RUN-WRITER/log.gz              the same

Each writer has a folder of its own. The first file, the commit record, says which writer's files are those of the run:
it is written last and atomically, and never replaced. What a killed writer leaves behind is never read.
"""

from __future__ import annotations

import os
import re
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import orjson

from vnnbench.engines.files import read_if_there, read_inside, sync_folder, write_new
from vnnbench.errors import ResultsError
from vnnbench.instances.files import TEMPORARY_SUFFIX, parse_json, remove_folder, sha256, unzip
from vnnbench.judging.candidates import MAX_FILE_BYTES, candidates_bytes, candidates_path
from vnnbench.leaderboard.records.rows import JudgementRow, MachineRow, ResultRow
from vnnbench.ledger.validity import checked_trajectory, judgement_defect, machine_defect, result_defect
from vnnbench.limits import COMMIT_RECORD_LIMIT, MAX_LOG_BYTES, RUN_LIMIT
from vnnbench.runs.execution import FinishedRun
from vnnbench.runs.run_texts import log_path

FORMAT = 1
RUN, CANDIDATES, LOG = "run.json", "candidates.npz", "log.gz"
_RECORD = "record.json"
"""The name of the commit record in its writer's folder, from which it is linked."""
_MOST = {RUN: RUN_LIMIT.bytes, CANDIDATES: MAX_FILE_BYTES, LOG: MAX_LOG_BYTES}


@dataclass(frozen=True, slots=True)
class CarriedRun:
    """A finished run with the bytes of its files, on the way from where it was executed to a results folder."""

    finished: FinishedRun
    candidates: bytes
    log: bytes

    @classmethod
    def collect(cls, finished: FinishedRun, results: Path) -> Self:
        """Read the files of a run from the results folder in which it was executed. Raises `ResultsError`."""
        run = finished.result.run
        log = log_path(results, run)
        try:
            return cls(finished, candidates_bytes(candidates_path(results, run)), log.read_bytes())
        except OSError as error:
            raise ResultsError(f"{log}: cannot be read ({error.strerror})") from error


# -- writing -------------------------------------------------------------------------------------------------------


def publish(folder: Path, run: CarriedRun) -> bool:
    """Write a finished run unless another writer was faster, and return whether the files of the run are now these.

    The files of a faster writer are left as they are. A reader always finds all files of a run or none.

    Raises `ResultsError` when the files cannot be written, or are not what a run leaves.
    """
    finished = run.finished
    rows = (finished.machine.document, finished.result.document, finished.judgement.document)
    _checked(*rows, run.candidates, run.log, f"{folder}: run {finished.result.run}")
    try:
        return _publish(folder, run)
    except OSError as error:
        raise ResultsError(f"{error.filename or folder}: cannot be written ({error.strerror})") from error


def _publish(folder: Path, run: CarriedRun) -> bool:
    name, writer = run.finished.result.run, uuid.uuid4().hex
    own, place = folder / f"{name}-{writer}", folder / f"{name}.json"
    rows = {"machine": run.finished.machine, "result": run.finished.result, "judgement": run.finished.judgement}
    files = {RUN: orjson.dumps(rows), CANDIDATES: run.candidates, LOG: run.log}
    for file, data in files.items():
        if len(data) > _MOST[file]:
            raise ResultsError(f"{folder}: run {name}: {file} has {len(data)} bytes; at most {_MOST[file]} are read")
    record = _record(name, writer, {file: _entry(data) for file, data in files.items()})
    try:
        own.mkdir(parents=True)
        for file, data in files.items():
            write_new(own / file, data)
        write_new(own / _RECORD, record)
        sync_folder(own)
        sync_folder(folder)
        # rename(2) would replace an existing record, so that the last writer would win. FileExistsError may also mean
        # that our own request had succeeded and was sent to the file server again.
        with suppress(FileExistsError):
            place.hardlink_to(own / _RECORD)
        sync_folder(folder)
    finally:  # also on Ctrl-C right after the link
        is_first = _is_same(own / _RECORD, place)
        if not is_first:
            remove_folder(own)
    return is_first


def _record(name: str, writer: str, account: dict[str, dict[str, str | int]]) -> bytes:
    """Return the bytes of a commit record. A record with other bytes was altered."""
    return orjson.dumps({"format": FORMAT, "run": name, "writer": writer, "files": account})


def _entry(data: bytes) -> dict[str, str | int]:
    return {"sha256": sha256(data), "bytes": len(data)}


def _is_same(record: Path, place: Path) -> bool:
    try:
        return os.path.samestat(record.lstat(), place.lstat())
    except FileNotFoundError:
        return False


def unpublish(folder: Path, name: str) -> None:
    """Remove a finished run, if it is there. Raises `ResultsError` where its commit record is broken."""
    record = _read_record(folder, name)
    if record is not None:
        (folder / f"{name}.json").unlink(missing_ok=True)
        remove_folder(folder / f"{name}-{record[0]}")


# -- reading -------------------------------------------------------------------------------------------------------


def read_published(folder: Path, name: str) -> CarriedRun | None:
    """Read the finished run with this `PlannedRun.name`; None where none is published.

    It is trusted as far as a ledger is: it must be complete, and each field must be one that a run can leave, but no
    candidate is judged again. Raises `ResultsError`, in one line, where that does not hold.
    """
    found = _read(folder, name)
    return None if found is None else found[0]


def put_published(folder: Path, name: str, results: Path) -> FinishedRun | None:
    """Put the files of a finished run to their places in a results folder of the same file system, and return the run;
    None where none is published.

    They are linked, not copied, because flushing them again would take most of the time of a head. The run is read as
    `read_published` does. Raises `ResultsError`.
    """
    found = _read(folder, name)
    if found is None:
        return None
    run, own = found
    for file, place in ((LOG, log_path(results, name)), (CANDIDATES, candidates_path(results, name))):
        temporary = place.with_name(f".{place.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            temporary.unlink(missing_ok=True)
            temporary.hardlink_to(own / file)
            temporary.replace(place)  # an earlier attempt to collect it may have been killed
            temporary.unlink(missing_ok=True)  # rename(2) leaves both names of one file
        except OSError as error:
            raise ResultsError(f"{place}: cannot be written ({error.strerror})") from error
    return run.finished


def _read(folder: Path, name: str) -> tuple[CarriedRun, Path] | None:
    """Return a finished run and its writer's folder."""
    record = _read_record(folder, name)
    if record is None:
        return None
    writer, account = record
    files = {file: read_inside(folder, f"{name}-{writer}", file, most=most) for file, most in _MOST.items()}
    for file, content in files.items():
        if account[file] != _entry(content):
            raise ResultsError(
                f"{folder / f'{name}-{writer}' / file}: is not the file that {name}.json lists (sha256 differs)"
            )
    source = str(folder / f"{name}-{writer}")
    rows = parse_json(files[RUN], RUN_LIMIT, lambda what: ResultsError(f"{source}: {RUN} {what}"))
    if not isinstance(rows, dict) or rows.keys() != {"machine", "result", "judgement"}:
        raise ResultsError(f"{source}: {RUN} does not contain a run")
    run = _checked(rows["machine"], rows["result"], rows["judgement"], files[CANDIDATES], files[LOG], source)
    if run.finished.result.run != name:
        raise ResultsError(f"{source}: {RUN} contains another run")
    return run, folder / f"{name}-{writer}"


def _read_record(folder: Path, name: str) -> tuple[str, dict[str, dict[str, str | int]]] | None:
    """Return the writer whose files are those of the run, and their sha256 and bytes by name; None without a record."""
    place = folder / f"{name}.json"
    data = read_if_there(folder, place.name, most=COMMIT_RECORD_LIMIT.bytes)
    if data is None:
        return None
    record = parse_json(data, COMMIT_RECORD_LIMIT, lambda what: ResultsError(f"{place}: {what}"))
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ResultsError(f"{place}: is not a commit record of format {FORMAT}")
    writer, account = record.get("writer"), record.get("files")
    if not isinstance(writer, str) or not re.fullmatch("[0-9a-f]{32}", writer):
        raise ResultsError(f"{place}: writer is not 32 hexadecimal digits")
    if not isinstance(account, dict) or account.keys() != _MOST.keys() or not all(map(_is_entry, account.values())):
        raise ResultsError(f"{place}: does not list the sha256 and bytes of the files of a run")
    if data != _record(name, writer, account):
        raise ResultsError(f"{place}: is not the commit record of run {name} as it was written")
    return writer, account


def _is_entry(entry: object) -> bool:
    """Return whether `_entry` can have returned this."""
    return (
        isinstance(entry, dict)
        and entry.keys() == {"sha256", "bytes"}
        and isinstance(entry["sha256"], str)
        and type(entry["bytes"]) is int
    )


def _checked(
    machine: object, result: object, judgement: object, candidates: bytes, log: bytes, source: str
) -> CarriedRun:
    """Return the run of these rows and files. Raises `ResultsError` where they are not those of one run."""
    if (wrong := machine_defect(machine) or result_defect(result) or judgement_defect(judgement)) is not None:
        raise ResultsError(f"{source}: {wrong}")
    assert isinstance(machine, dict) and isinstance(result, dict) and isinstance(judgement, dict)  # noqa: S101
    finished = FinishedRun(MachineRow.of(machine), ResultRow.of(result), JudgementRow.of(judgement))
    if finished.judgement.run != finished.result.run or finished.machine.machine != finished.result.machine:
        raise ResultsError(f"{source}: the judgement or the machine is that of another run")
    checked_trajectory(finished.result, candidates, f"{source}: {CANDIDATES}")
    unzip(log, MAX_LOG_BYTES, f"{source}: {LOG}", ResultsError)
    return CarriedRun(finished, candidates, log)
