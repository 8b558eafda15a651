"""`verify-proof`, and what `check` and `show` say about proven answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.command_lines import one_error_line
from support.folders import contents
from support.progress import StepRecorder
from support.proofs import HALF_BALL, excluded_proof, upper_proof, witness_proof
from support.tiny_libraries import BEST, CENTRE, GOOD, write_distances, write_tiny_library
from vnnbench.checking import check_library
from vnnbench.cli import run_command
from vnnbench.instances.library.answer_additions import adding_answers
from vnnbench.instances.library.library import Library
from vnnbench.instances.proofs.proof_file import Proof
from vnnbench.output import proofs

Said = Callable[..., tuple[int, str]]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return write_tiny_library(tmp_path / "library")


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """A function that runs a command line and returns its exit code and what it prints on stdout, unwrapped."""

    def run(*arguments: str | Path) -> tuple[int, str]:
        capsys.readouterr()
        code = run_command([str(argument) for argument in arguments])
        return code, " ".join(capsys.readouterr().out.split())

    return run


@pytest.fixture
def verify(library: Library, tmp_path: Path, said: Said) -> Said:
    """A function that writes a proof, verifies it, and returns the exit code and what is printed on stdout."""

    def run(proof: Proof, *words: str) -> tuple[int, str]:
        (tmp_path / "p.npz").write_bytes(proof.to_bytes())
        return said("verify-proof", tmp_path / "p.npz", "--library", library.folder, *words)

    return run


def test_an_accepted_proof_is_said_in_words(library: Library, verify: Said) -> None:
    code, text = verify(witness_proof(library, "adv", GOOD))
    assert code == 0
    assert "adv: adversarial, there is a counterexample" in text
    assert "At the witness, an input of the set, the exact value is 0.125. " in text
    assert re.search(r"Accepted: \d+ bytes, checked in \S+ s\.$", text)
    code, text = verify(excluded_proof(library, "rob"))
    assert code == 0
    assert "rob: robust, no input of the set answers the question" in text
    assert "A tree with 1 leaf and 4 bounds of pre-activations shows that no input of the set meets the goal." in text
    code, text = verify(replace(upper_proof(library, "adv", 0.875), witness=np.array(CENTRE)))
    assert code == 0
    assert "adv: open, the largest value is at least -0.75 and at most 0.875" in text


def test_a_ball_without_a_solution_is_said_by_its_radius(tmp_path: Path, said: Said) -> None:
    distances = write_distances(tmp_path / "distances")
    proof = replace(excluded_proof(distances, "near", HALF_BALL), radius=0.5, witness=np.array(BEST))
    (tmp_path / "p.npz").write_bytes(proof.to_bytes())
    code, text = said("verify-proof", tmp_path / "p.npz", "--library", distances.folder)
    assert code == 0
    assert "bounds of pre-activations shows that the margin is reached nowhere within 0.5." in text
    (tmp_path / "p.npz").write_bytes(witness_proof(distances, "near", BEST).to_bytes())
    code, text = said("verify-proof", tmp_path / "p.npz", "--library", distances.folder)
    assert code == 0 and "A tree" not in text
    assert "is at least -1 and at most 0 " in text


def test_a_rejected_proof_is_one_line_that_says_why(library: Library, verify: Said) -> None:
    code, text = verify(witness_proof(library, "adv", [1.0, 1.0, 1.0, 1.0]))
    assert code == 1
    assert text.endswith("p.npz: rejected: the witness is not in the set")
    code, text = verify(replace(witness_proof(library, "adv", GOOD), property_sha256="0" * 64))
    assert code == 1
    assert text.endswith("p.npz: rejected: the proof is about another file than properties/adv.json (sha256)")


def test_json_has_the_exact_value_and_all_facts(library: Library, verify: Said) -> None:
    code, text = verify(witness_proof(library, "adv", [0.5 + 2.0**-53, *CENTRE[1:]]), "--format", "json")
    facts = json.loads(text)
    assert (code, facts["accepted"], facts["answer"]) == (0, True, "open")
    assert facts["value"] == "-0.74999999999999988897769753748434595763683319091796875"
    assert set(facts) == {
        "problem", "accepted", "reason", "answer", "value", "lower", "upper", "leaves", "bounds", "check_seconds",
        "bytes",
    }  # fmt: skip
    code, text = verify(witness_proof(library, "adv", []), "--format", "json")
    assert (code, json.loads(text)["accepted"]) == (1, False)
    assert "neither a witness nor a tree" in json.loads(text)["reason"]


def test_a_value_with_more_digits_than_python_writes_is_left_out_of_json(
    library: Library, verify: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = witness_proof(library, "adv", [0.5, 0.25, 0.5 - 2.0**-54, 5e-324])
    code, text = verify(proof, "--format", "json")
    assert code == 0 and len(json.loads(text)["value"]) > 1_000
    monkeypatch.setattr(proofs, "_MAX_BITS", 1_000)
    code, text = verify(proof, "--format", "json")
    assert (code, json.loads(text)["value"], json.loads(text)["lower"]) == (0, None, -0.25 - 2.0**-53)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "p.npz: cannot be read (No such file or directory)"),
        (b"", "p.npz: not a readable .npz"),
        (b"PK" + b"x" * 1000, "p.npz: not a readable .npz"),
    ],
)
def test_a_file_that_is_not_a_proof_is_bad_input(
    data: bytes | None, message: str, library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if data is not None:
        (tmp_path / "p.npz").write_bytes(data)
    assert message in one_error_line(
        capsys, ["verify-proof", str(tmp_path / "p.npz"), "--library", str(library.folder)]
    )


def test_a_pipe_and_a_file_of_gigabytes_are_not_read(
    library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    with (tmp_path / "large.npz").open("wb") as file:
        file.truncate(3 << 30)
    for name, message in (("pipe", "is not a file"), ("large", "the most that is read"), ("", "is not a file")):
        path = tmp_path / f"{name}.npz" if name else tmp_path
        assert message in one_error_line(capsys, ["verify-proof", str(path), "--library", str(library.folder)])


def test_an_unknown_problem_and_a_broken_library_are_bad_input(
    library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.npz"
    path.write_bytes(replace(witness_proof(library, "adv", GOOD), problem="\n\x1b[31mother").to_bytes())
    command = ["verify-proof", str(path), "--library", str(library.folder)]
    line = one_error_line(capsys, command)
    assert (
        "has no problem '\\n\\x1b[31mother'; `vnnbench show LIBRARY --list` prints all instances" in line
        and line.isprintable()
    )
    path.write_bytes(replace(witness_proof(library, "adv", GOOD), problem="advs").to_bytes())
    assert one_error_line(capsys, command).endswith("has no problem 'advs'; did you mean adv?")
    path.write_bytes(witness_proof(library, "adv", GOOD).to_bytes())
    assert "no such library" in one_error_line(capsys, [*command[:-1], str(tmp_path / "none")])
    (library.folder / "networks" / "adv.onnx").write_bytes(b"")
    assert "adv.onnx: is not the file that library.json knows" in one_error_line(capsys, command)


def test_a_proof_of_another_library_is_rejected(library: Library, verify: Said, tmp_path: Path) -> None:
    other = write_tiny_library(tmp_path / "other", {"adv": 0.75})
    code, text = verify(witness_proof(other, "adv", GOOD))
    assert code == 1
    assert text.endswith("rejected: the proof is about another file than networks/adv.onnx (sha256)")


def test_verifying_imports_no_solver_and_no_torch(library: Library, tmp_path: Path) -> None:
    (tmp_path / "p.npz").write_bytes(witness_proof(library, "adv", GOOD).to_bytes())
    words = ["verify-proof", str(tmp_path / "p.npz"), "--library", str(library.folder)]
    code = (
        f"import sys; from vnnbench.cli import run_command; assert run_command({words!r}) == 0; "
        "print([name for name in ('torch', 'gurobipy', 'highspy', 'pyscipopt', 'onnxruntime') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


# -- check and show ----------------------------------------------------------------------------------------------------


@pytest.fixture
def proven(library: Library) -> Library:
    """The library with proven answers to both problems."""
    with adding_answers(library) as answers:
        answers.add(witness_proof(library, "adv", BEST), 2.0)
        answers.add(excluded_proof(library, "rob"), None)
    return library


def test_check_finds_nothing_in_whole_answers_and_one_thing_for_each_bad_proof(proven: Library, said: Said) -> None:
    command = ["check", proven.folder, "--solver", "highs", "--format", "json"]
    assert said(*command) == (0, "[]")
    for problem in ("adv", "rob"):
        path = proven.folder / "proofs" / f"{problem}.npz"
        path.write_bytes(path.read_bytes()[:-1])
    code, text = said(*command)
    assert code == 1
    assert [finding["where"] for finding in json.loads(text)] == ["proofs/adv.npz", "proofs/rob.npz"]
    code, text = said(*command, "--select", "adv*")
    assert [finding["where"] for finding in json.loads(text)] == ["proofs/adv.npz"]


def test_each_proof_is_a_step_of_the_check(proven: Library) -> None:
    progress = StepRecorder()
    assert check_library(proven, proven.select(["rob*"]), [], progress) == []
    assert (progress.total, progress.descriptions) == (
        4,
        ["files", "proofs/rob.npz", "rob--tight", "rob-mag-u10--tight"],
    )


def test_check_finds_a_table_without_manifest(proven: Library, said: Said) -> None:
    (proven.folder / "proofs" / "manifest.json").unlink()
    code, text = said("check", proven.folder, "--solver", "highs", "--format", "json")
    (finding,) = json.loads(text)
    assert code == 1
    assert finding["where"] == "answers.csv"
    assert "proofs/manifest.json: cannot be read" in finding["what"]


def test_show_says_how_many_problems_are_proven(proven: Library, said: Said) -> None:
    assert "proven answers to 2 of 2 problems: 1 adversarial, 1 robust" in said("show", proven.folder)[1]
    facts = json.loads(said("show", proven.folder, "--format", "json")[1])
    assert (facts["problems"], facts["proven"]) == (2, {"adversarial": 1, "robust": 1})


def test_show_says_what_is_proven_about_an_instance(proven: Library, said: Said) -> None:
    assert "proven adversarial (value 0.25)" in said("show", proven.folder, "adv--tight")[1]
    text = said("show", proven.folder, "rob-mag-u10--tight")[1]
    assert re.search(r"proven robust \(1 leaf, checked in \S+ s\), on the dense network", text)
    facts = json.loads(said("show", proven.folder, "adv-mag-u10--tight", "--format", "json")[1])["proven"]
    assert (facts["answer"], facts["lower"], facts["prove_seconds"]) == ("adversarial", 0.25, 2.0)


def test_an_open_answer_is_shown_with_its_interval(library: Library, said: Said) -> None:
    with adding_answers(library) as answers:
        answers.add(upper_proof(library, "adv", 0.875), 1.0)
        assert "proven open (at most 0.875)" in said("show", library.folder, "adv--tight")[1]
        answers.add(witness_proof(library, "adv", CENTRE), 1.0)
    assert "proven open (at least -0.75 and at most 0.875)" in said("show", library.folder, "adv--tight")[1]
    assert "proven answers to 0 of 2 problems; 1 open, with an interval" in said("show", library.folder)[1]


def test_a_library_without_answers_is_shown_as_before(library: Library, said: Said) -> None:
    before = contents(library.folder)
    assert "proven" not in said("show", library.folder)[1]
    assert "proven" not in said("show", library.folder, "adv--tight")[1]
    assert json.loads(said("show", library.folder, "adv--tight", "--format", "json")[1])["proven"] is None
    assert json.loads(said("show", library.folder, "--format", "json")[1])["proven"] == {}
    assert said("check", library.folder, "--solver", "highs")[0] == 0
    assert contents(library.folder) == before


def test_a_broken_table_is_bad_input_for_show(proven: Library, capsys: pytest.CaptureFixture[str]) -> None:
    (proven.folder / "answers.csv").write_bytes(b"")
    for command in (["show", str(proven.folder)], ["show", str(proven.folder), "adv--tight"]):
        assert "answers.csv: is not the file that proofs/manifest.json knows" in one_error_line(capsys, command)
