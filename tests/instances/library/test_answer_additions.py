"""Answers are added one at a time: an interval narrows, a decided answer stays, and a kill loses nothing proven."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from support.folders import contents
from support.proofs import excluded_proof, upper_proof, witness_proof
from support.tiny_libraries import (
    BEST,
    CENTRE,
    EVEN,
    GOOD,
    write_tiny_library,
)
from vnnbench.instances.errors import LibraryError, ProofError
from vnnbench.instances.layout import ANSWERS, PROOFS, PROOFS_MANIFEST, next_proof_file, proof_file
from vnnbench.instances.library import answer_additions, proof_checks, proven_answers
from vnnbench.instances.library.answer_additions import adding_answers
from vnnbench.instances.library.proof_checks import check_answer, open_answers
from vnnbench.instances.library.proven_answers import AnswerTable, ProvenAnswer
from vnnbench.instances.proofs.proof_file import Claim, parse_proof


@pytest.fixture
def library(tmp_path):
    return write_tiny_library(tmp_path / "library")


def add(library, *proofs, seconds=1.0):
    """Add proofs, one opening for each, and return what `add` says of each."""
    said = []
    for proof in proofs:
        with adding_answers(library) as answers:
            said.append(answers.add(proof, seconds))
    return said


def proven(library, problem="adv"):
    return AnswerTable.open(library.folder).problems[problem]


def stored(library, problem="adv"):
    return parse_proof(AnswerTable.open(library.folder).read(proof_file(problem)), "proof")


def findings(library):
    """Return what a check of the answers finds."""
    table, found = open_answers(library.folder)
    return found + [finding for answer in table.problems.values() for finding in check_answer(library, table, answer)]


# -- what is added -----------------------------------------------------------------------------------------------------


def test_answers_are_added_and_the_library_keeps_every_byte(library):
    before = contents(library.folder)
    assert add(library, witness_proof(library, "adv", GOOD), excluded_proof(library, "rob")) == [True, True]
    after = contents(library.folder)
    assert before.items() <= after.items()
    assert after.keys() - before.keys() == {ANSWERS, PROOFS_MANIFEST, "proofs/adv.npz", "proofs/rob.npz"}
    table = AnswerTable.open(library.folder)
    assert [(p.problem, p.answer, p.lower, p.upper, p.leaves) for p in table.problems.values()] == [
        ("adv", ProvenAnswer.ADVERSARIAL, 0.125, None, 0),
        ("rob", ProvenAnswer.ROBUST, None, 0.0, 1),
    ]
    assert findings(library) == []


def test_an_interval_narrows_and_then_is_decided(library):
    said = add(
        library,
        witness_proof(library, "adv", CENTRE),
        upper_proof(library, "adv", 0.9),
        upper_proof(library, "adv", 0.95),
        witness_proof(library, "adv", EVEN),
        upper_proof(library, "adv", 0.8),
        witness_proof(library, "adv", CENTRE),
    )
    assert said == [True, True, False, True, True, False]
    assert (proven(library).answer, proven(library).lower, proven(library).upper) == (ProvenAnswer.OPEN, 0.0, 0.8)
    assert add(library, witness_proof(library, "adv", BEST), witness_proof(library, "adv", GOOD)) == [True, False]
    assert (proven(library).answer, proven(library).lower) == (ProvenAnswer.ADVERSARIAL, 0.25)
    assert (stored(library).claim, stored(library).upper) == (Claim.UPPER, 0.8)
    assert proven(library).prove_seconds == 5.0  # of those that were added
    assert findings(library) == []


def test_a_proof_of_robustness_beats_a_bound_that_is_not_one_and_keeps_the_witness(tmp_path):
    library = write_tiny_library(tmp_path / "library", strict=False)  # then 0 must be excluded too
    assert add(library, upper_proof(library, "rob", 0.0), witness_proof(library, "rob", CENTRE)) == [True, True]
    assert proven(library, "rob").answer is ProvenAnswer.OPEN
    assert add(library, excluded_proof(library, "rob"), upper_proof(library, "rob", 0.0)) == [True, False]
    assert (proven(library, "rob").answer, proven(library, "rob").lower) == (ProvenAnswer.ROBUST, -1.75)
    assert add(library, upper_proof(library, "rob", -0.125)) == [True]
    assert (proven(library, "rob").answer, proven(library, "rob").upper) == (ProvenAnswer.ROBUST, -0.125)
    assert findings(library) == []


def test_a_rejected_proof_changes_nothing(library):
    add(library, witness_proof(library, "adv", CENTRE))
    before = contents(library.folder)
    good = witness_proof(library, "adv", GOOD)
    for proof in (
        replace(good, witness=np.ones(4)),
        replace(good, network_sha256="0" * 64),
        replace(good, property_sha256=good.network_sha256),
        replace(good, witness=np.full(4, np.nan)),
        replace(good, witness=good.witness.astype(np.float32)),
    ):
        with pytest.raises(ProofError):
            add(library, proof)
    with pytest.raises(LibraryError, match="has no problem 'other'"):
        add(library, replace(good, problem="other"))
    assert contents(library.folder) == before


def test_a_witness_above_a_proven_bound_is_refused(library, monkeypatch):
    def believing(proof, prop, network, check=proof_checks.check_proof):
        if proof.upper is None:
            return check(proof, prop, network)
        return replace(check(replace(proof, upper=0.8), prop, network), upper=Fraction(proof.upper))

    monkeypatch.setattr(proof_checks, "check_proof", believing)
    add(library, upper_proof(library, "adv", 0.125))
    before = contents(library.folder)
    with pytest.raises(ProofError, match="the witness contradicts the tree, so the checker is broken"):
        add(library, witness_proof(library, "adv", BEST))
    assert contents(library.folder) == before


def test_an_earlier_proof_that_is_altered_or_about_other_files_counts_for_nothing(library, tmp_path):
    add(library, witness_proof(library, "adv", BEST))
    (library.folder / proof_file("adv")).write_bytes(b"altered")
    assert add(library, witness_proof(library, "adv", GOOD), seconds=7.0) == [True]
    assert (proven(library).lower, proven(library).prove_seconds) == (0.125, 7.0)
    other = write_tiny_library(tmp_path / "other", {"adv": 0.75})
    for relative in (ANSWERS, PROOFS):
        shutil.move(library.folder / relative, other.folder / relative)
    assert [finding.where for finding in findings(other)] == ["proofs/adv.npz"]
    assert add(other, witness_proof(other, "adv", CENTRE)) == [True]
    assert proven(other).lower == -0.5
    assert findings(other) == []


def test_the_time_of_proving_may_be_unknown(library):
    add(library, upper_proof(library, "adv", 0.8), seconds=None)
    assert proven(library).prove_seconds is None
    add(library, witness_proof(library, "adv", GOOD), seconds=2.0)
    assert proven(library).prove_seconds == 2.0


# -- stopped, locked, linked -------------------------------------------------------------------------------------------


STEPS = ("the proof aside", "the table aside", "the manifest")


@pytest.mark.parametrize("n_writes", range(len(STEPS)), ids=STEPS.__getitem__)
@pytest.mark.parametrize("first", [True, False])
def test_an_addition_that_is_stopped_before_a_write_leaves_the_answers_before_it(library, monkeypatch, n_writes, first):
    if not first:
        add(library, witness_proof(library, "adv", CENTRE))
    before = AnswerTable.open(library.folder).problems
    with monkeypatch.context() as patch:
        left, write = itertools.count(), answer_additions.write_atomic

        def stopping(path, data):
            if next(left) == n_writes:
                raise KeyboardInterrupt
            write(path, data)

        patch.setattr(answer_additions, "write_atomic", stopping)
        with pytest.raises(KeyboardInterrupt):
            add(library, witness_proof(library, "adv", GOOD))
    assert AnswerTable.open(library.folder).problems == before
    assert findings(library) == []
    assert add(library, witness_proof(library, "adv", GOOD)) == [True]
    assert proven(library).lower == 0.125
    assert findings(library) == []
    assert [path.name for path in (library.folder / PROOFS).iterdir() if path.suffix == ".next"] == []


def test_an_addition_that_is_stopped_after_the_manifest_is_done(library, monkeypatch):
    add(library, witness_proof(library, "adv", CENTRE))
    with monkeypatch.context() as patch, adding_answers(library) as answers:
        patch.setattr(answers, "_put_in_place", lambda: None)  # as if killed before
        answers.add(witness_proof(library, "adv", GOOD), 1.0)
    assert (library.folder / next_proof_file(ANSWERS)).is_file()
    assert proven(library).lower == 0.125
    assert findings(library) == []
    assert add(library, witness_proof(library, "adv", GOOD)) == [False]
    assert {path.name for path in (library.folder / PROOFS).iterdir()} == {"adv.npz", "manifest.json"}
    assert findings(library) == []


KILLED = """
import sys
from pathlib import Path

