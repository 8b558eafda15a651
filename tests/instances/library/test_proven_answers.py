"""Manifest and table of the proven answers: read back as written, or refused in one line that says what is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from vnnbench.instances.errors import LibraryError
from vnnbench.instances.files import sha256
from vnnbench.instances.layout import ANSWERS, PROOFS_MANIFEST, next_proof_file, proof_file
from vnnbench.instances.library.proven_answers import (
    ANSWER_COLUMNS,
    AnswerTable,
    ProvenAnswer,
    ProvenProblem,
    answers_bytes,
    parse_answers,
    proofs_manifest_bytes,
)

ADVERSARIAL = ProvenProblem("a", ProvenAnswer.ADVERSARIAL, 0.1, None, proof_file("a"), 1.5, 0.25, 0)
ROBUST = ProvenProblem("b", ProvenAnswer.ROBUST, -1 / 3, -1e-300, proof_file("b"), None, 1e-6, 26_000)
OPEN = ProvenProblem('c "d", e', ProvenAnswer.OPEN, None, None, proof_file('c "d", e'), 0.0, 0.0, 1)


def write(folder: Path, *problems: ProvenProblem, **others: bytes) -> Path:
    """Write a table of these problems and their proofs, which hold one byte, and a manifest of them and `others`."""
    files = {ANSWERS: answers_bytes(problems), **{problem.proof: b"p" for problem in problems}, **others}
    (folder / "proofs").mkdir(exist_ok=True)
    for relative, data in files.items():
        (folder / relative).write_bytes(data)
    (folder / PROOFS_MANIFEST).write_bytes(proofs_manifest_bytes({path: sha256(data) for path, data in files.items()}))
    return folder


def test_a_table_is_read_back_as_it_was_written(tmp_path):
    table = AnswerTable.open(write(tmp_path, ADVERSARIAL, ROBUST, OPEN))
    assert list(table.problems.values()) == [ADVERSARIAL, ROBUST, OPEN]
    assert table.read(ROBUST.proof) == b"p"
    assert (tmp_path / ANSWERS).read_text().splitlines()[0] == ",".join(ANSWER_COLUMNS)


def test_a_library_without_answers_has_an_empty_table(tmp_path):
    assert AnswerTable.open(tmp_path).problems == {}


def test_a_column_that_a_later_version_added_is_skipped():
    data = b"\n".join(line + b",x" for line in answers_bytes([ADVERSARIAL]).splitlines())
    assert list(parse_answers(data, Path(ANSWERS))) == [ADVERSARIAL]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((",adversarial,", ",maybe,"), "line 2: answer is 'maybe', it must be one of adversarial, robust, value, open"),
        ((",adversarial,", ",,"), "line 2: answer is empty"),
        ((",0.1,", ",,"), "line 2: lower is empty, but the answer is adversarial"),
        ((",0.1,", ",nan,"), "line 2: lower is 'nan', it must be a finite number"),
        ((",1.5,", ",-1,"), "line 2: prove_seconds is '-1', it must be a finite number, not negative"),
        (("proofs/a.npz", "../a.npz"), "line 2: proof is '../a.npz', it must be proofs/PROBLEM.npz"),
        (("proofs/a.npz", "proofs/b.npz"), "line 2: proof is 'proofs/b.npz', it must be proofs/PROBLEM.npz"),
        ((",0\n", ",-1\n"), "line 2: leaves is '-1', it must be an integer"),
        (("leaves", "leafs"), "lacks column leaves; restore it from a copy, or delete answers.csv and proofs/"),
    ],
)
def test_a_table_that_is_wrong_is_one_line(tmp_path, change, message):
    write(tmp_path, ADVERSARIAL)
    data = (tmp_path / ANSWERS).read_text().replace(*change).encode()
    write(tmp_path, ADVERSARIAL, **{ANSWERS: data})
    with pytest.raises(LibraryError, match=message):
        AnswerTable.open(tmp_path)


def test_a_problem_that_is_listed_twice_is_refused(tmp_path):
    write(tmp_path, ADVERSARIAL, replace(ADVERSARIAL, lower=0.5))
    with pytest.raises(LibraryError, match=r"answers\.csv: lists problem a twice"):
        AnswerTable.open(tmp_path)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (b"", "is not JSON"),
        (b"[]", "is not a manifest of format 1"),
        (b'{"format": 2, "files": {}}', "is not a manifest of format 1; use the version of vnnbench that made it"),
        (b'{"format": 1, "files": []}', "files must map relative paths to sha256, and hold answers.csv"),
        (b'{"format": 1, "files": {}}', "files must map relative paths to sha256, and hold answers.csv"),
        (b'{"format": 1, "files": {"answers.csv": "0"}}', "the sha256 of 'answers.csv' is not 64 hexadecimal digits"),
        (b"[" + b"[]," * 100_000 + b"[]]", "holds more than 4 lists and objects"),
    ],
)
def test_a_manifest_that_is_wrong_is_one_line(tmp_path, manifest, message):
    write(tmp_path, ADVERSARIAL)
    (tmp_path / PROOFS_MANIFEST).write_bytes(manifest)
    with pytest.raises(LibraryError, match=rf"manifest\.json: {message}"):
        AnswerTable.open(tmp_path)


def test_a_table_without_manifest_is_refused(tmp_path):
    (write(tmp_path, ADVERSARIAL) / PROOFS_MANIFEST).unlink()
    with pytest.raises(LibraryError, match=r"manifest\.json: cannot be read .* or delete answers.csv and proofs/"):
        AnswerTable.open(tmp_path)


def test_an_altered_table_and_an_altered_proof_are_refused(tmp_path):
    table = AnswerTable.open(write(tmp_path, ADVERSARIAL))
    (tmp_path / ADVERSARIAL.proof).write_bytes(b"q")
    with pytest.raises(LibraryError, match=r"proofs/a\.npz: is not the file that proofs/manifest\.json knows"):
        table.read(ADVERSARIAL.proof)
    (tmp_path / ANSWERS).write_bytes(answers_bytes([replace(ADVERSARIAL, lower=0.5)]))
    with pytest.raises(LibraryError, match=r"answers\.csv: is not the file that proofs/manifest\.json knows"):
        AnswerTable.open(tmp_path)


@pytest.mark.parametrize(
    "path", ["../secret", "/etc/passwd", "proofs/../../secret", "proofs//a.npz", "", "link/secret"]
)
def test_no_path_of_the_manifest_leads_out_of_the_library(tmp_path, path):
    library = tmp_path / "library"
    library.mkdir()
    (tmp_path / "secret").write_text("secret")
    (library / "link").symlink_to(tmp_path)
    write(library, ADVERSARIAL)
    document = orjson.loads((library / PROOFS_MANIFEST).read_bytes())
    document["files"][path] = sha256(b"secret")
    (library / PROOFS_MANIFEST).write_bytes(orjson.dumps(document))
    with pytest.raises(LibraryError, match=r"is not a plain path inside the library|leads out of the library"):
        AnswerTable.open(library)


@pytest.mark.parametrize("linked", ["proofs", PROOFS_MANIFEST, ANSWERS, ADVERSARIAL.proof])
def test_a_link_out_of_the_library_is_not_followed(tmp_path, linked):
    library, elsewhere = tmp_path / "library", tmp_path / "elsewhere"
    library.mkdir()
    write(library, ADVERSARIAL)
    (library / linked).rename(elsewhere)
    (library / linked).symlink_to(elsewhere)
    with pytest.raises(LibraryError, match="leads out of the library through a link; remove the link"):
        AnswerTable.open(library)


def test_a_file_that_waits_counts_if_the_manifest_knows_it_and_it_is_not_a_link(tmp_path):
    table, place = AnswerTable.open(write(tmp_path, ADVERSARIAL)), tmp_path / next_proof_file(ADVERSARIAL.proof)
    place.write_bytes(b"old")
    assert table.read(ADVERSARIAL.proof) == b"p"
    (tmp_path / ADVERSARIAL.proof).rename(place)
    assert table.read(ADVERSARIAL.proof) == b"p"
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LibraryError, match="cannot be read"):
        table.read(ADVERSARIAL.proof)
