"""A finished run as files in a folder that machines share, where several may execute the same run.

    FOLDER/RUN.json                       {"format": 1, "run", "writer", "files": {name: {"sha256", "bytes"}}}
    FOLDER/RUN-WRITER/run.json            {"machine": row, "result": row, "judgement": row}, by column
    FOLDER/RUN-WRITER/candidates.npz      as in the results folder
    FOLDER/RUN-WRITER/log.gz              the same

Each writer has a folder of its own. The first file, the commit record, says whose files are those of the run: it
appears last and at once, and it is never replaced. What a killed writer leaves behind is never read.
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

from vnnbench.engines.files import read_inside, sync_folder, write_new
from vnnbench.errors import ResultsError
from vnnbench.instances.files import parse_json, remove_folder, sha256, unzip, write_atomic
from vnnbench.judging.candidates import MAX_FILE_BYTES, candidates_bytes, candidates_path
from vnnbench.leaderboard.records.rows import JudgementRow, MachineRow, ResultRow
from vnnbench.ledger.validity import checked_trajectory, judgement_defect, machine_defect, result_defect
from vnnbench.limits import COMMIT_RECORD_LIMIT, MAX_LOG_BYTES, RUN_LIMIT
from vnnbench.runs.execution import FinishedRun
from vnnbench.runs.run_texts import log_path

FORMAT = 1
RUN, CANDIDATES, LOG = "run.json", "candidates.npz", "log.gz"
_RECORD = "record.json"
"""What the commit record is called in its writer's folder, from which it is linked."""
_MOST = {RUN: RUN_LIMIT.bytes, CANDIDATES: MAX_FILE_BYTES, LOG: MAX_LOG_BYTES}


@dataclass(frozen=True, slots=True)
class CarriedRun:
    """A finished run with the bytes of its files, on its way from where it was executed to a results folder."""

    finished: FinishedRun
    candidates: bytes
    log: bytes

    @classmethod
    def collect(cls, finished: FinishedRun, results: Path) -> Self:
        """Take a run with its files from the results folder that it was executed into. Raises `ResultsError`."""
        run = finished.result.run
        log = log_path(results, run)
        try:
            return cls(finished, candidates_bytes(candidates_path(results, run)), log.read_bytes())
        except OSError as error:
            raise ResultsError(f"{log}: cannot be read ({error.strerror})") from error

    def put(self, results: Path) -> FinishedRun:
        """Put the files in their places in a results folder, and return the run. Raises `LibraryError`: they cannot be
        written."""
        run = self.finished.result.run
        write_atomic(log_path(results, run), self.log)
        write_atomic(candidates_path(results, run), self.candidates)
        return self.finished


# -- writing -------------------------------------------------------------------------------------------------------


