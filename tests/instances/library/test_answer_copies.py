"""Copies of proven answers hold what proofs show when they are checked, each once."""

from __future__ import annotations

import hashlib
import json

import pytest

from support.proofs import add_proofs, break_proof, excluded_proof, upper_proof, witness_proof
from support.silent import Silent
from support.tiny_libraries import BEST, GOOD, write_tiny_library
from vnnbench.instances.files import sha256
from vnnbench.instances.layout import ANSWERS, PROOFS_MANIFEST, proof_file
from vnnbench.instances.library import answer_copies
from vnnbench.instances.library.answer_copies import copy_answers
from vnnbench.instances.library.proof_checks import ProvableProblem
from vnnbench.instances.library.proven_answers import AnswerTable
from vnnbench.leaderboard.records.proven import Proven, ProvenAnswer, read_proven


@pytest.fixture
def library(tmp_path):
    library = write_tiny_library(tmp_path / "library")
    add_proofs(library, witness_proof(library, "adv", GOOD), upper_proof(library, "rob", -0.125))
    return library


def copies(folder):
    """Return the problems of all files of a folder, after checking that each name is the sha256 of its file."""
    files = {path.stem: path.read_bytes() for path in folder.glob("*")}
    assert all(hashlib.sha256(data).hexdigest() == name for name, data in files.items())
    return {problem["problem"]: problem for data in files.values() for problem in json.loads(data)["problems"]}


def copy(library, folder, progress=None, **more):
    known = {(proven.instance_sha256, proven.proof) for proven in read_proven(folder)}
    return copy_answers(library, more.pop("rows", library.rows), folder, known, progress or Silent(), **more).rejected


def count_checks(monkeypatch):
    """Return the list to which the names of the problems are added whose proofs are checked from now on."""
    checked, check = [], ProvableProblem.check
    monkeypatch.setattr(ProvableProblem, "check", lambda self, proof: checked.append(self.name) or check(self, proof))
    return checked


def test_a_copy_holds_what_the_proof_shows(library, tmp_path):
    assert copy(library, tmp_path / "proven") == []
    found = copies(tmp_path / "proven")
    data = (library.folder / proof_file("rob")).read_bytes()
    seconds = found["rob"].pop("seconds")
    assert 0 < seconds < 10
    row = library.row("rob--tight")
    hashes = library.contents(row)
    assert found["rob"] == {
        "problem": "rob", "dense_sha256": hashes["dense_sha256"], "property_sha256": hashes["property_sha256"],
        "instances": {name: library.row(name).instance_sha256 for name in ("rob--tight", "rob-mag-u10--tight")},
        "answer": "robust", "lower": None, "upper": -0.125, "proof": sha256(data), "bytes": len(data), "leaves": 1,
    }  # fmt: skip
    assert (found["adv"]["answer"], found["adv"]["lower"], found["adv"]["upper"]) == ("adversarial", 0.125, None)


def test_readers_of_a_ledger_read_the_copies(library, tmp_path):
    copy(library, tmp_path / "proven")
    digest = library.row("adv--tight").instance_sha256
    data = (library.folder / proof_file("adv")).read_bytes()
    (read,) = (one for one in read_proven(tmp_path / "proven") if one.instance_sha256 == digest)
    known = Proven(digest, ProvenAnswer.ADVERSARIAL, 0.125, None, sha256(data), len(data), 0, read.seconds)
    assert read == known and read.seconds > 0


def test_only_the_problems_of_the_rows_are_checked(library, tmp_path, monkeypatch):
    checked = count_checks(monkeypatch)
    copy(library, tmp_path / "proven", rows=[library.row("rob-mag-u10--tight")])
    assert (checked, [*copies(tmp_path / "proven")]) == (["rob"], ["rob"])


def test_a_proof_is_checked_once_for_a_folder(library, tmp_path, monkeypatch):
    copy(library, tmp_path / "proven")
    before, checked = [*(tmp_path / "proven").iterdir()], count_checks(monkeypatch)
    copy(library, tmp_path / "proven")
    assert (checked, [*(tmp_path / "proven").iterdir()]) == ([], before)
    copy(library, tmp_path / "proven", again=True)
    assert (checked, [*(tmp_path / "proven").iterdir()]) == (["adv", "rob"], before)


