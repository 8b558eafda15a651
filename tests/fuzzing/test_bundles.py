"""Bundles from unknown sources are merged whole, and every command then reads them, or nothing is merged."""

from __future__ import annotations

import hashlib
import io
import shutil
import zipfile

import orjson
import pytest

from support.fuzzing import fuzz
from support.silent import Silent
from vnnbench.leaderboard.records.reader import read_runs
from vnnbench.ledger.writer import LEDGER_NAME
from vnnbench.sharing.bundle import write_bundle


@pytest.fixture(scope="module")
def bundle(small_results, tmp_path_factory):
    """The bytes of a bundle of two runs."""
    path = tmp_path_factory.mktemp("bundle") / "b.zip"
    assert len(write_bundle(small_results, path, Silent()).attempts) == 2
    return path.read_bytes()


def other_members(mutator, data):
    """Return members with a changed row, machine or candidate and hashes that fit, or with a changed manifest."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = orjson.loads(members.pop("manifest.json"))
    name = mutator.choice([name for name in members if not name.startswith("logs/")])
    if name.endswith(".npz"):
        members[name] = mutator.mutate_bytes(members[name])
        row = f"runs/{name[11:-4]}.json"
        document = orjson.loads(members[row])
        document["result"]["candidates_sha256"] = hashlib.sha256(members[name]).hexdigest()
        members[row] = orjson.dumps(document)
    elif mutator.number(0, 3):
        members[name] = mutator.mutate_json(orjson.loads(members[name]))
    manifest["files"] = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in members.items()
    }
    members["manifest.json"] = orjson.dumps(manifest) if mutator.number(0, 3) else mutator.mutate_json(manifest)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["bytes", "members"])
def test_a_bundle_is_merged_whole_or_refused(command, bundle, small_library, tmp_path, kind):
    path, results = tmp_path / "b.zip", tmp_path / "results"

    def check(mutator):
        shutil.rmtree(results, ignore_errors=True)
        path.write_bytes(mutator.mutate_bytes(bundle) if kind == "bytes" else other_members(mutator, bundle))
        code = command("merge", results, path, "--library", small_library)
        stored = len(read_runs(results / LEDGER_NAME)) if (results / LEDGER_NAME).exists() else 0
        if code == 2:
            assert stored == 0
            assert not list(results.glob("*/*.npz")) and not list(results.glob("*/*.gz"))
        else:
            assert 0 < stored <= 2
            for output in ("table", "json"):
                command("leaderboard", results, "--format", output)
            command("answers", results)
            assert command("confirm", results, "--library", small_library) == 0
        assert {found.name for found in tmp_path.iterdir()} <= {"b.zip", "results"}

    fuzz(check, cost=4)