def publish(folder: Path, run: CarriedRun) -> bool:
    """Write a finished run, unless another writer was faster: its files stay as they are. Return whether these are the
    files of the run now. Whatever happens, a reader finds all of them or none.

    Raises `ResultsError`: the files cannot be written, or are not such as a run leaves.
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
            raise ResultsError(f"{folder}: run {name}: {file} has more than {_MOST[file]} bytes, the most that is read")
    record = _record(name, writer, {file: _entry(data) for file, data in files.items()})
    try:
        own.mkdir(parents=True)
        for file, data in files.items():
            write_new(own / file, data)
        write_new(own / _RECORD, record)
        sync_folder(own)
        sync_folder(folder)
        # rename(2) would put this record in the place of the one that is there, so that the last writer would win.
        # That the link is there already may be the answer to our own request, asked again of a file server.
        with suppress(FileExistsError):
            place.hardlink_to(own / _RECORD)
        sync_folder(folder)
    finally:  # also on Ctrl-C right after the link
        is_first = _is_same(own / _RECORD, place)
        if not is_first:
            remove_folder(own)
    return is_first


def _record(name: str, writer: str, account: dict[str, dict[str, str | int]]) -> bytes:
    """The one text of a commit record: what reads differently was altered."""
    return orjson.dumps({"format": FORMAT, "run": name, "writer": writer, "files": account})


def _entry(data: bytes) -> dict[str, str | int]:
    return {"sha256": sha256(data), "bytes": len(data)}


def _is_same(record: Path, place: Path) -> bool:
    try:
        return os.path.samestat(record.lstat(), place.lstat())
    except FileNotFoundError:
        return False


# -- reading -------------------------------------------------------------------------------------------------------


def read_published(folder: Path, name: str) -> CarriedRun | None:
    """Read the finished run with this `PlannedRun.name`; None where none is published.

    What was found there is trusted as a ledger is: it is whole, and each field is such as a run can leave, but no
    candidate is judged again. Raises `ResultsError` in one line: it is not.
    """
    place = folder / f"{name}.json"
    try:
        data = read_inside(folder, place.name, most=COMMIT_RECORD_LIMIT.bytes)
    except ResultsError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise
    writer, account = _parse_record(data, name, place)
    files = {file: read_inside(folder, f"{name}-{writer}", file, most=most) for file, most in _MOST.items()}
    for file, content in files.items():
        if account[file] != _entry(content):
            raise ResultsError(
                f"{folder / f'{name}-{writer}' / file}: is not the file that {place.name} knows (sha256)"
            )
    source = str(folder / f"{name}-{writer}")
    rows = parse_json(files[RUN], RUN_LIMIT, lambda what: ResultsError(f"{source}: {RUN} {what}"))
    if not isinstance(rows, dict) or rows.keys() != {"machine", "result", "judgement"}:
        raise ResultsError(f"{source}: {RUN} holds no run")
    run = _checked(rows["machine"], rows["result"], rows["judgement"], files[CANDIDATES], files[LOG], source)
    if run.finished.result.run != name:
        raise ResultsError(f"{source}: {RUN} holds another run")
    return run


def _parse_record(data: bytes, name: str, place: Path) -> tuple[str, dict[str, dict[str, str | int]]]:
    """The writer whose files are those of the run, and their account."""
    record = parse_json(data, COMMIT_RECORD_LIMIT, lambda what: ResultsError(f"{place}: {what}"))
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ResultsError(f"{place}: is not a commit record of format {FORMAT}")
    writer, account = record.get("writer"), record.get("files")
    if not isinstance(writer, str) or not re.fullmatch("[0-9a-f]{32}", writer):
        raise ResultsError(f"{place}: writer is not 32 hexadecimal digits")
    if not isinstance(account, dict) or account.keys() != _MOST.keys() or not all(map(_is_entry, account.values())):
        raise ResultsError(f"{place}: does not list the sha256 and bytes of the files of a run")
    if data != _record(name, writer, account):
        raise ResultsError(f"{place}: is not as a commit record of run {name} is written")
    return writer, account


def _is_entry(entry: object) -> bool:
    """Whether this is something that `_entry` may have made."""
    return (
        isinstance(entry, dict)
        and entry.keys() == {"sha256", "bytes"}
        and isinstance(entry["sha256"], str)
        and type(entry["bytes"]) is int
    )


def _checked(
    machine: object, result: object, judgement: object, candidates: bytes, log: bytes, source: str
) -> CarriedRun:
    """The run of these rows, by column, and files. Raises `ResultsError`: they are not those of one run."""
    if (wrong := machine_defect(machine) or result_defect(result) or judgement_defect(judgement)) is not None:
        raise ResultsError(f"{source}: {wrong}")
    assert isinstance(machine, dict) and isinstance(result, dict) and isinstance(judgement, dict)  # noqa: S101
    finished = FinishedRun(MachineRow.of(machine), ResultRow.of(result), JudgementRow.of(judgement))
    if finished.judgement.run != finished.result.run or finished.machine.machine != finished.result.machine:
        raise ResultsError(f"{source}: the judgement or the machine is that of another run")
    checked_trajectory(finished.result, candidates, f"{source}: {CANDIDATES}")
    unzip(log, MAX_LOG_BYTES, f"{source}: {LOG}", ResultsError)
    return CarriedRun(finished, candidates, log)
