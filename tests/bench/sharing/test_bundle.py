"""What is in a bundle, and bundles that are not what they say: one line each, before anything is merged."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import stat
import struct
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import orjson
import pytest

import vnnbench.sharing.bundle
from support.silent import Silent
from vnnbench.cli import run_command
from vnnbench.errors import BundleError, ResultsError
from vnnbench.instances.files import sha256
from vnnbench.isolation.machine import machine_name
from vnnbench.leaderboard.records.rows import ResultRow
from vnnbench.leaderboard.records.schema import SCHEMA_VERSION
from vnnbench.ledger.validity import checked_trajectory
from vnnbench.ledger.writer import LEDGER_NAME, Ledger
from vnnbench.sharing.bundle import Bundle, write_bundle

Members = dict[str, bytes]


@pytest.fixture(scope="module")
def bundled(tiny_results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of `tiny_results`."""
    path = tmp_path_factory.mktemp("bundle") / "mine.zip"
    assert run_command(["bundle", str(tiny_results), "--out", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def members(bundled: Path) -> Members:
    with zipfile.ZipFile(bundled) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_manifest(members: Members) -> Members:
    """The same with a manifest that lists what is there."""
    files = {name: {"sha256": sha256(data), "bytes": len(data)} for name, data in members.items() if "man" not in name}
    document = orjson.loads(members["manifest.json"]) | {"files": files}
    return {**members, "manifest.json": orjson.dumps(document)}


def zipped(path: Path, members: Members, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def refusal(path: Path) -> str:
    """Why a bundle is refused, when it is opened or a run of it read; one line that names it."""
    with pytest.raises(BundleError) as refused, Bundle(path) as bundle:
        for run in bundle.runs:
            bundle.read(run)
    message = str(refused.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and len(message) < 400
    return message


def test_bundle_holds_ledger_candidates_logs_and_machine_and_nothing_else(bundled, members, tiny_results):
    with closing(sqlite3.connect(tiny_results / LEDGER_NAME)) as connection:
        runs = [run for (run,) in connection.execute("SELECT run FROM results ORDER BY instance_sha256, run")]
        machine = connection.execute("SELECT machine FROM machines").fetchone()[0]
    files = {f"{folder}/{run}.{kind}" for run in runs for folder, kind in (("candidates", "npz"), ("logs", "log.gz"))}
    assert members.keys() == {"manifest.json", "machines.json", *files, *(f"runs/{run}.json" for run in runs)}
    assert all(members[name] == (tiny_results / name).read_bytes() for name in files)
    with Bundle(bundled) as bundle:
        assert bundle.runs == runs
        assert set(bundle.machines) == {machine}
        first = bundle.read(runs[0])
    assert first.candidates == members[f"candidates/{runs[0]}.npz"]
    with Ledger(tiny_results) as ledger:
        assert first.result == ledger.result(runs[0])


def test_same_runs_give_the_same_bytes(bundled, tiny_results, tmp_path):
    copy = Path(shutil.copytree(tiny_results, tmp_path / "copy"))
    progress = Silent()
    assert len(write_bundle(copy, tmp_path / "again.zip", progress).attempts) == 8
    assert (progress.total, progress.done) == (8, 8)
    assert (tmp_path / "again.zip").read_bytes() == bundled.read_bytes()


def test_schema_that_differs_in_views_alone_is_no_other(members, tmp_path):
    manifest = orjson.dumps(orjson.loads(members["manifest.json"]) | {"schema": SCHEMA_VERSION + 1})
    with Bundle(zipped(tmp_path / "b.zip", {**members, "manifest.json": manifest})) as bundle:
        assert len(bundle.runs) == 8


def test_sealed_answers_are_not_given_away(tiny_results, tmp_path, bundled):
    copy = Path(shutil.copytree(tiny_results, tmp_path / "copy"))
    seal = b'{"format": 1, "problems": []}'
    (copy / "sealed").mkdir()
    (copy / "sealed" / f"{sha256(seal)}.json").write_bytes(seal)
    assert run_command(["bundle", str(copy), "--out", str(tmp_path / "out.zip")]) == 0
    assert (tmp_path / "out.zip").read_bytes() == bundled.read_bytes()


def test_run_that_was_never_judged_is_left_out_with_the_reason(tiny_results, tmp_path):
    """No version writes such a ledger; it may come from elsewhere."""
    copy = Path(shutil.copytree(tiny_results, tmp_path / "copy"))
    with closing(sqlite3.connect(copy / LEDGER_NAME)) as connection, connection:
        name, *rest = connection.execute(f"SELECT {ResultRow.selected()} FROM results").fetchone()  # noqa: S608
        marks = ", ".join("?" for _ in ResultRow.COLUMNS)
        connection.execute(f"INSERT INTO results ({ResultRow.selected()}) VALUES ({marks})", (f"{name}-2", *rest))  # noqa: S608
    packed = write_bundle(copy, tmp_path / "b.zip", Silent())
    assert (len(packed.attempts), packed.left_out) == (8, ((f"{name}-2", "it was never judged"),))


def test_run_without_its_candidates_is_left_out_and_told(tiny_results, tmp_path, capsys):
    copy = Path(shutil.copytree(tiny_results, tmp_path / "copy"))
    gone, other, *_ = sorted(path.stem for path in (copy / "candidates").glob("*.npz"))
    (copy / "candidates" / f"{gone}.npz").unlink()
    (copy / "candidates" / f"{other}.npz").write_bytes(b"nonsense")
    (copy / "logs" / f"{other}.log.gz").unlink()
    assert run_command(["bundle", str(copy), "--out", str(tmp_path / "out.zip")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[1] for line in lines[:2]} == {gone, other}
    assert lines[2].startswith(f"{tmp_path / 'out.zip'}: 6 runs, ")
    with Bundle(tmp_path / "out.zip") as bundle:
        assert len(bundle.runs) == 6


@pytest.mark.parametrize("command", [["bundle"], ["select", "--size", "1"]])
def test_pipe_to_write_to_stays_one(tiny_results, tmp_path, capsys, command):
    """So does /dev/null, where somebody may write beside it."""
    os.mkfifo(tmp_path / "pipe")
    assert run_command([*command, str(tiny_results), "--out", str(tmp_path / "pipe")]) == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("pipe: cannot be written (is not a file)")
    assert [path.is_fifo() for path in tmp_path.iterdir()] == [True]


def test_ledger_without_runs_makes_no_bundle(tmp_path, capsys):
    with Ledger(tmp_path / "results"):
        pass
    assert run_command(["bundle", str(tmp_path / "results"), "--out", str(tmp_path / "out.zip")]) == 2
    assert "has no runs to pack" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results"]


def test_results_of_which_nothing_could_be_merged_make_no_bundle(tiny_results, tmp_path, capsys):
    copy = Path(shutil.copytree(tiny_results, tmp_path / "copy"))
    names = [path.name for path in (copy / "candidates").iterdir()]
    shutil.rmtree(copy / "candidates")
    (copy / "candidates").mkdir()
    for make, said in ((None, "cannot be read (No such file"), (os.mkfifo, "is not a file")):
        for name in names if make else ():
            make(copy / "candidates" / name)
        assert run_command(["bundle", str(copy), "--out", str(tmp_path / "out.zip")]) == 2
        line = capsys.readouterr().err.splitlines()[-1]
        assert "has no runs to pack that could be merged (" in line and f".npz: {said}" in line
        assert not (tmp_path / "out.zip").exists()


# -- hostile files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [0, 1, 21, 500, -1, -60])
def test_truncated_file_is_refused(bundled, tmp_path, kept):
    path = tmp_path / "cut.zip"
    path.write_bytes(bundled.read_bytes()[:kept])
    assert "no zip, or not all of it" in refusal(path)


def test_file_that_is_not_there_is_refused(tmp_path):
    assert "cannot be read (No such file" in refusal(tmp_path / "none.zip")
    os.mkfifo(tmp_path / "pipe")
    for name in ("", "pipe"):
        assert refusal(tmp_path / name).endswith("is not a file")


@pytest.mark.parametrize(
    "name",
    ["../escaped.npz", "/etc/passwd", "candidates/../../x.npz", "sealed/x.json", "ledger.sqlite", "runs/zz.json",
     "candidates/0123456789abcdef.json", "candidates/0123456789ABCDEF.npz", "runs/0123456789abcdef-0.json"],
)  # fmt: skip
def test_name_that_no_bundle_has_is_refused(members, tmp_path, name):
    assert "is no file of a bundle" in refusal(zipped(tmp_path / "b.zip", with_manifest({**members, name: b"x"})))


def test_name_that_goes_on_after_a_zero_is_refused(members, tmp_path):
    path = zipped(tmp_path / "b.zip", {**members, "machines.jsonX..": b"x"})
    path.write_bytes(path.read_bytes().replace(b"machines.jsonX..", b"machines.json\0.."))
    assert "is no file of a bundle" in refusal(path)


def test_member_that_is_there_twice_is_refused(bundled, members, tmp_path):
    path = Path(shutil.copy(bundled, tmp_path / "b.zip"))
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("machines.json", members["machines.json"])
    assert "machines.json is there twice" in refusal(path)


def test_link_is_refused(members, tmp_path):
    name = next(name for name in members if name.startswith("logs/"))
    others = {other: data for other, data in members.items() if other != name}
    path = zipped(tmp_path / "b.zip", others)
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "/etc/passwd")
    assert "is a link, or encrypted" in refusal(path)


def test_bomb_is_refused_before_it_is_unzipped(members, tmp_path):
    run, log = (next(name for name in members if name.startswith(folder)) for folder in ("runs/", "logs/"))
    path = zipped(tmp_path / "b.zip", {**members, run: bytes(1 << 24)}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20
    assert f"{run} has {1 << 24} bytes, more than {1 << 20}" in refusal(path)
    path = zipped(tmp_path / "c.zip", {log: bytes(1 << 24), **members}, zipfile.ZIP_DEFLATED)
    assert f"{log} is compressed in another way" in refusal(path)  # it is zipped by itself


def test_member_that_is_longer_than_the_zip_says_is_refused(members, tmp_path):
    """The size that the zip states is what limits; what comes after it is not read."""
    name, data = "machines.json", members["machines.json"]
    path = zipped(tmp_path / "b.zip", members)
    bytes_ = bytearray(path.read_bytes())
    place = bytes_.rindex(name.encode()) - 46
    assert bytes_[place : place + 4] == b"PK\1\2"
    bytes_[place + 24 : place + 28] = struct.pack("<L", len(data) - 1)
    path.write_bytes(bytes_)
    assert "machines.json" in refusal(path)


def test_members_that_overlap_are_refused(members, tmp_path):
    """Ten members whose entries all lead to the bytes of one: the zip states more than the file holds."""
    names = [f"candidates/{i:016x}.npz" for i in range(10)]
    path = zipped(tmp_path / "b.zip", {names[0]: bytes(20_000), **dict.fromkeys(names[1:], b"")})
    data = bytearray(path.read_bytes())
    for name in names[1:]:
        place = data.rindex(name.encode()) - 46
        data[place + 20 : place + 28] = struct.pack("<LL", 20_000, 20_000)
        data[place + 42 : place + 46] = struct.pack("<L", 0)
    path.write_bytes(data)
    assert "its members overlap" in refusal(path)


def test_list_of_members_without_end_is_not_read(bundled, tmp_path, monkeypatch):
    monkeypatch.setattr(vnnbench.sharing.bundle, "MAX_DIRECTORY_BYTES", 100)
    assert "its list of members is too long" in refusal(bundled)
    data = bundled.read_bytes()
    fields = struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 3, 3, 1 << 40, 0)
    path = tmp_path / "zip64.zip"
    path.write_bytes(data[:-22] + fields + struct.pack("<4sLQL", b"PK\6\7", 0, len(data) - 22, 1) + data[-22:])
    monkeypatch.setattr(vnnbench.sharing.bundle, "MAX_DIRECTORY_BYTES", 1 << 29)
    assert "its list of members is too long" in refusal(path)


def test_too_many_runs_are_refused(bundled, monkeypatch):
    monkeypatch.setattr(vnnbench.sharing.bundle, "MAX_RUNS", 7)
    assert "more than 7 runs" in refusal(bundled)


def test_large_bundles_are_read(members, tmp_path, monkeypatch):
    """Beyond 65,535 members a zip has another end."""
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)
    path = zipped(tmp_path / "b.zip", members)
    assert path.read_bytes()[-42:-38] == b"PK\6\7"
    with Bundle(path) as bundle:
        assert [bundle.read(run).run for run in bundle.runs] == bundle.runs


@pytest.mark.parametrize("name", ["machines.json", "runs/", "candidates/", "logs/"])
def test_changed_file_is_refused_by_its_hash(members, tmp_path, name):
    name = next(other for other in members if other.startswith(name))
    path = zipped(tmp_path / "b.zip", {**members, name: members[name] + b" "})
    assert f"{name} is not the file that its manifest.json knows (sha256)" in refusal(path)


@pytest.mark.parametrize(
    ("name", "what"),
    [("manifest.json", "it has no manifest.json"), ("machines.json", "it has no machines.json"),
     ("candidates/", "it has no candidates/"), ("runs/", "belongs to no run of it")],
)  # fmt: skip
def test_missing_file_is_refused(members, tmp_path, name, what):
    name = next(other for other in members if other.startswith(name))
    rest = {other: data for other, data in with_manifest(members).items() if other != name}
    path = zipped(tmp_path / "b.zip", rest)
    assert what in refusal(path) if name == "manifest.json" else "is listed, but not there" in refusal(path)
    if name != "manifest.json":
        assert what in refusal(zipped(path, with_manifest(rest)))


@pytest.mark.parametrize(
    ("change", "what"),
    [({"format": 2}, "is not of format 1"), ({"schema": 3, "columns": {}}, "is of ledger schema 3, whose rows"),
     ({"instances": ["x"]}, "does not map instances"), ({"instances": {"x": 1}}, "does not map instances"),
     ({"files": None}, "lists no files"), ({"files": {}}, "is not listed")],
)  # fmt: skip
def test_manifest_of_another_kind_is_refused(members, tmp_path, change, what):
    manifest = orjson.dumps(orjson.loads(members["manifest.json"]) | change)
    assert what in refusal(zipped(tmp_path / "b.zip", {**members, "manifest.json": manifest}))


@pytest.mark.parametrize("data", [b"", b"[", b"[]", b"null", b"[" * 5000, b'{"format": NaN}', b"\xff"])
def test_manifest_that_is_none_is_refused(members, tmp_path, data):
    assert "manifest.json" in refusal(zipped(tmp_path / "b.zip", {**members, "manifest.json": data}))


def changed(members: Members, change: Callable[[dict], object]) -> Members:
    """One run's document changed, and hashes that fit."""
    name = next(other for other in members if other.startswith("runs/"))
    document = json.loads(members[name])
    change(document)
    return with_manifest({**members, name: json.dumps(document).encode()})


def poisoned(what: str, part: str = "result", **values: object) -> tuple[Callable[[dict], object], str]:
    """A change of a run's document, and what is said of it."""
    return (lambda document: document[part].update(values)), what


OUT_OF_RANGE = [
    *(
        poisoned("time_limit_seconds is not above 0 and at most 100000000", time_limit_seconds=seconds)
        for seconds in (0.0, -1.0, 1.0e8 + 1, 1e306, 1e308)
    ),
    *(
        poisoned(f"{name} is not from 0 to 1e+09", **{name: 1.1e9})
        for name in ("wall_seconds", "read_seconds", "cpu_seconds", "foreign_seconds")
    ),
    poisoned("dual_bound is not from -1e+300 to 1e+300", dual_bound=-1e301),
    poisoned("claimed_value is not from -1e+300 to 1e+300", claimed_value=1e301),
    poisoned("memory_limit_bytes is not from 67108864 to", memory_limit_bytes=1),
    poisoned("memory_limit_bytes is not from 67108864 to", memory_limit_bytes=2**51),
    poisoned("seed is not from 0 to 9223372036854775807", seed=-1),
    poisoned("threads is not from 1 to 1024", threads=1025),
    poisoned("permutation is not from 0 to 1000", permutation=1001),
    poisoned("attempt is not from 1 to 9999", attempt=10_000),
    poisoned("peak_memory_bytes is not from 0", peak_memory_bytes=-1),
    poisoned("swapped_bytes is not from 0", swapped_bytes=-1),
    *(
        poisoned("settings must be a JSON object of options", settings=settings)
        for settings in (
            json.dumps({"a": "x" * 10_000}), '{"a": [1]}', '{"a": {"b": 1}}', '{"a": null}', '{"a": NaN}',
            '{"a": "\\ud800"}', '{"\\ud800": 1}', '{"a": 9223372036854775808}', '{"a":1}', "[]", "1" * 5_000,
        )
    ),
    *(
        poisoned("started_at must be a time such as", started_at=text)
        for text in (
            "2026-11-28<00:00:00", "2026-11-28T00:00:00", "2026-11-28T00:00:00Z", "2026-11-28T00:00:00+01:00",
            "2026-11-28", "20261128T000000+00:00", "2026-13-28T00:00:00+00:00", "2026-11-28T00:00:00.1+00:00",
            "2026-11-28T00:00:00.000+00:00\n", "\u0662026-11-28T00:00:00+00:00",
        )
    ),
    poisoned("raw_status is longer than 1000", raw_status="x" * 1_001),
    poisoned("solver_version is longer than 1000", solver_version="x" * 1_001),
    poisoned("cores must be numbers with commas", cores="\u0661"),
    poisoned("candidates_sha256 must be 64 hexadecimal digits", candidates_sha256="x"),
    *(
        poisoned("dual_steps must be pairs of seconds and bounds", dual_steps=text)
        for text in (
            "[[0, 1]]", '[["0", "1"]]', "[[0.0,1.0]]", "[[0.0, 1e301]]", "[[1e10, 1.0]]", "[[-1.0, 1.0]]", "{}",
            json.dumps([[0.0, -float(i)] for i in range(1_001)]), "[[0.0, true]]", "[[0.0, 1.0, 2.0]]", "[" * 999_999,
        )
    ),
    poisoned("primal_steps must be pairs of seconds and values", "judgement", primal_steps="[[0.0, 1e301]]"),
    poisoned("judged_at must be a time such as", "judgement", judged_at="now"),
    poisoned("evidence must be one of exact", "judgement", evidence="good"),
    poisoned("confirmed is not from 0 to 1", "judgement", confirmed=2),
    poisoned("row_violation is not from 0", "judgement", row_violation=-1.0),
    poisoned("first_success_seconds is not from 0 to 1e+09", "judgement", first_success_seconds=1e10),
    poisoned("own_answers is not from 0", "judgement", own_answers=-1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda d: d.pop("judgement"), "holds no run"),
        (lambda d: d["result"].pop("nodes"), "it does not have the columns of the ledger"),
        (lambda d: d["result"].update(more=1), "it does not have the columns of the ledger"),
        (lambda d: d["result"].update(machine="0" * 12), "was made on no machine of the bundle"),
        (lambda d: d.update(instance="another"), "is about no instance of the bundle"),
        (lambda d: d["result"].update(nodes="many"), "nodes is no whole number"),
        (lambda d: d["result"].update(nodes=True), "nodes is no whole number"),
        (lambda d: d["result"].update(nodes=-1), "nodes is not from 0 to 9223372036854775807"),
        (lambda d: d["result"].update(nodes=2**63), "nodes is not from 0 to 9223372036854775807"),
        (lambda d: d["result"].update(wall_seconds=None), "wall_seconds is missing"),
        (lambda d: d["result"].update(wall_seconds=-1.0), "wall_seconds is not from 0 to 1e+09"),
        (lambda d: d["result"].update(wall_seconds=1), "wall_seconds is no finite number"),
        (lambda d: d["result"].update(message="x" * 1001), "message is longer than 1000 characters"),
        (lambda d: d["result"].update(message="\0"), "message is no text"),
        (lambda d: d["result"].update(termination="won"), "termination must be a word of the solvers'"),
        (lambda d: d["result"].update(ended_by="luck"), "ended_by must be a word of the harness's"),
        (lambda d: d["result"].update(dual_steps="[[1.0, 2.0], [2.0, 3.0]]"), "dual_steps must be falling bounds"),
        (lambda d: d["result"].update(dual_steps="[" * 50_000), "dual_steps must be pairs of seconds and bounds"),
        (lambda d: d["result"].update(dual_steps="[[0.0, Infinity]]"), "dual_steps must be pairs of seconds"),
        (lambda d: d["result"].update(goal="win"), "goal must be one of find, decide, optimize"),
        (lambda d: d["result"].update(enforcement="trust"), "enforcement must be one of namespace"),
        (lambda d: d["result"].update(counted="by hand"), "counted must be one of cgroup"),
        (lambda d: d["result"].update(stalled_seconds=-1.0), "stalled_seconds is not from 0 to 1e+09"),
        (lambda d: d["result"].update(settings='{"b": 1, "a": 1}'), "settings must be a JSON object of options with"),
        (lambda d: d["result"].update(settings="[" * 100_000), "settings must be a JSON object of options with"),
        (lambda d: d["result"].update(started_at="long ago"), "started_at must be a time such as"),
        (lambda d: d["result"].update(cores="all"), "cores must be numbers with commas"),
        (lambda d: d["result"].update(time_limit_seconds=60.0), "its name is not the one that follows from its plan"),
        (lambda d: d["result"].update(attempt=2), "its name is not the one that follows from its plan"),
        (lambda d: d["result"].update(solver="scip"), "its name is not the one that follows from its plan"),
        (lambda d: d["judgement"].update(run="0" * 16), "holds another run"),
        *OUT_OF_RANGE,
        (lambda d: d["judgement"].update(best_exact_value="high"), "best_exact_value is no finite number"),
    ],
)  # fmt: skip
def test_row_that_no_run_leaves_is_refused(members, tmp_path, change, what):
    assert what in refusal(zipped(tmp_path / "b.zip", changed(members, change)))


def test_machine_that_is_not_what_its_name_says_is_refused(members, tmp_path):
    rows = orjson.loads(members["machines.json"])
    rows[0]["cpu"] = "a faster one"
    path = zipped(tmp_path / "b.zip", with_manifest({**members, "machines.json": orjson.dumps(rows)}))
    assert "machines.json: machine is not the name that follows from its facts" in refusal(path)


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("packages", "[" * 9_000, "packages must be a JSON object of at most 100 names"),
        ("packages", '{"numpy": 1}', "packages must be a JSON object of at most 100 names"),
        ("packages", '{"numpy": {"a": "1"}}', "packages must be a JSON object of at most 100 names"),
        ("packages", json.dumps({"numpy": "x" * 1_001}), "packages must be a JSON object of at most 100 names"),
        ("packages", json.dumps({str(i): "1" for i in range(10_101, 10_202)}), "packages must be a JSON object of at"),
        ("packages", '{"b": "1", "a": "1"}', "packages must be a JSON object of at most 100 names"),
        ("cpu", "x" * 1_001, "cpu is longer than 1000 characters"),
        ("kernel", "x" * 1_001, "kernel is longer than 1000 characters"),
        ("cores", 0, "cores is not from 1 to 1048576"),
        ("cores", 2**21, "cores is not from 1 to 1048576"),
        ("memory_bytes", -1, "memory_bytes is not from 1 to"),
    ],
)
def test_machine_that_cannot_be_is_refused(members, tmp_path, column, value, what):
    rows = orjson.loads(members["machines.json"])
    rows[0][column] = value
    rows[0]["machine"] = machine_name({name: fact for name, fact in rows[0].items() if name != "machine"})
    path = zipped(tmp_path / "b.zip", with_manifest({**members, "machines.json": orjson.dumps(rows)}))
    assert f"machines.json: {what}" in refusal(path)


def test_candidates_are_those_that_the_row_tells_of(members, tmp_path):
    name = next(other for other in members if other.startswith("candidates/"))
    with np.load(io.BytesIO(members[name])) as arrays:
        stored = dict(arrays)
    for changes, what in (
        ({}, "is not the file that its run left"),
        ({"dropped": stored["dropped"] + 9}, "candidates, its run had"),
        ({"seconds": stored["seconds"] - 1e6}, "from before the run"),
        ({"seconds": stored["seconds"] + 1e10}, "from after more than 1e\\+09 s"),
    ):
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **{**stored, **changes})
        buffer.write(b" ")  # zip files take a tail
        forged = {**members, name: buffer.getvalue()}
        if changes:
            run = f"runs/{name[11:-4]}.json"
            document = json.loads(members[run])
            document["result"]["candidates_sha256"] = sha256(buffer.getvalue())
            forged[run] = json.dumps(document).encode()
        with Bundle(zipped(tmp_path / "b.zip", with_manifest(forged))) as bundle:
            run = bundle.read(name[11:-4])
        with pytest.raises(ResultsError, match=what):
            checked_trajectory(run.result, run.candidates, "b.zip: candidates")
