"""The contents of a bundle, and broken bundles: one line for each, before anything is merged."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import stat
import struct
import zipfile
from contextlib import closing
from pathlib import Path

import orjson
import pytest

import vnnbench.sharing.bundle
from support.bundles import refusal, with_manifest, zipped
from support.silent import Silent
from vnnbench.cli import run_command
from vnnbench.errors import BundleError
from vnnbench.instances.files import sha256
from vnnbench.isolation.machine import machine_name
from vnnbench.leaderboard.records.rows import ResultRow
from vnnbench.leaderboard.records.schema import SCHEMA_VERSION
from vnnbench.ledger.writer import LEDGER_NAME, Ledger
from vnnbench.sharing.bundle import Bundle, write_bundle


def test_bundle_holds_ledger_candidates_logs_and_machine_and_nothing_else(tiny_bundle, members, tiny_results):
    with closing(sqlite3.connect(tiny_results / LEDGER_NAME)) as connection:
        runs = [run for (run,) in connection.execute("SELECT run FROM results ORDER BY instance_sha256, run")]
        machine = connection.execute("SELECT machine FROM machines").fetchone()[0]
    files = {f"{folder}/{run}.{kind}" for run in runs for folder, kind in (("candidates", "npz"), ("logs", "log.gz"))}
    assert members.keys() == {"manifest.json", "machines.json", *files, *(f"runs/{run}.json" for run in runs)}
    assert all(members[name] == (tiny_results / name).read_bytes() for name in files)
    with Bundle(tiny_bundle) as bundle:
        assert bundle.runs == runs
        assert set(bundle.machines) == {machine}
        first = bundle.read(runs[0])
    assert first.candidates == members[f"candidates/{runs[0]}.npz"]
    with Ledger(tiny_results) as ledger:
        assert first.result == ledger.result(runs[0])


def test_same_runs_give_the_same_bytes(tiny_bundle, tiny_results, tmp_path):
    copy = Path(shutil.copytree(tiny_results, tmp_path / "copy"))
    progress = Silent()
    assert len(write_bundle(copy, tmp_path / "again.zip", progress).attempts) == 8
    assert (progress.total, progress.done) == (8, 8)
    assert (tmp_path / "again.zip").read_bytes() == tiny_bundle.read_bytes()


def test_schema_that_differs_in_views_alone_is_accepted(members, tmp_path):
    manifest = orjson.dumps(orjson.loads(members["manifest.json"]) | {"schema": SCHEMA_VERSION + 1})
    with Bundle(zipped(tmp_path / "b.zip", {**members, "manifest.json": manifest})) as bundle:
        assert len(bundle.runs) == 8


def test_bundle_of_a_schema_without_hosts_is_read(members, tmp_path):
    """Its machines have no hosts, and a machine's name is a hash of the other facts."""
    manifest = orjson.loads(members["manifest.json"])
    manifest |= {"schema": 9}
    del manifest["submission"]
    manifest["columns"]["machines"].remove("host")
    manifest["columns"]["results"].remove("submission")
    (machine,) = orjson.loads(members["machines.json"])
    assert machine.pop("host") == platform.node()
    name = machine_name({key: value for key, value in machine.items() if key != "machine"})
    runs = {}
    for path in (path for path in members if path.startswith("runs/")):
        document = orjson.loads(members[path])
        document["result"]["machine"] = name
        assert document["result"].pop("submission") is None
        runs[path] = orjson.dumps(document)
    machines = orjson.dumps([machine | {"machine": name}])
    older = {**members, **runs, "machines.json": machines, "manifest.json": orjson.dumps(manifest)}
    with Bundle(zipped(tmp_path / "b.zip", with_manifest(older))) as bundle:
        assert [row.host for row in bundle.machines.values()] == [None]
        assert bundle.submission is None
        assert [bundle.read(run).result.machine for run in bundle.runs] == [name] * 8


@pytest.mark.parametrize("submission", ["elsewhere", 3, {}])
def test_a_submission_is_a_machine_of_the_bundle(members, tmp_path, submission):
    manifest = orjson.loads(members["manifest.json"])
    (machine,) = orjson.loads(members["machines.json"])
    assert manifest["submission"] == machine["machine"]
    other = {**members, "manifest.json": orjson.dumps(manifest | {"submission": submission})}
    with pytest.raises(BundleError, match="submission"):
        Bundle(zipped(tmp_path / "b.zip", with_manifest(other)))


def test_sealed_answers_are_not_given_away(tiny_results, tmp_path, tiny_bundle):
    copy = Path(shutil.copytree(tiny_results, tmp_path / "copy"))
    seal = b'{"format": 1, "problems": []}'
    (copy / "sealed").mkdir()
    (copy / "sealed" / f"{sha256(seal)}.json").write_bytes(seal)
    assert run_command(["bundle", str(copy), "--out", str(tmp_path / "out.zip")]) == 0
    assert (tmp_path / "out.zip").read_bytes() == tiny_bundle.read_bytes()


