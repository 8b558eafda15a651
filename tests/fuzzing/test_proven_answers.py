"""Proofs, the table of proven answers and their manifest: read, or refused in one line that names the file."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace

import numpy as np
import orjson
import pytest

from support.fuzzing import attempt, fuzz
from support.mutations import VALUES
from support.proofs import excluded_proof, witness_proof
from support.tiny_libraries import GOOD, write_tiny_library
from vnnbench.instances.files import sha256
from vnnbench.instances.layout import ANSWERS, PROOFS, PROOFS_MANIFEST, proof_file
from vnnbench.instances.library.answer_additions import adding_answers
from vnnbench.instances.library.library import Library
from vnnbench.instances.library.proven_answers import AnswerTable, answers_bytes, parse_answers, proofs_manifest_bytes
from vnnbench.instances.proofs.proof_file import parse_proof

PATHS = ("../secret", "/etc/passwd", "proofs/../../secret", "", "..", "proofs/\0", "a" * 300, "proofs", "link/secret")
CSV_WORDS = ('"', ",", "\r", "nan", "-inf", "1e999", "robust", "open", "proofs/rob.npz", "../secret")


@pytest.fixture(scope="module")
def proven(tmp_path_factory):
    """A library with two proven answers. Copy it before changing anything."""
    library = write_tiny_library(tmp_path_factory.mktemp("proven") / "library")
    with adding_answers(library) as answers:
        answers.add(replace(excluded_proof(library, "rob"), witness=np.array(GOOD)), 1.0)
        answers.add(witness_proof(library, "adv", GOOD), None)
    return library


@pytest.fixture
def library(proven, tmp_path):
    """A copy of the library, with a link in it that leads out, beside a file that must not be read."""
    shutil.copytree(proven.folder, tmp_path / "library")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "library" / "link").symlink_to(tmp_path)
    return Library.open(tmp_path / "library")


def state(folder, files):
    """Put files of the answers into a library under the right checksums, as a hostile author would."""
    hashes = orjson.loads((folder / PROOFS_MANIFEST).read_bytes())["files"]
    for relative, data in files.items():
        (folder / relative).write_bytes(data)
    changed = {relative: sha256(data) for relative, data in files.items()}
    (folder / PROOFS_MANIFEST).write_bytes(proofs_manifest_bytes(hashes | changed))


def other_arrays(mutator, data):
    """Return a proof with an array changed in length, in values, in type, or with another head."""
    with np.load(io.BytesIO(data)) as archive:
        arrays = dict(archive)
    head = orjson.loads(arrays["head"].tobytes())
    for _ in range(mutator.number(1, 3)):
        name = mutator.choice(sorted(arrays))
        array = arrays[name]
        match mutator.number(0, 5):
            case 0:
                array = array[: mutator.number(0, len(array))]
            case 1:
                array = np.concatenate([array, array, array[:1]])
            case 2 if len(array):
                array = array.copy()
                largest = np.iinfo(array.dtype).max if array.dtype.kind in "iu" else 1e30
                array[mutator.number(0, len(array) - 1)] = mutator.choice((0, 1, 2, 3, 127, largest))
            case 3:
                array = array.astype(mutator.choice((np.float64, np.int64, np.uint8)))
            case 4:
                head[mutator.choice(sorted(head))] = mutator.choice((*VALUES, "adv", "rob", "upper"))
                name, array = "head", np.frombuffer(orjson.dumps(head), dtype=np.uint8)
            case _:
                array = array.reshape(-1, 1)
        arrays[name] = array
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
@pytest.mark.parametrize(
    "mutate", [other_arrays, lambda mutator, data: mutator.mutate_bytes(data)], ids=["arrays", "bytes"]
)
@pytest.mark.parametrize("problem", ["adv", "rob"])
def test_a_proof_is_verified_or_refused(command, library, mutate, problem):
    path = library.folder.parent / "p.npz"
    data = AnswerTable.open(library.folder).read(proof_file(problem))

    def check(mutator):
        path.write_bytes(mutate(mutator, data))
        proof = attempt(lambda path: parse_proof(path.read_bytes(), str(path)), path)
        code = command("verify-proof", path, "--library", library.folder, "--format", mutator.choice(("json", "table")))
        assert proof is not None or code == 2

    fuzz(check)


def test_a_table_is_read_or_refused(library):
    path = library.folder / ANSWERS
    text = path.read_text()

    def check(mutator):
        path.write_bytes(mutator.mutate_text(text.replace(",", ",\n"), CSV_WORDS).replace(b",\n", b","))
        problems = attempt(lambda path: list(parse_answers(path.read_bytes(), path)), path)
        if problems is not None:
            assert list(parse_answers(answers_bytes(problems), path)) == problems

    fuzz(check)


def test_a_manifest_is_read_or_refused(library):
    folder = library.folder
    document = orjson.loads((folder / PROOFS_MANIFEST).read_bytes())

    def check(mutator):
        changed = document
        if mutator.number(0, 1):
            digest = mutator.choice((*document["files"].values(), sha256(b"secret")))
            changed = {**document, "files": {**document["files"], mutator.choice(PATHS): digest}}
        data = mutator.mutate_json(changed) if mutator.number(0, 2) else orjson.dumps(changed)
        (folder / PROOFS_MANIFEST).write_bytes(data)
        table = attempt(AnswerTable.open, folder, name=folder.name)
        for relative in () if table is None else table.hashes:
            assert attempt(lambda _, relative=relative: table.read(relative), folder, name=relative) != b"secret"

    fuzz(check)


def test_hostile_answers_are_checked_and_shown(command, library):
    folder = library.folder
    (folder / "link").unlink()
    original = {path: path.read_bytes() for path in (folder / PROOFS).iterdir()}
    table = (folder / ANSWERS).read_bytes()

    def check(mutator):
        for path, data in original.items():
            path.write_bytes(data)
        relative = mutator.choice((ANSWERS, proof_file("adv"), proof_file("rob")))
        if relative == ANSWERS:
            changed = mutator.mutate_text(table.decode().replace(",", ",\n"), CSV_WORDS).replace(b",\n", b",")
        else:
            changed = other_arrays(mutator, original[folder / relative])
        state(folder, {ANSWERS: table, relative: changed})
        command("check", folder, "--solver", "highs", "--select", "adv--tight")
        command("show", folder, "--format", mutator.choice(("json", "table")))
        command("show", folder, "rob--tight")

    fuzz(check, cost=4)
