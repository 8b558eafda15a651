"""A bundle: the runs of a results folder in one file, to be given away. Its reader trusts nothing in it.

    manifest.json          {"format": 1, "schema": of the ledger, "columns": {table: its columns, sorted},
                            "submission": the machine of its first own run, or null,
                            "instances": {name: sha256}, "files": {name: {"sha256": .., "bytes": ..}}}
    machines.json          the rows of table `machines` that the runs name
    runs/RUN.json          {"instance": name, "result": row, "judgement": the newest row}
    candidates/RUN.npz     as in the results folder
    logs/RUN.log.gz        the same, where there is one

It is a zip of these and nothing else. Rows are JSON, because a database could hold views and triggers: a bundle holds
neither code nor the sealed answers of a library. The same runs give the same bytes.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from vnnbench.errors import BenchError, BundleError
from vnnbench.instances.files import open_plain, parse_json, refuse_device, sha256, writing
from vnnbench.instances.progress import Progress
from vnnbench.judging.candidates import MAX_FILE_BYTES, candidates_bytes, candidates_path
from vnnbench.leaderboard.records.reader import read_rows
from vnnbench.leaderboard.records.rows import JudgementRow, MachineRow, ResultRow, Row
from vnnbench.leaderboard.records.schema import SCHEMA_VERSION
from vnnbench.leaderboard.records.upgrade import columns_of, ranked_before_7
from vnnbench.leaderboard.words import is_submitted
from vnnbench.ledger.stored_runs import StoredRun, read_stored_runs
from vnnbench.ledger.validity import checked_trajectory, judgement_defect, machine_defect, result_defect
from vnnbench.ledger.writer import LEDGER_NAME
from vnnbench.limits import (
    BUNDLE_MANIFEST_LIMIT,
    MACHINES_LIMIT,
    MAX_DIRECTORY_BYTES,
    MAX_LOG_BYTES,
    MAX_RUNS,
    RUN_LIMIT,
)
from vnnbench.runs.run_texts import log_path
from vnnbench.sharing.submission import SubmittedRun

FORMAT = 1
MANIFEST, MACHINES = "manifest.json", "machines.json"
_JSON_LIMITS = {MANIFEST: BUNDLE_MANIFEST_LIMIT, MACHINES: MACHINES_LIMIT, "runs": RUN_LIMIT}
_MAX_BYTES = {
    **{kind: limit.bytes for kind, limit in _JSON_LIMITS.items()},
    "candidates": MAX_FILE_BYTES,
    "logs": MAX_LOG_BYTES,
}
"""The most bytes of one member, unzipped."""
_MEMBER = re.compile(
    r"manifest\.json|machines\.json|(?P<folder>runs|candidates|logs)/(?P<run>[0-9a-f]{16}(?:-[1-9][0-9]{0,3})?)"
    r"(?P<suffix>\.json|\.npz|\.log\.gz)"
)
_SUFFIXES = {"runs": ".json", "candidates": ".npz", "logs": ".log.gz"}
_FIRST_SCHEMA = 4
"""The oldest ledger schema of which there are bundles."""
_ROWS: tuple[type[Row], ...] = (MachineRow, ResultRow, JudgementRow)
_COLUMNS = {
    version: {row.TABLE: sorted(columns_of(row.TABLE, version).keys() & row.COLUMNS.keys()) for row in _ROWS}
    for version in range(_FIRST_SCHEMA, SCHEMA_VERSION + 1)
}
"""The columns of the rows in a bundle, by its schema. A column that an older schema lacks is null, except that `ranked`
follows from the name of the solver; judgements are made anew in any case."""


# -- writing -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Packed:
    """The names of the attempts at runs in a bundle, and those that were left out, as (name, reason)."""

    attempts: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


def write_bundle(results: Path, out: Path, progress: Progress) -> Packed:
    """Pack every run of a results folder, all attempts, into the file `out`, which is written whole or not at all.

    A run that could not be merged is left out: its candidates are missing, or its row is not one that a run leaves.
    Raises `LedgerError`; `BundleError`: there is nothing to pack; `LibraryError`: `out` cannot be written.
    """
    refuse_device(out)
    ledger = results / LEDGER_NAME
    total = next(read_rows(ledger, "SELECT count(*) AS runs FROM results"))["runs"]
    if total > MAX_RUNS:
        raise BundleError(
            f"{ledger}: has {total} runs, and a bundle holds at most {MAX_RUNS}; give away the folder instead"
        )
    progress.start(total, 0)
    left_out: list[tuple[str, str]] = []
    with writing(out) as file, zipfile.ZipFile(file, "w") as archive:
        packer = _Packer(archive)
        for stored in read_stored_runs(ledger, ("instance_sha256", "run")):
            progress.advance(stored.instance)
            try:
                packer.put_run(_submitted_run(results, stored))
            except BenchError as error:
                left_out.append((stored.result.run, str(error)))
        if not packer.runs:
            why = f" that could be merged ({left_out[0][1]})" if left_out else ""
            raise BundleError(f"{ledger}: has no runs to pack{why}")
        rows = [
            row
            for row in read_rows(ledger, "SELECT * FROM machines ORDER BY machine")
            if row["machine"] in packer.machines
        ]
        if (wrong := next(filter(None, map(machine_defect, rows)), None)) is not None:
            raise BundleError(f"{ledger}: a machine cannot be packed: {wrong}")
        packer.put(MACHINES, orjson.dumps(rows))
        packer.put_manifest()
    return Packed(tuple(packer.runs), tuple(left_out))


def _submitted_run(results: Path, stored: StoredRun) -> SubmittedRun:
    """Return a run of the ledger with its files. Raises `BundleError`, `ResultsError`: it could not be merged."""
    result, judgement = stored.result, stored.judgement
    if judgement is None:
        raise BundleError("it was not judged")
    if (wrong := result_defect(result.document) or judgement_defect(judgement.document)) is not None:
        raise BundleError(wrong)
    path, log = candidates_path(results, result.run), log_path(results, result.run)
    try:
        if log.is_file() and log.stat().st_size > MAX_LOG_BYTES:
            raise BundleError(f"{log}: holds more than {MAX_LOG_BYTES} bytes, the most that is read")
        run = SubmittedRun(
            stored.instance, result, judgement, candidates_bytes(path), log.read_bytes() if log.is_file() else None
        )
    except OSError as error:
        raise BundleError(f"{error.filename}: cannot be read ({error.strerror})") from error
    checked_trajectory(result, run.candidates, str(path))
    return run


class _Packer:
    """A writer of members into an archive, all with the same date and permissions.

    runs, machines, instances: the names of what was put, instances with their sha256.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._files: dict[str, dict[str, str | int]] = {}
        self._first: ResultRow | None = None
        self.runs: list[str] = []
        self.machines: set[str] = set()
        self.instances: dict[str, str] = {}

    def put(self, name: str, data: bytes, compression: int = zipfile.ZIP_STORED) -> None:
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, (stat.S_IFREG | 0o644) << 16
        info.compress_type = compression
        self._archive.writestr(info, data)
        self._files[name] = {"sha256": sha256(data), "bytes": len(data)}

    def put_run(self, run: SubmittedRun) -> None:
        """Put a run with its files."""
        result = run.result
        document = {"instance": run.instance, "result": result, "judgement": run.judgement}
        self.put(f"runs/{run.run}.json", orjson.dumps(document), zipfile.ZIP_DEFLATED)
        self.put(f"candidates/{run.run}.npz", run.candidates)
        if run.log is not None:
            self.put(f"logs/{run.run}.log.gz", run.log)
        self.runs.append(run.run)
        self.machines.add(result.machine)
        self.instances[run.instance] = result.instance_sha256
        if not is_submitted(result.machine):
            earlier = filter(None, (self._first, result))
            self._first = min(earlier, key=lambda own: (own.started_at, own.run))

    def put_manifest(self) -> None:
        """Put the manifest, after all other members."""
        manifest = {
            "format": FORMAT,
            "schema": SCHEMA_VERSION,
            "columns": _COLUMNS[SCHEMA_VERSION],
            "submission": None if self._first is None else self._first.machine,
            "instances": dict(sorted(self.instances.items())),
            "files": self._files,
        }
        self.put(MANIFEST, orjson.dumps(manifest, option=orjson.OPT_INDENT_2), zipfile.ZIP_DEFLATED)