def test_an_answer_that_was_added_later_goes_into_a_file_of_its_own(library, tmp_path, monkeypatch):
    copy(library, tmp_path / "proven")
    add_proofs(library, witness_proof(library, "adv", BEST))
    checked = count_checks(monkeypatch)
    copy(library, tmp_path / "proven")
    assert checked == ["adv"]
    lowers = {one.lower for one in read_proven(tmp_path / "proven") if one.answer is ProvenAnswer.ADVERSARIAL}
    assert (lowers, len([*(tmp_path / "proven").iterdir()])) == ({0.125, 0.25}, 2)


def test_an_instance_that_was_added_later_is_copied_too(library, tmp_path):
    copy(library, tmp_path / "proven")
    (path,) = (tmp_path / "proven").iterdir()
    document = json.loads(path.read_bytes())
    for problem in document["problems"]:
        problem["instances"].popitem()
    data = json.dumps(document).encode()
    path.rename(path.with_name(f"{sha256(data)}.json")).write_bytes(data)
    copy(library, tmp_path / "proven")
    assert {one.instance_sha256 for one in read_proven(tmp_path / "proven")} == {
        row.instance_sha256 for row in library.rows
    }


def test_a_rejected_proof_is_said_and_the_others_are_copied(library, tmp_path):
    break_proof(library, "rob")
    (rejected,) = copy(library, tmp_path / "proven")
    assert (rejected.problem, rejected.path) == ("rob", "proofs/rob.npz")
    assert "is not shown" in rejected.reason
    assert [*copies(tmp_path / "proven")] == ["adv"]


@pytest.mark.parametrize("relative", [ANSWERS, PROOFS_MANIFEST])
def test_a_broken_table_is_said_and_nothing_is_copied(library, tmp_path, relative):
    (library.folder / relative).write_bytes(b"broken")
    (rejected,) = copy(library, tmp_path / "proven")
    assert (rejected.problem, rejected.path) == (None, ANSWERS)
    assert not (tmp_path / "proven").exists()


def test_what_the_table_claims_is_not_copied(library, tmp_path):
    """The table, with a hash that fits, calls an answer robust whose proof is a witness."""
    path, manifest = library.folder / ANSWERS, library.folder / PROOFS_MANIFEST
    old = path.read_text()
    new = old.replace("adversarial,0.125,", "robust,,-1.0")
    assert new != old
    path.write_text(new)
    manifest.write_text(manifest.read_text().replace(sha256(old.encode()), sha256(new.encode())))
    assert AnswerTable.open(library.folder).problems["adv"].answer == "robust"
    assert copy(library, tmp_path / "proven") == []
    assert copies(tmp_path / "proven")["adv"]["answer"] == "adversarial"


def test_a_proof_that_another_process_replaces_meanwhile_is_read_again(library, tmp_path, monkeypatch):
    of = ProvableProblem.of

    def late(opened, name):
        if name == "adv":
            monkeypatch.undo()
            add_proofs(library, witness_proof(library, "adv", BEST))
        return of(opened, name)

    monkeypatch.setattr(ProvableProblem, "of", late)
    assert copy(library, tmp_path / "proven") == []
    assert copies(tmp_path / "proven")["adv"]["lower"] == 0.25


def test_a_library_without_answers_leaves_no_folder(tmp_path):
    library = write_tiny_library(tmp_path / "library")
    assert copy(library, tmp_path / "proven") == []
    assert not (tmp_path / "proven").exists()


def test_ctrl_c_loses_nothing_that_was_checked(library, tmp_path, monkeypatch):
    monkeypatch.setattr(answer_copies, "QUIET_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        copy(library, tmp_path / "proven", Silent(raise_at=1, error=KeyboardInterrupt()))
    assert [*copies(tmp_path / "proven")] == ["adv"]


def test_progress_is_shown_where_it_takes_long_and_only_there(library, tmp_path, monkeypatch):
    copy(library, tmp_path / "quick", progress := Silent())
    assert (progress.total, progress.notes) == (0, [])
    monkeypatch.setattr(answer_copies, "QUIET_SECONDS", 0.0)
    add_proofs(library, excluded_proof(library, "rob"))
    copy(library, tmp_path / "slow", progress)
    assert (progress.total, progress.done, progress.notes) == (2, 2, ["checking the proofs of 2 answers"])