def test_run_that_was_not_judged_is_left_out_with_the_reason(tiny_results, tmp_path):
    """No version writes such a ledger; it may come from elsewhere."""
    copy = Path(shutil.copytree(tiny_results, tmp_path / "copy"))
    with closing(sqlite3.connect(copy / LEDGER_NAME)) as connection, connection:
        name, *rest = connection.execute(f"SELECT {ResultRow.selected()} FROM results").fetchone()  # noqa: S608
        marks = ", ".join("?" for _ in ResultRow.COLUMNS)
        connection.execute(f"INSERT INTO results ({ResultRow.selected()}) VALUES ({marks})", (f"{name}-2", *rest))  # noqa: S608
    packed = write_bundle(copy, tmp_path / "b.zip", Silent())
    assert (len(packed.attempts), packed.left_out) == (8, ((f"{name}-2", "it was not judged"),))


def test_run_without_its_candidates_is_left_out_and_named(tiny_results, tmp_path, capsys):
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
    """A pipe or a device is not replaced by a file, even where the user may write beside it."""
    os.mkfifo(tmp_path / "pipe")
    assert run_command([*command, str(tiny_results), "--out", str(tmp_path / "pipe")]) == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("pipe: cannot be written (it is not a file)")
    assert [path.is_fifo() for path in tmp_path.iterdir()] == [True]


def test_ledger_without_runs_makes_no_bundle(tmp_path, capsys):
    with Ledger(tmp_path / "results"):
        pass
    assert run_command(["bundle", str(tmp_path / "results"), "--out", str(tmp_path / "out.zip")]) == 2
    assert "has no runs to pack" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results"]


def test_results_that_could_not_be_merged_make_no_bundle(tiny_results, tmp_path, capsys):
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
def test_truncated_file_is_refused(tiny_bundle, tmp_path, kept):
    path = tmp_path / "cut.zip"
    path.write_bytes(tiny_bundle.read_bytes()[:kept])
    assert "it is not a zip, or not a whole one" in refusal(path)


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
    assert "is not a file of a bundle" in refusal(zipped(tmp_path / "b.zip", with_manifest({**members, name: b"x"})))


def test_name_that_continues_after_a_zero_byte_is_refused(members, tmp_path):
    path = zipped(tmp_path / "b.zip", {**members, "machines.jsonX..": b"x"})
    path.write_bytes(path.read_bytes().replace(b"machines.jsonX..", b"machines.json\0.."))
    assert "is not a file of a bundle" in refusal(path)


def test_member_that_occurs_twice_is_refused(tiny_bundle, members, tmp_path):
    path = Path(shutil.copy(tiny_bundle, tmp_path / "b.zip"))
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("machines.json", members["machines.json"])
    assert "machines.json occurs twice" in refusal(path)


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


def test_list_of_members_without_end_is_not_read(tiny_bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(vnnbench.sharing.bundle, "MAX_DIRECTORY_BYTES", 100)
    assert "its list of members is too long" in refusal(tiny_bundle)
    data = tiny_bundle.read_bytes()
    fields = struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 3, 3, 1 << 40, 0)
    path = tmp_path / "zip64.zip"
    path.write_bytes(data[:-22] + fields + struct.pack("<4sLQL", b"PK\6\7", 0, len(data) - 22, 1) + data[-22:])
    monkeypatch.setattr(vnnbench.sharing.bundle, "MAX_DIRECTORY_BYTES", 1 << 29)
    assert "its list of members is too long" in refusal(path)


def test_too_many_runs_are_refused(tiny_bundle, monkeypatch):
    monkeypatch.setattr(vnnbench.sharing.bundle, "MAX_RUNS", 7)
    assert "more than 7 runs" in refusal(tiny_bundle)


def test_large_bundles_are_read(members, tmp_path, monkeypatch):
    """A zip with more than 65,535 members ends in another way."""
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
     ("candidates/", "it has no candidates/"), ("runs/", "does not belong to any of its runs")],
)  # fmt: skip
def test_missing_file_is_refused(members, tmp_path, name, what):
    name = next(other for other in members if other.startswith(name))
    rest = {other: data for other, data in with_manifest(members).items() if other != name}
    path = zipped(tmp_path / "b.zip", rest)
    assert what in refusal(path) if name == "manifest.json" else "is listed, but missing" in refusal(path)
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
def test_manifest_that_is_not_one_is_refused(members, tmp_path, data):
    assert "manifest.json" in refusal(zipped(tmp_path / "b.zip", {**members, "manifest.json": data}))