# -- reading -------------------------------------------------------------------------------------------------------


class Bundle:
    """A bundle from elsewhere, open for reading as a context manager.

    Opening compares the zip's list of members with the manifest and the limits of size; reading a member compares it
    with its hash. Nothing is unpacked to a path that the bundle names. Raises `BundleError`.

    instances: sha256 by name. machines: rows by name. runs: their names, in the order of the file. submission: the
    machine after which its own runs, on whatever machines, are named together where they are merged: that of the first
    one, so that a later bundle of the same results has the same; None in older bundles.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open_plain(path, BundleError)
        try:
            self._open()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _open(self) -> None:
        size = self._file.seek(0, 2)
        self._check_directory_size(size)
        try:
            self._archive = zipfile.ZipFile(self._file)
        except Exception as error:  # zipfile raises a dozen types for a broken file
            raise self._broken(f"it is not a readable zip, {type(error).__name__}") from error
        self._members: dict[str, zipfile.ZipInfo] = {}
        for info in self._archive.infolist():
            self._check_member(info)
            self._members[info.filename] = info
        if sum(info.compress_size for info in self._members.values()) > size:
            raise self._broken("its members overlap")
        if MANIFEST not in self._members:
            raise self._broken(f"it has no {MANIFEST}")
        self._read_manifest()
        self.runs = [name[5:-5] for name in self._members if name.startswith("runs/")]
        if len(self.runs) > MAX_RUNS:
            raise self._broken(f"it has more than {MAX_RUNS} runs")
        for name in self._members:
            found = _MEMBER.fullmatch(name)
            if found and found["run"] and f"runs/{found['run']}.json" not in self._members:
                raise self._broken(f"{name} does not belong to any of its runs")
        self.machines = {row.machine: row for row in self._machine_rows()}
        if self.submission is not None and (self.submission not in self.machines or is_submitted(self.submission)):
            raise self._broken(f"its submission is not an own machine of {MACHINES}")

    def _check_directory_size(self, size: int) -> None:
        """Check the length of the list of members, which the end of a zip without a comment states."""
        self._file.seek(max(0, size - 98))
        tail = self._file.read(98)
        if not (len(tail) >= 22 and tail[-22:-18] == b"PK\5\6" and tail[-2:] == b"\0\0"):
            raise self._broken("it is not a zip, or not a whole one")
        (length,) = struct.unpack_from("<L", tail, len(tail) - 10)
        if tail[-42:-38] == b"PK\6\7":
            if tail[:4] != b"PK\6\6":
                raise self._broken("it is not a readable zip")
            (length,) = struct.unpack_from("<Q", tail, 40)
        if length > MAX_DIRECTORY_BYTES:
            raise self._broken("its list of members is too long")

    def _check_member(self, info: zipfile.ZipInfo) -> None:
        name = info.filename
        found = _MEMBER.fullmatch(name)
        if found is None or info.orig_filename != name or _SUFFIXES.get(found["folder"]) != found["suffix"]:
            raise self._broken(f"{info.orig_filename[:100]!r} is not a file of a bundle")
        if name in self._members:
            raise self._broken(f"{name} occurs twice")
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG) or info.flag_bits & 1:
            raise self._broken(f"{name} is a link, or encrypted")
        wanted = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) if name.endswith(".json") else (zipfile.ZIP_STORED,)
        if info.compress_type not in wanted:  # zipfile unzips other compressions without a limit
            raise self._broken(f"{name} is compressed in another way than `vnnbench bundle` does")
        most = _MAX_BYTES[found["folder"] or name]
        if info.file_size > most:
            raise self._broken(f"{name} has {info.file_size} bytes, more than {most}")

    def _read_manifest(self) -> None:
        document = self._json(MANIFEST, self._unzipped(MANIFEST), MANIFEST)
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise self._broken(f"its {MANIFEST} is not of format {FORMAT}")
        if document.get("columns") not in _COLUMNS.values():  # schemas may differ in views alone
            raise BundleError(
                f"{self.path}: is of ledger schema {str(document.get('schema'))[:20]}, whose rows are not those of "
                f"schema {SCHEMA_VERSION}; make it with this version of vnnbench"
            )
        instances, files = document.get("instances"), document.get("files")
        if not isinstance(instances, dict) or not all(isinstance(digest, str) for digest in instances.values()):
            raise self._broken(f"its {MANIFEST} does not map instances to their sha256")
        if not isinstance(files, dict):
            raise self._broken(f"its {MANIFEST} lists no files")
        listed = {MANIFEST, *files}
        if listed != self._members.keys():
            name = min(listed ^ self._members.keys())
            raise self._broken(f"{name[:100]!r} is {'listed, but missing' if name in listed else 'not listed'}")
        submission = document.get("submission")
        if submission is not None and not isinstance(submission, str):
            raise self._broken(f"its {MANIFEST} has a submission that is no text")
        self.submission: str | None = submission
        self.instances: dict[str, str] = instances
        self._files: dict[str, Any] = files
        self._unmeasured = {
            name: dict.fromkeys(row.COLUMNS.keys() - set(document["columns"][row.TABLE]))
            for name, row in (("machine", MachineRow), ("result", ResultRow), ("judgement", JudgementRow))
        }

    def _machine_rows(self) -> list[MachineRow]:
        if MACHINES not in self._members:
            raise self._broken(f"it has no {MACHINES}")
        rows = self._json(MACHINES, self._checked(MACHINES), MACHINES)
        if not isinstance(rows, list):
            raise self._broken(f"{MACHINES} does not hold a list")
        rows = [self._unmeasured["machine"] | row if isinstance(row, dict) else row for row in rows]
        if (wrong := next(filter(None, map(machine_defect, rows)), None)) is not None:
            raise self._broken(f"{MACHINES}: {wrong}")
        return [MachineRow.of(row) for row in rows]

    def read(self, run: str) -> SubmittedRun:
        """Read one run: its rows have the right columns and types, and name an instance and a machine of the bundle."""
        name = f"runs/{run}.json"
        document = self._json(name, self._checked(name), "runs")
        if not isinstance(document, dict) or document.keys() != {"instance", "result", "judgement"}:
            raise self._broken(f"{name} does not hold a run")
        for row in ("result", "judgement"):
            unmeasured = self._unmeasured[row]
            if isinstance(document[row], dict):
                if "ranked" in unmeasured:
                    unmeasured = unmeasured | {"ranked": ranked_before_7(document[row].get("solver"))}
                document[row] = unmeasured | document[row]
        if (wrong := result_defect(document["result"]) or judgement_defect(document["judgement"])) is not None:
            raise self._broken(f"{name}: {wrong}")
        instance, result = document["instance"], ResultRow.of(document["result"])
        judgement = JudgementRow.of(document["judgement"])
        if result.run != run or judgement.run != run:
            raise self._broken(f"{name} holds another run")
        if not isinstance(instance, str) or self.instances.get(instance) != result.instance_sha256:
            raise self._broken(f"{name} is about an instance that the {MANIFEST} does not list")
        if result.machine not in self.machines:
            raise self._broken(f"{name} was made on a machine that {MACHINES} does not list")
        candidates, log = f"candidates/{run}.npz", f"logs/{run}.log.gz"
        if candidates not in self._members:
            raise self._broken(f"it has no {candidates}")
        logged = self._checked(log) if log in self._members else None
        return SubmittedRun(instance, result, judgement, self._checked(candidates), logged)

    def _checked(self, name: str) -> bytes:
        """Return a member, after comparing its size and hash with the manifest."""
        data = self._unzipped(name)
        if self._files[name] != {"sha256": sha256(data), "bytes": len(data)}:
            raise self._broken(f"{name} is not the file that its {MANIFEST} knows (sha256)")
        return data

    def _unzipped(self, name: str) -> bytes:
        info = self._members[name]
        try:
            with self._archive.open(info) as file:
                data = file.read(info.file_size)  # without a size it unzips up to 2 GiB, whatever the archive says
        except Exception as error:  # of many types, as when it is opened
            raise self._broken(f"{name} cannot be unzipped, {type(error).__name__}") from error
        if len(data) != info.file_size:
            raise self._broken(f"{name} is not as long as the zip says")
        return data

    def _json(self, name: str, data: bytes, kind: str) -> Any:
        return parse_json(data, _JSON_LIMITS[kind], lambda what: self._broken(f"{name} {what}"))

    def _broken(self, what: str) -> BundleError:
        return BundleError(f"{self.path}: is not a bundle that can be merged ({what}); nothing was merged")