from support.proofs import witness_proof
from vnnbench.instances.library.answer_additions import adding_answers
from vnnbench.instances.library.library import Library

library = Library.open(Path(sys.argv[1]))
for step in range(1, 1000):
    with adding_answers(library) as answers:
        answers.add(witness_proof(library, "adv", [0.5 + step / 2048, 0.25, 0.5, 0.5]), 1.0)
    print(step, flush=True)
"""


def test_a_kill_loses_nothing_that_was_added(library):
    """Step k is a witness with the value k/2048 - 3/4."""
    for lines in (1, 4, 9):
        command = [sys.executable, "-c", KILLED, str(library.folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_with_support()) as process:
            assert process.stdout is not None
            steps = [int(process.stdout.readline()) for _ in range(lines)]
            process.send_signal(signal.SIGKILL)
        assert proven(library).lower >= steps[-1] / 2048 - 0.75
        assert findings(library) == []
        add(library, witness_proof(library, "adv", CENTRE))
        assert findings(library) == []


def _with_support():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path.endswith("tests"))}


def test_a_reader_begins_again_where_an_answer_is_added_meanwhile(library, monkeypatch):
    add(library, witness_proof(library, "adv", CENTRE))
    parse = proven_answers._parse_manifest

    def parse_and_add(data, folder):
        monkeypatch.setattr(proven_answers, "_parse_manifest", parse)
        add(library, witness_proof(library, "adv", GOOD))
        return parse(data, folder)

    monkeypatch.setattr(proven_answers, "_parse_manifest", parse_and_add)
    assert proven(library).lower == 0.125


def test_only_one_process_adds_answers(library):
    with (
        adding_answers(library),
        pytest.raises(LibraryError, match="proofs: another prove is running there; wait for it"),
        adding_answers(library),
    ):
        pass
    assert not (library.folder / PROOFS).exists()


@pytest.mark.parametrize("linked", ["proofs", ANSWERS, PROOFS_MANIFEST, proof_file("adv"), next_proof_file(ANSWERS)])
def test_nothing_is_written_through_a_link(library, tmp_path, linked):
    """A link is refused where it would be read, and replaced where it is not."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if linked != "proofs":
        (library.folder / PROOFS).mkdir()
        (elsewhere / "file").write_bytes(b"precious")
    (library.folder / linked).symlink_to(elsewhere if linked == "proofs" else elsewhere / "file")
    before = contents(elsewhere)
    with contextlib.suppress(LibraryError):
        add(library, witness_proof(library, "adv", GOOD))
        assert proven(library).lower == 0.125
    assert contents(elsewhere) == before


def test_a_problem_whose_name_is_a_path_gets_no_proof(tmp_path):
    library = write_tiny_library(tmp_path / "library", {"sub/adv": 1.0})
    with pytest.raises(LibraryError, match="a problem with a proof has no / in its name"):
        add(library, witness_proof(library, "sub/adv", GOOD))
    assert not (library.folder / PROOFS).exists()
